"""Byte-exact walking of a JSON document (RFC 8259).

A reader learns what a body says and where in it each part stands, so that the bytes themselves can
go on untouched. What two parsers may read differently is refused, since we would judge one meaning
and the server act on another: names given twice in one object, NaN and Infinity, numbers beyond a
double, half surrogate pairs, a byte order mark, bytes that are not UTF-8.

An agent sends its whole conversation again each turn. The elements of chosen arrays are therefore
summarised once and known again by the SHA-256 of their bytes; nothing of the text itself is kept.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, NamedTuple, NoReturn, cast

from proctor.errors import ClientError

MAX_DEPTH: Final = 128
"""Levels of arrays and objects. Requests need about ten; RFC 8259 section 9 allows a limit."""

# Bytes from an element's start by which it is looked up. It takes this many to reach the id of a
# tool call. A shorter element is known again only before the same neighbour; it is cheap to read.
_PEEK: Final = 128
_space = re.compile(r"[ \t\n\r]*").match
_escaped_surrogate = re.compile(r"\\u[dD][89a-fA-F]").search


class Span(NamedTuple):
    """A stretch of bytes: from `start` up to, not including, `end`."""

    start: int
    end: int


class Element[S](NamedTuple):
    """One element of a walked array.

    Attributes:
        start: Offset of its first byte.
        end: Offset after its last byte.
        summary: What the array's summariser made of it, now or when it was first seen.
        digest: SHA-256 of its bytes.
    """

    start: int
    end: int
    summary: S
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Document[S]:
    """What a JSON object says and where.

    Attributes:
        values: Members by name, except those in `arrays`.
        arrays: Elements of the walked arrays, by member name.
        spans: Each member, from the quote before its name to the end of its value.
    """

    values: Mapping[str, Any]
    arrays: Mapping[str, tuple[Element[S], ...]]
    spans: Mapping[str, Span]


type _Key = tuple[str, int]  # the array's name, and the hash of how the element begins


class _Known[S](NamedTuple):
    """An element seen before: lengths in characters and bytes, SHA-256 and summary."""

    chars: int
    size: int
    digest: bytes
    summary: S


class SpanReader[S]:
    """Reads JSON objects and remembers summaries of array elements. Not for several threads.

    Args:
        summarise: For each member whose array is walked, what makes a summary of an element's
            value and bytes. It may raise ClientError. The summary must hold all that is needed of
            the element, and nothing that depends on where it stands.
        capacity: How many summaries are remembered; the least recently used goes first.
    """

    def __init__(
        self, summarise: Mapping[str, Callable[[Any, bytes], S]], *, capacity: int = 8192
    ) -> None:
        self._summarise = summarise
        self._capacity = capacity
        self._known: dict[_Key, _Known[S]] = {}

    def read(self, body: bytes) -> Document[S]:
        """Walk one document.

        Args:
            body: The whole document, UTF-8.

        Raises:
            ClientError: `body-not-json`, or what a summariser raised.
        """
        try:
            return _Walk(self, body).document()
        except (ValueError, RecursionError) as error:
            raise not_json(_why(error)) from None

    def recall(self, key: _Key, body: memoryview, start: int) -> _Known[S] | None:
        """The element that begins at `start`, if the very same bytes were seen before.

        A JSON object ends where its first brace is closed, so equal bytes are an equal element.
        """
        known = self._known.get(key)
        if known is None or sha256(body[start : start + known.size]).digest() != known.digest:
            return None
        self._known[key] = self._known.pop(key)
        return known

    def learn(self, key: _Key, value: Any, raw: bytes, chars: int) -> _Known[S]:
        """Summarise a new element, and remember it where it is an object."""
        summary = self._summarise[key[0]](value, raw)
        learnt = _Known(chars, len(raw), sha256(raw).digest(), summary)
        if type(value) is dict:
            self._known.pop(key, None)
            self._known[key] = learnt
            if len(self._known) > self._capacity:
                del self._known[next(iter(self._known))]
        return learnt

    def walks(self, name: str) -> bool:
        """Whether the array of this member is walked."""
        return name in self._summarise


class _Walk[S]:
    """One pass over one document. Positions are in characters; `_ahead` leads to bytes."""

    def __init__(self, reader: SpanReader[S], body: bytes) -> None:
        self._reader = reader
        self._body = body
        self._view = memoryview(body)
        self._text = body.decode()
        self._ascii = len(self._text) == len(body)
        self._ahead = 0  # bytes less characters before the current position

    def document(self) -> Document[S]:
        """The document is one object with nothing before or after it."""
        text = self._text
        if text.startswith("\ufeff"):
            raise ValueError("a byte order mark")  # RFC 8259 section 8.1 forbids sending one
        values: dict[str, Any] = {}
        arrays: dict[str, tuple[Element[S], ...]] = {}
        spans: dict[str, Span] = {}
        at = self._pass(self._blank(0), "{")
        more = text[at : at + 1] != "}"
        while more:
            start = at + self._ahead
            if text[at : at + 1] != '"':
                raise json.JSONDecodeError("", text, at)
            name, at = self._name(at)
            if name in spans:
                raise ValueError(_TWICE)
            at = self._pass(self._blank(at), ":")
            if text[at : at + 1] == "[" and self._reader.walks(name):
                arrays[name], at = self._array(name, at)
            else:
                values[name], at = self._value(at)
            spans[name] = Span(start, at + self._ahead)
            at = self._blank(at)
            more = text[at : at + 1] != "}"
            if more:
                at = self._pass(at, ",")
        if self._pass(at, "}") != len(text):
            raise json.JSONDecodeError("", text, at + 1)
        return Document(values=values, arrays=arrays, spans=spans)

    def _array(self, name: str, at: int) -> tuple[tuple[Element[S], ...], int]:
        text = self._text
        elements: list[Element[S]] = []
        at = self._pass(at, "[")
        more = text[at : at + 1] != "]"
        while more:
            start = at + self._ahead
            key = (name, hash(self._body[start : start + _PEEK]))
            known = self._reader.recall(key, self._view, start)
            if known is not None:
                at += known.chars
                self._ahead += known.size - known.chars
            else:
                begin = at
                value, at = self._value(at)
                raw = self._body[start : at + self._ahead]
                known = self._reader.learn(key, value, raw, at - begin)
            elements.append(Element(start, start + known.size, known.summary, known.digest))
            at = self._blank(at)
            more = text[at : at + 1] != "]"
            if more:
                at = self._pass(at, ",")
        return tuple(elements), at + 1

    def _value(self, at: int) -> tuple[Any, int]:
        """One value of any kind, checked, and the position after it."""
        text = self._text
        value, end = _decoder.raw_decode(text, at)
        if not self._ascii:
            piece = text[at:end]
            self._ahead += len(piece.encode()) - len(piece)
        if isinstance(value, dict | list):
            # Brackets in strings count too: the cheap test only decides whether to look closer.
            brackets = text.count("{", at, end) + text.count("[", at, end)
            if brackets > MAX_DEPTH and _depth(value) > MAX_DEPTH:
                raise RecursionError
        if _escaped_surrogate(text, at, end) and not _encodes(value):
            raise ValueError(_HALF)
        return value, end

    def _name(self, at: int) -> tuple[str, int]:
        """A member's name, and the position after it; a plain one, as all that clients send are."""
        text = self._text
        end = text.find('"', at + 1) + 1
        name = text[at + 1 : end - 1]
        if not end or not name.isascii() or not name.isprintable() or "\\" in name:
            return cast("tuple[str, int]", self._value(at))
        return name, end

    def _blank(self, at: int) -> int:
        if self._text[at : at + 1] > " ":  # the usual case: clients send no blanks
            return at
        match = _space(self._text, at)
        return match.end() if match else at

    def _pass(self, at: int, character: str) -> int:
        """The position after this character and the blanks that follow it."""
        if self._text[at : at + 1] != character:
            raise json.JSONDecodeError("", self._text, at)
        return self._blank(at + 1)


_TWICE: Final = "a name given twice in one object"
_HALF: Final = "half of a surrogate pair"  # RFC 8259 section 8.2


def read_object(body: bytes) -> dict[str, Any]:
    """What one JSON object says, read as strictly as by `SpanReader`, in less time.

    Args:
        body: The whole document, UTF-8.

    Raises:
        ClientError: `body-not-json`.
    """
    try:
        return _object(body.decode())
    except (ValueError, RecursionError) as error:
        raise not_json(_why(error)) from None


def _object(text: str) -> dict[str, Any]:
    # The decoder itself refuses a byte order mark.
    value = _decoder.decode(text)
    if type(value) is not dict:
        raise ValueError("no object")
    brackets = text.count("{") + text.count("[")
    if brackets > MAX_DEPTH and _depth(value) > MAX_DEPTH + 1:  # the object itself is one
        raise RecursionError
    if _escaped_surrogate(text) and not _encodes(value):
        raise ValueError(_HALF)
    return value


def _why(error: ValueError | RecursionError) -> str:
    """What was wrong with a body, without a value of it."""
    match error:
        case UnicodeDecodeError():
            return f"bytes that are not UTF-8 at offset {error.start}"
        case json.JSONDecodeError():
            return f"something else at character {error.pos}"
        case RecursionError():
            return "arrays and objects nested too deeply"
        case _:
            return str(error)  # ours, or int()'s limit on digits; neither repeats a value


def not_json(got: str) -> ClientError:
    """The error for a body that cannot be read, or could be read in two ways."""
    return ClientError(
        code="body-not-json",
        message="The body cannot be read as one unambiguous JSON object",
        got=got,
        expected="UTF-8 JSON as in RFC 8259, each name once",
        status=400,
    )


def loads(text: str) -> Any:
    """One JSON value, as strictly as a body is read, save for halves of surrogate pairs.

    Raises:
        ValueError: It is not JSON, or ambiguous.
        RecursionError: It is nested too deeply for the interpreter.
    """
    return _decoder.decode(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 8259 section 4: with equal names, what a receiver reads is unpredictable."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError(_TWICE)
    return members


def _finite(digits: str) -> float:
    """RFC 8259 section 6: a number beyond a double is not interoperable."""
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number too large for a double")
    return number


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN or Infinity")


def _depth(value: Any) -> int:
    """Levels of arrays and objects, counted without recursion."""
    level, depth = [value], 0
    while containers := [node for node in level if type(node) is dict or type(node) is list]:
        depth += 1
        level = [
            child
            for node in containers
            for child in (node.values() if type(node) is dict else node)
        ]
    return depth


def _encodes(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant
)
