"""Statements that wait for humans."""

from collections.abc import Callable

from proctor.approval.holder import Release, Waiting, Why
from proctor.approval.model import Approval
from proctor.errors import ClientError, ProctorError, RefusedError
from proctor.model import Allow, Finding
from proctor.postgres.cards import held_statement
from proctor.postgres.house import House
from proctor.postgres.judge import Judge
from proctor.postgres.judging import Judging
from proctor.postgres.refusals import waits
from proctor.postgres.statements import Judged
from proctor.protocols.postgres.messages import Bind
from proctor.record import Ruling


class Holding:
    """For one connection: one statement of it waits at a time.

    Args:
        house: What stands behind it.
        judge: Knows whose it is.
        texts: Knows whether what was judged still holds.
        flow_id: Of the connection.
        admitted: Why nothing more may run, or None.
        tell: Sends bytes to the client.
    """

    def __init__(  # noqa: PLR0913 - what a held statement concerns
        self,
        house: House,
        judge: Judge,
        texts: Judging,
        *,
        flow_id: str,
        admitted: Callable[[], ProctorError | None],
        tell: Callable[[bytes], None],
    ) -> None:
        self._house = house
        self._judge = judge
        self._texts = texts
        self._flow_id = flow_id
        self._admitted = admitted
        self._tell = tell
        self._waiting: Waiting | None = None
        self._holds = False
        self._cancelled = False
        self._why: Why | None = None

    def cancel(self) -> bool:
        """The client wants it no more; whether anything waits."""
        if not self._holds:
            return False
        self._cancelled = True
        self.stop(Why.GONE)
        return True

    def stop(self, why: Why) -> None:
        """Nobody can wait any longer."""
        if self._holds:
            self._why = self._why or why
        if self._waiting is not None:
            self._waiting.stop(why)

    async def held(
        self,
        judged: Judged,
        ruling: Ruling,
        parameters: bytes,
        findings: tuple[Finding, ...],
        bind: Bind | None = None,
    ) -> str | None:
        """Wait for humans; returns what let it pass.

        Raises:
            ProctorError: It may not run.
        """
        self._holds, self._cancelled, self._why = True, False, None
        try:
            names = await self._asked(judged, ruling, parameters, findings, bind)
        finally:
            self._holds = False
        if not self._texts.still(judged):
            raise RefusedError(
                "approval-void",
                "What the statement's names mean has changed since it was approved",
                rule_id=ruling.verdict.rule_id,
            )
        error = self._admitted()
        if error is not None:
            raise error
        return " ".join(names) or None

    async def _asked(
        self,
        judged: Judged,
        ruling: Ruling,
        parameters: bytes,
        findings: tuple[Finding, ...],
        bind: Bind | None,
    ) -> list[str]:
        """Ask for all that is held, one after another; names of what let it pass."""
        names: list[str] = []
        for at, decision in enumerate(ruling.decisions):
            if isinstance(decision.verdict, Allow):
                continue
            held = await held_statement(
                self._house,
                self._judge,
                judged,
                at,
                ruling,
                parameters=parameters,
                findings=findings,
                bind=bind,
                flow_id=self._flow_id,
            )
            self._go_on()
            self._waiting = waiting = self._house.gate.hold(held, self._noticed)
            self._house.figures.waits(1)
            try:
                release: Release = await waiting.outcome()
            except ProctorError:
                self._go_on()
                raise
            finally:
                self._house.figures.waits(-1)
                self._waiting = None
            if release.name:
                names.append(release.name)
        return names

    def _go_on(self) -> None:
        """See that somebody still wants it.

        Raises:
            ProctorError: Nobody does.
        """
        if self._cancelled:
            raise ClientError("sql-cancelled", "canceling statement due to user request") from None
        if self._why is not None and self._waiting is None:
            raise RefusedError("approval-cancelled", f"Nobody was asked: {self._why.value}")

    def _noticed(self, approval: Approval) -> None:
        self._tell(waits(approval))
