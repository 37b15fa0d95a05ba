"""`proctor tools`: what MCP servers' tools say of themselves, and whether that is accepted."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from proctor.cli.cards import legible
from proctor.cli.common import CONFIG, ConfigOption, FormatOption, OutputFormat, render, visible
from proctor.cli.console import Console, ConsoleOption, console_at, items
from proctor.cli.screen import plain, put, screen
from proctor.console.legible import pieces
from proctor.errors import UpstreamError
from proctor.mcp.model import is_name, unknown_pin

COLUMNS = (
    "server", "tool", "standing", "open", "signs", "first_seen", "changed_at", "decided_at", "by",
    "reason", "accepted", "seen",
)  # fmt: skip
_SHOWN = ("server", "tool", "standing", "open", "signs", "changed_at", "by")
"""In a terminal, which is narrow."""

_ALARMING = 0.5
_COLOURS = {"+": "green", "-": "red", "@": "dim cyan", "…": "bold yellow"}

tools = typer.Typer(
    help="What MCP servers' tools say of themselves, and whether that is accepted.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ServerArgument = Annotated[str, typer.Argument(help="The MCP server, as proctor.yaml calls it.")]
ToolArgument = Annotated[str, typer.Argument(help="The tool's name.")]


@tools.command("list")
def list_(
    *,
    waiting: Annotated[
        bool, typer.Option("--open", help="Only those that wait for a human.")
    ] = False,
    server: Annotated[str | None, typer.Option(help="Only of this server.")] = None,
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """List tools, those that wait for a human first.

    \b
    proctor tools list --open
    proctor tools list --server jira --format csv
    """  # noqa: D301 - \b keeps typer from joining the lines
    with console_at(console, config) as api:
        answer = api.get("tools", open=1 if waiting else None, server=server)
    rows = [
        {**each, "signs": ", ".join(str(sign.get("name")) for sign in _signs(each))}
        for each in items(answer, "tools")
    ]
    in_table = output is OutputFormat.TABLE or (output is None and sys.stdout.isatty())
    render(rows, _SHOWN if in_table else COLUMNS, output)
    if not rows:
        typer.echo("No tool waits." if waiting else "No tool was seen yet.", err=True)


@tools.command()
def show(
    server: ServerArgument,
    tool: ToolArgument,
    *,
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
    output: FormatOption = OutputFormat.TABLE,
) -> None:
    """Show what a tool says of itself, against what was accepted, and what is odd about it.

    Characters that a terminal would hide or obey are written out.

    \b
    proctor tools show jira create_issue
    """  # noqa: D301 - as above
    if output is OutputFormat.CSV:
        raise typer.BadParameter("one tool is no table; take json", param_hint="--format")
    with console_at(console, config) as api:
        found = _find(api, server, tool)
    if output is OutputFormat.JSON:
        typer.echo(json.dumps(found, indent=2))
    else:
        put(screen(sys.stdout), _card(found))


@tools.command()
def accept(  # noqa: PLR0913 - one for each option
    server: ServerArgument,
    tool: ToolArgument,
    *,
    digest: Annotated[
        str | None,
        typer.Option(
            help="Of exactly the definition that is accepted, as `show` says it; left out, it is"
            " shown, and you are asked.",
            show_default=False,
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Let a tool be listed and called as it describes itself now, until it changes again.

    \b
    proctor tools accept jira create_issue --reason "The new field is ours."
    proctor tools accept jira create_issue --digest 8988c3fc…
    """  # noqa: D301 - as above
    with console_at(console, config) as api:
        if digest is None:
            if not sys.stdin.isatty():
                raise typer.BadParameter(
                    "say which definition; `proctor tools show` has it", param_hint="--digest"
                )
            found = _find(api, server, tool)
            put(screen(sys.stdout), _card(found))
            typer.confirm("Accept exactly this?", abort=True)
            digest = str(found.get("seen") or "")
        api.post(f"{_path(server, tool)}/accept", {"digest": digest, "reason": reason})
    typer.echo(visible(f"{tool} of {server} accepted."))


@tools.command()
def reject(
    server: ServerArgument,
    tool: ToolArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Take back all that was accepted of a tool: it is in no list, and calls of it wait.

    \b
    proctor tools reject jira create_issue --reason "It reads more than it says."
    """  # noqa: D301 - as above
    with console_at(console, config) as api:
        api.post(f"{_path(server, tool)}/reject", {"reason": reason})
    typer.echo(visible(f"{tool} of {server}: nothing is accepted any more."))


@tools.command()
def forget(  # noqa: PLR0913 - one for each option
    server: ServerArgument,
    tool: Annotated[
        str | None, typer.Argument(help="The tool's name; left out, all of the server's.")
    ] = None,
    *,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    console: ConsoleOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Forget a tool, or all of a server's; for admins. What is shown next is trusted anew.

    \b
    proctor tools forget jira --reason "The server was replaced."
    """  # noqa: D301 - as above
    if tool is None and not yes and sys.stdin.isatty():
        typer.confirm(visible(f"Really forget all tools of {server}?"), abort=True, err=True)
    with console_at(console, config) as api:
        found = api.post(f"{_path(server, tool)}/forget", {"reason": reason})
    names = found.get("forgotten") if isinstance(found, dict) else None
    if not isinstance(names, list):
        raise UpstreamError("console-answer", "The console's answer has no list of forgotten")
    typer.echo(visible(f"{', '.join(map(str, names))} of {server} forgotten."))


def _find(api: Console, server: str, tool: str) -> dict[str, Any]:
    found = api.get(_path(server, tool))
    if not isinstance(found, dict) or not isinstance(found.get("diff"), str):
        raise UpstreamError("console-answer", "The console's answer is no tool")
    return found


def _path(server: str, tool: str | None = None) -> str:
    """Where the API has it; no name may lead elsewhere."""
    if not is_name(server) or "/" in server or not (tool is None or is_name(tool)):
        raise unknown_pin()
    return f"tools/{server}" if tool is None else f"tools/{server}/{tool}"


def _signs(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    signs = found.get("signs")
    return [each for each in signs if isinstance(each, dict)] if isinstance(signs, list) else []


def _card(found: Mapping[str, Any]) -> RenderableType:
    """A tool, as it looks in a terminal."""
    waits = bool(found.get("open"))
    shown: list[RenderableType] = [
        Text.assemble(
            legible(pieces(str(found.get("tool"))), "bold cyan"),
            " of ",
            legible(pieces(str(found.get("server"))), "bold"),
            "  ",
            plain(
                str(found.get("standing")) + (", waits for a human" if waits else ""),
                "bold yellow" if waits else "green",
            ),
        ),
        plain(f"digest {found.get('seen') or 'none'}", "dim"),
    ]
    if found.get("by"):
        words = f"last decided by {found.get('by')} at {found.get('decided_at')}"
        said = f": {found.get('reason')}" if found.get("reason") else ""
        shown.append(legible(pieces(words + said), "dim"))
    for sign in _signs(found):
        score = sign.get("score")
        alarming = isinstance(score, int | float) and score >= _ALARMING
        place = f" ({sign.get('place')})" if sign.get("place") else ""
        shown.append(
            legible(pieces(f"! {sign.get('explanation')}{place}"), "yellow" if alarming else "dim")
        )
    shown.append(Text())
    shown += _diff(str(found.get("diff")), compared=found.get("compared") is True)
    if not found.get("kept"):
        shown.append(Text("What it says is not kept, so it cannot be accepted.", "bold yellow"))
    if found.get("cut"):
        shown.append(Text("It says more than is shown here; see --format json.", "bold yellow"))
    return Group(*shown)


def _diff(text: str, *, compared: bool) -> Iterator[Text]:
    """Coloured where two are compared, else as one text."""
    for line in text.split("\n")[3 if compared else 4 :]:
        style = _COLOURS.get(line[:1], "") if compared else ""
        yield legible(pieces(line if compared else line[1:]), style)
