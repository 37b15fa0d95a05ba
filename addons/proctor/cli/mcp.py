"""`proctor mcp -- command …`: stand before an MCP server that speaks over standard streams."""

import asyncio
import os
import re
import shlex
from pathlib import Path
from typing import Annotated, Final

import typer

from proctor.cli.common import CONFIG, ConfigOption
from proctor.errors import ConfigurationError

_LISTENER: Final = "stdio"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_NAME: Final = 64
# What starts a server by another name says nothing about it.
_LAUNCHERS: Final = frozenset(
    {"npx", "uvx", "uv", "pipx", "node", "deno", "bun", "bunx", "python", "python3", "docker"}
    | {"podman", "sh", "bash", "env", "sudo", "java", "go", "ruby", "dotnet"}
)


def mcp(  # noqa: PLR0913 - one for each option
    command: Annotated[
        list[str],
        typer.Argument(help="The server's command and its arguments, behind `--`."),
    ],
    *,
    name: Annotated[
        str | None,
        typer.Option(help="As rules call the server; the command's own name if left out."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="Holds the agent's token; read again when that runs out.")
    ] = None,
    token_from: Annotated[
        str | None,
        typer.Option(help="A command that prints the agent's token; likewise.", metavar="COMMAND"),
    ] = None,
    listener: Annotated[
        str, typer.Option(help="As rules and settings of redaction call this way in.")
    ] = _LISTENER,
    session: Annotated[
        str,
        typer.Option(
            help="What the agent calls its run.",
            envvar="CLAUDE_CODE_SESSION_ID",
            show_default=False,
        ),
    ] = "",
    credential: Annotated[
        list[str] | None,
        typer.Option(
            help="Put a credential of proctor.yaml into a variable of the server's environment;"
            " give it again for more.",
            metavar="NAME=VARIABLE",
        ),
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Start an MCP server and stand between it and its client, on standard input and output.

    The agent's token comes from --token-file, --token-from or PROCTOR_AGENT_TOKEN. It runs as
    proctor's own user, like the gateway, whose rules, record and approvals it shares.
    """
    # Before anything that could write where only messages may stand.
    from proctor.stdio import streams  # noqa: PLC0415 - other commands do without

    given, taken = streams.take()
    from proctor.config import load  # noqa: PLC0415 - the same
    from proctor.policy.calls import SERVER  # noqa: PLC0415 - the same
    from proctor.runtime.logs import configure_logs  # noqa: PLC0415 - the same
    from proctor.stdio.assembly import Wanted  # noqa: PLC0415 - the same
    from proctor.stdio.serving import serve  # noqa: PLC0415 - the same
    from proctor.stdio.tokens import FixedToken, TokenCommand, TokenFile, Tokens  # noqa: PLC0415

    configure_logs()
    server = name or Path(command[0]).name
    if (
        not SERVER.fullmatch(server)
        or len(server) > _MAX_NAME
        or (not name and server in _LAUNCHERS)
    ):
        raise typer.BadParameter(
            "expected letters, digits, - and single _, as rules call the server",
            param_hint="--name",
        )
    if token_file and token_from:
        raise typer.BadParameter("expected one of the two", param_hint="--token-from")
    tokens: Tokens
    if token_file:
        tokens = TokenFile(token_file)
    elif token_from:
        tokens = TokenCommand(_words(token_from))
    else:
        tokens = FixedToken(os.environ)
    wanted = Wanted(
        config=load(config),
        file=config,
        server=server,
        listener=listener,
        session=session,
        tokens=tokens,
        argv=tuple(command),
        credentials=_variables(credential or []),
    )
    raise typer.Exit(asyncio.run(serve(wanted, given, taken)))


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not words:
        raise typer.BadParameter("expected a command", param_hint="--token-from")
    return words


def _variables(given: list[str]) -> dict[str, str]:
    """By variable, the credential."""
    found: dict[str, str] = {}
    for each in given:
        credential, _, variable = each.partition("=")
        if not credential or not _VARIABLE.fullmatch(variable):
            raise typer.BadParameter("expected NAME=VARIABLE", param_hint="--credential")
        if variable in found:
            raise ConfigurationError(
                "stdio-credential", f"Two credentials are for the variable {variable}"
            )
        found[variable] = credential
    return found
