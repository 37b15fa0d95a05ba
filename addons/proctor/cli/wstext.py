"""How messages of a WebSocket look in a conversation: who said what, and what became of it."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from proctor.audit.messages import Message
from proctor.audit.turns import Turn
from proctor.cli import held
from proctor.cli.screen import plain
from proctor.units import format_size

CHARACTERS = 2000
LINES = 20


def rows(turn: Turn, *, whole: bool) -> Iterator[tuple[str, RenderableType]]:
    """What was said over a WebSocket, in order.

    Args:
        turn: The exchange that opened it.
        whole: Shorten nothing.
    """
    for each in turn.messages:
        yield from _message(each, whole=whole)
    if more := turn.heard - len(turn.messages):
        text = f"… {more:,} more messages; --full or `proctor query` shows them"
        yield "", plain(text, "dim italic")


def _message(each: Message, *, whole: bool) -> Iterator[tuple[str, RenderableType]]:
    entry = each.entry
    yield "ws", _head(each)
    if each.content and each.content.erased:
        yield "", Text("erased from the record", style="dim italic")
    elif each.content:
        text, cut = each.content.text, each.content.omitted
        if not whole:
            text = "\n".join(text[:CHARACTERS].split("\n")[:LINES])
            cut += len(each.content.text) - len(text)
        yield "", plain(text)
        if cut:
            yield "", plain(f"… {cut:,} more characters; --full shows them", "dim italic")
    elif entry.size:
        yield "", plain("content not recorded", "dim italic")
    for came in entry.origins:
        yield "came", plain(came.words, "yellow")
    for seen in entry.observed:
        reason = f": {seen.reason}" if seen.reason else ""
        yield "observed", plain(f"{seen.rule_id} would {seen.verdict}{reason}", "yellow")
    yield from held.rows(each.held)
    if entry.refused:
        yield "refused", plain(f"by {entry.rule_id}: {entry.reason}", "red")
    if entry.found:
        yield "", plain(f"found in it: {', '.join(entry.found)}", "dim")


def _head(each: Message) -> Text:
    entry = each.entry
    arrow = "client → server" if entry.direction == "client" else "client ← server"
    verdict = f"{entry.verdict} by {entry.rule_id}" if entry.rule_id else entry.verdict
    told = f"{entry.at:%H:%M:%S} · {entry.type}, {format_size(entry.size)} · {verdict}"
    return Text.assemble(
        plain(f"{entry.n}  ", "dim"),
        plain(arrow, "bold"),
        "  ",
        plain(told, "red" if entry.refused else "dim"),
    )
