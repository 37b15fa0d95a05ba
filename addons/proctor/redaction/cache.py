"""Remembers where something was found in a text, not what it was."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from secrets import token_bytes
from threading import Lock
from typing import Final, NamedTuple

from proctor.redaction.model import Spot

_ENTRY: Final = 320  # bytes that an entry costs in CPython besides its spans
_SPAN: Final = 160


class _Span(NamedTuple):
    """A Spot. `value` is kept only where it is not what stands in the text."""

    start: int
    end: int
    type: str
    detector: str
    score: float
    value: str | None


@dataclass(frozen=True, slots=True)
class _Entry:
    spans: tuple[_Span, ...]
    size: int


class SpotCache:
    """The spots of the texts seen last; may be used from several threads.

    The digest under which they stand is keyed for this process alone, so that what is in memory
    does not tell whether a guessed text was seen.

    Args:
        size: Bytes, about.
        version: What the spots depend on besides the text.
    """

    def __init__(self, size: int, version: str) -> None:
        self._left = size
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._lock = Lock()
        self._hash = blake2b(version.encode(), key=token_bytes(32), digest_size=20)

    def key(self, text: str) -> bytes:
        """The name of a text."""
        digest = self._hash.copy()
        # Half a character outside the basic plane is no UTF-8, yet may come in from JSON.
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.digest()

    def get(self, key: bytes, text: str) -> tuple[Spot, ...] | None:
        """What was found in the text of that name; None where it is not remembered."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
        return tuple(
            Spot(
                span.start,
                span.end,
                span.type,
                span.detector,
                span.score,
                text[span.start : span.end] if span.value is None else span.value,
            )
            for span in entry.spans
        )

    def put(self, key: bytes, text: str, spots: Sequence[Spot]) -> None:
        """Remember what was found; what was not asked for longest is forgotten."""
        spans = tuple(
            _Span(
                spot.start,
                spot.end,
                spot.type,
                spot.detector,
                spot.score,
                None if spot.value == text[spot.start : spot.end] else spot.value,
            )
            for spot in spots
        )
        entry = _Entry(spans, _ENTRY + sum(_SPAN + 4 * len(span.value or "") for span in spans))
        with self._lock:
            self._forget(self._entries.pop(key, None))
            self._entries[key] = entry
            self._left -= entry.size
            while self._left < 0 and self._entries:
                self._forget(self._entries.popitem(last=False)[1])

    def _forget(self, entry: _Entry | None) -> None:
        if entry is not None:
            self._left += entry.size
