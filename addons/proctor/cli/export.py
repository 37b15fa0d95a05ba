"""`proctor export`: the record, or a part of it, for others."""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer

from proctor.audit.reader import Reader
from proctor.audit.store import Store, sync_folder
from proctor.cli.common import CONFIG, ConfigOption, moment, user, visible
from proctor.cli.onrecord import put_on_record
from proctor.config import load
from proctor.errors import ClientError
from proctor.evidence.copied import key_at_hand
from proctor.export import parquet
from proctor.export.events import VIEWS
from proctor.export.files import Draft, unwritable
from proctor.export.oneoff import Form, Profile, Work, chosen, named
from proctor.export.records import Choice, known, plan, reading
from proctor.record import timestamp
from proctor.settings import Config
from proctor.units import plural


class ViewName(StrEnum):
    """Which view."""

    ALL = "all"
    FLOWS = "flows"
    SESSIONS = "sessions"
    TURNS = "turns"
    TOOL_CALLS = "tool_calls"
    STATEMENTS = "statements"
    FINDINGS = "findings"
    DECISIONS = "decisions"
    APPROVALS = "approvals"
    EVENTS = "events"


def export(  # noqa: PLR0913 - one for each option
    *,
    form: Annotated[Form, typer.Option("--format", help="What to make.")] = Form.NDJSON,
    output: Annotated[
        str,
        typer.Option(
            help="A file; for parquet a folder that is not there yet; `-` for standard output."
        ),
    ] = "-",
    view: Annotated[
        list[ViewName] | None,
        typer.Option(help="Only these, of ndjson and parquet; may be given more than once."),
    ] = None,
    profile: Annotated[Profile, typer.Option(help="How a line of ndjson looks.")] = Profile.PROCTOR,
    session: Annotated[
        str | None, typer.Option(help="Only of sessions whose name begins so.")
    ] = None,
    principal: Annotated[
        str | None, typer.Option(help="Only theirs: a subject, or issuer#subject.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Recorded from then on: 7d ago, or 2026-11-22T14:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Recorded before; as --since.")] = None,
    content: Annotated[
        bool,
        typer.Option(
            "--content",
            help="Also what was typed and answered, in ndjson and otlp; the other"
            " formats always have it.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            help="Instead of all that: a folder, or a .tar.zst, that opens and verifies on another"
            " machine.",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Write the record, or a part of it, for others: redacted, as it is kept.

    What is exported, and by whom, is itself put on record first; what cannot be put on record is
    not exported. A file is there whole or not at all, and only its owner may read it.

    \b
    proctor export --since 1d --output records.ndjson
    proctor export --format parquet --view flows --view decisions --output week/
    proctor export --format mitm --session 4f0c2c4e --output bug.mitm
    proctor export --format har --principal alice --output alice.har
    proctor export --profile ocsf --view tool_calls | gzip > tools.gz
    proctor export --bundle case-17.tar.zst --session 4f0c2c4e
    """  # noqa: D301 - \b keeps typer from joining the lines
    wanted = _views(form, view or [])
    if content and form not in {Form.NDJSON, Form.OTLP}:
        raise typer.BadParameter(f"{form.value} always has content", param_hint="--content")
    if profile is not Profile.PROCTOR and form is not Form.NDJSON:
        raise typer.BadParameter("for ndjson only", param_hint="--profile")
    if form is Form.MITM and output == "-" and sys.stdout.isatty():
        # Bodies stand in it as they are, with whatever a terminal would obey.
        raise typer.BadParameter("a file, for mitm in a terminal", param_hint="--output")
    settings = load(config)
    choice = Choice(
        session=session,
        principal=principal,
        since=moment(since, "--since"),
        until=moment(until, "--until"),
    )
    if bundle is not None:
        if form is not Form.NDJSON or output != "-" or view or content or force:
            raise typer.BadParameter(
                "goes with --session, --principal, --since and --until alone",
                param_hint="--bundle",
            )
        _bundle(settings, choice, bundle)
        return
    told: dict[str, object] = {
        "by": user(),
        "format": form.value,
        "views": wanted,
        "content": content or form not in {Form.NDJSON, Form.OTLP},
        "session": session,
        "principal": principal,
        "since": timestamp(choice.since) if choice.since else None,
        "until": timestamp(choice.until) if choice.until else None,
        "to": "standard output" if output == "-" else str(Path(output).absolute()),
    }
    with reading(settings.audit.path) as reader:
        known(reader, choice)
        if form is Form.PARQUET:
            rows = _parquet(settings, reader, choice, wanted, Path(output), told)
        else:
            work = Work(
                reader=reader,
                store=Store.at(settings.audit.path).id(),
                form=form,
                profile=profile,
                views=frozenset(wanted),
                content=content,
            )
            rows = _one(settings, work, chosen(choice, form), output, told, force=force)
    if output != "-":
        typer.echo(f"{rows} rows in {visible(output)}", err=True)


def _one(  # noqa: PLR0913 - what the command was given
    settings: Config,
    work: Work,
    choice: Choice,
    output: str,
    told: Mapping[str, object],
    *,
    force: bool,
) -> int:
    planned = plan(work.reader, choice)
    with _steps(planned.records) as count:
        if output == "-":
            # What was written cannot be taken back, so it is on record before it is.
            put_on_record(settings, "export", {**told, "records": planned.records, "rows": None})
            return work.write(planned, sys.stdout.buffer, count)
        draft = Draft(Path(output), force=force)
        with draft.open() as file:
            try:
                rows = work.write(planned, file, count)
            except OSError as error:
                raise unwritable(Path(output), error) from None
            put_on_record(settings, "export", {**told, "records": planned.records, "rows": rows})
            draft.publish(file)
    return rows


def _parquet(  # noqa: PLR0913, PLR0917 - what the command was given
    settings: Config,
    reader: Reader,
    choice: Choice,
    wanted: list[str],
    folder: Path,
    told: Mapping[str, object],
) -> int:
    if str(folder) == "-":
        raise typer.BadParameter("a folder, for parquet", param_hint="--output")
    if folder.exists():
        raise ClientError(
            "output-exists",
            "There is such a folder already",
            got=str(folder),
            hint="Name another: files of two exports are not mixed.",
        )
    try:
        draft = Path(
            mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.absolute().parent)
        )
    except OSError as error:
        raise unwritable(folder, error) from None
    rows = dict.fromkeys(wanted, 0)
    try:
        with _steps(len(wanted)) as count:
            for view in wanted:
                path = named(draft, view)
                with Draft(path).open() as file:
                    for written in parquet.write(reader, view, choice, file):
                        rows[view] += written
                    Draft(path).publish(file)
                count()
        put_on_record(settings, "export", {**told, "records": None, "rows": rows})
        draft.rename(folder)
        sync_folder(folder.absolute().parent)
    except OSError as error:
        raise unwritable(folder, error) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return sum(rows.values())


def _bundle(settings: Config, choice: Choice, target: Path) -> None:
    from proctor.export.bundle import write_bundle  # noqa: PLC0415 - the other forms need it not

    told: dict[str, object] = {
        "by": user(),
        "format": "bundle",
        "session": choice.session,
        "principal": choice.principal,
        "since": timestamp(choice.since) if choice.since else None,
        "until": timestamp(choice.until) if choice.until else None,
        "to": str(target.absolute()),
    }
    made = write_bundle(
        settings.audit.path,
        target,
        choice,
        datetime.now(UTC).timestamp(),
        key=key_at_hand(settings.state),
        put_on_record=lambda more: put_on_record(settings, "export", {**told, **more}),
    )
    left_out = f", {plural(made.left_out, 'other')} by hash alone" if made.left_out else ""
    said = f"{plural(made.records, 'record')} in {visible(str(target))}{left_out}"
    typer.echo(said, err=True)


def _views(form: Form, given: list[ViewName]) -> list[str]:
    """Those that are meant, in the order of the views."""
    known = parquet.VIEWS if form is Form.PARQUET else VIEWS
    if given and form not in {Form.NDJSON, Form.PARQUET}:
        raise typer.BadParameter("for ndjson and parquet only", param_hint="--view")
    asked = {each.value for each in given}
    if not asked or "all" in asked:
        return list(known)
    if strange := sorted(asked.difference(known)):
        raise typer.BadParameter(
            f"{', '.join(strange)} is made of many records: take --format parquet",
            param_hint="--view",
        )
    return [name for name in known if name in asked]


@contextmanager
def _steps(total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error, where somebody looks at it; what it yields moves it on."""
    from rich.console import Console  # noqa: PLC0415 - a hundred ms that a pipe does without
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("exporting"), BarColumn(), MofNCompleteColumn())
    quiet = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)
