"""`proctor approvals`: what waits for a human, and the answer to it."""

import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from proctor.cli import cards
from proctor.cli.cards import COLUMNS
from proctor.cli.common import (
    CONFIG,
    ConfigOption,
    FormatOption,
    OutputFormat,
    render,
    visible,
)
from proctor.cli.console import ConsoleOption, console_at, items, whole_id
from proctor.cli.screen import put, screen
from proctor.cli.watching import watch_lines, watch_table
from proctor.errors import UpstreamError

_NAMED = 5

approvals = typer.Typer(
    help="What waits for a human, and the answer to it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Its id, or a beginning that no other one has.")
]


@approvals.command("list")
def list_(  # noqa: PLR0913 - one for each option
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Settled ones, too, not only what waits.")
    ] = False,
    session: Annotated[str | None, typer.Option(help="Only of this session.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=5000, help="At most so many.")] = 500,
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """List what you may see, the oldest first.

    \b
    proctor approvals list
    proctor approvals list --all --session 4f0c… --format csv
    """  # noqa: D301 - \b keeps typer from joining the lines
    # Of more than are listed, those that have waited longest, or that were settled last.
    state, oldest = (None, None) if everything else ("pending", 1)
    with console_at(console, config) as api:
        answer = api.get("approvals", state=state, session=session, limit=limit, oldest=oldest)
    found = items(answer, "approvals")
    found.sort(key=lambda item: str(item.get("requested_at")))
    if output is None:
        output = OutputFormat.TABLE if sys.stdout.isatty() else OutputFormat.JSON
    if output is not OutputFormat.TABLE:
        render([cards.row(item) for item in found], COLUMNS, output)
    elif found:
        terminal = screen(sys.stdout)
        put(terminal, cards.table(found, datetime.now(UTC), terminal.width))
    if not found:
        typer.echo("Nothing waits for you.", err=True)
    _tell_unreviewed(answer)


@approvals.command()
def show(
    name: IdArgument,
    *,
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Show what exactly would happen, who asks, and which rule holds it.

    Characters that a terminal would hide or obey are written out. A value that was taken out is
    never shown; what is not seen is said.

    \b
    proctor approvals show ap_k3m9
    """  # noqa: D301 - as above
    if output is OutputFormat.CSV:
        raise typer.BadParameter("one approval is no table; take json", param_hint="--format")
    with console_at(console, config) as api:
        found = api.get(f"approvals/{whole_id(api, 'approvals', name)}")
    if output is OutputFormat.JSON:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        put(screen(sys.stdout), cards.card(found, datetime.now(UTC)))


@approvals.command()
def approve(  # noqa: PLR0913 - one for each option
    name: IdArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why; some rules ask for it.")] = "",
    grant_for: Annotated[
        str | None,
        typer.Option(
            help="Let the like of it pass for so long, such as 1h, where the rule allows it.",
            metavar="TIME",
        ),
    ] = None,
    uses: Annotated[int | None, typer.Option(min=1, help="So often at most.")] = None,
    pattern: Annotated[
        str | None,
        typer.Option(help="The like of it, such as 'Bash(npm test *)'; left out, just this."),
    ] = None,
    break_glass: Annotated[
        bool,
        typer.Option(
            "--break-glass",
            help="Alone, in an emergency: needs the role and a reason, alerts, and is reviewed.",
        ),
    ] = False,
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Approve a held action; it then happens once, as it was shown.

    \b
    proctor approvals approve ap_k3m9
    proctor approvals approve ap_k3m9 --reason "Checked." --grant-for 1h --uses 5
    """  # noqa: D301 - as above
    if grant_for is None and (uses is not None or pattern is not None):
        raise typer.BadParameter("say for how long", param_hint="--grant-for")
    body = {
        "reason": reason,
        "grant_for": grant_for,
        "uses": uses,
        "pattern": pattern,
        "break_glass": break_glass or None,
    }
    with console_at(console, config) as api:
        found = api.post(f"approvals/{whole_id(api, 'approvals', name)}/approve", body)
    typer.echo(outcome(found))


@approvals.command()
def deny(
    name: IdArgument,
    *,
    reason: Annotated[
        str, typer.Option(help="Why; the agent is told. Some rules ask for it.")
    ] = "",
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Deny a held action, or take back an approval that was not used yet.

    \b
    proctor approvals deny ap_k3m9 --reason "Use the archive in its place."
    """  # noqa: D301 - as above
    with console_at(console, config) as api:
        found = api.post(f"approvals/{whole_id(api, 'approvals', name)}/deny", {"reason": reason})
    typer.echo(outcome(found))


@approvals.command()
def reveal(
    name: IdArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why you have to see them.")],
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Show the values that a card hides, by what stands in their place. It is put on record.

    Needs the role `reveal`.

    \b
    proctor approvals reveal ap_k3m9 --reason "Is it a customer's account?"
    """  # noqa: D301 - as above
    if output is OutputFormat.CSV:
        raise typer.BadParameter("what is hidden is no table; take json", param_hint="--format")
    with console_at(console, config) as api:
        whole = whole_id(api, "approvals", name)
        typer.echo(f"That you look at what {whole} hides, and why, is put on record.", err=True)
        found = api.post(f"approvals/{whole}/reveal", {"reason": reason})
    values = found.get("values") if isinstance(found, dict) else None
    if not isinstance(values, dict):
        raise UpstreamError("console-answer", "The console's answer has no values")
    if output is OutputFormat.JSON:
        typer.echo(json.dumps(values, indent=2))
    elif values:
        put(screen(sys.stdout), cards.revealed(values))
    else:
        typer.echo("It hides nothing.", err=True)


@approvals.command()
def reviewed(
    name: IdArgument,
    *,
    reason: Annotated[str, typer.Option(help="What you found.")] = "",
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Say that you have looked at an approval for which somebody broke the glass.

    \b
    proctor approvals reviewed ap_k3m9 --reason "It was the outage of Monday."
    """  # noqa: D301 - as above
    with console_at(console, config) as api:
        whole = whole_id(api, "approvals", name)
        api.post(f"approvals/{whole}/reviewed", {"reason": reason})
    typer.echo(f"{whole} reviewed.")


@approvals.command()
def watch(
    *,
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Follow what waits, as it changes, until Ctrl-C.

    In a terminal a table that keeps itself up to date; elsewhere one JSON object a line.
    """
    with console_at(console, config) as api:
        try:
            if sys.stdout.isatty():
                watch_table(api, screen(sys.stdout))
            else:
                watch_lines(api, sys.stdout)
        except KeyboardInterrupt:
            return


def _tell_unreviewed(answer: Any) -> None:
    names = [visible(str(name)) for name in answer.get("unreviewed") or ()]
    if names:
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        typer.echo(
            f"The glass was broken, and nobody has looked at it: {', '.join(names[:_NAMED])}{more}."
            " See `proctor approvals show ID`, then `proctor approvals reviewed ID`.",
            err=True,
        )


def outcome(found: Any) -> str:
    """What became of a decision, in words."""
    name, state = visible(str(found.get("id"))), visible(str(found.get("state")))
    if state == "pending":
        return f"{name}: noted. It still needs somebody else."
    grants = ", ".join(map(str, found.get("grant_ids") or ()))
    return f"{name} {state}." + (f" Granted: {visible(grants)}." if grants else "")
