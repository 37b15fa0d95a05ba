"""Content-Encoding taken off while a body passes, for the record only (RFC 9110 section 8.4).

The client gets the bytes as they came. Nothing here raises: at a broken stream or a bomb decoding
stops, and `coverage` says so. Members that follow each other in gzip (RFC 1952 section 2.2) and
zstd frames (RFC 8878) are all read; a `deflate` without its zlib wrapper is understood too, since
some servers send it (RFC 9110 section 8.4.1.2).
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import brotli  # type: ignore[import-untyped]  # ships no types
import zstandard

_CHUNK: Final = 64 * 1024
# RFC 9659: no content encoder may ask for a larger window.
_ZSTD_WINDOW: Final = 8 * 2**20
# zstd's decoder cannot be told how much to put out. A block of 4 bytes can yield 128 KiB, so this
# much input yields at most 2 MiB more than wanted.
_ZSTD_SLICE: Final = 64
_MAX_CODINGS: Final = 4
_FREE: Final = 2**20


class _Coding(Protocol):
    def decode(self, data: bytes) -> Iterator[bytes]:
        """Decoded bytes in pieces of bounded size; raises what the library raises."""


class _Zlib:
    """gzip and deflate, told apart by the wrapper that `bits` names to zlib."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._decoder = zlib.decompressobj(bits)
        self._begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        if data and not self._begun:
            self._begun = True
            # RFC 1950 section 2.2: method 8, window up to 7. Else the wrapper is missing.
            if self._bits == zlib.MAX_WBITS and (data[0] & 0x0F != 8 or data[0] >> 4 > 7):  # noqa: PLR2004  # the RFC's
                self._bits = -zlib.MAX_WBITS
                self._decoder = zlib.decompressobj(self._bits)
        more = bool(data)
        while more:
            piece = self._decoder.decompress(data, _CHUNK)
            yield piece
            data = self._decoder.unconsumed_tail
            more = bool(data) or len(piece) == _CHUNK
            if self._decoder.eof:
                data = self._decoder.unused_data
                more = bool(data)
                self._decoder = zlib.decompressobj(self._bits)


class _Brotli:
    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()

    def decode(self, data: bytes) -> Iterator[bytes]:
        piece = self._decoder.process(data, output_buffer_limit=_CHUNK)
        yield piece
        # The limit is where the library stops growing its buffer, so a full piece is no shorter.
        while len(piece) >= _CHUNK or not self._decoder.can_accept_more_data():
            piece = self._decoder.process(b"", output_buffer_limit=_CHUNK)
            yield piece


class _Zstd:
    def __init__(self) -> None:
        self._decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj(
            read_across_frames=True
        )

    def decode(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_SLICE):
            yield self._decoder.decompress(data[start : start + _ZSTD_SLICE])


class BodyDecoder:
    """Takes the codings off one body.

    Args:
        content_encoding: The header field, several codings in the order they were applied.
        max_size: Bytes put out, over all codings, after which decoding stops.
        max_ratio: Bytes put out for one taken in, after which decoding stops; below 1 MiB of
            output it does not count.

    Attributes:
        coverage: `full`, or what was not read and why.
    """

    def __init__(
        self, content_encoding: str, *, max_size: int = 2**28, max_ratio: int = 300
    ) -> None:
        self.coverage = "full"
        self._codings: list[_Coding] = []
        self._max_size = max_size
        self._max_ratio = max_ratio
        self._taken = 0
        self._given = 0
        names = [name.strip().lower() for name in content_encoding.split(",")]
        names = [name for name in names if name not in ("", "identity")]
        if len(names) > _MAX_CODINGS or not all(name in _CODINGS for name in names):
            self._stop("a content coding that is not known here")
        else:
            self._codings = [_CODINGS[name]() for name in reversed(names)]

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; returns what they decode to, nothing once decoding has stopped."""
        if self.coverage != "full":
            return b""
        if not self._codings:
            return data
        self._taken += len(data)
        pieces: list[bytes] = []
        try:
            for piece in self._through(data, 0):
                pieces.append(piece)  # noqa: PERF402  # what came before an error counts
        except (zlib.error, brotli.error, zstandard.ZstdError):
            self._stop("a body that breaks its content coding")
        except _TooMuchError:
            self._stop("a body that decodes to too much")
        return b"".join(pieces)

    def _through(self, data: bytes, depth: int) -> Iterator[bytes]:
        if depth == len(self._codings):
            yield data
            return
        for piece in self._codings[depth].decode(data):
            self._given += len(piece)
            if self._given > self._max_size:
                raise _TooMuchError
            if self._given > max(_FREE, self._max_ratio * self._taken):
                raise _TooMuchError
            if piece:
                yield from self._through(piece, depth + 1)

    def _stop(self, why: str) -> None:
        self.coverage = f"not read: {why}"
        self._codings.clear()


class _TooMuchError(Exception):
    pass


_CODINGS: Final[dict[str, Callable[[], _Coding]]] = {
    "gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),  # RFC 9110 section 8.4.1.3
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
    "br": _Brotli,
    "zstd": _Zstd,
}
