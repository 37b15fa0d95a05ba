"""YAML files as plain data that remembers its lines.

YAML 1.2 (so `on` and `yes` are words, not booleans), less what a configuration does not need and
what reads differently elsewhere: anchors and aliases (YAML 1.2.2, 7.1), tags (6.8.2), directives
(6.8), several documents (9.2), and duplicate keys (3.2.1.3), each an error with file and line.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    NodeEvent,
    ScalarEvent,
)
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from proctor.errors import ConfigurationError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32

type Key = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file, read.

    Attributes:
        name: The file, as messages name it.
        raw: Its exact bytes.
        data: dict, list, str, int, float, bool or None; every key is a str. None if empty.
        lines: Line of each place, counted from 1.
    """

    name: str
    raw: bytes = field(repr=False)
    data: Any = field(repr=False)
    lines: dict[tuple[Key, ...], int] = field(repr=False)

    def line(self, *keys: Key) -> int:
        """Line of the key or item at this path, or of the nearest place above that is there."""
        for end in range(len(keys), 0, -1):
            if keys[:end] in self.lines:
                return self.lines[keys[:end]]
        return self.lines.get((), 1)

    def where(self, *keys: Key) -> str:
        """`file:line` for an error's `where`."""
        return f"{self.name}:{self.line(*keys)}"


def read(path: Path) -> Document:
    """Read one YAML file of at most 1 MiB.

    Raises:
        ConfigurationError: It cannot be read, or holds what is not allowed here.
    """
    return parse(read_bytes(path, MAX_BYTES + 1), name=str(path))


def read_bytes(path: Path, most: int) -> bytes:
    """The first `most` bytes of a file.

    Raises:
        ConfigurationError: `file-unreadable`.
    """
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise ConfigurationError(
            code="file-unreadable",
            message="The file cannot be read",
            got=error.strerror or type(error).__name__,
            where=str(path),
        ) from None


def parse(raw: bytes, *, name: str) -> Document:
    """Read YAML from memory; `name` stands for the file in messages.

    Raises:
        ConfigurationError: It holds what is not allowed here.
    """
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(
            code="yaml-too-large",
            message="The file is too large",
            got="more than 1 MiB",
            expected="at most 1 MiB",
            where=name,
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _error(name, raw.count(b"\n", 0, error.start), "The file is not UTF-8") from None
    try:
        _check_events(text, name)
        node = _yaml().compose(text)
        lines: dict[tuple[Key, ...], int] = {(): 1}
        data = None if node is None else _plain(node, (), name, lines)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "it cannot be parsed"
        raise _error(name, 0 if mark is None else mark.line, f"Not YAML: {problem}") from None
    except YAMLError as error:
        # Characters that YAML does not allow at all (5.1) come without a mark.
        raise _error(name, 0, f"Not YAML: {str(error).splitlines()[0]}") from None
    return Document(name=name, raw=raw, data=data, lines=lines)


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)


def _error(name: str, line: int, message: str, hint: str = "") -> ConfigurationError:
    return ConfigurationError(
        code="yaml-invalid", message=message, hint=hint, where=f"{name}:{line + 1}"
    )


def _check_events(text: str, name: str) -> None:
    """Refuse by events, before anything is built: aliases cannot multiply, nor depth recurse."""
    depth = documents = 0
    for event in _events(text):
        line = event.start_mark.line
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _error(name, line, "More than one document in the file")
            if event.version is not None or event.tags:
                raise _error(name, line, "A YAML directive is not allowed here")
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor):
            raise _error(
                name, line, "Anchors and aliases are not allowed here", "Write the value out."
            )
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag is not None:
            raise _error(name, line, "A YAML tag is not allowed here")
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _error(name, line, f"Nested more than {MAX_DEPTH} deep")
        elif isinstance(event, CollectionEndEvent):
            depth -= 1


def _events(text: str) -> Iterator[Any]:
    yield from _yaml().parse(text)


def _plain(
    node: Node, path: tuple[Key, ...], name: str, lines: dict[tuple[Key, ...], int]
) -> object:
    if isinstance(node, MappingNode):
        mapping: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = _key(key_node, name)
            line = key_node.start_mark.line
            if key in mapping:
                first = lines[(*path, key)]
                raise _error(name, line, f"The key {key!r} stands twice, first in line {first}")
            lines[(*path, key)] = line + 1
            mapping[key] = _plain(value_node, (*path, key), name, lines)
        return mapping
    if isinstance(node, SequenceNode):
        items: list[object] = []
        for index, item in enumerate(node.value):
            lines[(*path, index)] = item.start_mark.line + 1
            items.append(_plain(item, (*path, index), name, lines))
        return items
    return _scalar(node, name)


def _key(node: Node, name: str) -> str:
    if isinstance(node, ScalarNode) and _kind(node) in {"str", "merge"}:
        return _text(node, name)
    raise _error(name, node.start_mark.line, "A key must be a word", "Put it in quotes.")


def _scalar(node: Node, name: str) -> object:
    if _kind(node) not in {"int", "float", "bool", "null"}:
        return _text(node, name)  # dates too: the reader knows what form it expects
    try:
        value: object = _yaml().constructor.construct_object(node)
    except ValueError:
        raise _error(name, node.start_mark.line, "Not a number that can be read") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise _error(name, node.start_mark.line, "A number must be finite")
    return value


def _kind(node: Node) -> str:
    return str(node.tag).rsplit(":", 1)[-1]


def _text(node: Node, name: str) -> str:
    text = str(node.value)
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise _error(name, node.start_mark.line, "A lone surrogate is no character")
    return text
