"""What other rules would have said of what is on record.

Every recorded action is rebuilt as the case that rules saw, and decided anew. What the rules said
then stands in the record, so only the new ones are asked. Cases that are equal in everything the
rules read are decided once. Where a rule needs what is not on record and its answer would matter,
nothing is guessed: such actions are counted apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from time import perf_counter
from typing import Any, Final

import orjson

from proctor.model import (
    Action,
    ActionKind,
    Allow,
    ApprovalTerms,
    Case,
    Deny,
    Hold,
    ToolFields,
    Verdict,
    verdict_name,
)
from proctor.policy.calls import call_of
from proctor.policy.engine import DEFAULT, Outcome, Policy
from proctor.policy.expression import Expression
from proctor.policy.match import matches_any
from proctor.policy.nodes import Binary, Index, Literal, Macro, Name, Node, Select, children
from proctor.policy.recorded import Recorded
from proctor.policy.rules import Rule
from proctor.policy.values import getter, time_zone
from proctor.protocols.shell.reader import read_command

FIXED: Final = "mcp-definition"
"""A rule of the record's that no rule file has: a tool's definition that had changed."""

FUNCTION: Final = "unknown-function"
"""Likewise, where SQL calls a function that nobody has looked at: the listener says that."""

GRANT: Final = "gr_"
"""How the names of grants begin."""

MAX_KNOWN: Final = 100_000
MAX_GROUPS: Final = 5_000
"""Rows of the report; what comes beyond is counted together."""
MAX_ASKS: Final = 200_000
MAX_WHAT: Final = 200
"""Characters of what an action was done with: others chose them."""

EXAMPLES: Final = 5
SAMPLE: Final = 100
"""Cases by which the rules' own time is measured, in each part of the record."""

_CALL: Final = frozenset({"tool.name", "tool.input", "tool.command", "tool.paths", "tool.hosts"})
_UNLIKE: Final = frozenset({"now", "principal.token_age"})  # another value each time
_LONG: Final = 128


class Change(StrEnum):
    """What becomes of an action."""

    ALLOWED = "newly-allowed"
    HELD = "newly-held"
    DENIED = "newly-denied"
    SAME = "unchanged"
    UNKNOWN = "could-not-be-told"


_NEWLY: Final = {"allow": Change.ALLOWED, "hold": Change.HELD, "deny": Change.DENIED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the new rules say of one case.

    Attributes:
        verdict: `allow`, `hold` or `deny`; None where it depends on what is not known.
        rule_id: The rule that says so, or the first that stays open.
        terms: What humans would be asked.
        lacking: Why it cannot be told.
    """

    verdict: str | None
    rule_id: str
    terms: tuple[ApprovalTerms, ...] = ()
    lacking: str = ""


class Judge:
    """Asks one set of rules about recorded actions.

    Args:
        policy: The rules; global observe is not looked at.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._kinds = {
            kind: _Reads([rule for rule in policy.rules if kind in rule.on], kind)
            for kind in ActionKind
        }
        self._left: dict[tuple[Any, ...], _Reads] = {}
        self._parts: dict[tuple[ActionKind, tuple[str, ...]], _Reads] = {}
        self._known: dict[tuple[Any, ...], Answer] = {}

    def reads(self, kind: ActionKind) -> frozenset[str]:
        """The fields that the rules of a kind read."""
        return self._kinds[kind].fields

    def answer(self, found: Recorded) -> Answer:
        """What the rules say of it."""
        reads = self._narrowed(found, self._kinds[found.case.action.kind])
        key = reads.key(found.case, reads.hidden(found))
        known = self._known.get(key) if key else None
        if known is None:
            known = self._asked(found)
            if key:
                _keep(self._known, key, known)
        return known

    def _narrowed(self, found: Recorded, reads: "_Reads") -> "_Reads":
        """What is read by the rules that are left once patterns have been looked at.

        Most calls are meant by no pattern, so what the other rules read makes no two of them one.
        """
        call = call_of(found.case.action) if reads.patterns else None
        if call is None or not call.name or not _CALL.isdisjoint(found.hidden):
            return reads
        key = (reads.kind, *call_key(call, whole=reads.reads_input))
        left = self._left.get(key)
        if left is None:
            try:
                rules = [rule for rule in reads.rules if not rule.match or _means(rule, call)]
            except Exception:  # noqa: BLE001 - the engine, which is asked, says what becomes of it
                return reads
            part = (reads.kind, tuple(rule.id for rule in rules))
            left = self._parts.get(part)
            if left is None:
                left = _keep(self._parts, part, _Reads(rules, reads.kind, looked=True))
            _keep(self._left, key, left)
        return left

    def _asked(self, found: Recorded) -> Answer:
        case = found.case
        hidden = self._kinds[case.action.kind].hidden(found)
        answers = self.policy.ask(case, hidden or None)
        verdict = self.policy.weigh(case, answers).verdict
        unknown = [
            (rule, why)
            for rule, outcome, why in answers
            if outcome is Outcome.UNKNOWN and not rule.observe
        ]
        name = verdict_name(verdict)
        for rule, why in unknown:
            if _matters(verdict, rule):
                return Answer(verdict=None, rule_id=rule.id, lacking=why)
        terms = verdict.terms if isinstance(verdict, Hold) else ()
        return Answer(verdict=name, rule_id=verdict.rule_id, terms=terms)


def _keep[K, V](known: dict[K, V], key: K, value: V) -> V:
    if len(known) >= MAX_KNOWN:
        known.clear()
    known[key] = value
    return value


def _means(rule: Rule, call: ToolFields) -> bool:
    return matches_any(rule.match, call, every=rule.then == "allow")


def _matters(verdict: Verdict, rule: Rule) -> bool:
    """Whether a verdict could be another one if this rule spoke, too."""
    match verdict:
        case Allow():
            return rule.then != "allow"
        case Hold():
            return rule.then == "deny"
        case Deny():
            return verdict.rule_id == DEFAULT and rule.then != "deny"


class _Reads:
    """What rules of one kind read, and what of it makes two cases one.

    Args:
        rules: The rules.
        kind: Of the actions.
        looked: Patterns have been looked at: those of these rules fit.
    """

    def __init__(self, rules: Sequence[Rule], kind: ActionKind, *, looked: bool = False) -> None:
        self.rules = rules
        self.kind = kind
        conditions = [each for rule in rules for each in (rule.when, rule.unless) if each]
        self.patterns = any(rule.match for rule in rules) and not looked
        self.fields = frozenset[str]().union(*(each.fields for each in conditions))
        self.reads_input = "tool.input" in self.fields
        if self.patterns:
            self.fields |= _CALL
        wanted = sorted(name for name in self.fields if not name.startswith("now."))
        self._getters = [getter(name) for name in wanted if name not in _CALL]
        self._call = bool(self.fields & _CALL)
        clocked = {
            each.zone for each in conditions if any(f.startswith("now.") for f in each.fields)
        }
        self._zones = [zone for name in sorted(clocked) if (zone := time_zone(name))]
        self._unlike = not self.fields.isdisjoint(_UNLIKE)
        self._headers = header_values(conditions)
        self._named = (kind, tuple(rule.id for rule in rules), looked)

    def hidden(self, found: Recorded) -> dict[str, str]:
        """Of what is not known, what matters here."""
        hidden = {name: why for name, why in found.hidden.items() if name in self.fields}
        told = self._headers is not None and self._headers.isdisjoint(found.unlooked)
        if found.unlooked and told:
            hidden.pop("http.headers", None)
        return hidden

    def key(self, case: Case, hidden: Mapping[str, str]) -> tuple[Any, ...] | None:
        """All that the answer rests on; None where that is never the same."""
        if self._unlike:
            return None
        parts: list[Any] = [self._named, tuple(hidden)]
        for zone in self._zones:
            local = case.now.astimezone(zone)
            parts.append((local.hour, local.isoweekday()))
        for get in self._getters:
            value = get(case)
            parts.append(_flat(value) if isinstance(value, dict | list) else value)
        if self._call and (call := call_of(case.action)):
            parts += call_key(call, whole=self.reads_input)
        return tuple(parts)


def call_key(call: ToolFields, *, whole: bool) -> tuple[Any, ...]:
    """What rules can read of a call; of its input nothing but the rest where that is asked for."""
    command: str | bytes = call.command
    if len(command) > _LONG:
        command = _flat(command)
    if whole or call.name.startswith("mcp__"):  # whose patterns name arguments
        return call.name, command, call.paths, call.hosts, _flat(call.input)
    return call.name, command, call.paths, call.hosts


def _flat(value: object) -> bytes:
    """A value as a short key."""
    try:
        data = orjson.dumps(value, default=str)
    except TypeError:
        data = repr(value).encode("utf-8", "surrogatepass")
    return data if len(data) < _LONG else blake2b(data, digest_size=20).digest()


def header_values(conditions: Iterable[Expression]) -> frozenset[str] | None:
    """The headers whose values conditions read; None where these could be any.

    Whether a header is there is known of all.
    """
    found: set[str] = set()
    for condition in conditions:
        if "http.headers" in condition.fields and not _header_values(condition.tree, found):
            return None
    return frozenset(found)


def _header_values(node: Node, found: set[str]) -> bool:
    match node:
        case Index(operand=operand, index=Literal(value=str() as name)) if _is_headers(operand):
            found.add(name)
            return True
        case Select(operand=operand, name=name) if _is_headers(operand):
            if not node.test:
                found.add(name)
            return True
        case Binary(op="in", left=left, right=right) if _is_headers(right):
            return _header_values(left, found)
        case Macro(operand=operand, bodies=bodies) if _is_headers(operand):
            return all(_header_values(body, found) for body in bodies)
        case _ if _is_headers(node):
            return False
        case _:
            return all(_header_values(child, found) for child in children(node))


def _is_headers(node: Node) -> bool:
    match node:
        case Select(operand=Name(name="http"), name="headers"):
            return True
        case _:
            return False


@dataclass(frozen=True, slots=True)
class Ask:
    """Something that humans would be asked.

    Attributes:
        ts: Seconds since the epoch.
        digest: Of the action; empty where it has none.
        principal: Who would wait.
        rule_id: Why.
        terms: Groups and how many of them, for each holding rule.
        ttl: Seconds in which the same is not asked again.
    """

    ts: float
    digest: str
    principal: str
    rule_id: str
    terms: tuple[tuple[tuple[str, ...], int], ...]
    ttl: float


type Example = tuple[str, str]
"""A flow_id and a session_id, empty where there is none."""

type Row = tuple[str, str, str, str, str, tuple[str, ...], str]
"""Change, kind, recorded rule, new rule, principal, groups, what it was done with."""


@dataclass(slots=True)
class Seen:
    """How often, from when to when, and some of the exchanges with their sessions."""

    count: int = 0
    first: float = 0.0
    last: float = 0.0
    examples: list[Example] = field(default_factory=list[Example])

    def add(self, count: int, first: float, last: float, examples: Iterable[Example]) -> None:
        """Count more of them."""
        self.first = min(self.first, first) if self.count else first
        self.last = max(self.last, last)
        self.count += count
        for example in examples:
            if len(self.examples) < EXAMPLES and example not in self.examples:
                self.examples.append(example)


@dataclass(slots=True)
class Tally:
    """What was counted in a part of the record, or in all of it."""

    changes: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    rows: dict[Row, Seen] = field(default_factory=dict[Row, Seen])
    others: int = 0
    people: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    lacking: dict[str, int] = field(default_factory=dict[str, int])
    asks: list[Ask] = field(default_factory=list[Ask])
    asked_then: list[Ask] = field(default_factory=list[Ask])
    by_grant: int = 0
    asks_left_out: int = 0
    cut: int = 0
    fixed: int = 0
    timed: int = 0
    seconds: tuple[float, float] = (0.0, 0.0)

    def merge(self, other: "Tally") -> None:
        """Add what was counted elsewhere."""
        for key, count in other.changes.items():
            self.changes[key] = self.changes.get(key, 0) + count
        for row, seen in other.rows.items():
            self._row(row, seen.count, seen.first, seen.last, seen.examples)
        for change, people in other.people.items():
            self.people.setdefault(change, set()).update(people)
        for why, count in other.lacking.items():
            self.lacking[why] = self.lacking.get(why, 0) + count
        self.asks += other.asks
        self.asked_then += other.asked_then
        self.others += other.others
        self.by_grant += other.by_grant
        self.asks_left_out += other.asks_left_out
        self.cut += other.cut
        self.fixed += other.fixed
        self.timed += other.timed
        self.seconds = (
            self.seconds[0] + other.seconds[0],
            self.seconds[1] + other.seconds[1],
        )

    def count(self, found: Recorded, answer: Answer, then: Sequence[ApprovalTerms]) -> None:
        """Count one action.

        Args:
            found: As recorded.
            answer: What the new rules say.
            then: What its rule asks of humans where it held, as far as that is known.
        """
        case, action = found.case, found.case.action
        at = case.now.timestamp()
        self.cut += found.cut
        change = _change(found, answer)
        kind = action.kind.value
        self.changes[kind, change] = self.changes.get((kind, change), 0) + 1
        fixed = found.rule_id in {FIXED, FUNCTION}
        self.fixed += fixed
        if change is not Change.SAME:
            principal = case.principal
            row = (
                change.value, kind, found.rule_id, answer.rule_id, principal.key,
                principal.groups, what(action),
            )  # fmt: skip
            session = case.session.id if case.session else ""
            self._row(row, 1, at, at, ((found.flow_id, session),))
            self.people.setdefault(change.value, set()).add(principal.key)
            if answer.lacking:
                self.lacking[answer.lacking] = self.lacking.get(answer.lacking, 0) + 1
        if found.verdict == "hold":
            self._ask(self.asked_then, found, at, found.rule_id, then)
        if answer.verdict == "hold" and not fixed:
            self._ask(self.asks, found, at, answer.rule_id, answer.terms)
        elif fixed and found.verdict == "hold":
            self._ask(self.asks, found, at, found.rule_id, then)

    def _ask(
        self,
        asks: list[Ask],
        found: Recorded,
        at: float,
        rule_id: str,
        terms: Sequence[ApprovalTerms],
    ) -> None:
        if (found.approval_id or "").startswith(GRANT) and rule_id == found.rule_id:
            self.by_grant += asks is self.asks
            return
        if len(asks) >= MAX_ASKS:
            self.asks_left_out += asks is self.asks
            return
        wanted = tuple((each.from_groups, each.count) for each in terms)
        ttl = min((each.ttl.total_seconds() for each in terms), default=_TTL)
        key = found.case.principal.key
        asks.append(Ask(at, found.digest, key, rule_id, wanted, ttl))

    def _row(
        self, row: Row, count: int, first: float, last: float, examples: Iterable[Example]
    ) -> None:
        seen = self.rows.get(row)
        if seen is None:
            if len(self.rows) >= MAX_GROUPS:
                self.others += count
                return
            seen = self.rows[row] = Seen()
        seen.add(count, first, last, examples)


_TTL = ApprovalTerms(from_groups=()).ttl.total_seconds()


def _change(found: Recorded, answer: Answer) -> Change:
    if answer.verdict is None:
        return Change.UNKNOWN
    if found.rule_id in {FIXED, FUNCTION} or answer.verdict == found.verdict:
        return Change.SAME
    return _NEWLY[answer.verdict]


def once(asks: Iterable[Ask]) -> list[Ask]:
    """Those that humans hear of: a retry of the same thing, while its approval lasts, is none."""
    until: dict[tuple[str, str], float] = {}
    heard: list[Ask] = []
    for ask in sorted(asks, key=lambda each: each.ts):
        key = (ask.digest, ask.rule_id)
        if ask.digest and ask.ts < until.get(key, 0.0):
            continue
        until[key] = ask.ts + ask.ttl
        heard.append(ask)
    return heard


def run_over(
    found: Iterable[Recorded], judge: Judge, now: Policy | None, tally: Tally | None = None
) -> Tally:
    """Count what becomes of recorded actions.

    Args:
        found: In the order of time.
        judge: The new rules.
        now: The rules in force, for what they ask of humans and for how long they take.
        tally: Where to count on.
    """
    tally = tally or Tally()
    terms = {rule.id: (rule.terms,) for rule in (now.rules if now else ()) if rule.terms}
    sample: list[Case] = []
    for index, each in enumerate(found):
        answer = judge.answer(each)
        tally.count(each, answer, terms.get(each.rule_id, ()))
        if len(sample) < SAMPLE and index % 7 == 0 and answer.verdict is not None:
            sample.append(each.case)
    if now and sample:
        tally.timed += len(sample)
        tally.seconds = (_seconds(now, sample), _seconds(judge.policy, sample))
    return tally


def _seconds(policy: Policy, sample: Sequence[Case]) -> float:
    for case in sample[:20]:  # what is made at the first call is no cost of the next
        policy.decide(case)
    start = perf_counter()
    for case in sample:
        policy.decide(case)
    return perf_counter() - start


def what(action: Action) -> str:
    """What an action is done with, in short: a tool and program, a host, a model."""
    return _what(action)[:MAX_WHAT]


def _what(action: Action) -> str:
    call = call_of(action)
    if call is not None:
        if call.name != "Bash":
            return call.name
        names = dict.fromkeys(each.program for each in read_command(call.command).commands)
        return f"Bash({', '.join([name for name in names if name][:3])})"
    if action.mcp:
        return " ".join(filter(None, (action.mcp.server, action.mcp.method)))
    if action.llm and action.llm.model:
        return action.llm.model
    return f"{action.http.method} {action.http.host}" if action.http else action.target
