"""What the rules say of statements, and what is new about them for whoever asks."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import orjson

from proctor.gate import strongest
from proctor.model import (
    Action,
    ActionKind,
    Allow,
    ApprovalTerms,
    Decision,
    Deny,
    Finding,
    Hold,
    Principal,
    Session,
)
from proctor.novelty.baseline import Familiar
from proctor.novelty.model import Novelty
from proctor.postgres.house import House
from proctor.postgres.refusals import HARMLESS
from proctor.postgres.statements import Context, Judgement
from proctor.provenance.intake import arguments_of, parameters_of
from proctor.provenance.memory import Origin, with_taint
from proctor.record import Ruling

UNKNOWN: Final = "unknown-function"
"""`rule_id` of what is said of functions that nobody has looked at."""

_MAX_TOLD: Final = 5
_SHORT: Final = 9  # digits, as `sql.alike` has them
_PLAIN: Final = re.compile(r"[\w.]+")  # as YAML takes it without quotes
_PART: Final = re.compile(r'"(?:[^"]|"")+"|[^."]+')
_FOLDED: Final = re.compile(r'[^\W\dA-Z][^\WA-Z]*|".*"', re.DOTALL)  # stays what it is, unquoted
# What the first is, is asked after every SET, and texts are read so (sql/escapes.py); under the
# second the server refuses texts that it takes otherwise, and reads none in another way.
_SEEN_TO: Final = frozenset({"standard_conforming_strings", "backslash_quote"})


class Weighing:
    """For one connection.

    Args:
        house: What stands behind it.
        principal: Whose it is.
        session: In which run.
        database: Its name.

    Attributes:
        familiar: What is usual for the principal; None where that is not known.
    """

    def __init__(
        self,
        house: House,
        *,
        principal: Principal,
        session: Callable[[], Session | None],
        database: str,
    ) -> None:
        self.familiar: Familiar | None = None
        self.principal = principal
        self._house = house
        self._session = session
        self._database = database

    def ruled(
        self,
        found: Sequence[Judgement],
        findings: tuple[Finding, ...],
        actions: tuple[Action, ...] | None = None,
        *,
        known: bool = False,
    ) -> Ruling:
        """What the rules say of the statements of a text.

        Args:
            found: The statements.
            findings: What was found in them.
            actions: What they are, where that is more than without parameters.
            known: They differ in nothing but short numbers from what was said of.
        """
        actions = self._compared(found, actions or tuple(each.action for each in found))
        if self._traces(known=known):
            actions = tuple(self._traced(each)[0] for each in actions)
        ruling = self._house.gate.decide(self.principal, self._session(), actions, findings)
        decisions = tuple(
            self._worded(each, self._foreseen(each, decision))
            for each, decision in zip(found, ruling.decisions, strict=True)
        )
        if decisions == ruling.decisions:
            return ruling
        return replace(ruling, decisions=decisions, verdict=strongest(decisions))

    # What of it came from elsewhere.

    def tainted(self, parameters: Sequence[bytes]) -> bool:
        """Whether one of the parameters came from an answer that nobody vouches for.

        For where no rule asks: short numbers are not looked at.

        Raises:
            InternalError: `met-unavailable`.
        """
        if all(map(_plain, parameters)) or not self._traces():
            return False
        told = {"parameters": list(parameters_of(parameters))}
        return bool(self._house.gate.provenance.origins(self.principal.key, told))

    def origins(self, action: Action) -> tuple[Origin, ...]:
        """Where what is in a statement came from.

        Raises:
            InternalError: `met-unavailable`.
        """
        return self._traced(action)[1] if action.tainted else ()

    def _traces(self, *, known: bool = False) -> bool:
        """Whether there is anything to compare with, or a rule asks."""
        gate, listener = self._house.gate, self._house.listener
        if not listener.trusted or self.minds("action.tainted"):
            return True
        return not known and gate.provenance.anything(self.principal.key)

    def _traced(self, action: Action) -> tuple[Action, tuple[Origin, ...]]:
        found = self._house.gate.provenance.origins(self.principal.key, arguments_of(action))
        return with_taint(action, found)

    # What is new of it.

    def look(self, judgement: Judgement, rows: float | None = None) -> Novelty | None:
        """What of a statement is new for the principal; None where nothing is learned.

        Args:
            judgement: The statement.
            rows: That came; None for those that are expected.
        """
        sql = judgement.action.sql
        if self.familiar is None or sql is None:
            return None
        return self.familiar.known.look(
            sql,
            judgement.written,
            rows=judgement.expected if rows is None else rows,
            now=self.familiar.now,
        )

    def exceeded(self, judgement: Judgement, rows: int) -> Decision:
        """What the rules would have said, had they known how many rows come."""
        found = self.look(judgement, float(rows))
        action = replace(judgement.action, novelty=found.fields() if found else {})
        ruling = self._house.gate.decide(self.principal, self._session(), (action,))
        return ruling.decisions[0]

    def minds(self, field: str) -> bool:
        """Whether a rule reads such a field."""
        return self._house.gate.policy.reads(ActionKind.SQL_STATEMENT, field)

    async def expected(self, found: list[Judgement], context: Context) -> list[Judgement]:
        """With how many rows the planner expects, where a rule reads that."""
        house = self._house
        if house.expects is None or self.familiar is None or not self.minds("novelty.volume"):
            return found
        return [
            replace(
                each,
                expected=await house.expects(self.principal, self._database, each, context)
                if each.action.sql and self.familiar.known.usual(each.action.sql) is not None
                else None,
            )
            for each in found
        ]

    def _compared(
        self, found: Sequence[Judgement], actions: tuple[Action, ...]
    ) -> tuple[Action, ...]:
        """With what is new of them, where a rule reads that."""
        if self.familiar is None or not self.minds("novelty"):
            return actions
        new = (self.look(each) for each in found)
        return tuple(
            replace(action, novelty=each.fields()) if each else action
            for action, each in zip(actions, new, strict=True)
        )

    def _worded(self, judgement: Judgement, decision: Decision) -> Decision:
        """Where rules ask what is new, it stands in the reason of what is not simply allowed."""
        verdict = decision.verdict
        if isinstance(verdict, Allow) or not self.minds("novelty"):
            return decision
        new = self.look(judgement)
        if new is None or not new.words:
            return decision
        reason = f"{verdict.reason} New: {new.words}.".strip()
        return replace(decision, verdict=replace(verdict, reason=reason))

    def _foreseen(self, judgement: Judgement, decision: Decision) -> Decision:
        """What is said where a function is called that nobody has looked at."""
        how = self._house.listener.unknown_functions
        unknown = _unknown(judgement)
        if how == "allow" or not unknown or decision.mode != "enforce":
            return decision
        if not isinstance(decision.verdict, Allow):
            return decision
        reason = f"It calls what proctor does not know to be harmless: {_told(judgement, unknown)}."
        verdict: Hold | Deny = Deny(rule_id=UNKNOWN, reason=reason)
        if how == "hold":
            terms = ApprovalTerms(
                rule_id=UNKNOWN, rule_reason=reason, from_groups=self._house.reviewers
            )
            verdict = Hold(rule_id=UNKNOWN, reason=reason, terms=(terms,))
        return replace(decision, verdict=verdict)


def _plain(part: bytes) -> bool:
    """Whether a parameter is so short, or a number so short, that it says little."""
    return len(part) <= HARMLESS or (len(part) <= _SHORT and part.isdigit())


def _unknown(judgement: Judgement) -> list[str]:
    """Functions and things done that nobody has looked at."""
    statement = judgement.statement
    found = [*judgement.resolved.unknown_functions]
    found += [word for word in statement.dangerous if word not in _SEEN_TO]
    return found + (_unknown(judgement.inner) if judgement.inner else [])


def _told(judgement: Judgement, unknown: Sequence[str]) -> str:
    """What is unknown, with what runs it where the statement does not, and how it may pass."""
    every = list(_layers(judgement))
    opaque = [words for each in every for words in each.resolved.opaque]
    functions = {name for each in every for name in each.resolved.unknown_functions}
    functions.discard("relations")  # more than can be told
    said: list[str] = []
    mends: list[str] = []
    for name in unknown[:_MAX_TOLD]:
        said.append(next((words for words in opaque if words.endswith(f" calls {name}")), name))
        if name in functions:
            mends.append(_setting(name))
    words = ", ".join(said)
    if not mends:
        return words
    return f"{words}. With `functions: [{', '.join(mends)}]` in the listener's settings it may"


def _setting(name: str) -> str:
    """An unknown function's name as `functions` takes it: rules' names do not quote capitals."""
    prefix = "partitions:" if name.startswith("partitions:") else ""
    path, operator, symbol = name.removeprefix(prefix).partition(".operator ")
    path = _PART.sub(lambda part: part[0] if _FOLDED.fullmatch(part[0]) else f'"{part[0]}"', path)
    said = f"{prefix}{path}{operator}{symbol}"
    return said if _PLAIN.fullmatch(said) else orjson.dumps(said).decode()


def _layers(judgement: Judgement) -> Iterator[Judgement]:
    """A statement, and what it executes."""
    yield judgement
    if judgement.inner is not None:
        yield from _layers(judgement.inner)
