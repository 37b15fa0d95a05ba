"""Content: what was typed or seen, cut into blocks and stored once per scope.

A scope belongs to one principal and one session run and has 32 random bytes of its own. A block's
name is its BLAKE2b hash keyed with them (RFC 7693 2.9), so that equal text in two sessions has
nothing in common, and a scope can be erased without touching the envelopes that refer to it. A
block is numbered by its place in the scope; a reference lists numbers as ranges, so that a
conversation that is sent again costs some bytes.

Nothing here does I/O: lines go to a sink, the journal's queue.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from hashlib import blake2b
from json.encoder import encode_basestring  # the C one where there is one

import orjson

from proctor.model import ContentRef

MAX_BLOCK = 64 * 1024
_CONTINUES = 0x80  # what all bytes of a character but the first begin with: 10xxxxxx
# A cut nearer than this to the one before is skipped: a block's line costs some 140 bytes itself.
MIN_BLOCK = 128
# Names of seen blocks that one scope remembers; past it, it forgets them and stores anew.
MAX_SEEN = 50_000

# What `c` says in a content line.
BLOCK = 1
BIRTH = 2

type Sink = Callable[[int, str], None]


def ranges(numbers: Sequence[int]) -> str:
    """Block numbers as text, runs folded: [0, 1, 2, 60] is `0-2,60`."""
    parts: list[str] = []
    start = last = -2
    for number in [*numbers, -2]:
        if number == last + 1:
            last = number
            continue
        if start >= 0:
            parts.append(f"{start}-{last}" if last > start else f"{start}")
        start = last = number
    return ",".join(parts)


class Scope:
    """Where the content of one session run lies.

    Attributes:
        id: Its name in records, sorted by birth.
        seen: How many block names it remembers.
    """

    __slots__ = ("__weakref__", "_blocks", "_next", "_part", "_salt", "_sink", "_whole", "id")

    def __init__(self, name: str, salt: bytes, sink: Sink) -> None:
        self._sink = sink
        self._blocks: dict[bytes, int] = {}
        self.renew(name, salt)

    @property
    def seen(self) -> int:
        """Block names in memory."""
        return len(self._blocks)

    def renew(self, name: str, salt: bytes) -> None:
        """Becomes another scope: what it stored until now is erased, and is not referred to again.

        Whoever holds it goes on with it. A body that is half stored ends with what it has.
        """
        self.id, self._salt = name, salt
        # Copied each time: to begin one with a key takes longer than a short text.
        self._part = blake2b(key=salt, digest_size=16)
        self._whole = blake2b(key=salt, digest_size=32)
        self._blocks.clear()
        self._next = 0

    def hasher(self) -> blake2b:
        """A keyed hash for a whole body."""
        return self._whole.copy()

    def block(self, data: bytes | memoryview) -> tuple[int, bool]:
        """Stores one block unless it is there.

        Returns:
            Its number, and whether it is text (else base64).
        """
        state = self._part.copy()
        state.update(data)
        digest = state.digest()
        known = self._blocks.get(digest)
        if known is not None:
            return known >> 1, not known & 1
        try:
            quoted, text = encode_basestring(str(data, "utf-8")), True
        except UnicodeDecodeError:
            quoted, text = f'"{b64encode(data).decode()}","b64":1', False
        number = self._next
        self._next += 1
        if len(self._blocks) >= MAX_SEEN:
            self._blocks.clear()
        self._blocks[digest] = number << 1 | (not text)
        self._sink(
            BLOCK,
            f'"scope":"{self.id}","no":{number},"hash":"{digest.hex()}","text":{quoted}',
        )
        return number, text

    def refer(self, data: bytes) -> bytes:
        """Stores `data` as `put` does; the reference as it stands in an envelope, as JSON."""
        if not 0 < len(data) <= MAX_BLOCK:
            return orjson.dumps(self.put(data).as_json())
        number, text = self.block(data)
        state = self._whole.copy()
        state.update(data)
        encoding = "utf8" if text else "base64"
        return (
            f'{{"scope":"{self.id}","hash":"{state.hexdigest()}","size":{len(data)},'
            f'"enc":"{encoding}","blocks":"{number}"}}'
        ).encode()

    def put(self, data: bytes, cuts: Sequence[int] = ()) -> ContentRef:
        """Stores `data`, cut at the offsets `cuts` (ascending) and into blocks up to 64 KiB."""
        if not cuts and 0 < len(data) <= MAX_BLOCK:
            number, whole = self.block(data)
            state = self.hasher()
            state.update(data)
            return self.ref(state.hexdigest(), len(data), (number,), text=whole)
        numbers: list[int] = []
        whole = True
        view = memoryview(data)
        start = 0
        for offset in (*cuts, len(data)):
            cut = _boundary(data, start - 1, min(offset, len(data)))  # start itself is one, too
            if cut < len(data) and cut - start < MIN_BLOCK:
                continue
            while start < cut:
                end = _boundary(data, start, min(start + MAX_BLOCK, cut))
                number, text = self.block(view[start:end])
                numbers.append(number)
                whole = whole and text
                start = end
        state = self.hasher()
        state.update(data)
        return self.ref(state.hexdigest(), len(data), numbers, text=whole)

    def ref(self, digest: str, size: int, numbers: Sequence[int], *, text: bool) -> ContentRef:
        """A reference to blocks that are already stored."""
        return ContentRef(
            scope=self.id,
            hash=digest,
            size=size,
            encoding="utf8" if text else "base64",
            blocks=ranges(numbers),
        )


class ContentStream:
    """A body of unknown length, stored while it passes."""

    __slots__ = ("_buffer", "_hash", "_name", "_numbers", "_scope", "_size", "_text")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._name = scope.id
        self._hash = scope.hasher()
        self._buffer = bytearray()
        self._numbers: list[int] = []
        self._size = 0
        self._text = True

    def feed(self, data: bytes) -> None:
        """Takes the next bytes; full blocks go to the journal at once."""
        self._hash.update(data)
        self._size += len(data)
        self._buffer += data
        start = 0
        while len(self._buffer) - start > MAX_BLOCK:  # the next byte shows where a character ends
            end = _boundary(self._buffer, start, start + MAX_BLOCK)
            self._store(bytes(self._buffer[start:end]))
            start = end
        if start:
            del self._buffer[:start]

    def close(self) -> ContentRef:
        """Stores what is left. The reference is durable with the next record that is appended."""
        if self._buffer:
            self._store(bytes(self._buffer))
            self._buffer.clear()
        return ContentRef(
            scope=self._name,
            hash=self._hash.hexdigest(),
            size=self._size,
            encoding="utf8" if self._text else "base64",
            blocks=ranges(self._numbers),
        )

    def _store(self, data: bytes) -> None:
        if self._scope.id != self._name:
            return  # erased meanwhile, and so is what would come of this
        number, text = self._scope.block(data)
        self._numbers.append(number)
        self._text = self._text and text


def _boundary(data: bytes | bytearray, start: int, end: int) -> int:
    """`end`, or up to three bytes before it where it would split a character (RFC 3629, 3)."""
    if end >= len(data):
        return end
    for back in range(end, max(end - 4, start), -1):
        if data[back] & 0xC0 != _CONTINUES:
            return back
    return end
