"""`proctor search`: who typed, said, called or was given back something, in its context."""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from proctor.audit.find import empty
from proctor.cli.common import CONFIG, ConfigOption, FormatOption, OutputFormat, moment, render
from proctor.cli.screen import plain, put, readable, screen
from proctor.config import load
from proctor.search.documents import Part
from proctor.search.finding import MAX_LIMIT, Filters, Result
from proctor.search.finding import search as look
from proctor.search.indexer import Indexer, Progress
from proctor.search.query import parse

COLUMNS = (
    "ts", "subject", "principal", "session_id", "flow_id", "part", "tool", "verdict", "entities",
    "text", "marks", "show",
)  # fmt: skip
PATIENCE = 5.0
"""Seconds for which what is new is indexed before one looks."""

_SHORT = 8
_BLANKS = re.compile(r"\s+")


def search(  # noqa: PLR0913 - one for each option
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT",
            help='Words, all of which are there; "words in a row"; begin*; !without.',
            show_default=False,
        ),
    ] = None,
    *,
    principal: Annotated[
        str | None, typer.Option(help="Only theirs: a subject, or issuer#subject.")
    ] = None,
    session: Annotated[
        str | None, typer.Option(help="Only in sessions whose name begins so.")
    ] = None,
    part: Annotated[Part | None, typer.Option("--in", help="Only where this stands.")] = None,
    tool: Annotated[
        str | None, typer.Option(help="Only what this tool was asked or gave back.")
    ] = None,
    verdict: Annotated[
        str | None, typer.Option(help="Only what was judged so: allow, hold or deny.")
    ] = None,
    entity: Annotated[
        str | None, typer.Option(help="Only where this was found: EMAIL_ADDRESS.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only from then on: 24h, 7d, or 2026-01-31T08:00.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only before: the same.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="At most so many.")] = 20,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the index anew from the record first.")
    ] = False,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    r"""Search what was typed, said, asked of tools, given back by them, and asked in SQL.

    The newest comes first, each with the words around it and how to see the whole. Case and accents
    make no difference. A name like max_tokens or src/app.py is words in a row.

    Example: proctor search '"connection refused" orders* !test' --in result --since 7d
    """
    query = parse(text) if text is not None else None
    if query is None and not rebuild:
        raise typer.BadParameter("say what to look for", param_hint="TEXT")
    filters = Filters(
        principal=principal,
        session=session,
        part=part,
        tool=tool,
        verdict=_verdict(verdict),
        entity=entity,
        since=moment(since, "--since"),
        until=moment(until, "--until"),
    )
    recordings = load(config).audit.path
    if not (recordings / "store.json").exists():
        raise empty()
    late = _indexed(recordings, rebuild=rebuild)
    if query is None:
        return
    found = look(recordings, query, filters, limit=limit)
    if output is None:
        output = OutputFormat.TABLE if sys.stdout.isatty() else OutputFormat.JSON
    if output is OutputFormat.TABLE:
        _show(found, sys.stdout)
    else:
        render(map(_row, found), COLUMNS, output)
    if not found:
        typer.echo("Nothing of the kind is on record.", err=True)
    if late:
        typer.echo(late, err=True)


def _indexed(recordings: Path, *, rebuild: bool) -> str:
    """Index what is new; returns what there is to say if it was too much for now."""
    indexer = Indexer(recordings)
    if rebuild:
        _watched(indexer.rebuild)
        return ""
    end = time.monotonic() + PATIENCE
    done = indexer.step()
    while done.more and not done.busy and time.monotonic() < end:
        done = indexer.step()
    if done.busy:
        return "The newest may be missing: another process is indexing it just now."
    if done.more:
        return (
            "The newest is missing: not all of the record is indexed yet."
            " A running gateway does it in the background; `proctor search --rebuild` does it now."
        )
    return ""


def _watched(work: Callable[[Callable[[Progress], None]], None]) -> None:
    from rich.progress import Progress as Bar  # noqa: PLC0415 - only here
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    console = Console(stderr=True)
    with Bar(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console,
        disable=not console.is_terminal, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("indexing")
        total = [0, 0]

        def told(done: Progress) -> None:
            total[0] += done.records
            total[1] += done.texts
            bar.update(task, description=f"indexed {total[1]:,} texts of {total[0]:,} records")

        work(told)
    typer.echo(f"Indexed {total[1]:,} texts of {total[0]:,} records.", err=True)


def _verdict(text: str | None) -> str | None:
    if text is not None and text not in {"allow", "hold", "deny"}:
        raise typer.BadParameter("expected allow, hold or deny", param_hint="--verdict")
    return text


def _row(result: Result) -> dict[str, Any]:
    hit, snippet = result.hit, result.snippet
    return {
        "ts": hit.ts,
        "subject": hit.subject or None,
        "principal": hit.principal or None,
        "session_id": hit.session_id or None,
        "flow_id": hit.flow_id,
        "part": hit.part.value,
        "tool": hit.tool or None,
        "verdict": hit.verdict or None,
        "entities": list(hit.entities),
        "text": snippet.text,
        "marks": [list(mark) for mark in snippet.marks],
        "show": f"proctor show {hit.flow_id}",
    }


def _show(found: list[Result], stream: IO[str]) -> None:
    console = screen(stream)
    for result in found:
        put(console, _head(result))
        put(console, _context(result))
        put(console, Text(f"  proctor show {readable(result.hit.flow_id)}\n", style="dim"))


def _head(result: Result) -> Text:
    hit = result.hit
    line = plain(f"{hit.ts:%Y-%m-%d %H:%M:%S} ", "dim")
    line.append_text(plain(hit.subject or "nobody proved", "bold"))
    line.append_text(plain(f" {hit.part.value}", "cyan"))
    if hit.tool:
        line.append_text(plain(f" {_one_line(hit.tool)[:60]}"))
    if hit.verdict and hit.verdict != "allow":
        line.append_text(plain(f" {hit.verdict}", "bold red"))
    if hit.session_id:
        line.append_text(plain(f" session {_one_line(hit.session_id)[:_SHORT]}", "dim"))
    if hit.entities:
        line.append_text(plain(f" {' '.join(hit.entities)[:80]}", "yellow"))
    return line


def _context(result: Result) -> Text:
    snippet = result.snippet
    line = Text("  … " if snippet.before else "  ")
    for piece, marked in snippet.pieces():
        line.append_text(plain(_BLANKS.sub(" ", piece), "bold yellow" if marked else ""))
    line.append(" …" if snippet.after else "")
    return line


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", text)
