"""Approvals, grants, kills and changes as JSON bytes, for a store, and back.

    {"v": 1, "type": "approval", "item": {...}}

Every field stands there under its own name. A field that is missing, one that nobody knows and one
of the wrong type are errors, never guessed at: what is read back is what was written. Only a field
that is younger than the item may be missing, and has its default then. Moments are RFC 3339 in UTC,
durations whole microseconds, bytes base64. Characters beyond ASCII are escaped, so that text which
is not well-formed Unicode, as an agent's JSON may hold, survives.
"""

import base64
import dataclasses
import json
import types
import typing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any

from proctor.approval.model import (
    Approval,
    ApprovalError,
    Audience,
    Change,
    Grant,
    Kill,
)

VERSION = 1

MAX_BYTES = 4 * 1024 * 1024
"""Of one item; what a card shows is cut long before."""

type Item = Approval | Grant | Kill | Change
type _Turn = Callable[[Any], Any]

_MICROSECOND = timedelta(microseconds=1)
_BROKEN = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


def encode(item: Item) -> bytes:
    """The bytes that stand for it.

    Raises:
        ApprovalError: `approvals-unavailable`: it is too large, or holds what JSON cannot.
    """
    kind: Any = type(item)
    try:
        tree = {"v": VERSION, "type": kind.__name__.lower(), "item": _codec(kind)[0](item)}
        data = json.dumps(tree, allow_nan=False, separators=(",", ":")).encode("ascii")
    except _BROKEN as error:  # whose text may quote a value
        raise _unfit(item, type(error).__name__, "what JSON can hold") from None
    if len(data) > MAX_BYTES:
        raise _unfit(item, f"{len(data)} bytes", f"at most {MAX_BYTES}")
    return data


def decode[T](kind: type[T], data: bytes) -> T:
    """What the bytes stand for.

    Args:
        kind: What is expected: Approval, Grant, Kill or Change.
        data: As `encode` made them.

    Raises:
        ApprovalError: `approvals-unavailable`: they are damaged, or another version's.
    """
    got = f"{len(data)} bytes"
    codec: Any = kind
    try:
        if len(data) <= MAX_BYTES:
            tree = json.loads(data)
            version, name = tree["v"], tree["type"]
            if type(version) is not int or version != VERSION:
                got = "another version"
            elif name == kind.__name__.lower() and len(tree) == len(("v", "type", "item")):
                found: T = _codec(codec)[1](tree["item"])
                return found
    except _BROKEN as error:  # whose text may quote a value
        got = type(error).__name__
    raise ApprovalError(
        code="approvals-unavailable",
        message=f"What the store of approvals holds is no {kind.__name__.lower()}",
        got=got,
        expected=f"one of version {VERSION}, as it was written",
        hint="The file is damaged, or another version of proctor wrote to it.",
        status=503,
    )


def encode_audience(audience: Audience) -> bytes:
    """The bytes that stand for it, and for no other."""
    return json.dumps([sorted(audience.groups), sorted(audience.own)]).encode("ascii")


def decode_audience(data: bytes) -> Audience:
    """What the bytes of `encode_audience` stand for."""
    groups, own = json.loads(data)
    return Audience(frozenset(groups), frozenset(own))


def _unfit(item: Item, got: str, expected: str) -> ApprovalError:
    return ApprovalError(
        code="approvals-unavailable",
        message=f"The {type(item).__name__.lower()} does not fit into the store",
        got=got,
        expected=expected,
        status=503,
    )


@cache
def _codec(kind: Any) -> tuple[_Turn, _Turn]:
    """How a value of a type becomes JSON, and how it comes back."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if typing.get_origin(kind) is not None:
        return _generic(typing.get_origin(kind), typing.get_args(kind))
    if issubclass(kind, Enum):
        return (lambda value: value.value), kind
    return _fields(kind)


def _generic(origin: Any, inner: tuple[Any, ...]) -> tuple[_Turn, _Turn]:
    if origin is types.UnionType:  # always `| None`
        return _optional(*_codec(inner[0]))
    if origin is frozenset:
        return _many(frozenset, sorted, *_codec(inner[0]))
    if origin is dict:
        return _exact(dict), _exact(dict)
    if inner[1] is ...:
        return _many(tuple, list, *_codec(inner[0]))
    return _row([_codec(item) for item in inner])


def _fields(kind: Any) -> tuple[_Turn, _Turn]:
    hints = typing.get_type_hints(kind)
    codecs = {item.name: _codec(hints[item.name]) for item in dataclasses.fields(kind)}

    def write(value: Any) -> Any:
        return {name: codec[0](getattr(value, name)) for name, codec in codecs.items()}

    def read(tree: Any) -> Any:
        if len(tree) != len(codecs):  # with all of these there is none besides
            raise ValueError
        return kind(**{name: codec[1](tree[name]) for name, codec in codecs.items()})

    return write, read


def _optional(write: _Turn, read: _Turn) -> tuple[_Turn, _Turn]:
    return (
        lambda value: None if value is None else write(value),
        lambda tree: None if tree is None else read(tree),
    )


def _many(kind: type, order: Callable[[Any], list[Any]], *turns: _Turn) -> tuple[_Turn, _Turn]:
    write, read = turns
    array = _exact(list)
    return (
        lambda value: order(map(write, value)),
        lambda tree: kind(map(read, array(tree))),
    )


def _row(codecs: list[tuple[_Turn, _Turn]]) -> tuple[_Turn, _Turn]:
    def write(value: Any) -> Any:
        return [codec[0](part) for codec, part in zip(codecs, value, strict=True)]

    def read(tree: Any) -> Any:
        array = _exact(list)(tree)
        return tuple(codec[1](part) for codec, part in zip(codecs, array, strict=True))

    return write, read


def _exact(kind: type) -> _Turn:
    def turn(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError
        return value

    return turn


def _write_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return str(value)


def _write_moment(value: Any) -> str:
    return _aware(value).astimezone(UTC).isoformat()


def _read_moment(tree: Any) -> datetime:
    return _aware(datetime.fromisoformat(tree)).astimezone(UTC)


def _aware(value: Any) -> datetime:
    moment: datetime = _exact(datetime)(value)
    if moment.tzinfo is None:
        raise ValueError
    return moment


_PLAIN: dict[Any, tuple[_Turn, _Turn]] = {
    str: (_write_text, _exact(str)),
    int: (_exact(int), _exact(int)),
    bool: (_exact(bool), _exact(bool)),
    bytes: (
        lambda value: base64.b64encode(value).decode("ascii"),
        lambda tree: base64.b64decode(tree, validate=True),
    ),
    datetime: (_write_moment, _read_moment),
    timedelta: (
        lambda value: value // _MICROSECOND,
        lambda tree: _exact(int)(tree) * _MICROSECOND,
    ),
}
