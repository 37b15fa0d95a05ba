"""`proctor login`: sign in to the console, for the command line of this computer."""

import webbrowser
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from proctor.cli import logins
from proctor.cli.common import CONFIG, ConfigOption, visible
from proctor.cli.console import Console, ConsoleOption, Place, console_at, find_place
from proctor.cli.logins import Login
from proctor.cli.loopback import Challenge, Loopback
from proctor.errors import ProctorError, UpstreamError

PATIENCE = 300.0
"""Seconds in which a person has to have signed in."""


def login(  # noqa: PLR0913 - one for each option
    *,
    out: Annotated[bool, typer.Option("--out", help="Sign out.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Show who is signed in.")] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open one, or only show the address.")
    ] = True,
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            help="Where the browser comes back to on this computer; for `ssh -L PORT:localhost:…`.",
            show_default="any",
        ),
    ] = 0,
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Sign in to the console, so that the command line of this computer may act for you.

    A browser opens; sign in there, and say yes. What comes of it is kept in a file of yours alone
    and ends when your sign-in is too old for the console. Programs set PROCTOR_TOKEN in its place.

    \b
    proctor login
    proctor login --console https://proctor.example:9090
    proctor login --status
    proctor login --out
    """  # noqa: D301 - \b keeps typer from joining the lines
    if out and status:
        raise typer.BadParameter("either --out or --status", param_hint="--out")
    place = find_place(console, config)
    if out:
        _leave(place)
    elif status:
        _tell(console, config)
    else:
        _enter(place, port, browser=browser)


def _enter(place: Place, port: int, *, browser: bool) -> None:
    challenge = Challenge()
    with Loopback(challenge, port) as loopback:
        address = challenge.address(place.url, loopback.port)
        typer.echo(f"Sign in here: {address}", err=True)
        if browser and not webbrowser.open(address):
            typer.echo("No browser could be opened; open that address yourself.", err=True)
        code = loopback.code(PATIENCE)
    nobody = Console(place=place, token="")
    try:
        found = nobody.post("token", {"code": code, "verifier": challenge.verifier})
    finally:
        nobody.close()
    made = _login(found)
    path = logins.mine()
    logins.write(path, logins.read(path) | {place.url: made})
    until = f"{datetime.fromisoformat(made.expires_at).astimezone(UTC):%Y-%m-%d %H:%M}"
    who = visible(made.name or made.subject)
    typer.echo(f"Signed in to {place.url} as {who} until {until} UTC.")


def _leave(place: Place) -> None:
    path = logins.mine()
    found = logins.read(path)
    gone = found.pop(place.url, None)
    if gone is None:
        typer.echo(f"You were not signed in to {place.url}.", err=True)
        return
    # The file first: whatever the console says, nobody acts by it from here any more.
    logins.write(path, found)
    leaving = Console(place=place, token=gone.token)
    try:
        leaving.delete("token")
    except ProctorError as error:
        typer.echo(
            f"Signed out here; the console could not be told, and ends it by itself at"
            f" {gone.expires_at}: {visible(error.message)}",
            err=True,
        )
    else:
        typer.echo(f"Signed out of {place.url}.")
    finally:
        leaving.close()


def _tell(console: str | None, config: Any) -> None:
    with console_at(console, config) as api:
        me = api.get("me")
        roles = ", ".join(map(str, me.get("roles") or ())) or "none"
        name = me.get("name") or me.get("subject")
        typer.echo(visible(f"Signed in to {api.place.url} as {name}; roles: {roles}."))


def _login(found: Any) -> Login:
    try:
        made = Login(
            token=str(found["token"]),
            expires_at=str(found["expires_at"]),
            name=str(found.get("name") or ""),
            subject=str(found["subject"]),
        )
        if not made.over(datetime.now(UTC)):
            return made
    except (LookupError, TypeError, ValueError, AttributeError):
        pass  # told below, without what it holds
    raise UpstreamError("console-answer", "The console gave no token that could be used")
