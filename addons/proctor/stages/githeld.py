"""An answer that waits on disk until it was looked at and the rules were asked about it."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mitmproxy import http

from proctor.errors import InternalError, ProctorError, RefusedError, UpstreamError
from proctor.git.packreport import PackReport
from proctor.git.room import PIECE, GitRoom, unkept
from proctor.model import Allow, Finding, GitFields, Hold
from proctor.record import Ruling
from proctor.redaction.handling import Rewritten
from proctor.redaction.model import SECRET_PATH, Method
from proctor.runtime.tasks import spawn
from proctor.stages.exchange import Exchange
from proctor.stages.gitanswer import GitAnswer

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

log = logging.getLogger(__name__)

PATIENCE: Final = 2.0
"""Seconds that a client hears nothing, so that a refusal can stand in the first line."""


class HeldAnswer(GitAnswer):
    """Keeps what comes, has it looked at, asks the rules again, and passes it on or refuses it.

    Args:
        suite: All the stages.
        flow: The exchange's.
        exchange: The same.
        encoding: Of the answer.
        clock: Monotonic, seconds.

    Attributes:
        rulings: What the rules said of it.
        size: Bytes that were kept.
        error: Why it is refused.
    """

    def __init__(
        self,
        suite: "Suite",
        flow: http.HTTPFlow,
        exchange: Exchange,
        encoding: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(encoding)
        self.rulings: tuple[Ruling, ...] = ()
        self.size = 0
        self.error: ProctorError | None = None
        self.clock = clock
        self.path: Path | None = None
        self.over = False
        self.passes = False
        self.room: GitRoom = suite.git
        self.exchange = exchange
        self._note = b""
        self._suite = suite
        self._flow = flow
        self._handle = -1
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._ticker = self._loop.call_later(PATIENCE, self._tick)

    # What each kind of answer has of its own.

    async def read(self) -> PackReport:
        """What is in it.

        Raises:
            ProctorError: It cannot be told.
        """
        raise NotImplementedError

    def wrapped(self, piece: bytes) -> bytes:
        """A piece as the client gets it; b"" is the end."""
        return piece

    def before(self) -> bytes:
        """What comes before the first piece."""
        return b""

    def meanwhile(self) -> bytes:
        """What the client may hear by now."""
        return b""

    def refused(self, error: ProctorError) -> bytes:
        """How the client is told."""
        raise NotImplementedError

    def summary(self, report: PackReport | None) -> bytes:
        """What is recorded in place of it."""
        raise NotImplementedError

    # What the tap asks.

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return self._task is None or self.over

    @property
    def more(self) -> bool:
        """Whether there is more to pass on at once."""
        return self.passes and not self.over

    def released(self) -> Rewritten:
        """What may go on by now: a sign of life, the next piece, or a refusal."""
        if self.over:
            return Rewritten()
        note, self._note = self._note, b""
        if self.error:
            self.over = True
            return Rewritten(self.refused(self.error), note)
        if not self.passes:
            return Rewritten(self.meanwhile())
        first = self.before()
        piece = os.read(self._handle, PIECE)
        if not piece:
            self.over = True
        return Rewritten(first + self.wrapped(piece), note)

    def broken(self, error: ProctorError) -> bytes | None:
        """How the client is told."""
        self.over = True
        self._ticker.cancel()
        return self.refused(error)

    def close(self) -> None:
        """The exchange is over: what was kept is gone."""
        self.over = True
        self._ticker.cancel()
        if self._task:
            self._task.cancel()
        if self.path:
            os.close(self._handle)
            self.path.unlink(missing_ok=True)
            self.path = None

    # What the kinds of answers use.

    def keep(self, piece: bytes) -> None:
        """Write a piece to disk.

        Raises:
            UpstreamError: `git-pack-size`: it is too much.
            InternalError: `git-spool`.
        """
        self.size += len(piece)
        if self.size > self.room.most:
            raise UpstreamError(
                "git-pack-size",
                "What is fetched is larger than limits.pack in proctor.yaml allows",
                expected=f"at most {self.room.most} bytes",
                hint="A shallow or partial clone is smaller.",
            )
        try:
            if self.path is None:
                self._handle, self.path = self.room.spool()
            view = memoryview(piece)
            while view:
                view = view[os.write(self._handle, view) :]
        except OSError as error:
            raise unkept(error) from None

    def judge(self) -> None:
        """Have it looked at, and then passed on or refused."""
        self._task = spawn(self._judge(), name="git answer")

    def done(self) -> None:
        """There is nothing to look at."""
        self.over = True
        self._ticker.cancel()

    def _tick(self) -> None:
        if not self.over and not self.exchange.ended:
            self._ticker = self._loop.call_later(PATIENCE, self._tick)
            self._suite.nudge(self._flow)

    async def _judge(self) -> None:
        report = None
        try:
            report = await self.read()
            self.findings = self.room.kept(report.findings)
            self._decide(report)
            if self.path:
                os.lseek(self._handle, 0, os.SEEK_SET)
            self.passes = True
        except ProctorError as error:
            self.error = error
        except Exception:
            log.exception("a git answer was not looked at", extra={"event": "git.failed"})
            self.error = InternalError("stage-failed", "A part of proctor failed")
        if self.error and self.exchange.tap:
            self.exchange.tap.error = str(self.error)
        self._note = self.summary(report)
        self._suite.nudge(self._flow)

    def _decide(self, report: PackReport) -> None:
        """Ask the rules again, with what is in it.

        Raises:
            RefusedError: They refuse it.
        """
        exchange = self.exchange
        if exchange.principal is None or exchange.ruling is None:
            raise InternalError("not-decided", "A stage before the answer is missing")
        mails = {mail for item in report.commits for mail in (item.author, item.committer)}
        first = exchange.actions[0]
        action = replace(
            first,
            git=replace(
                first.git or GitFields(),
                authors=tuple(sorted(mails))[:1000],
                commits=len(report.commits),
                bytes=report.bytes,
            ),
        )
        gate = self._suite.gate
        ruling = gate.decide(exchange.principal, exchange.session, (action,), self.findings)
        self.rulings = (ruling,)
        verdict, asked = ruling.verdict, exchange.ruling.verdict
        if isinstance(verdict, Hold) and isinstance(asked, Hold):
            agreed = {terms.rule_id for terms in asked.terms}
            if agreed.issuperset(terms.rule_id for terms in verdict.terms):
                # Humans have agreed to that before it left.
                verdict = Allow(rule_id=verdict.rule_id)
        if not isinstance(verdict, Allow):
            words = told(self.findings) or verdict.reason
            raise RefusedError("git-refused", words, rule_id=verdict.rule_id)
        # Out of a pack nothing can be taken, so what is found refuses it; rules may say otherwise.
        redact = ruling.redact
        stopped = tuple(each for each in self.findings if redact.get(each.type) != Method.DETECT)
        self.findings = tuple(
            replace(each, action=Method.BLOCK if each in stopped else Method.DETECT)
            for each in self.findings
        )
        if stopped:
            marked = any(each.type == SECRET_PATH for each in stopped)
            rule = "secret-path" if marked else "redaction"
            raise RefusedError("git-refused", told(stopped), rule_id=rule)


def told(findings: tuple[Finding, ...]) -> str:
    """The first of what was found, in words that name the path and never the value."""
    for found in findings:
        if found.type == SECRET_PATH:
            return f"{found.location} is marked secret"
    return f"{findings[0].location} holds a secret ({findings[0].type})" if findings else ""


def words_of(error: ProctorError) -> str:
    """One line for git's user."""
    if isinstance(error, RefusedError) and error.rule_id:
        return f"{error.message} (rule {error.rule_id})"
    return str(error)
