"""From method and path to an operation (OAS 4.8.8): concrete paths before templated ones.

Servers do not agree on what a path says: some decode `%2F` before they look, some drop `;…` from a
segment, some do not tell capitals from small letters. A path that would lead to another operation
when read like that leads to none here.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

MAX_PATH: Final = 8192
_SLASHES: Final = re.compile(r"[/\\]")

type Pieces = tuple[str, ...]
"""What stands around a segment's variables: `{base}...{head}` is `("", "...", "")`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A path with variables, cut into segments.

    Attributes:
        segments: Of each the text around its variables; a concrete one has a single piece.
        names: The variables in order.
    """

    segments: tuple[Pieces, ...]
    names: tuple[str, ...]

    def folded(self) -> tuple[Pieces, ...]:
        """The segments as a server reads them that does not tell capitals from small letters."""
        return tuple(tuple(piece.lower() for piece in pieces) for pieces in self.segments)


def parse_template(path: str) -> Template:
    """Read a path as a description writes it.

    Raises:
        ValueError: It does not begin with `/`, its braces do not pair, or a name comes twice.
    """
    if not path.startswith("/") or "?" in path or "#" in path:
        raise ValueError("a path begins with / and has neither ? nor #")
    segments: list[Pieces] = []
    names: list[str] = []
    for segment in path[1:].split("/"):
        head, *rest = segment.split("{")
        pieces = [head]
        for part in rest:
            name, closed, literal = part.partition("}")
            if not closed or not name:
                raise ValueError("braces that do not pair")
            names.append(name)
            pieces.append(literal)
        if any("}" in piece for piece in pieces):
            raise ValueError("braces that do not pair")
        segments.append(tuple(_decoded(piece) or "" for piece in pieces))
    if len(set(names)) != len(names):
        raise ValueError("a variable that comes twice")
    return Template(segments=tuple(segments), names=tuple(names))


@dataclass(slots=True)
class _Node[T]:
    """One segment deep in the tree of paths."""

    concrete: dict[str, "_Node[T]"] = field(default_factory=dict)
    templated: list[tuple[Pieces, "_Node[T]"]] = field(default_factory=list)
    ends: dict[str, tuple[Template, T]] | None = None

    def below(self, pieces: Pieces) -> "_Node[T]":
        """The node for this segment, made where it is missing."""
        if len(pieces) == 1:
            return self.concrete.setdefault(pieces[0], _Node())
        for known, node in self.templated:
            if known == pieces:
                return node
        node = _Node[T]()
        self.templated.append((pieces, node))
        # The more is fixed, the more concrete.
        self.templated.sort(key=lambda entry: -sum(map(len, entry[0])))
        return node

    def find(self, segments: tuple[str, ...], at: int = 0) -> "_Node[T] | None":
        """The path's node; as deep as the description's longest path, so recursion is bounded."""
        if at == len(segments):
            return self if self.ends is not None else None
        segment = segments[at]
        node = self.concrete.get(segment)
        found = node.find(segments, at + 1) if node else None
        if found is None:
            for pieces, below in self.templated:
                if _values(pieces, segment) is not None:
                    found = below.find(segments, at + 1)
                    if found is not None:
                        break
        return found


class Router[T]:
    """Finds what was added by method and path."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._folded: _Node[T] = _Node()

    def add(self, method: str, template: Template, target: T) -> bool:
        """Add an operation; False where another one answers to the very same requests."""
        ends = _ends(self._root, template.segments)
        if method in ends:
            return False
        ends[method] = (template, target)
        _ends(self._folded, template.folded())[method] = (template, target)
        return True

    def find(self, method: str, path: str) -> tuple[T, dict[str, str]] | None:
        """The target and the values of its path's variables, decoded.

        Args:
            method: In capitals.
            path: As sent, without query.

        Returns:
            None where nothing answers, or the path could be read in two ways.
        """
        segments = _cut(path)
        if segments is None:
            return None
        node = self._root.find(segments)
        if node is None or node.ends is None or method not in node.ends:
            return None
        template, target = node.ends[method]
        key = template.folded()
        for reading in _readings(segments):
            other = self._folded.find(reading)
            if other is not None and other.ends is not None:
                ends = other.ends.get(method)
                if ends is None or ends[0].folded() != key:
                    return None
        values = [
            value
            for pieces, segment in zip(template.segments, segments, strict=True)
            for value in _values(pieces, segment) or ()
        ]
        return target, dict(zip(template.names, values, strict=True))


def _ends[T](node: _Node[T], segments: tuple[Pieces, ...]) -> dict[str, tuple[Template, T]]:
    for pieces in segments:
        node = node.below(pieces)
    if node.ends is None:
        node.ends = {}
    return node.ends


def _cut(path: str) -> tuple[str, ...] | None:
    """The decoded segments; None where one is no text, or leads up or nowhere (RFC 3986 5.2.4)."""
    if not path.startswith("/") or len(path) > MAX_PATH:
        return None
    segments: list[str] = []
    for raw in path[1:].split("/"):
        segment = _decoded(raw)
        if segment is None or "\0" in segment:
            return None
        if any(part.partition(";")[0] in (".", "..") for part in _SLASHES.split(segment)):
            return None
        segments.append(segment)
    return tuple(segments)


def _readings(segments: tuple[str, ...]) -> list[tuple[str, ...]]:
    """How else a server may read it: in small letters, and also with `/` decoded, `;…` dropped."""
    joined = "/".join(segments).lower()
    readings = [tuple(segment.lower() for segment in segments)]
    if "\\" in joined or joined.count("/") >= len(segments):
        readings.append(tuple(joined.replace("\\", "/").split("/")))
    if ";" in joined:
        readings += [tuple(part.partition(";")[0] for part in reading) for reading in readings]
    return readings


def _values(pieces: Pieces, segment: str) -> list[str] | None:
    """What the variables stand for, none empty; None where the segment is not like this."""
    first, *middle = pieces
    if not segment.startswith(first):
        return None
    if not middle:
        return [] if segment == first else None
    last = middle.pop()
    values: list[str] = []
    at = len(first)
    for literal in middle:
        found = segment.find(literal, at + 1)
        if found < 0:
            return None
        values.append(segment[at:found])
        at = found + len(literal)
    end = len(segment) - len(last)
    if end <= at or not segment.endswith(last):
        return None
    return [*values, segment[at:end]]


def _decoded(raw: str) -> str | None:
    if "%" not in raw:
        return raw
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        return None
