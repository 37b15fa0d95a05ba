"""A credential that comes back: what proctor puts in for an agent, the agent must not read.

An upstream that repeats the request's headers (an error page, a debug endpoint) would hand it over.
The values are known, so they are searched for as they are, and as servers write what they repeat:
in base64 and hexadecimal, and with the escapes of URLs, JSON and HTML. What is found is put out by
as many asterisks, so that lengths and framing hold.
"""

import json
import logging
import re
from base64 import b64encode
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from html import escape
from typing import Final, NamedTuple
from urllib.parse import quote

from ahocorasick_rs import BytesAhoCorasick, MatchKind

from proctor.leaving.cores import core
from proctor.leaving.variants import aligned
from proctor.model import Finding
from proctor.redaction.model import Direction, Method

CREDENTIAL: Final = "CREDENTIAL"
"""The type of its finding."""

DETECTOR: Final = "proctor:credential/"

ECHOED: Final = "credential.echoed"
"""The event, in the record and in the log."""

SHORTEST: Final = 8
"""Characters of a value that is searched for."""

logger = logging.getLogger(__name__)

_GROUP: Final = 60  # texts that are searched for at once by vector instructions, with these:
# Where all texts begin with, or hold, one of three bytes, the library looks for those alone, which
# takes up to seventy times as long where they are frequent. So there are four more, of other bytes.
_STRANGE: Final = tuple(bytes((byte,)) * 16 for byte in range(0xFA, 0xFE))
_HEAD: Final = 3  # bytes by which a beginning is told quickly
_KEPT: Final = 1024  # tokens whose automata are kept
_STRICT: Final = re.compile("[\"&'+/<=>`\\\\]")  # what one encoder of JSON or another escapes
_CODE: Final = re.compile(r"(?<=%)[0-9A-F]{2}|(?<=\\u)[0-9a-f]{4}")
_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")


def searchable(value: str) -> bool:
    """Whether a value is told from ordinary texts: nothing short, no word, no number."""
    return len(value) >= SHORTEST and core(value) is not None


def spellings(value: str) -> frozenset[bytes]:
    """A value as servers write what they repeat."""
    string = json.dumps(value)[1:-1]
    texts = {value, string, string.replace("/", r"\/"), json.dumps(string)[1:-1]}
    texts.add(_STRICT.sub(lambda found: f"\\u{ord(found[0]):04x}", value))
    texts |= {escape(value), escape(value, quote=False), escape(value).replace("&#x27;", "&#39;")}
    for safe in ("", "/", "!'()*"):
        text = quote(value, safe=safe)
        texts |= {text, text.replace("%20", "+"), quote(text, safe="")}
    texts |= {_CODE.sub(lambda found: found[0].swapcase(), text) for text in texts}
    found = {text.encode() for text in texts}
    raw = value.encode()
    found |= {raw.hex().encode(), raw.hex().upper().encode()}
    for text in aligned(raw, 3, 4, b64encode):
        found |= {text.encode(), text.encode().translate(_URLSAFE)}
    return frozenset(found)


class Span(NamedTuple):
    """Where a credential stands."""

    start: int
    end: int
    name: str


class Values:
    """Some credentials, ready to be searched for.

    Args:
        values: What is secret, and the credential that it is of.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        texts = {text: name for value, name in values.items() for text in spellings(value)}
        self._texts = sorted(texts)
        groups = [self._texts[at : at + _GROUP] for at in range(0, len(texts), _GROUP)]
        self._groups = [
            (
                [texts[text] for text in group],
                BytesAhoCorasick((*group, *_STRANGE), matchkind=MatchKind.LeftmostLongest),
            )
            for group in groups
        ]
        self._heads = BytesAhoCorasick(sorted({text[:_HEAD] for text in self._texts}))
        self._short = {text[:size] for text in self._texts for size in range(1, _HEAD)}
        self._longest = max(map(len, self._texts))

    def __repr__(self) -> str:
        return f"Values({len(self._texts)} texts)"

    def find(self, data: bytes) -> list[Span]:
        """Where they stand."""
        return [
            Span(start, end, names[number])
            for names, automaton in self._groups
            for number, start, end in automaton.find_matches_as_indexes(data)
            if number < len(names)
        ]

    def begins(self, data: bytes) -> int:
        """From where on the end of some bytes may be the beginning of one; their length if none."""
        first = max(0, len(data) - self._longest + 1)
        tail = data[first:]
        for _, at, _ in self._heads.find_matches_as_indexes(tail, overlapping=True):
            rest = tail[at:]
            index = bisect_left(self._texts, rest)
            if index < len(self._texts) and self._texts[index].startswith(rest):
                return first + at
        for size in range(_HEAD - 1, 0, -1):
            if data[-size:] in self._short:
                return len(data) - size
        return len(data)


@lru_cache(_KEPT)
def values_of(secrets: tuple[tuple[str, str], ...]) -> Values | None:
    """What of these can be searched for, each with its credential; None where nothing can."""
    found = {value: name for value, name in secrets if searchable(value)}
    return Values(found) if found else None


class Echo:
    """One answer: credentials in it are put out.

    Args:
        values: What is searched for.
    """

    def __init__(self, values: Iterable[Values]) -> None:
        self._values = tuple(values)
        self._held = b""
        self._found: dict[tuple[str, str], Finding] = {}
        self._counts: Counter[tuple[str, str]] = Counter()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was put out, each once."""
        return tuple(self._found.values())

    def since(self) -> list[tuple[Finding, int]]:
        """What was put out since this was last asked, and how often."""
        counts, self._counts = self._counts, Counter()
        return [(self._found[key], count) for key, count in counts.items()]

    def whole(self, data: bytes, location: str = "body") -> bytes:
        """All of something, the same object where there is nothing in it."""
        spans = [span for values in self._values for span in values.find(data)]
        if not spans:
            return data
        out = bytearray(data)
        for span in spans:
            out[span.start : span.end] = b"*" * (span.end - span.start)
            self._note(span.name, location)
        return bytes(out)

    def fields(self, fields: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[bytes, bytes], ...]:
        """Headers, or trailers; the same object where there is nothing in them."""
        together = b"\n".join(part for field in fields for part in field)
        if not any(values.find(together) for values in self._values):
            return fields
        return tuple(self._fields(fields))

    def _fields(self, fields: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        for name, value in fields:
            yield (
                self.whole(name, "header"),
                self.whole(value, f"header.{name.decode('latin-1').lower()}"),
            )

    def feed(self, data: bytes, location: str = "body") -> bytes:
        """Take the next bytes of a stream; what may be a beginning is held back."""
        data = self.whole(self._held + data if self._held else data, location)
        cut = min((values.begins(data) for values in self._values), default=len(data))
        self._held = data[cut:]
        return data[:cut] if self._held else data

    def finish(self) -> bytes:
        """No more bytes come: the rest."""
        rest, self._held = self._held, b""
        return rest

    def _note(self, name: str, location: str) -> None:
        self._counts[name, location] += 1
        self._found[name, location] = Finding(
            type=CREDENTIAL,
            location=location,
            direction=Direction.RESPONSE.value,
            score=1.0,
            detector=f"{DETECTOR}{name}",
            action=Method.MASK.value,
        )


def told(
    found: Iterable[Finding], *, asked_by: str, session: str, listener: str, host: str
) -> list[dict[str, object]]:
    """The detail of an event for each credential that came back; each is logged. Never the value.

    Args:
        found: In an answer.
        asked_by: The principal whose agent asked for it; "" where that is not known.
        session: In which run; "" for none.
        listener: By which way.
        host: What answered.
    """
    details: dict[str, dict[str, object]] = {}
    for finding in found:
        name = finding.detector.removeprefix(DETECTOR)
        details.setdefault(
            name,
            {
                "credential": name,
                "asked_by": asked_by,
                "session": session,
                "listener": listener,
                "host": host,
                "location": finding.location,
            },
        )
    for detail in details.values():
        logger.error("an answer held a credential", extra={"event": ECHOED, **detail})
    return list(details.values())
