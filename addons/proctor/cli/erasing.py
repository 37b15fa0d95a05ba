"""`proctor record erase` and `proctor record hold`: what goes on request, and what must stay."""

from typing import Annotated, Any

import typer

from proctor.cli.common import CONFIG, ConfigOption, FormatOption, render, visible
from proctor.cli.console import ConsoleOption, console_at, items
from proctor.units import plural

COLUMNS = ("name", "session", "principal", "reason", "by", "at")
SessionOption = Annotated[
    str | None, typer.Option("--session", help="The client's own name for its run.")
]
PrincipalOption = Annotated[
    str | None, typer.Option("--principal", metavar="KEY", help="Whose: issuer#subject.")
]
ReasonOption = Annotated[str, typer.Option(help="Why; it is put on record.")]

hold = typer.Typer(
    help="Legal holds: what neither retention nor an erasure takes away.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def erase(  # noqa: PLR0913 - one for each option
    *,
    session: SessionOption = None,
    principal: PrincipalOption = None,
    reason: ReasonOption = "",
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Erase what somebody typed and saw: for good. Who did what, and when, stays, and is proved.

    With both options only what is both of that session and that principal. Exports, backups and
    what others keep are out of reach.

    \b
    proctor record erase --session 4f0c2c4e-… --reason "Alice asked for it, case 12."
    proctor record erase --principal "https://idp.example#alice" --reason "She left."
    """  # noqa: D301 - \b keeps typer from joining the lines
    subject = _subject(session, principal)
    if not subject:
        raise typer.BadParameter("--session, --principal, or both", param_hint="--session")
    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")
    if not yes:
        typer.confirm("Really erase it? Nothing brings it back.", abort=True, err=True)
    with console_at(console, config) as api:
        found = api.post("record/erasures", {**subject, "reason": reason})
    typer.echo(
        f"{visible(str(found.get('id')))} is on record and under way: content of"
        f" {plural(int(found.get('scopes') or 0), 'run')} goes within some minutes."
    )


@hold.command("add")
def add(  # noqa: PLR0913 - one for each option
    name: Annotated[str, typer.Argument(help="A name of your own, such as a case's number.")],
    *,
    session: SessionOption = None,
    principal: PrincipalOption = None,
    everything: Annotated[bool, typer.Option("--all", help="The whole record.")] = False,
    reason: ReasonOption = "",
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Keep something from now on, whatever retention says and whoever asks for its erasure.

    \b
    proctor record hold add case-12 --principal "https://idp.example#alice" --reason "A lawsuit."
    """  # noqa: D301 - as above
    subject = _subject(session, principal)
    if bool(subject) is everything:
        raise typer.BadParameter("--session, --principal, or --all", param_hint="--all")
    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")
    with console_at(console, config) as api:
        api.post("record/holds", {**subject, "name": name, "all": everything, "reason": reason})
    typer.echo(f"{visible(name)} is in force.")


@hold.command("list")
def listed(
    *,
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """List the holds in force.

    \b
    proctor record hold list --format json
    """  # noqa: D301 - as above
    with console_at(console, config) as api:
        found = items(api.get("record/holds"), "holds")
    render(found, COLUMNS, output)
    if not found:
        typer.echo("Nothing is held.", err=True)


@hold.command("release")
def release(
    name: Annotated[str, typer.Argument(help="The hold's name.")],
    *,
    reason: ReasonOption = "",
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """End a hold: retention and erasures go on.

    \b
    proctor record hold release case-12 --reason "It is settled."
    """  # noqa: D301 - as above
    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")
    with console_at(console, config) as api:
        api.post("record/holds/release", {"name": name, "reason": reason})
    typer.echo(f"{visible(name)} is released.")


def _subject(session: str | None, principal: str | None) -> dict[str, Any]:
    both = {"session": session, "principal": principal}
    return {name: value for name, value in both.items() if value}
