"""`proctor connect`: the settings by which a client reaches this installation."""

import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from proctor.cli.clients import REFERENCE, TOKEN, Client, Setup, Step, certificates, set_up
from proctor.cli.common import CONFIG, ConfigOption, visible
from proctor.cli.places import find_places
from proctor.cli.psql import set_up_psql
from proctor.config import Config, load
from proctor.errors import ConfigurationError
from proctor.identity.local import LOCAL
from proctor.settings import Listener
from proctor.units import parse_address


class Form(StrEnum):
    """How settings are shown."""

    SHELL = "shell"
    JSON = "json"


def connect(  # noqa: PLR0913 - one for each option
    *,
    client: Annotated[Client, typer.Argument(help="Who is to use proctor.", show_default=False)],
    listener: Annotated[
        str | None, typer.Option(help="Only by this listener.", show_default=False)
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="The name by which clients reach this machine.", show_default=False),
    ] = None,
    ca: Annotated[
        Path, typer.Option(help="Where the client has the certificates to trust.")
    ] = Path("proctor-ca.pem"),
    token_from: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="Prints a fresh token each time.", show_default=False),
    ] = None,
    output: Annotated[Form, typer.Option("--format", help="For a shell, or JSON.")] = Form.SHELL,
    config: ConfigOption = CONFIG,
) -> None:
    """Print the settings by which a client reaches this installation.

    They are lines for a shell: eval "$(proctor connect curl)". No token is among them; it is taken
    from PROCTOR_AGENT_TOKEN, or from the command of --token-from.
    """
    if token_from is not None and not (token_from.strip() and token_from.isprintable()):
        raise typer.BadParameter("expected one line of shell", param_hint="--token-from")
    settings = load(config)
    if client is Client.PSQL:
        psql = set_up_psql(settings, listener, _named(host))
        _tell(client, psql, settings, token_from=token_from, output=output)
        return
    places = find_places(_chosen(settings, listener), _named(host))
    trusted = ca.absolute()  # clients are started in many folders
    export = f"proctor ca export --format bundle --out {shlex.quote(str(trusted))}"
    if config != CONFIG:
        export += f" --config {shlex.quote(str(config.absolute()))}"
    found = set_up(client, places, ca=str(trusted), export=export, helper=token_from)
    if found is None:
        raise ConfigurationError(
            code="listener-unfit",
            message=f"No listener here is of use to {client}",
            expected="a listener of `kind: forward`",
            where=str(config),
        )
    done = certificates(export) if trusted.exists() else None
    _tell(client, found, settings, token_from=token_from, output=output, done=done)


def _tell(  # noqa: PLR0913 - what is told, and how
    client: Client,
    found: Setup,
    settings: Config,
    *,
    token_from: str | None,
    output: Form,
    done: Step | None = None,
) -> None:
    if output is Form.JSON:
        typer.echo(_json(client, found))
        return
    typer.echo("\n".join(_shell(client, found, _source(settings), token_from)))
    if not sys.stdout.isatty():  # as in eval "$(…)": nobody reads the comments
        left = [each for each in found.steps if each.commands and each != done]
        for line in _lines(left):
            typer.echo(visible(line), err=True)


def _chosen(settings: Config, name: str | None) -> tuple[Listener, ...]:
    if name is None:
        return settings.listeners
    chosen = tuple(each for each in settings.listeners if each.name == name)
    if not chosen:
        names = ", ".join(each.name for each in settings.listeners)
        raise typer.BadParameter(f"expected one of {names}", param_hint="--listener")
    return chosen


def _named(host: str | None) -> str | None:
    try:
        return None if host is None else parse_address(f"{host}:1").host
    except ValueError:
        raise typer.BadParameter("expected a name or an address", param_hint="--host") from None


def _source(settings: Config) -> str:
    """Where an agent's token comes from."""
    issuers = settings.identity.issuers
    if any(each.issuer == LOCAL for each in issuers):
        return "proctor token --local --subject NAME makes one, for trying out"
    return f"it is a token of {issuers[0].issuer} for {issuers[0].audience}"


def _shell(client: Client, found: Setup, source: str, token_from: str | None) -> Iterator[str]:
    """Lines that any POSIX shell can evaluate."""
    yield f"# Settings for {client}, to be evaluated by a shell."
    yield _comment(f"An agent's token is in {TOKEN}: {source}.")
    if token_from is not None:
        yield f'export {TOKEN}="$({token_from})"'
    # Stops here rather than going on with an empty token.
    yield f': "${{{TOKEN}:?is not set; export a token in it first}}"'
    for name in found.unset:
        yield f"unset {name}"
    for name, value in found.env.items():
        yield f"export {name}={_quoted(value)}"
    for line in _lines(found.steps):
        yield _comment(line)


def _lines(steps: Iterable[Step]) -> Iterator[str]:
    for step in steps:
        yield step.why
        for command in step.commands:
            yield f"  {command}"


def _comment(text: str) -> str:
    """One line, whatever it is made of: what follows a line's end would be carried out."""
    return f"# {visible(text.replace(chr(10), ' '))}"


def _quoted(value: str) -> str:
    """In double quotes (POSIX Shell Command Language, 2.2.3), with the token's variable alone."""
    return f'"{REFERENCE.join(_escaped(part) for part in value.split(REFERENCE))}"'


def _escaped(text: str) -> str:
    return "".join(f"\\{mark}" if mark in '\\"`$' else mark for mark in text)


def _json(client: Client, found: Setup) -> str:
    shown = {
        "client": client,
        "token": TOKEN,
        "env": dict(found.env),
        "unset": found.unset,
        "steps": [{"why": each.why, "commands": each.commands} for each in found.steps],
    }
    return json.dumps(shown, indent=2, ensure_ascii=False)
