"""`proctor kill`: end what runs, and keep it from starting anew."""

import sys
from typing import Annotated, Any

import typer

from proctor.cli.common import CONFIG, ConfigOption, FormatOption, render, visible
from proctor.cli.console import Console, ConsoleOption, console_at, items, whole_id
from proctor.errors import ClientError

COLUMNS = ("id", "scope", "target", "by", "reason", "at", "lifted_at", "lifted_by")
_SCOPES = ("session", "principal", "all")


def kill(  # noqa: PLR0913 - one for each option
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="session|principal|all|list",
            help="What to end; `list` shows what is ended. With --lift it may be a kill's id.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Argument(
            help="The session's name; or whose: issuer#subject, a subject, or a human.",
            show_default=False,
        ),
    ] = None,
    *,
    reason: Annotated[str, typer.Option(help="Why; whoever is refused is told.")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="Let it run again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="With `list`: those that were lifted, too.")
    ] = False,
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """End running streams within a second, and refuse new ones until that is lifted.

    \b
    proctor kill session 4f0c2c4e-… --reason "It loops."
    proctor kill principal alice --reason "Her token leaked."
    proctor kill all --reason "Something is wrong."
    proctor kill list
    proctor kill all --lift
    proctor kill --lift ki_q8x2
    """  # noqa: D301 - \b keeps typer from joining the lines
    if lift:
        with console_at(console, config) as api:
            name = _meant(api, what, target)
            found = api.delete(f"kills/{name}", {"reason": reason})
        typer.echo(f"{_told(found)} may run again.")
    elif what == "list" and target is None:
        with console_at(console, config) as api:
            kills = items(api.get("kills", all=1 if everything else None), "kills")
        render(kills, COLUMNS, output)
        if not kills:
            typer.echo("Nothing is ended.", err=True)
    else:
        _check(what, target, reason)
        if what == "all" and not yes and sys.stdin.isatty():
            typer.confirm("Really end everything that runs, for everybody?", abort=True, err=True)
        with console_at(console, config) as api:
            found = api.post("kills", {"scope": what, "target": target, "reason": reason})
        name = visible(str(found.get("id")))
        typer.echo(f"{_told(found)} is ended, and refused until `proctor kill --lift {name}`.")


def _check(what: str | None, target: str | None, reason: str) -> None:
    if what not in _SCOPES:
        raise typer.BadParameter(
            "session, principal, all or list", param_hint="session|principal|all|list"
        )
    if (what == "all") is not (target is None):
        raise typer.BadParameter(
            "`all` has no target" if target else f"which {what}", param_hint="TARGET"
        )
    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")


def _meant(api: Console, what: str | None, target: str | None) -> str:
    """The id of the kill in force that is to be lifted."""
    if what is not None and what not in _SCOPES:
        return whole_id(api, "kills", what)
    fits = [
        item
        for item in items(api.get("kills"), "kills")
        if not item.get("lifted_at")
        and what in {None, item.get("scope")}
        and target in {None, item.get("target")}
    ]
    if len(fits) == 1:
        return whole_id(api, "kills", str(fits[0].get("id")))
    if not fits:
        raise ClientError(
            "kill-unknown",
            "Nothing of the kind is ended",
            hint="`proctor kill list` shows what is.",
            status=404,
        )
    raise ClientError(
        "id-ambiguous",
        "Several kills are in force",
        got=", ".join(f"{item.get('id')} ({item.get('scope')})" for item in fits[:5]),
        expected="the id of one: proctor kill --lift ID",
    )


def _told(found: Any) -> str:
    scope, target = str(found.get("scope")), str(found.get("target") or "")
    return "Everything" if scope == "all" else visible(f"The {scope} {target}")
