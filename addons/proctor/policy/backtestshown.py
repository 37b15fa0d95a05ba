"""A backtest's report in words: for a terminal, and as Markdown for a pull request."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from proctor.policy.backtest import Change
from proctor.policy.backtestreport import Load, Report
from proctor.units import format_size

COLUMNS: Final = (
    "change", "kind", "what", "principal", "groups", "before", "rule", "count", "first", "last",
    "examples",
)  # fmt: skip

TABLE: Final = ("change", "what", "who", "before", "rule", "count")
"""Of these, what has room in a terminal; `who` is the principal without its issuer."""

_FOUND: Final = 20
ROWS: Final = 50
"""Rows that Markdown shows; a comment on GitHub has at most 65,536 characters."""

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&@:/])")
_NAMES: Final = {
    Change.DENIED: "newly denied",
    Change.HELD: "newly held",
    Change.ALLOWED: "newly allowed",
    Change.UNKNOWN: "could not be told",
    Change.SAME: "unchanged",
}


def rows_of(report: Report) -> Iterator[Mapping[str, object]]:
    """The report's rows, for a list."""
    for row in report.rows:
        yield {
            "change": row.change.value,
            "kind": row.kind,
            "what": row.what,
            "principal": row.principal,
            "who": row.principal.rpartition("#")[2],
            "groups": ", ".join(row.groups),
            "before": row.before,
            "rule": row.rule,
            "count": row.count,
            "first": row.first,
            "last": row.last,
            "examples": " ".join(flow_id for flow_id, _ in row.examples),
        }


def summary(report: Report) -> list[str]:
    """What there is to know beside the rows, a sentence each."""
    said = [f"{report.actions:,} recorded actions were decided anew in {report.seconds:.1f} s."]
    for change, name in _NAMES.items():
        count = report.changes.get(change, 0)
        if count or change is not Change.UNKNOWN:
            people = report.people.get(change, 0)
            whose = f" ({people} {'person' if people == 1 else 'people'})" if people else ""
            said.append(f"{name.capitalize()}: {count:,}{whose}.")
    said.append(_asked("Approvals", report.load, report.load_then))
    if report.load.groups:
        asked = ", ".join(f"{group}: {count:,}" for group, count in report.load.groups.items())
        said.append(f"Decisions asked of {asked}.")
    said += [
        f"Approval of {rule}: {name} was {before}, is {now}."
        for rule, name, before, now in report.settings
    ]
    if report.by_grant:
        said.append(f"A grant let {report.by_grant:,} held actions pass, so nobody is asked.")
    said += [f"Not told, {count:,} times: {why}." for why, count in report.lacking.items()]
    if report.cut:
        said.append(f"{report.cut:,} actions were judged by what redaction left of them.")
    if report.fixed:
        said.append(f"{report.fixed:,} actions were not decided by a rule, and stay as they were.")
    if report.others:
        said.append(f"{report.others:,} changed actions more have no row of their own.")
    if report.asks_left_out:
        said.append("More approvals than could be counted: the load is at least this.")
    if report.decide_us:
        before, now = report.decide_us
        said.append(
            f"A decision takes {now:.0f} µs, before {before:.0f} µs:"
            f" {(now - before) / 1000:+.3f} ms an action."
        )
    return [*said, *_found(report), *report.notes]


def _found(report: Report) -> Iterator[str]:
    """What other detectors would find."""
    found = report.findings
    if found is None:
        return
    part = "" if found["parts"] == found["of_parts"] else ", the youngest part of the record alone"
    yield f"Looked anew at {found['texts']:,} texts, {format_size(found['bytes'])}{part}."
    for row in found["rows"][:_FOUND]:
        yield (
            f"Newly found: {row['type']} in {row['where']} of {row['principal']},"
            f" {row['count']:,} times, such as {', '.join(row['looks_like'])} ({row['detector']})."
        )
    for kind, count in found["no_longer_found"].items():
        yield f"No longer found: {kind}, {count:,} times."
    if found["failed"]:
        yield f"{found['failed']:,} texts could not be looked at whole."
    took = found["ms_a_text"]
    yield f"A text takes {took['now']:.2f} ms to look at, before {took['before']:.2f} ms."


def _asked(name: str, now: Load, then: Load) -> str:
    return (
        f"{name}: {now.per_day:.1f} a day, {then.per_day:.1f} before;"
        f" {now.waiting} {'person waits' if now.waiting == 1 else 'people wait'}."
    )


def markdown(report: Report, surprises: Sequence[str], *, checked: bool) -> str:
    """A summary as GitHub shows it; nothing in it is read as Markdown or names anybody.

    Args:
        report: The report.
        surprises: What was not expected.
        checked: Somebody said what is expected.
    """
    lines = ["## What these rules would have done", ""]
    if checked:
        lines += [
            f"**{len(surprises)} surprises**" if surprises else "**As expected**",
            "",
            *(f"- {_safe(each)}" for each in surprises[:ROWS]),
            "",
        ]
    lines += [f"- {_safe(each)}" for each in summary(report)]
    if report.rows:
        lines += ["", *_table(report)]
    if len(report.rows) > ROWS:
        lines += ["", f"{len(report.rows) - ROWS} rows more: see the job's own output."]
    return "\n".join(lines) + "\n"


def _table(report: Report) -> Iterator[str]:
    yield "| change | action | who | rule before | rule now | times | example |"
    yield "|---|---|---|---|---|---:|---|"
    for row in report.rows[:ROWS]:
        cells: Iterable[str] = (
            _NAMES[row.change], f"{row.kind} {row.what}", row.principal.rpartition("#")[2],
            row.before, row.rule, f"{row.count}", row.examples[0][0] if row.examples else "",
        )  # fmt: skip
        yield f"| {' | '.join(map(_safe, cells))} |"


def _safe(text: str) -> str:
    """Text of others: on one line, and no Markdown, HTML, link or mention in it."""
    plain = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return _SPECIAL.sub(_entity, plain[:300])


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"
