"""A client's parameters as constants in SQL, in place of $1 and the like."""

from collections.abc import Callable, Mapping, Sequence
from struct import error, unpack
from typing import Final
from uuid import UUID

from proctor.postgres.masking.shape import tokens
from proctor.postgres.masking.values import TEXTS
from proctor.protocols.postgres.messages import Bind

_JSONB: Final = 3802
_INFINITE_DATE: Final = 2**31 - 1
_INFINITE_TIME: Final = 2**63 - 1
_NEGATIVE: Final = 0x4000
_SPECIAL: Final[Mapping[int, str]] = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}


class UnreadableError(ValueError):
    """A parameter's binary form is not read here; says of which type."""


def quoted(text: str) -> str:
    """A constant of unknown type, where standard_conforming_strings is on.

    Raises:
        UnreadableError: A zero byte, which no text of the server's holds.
    """
    if "\0" in text:
        raise UnreadableError("text with a zero byte")
    return "'" + text.replace("'", "''") + "'"


def formats(bind: Bind) -> tuple[int, ...]:
    """Of each parameter: 0 text, 1 binary."""
    given, count = bind.formats, len(bind.values)
    return given if len(given) == count else (given[0] if given else 0,) * count


def substituted(
    text: str, bind: Bind, types: Sequence[int], names: Sequence[str], encoding: str
) -> str:
    """The statement with constants for its parameters.

    Args:
        text: One statement.
        bind: The values.
        types: OIDs, one for each value; 0 where nobody knows.
        names: Of these types, as in SQL; "" where nobody knows.
        encoding: Python's name for the client's.

    Raises:
        UnreadableError: One of them is binary and not read here.
        RefusedError: The text cannot be cut into tokens.
    """
    constants: list[str] = []
    for value, binary, oid, name in zip(bind.values, formats(bind), types, names, strict=True):
        made = "NULL" if value is None else _constant(value, binary, oid, name, encoding)
        constants.append(f"({made}{'::' + name if name else ''})")
    parts: list[str] = []
    done = 0
    for token in tokens(text):
        if token.parameter:
            number = int(token.text[1:]) - 1
            if number >= len(constants):
                raise UnreadableError(f"parameter {token.text}, which has no value")
            parts += (text[done : token.start], constants[number])
            done = token.end
    return "".join((*parts, text[done:]))


def _constant(value: bytes, binary: int, oid: int, name: str, encoding: str) -> str:
    try:
        if not binary or oid in TEXTS or oid in _CHARACTERS:
            return quoted(value.decode(encoding))
        if oid == _JSONB and value[:1] == b"\1":
            return quoted(value[1:].decode(encoding))
        read = _READ.get(oid)
        if read is not None:
            return quoted(read(value))
    except (UnicodeDecodeError, ValueError, error):
        pass
    raise UnreadableError(f"a parameter of type {name or oid} in binary")


def _integer(data: bytes) -> str:
    return str(int.from_bytes(data, "big", signed=True))


def _date(data: bytes) -> str:
    (days,) = unpack("!i", data)
    if abs(days) >= _INFINITE_DATE:
        return "infinity" if days > 0 else "-infinity"
    return f"J{days + 2_451_545}"  # the Julian day of 2000-01-01


def _timestamp(data: bytes) -> str:
    (microseconds,) = unpack("!q", data)
    if abs(microseconds) >= _INFINITE_TIME:
        return "infinity" if microseconds > 0 else "-infinity"
    days, rest = divmod(microseconds, 86_400_000_000)
    seconds, part = divmod(rest, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    # Read as a time zone only by timestamptz; timestamp passes over it.
    return f"J{days + 2_451_545} {hour:02}:{minute:02}:{second:02}.{part:06}+00"


def _numeric(data: bytes) -> str:
    count, weight, sign, _scale = unpack("!HhHH", data[:8])
    if sign in _SPECIAL:
        return _SPECIAL[sign]
    digits = "".join(f"{digit:04}" for digit in unpack(f"!{count}H", data[8:]))
    return f"{'-' if sign == _NEGATIVE else ''}{digits or '0'}e{4 * (weight - count + 1)}"


_CHARACTERS: Final = frozenset({114, 142})  # json, xml
_READ: Final[Mapping[int, Callable[[bytes], str]]] = {
    16: lambda data: "true" if data == b"\1" else "false",
    17: lambda data: "\\x" + data.hex(),
    20: _integer,
    21: _integer,
    23: _integer,
    26: lambda data: str(int.from_bytes(data, "big")),
    700: lambda data: repr(unpack("!f", data)[0]),
    701: lambda data: repr(unpack("!d", data)[0]),
    1082: _date,
    1114: _timestamp,
    1184: _timestamp,
    1700: _numeric,
    2950: lambda data: str(UUID(bytes=data)),
}
"""By OID: bool, bytea, int8, int2, int4, oid, float4, float8, date, timestamp, timestamptz,
numeric, uuid."""
