"""XML and HTML as leaves: text, attributes, CDATA sections, comments, scripts.

A tokenizer, not a parser: what is not well formed is read as well as can be, and what is not
understood is looked at as it is written. Nothing is expanded or fetched.
"""

import re
from typing import Final, NamedTuple

from proctor.redaction.structure.codec import Codec, verbatim
from proctor.redaction.structure.entities import (
    in_cdata,
    in_comment,
    in_markup,
    in_tag,
    in_unquoted,
    unescaped,
)
from proctor.redaction.structure.jsonwalk import add_text
from proctor.redaction.structure.layout import Layout, Path, Place, within
from proctor.redaction.structure.names import shown

_TAG: Final = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z_][^\s/>=\"'<]*+)")
_ATTRIBUTE: Final = re.compile(
    r"[\s/]*+(?P<name>[^\s/>=\"'<]++)"
    r"(?:\s*+=\s*+(?:\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)'|(?P<bare>[^\s\"'=<>`]++)))?"
)
_TAG_END: Final = re.compile(r"[\s/]*+>")
# HTML section 13.1.2: elements without an end, and those whose text is no markup.
_VOID: Final = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    ]
)
_RAW: Final = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style")}
_SPANS: Final[tuple[tuple[str, str, Codec], ...]] = (
    ("<!--", "-->", in_comment),
    ("<![CDATA[", "]]>", in_cdata),
)
_CODECS: Final = {"double": in_markup, "single": in_markup, "bare": in_unquoted, "name": in_tag}
# `<add key="ApiKey" value="…"/>` names its value beside it.
_LABELLED: Final = frozenset({"value", "content"})
_MAX_DEPTH: Final = 128


def add_markup(
    layout: Layout, holder: int, *, html: bool, prefix: str = "", path: Path = ()
) -> None:
    """Add the leaves of a holder that is XML or HTML.

    Args:
        layout: What they are added to.
        holder: What they are written in.
        html: Whether elements may lack an end, and scripts are no markup.
        prefix: What the locations begin with.
        path: What the paths begin with.

    Raises:
        RedactionError: `redaction-size`.
    """
    _Markup(layout, holder, html=html, prefix=prefix, path=path).read()


class _Element(NamedTuple):
    """An open element.

    Attributes:
        location: What the locations in it begin with.
        path: Its path.
        key: What its text is called.
    """

    location: str
    path: Path
    key: str


class _Attribute(NamedTuple):
    name: str
    said: str
    start: int
    end: int
    codec: Codec


class _Markup:
    """One pass over a text, never going back, so that its cost is bounded by its length."""

    def __init__(self, layout: Layout, holder: int, *, html: bool, prefix: str, path: Path) -> None:
        self._layout = layout
        self._holder = holder
        self._text = layout.text(holder)
        self._html = html
        self._names = [""]  # of the open elements; what is around them is at the bottom
        self._open = [_Element(prefix, path, "")]

    def read(self) -> None:
        """Add all leaves."""
        text, at = self._text, 0
        while at < len(text):
            start = text.find("<", at)
            start = len(text) if start < 0 else start
            self._add_here(at, start, in_markup)
            at = self._markup(start) if start < len(text) else start

    def _markup(self, at: int) -> int:
        """Read what begins with `<`; the position after it."""
        text = self._text
        for begin, end, codec in _SPANS:
            if text.startswith(begin, at):
                inner = at + len(begin)
                stop = self._find(end, inner)
                self._add_here(inner, stop, codec)
                return min(len(text), stop + len(end))
        if tag := _TAG.match(text, at):
            return self._tag(tag)
        # A declaration, an instruction, or a `<` that begins nothing.
        if text.startswith(("<!", "<?"), at):
            stop = min(len(text), self._find(">", at) + 1)
        else:
            stop = self._find("<", at + 1)
        self._add_here(at, stop, in_tag)
        return stop

    def _tag(self, tag: re.Match[str]) -> int:
        """Read a tag that begins here; the position after it."""
        text = self._text
        name = tag["name"].lower() if self._html else tag["name"]
        attributes: list[_Attribute] = []
        plain = shown(name) != "*"
        at = tag.end()
        while match := _ATTRIBUTE.match(text, at):
            plain &= shown(match["name"]) != "*"
            group = match.lastgroup or "name"  # without a value, the name is what it says
            said = unescaped(match[group])
            attributes.append(_Attribute(match["name"], said, *match.span(group), _CODECS[group]))
            at = match.end()
        end = _TAG_END.match(text, at)
        if end is None or not plain or (tag["close"] and attributes):
            # No tag as they should be: all of it is looked at as it is written.
            stop = self._find("<", at)
            self._add_here(tag.start(), stop, in_tag)
            return stop
        if tag["close"]:
            self._close(name)
            return end.end()
        element = self._element(name, attributes)
        at = end.end()
        if "/" in end[0] or (self._html and name in _VOID):
            return at
        if self._html and (closing := _RAW.get(name)):
            found = closing.search(text, at)
            stop = found.start() if found else len(text)
            self._add(at, stop, verbatim, element)
            return stop
        if len(self._open) < _MAX_DEPTH:
            self._names.append(name)
            self._open.append(element)
        return at

    def _element(self, name: str, attributes: list[_Attribute]) -> _Element:
        """Add the attributes of an element."""
        around = self._open[-1]
        location = within(around.location) + shown(name)
        path = (*around.path, name)
        said = {attribute.name.lower(): attribute.said for attribute in attributes}
        label = said.get("name") or said.get("key") or ""
        for attribute in attributes:
            if not attribute.said:
                continue
            called = label if label and attribute.name.lower() in _LABELLED else attribute.name
            add_text(
                self._layout,
                attribute.said,
                f"{location}.@{shown(attribute.name)}",
                called,
                self._holder,
                attribute.start,
                attribute.end,
                attribute.codec,
                path,
                attribute.name,
            )
        return _Element(location, path, label or name)

    def _close(self, name: str) -> None:
        """Close the innermost element of this name, with all in it."""
        if name in self._names:
            while self._names.pop() != name:
                self._open.pop()
            self._open.pop()

    def _add_here(self, start: int, end: int, codec: Codec) -> None:
        self._add(start, end, codec, self._open[-1])

    def _add(self, start: int, end: int, codec: Codec, element: _Element) -> None:
        raw = self._text[start:end]
        if not raw or raw.isspace():
            return
        add_text(
            self._layout,
            unescaped(raw) if codec is in_markup else raw,
            element.location or "body",
            element.key,
            self._holder,
            start,
            end,
            codec,
            element.path,
            Place.HERE,
        )

    def _find(self, mark: str, at: int) -> int:
        found = self._text.find(mark, at)
        return len(self._text) if found < 0 else found
