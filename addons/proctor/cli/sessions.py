"""`proctor sessions`: who had a session, when, and how much of it there was."""

import sys
from datetime import UTC, datetime, timedelta
from typing import IO, Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from proctor.audit import find
from proctor.audit.reader import opened
from proctor.cli.common import (
    CONFIG,
    AuditOption,
    ConfigOption,
    FormatOption,
    OutputFormat,
    render,
)
from proctor.cli.screen import plain, put, screen, span
from proctor.config import load
from proctor.settings import Config
from proctor.units import parse_duration

COLUMNS = (
    "session_id", "subject", "principal", "client", "started_at", "ended_at", "duration", "turns",
    "tool_calls", "statements", "outside", "denied", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_write_tokens",
)  # fmt: skip
_NAMES = ("session", "who", "client", "started (UTC)")
_FIGURES = ("took", "turns", "tools", "sql", "outside", "refused", "in", "cached", "out")
_LESS = frozenset({"client", "outside", "cached"})
"""Left out of a narrow terminal."""
_NARROW = 106
_SHORTEST = 8


def sessions(  # noqa: PLR0913 - one for each option
    *,
    principal: Annotated[
        str | None, typer.Option(help="Only theirs: a subject, or issuer#subject.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only those that went on after this long ago: 24h, 7d.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    audit: AuditOption = None,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """List sessions from the record, the newest first.

    A session is one run of an agent, as its client names it, under one principal. `proctor show`
    takes the beginning of a session's name.
    """
    after = _ago(since)
    if audit is None:
        settings = load(config)
        audit, nothing = settings.audit.path, _nothing(settings)
    else:
        nothing = _narrowed()
    with opened(audit) as reader:
        found = (
            find.sessions(reader, principal=principal, since=after, limit=limit) if reader else ()
        )
        rows = [
            {**row, "duration": (row["ended_at"] - row["started_at"]).total_seconds()}
            for row in found
        ]
    if output is None:
        output = OutputFormat.TABLE if sys.stdout.isatty() else OutputFormat.JSON
    if output is OutputFormat.TABLE and rows:
        _table(rows, sys.stdout)
    elif output is not OutputFormat.TABLE:
        render(rows, COLUMNS, output)
    if not rows:
        narrowed = principal is not None or since is not None
        typer.echo(_narrowed() if narrowed else nothing, err=True)


def _ago(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.now(UTC) - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"expected {error}", param_hint="--since") from None


def _nothing(settings: Config) -> str:
    listens = next((str(each.listen) for each in settings.listeners), "127.0.0.1:8080")
    return (
        "No session is on record yet. Start `proctor run`, and point a client at it:"
        f" ANTHROPIC_BASE_URL=http://{listens}"
    )


def _narrowed() -> str:
    return "No such session is on record; leave out --principal and --since to see all."


def _table(rows: list[dict[str, Any]], stream: IO[str]) -> None:
    console = screen(stream)
    left_out = _LESS if console.width < _NARROW else frozenset[str]()
    if not any(row["statements"] for row in rows):
        left_out |= {"sql"}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for head in (*_NAMES, *_FIGURES):
        if head not in left_out:
            table.add_column(
                head,
                justify="right" if head in _FIGURES else "left",
                no_wrap=head not in {"who", "client"},
                overflow="fold",
            )
    short = _shortened([row["session_id"] for row in rows])
    for row in rows:
        cells = _cells(row, short[row["session_id"]])
        table.add_row(*(cell for head, cell in cells.items() if head not in left_out))
    put(console, table)


def _cells(row: dict[str, Any], name: str) -> dict[str, Text]:
    denied: int = row["denied"]
    return {
        "session": plain(name, "cyan"),
        "who": plain(row["subject"] or ""),
        "client": plain(row["client"] or "", "dim"),
        "started (UTC)": plain(f"{row['started_at']:%Y-%m-%d %H:%M}"),
        "took": plain(span(max(0.0, row["duration"]))),
        "turns": plain(f"{row['turns']:,}"),
        "tools": plain(f"{row['tool_calls']:,}"),
        "sql": plain(f"{row['statements']:,}"),
        "outside": plain(f"{row['outside']:,}"),
        "refused": plain(f"{denied:,}", "bold red" if denied else "dim"),
        "in": plain(_rounded(row["input_tokens"] or 0)),
        "cached": plain(_rounded(row["cache_read_tokens"] or 0), "dim"),
        "out": plain(_rounded(row["output_tokens"] or 0)),
    }


def _rounded(count: int) -> str:
    """`999`, `18.3k`, `2.1M`."""
    for size, sign in ((10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.1f}{sign}"
    return str(count)


def _shortened(names: list[str]) -> dict[str, str]:
    """The beginning of each name that no other one here has, at least eight characters."""
    different = sorted(set(names))
    short = {}
    for index, name in enumerate(different):
        beside = different[max(0, index - 1) : index] + different[index + 1 : index + 2]
        longest = max((_common(name, other) for other in beside), default=0)
        short[name] = name[: max(_SHORTEST, longest + 1)]
    return short


def _common(one: str, other: str) -> int:
    return next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
