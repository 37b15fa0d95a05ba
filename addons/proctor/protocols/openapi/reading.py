"""A description's file as plain data: JSON, or YAML 1.2 as far as OpenAPI allows it.

`proctor.yamlfile` reads our own files, of at most 1 MiB. Descriptions are much larger (GitHub's has
13 MB), so libyaml reads these, event by event: no recursion, no aliases, no tags.
"""

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # ships no types

from proctor.errors import ConfigurationError
from proctor.protocols.jsonspan import loads
from proctor.yamlfile import read_bytes

MAX_BYTES: Final = 16 * 2**20
MAX_DEPTH: Final = 100
_TOO_DEEP: Final = f"Nested more than {MAX_DEPTH} deep"

type Key = str | int
type Pointer = tuple[Key, ...]

# YAML 1.2.2, 10.3.2: the core schema, of which OpenAPI allows no more than JSON has (OAS 4.2).
_INT: Final = re.compile(r"[-+]?[0-9]{1,4000}")
_FLOAT: Final = re.compile(
    r"[-+]?(?:\.[0-9]{1,400}|[0-9]{1,400}(?:\.[0-9]{0,400})?)(?:[eE][-+]?[0-9]{1,5})?"
)
_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file, read.

    Attributes:
        name: The file, as messages name it.
        text: What stands in it.
        data: dict, list, str, int, float, bool or None; every key is a str.
    """

    name: str
    text: str = field(repr=False)
    data: Any = field(repr=False)

    def where(self, pointer: Pointer = ()) -> str:
        """`file:line` of this place, or of the nearest above it that is there.

        It reads the file once more, so it is for errors only.
        """
        lines: dict[Pointer, int] = {(): 1}
        try:
            _Builder(self.name, self.text, lines).build()
        except ConfigurationError:
            return self.name  # JSON that is no YAML: tabs, mostly
        line = next(
            lines[pointer[:end]] for end in range(len(pointer), -1, -1) if pointer[:end] in lines
        )
        return f"{self.name}:{line}"


def read(path: Path) -> Source:
    """Read a description of at most 16 MiB.

    Raises:
        ConfigurationError: `file-unreadable`, `openapi-too-large`, `openapi-invalid`.
    """
    return parse(read_bytes(path, MAX_BYTES + 1), name=str(path))


def parse(raw: bytes, *, name: str) -> Source:
    """Read from memory; `name` stands for the file in messages.

    Raises:
        ConfigurationError: `openapi-too-large`, `openapi-invalid`.
    """
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(
            code="openapi-too-large",
            message="The description is too large",
            got="more than 16 MiB",
            expected="at most 16 MiB",
            where=name,
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise invalid("The file is not UTF-8", f"{name}:{line}") from None
    if text.lstrip(" \t\r\n").startswith("{"):
        data = _json(text, name)
    else:
        data = _Builder(name, text, None).build()
    return Source(name=name, text=text, data=data)


def invalid(message: str, where: str, *, expected: str = "", hint: str = "") -> ConfigurationError:
    """The error for a description that cannot be used."""
    return ConfigurationError(
        code="openapi-invalid", message=message, expected=expected, hint=hint, where=where
    )


def _json(text: str, name: str) -> object:
    try:
        data = loads(text)
    except json.JSONDecodeError as error:
        raise invalid(f"Not JSON: {error.msg}", f"{name}:{error.lineno}") from None
    except ValueError as error:
        raise invalid(f"Not JSON: {error}", name) from None
    except RecursionError:
        raise invalid(_TOO_DEEP, name) from None
    if deeper(data, MAX_DEPTH):
        raise invalid(_TOO_DEEP, name)
    return data


def deeper(value: object, levels: int) -> bool:
    """Whether lists and objects are nested more than so many levels deep."""
    level: list[Any] = [[value]]
    for _ in range(levels + 1):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


class _Builder:
    """Builds the data from libyaml's events; with `lines`, notes where each place begins."""

    def __init__(self, name: str, text: str, lines: dict[Pointer, int] | None) -> None:
        self._name = name
        self._text = text
        self._lines = lines
        self._stack: list[dict[str, Any] | list[Any]] = []
        self._path: list[Key] = []  # where the innermost container stands, from a list around all
        self._waiting: list[str | None] = []  # per container: the key whose value comes next
        self._root: list[Any] = []

    def build(self) -> Any:
        """The document's data.

        Raises:
            ConfigurationError: `openapi-invalid`.
        """
        try:
            for event in yaml.parse(self._text, Loader=yaml.CSafeLoader):
                self._take(event)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise invalid(f"Not YAML: {error.problem}", f"{self._name}:{line}") from None
        except yaml.YAMLError:
            raise invalid("Not YAML: a character that YAML does not allow", self._name) from None
        return self._root[0] if self._root else None

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent) and self._root:
            raise self._error(event, "More than one document in the file")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            hint = "Use $ref, or write it out."
            raise self._error(event, "Anchors and aliases are not allowed here", hint)
        if isinstance(event, yaml.CollectionEndEvent):
            self._stack.pop()
            self._waiting.pop()
            self._path.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._node(event)

    def _node(self, event: Any) -> None:
        if event.tag is not None:
            raise self._error(event, "A YAML tag is not allowed here")
        scalar = isinstance(event, yaml.ScalarEvent)
        if self._stack and isinstance(self._stack[-1], dict) and self._waiting[-1] is None:
            if not scalar:
                raise self._error(event, "A key must be a word", "Put it in quotes.")
            self._key(event)
        elif scalar:
            self._put(self._value(event) if event.implicit[0] else event.value, event)
        else:
            if len(self._stack) == MAX_DEPTH:
                raise self._error(event, _TOO_DEEP)
            container: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            self._path.append(self._put(container, event))
            self._stack.append(container)
            self._waiting.append(None)

    def _key(self, event: Any) -> None:
        """A key is its text: answers' codes are often written as numbers."""
        if event.value in self._stack[-1]:
            raise self._error(event, "A key stands twice in one mapping")
        self._waiting[-1] = event.value
        self._note(event, event.value)

    def _put(self, value: Any, event: Any) -> Key:
        """Put a value where it belongs; returns its key or index there."""
        top = self._stack[-1] if self._stack else self._root
        if isinstance(top, dict):
            key = self._waiting[-1] or ""
            self._waiting[-1] = None
            top[key] = value
            return key
        top.append(value)
        self._note(event, len(top) - 1)
        return len(top) - 1

    def _note(self, event: Any, key: Key) -> None:
        if self._lines is not None:
            pointer = (*self._path, key)
            self._lines[pointer[1:]] = event.start_mark.line + 1

    def _value(self, event: Any) -> object:
        text: str = event.value
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isfinite(number):
                return number
            raise self._error(event, "A number must be finite")
        return text

    def _error(self, event: Any, message: str, hint: str = "") -> ConfigurationError:
        return invalid(message, f"{self._name}:{event.start_mark.line + 1}", hint=hint)
