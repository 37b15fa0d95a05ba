"""`proctor grants`: what may pass for a while without asking each time."""

import sys
from typing import Annotated

import typer

from proctor.cli.approvals import outcome
from proctor.cli.common import CONFIG, ConfigOption, FormatOption, OutputFormat, render, visible
from proctor.cli.console import ConsoleOption, console_at, items, whole_id
from proctor.model import ActionKind
from proctor.units import parse_duration

COLUMNS = (
    "id", "open", "rule_id", "principal", "kind", "pattern", "uses", "used", "created_at",
    "expires_at", "by", "reason", "approval_id", "revoked_at", "revoked_by",
)  # fmt: skip
_SHOWN = ("id", "rule_id", "principal", "pattern", "used", "uses", "expires_at", "by", "reason")
"""In a terminal, which is narrow."""

grants = typer.Typer(
    help="What may pass for a while without asking each time.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@grants.command("list")
def list_(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """List grants, the youngest first.

    \b
    proctor grants list
    proctor grants list --all --format csv
    """  # noqa: D301 - \b keeps typer from joining the lines
    with console_at(console, config) as api:
        found = items(api.get("grants", all=1 if everything else None), "grants")
    render(found, _SHOWN if _in_table(output) and not everything else COLUMNS, output)
    if not found:
        typer.echo("Nothing is granted.", err=True)


@grants.command()
def request(  # noqa: PLR0913 - one for each option
    *,
    rule: Annotated[str, typer.Option(help="The rule that would hold it, by its id.")],
    match: Annotated[
        str,
        typer.Option(
            help="What is to pass: for tool calls such as 'Bash(rm -rf exports)', for others the"
            " target, * for any characters.",
        ),
    ],
    lasts: Annotated[str, typer.Option("--for", help="For how long, such as 1h.")],
    reason: Annotated[str, typer.Option(help="What it is needed for.")],
    kind: Annotated[ActionKind, typer.Option(help="Of what is to pass.")] = ActionKind.LLM_TOOL_USE,
    uses: Annotated[int | None, typer.Option(min=1, help="So often at most.")] = None,
    principal: Annotated[
        str | None,
        typer.Option(help="For whom, as issuer#subject; left out, whoever asks."),
    ] = None,
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Ask beforehand for something to pass; the people whom the rule names decide.

    \b
    proctor grants request --rule deletes-folders --match 'Bash(rm -rf exports)' --for 1h \\
        --reason "The build is cleaned several times today."
    """  # noqa: D301 - as above
    try:
        parse_duration(lasts)
    except ValueError as error:
        raise typer.BadParameter(f"expected {error}", param_hint="--for") from None
    body = {
        "rule": rule,
        "kind": kind.value,
        "pattern": match,
        "for": lasts,
        "uses": uses,
        "reason": reason,
        "principal": principal,
    }
    with console_at(console, config) as api:
        found = api.post("grants/requests", body)
    name = visible(str(found.get("id")))
    if found.get("state") == "pending":
        typer.echo(f"{name}: asked for. Until somebody has decided, nothing changes.")
    else:
        typer.echo(outcome(found))


@grants.command()
def revoke(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="Its id, or a beginning that no other one has.")
    ],
    *,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Take a grant back, at once.

    \b
    proctor grants revoke gr_h2p4 --reason "The migration is done."
    """  # noqa: D301 - as above
    with console_at(console, config) as api:
        found = api.delete(f"grants/{whole_id(api, 'grants', name)}", {"reason": reason})
    typer.echo(f"{visible(str(found.get('id')))} revoked.")


def _in_table(output: OutputFormat | None) -> bool:
    return output is OutputFormat.TABLE or (output is None and sys.stdout.isatty())
