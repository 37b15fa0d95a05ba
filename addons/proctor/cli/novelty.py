"""`proctor novelty`: what is usual at databases, and for whom."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from proctor.audit.reader import opened
from proctor.cli.common import CONFIG, ConfigOption, FormatOption, render, visible
from proctor.config import load
from proctor.novelty.file import NAME, NoveltyFile
from proctor.novelty.rebuilding import rebuild as made
from proctor.settings import Config

COLUMNS = ("person", "database", "kind", "name", "count", "usual_rows", "most_rows", "last")
PersonArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[PRINCIPAL]",
        help="issuer#subject, or a person as `list` shows it; left out, everybody.",
        show_default=False,
    ),
]

novelty = typer.Typer(
    help="What is usual at databases, and for whom.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@novelty.command("list")
def list_(
    person: PersonArgument = None,
    *,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """List what is known: fingerprints of statements, tables read and written, hours, days.

    Hours are of the week, in UTC: 0 is Monday's first.

    \b
    proctor novelty list
    proctor novelty list "https://idp.example#alice" --format csv
    """  # noqa: D301 - \b keeps typer from joining the lines
    with _file(load(config)) as file:
        found = file.people(person)
    rows = [
        {
            "person": each["person"],
            "database": each["place"],
            "kind": each["kind"],
            "name": each["name"],
            "count": each["usual"].count,
            "usual_rows": round(each["usual"].usual, 1),
            "most_rows": each["usual"].most,
            "last": datetime.fromtimestamp(each["usual"].last, UTC),
        }
        for each in found
    ]
    render(rows, COLUMNS, output)
    if not rows:
        typer.echo("Nothing is known yet.", err=True)


@novelty.command()
def forget(
    person: Annotated[
        str, typer.Argument(metavar="PRINCIPAL", help="issuer#subject, or a person.")
    ],
    *,
    config: ConfigOption = CONFIG,
) -> None:
    """Forget what is usual for somebody; connections that are open remember up to 30 seconds.

    \b
    proctor novelty forget "https://idp.example#alice"
    """  # noqa: D301 - as above
    with _file(load(config)) as file:
        gone = file.forget(person)
    if not gone:
        typer.echo(f"Nothing is known of {visible(person)}.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Forgot {gone} entries of {visible(person)}.")


@novelty.command()
def rebuild(*, config: ConfigOption = CONFIG) -> None:
    """Make what is usual anew from the record, as far back as `novelty.keep` says.

    \b
    proctor novelty rebuild --config proctor.yaml
    """  # noqa: D301 - as above
    from rich.console import Console  # noqa: PLC0415 - the others do without

    found = load(config)
    with (
        _file(found) as file,
        opened(found.audit.path) as reader,
        Console(stderr=True).status("Reading the record …") as shown,
    ):
        count = 0
        if reader is not None:
            count = made(
                reader,
                file,
                found.novelty,
                now=datetime.now(UTC),
                told=lambda done: shown.update(f"{done:,} statements"),
            )
    typer.echo(f"Learned from {count} statements.")


@contextlib.contextmanager
def _file(config: Config) -> Iterator[NoveltyFile]:
    with contextlib.closing(NoveltyFile(config.state / NAME, config.novelty)) as file:
        yield file
