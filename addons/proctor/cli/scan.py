"""`proctor scan`: what would be found in files."""

import json
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from proctor.cli.common import CONFIG, ConfigOption, OutputFormat, render
from proctor.cli.screen import plain, put, screen, several
from proctor.config import load
from proctor.errors import ProctorError
from proctor.redaction.assembly import canaries_of, load_detector
from proctor.redaction.compiled import COMPILED
from proctor.redaction.filescan import FileScanner, Hit
from proctor.redaction.model import SECRETS
from proctor.redaction.sarif import sarif
from proctor.redaction.settings import RedactionSettings
from proctor.redaction.surrogates import masked
from proctor.units import format_size

COLUMNS = (
    "file", "line", "column", "end_line", "end_column", "type", "detector", "score", "location",
    "text",
)  # fmt: skip
STDIN = "-"
_SKIPPED_FOLDERS = frozenset({".git"})


class ScanFormat(StrEnum):
    """How findings are shown."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    SARIF = "sarif"


@dataclass(slots=True)
class _Report:
    """What came of it all.

    Attributes:
        found: Files by name, with what was found in them.
        missed: Files that were not looked at whole, and why.
        binary: Files without text.
        files: How many were looked at.
        size: Their bytes.
    """

    found: list[tuple[str, Hit]] = field(default_factory=list)
    missed: dict[str, str] = field(default_factory=dict)
    binary: list[str] = field(default_factory=list)
    files: int = 0
    size: int = 0


def scan(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Files, folders with all that is below them, or - for standard input.",
            show_default=False,
        ),
    ],
    *,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="Also what was found; else it is masked.")
    ] = False,
    config: ConfigOption = CONFIG,
    output: Annotated[
        ScanFormat | None,
        typer.Option("--format", help="Left out: a table in a terminal, JSON elsewhere."),
    ] = None,
) -> None:
    """Show what would be found in files, and changed nowhere.

    Looks for what `redaction` in proctor.yaml says and for the canaries of the installation, or for
    the default set where there is no proctor.yaml. A file is read by its ending (.json, .jsonl,
    .csv, .tsv, .xml, .html), others by what is in them; binary files are left out, and so are links
    and folders named .git.
    Exit status 0: nothing found. 1: something found, or not looked at whole.
    """
    paths = list(_files(files))
    settings, cache, canaries = _settings(config)
    detector = load_detector(settings, cache=cache, canaries=canaries)
    scanner = FileScanner(detector, settings)
    report = _Report()
    with _steps(len(paths)) as step:
        for name, path in paths:
            _look(scanner, name, path, settings.max_size, report)
            step()
    output = output or (ScanFormat.TABLE if sys.stdout.isatty() else ScanFormat.JSON)
    _show(report, output, show_values=show_values)
    _tell(report)
    raise typer.Exit(1 if report.found or report.missed else 0)


def _settings(config: Path) -> tuple[RedactionSettings, Path, tuple[Path, bytes] | None]:
    """What to look for, where compiled rules are kept, and the canaries."""
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "proctor"
    if config == CONFIG and not config.exists():
        return RedactionSettings(), own, None
    loaded = load(config)
    state = loaded.state / COMPILED if os.access(loaded.state, os.W_OK) else own
    return loaded.redaction, loaded.redaction.cache or state, canaries_of(loaded.state)


def _files(names: Sequence[str]) -> Iterator[tuple[str, Path | None]]:
    """Files with their names; None for standard input."""
    for name in names:
        path = Path(name)
        if name == STDIN:
            yield "stdin", None
        elif path.is_dir():
            yield from _below(path)
        elif path.is_file():
            yield name, path
        else:
            raise typer.BadParameter(f"there is no file {name!r}", param_hint="FILE")


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    def failed(error: OSError) -> None:
        raise typer.BadParameter(
            f"{error.filename!r} cannot be read: {error.strerror}", param_hint="FILE"
        )

    for where, folders, files in folder.walk(on_error=failed):
        folders[:] = sorted(set(folders) - _SKIPPED_FOLDERS)
        for file in sorted(files):
            path = where / file
            if stat.S_ISREG(path.lstat().st_mode):
                yield str(path), path


def _look(scanner: FileScanner, name: str, path: Path | None, most: int, report: _Report) -> None:
    try:
        if path is None:
            body = sys.stdin.buffer.read(most + 1)
        else:
            with path.open("rb") as file:
                body = file.read(most + 1)
    except OSError as error:
        report.missed[name] = error.strerror or type(error).__name__
        return
    if len(body) > most:
        report.missed[name] = f"larger than redaction.max_size, {format_size(most)}"
        return
    try:
        scanned = scanner.scan(name, body)
    except ProctorError as error:
        report.missed[name] = f"{error} [{error.code}]"
        return
    report.found += [(name, hit) for hit in scanned.hits]
    skipped = sum(each.size for each in scanned.skipped)
    if body and skipped >= len(body):
        report.binary.append(name)
        return
    report.files += 1
    report.size += len(body) - skipped


@contextmanager
def _steps(total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, where somebody looks at it; what it yields moves it on."""
    console = Console(stderr=True)
    columns = (TextColumn("looking at files"), BarColumn(), MofNCompleteColumn())
    quiet = not console.is_terminal or total == 1
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)


def _show(report: _Report, output: ScanFormat, *, show_values: bool) -> None:
    if output is ScanFormat.SARIF:
        json.dump(sarif(report.found, report.missed), sys.stdout, indent=2)
        sys.stdout.write("\n")
    elif output is ScanFormat.TABLE:
        if report.found:
            _table(report.found, show_values=show_values)
    else:
        columns = (*COLUMNS, "value") if show_values else COLUMNS
        rows = [_row(name, hit) for name, hit in report.found]
        render(rows, columns, OutputFormat(output.value))


def _row(name: str, hit: Hit) -> dict[str, object]:
    shown = {column: getattr(hit, column) for column in COLUMNS if column not in {"file", "text"}}
    text = f"{hit.before}{masked(hit.type)}{hit.after}"
    return {"file": name, **shown, "score": round(hit.score, 2), "text": text, "value": hit.value}


def _table(found: Sequence[tuple[str, Hit]], *, show_values: bool) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("place", overflow="fold")
    table.add_column("type", no_wrap=True)
    table.add_column("detector", overflow="fold")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("text", overflow="fold", ratio=1)
    for name, hit in found:
        style = "bold red" if hit.type in SECRETS else "bold yellow"
        shown = hit.value if show_values else masked(hit.type)
        text = Text.assemble(plain(hit.before, "dim"), plain(shown, style), plain(hit.after, "dim"))
        table.add_row(
            plain(f"{name}:{hit.line}:{hit.column}", "cyan"),
            plain(hit.type, style),
            plain(hit.detector),
            f"{hit.score:.2f}",
            text,
        )
    put(screen(sys.stdout), table)


def _tell(report: _Report) -> None:
    """What a person wants to know besides, on standard error."""
    said = plain(
        f"Looked at {several(report.files, 'file')}, {format_size(report.size)}:"
        f" {several(len(report.found), 'finding')}."
    )
    if report.binary:
        said.append(f" Left out {several(len(report.binary), 'binary file')}.")
    console = screen(sys.stderr)
    put(console, said)
    for name in report.binary:
        put(console, plain(f"binary: {name}", "dim"))
    for name, why in report.missed.items():
        put(console, plain(f"not looked at whole: {name}: {why}", "red"))
