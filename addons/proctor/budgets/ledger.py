"""What is used up, in a process: asked before anything leaves, counted as it goes, written behind.

What other processes count is taken over once a second, so together they can go beyond a limit by
what they let through in that time.
"""

import asyncio
import contextlib
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

from proctor.budgets.file import BudgetFile, People
from proctor.budgets.model import Level, Pot, Spent, Standing
from proctor.budgets.settings import PREFIX, BudgetSettings, PriceSettings, cost
from proctor.budgets.windows import window
from proctor.errors import InternalError
from proctor.model import (
    ActionKind,
    Allow,
    Decision,
    Deny,
    Finding,
    Hold,
    Observation,
    Principal,
    Session,
    Verdict,
)
from proctor.record import Closing

EVERY: Final = 1.0
"""Seconds between two times that is written, and that others' is read."""

MAX_POTS: Final = 20_000
"""Remembered at once; the longest unused is read from the file when it comes again."""

_LATE: Final = 1000  # used last; what others have counted of these is read again

CHARGED: Final = frozenset(ActionKind) - {ActionKind.LLM_TOOL_USE}
"""Kinds that are refused once a budget is used up: what begins something. A model's tool call is
part of an answer that was counted, and what it then does is asked about by itself."""

PERSONAL: Final = frozenset(
    {
        *("CREDIT_CARD", "CRYPTO", "EMAIL_ADDRESS", "IBAN_CODE", "LOCATION", "PERSON"),
        *("PHONE_NUMBER", "US_ITIN", "US_SSN"),
    }
)
"""Entity types that tell of a person."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Count:
    """One pot.

    Attributes:
        written: What the file has, of all processes.
        waiting: What is not written yet.
        seen: Whose digests are not written yet.
    """

    written: float
    waiting: float = 0.0
    seen: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    @property
    def used(self) -> float:
        if not self.seen:
            return self.written + self.waiting
        return self.written + max(Counter(kind for kind, _ in self.seen).values())


class Budgets:
    """Of all that one process serves.

    Args:
        settings: As proctor.yaml has them.
        prices: Of models.
        path: Of the file.
        clock: The time.
        report: Told when little is left, and when nothing is: a kind, and what is said of it.
        observe: Nothing is held or denied.
    """

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        settings: Sequence[BudgetSettings],
        prices: tuple[PriceSettings, ...] = (),
        *,
        path: Path,
        clock: Callable[[], datetime],
        report: Callable[[str, dict[str, object]], None],
        observe: bool = False,
    ) -> None:
        self._settings = tuple(settings)
        self._prices = prices
        self._clock = clock
        self._report = report
        self._observe = observe
        self._counts: OrderedDict[Pot, _Count] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="budgets")
        self._files = contextlib.ExitStack()
        try:
            # Readers do not wait for writers, as long as each has its own connection.
            self._reader = self._files.enter_context(contextlib.closing(BudgetFile(path)))
            self._writer = self._files.enter_context(contextlib.closing(BudgetFile(path)))
        except BaseException:
            self._files.close()
            raise
        self._closing = asyncio.Event()

    def standing(
        self, principal: str, groups: Collection[str], session: str | None
    ) -> tuple[Standing, ...]:
        """Where somebody stands with each budget that is for them.

        Args:
            principal: `Principal.key`.
            groups: The principal's.
            session: The run's name, or None.

        Raises:
            InternalError: `budgets-unavailable`; then nothing may leave.
        """
        now = self._clock()
        found: list[Standing] = []
        for budget in self._settings:
            since, until = 0, None
            if budget.over:
                begin, until = window(budget.over, budget.time_zone, now)
                since = int(begin.timestamp())
            for who, whose in _who(budget, principal, groups, session):
                pot = Pot(budget.name, who, since, whose)
                used = self._count(pot).used
                found.append(Standing(budget=budget, pot=pot, used=used, until=until))
        return tuple(found)

    def spend(
        self, principal: str, groups: Collection[str], session: str | None, spent: Spent
    ) -> None:
        """Count what was used.

        Raises:
            InternalError: `budgets-unavailable`.
        """
        for before in self.standing(principal, groups, session):
            count = self._count(before.pot)
            if before.budget.of == "people":
                count.seen |= spent.people
            else:
                count.waiting += float(getattr(spent, before.budget.of))
            after = replace(before, used=count.used)
            if after.level is not before.level and after.level is not Level.OK:
                self._tell(after)

    def priced(self, model: str, input_: int, output: int, read: int, written: int) -> Spent:
        """What an answer of the model's used."""
        price = cost(self._prices, model, input_, output, read, written) if self._prices else 0.0
        return Spent(tokens=input_ + output + written, cost=price)

    def closed(self, model: str, closing: Closing) -> Spent:
        """What an exchange used that has ended."""
        reply = closing.reply
        spent = Spent()
        if reply:
            spent = self.priced(
                reply.model or model,
                reply.input_tokens,
                reply.output_tokens,
                reply.cache_read_tokens,
                reply.cache_write_tokens,
            )
        return replace(spent, received=closing.response_bytes, people=people(closing.findings))

    def bounded(
        self, decision: Decision, kind: ActionKind, standing: Sequence[Standing]
    ) -> Decision:
        """A decision, and what budgets that are used up say beside the rules."""
        over = [
            each for each in standing if each.level is Level.OVER and each.budget.then != "notice"
        ]
        if not over or kind not in CHARGED:
            return decision
        verdict = _strictest(decision.verdict, over)
        if not self._observe:
            return replace(decision, verdict=verdict)
        seen = tuple(
            Observation(rule_id=f"{PREFIX}{each.budget.name}", verdict=each.budget.then)
            for each in over
        )
        return replace(decision, mode="observe", observed=(*decision.observed, *seen))

    async def run(self) -> None:
        """Write, and read what others have counted, until it is closed."""
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._closing.wait()
            with contextlib.suppress(InternalError):  # it was logged; what waits stays
                await self.write()

    async def write(self) -> None:
        """Write what waits, and read what others have counted.

        Raises:
            InternalError: `budgets-unavailable`; what waits stays.
        """
        late = set(islice(reversed(self._counts), _LATE))
        amounts = {
            pot: each.waiting
            for pot, each in self._counts.items()
            if not each.seen and (each.waiting or pot in late)
        }
        seen = {pot: frozenset(each.seen) for pot, each in self._counts.items() if each.seen}
        if not amounts and not seen:
            return
        now = self._clock().timestamp()
        written = await asyncio.get_running_loop().run_in_executor(
            self._thread, self._written, amounts, seen, now
        )
        for pot, total in written.items():
            if count := self._counts.get(pot):
                count.written = total
                count.waiting -= amounts.get(pot, 0.0)
                count.seen -= seen.get(pot, frozenset())

    async def close(self) -> None:
        """Write what waits, and let go of the file."""
        self._closing.set()
        try:
            await self.write()
        except InternalError:
            log.warning("What was used last is lost", extra={"event": "budgets.lost"})
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)
        self._files.close()

    def _written(
        self, amounts: Mapping[Pot, float], seen: Mapping[Pot, People], now: float
    ) -> dict[Pot, float]:
        used = {pot: amount for pot, amount in amounts.items() if amount}
        found = self._writer.add(used, seen, now) if used or seen else {}
        return found | {pot: self._writer.used(pot) for pot in amounts if pot not in used}

    def _count(self, pot: Pot) -> _Count:
        count = self._counts.get(pot)
        if count is None:
            count = self._counts[pot] = _Count(self._reader.used(pot))
            if len(self._counts) > MAX_POTS:
                self._forget_one()
        else:
            self._counts.move_to_end(pot)
        return count

    def _forget_one(self) -> None:
        for pot, count in self._counts.items():
            if not count.waiting and not count.seen:
                del self._counts[pot]
                return

    def _tell(self, standing: Standing) -> None:
        self._report(
            f"budget.{standing.level}",
            {
                "budget": standing.budget.name,
                "who": standing.pot.who,
                "of": standing.budget.of,
                "used": round(standing.used, 4),
                "limit": standing.budget.limit,
                "until": standing.until.isoformat() if standing.until else None,
            },
        )


def shares(standing: Sequence[Standing]) -> dict[str, float]:
    """What rules see: the share that is used up, by the budget's name."""
    found: dict[str, float] = {}
    for each in standing:
        found[each.budget.name] = max(each.share, found.get(each.budget.name, 0.0))
    return found


def notice(standing: Sequence[Standing]) -> str:
    """What is said of budgets of which little is left; empty where none is."""
    near = [each for each in standing if each.level is not Level.OK]
    return "; ".join(f"budget {each.budget.name}: {each.share:.0%} used" for each in near)


def people(findings: Sequence[Finding]) -> frozenset[tuple[str, str]]:
    """The personal values among what was found, by keyed digest."""
    return frozenset(
        (each.type, each.digest) for each in findings if each.type in PERSONAL and each.digest
    )


def said_to(
    principal: Principal, session: Session | None
) -> tuple[str, tuple[str, ...], str | None]:
    """Whose budgets they are, as `standing` and `spend` want it."""
    return principal.key, principal.groups, (session.id or None) if session else None


def _who(
    budget: BudgetSettings, principal: str, groups: Collection[str], session: str | None
) -> list[tuple[str, str]]:
    """Whose pots of a budget something goes to: their names, and the principal's or ""."""
    named = [group for group in budget.groups if group in groups]
    if budget.per == "group":
        return [(group, "") for group in named]
    if budget.groups and not named:
        return []
    if budget.per == "principal":
        return [(principal, principal)]
    return [(f"{principal} {session}", principal)] if session else []


def _strictest(verdict: Verdict, over: Sequence[Standing]) -> Verdict:
    """What rules and used up budgets say together: deny beats hold beats allow."""
    if isinstance(verdict, Deny):
        return verdict
    for each in over:
        if each.budget.then == "deny":
            return Deny(rule_id=f"{PREFIX}{each.budget.name}", reason=each.words)
    first = over[0]
    terms = tuple(each.budget.terms for each in over if each.budget.terms)
    match verdict:
        case Allow():
            return Hold(rule_id=f"{PREFIX}{first.budget.name}", reason=first.words, terms=terms)
        case Hold():
            return replace(verdict, terms=(*verdict.terms, *terms))
