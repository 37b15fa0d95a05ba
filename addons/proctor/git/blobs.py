"""What is in blobs that must not pass: secrets, by the detectors that look at bodies, too."""

import mmap
import re
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Final, NamedTuple

from proctor.errors import ProctorError
from proctor.git.packfile import too_much
from proctor.redaction.filescan import FileScanner
from proctor.redaction.model import SECRETS, Detector
from proctor.redaction.settings import RedactionSettings
from proctor.redaction.structure.media import is_binary, parse_media
from proctor.redaction.surrogates import digest

WINDOW: Final = 4 * 2**20
"""Bytes that are looked at as one; larger files are looked at window by window."""
OVERLAP: Final = 16 * 2**10
"""Bytes of a window that the next has, too."""
REMEMBERED: Final = 500_000
"""Blobs without findings that are known again."""

MOST: Final = 64 * 2**20
"""Bytes of a wide text, and of what is in a gzip."""

_GZIP: Final = b"\x1f\x8b\x08"
_WITH_HEAD: Final = 31  # a window of 32 KiB, with gzip's head and checksum (zlib's manual)
_ZEROS: Final = 0.6  # of every second byte, in a wide text

_NOTHING: Final = parse_media("")
_STRINGS: Final = re.compile(rb"[\x20-\x7e\t]{12,}")
_MOST_STRINGS: Final = 200_000
_BLOCK: Final = 64 * 1024
_SAMPLE: Final = 4096
_STRING: Final = 512
_SHORTEST: Final = 8


class Sighting(NamedTuple):
    """A finding without its value.

    Attributes:
        line: Where it begins, from 1; 0 in a binary.
        type: Entity type.
        detector: Who found it.
        score: 0 to 1.
        digest: Keyed.
    """

    line: int
    type: str
    detector: str
    score: float
    digest: str


class BlobScanner:
    """Looks at blobs.

    Args:
        detector: Finds things.
        settings: What is looked for; of that, secrets.
        key: For digests of what is found.
        clock: Monotonic, seconds.

    Attributes:
        scanned: Bytes that were looked at, or known from before.
        skipped: Bytes of binaries, of which only what is plain text in them is looked at.
    """

    def __init__(
        self,
        detector: Detector,
        settings: RedactionSettings,
        *,
        key: bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._detector = detector
        self._files = FileScanner(detector, settings, clock=clock)
        self._key = key
        self._clean: OrderedDict[bytes, None] = OrderedDict()
        self.scanned = 0
        self.skipped = 0

    def scan(self, data: "bytes | mmap.mmap") -> tuple[Sighting, ...]:
        """The secrets in a blob.

        Raises:
            PackError: It could not be looked at whole.
        """
        if codec := _wide(data[:_SAMPLE]):
            data = data[:MOST].decode(codec, "replace").encode()
        binary = is_binary(data[:WINDOW], _NOTHING)
        if binary:
            self.skipped += len(data)
        else:
            self.scanned += len(data)
        # Not by git's id: two contents of one SHA-1 have been made (shattered.io).
        name = blake2b(data, digest_size=16, key=self._detector.version.encode()[:64]).digest()
        if name in self._clean:
            self._clean.move_to_end(name)
            return ()
        if binary:
            text = _inflated(data) or b"\n".join(islice(_strings(data), _MOST_STRINGS))
            found = tuple(item._replace(line=0) for item in self._sightings(text))
        else:
            found = tuple(self._sightings(data))
        if not found:
            self._clean[name] = None
            if len(self._clean) > REMEMBERED:
                self._clean.popitem(last=False)
        return found

    def _sightings(self, data: "bytes | mmap.mmap") -> Iterator[Sighting]:
        seen: set[tuple[int, str, str]] = set()
        for line, window in windows(data):
            try:
                hits = self._files.scan("", window).hits
            except ProctorError as error:
                raise too_much(f"a file that cannot be looked at ({error.code})", "text") from None
            for hit in hits:
                if hit.type not in SECRETS:
                    continue
                sighting = Sighting(
                    line=line + hit.line,
                    type=hit.type,
                    detector=hit.detector,
                    score=hit.score,
                    digest=digest(self._key, hit.type, hit.value),
                )
                known = (sighting.line, sighting.type, sighting.digest)
                if known not in seen:
                    seen.add(known)
                    yield sighting


def _wide(sample: bytes) -> str:
    """The codec of a text in which each character has two bytes; "" where it is none."""
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    half = len(sample) // 2
    first, second = sample[::2].count(0), sample[1::2].count(0)
    if half < _SHORTEST or max(first, second) < half * _ZEROS or min(first, second) > half // 20:
        return ""
    return "utf-16-be" if first > second else "utf-16-le"


def _inflated(data: "bytes | mmap.mmap") -> bytes:
    """What is in a gzip, as far as it is looked at; b"" where it is none."""
    if data[:3] != _GZIP:
        return b""
    try:
        return zlib.decompressobj(_WITH_HEAD).decompress(data[:MOST], MOST)
    except zlib.error:
        return b""


def _strings(data: "bytes | mmap.mmap") -> Iterator[bytes]:
    """Plain text in a binary; what is compressed or random has none."""
    for start in range(0, len(data), _BLOCK):
        block = data[start : start + _BLOCK + _STRING]
        sample = block[:_SAMPLE]
        if len(zlib.compress(sample, 1)) < len(sample):
            yield from (match[0] for match in _STRINGS.finditer(block))


def windows(data: "bytes | mmap.mmap") -> Iterator[tuple[int, bytes]]:
    """A text in windows that overlap, each with the number of lines before it."""
    start = line = 0
    while True:
        end = start + WINDOW
        yield line, data[start:end]
        if end >= len(data):
            return
        following = end - OVERLAP
        line += data[start:following].count(b"\n")
        start = following
