"""What stands in place of one value: valid in its type and in either format, or NULL.

Formats are PostgreSQL's own (array_out, the send functions, "Data Types"). Whether a text fits a
column's length does not matter in an answer.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from struct import Struct, error
from typing import Final
from uuid import UUID

import orjson

from proctor.postgres.masking.arrays import map_binary, map_text
from proctor.postgres.masking.model import Method, Sensitive
from proctor.redaction.model import Method as Replacement
from proctor.redaction.model import Spot
from proctor.redaction.operators import Operators
from proctor.redaction.surrogates import MAX_TYPE

TEXTS: Final = frozenset({18, 19, 25, 705, 1042, 1043})
"""OIDs of "char", name, text, unknown, bpchar and varchar: both formats are the characters."""

TEXT_ARRAYS: Final = frozenset({1003, 1009, 1014, 1015})
"""OIDs of name[], text[], bpchar[] and varchar[]."""

_BOOL, _BYTEA, _INT8, _INT2, _INT4, _JSON = 16, 17, 20, 21, 23, 114
_FLOAT4, _FLOAT8, _DATE, _TIMESTAMP, _TIMESTAMPTZ = 700, 701, 1082, 1114, 1184
_NUMERIC, _UUID, _JSONB, _CHAR = 1700, 2950, 3802, 18
_INTEGERS: Final = {_INT2: Struct("!h"), _INT4: Struct("!i"), _INT8: Struct("!q")}
_FLOATS: Final = {_FLOAT4: Struct("!f"), _FLOAT8: Struct("!d")}
_EPOCH: Final = date(2000, 1, 1)  # of dates in binary, in days

_EMAIL: Final = re.compile(r"([^@\s])[^@\s]*@[^@\s]+\.([A-Za-z]{2,24})\Z")
_SHOWN: Final = 4  # characters at the end of what is no e-mail address
_LEAST: Final = 8  # characters a text has, so that some may be shown
_NO_TYPE: Final = re.compile(r"[^A-Z0-9_]")

type Change = Callable[[bytes], bytes | None]
"""A value's bytes to those that stand in its place; None for NULL."""


@dataclass(frozen=True, slots=True)
class Always:
    """A change to one value, whatever it was."""

    value: bytes | None

    def __call__(self, _data: bytes) -> bytes | None:
        """The value."""
        return self.value


_NOTHING: Final = Always(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What values are made with.

    Attributes:
        operators: Make hashes and surrogates, which the vault keeps, for one principal; None:
            both become NULL.
        encoding: Python's name for the client's encoding.
        texts: OIDs of more types whose two formats are their characters, such as citext.
    """

    operators: Operators | None = field(repr=False)
    encoding: str = "utf-8"
    texts: frozenset[int] = frozenset()


def change_for(  # noqa: PLR0911 - by method and type
    column: Sensitive, oid: int, *, binary: bool, means: Means
) -> Change:
    """What changes a column's values.

    Args:
        column: How it is masked.
        oid: Of its type, as RowDescription has it.
        binary: Its format.
        means: What values are made with.
    """
    method = column.method
    needs = method in (Method.HASH, Method.SURROGATE)
    if method is Method.NULL or (needs and means.operators is None):
        return _NOTHING
    if method is Method.FIXED:
        return Always(_fixed(column.value, oid, binary=binary, means=means))
    if oid in TEXTS or oid in means.texts:
        # "char" holds a single byte.
        return _NOTHING if oid == _CHAR else _text_change(column, means)
    if oid in TEXT_ARRAYS:
        change = _text_change(column, means)
        if binary:
            return lambda data: map_binary(data, change)
        return lambda data: map_text(data, change, means.encoding)
    if method is Method.HASH and oid in (_UUID, _BYTEA):
        return _hash_change(column, oid, binary=binary, means=means)
    return _NOTHING


def entity_of(column: Sensitive, text: str) -> str:
    """The type of a value's surrogate, which is the one that detectors give it in a prompt."""
    if column.entity:
        return column.entity
    if _EMAIL.match(text):
        return "EMAIL_ADDRESS"
    name = _NO_TYPE.sub("_", column.column.upper())[:MAX_TYPE]
    return name if name[:1].isalpha() else f"C_{name}"[:MAX_TYPE]


def partial(text: str) -> str:
    """`a***@***.com` of an e-mail address, `***6789` of what is long enough, else `***`."""
    if mail := _EMAIL.match(text):
        return f"{mail[1]}***@***.{mail[2]}"
    return f"***{text[-_SHOWN:]}" if len(text) >= _LEAST else "***"


def _text_change(column: Sensitive, means: Means) -> Change:
    def change(data: bytes) -> bytes | None:
        try:
            text = data.decode(means.encoding)
            if column.method is Method.PARTIAL:
                new = partial(text)
            elif column.method is Method.HASH:
                new = _digest(column, text, means).hex()
            else:
                new = _replaced(column, text, Replacement.SURROGATE, means)
            return new.encode(means.encoding)
        except UnicodeError:
            return None

    return change


def _hash_change(column: Sensitive, oid: int, *, binary: bool, means: Means) -> Change:
    def uuid(data: bytes) -> bytes | None:
        try:
            value = UUID(bytes=data) if binary else UUID(data.decode("ascii"))
        except ValueError:
            return None
        new = UUID(bytes=_digest(column, str(value), means), version=4)
        return new.bytes if binary else str(new).encode()

    def raw(data: bytes) -> bytes | None:
        value = data.hex() if binary else data.decode("latin-1").removeprefix("\\x")
        new = _digest(column, value, means)
        return new if binary else b"\\x" + new.hex().encode()

    return uuid if oid == _UUID else raw


def _digest(column: Sensitive, text: str, means: Means) -> bytes:
    """16 bytes that only this installation can make of the text."""
    keyed = _replaced(column, text, Replacement.HASH, means)
    return sha256(keyed.encode("utf-8", "surrogatepass")).digest()[:16]


def _replaced(column: Sensitive, text: str, method: Replacement, means: Means) -> str:
    if means.operators is None:
        raise ValueError("nothing to make it with")
    spot = Spot(0, len(text), entity_of(column, text), "proctor:masking", 1.0, text)
    return means.operators.replace(spot, method)


def _fixed(value: str, oid: int, *, binary: bool, means: Means) -> bytes | None:
    try:
        if oid in TEXTS or oid in means.texts:
            data = value.encode(means.encoding)
            return data if oid != _CHAR or len(data) == 1 else None
        return _written(value, oid, binary=binary)
    except (KeyError, ValueError, OverflowError, InvalidOperation):
        return None


def _written(value: str, oid: int, *, binary: bool) -> bytes | None:  # noqa: PLR0911 - by type
    """A value as its type's output or send function writes it; None for types left alone."""
    if number := _INTEGERS.get(oid):
        packed = _pack(number, int(value))
        return packed if binary else str(int(value)).encode()
    if number := _FLOATS.get(oid):
        packed = _pack(number, float(value))
        return packed if binary else repr(float(value)).encode()
    match oid:
        case 16:  # _BOOL
            known = {"true": True, "t": True, "false": False, "f": False}[value.lower()]
            return bytes([known]) if binary else (b"t" if known else b"f")
        case 1700:  # _NUMERIC
            decimal = Decimal(value)
            if not decimal.is_finite():
                return None
            return _numeric(decimal) if binary else format(decimal, "f").encode()
        case 2950:  # _UUID
            return UUID(value).bytes if binary else str(UUID(value)).encode()
        case 1082:  # _DATE
            days = (date.fromisoformat(value) - _EPOCH).days
            return Struct("!i").pack(days) if binary else value.encode()
        case 1114 if not binary:  # _TIMESTAMP
            return datetime.fromisoformat(value).isoformat(" ").encode()
        case 114 | 3802:  # _JSON, _JSONB
            orjson.loads(value)
            prefix = b"\x01" if binary and oid == _JSONB else b""
            return prefix + value.encode()
        case _:
            return None


def _pack(number: Struct, value: float) -> bytes:
    try:
        return number.pack(value)
    except error:
        raise ValueError("out of range") from None


def _numeric(value: Decimal) -> bytes:
    """numeric_send: digits of base 10000, their weight, sign and scale."""
    sign, digits, exponent = value.as_tuple()
    scale = max(0, -int(exponent))
    whole = "".join(map(str, digits)) + "0" * max(0, int(exponent))
    point = len(whole) - scale
    left = whole[:point] if point > 0 else ""
    right = whole[point:] if point > 0 else "0" * -point + whole
    left = left.rjust(-(-len(left) // 4) * 4, "0")
    right = right.ljust(-(-len(right) // 4) * 4, "0")
    groups = [int(text[at : at + 4]) for text in (left, right) for at in range(0, len(text), 4)]
    weight = len(left) // 4 - 1
    while groups and groups[0] == 0:
        groups, weight = groups[1:], weight - 1
    while groups and groups[-1] == 0:
        groups.pop()
    head = Struct("!hhHh").pack(len(groups), weight if groups else 0, 0x4000 * sign, scale)
    return head + b"".join(Struct("!h").pack(group) for group in groups)
