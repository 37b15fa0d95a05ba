"""`proctor backtest`: what other rules would have done with what is on record."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from proctor.cli.common import CONFIG, ConfigOption, OutputFormat, moment, render, visible
from proctor.config import load
from proctor.policy.backtestreport import Report
from proctor.policy.backtestrun import WORKERS, Job
from proctor.policy.backtestrun import backtest as run
from proctor.policy.backtestshown import COLUMNS, TABLE, markdown, rows_of, summary
from proctor.policy.expected import CHANGES, Expected, fail_on, read_expected
from proctor.runtime.features import features_of
from proctor.settings import Config
from proctor.yamlfile import read

_MAX_WORKERS = 16


class BacktestFormat(StrEnum):
    """How the report is shown."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def backtest(  # noqa: PLR0913 - its options
    rules: Annotated[
        Path, typer.Argument(metavar="RULES", help="The new rules: a folder, or one file.")
    ],
    *,
    since: Annotated[
        str, typer.Option("--since", help="How long ago, such as 7d, or a time in UTC.")
    ] = "7d",
    until: Annotated[
        str | None, typer.Option("--until", help="Up to when; as --since. Left out: now.")
    ] = None,
    new_config: Annotated[
        Path | None,
        typer.Option("--new-config", help="A changed proctor.yaml: its listeners and detectors."),
    ] = None,
    expect: Annotated[
        Path | None, typer.Option("--expect", help="A file that says what may change.")
    ] = None,
    fail: Annotated[
        str | None,
        typer.Option("--fail-on", help=f"Changes that are surprises: {', '.join(CHANGES)}."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Also write a page to look at, HTML.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=_MAX_WORKERS, help="Processes to use.")
    ] = WORKERS,
    config: ConfigOption = CONFIG,
    output: Annotated[
        BacktestFormat | None,
        typer.Option("--format", help="Left out: a table in a terminal, JSON elsewhere."),
    ] = None,
) -> None:
    """Show what other rules would have allowed, held and denied of what is on record.

    Nothing is changed and nobody is asked. What a rule needs and the record does not hold is not
    guessed: such actions are counted apart. With --new-config, detectors that differ look over the
    recorded texts, too. Exit status 0: done, and as expected. 1: something is a surprise, by
    --expect or --fail-on. Example:

        proctor backtest rules-new --since 7d --fail-on newly-denied,could-not-be-told
    """
    settings = load(config)
    changed = load(new_config) if new_config else settings
    expected = _expected(expect, fail)
    now = datetime.now(UTC)
    start, end = moment(since, "--since") or now, moment(until or None, "--until") or now
    if report and not os.access(report.parent, os.W_OK):
        raise _unwritable("there is no such folder, or nobody may write there")
    if start >= end:
        raise typer.BadParameter("the span is empty", param_hint="--since, --until")
    with folder_of(rules) as folder, _steps("deciding anew") as step:
        job = Job(
            recordings=settings.audit.path,
            rules=folder,
            now=settings.rules,
            features=features_of(changed),
            features_now=features_of(settings),
            since=start,
            until=end,
        )
        found = run(job, step, workers=workers)
    found = _with_findings(found, settings, changed, job, workers)
    surprises = expected.surprises(found) if expected else []
    if report:
        _write(report, found, surprises)
    _show(found, surprises, output, checked=expected is not None)
    raise typer.Exit(1 if surprises else 0)


@contextmanager
def folder_of(rules: Path) -> Iterator[Path]:
    """A folder of rules; a single file gets one of its own, for as long as it is needed."""
    if rules.is_dir():
        yield rules
    elif rules.is_file():
        with TemporaryDirectory(prefix="proctor-") as made:
            copyfile(rules, Path(made) / f"{rules.stem}.yaml")
            yield Path(made)
    else:
        raise typer.BadParameter(f"there is no folder or file {str(rules)!r}", param_hint="RULES")


def _expected(file: Path | None, words: str | None) -> Expected | None:
    if file and words is not None:
        raise typer.BadParameter("name one of the two", param_hint="--expect, --fail-on")
    if file:
        return read_expected(read(file))
    if words is None:
        return None
    try:
        return fail_on(words.split(","))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--fail-on") from None


def _with_findings(
    found: Report, settings: Config, changed: Config, job: Job, workers: int
) -> Report:
    if changed.redaction == settings.redaction:
        return found
    # Not at the top: it loads Presidio, which takes seconds.
    from dataclasses import replace  # noqa: PLC0415

    from proctor.policy.backtestfind import Search, find  # noqa: PLC0415

    search = Search(
        recordings=job.recordings,
        before=settings.redaction,
        now=changed.redaction,
        state=settings.state,
        since=job.since,
        until=job.until,
    )
    with _steps("looking anew") as step:
        return replace(found, findings=find(search, step, workers=workers))


@contextmanager
def _steps(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, where somebody looks at it."""
    from rich.console import Console  # noqa: PLC0415 - only where somebody looks
    from rich.progress import (  # noqa: PLC0415 - the same
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    quiet = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _write(path: Path, found: Report, surprises: list[str]) -> None:
    from proctor.console.backtestpage import standalone  # noqa: PLC0415 - only where asked for

    made = standalone(found, surprises).encode("utf-8", "backslashreplace")
    try:
        with open(path, "wb", opener=_private) as file:
            file.write(made)
    except OSError as error:
        raise _unwritable(error.strerror or type(error).__name__) from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)  # it says what people did


def _unwritable(why: str) -> typer.BadParameter:
    return typer.BadParameter(f"it cannot be written: {why}", param_hint="--report")


def _show(
    found: Report, surprises: list[str], output: BacktestFormat | None, *, checked: bool
) -> None:
    output = output or (BacktestFormat.TABLE if sys.stdout.isatty() else BacktestFormat.JSON)
    if output is BacktestFormat.JSON:
        said = {**found.as_json(), "surprises": surprises}
        typer.echo(json.dumps(said, indent=2))
        return
    if output is BacktestFormat.MARKDOWN:
        typer.echo(markdown(found, surprises, checked=checked), nl=False)
        return
    aside = output is BacktestFormat.CSV
    if found.rows or aside:
        render(rows_of(found), COLUMNS if aside else TABLE, OutputFormat(output.value))
    for line in summary(found):
        typer.echo(visible(line), err=aside)
    for line in surprises:
        typer.secho(visible(f"Surprise: {line}"), fg=typer.colors.RED, err=True)
