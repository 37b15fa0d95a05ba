"""The command line: one command a file, imported only when it is called."""

import sys
from importlib import import_module
from typing import Annotated

import typer

from proctor import __version__
from proctor.errors import ConfigurationError, ProctorError

COMMANDS = {
    "init": "Write proctor.yaml, rules and folders to start from.",
    "run": "Run the gateway.",
    "check": "Check configuration and rules.",
    "explain": "Show which rules speak about an action, and why.",
    "backtest": "What other rules would have done with what is on record.",
    "rules": "Rules drafted from what a session did.",
    "token": "Make a token for trying proctor out.",
    "connect": "Print the settings by which a client uses proctor.",
    "mcp": "Stand before an MCP server that speaks over standard input and output.",
    "login": "Sign in to the console, for the command line of this computer.",
    "approvals": "What waits for a human, and the answer to it.",
    "grants": "What may pass for a while without asking each time.",
    "budgets": "How much may be used, and who has used how much of it.",
    "canary": "Values that open nothing, planted to be stolen.",
    "novelty": "What is usual at databases, and for whom.",
    "postgres": "Sensitive columns, kept back by a database server's own rights.",
    "tools": "What MCP servers' tools say of themselves, and whether that is accepted.",
    "kill": "End what runs, and keep it from starting anew.",
    "sessions": "List sessions from the record.",
    "show": "Show a session as a conversation.",
    "replay": "Play a recorded session, serve it to a client, or send it again.",
    "search": "Search what was typed, said, called and given back.",
    "query": "Ask the record in SQL.",
    "export": "Write the record, or a part of it, for others.",
    "verify": "Check that a record is what was written.",
    "record": "The record itself: copies, proofs, its key, erasure and holds.",
    "findings": "What was found in traffic, and which of it is harmless.",
    "ca": "The authority whose certificates clients of a forward listener see.",
    "witness": "Another machine that remembers checkpoints, and signs that it saw them.",
    "scan": "Show what would be found in files.",
    "doctor": "Find what is wrong with an installation, and how to mend it.",
}
"""Name and summary; `proctor.cli.NAME` holds a function, or a group of them, of the same name."""

NO = 1
"""Exit status when the answer is no, or something failed on the way."""

WRONG = 2
"""Exit status for wrong use or configuration."""


def make_app(*, only: str | None = None) -> typer.Typer:
    """The command line.

    Args:
        only: The one command to import; the others are there by name and summary. None imports
            all, `""` none.
    """
    app = typer.Typer(
        name="proctor",
        help="Stands between Claude and everything Claude can reach.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name, summary in COMMANDS.items():
        if only in {None, name}:
            found = getattr(import_module(f"proctor.cli.{name}"), name)
            if isinstance(found, typer.Typer):
                app.add_typer(found, name=name, help=summary)
            else:
                app.command(name)(found)
        else:
            app.command(name, help=summary)(_stub)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Run a command and end the process with its status: 0 done, 1 no, 2 wrong use."""
    words = sys.argv[1:] if arguments is None else arguments
    name = next((word for word in words if not word.startswith("-")), "")
    try:
        make_app(only=name)(words, prog_name="proctor")
    except ProctorError as error:
        _tell(error)
        raise SystemExit(WRONG if isinstance(error, ConfigurationError) else NO) from None


def _tell(error: ProctorError) -> None:
    from proctor.cli.common import visible  # noqa: PLC0415 - only when something is wrong

    typer.secho("error", fg=typer.colors.RED, bold=True, err=True, nl=False)
    typer.echo(f" [{error.code}] {visible(str(error))}", err=True)


def _stub() -> None:
    """Stand for a command that was not called."""


def _version(value: bool) -> None:  # noqa: FBT001 - typer calls it so
    if value:
        typer.echo(f"proctor {__version__}")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Stands between Claude and everything Claude can reach: who asks, may it, and on record."""
