"""Texts in rows looked at by what they hold: whatever column they come from (the content tier).

A run of rows is a body like any other to redaction: each text in it is a leaf, named by its column.
What is found is taken out, or only told.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from struct import Struct, error
from typing import Final

import orjson

from proctor.errors import InternalError
from proctor.model import Finding, Principal, Session
from proctor.postgres.masking.arrays import map_binary, map_text
from proctor.postgres.masking.lines import Lines
from proctor.postgres.masking.rows import FieldDescription, formats_of
from proctor.postgres.masking.values import TEXT_ARRAYS, TEXTS
from proctor.protocols.postgres.messages import string
from proctor.redaction.model import Change, Direction, Document, Leaf, Skipped
from proctor.redaction.redactor import Piece
from proctor.redaction.screen import Screen
from proctor.redaction.structure.codec import applied
from proctor.redaction.structure.names import shown

_COUNT: Final = Struct("!H")
_INT: Final = Struct("!i")
_HEAD: Final = Struct("!BI")
_TEXT, _JSON, _JSONB, _XML = 25, 114, 3802, 142
_PLAIN: Final = TEXTS | {_JSON, _JSONB, _XML}
# In text format nothing but digits and marks, or true and false: no text, and not to be replaced.
_NO_TEXT: Final = frozenset(
    {
        *(16, 20, 21, 23, 26, 28, 29, 700, 701, 790, 1700),  # bool, integers, floats, oid, numeric
        *(1082, 1083, 1114, 1184, 1186, 1266, 2950),  # dates and times, uuid
        *(1000, 1005, 1007, 1016, 1021, 1022, 1028, 1115, 1182, 1185, 1231, 2951),  # their arrays
    }
)
# Of these the binary format holds no characters, either: bytea, bits, places, addresses, names of
# the catalog by number, ranges of numbers and dates.
_NO_CHARACTERS: Final = _NO_TEXT | {
    *(17, 22, 24, 27, 30, 600, 601, 602, 603, 604, 628, 650, 718, 774, 829, 869, 1560, 1562, 2278),
    *(2202, 2203, 2204, 2205, 2206, 3220, 3904, 3906, 3908, 3910, 3912, 3926),
}
# cidr, inet, macaddr8 and macaddr, and their arrays
_ADDRESSES: Final = frozenset({650, 869, 774, 829, 651, 1041, 775, 1040})
# Fields of an error or a notice that are words, and may quote values (54.8).
_WORDS: Final = {"M": "message", "D": "detail", "H": "hint", "W": "where", "q": "query"}
_PAYLOAD: Final = 4  # bytes of a process's number before a notification's channel


@dataclass(frozen=True, slots=True)
class Looked:
    """A run of rows as it goes on, and what was found in it.

    Attributes:
        data: The rows.
        findings: One for each value and place.
        counts: How often each of them was found.
    """

    data: bytes = field(repr=False)
    findings: tuple[Finding, ...] = ()
    counts: tuple[int, ...] = ()


class ContentRows:
    """Looks at the texts of one answer.

    Args:
        screen: The listener's: what is looked for, and what is done with it.
        principal: Whose surrogates.
        session: What they are kept for.
        mask: What is found is taken out; False: it is only told.
        encoding: Python's name for the client's.
    """

    def __init__(
        self,
        screen: Screen,
        principal: Principal,
        session: Session | None,
        *,
        mask: bool,
        encoding: str = "utf-8",
    ) -> None:
        self._screen = screen
        self._operators = screen.operators(principal, session)
        self._mask = mask
        self._encoding = encoding

    async def rows(
        self,
        data: bytes,
        fields: Sequence[FieldDescription],
        formats: Sequence[int] | None,
        texts: frozenset[int] = frozenset(),
    ) -> Looked:
        """Look at a run of whole DataRow messages.

        Args:
            data: The messages, as far as possible after one another: names stand in context.
            fields: What they hold.
            formats: As Bind asked for them; None where `fields` knows.
            texts: OIDs of more types that are texts, such as citext.

        Raises:
            RedactionError: They cannot be looked at whole: nothing of them may pass.
            InternalError: Code `sql-masking`: they do not fit their description.
        """
        columns = _columns(fields, formats, texts)
        if not any(columns):
            return Looked(data)
        return await self._look(data, lambda raw: _Run(raw, columns, self._encoding))

    async def copied(self, data: bytes, *, csv: bool = False) -> Looked:
        """Look at lines of COPY's text format, or of its csv format.

        Args:
            data: Whole CopyData messages of one line each.
            csv: Whether values stand between commas, and in quotes.

        Raises:
            RedactionError: They cannot be looked at whole: nothing of them may pass.
        """
        return await self._look(data, lambda raw: Lines(raw, self._encoding, csv=csv))

    async def said(self, body: bytes) -> Looked:
        """Look at the words of an ErrorResponse or a NoticeResponse.

        Args:
            body: Of the message.

        Raises:
            RedactionError: They cannot be looked at whole: nothing of them may pass.
            ClientError: Code `pg-message`: it is none.
        """
        return await self._look(body, lambda raw: _Words(_words(raw), self._encoding))

    async def notified(self, body: bytes) -> Looked:
        """Look at the payload of a NotificationResponse; as `said`."""
        read = partial(_named, start=_PAYLOAD, name="payload")
        return await self._look(body, lambda raw: _Words(read(raw), self._encoding))

    async def parameter(self, body: bytes) -> Looked:
        """Look at the value of a ParameterStatus; as `said`."""
        read = partial(_named, start=0, name="setting")
        return await self._look(body, lambda raw: _Words(read(raw), self._encoding))

    async def _look(self, data: bytes, read: Callable[[bytes], Document]) -> Looked:
        parts = self._screen.parts
        look = await self._screen.look((Piece(data, read, b""),))
        seen = look.sights[0].found
        if not seen:
            return Looked(data)
        # An answer that is blocked midway could not be taken up again: it is masked.
        methods = self._screen.methods(Direction.RESPONSE, {}, history=True)
        findings = parts.redactor.findings(look, methods, Direction.RESPONSE, history=True)
        often = Counter((each.type, each.location, each.digest) for each in seen)
        counts = tuple(often[each.type, each.location, each.digest] for each in findings)
        if not self._mask:
            return Looked(data, findings, counts)
        outcome = parts.redactor.take_out(
            look, 0, methods, self._operators, scope=None, budget=parts.budget()
        )
        self._operators.commit()
        return Looked(outcome.sent, findings, counts)


type _Columns = tuple[tuple[str, int, bool] | None, ...]
"""By ordinal: name, type and whether binary; None for what is not looked at."""


def _columns(
    fields: Sequence[FieldDescription], formats: Sequence[int] | None, texts: frozenset[int]
) -> _Columns:
    columns: list[tuple[str, int, bool] | None] = []
    for one, binary in zip(fields, formats_of(fields, formats), strict=True):
        if one.type in (_NO_CHARACTERS if binary else _NO_TEXT):
            columns.append(None)
            continue
        name = one.name.decode("utf-8", "replace")
        columns.append((name, _TEXT if one.type in texts else one.type, binary))
    return tuple(columns)


class _Words:
    """A `Document` of a message in which texts stand, each before a zero byte.

    Args:
        parts: Bytes that stay, and after them a text and its name; "" for none.
    """

    def __init__(self, parts: Sequence[tuple[bytes, bytes, str]], encoding: str) -> None:
        self._parts = parts
        self._encoding = encoding
        self.leaves = [
            Leaf(text.decode(encoding, "replace"), name) for _, text, name in parts if name
        ]
        self.skipped: Sequence[Skipped] = ()

    def splice(self, changes: Mapping[int, Sequence[Change]]) -> bytes:
        written: list[bytes] = []
        number = 0
        for before, text, name in self._parts:
            new = text
            if name:
                if number in changes:
                    said = applied(self.leaves[number].text, changes[number])
                    new = said.encode(self._encoding, "replace")
                number += 1
            written += (before, new)
        return b"".join(written)


def _words(body: bytes) -> list[tuple[bytes, bytes, str]]:
    parts: list[tuple[bytes, bytes, str]] = []
    at = 0
    before = b""
    while at < len(body) and body[at]:
        text, end = string(body, at + 1)
        name = _WORDS.get(chr(body[at]), "")
        parts.append((before + body[at : at + 1], text, name))
        before, at = b"\0", end
    return [*parts, (before + body[at:], b"", "")]


def _named(body: bytes, *, start: int, name: str) -> list[tuple[bytes, bytes, str]]:
    """The second of two texts that begin at `start`."""
    _, at = string(body, start)
    text, end = string(body, at)
    return [(body[:at], text, name), (body[end - 1 :], b"", "")]


class _Run:
    """A `Document` of DataRow messages: a leaf for each text in a column that is looked at."""

    def __init__(self, data: bytes, columns: _Columns, encoding: str) -> None:
        self.leaves: list[Leaf] = []
        self.skipped: Sequence[Skipped] = ()
        self._columns = columns
        self._encoding = encoding
        self._rows = tuple(_rows(data, len(columns)))
        for row in self._rows:
            for value, column in zip(row, columns, strict=True):
                if value is not None and column is not None:
                    name, kind, binary = column
                    for text in self._texts(value, kind, binary=binary):
                        self.leaves.append(Leaf(text, shown(name), name))

    def splice(self, changes: Mapping[int, Sequence[Change]]) -> bytes:
        parts: list[bytes] = []
        number = 0
        for row in self._rows:
            written = [_COUNT.pack(len(row))]
            for value, column in zip(row, self._columns, strict=True):
                new = value
                if value is not None and column is not None:
                    _, kind, binary = column
                    count = sum(1 for _ in self._texts(value, kind, binary=binary))
                    mine = range(number, number + count)
                    number += count
                    if any(index in changes for index in mine):
                        new = self._changed(value, kind, mine, changes, binary=binary)
                written.append(_INT.pack(-1) if new is None else _INT.pack(len(new)) + new)
            body = b"".join(written)
            parts += (_HEAD.pack(ord("D"), len(body) + 4), body)
        return b"".join(parts)

    def _texts(self, value: bytes, kind: int, *, binary: bool) -> list[str]:
        found: list[str] = []
        if binary and kind in TEXT_ARRAYS:
            map_binary(value, lambda data: found.append(self._decoded(data)))
            return found
        if binary and kind not in _PLAIN:
            return [value.decode("latin-1")]
        start = 1 if binary and kind == _JSONB else 0
        return [self._decoded(value[start:])]

    def _changed(
        self,
        value: bytes,
        kind: int,
        numbers: range,
        changes: Mapping[int, Sequence[Change]],
        *,
        binary: bool,
    ) -> bytes | None:
        """The value with its changes; None where it would not be valid any more."""
        if binary and kind not in _PLAIN and kind not in TEXT_ARRAYS:
            return None  # a composite, or of a type nobody knows: its lengths stand in it
        new = iter(
            applied(self.leaves[index].text, changes.get(index, ())).encode(
                self._encoding, "replace"
            )
            for index in numbers
        )
        if binary and kind in TEXT_ARRAYS:
            return map_binary(value, lambda _: next(new))
        if kind in _ADDRESSES:
            return None  # what stands in an address's place is none
        data = next(new)
        if kind in (_JSON, _JSONB):
            try:
                orjson.loads(data)
            except ValueError:
                return None
        if kind in TEXT_ARRAYS:
            return map_text(data, lambda element: element, self._encoding)
        return value[:1] + data if binary and kind == _JSONB else data

    def _decoded(self, data: bytes) -> str:
        return data.decode(self._encoding, "replace")


def _rows(data: bytes, count: int) -> list[tuple[bytes | None, ...]]:
    rows: list[tuple[bytes | None, ...]] = []
    at = 0
    try:
        while at < len(data):
            kind, size = _HEAD.unpack_from(data, at)
            end = at + 1 + size
            (columns,) = _COUNT.unpack_from(data, at + 5)
            if kind != ord("D") or end > len(data) or columns != count:
                raise _unfit()
            rows.append(_row(data, at + 7, end, count))
            at = end
    except error:
        raise _unfit() from None
    return rows


def _row(data: bytes, at: int, end: int, count: int) -> tuple[bytes | None, ...]:
    values: list[bytes | None] = []
    for _ in range(count):
        (size,) = _INT.unpack_from(data, at)
        at += 4
        values.append(data[at : at + size] if size >= 0 else None)
        at += max(size, 0)
    if at != end:
        raise _unfit()
    return tuple(values)


def _unfit() -> InternalError:
    return InternalError(
        "sql-masking",
        "The answer is not what was planned for, so that it cannot be masked",
        got="rows that do not fit their description",
    )
