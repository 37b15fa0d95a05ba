"""An envelope: one line of a journal, its exact bytes, and the chain it hangs in.

A line is canonical JSON: ASCII, no spaces, members in the order in which they were given. Its bytes
without the newline are `raw`, the leaf of the evidence tree: leaf = SHA-256(0x00 || raw), as RFC
6962 section 2.1 has it. `prev` is the leaf of the same writer's envelope before, 64 zeros at first.
So the bytes themselves are what is proved, never a second serialisation of them.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

from proctor.audit.lines import timestamp
from proctor.errors import InternalError

try:
    from proctor.audit._lines import linked
except ImportError:  # it was installed without a compiler
    from proctor.audit.lines import linked

__all__ = ("BEGIN_HEAD", "GENESIS", "HEAD", "MAX_LINE", "Chain", "leaf", "timestamp")

GENESIS = "0" * 64
HEAD = b'{"v":1,"kind":"'
BEGIN_HEAD = b'{"v":1,"kind":"flow.begin"'
# DuckDB reads JSON objects of up to 16 MiB; beyond, a line would be in the journal but in no view.
MAX_LINE = 8 * 1024 * 1024

_RESERVED = frozenset({"v", "kind", "writer", "seq", "prev", "ts"})
# No look-out for circles: they end in a RecursionError, and it is a sixth of the time.
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


def _quick(fields: Mapping[str, Any]) -> bytes:
    """The same bytes in a fifth of the time, or nothing where orjson would write others.

    It writes no escapes beyond ASCII and takes NaN for null; records of flows hold no such numbers.
    """
    try:
        body = orjson.dumps(fields)
    except TypeError:  # halves of surrogate pairs, integers beyond 64 bits
        return b""
    return body if body.isascii() else b""


def leaf(raw: bytes) -> str:
    """Leaf hash of an envelope's bytes, hex (RFC 6962 2.1)."""
    return sha256(b"\x00" + raw).hexdigest()


class Chain:
    """One writer's sequence and hash chain.

    Attributes:
        writer: Its name, `w0`.
        seq: Number of the next envelope.
        prev: Leaf of the envelope before, hex.
        leaf: Of the envelope that was made last, 32 bytes; b"" before the first.
    """

    __slots__ = ("_middle", "leaf", "prev", "seq", "writer")

    def __init__(self, writer: str, seq: int = 0, prev: str = GENESIS) -> None:
        self.writer = writer
        self.seq = seq
        self.prev = prev
        self.leaf = b""
        self._middle = f'","writer":"{writer}","seq":'.encode()

    def seal(self, kind: str, seconds: float, fields: Mapping[str, Any]) -> bytes:
        """The next envelope as a line with its newline; the chain moves on.

        Args:
            kind: Such as `flow.begin`; plain letters and dots.
            seconds: When, since the epoch.
            fields: What it says, in this order; names of the envelope's own are not among them.

        Raises:
            InternalError: A field has a reserved name, or the line is too long.
            ValueError: A number is not finite.
        """
        if not _RESERVED.isdisjoint(fields):
            raise InternalError(
                "record-field-reserved",
                "A record names a field that the envelope itself writes",
                got=", ".join(sorted(_RESERVED.intersection(fields))),
            )
        body = _quick(fields) if kind.startswith(("flow.", "statement", "message")) else b""
        if not body:
            text = _encode(fields)
            if "\\ud" in text:
                text = _encode(_whole(fields))
            body = text.encode("ascii")
        return self.link(kind, seconds, body)

    def link(self, kind: str, seconds: float, body: bytes) -> bytes:
        """As `seal`, of what is JSON already.

        Args:
            kind: Likewise.
            seconds: Likewise.
            body: An object in ASCII, without spaces, that names no field of the envelope's own.

        Raises:
            InternalError: The line is too long.
        """
        line, found, named = linked(kind, self._middle, self.seq, self.prev, seconds, body)
        if len(line) > MAX_LINE:
            raise InternalError(
                "record-too-large",
                "A record's envelope is too long for the journal",
                got=f"{len(line)} bytes",
                expected=f"at most {MAX_LINE}",
            )
        self.leaf, self.prev = found, named
        self.seq += 1
        return line


def _whole(value: Any) -> Any:
    """`value` with lone surrogates replaced: no reader takes them (RFC 8259, 8.2)."""
    match value:
        case str():
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        case Mapping():
            return {_whole(name): _whole(item) for name, item in value.items()}
        case list() | tuple():
            return [_whole(item) for item in value]
        case _:
            return value
