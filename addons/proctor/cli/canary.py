"""`proctor canary`: values that open nothing, planted to be stolen."""

import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from proctor.canary.file import MOST, NAME, Canary, read, write
from proctor.canary.making import KINDS
from proctor.canary.marks import Marker
from proctor.cli.common import CONFIG, ConfigOption, FormatOption, render
from proctor.config import load
from proctor.redaction.keys import load_keys

COLUMNS = ("id", "kind", "note", "principal", "place", "created")

canary = typer.Typer(
    help="Values that open nothing, planted to be stolen.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Kind = StrEnum("Kind", [(name, name) for name in KINDS])  # type: ignore[misc]  # made of a table

_TEXT = Kind("text")


@canary.command()
def new(
    *,
    kind: Annotated[Kind, typer.Option(help="What it looks like.")] = _TEXT,
    note: Annotated[str, typer.Option(help="What it is, for whoever reads the alarm.")] = "",
    principal: Annotated[
        str, typer.Option("--for", help="Whose agent may come across it, as issuer#subject.")
    ] = "",
    place: Annotated[str, typer.Option(help="Where you put it, such as a path or a table.")] = "",
    config: ConfigOption = CONFIG,
) -> None:
    """Make a canary and print it, this once: only digests of it are kept.

    Put it where no honest work needs it. Wherever it turns up afterwards, in any spelling, it is
    found as CANARY, and the event `canary.seen` says where it was planted and who had it.

    \b
    proctor canary new --kind aws --place /home/dev/app/.env.old --note "old deploy key"
    """  # noqa: D301 - \b keeps typer from joining the lines
    state = load(config).state
    keys = load_keys(state)
    canaries = read(state / NAME)
    if len(canaries) >= MOST:
        raise typer.BadParameter(f"there are {MOST} already; remove one first")
    value = KINDS[kind.value]()
    made = Canary(
        id=f"cn_{secrets.token_hex(6)}",
        kind=kind.value,
        note=note[:300],
        principal=principal[:300],
        place=place[:300],
        created=datetime.now(UTC).replace(microsecond=0),
        marks=Marker(keys.digest).marks(value),
    )
    write(state / NAME, (*canaries, made))
    typer.echo(value)
    typer.echo(f"{made.id}: it is not shown again.", err=True)


@canary.command("list")
def list_(*, config: ConfigOption = CONFIG, output: FormatOption = None) -> None:
    """List canaries: where they were planted, never what they are.

    \b
    proctor canary list --format csv
    """  # noqa: D301 - as above
    canaries = read(load(config).state / NAME)
    render([one.as_json() for one in canaries], COLUMNS, output)
    if not canaries:
        typer.echo("There is no canary.", err=True)


@canary.command()
def remove(
    name: Annotated[str, typer.Argument(help="Its id, as `proctor canary list` has it.")],
    *,
    config: ConfigOption = CONFIG,
) -> None:
    """Forget a canary; where it still lies, nobody notices it any more.

    \b
    proctor canary remove cn_0123456789ab
    """  # noqa: D301 - as above
    path = load(config).state / NAME
    canaries = read(path)
    left = tuple(one for one in canaries if one.id != name)
    if len(left) == len(canaries):
        typer.echo("There is no such canary.", err=True)
        raise typer.Exit(1)
    write(path, left)
