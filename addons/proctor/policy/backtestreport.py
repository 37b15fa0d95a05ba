"""A backtest's answer: what would change, for whom, and what it would ask of humans."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from proctor.model import ApprovalTerms
from proctor.policy.backtest import Ask, Change, Example, Tally, once
from proctor.policy.rules import Rule
from proctor.record import timestamp

_HOURS: Final = 24
_PEOPLE: Final = 20
_LACKING: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Actions of one person's that change in one way, for one reason.

    Attributes:
        change: What becomes of them.
        kind: Of the actions.
        before: The rule that spoke then.
        rule: The rule that would speak now; for what cannot be told the first that is open.
        principal: `Principal.key`.
        groups: As the issuer gave them.
        what: Tool, host or model.
        count: How many.
        first: When first.
        last: When last.
        examples: Some exchanges, by flow_id, with their sessions.
    """

    change: Change
    kind: str
    before: str
    rule: str
    principal: str
    groups: tuple[str, ...]
    what: str
    count: int
    first: datetime
    last: datetime
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What humans would be asked, or were.

    Attributes:
        asks: How often in all; a retry while the approval lasts counts once.
        per_day: The mean.
        days: By day.
        hours: By hour of the day, UTC.
        groups: How many decisions each group would be asked for; `a or b` where either may.
        rules: Asks by rule.
        people: Asks by whom they would keep waiting, most first.
        waiting: How many people that is.
    """

    asks: int
    per_day: float
    days: Mapping[str, int]
    hours: tuple[int, ...]
    groups: Mapping[str, int]
    rules: Mapping[str, int]
    people: Mapping[str, int]
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole answer.

    Attributes:
        since: From when on the record was read.
        until: Up to when.
        version: Of the new rules.
        actions: How many were decided anew.
        changes: By kind of change, how many actions.
        kinds: The same, by kind of action.
        people: By kind of change, how many people.
        rows: What changes, most first; `unchanged` is not among them.
        others: Actions that change and stand in no row, since there were too many rows.
        lacking: Why something could not be told, and how often.
        load: What humans would be asked.
        load_then: What the record says they were asked.
        by_grant: Held actions that a grant let pass, so that nobody was asked.
        settings: Approval settings that differ: rule, setting, before, now.
        cut: Actions judged by what redaction left of them.
        fixed: Actions that no rule decided, such as calls of a tool whose definition had changed.
        asks_left_out: Asks beyond the limit: the load is at least what stands here.
        decide_us: Microseconds a decision takes, by the rules in force and by the new ones; None
            where that was not measured.
        findings: What other detectors would find; None where they were not tried.
        seconds: How long it all took.
    """

    since: datetime
    until: datetime
    version: str
    actions: int
    changes: Mapping[Change, int]
    kinds: Mapping[str, Mapping[str, int]]
    people: Mapping[Change, int]
    rows: tuple[Row, ...]
    others: int
    lacking: Mapping[str, int]
    load: Load
    load_then: Load
    by_grant: int
    settings: tuple[tuple[str, str, str, str], ...]
    cut: int
    fixed: int
    asks_left_out: int
    decide_us: tuple[float, float] | None
    seconds: float
    findings: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "since": timestamp(self.since),
            "until": timestamp(self.until),
            "rules": self.version,
            "actions": self.actions,
            "changes": {change.value: self.changes.get(change, 0) for change in Change},
            "kinds": {kind: dict(found) for kind, found in sorted(self.kinds.items())},
            "people": {change.value: count for change, count in self.people.items()},
            "rows": [_row_json(row) for row in self.rows],
            "others": self.others,
            "lacking": dict(self.lacking),
            "approvals": _load_json(self.load),
            "approvals_then": _load_json(self.load_then),
            "by_grant": self.by_grant,
            "settings": [
                dict(zip(("rule", "setting", "before", "now"), each, strict=True))
                for each in self.settings
            ],
            "redacted": self.cut,
            "not_by_rules": self.fixed,
            "asks_left_out": self.asks_left_out,
            "decide_us": (
                {"before": round(self.decide_us[0], 2), "now": round(self.decide_us[1], 2)}
                if self.decide_us
                else None
            ),
            "findings": self.findings,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }


def report_of(  # noqa: PLR0913 - what was asked, and what was counted
    tally: Tally,
    *,
    since: datetime,
    until: datetime,
    version: str,
    old: Sequence[Rule],
    new: Sequence[Rule],
    seconds: float,
) -> Report:
    """Put together what was counted."""
    changes: Counter[Change] = Counter()
    kinds: dict[str, dict[str, int]] = {}
    for (kind, change), count in tally.changes.items():
        changes[Change(change)] += count
        kinds.setdefault(kind, {})[str(change)] = count
    days = max((until - since) / timedelta(days=1), 1 / _HOURS)
    rows = sorted(
        (
            Row(
                change=Change(row[0]), kind=row[1], before=row[2], rule=row[3], principal=row[4],
                groups=row[5], what=row[6], count=seen.count, first=_time(seen.first),
                last=_time(seen.last), examples=tuple(seen.examples),
            )
            for row, seen in tally.rows.items()
        ),
        key=lambda row: (_ORDER.index(row.change), -row.count, row.principal, row.what),
    )  # fmt: skip
    lacking = dict(sorted(tally.lacking.items(), key=lambda each: -each[1])[:_LACKING])
    per = 1e6 / tally.timed if tally.timed else 0.0
    return Report(
        since=since,
        until=until,
        version=version,
        actions=sum(changes.values()),
        changes=changes,
        kinds=kinds,
        people={Change(change): len(people) for change, people in sorted(tally.people.items())},
        rows=tuple(rows),
        others=tally.others,
        lacking=lacking,
        load=_load(tally.asks, days),
        load_then=_load(tally.asked_then, days),
        by_grant=tally.by_grant,
        settings=tuple(settings_changed(old, new)),
        cut=tally.cut,
        fixed=tally.fixed,
        asks_left_out=tally.asks_left_out,
        decide_us=(tally.seconds[0] * per, tally.seconds[1] * per) if tally.timed else None,
        seconds=seconds,
    )


_ORDER = (Change.DENIED, Change.HELD, Change.ALLOWED, Change.UNKNOWN, Change.SAME)


def settings_changed(
    old: Sequence[Rule], new: Sequence[Rule]
) -> Iterable[tuple[str, str, str, str]]:
    """What rules of the same name ask of humans otherwise than before."""
    before = {rule.id: _said(rule.terms) for rule in old if rule.terms}
    for rule in new:
        if rule.id not in before or rule.terms is None:
            continue
        now = _said(rule.terms)
        for name, was in before[rule.id].items():
            if was != now[name]:
                yield rule.id, name, was, now[name]


def _said(terms: ApprovalTerms) -> dict[str, str]:
    return {
        "from": " or ".join(terms.from_groups),
        "count": str(terms.count),
        "wait": f"{terms.wait.total_seconds():g} s",
        "ttl": f"{terms.ttl.total_seconds():g} s",
        "reason": "required" if terms.reason_required else "optional",
        "grant": f"{terms.grant.total_seconds():g} s" if terms.grant else "none",
    }


def _load(asks: Iterable[Ask], days: float) -> Load:
    heard = once(asks)
    by_day: Counter[str] = Counter()
    hours = [0] * _HOURS
    groups: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    people: Counter[str] = Counter()
    for ask in heard:
        moment = _time(ask.ts)
        by_day[moment.date().isoformat()] += 1
        hours[moment.hour] += 1
        rules[ask.rule_id] += 1
        people[ask.principal] += 1
        for names, count in ask.terms:
            groups[" or ".join(names)] += count
    return Load(
        asks=len(heard),
        per_day=len(heard) / days,
        days=dict(sorted(by_day.items())),
        hours=tuple(hours),
        groups=dict(groups.most_common()),
        rules=dict(rules.most_common()),
        people=dict(people.most_common(_PEOPLE)),
        waiting=len(people),
    )


def _load_json(load: Load) -> dict[str, Any]:
    return {
        "asks": load.asks,
        "per_day": round(load.per_day, 2),
        "days": dict(load.days),
        "hours": list(load.hours),
        "groups": dict(load.groups),
        "rules": dict(load.rules),
        "people": dict(load.people),
        "waiting": load.waiting,
    }


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "change": row.change.value,
        "kind": row.kind,
        "before": row.before,
        "rule": row.rule,
        "principal": row.principal,
        "groups": list(row.groups),
        "what": row.what,
        "count": row.count,
        "first": timestamp(row.first),
        "last": timestamp(row.last),
        "examples": [{"flow_id": flow, "session_id": run or None} for flow, run in row.examples],
    }


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
