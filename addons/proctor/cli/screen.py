"""What goes to a terminal from the record: safe to look at, and easy to read.

What a session holds was written by a model, or by whoever wrote what it read. Nothing of it may be
obeyed by the terminal or hidden from the reader, so every character passes `visible` twice: before
it is laid out and, since Markdown has character references of its own, after.
"""

import os
from collections.abc import Iterable, Iterator
from typing import IO

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import Markdown
from rich.segment import Segment
from rich.syntax import Syntax
from rich.text import Text

from proctor.cli.common import visible

WIDTH = 100
"""Columns where nothing says how many there are."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
# Beyond these sizes a text is shown as it is: parsing it would take longer than reading it.
_MAX_CODE = 20_000
_MAX_PROSE = 20_000
_THEME = "ansi_dark"

# What a reader of HTML would not see is shown as it was written: tags, comments, link references,
# addresses of images.
_PARSER = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["table", "strikethrough"])
    .disable(["reference", "image", "html_block", "html_inline"])
)


def screen(stream: IO[str], width: int | None = None) -> Console:
    """A console on `stream`: colours only in a terminal, and none where NO_COLOR is set.

    Args:
        stream: Where to.
        width: Columns; None: the terminal's, or COLUMNS, or 100.
    """
    if width is None and not stream.isatty() and "COLUMNS" not in os.environ:
        width = WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def put(console: Console, content: RenderableType) -> None:
    """Show something, without what a terminal would obey and without blanks at line ends."""
    lines = console.render_lines(content, pad=False)
    console.print(_Lines(lines), crop=False)


class _Lines:
    def __init__(self, lines: Iterable[list[Segment]]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines:
            yield from _clean(line)
            yield Segment.line()


def _clean(line: list[Segment]) -> Iterator[Segment]:
    kept = [part for part in line if not part.control]
    while kept and not kept[-1].text.strip(" ") and not _painted(kept[-1]):
        kept.pop()
    for index, part in enumerate(kept):
        last = index == len(kept) - 1 and not _painted(part)
        text = visible(part.text.rstrip(" ") if last else part.text)
        yield Segment(text, part.style.update_link(None) if part.style else None)


def _painted(part: Segment) -> bool:
    return part.style is not None and bool(part.style.bgcolor or part.style.reverse)


class Prose(Markdown):
    """A model's Markdown: line ends stay, addresses are shown, nothing is left out."""

    def __init__(self, text: str) -> None:
        super().__init__("", code_theme=_THEME, hyperlinks=False)
        self.parsed = _PARSER.parse(text)
        for token in self.parsed:
            for child in token.children or ():
                if child.type == "softbreak":
                    child.type = "hardbreak"


def prose(text: str) -> RenderableType:
    """Text of a model, laid out as Markdown."""
    safe = readable(text)
    return Prose(safe) if len(safe) <= _MAX_PROSE else Text(safe)


def code(text: str, language: str) -> RenderableType:
    """Source or JSON, in colours."""
    safe = readable(text)
    if len(safe) > _MAX_CODE:
        return Text(safe)
    return Syntax(safe, language, theme=_THEME, background_color="default", word_wrap=True)


def plain(text: str, style: str = "") -> Text:
    """Text as it is."""
    return Text(readable(text), style=style)


def readable(text: str) -> str:
    """`text` with what a terminal would obey, or UTF-8 cannot hold, written out."""
    return visible(text.encode("utf-8", "backslashreplace").decode())


def span(seconds: float) -> str:
    """A duration for people: `120 ms`, `1.2 s`, `3 min 12 s`, `2 h 05 min`, `3 d 4 h`."""
    if round(seconds * 1000) < 1000:  # noqa: PLR2004 - a second
        return f"{round(seconds * 1000)} ms"
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def several(count: int, what: str) -> str:
    """`1 turn`, `2 turns`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
