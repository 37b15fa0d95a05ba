"""Paths of destinations: which one a request's path belongs to, however an upstream reads it.

A path is compared with percent-encoding taken off where it changes nothing (RFC 3986, 6.2.2): the
characters that a segment may hold plainly, but for `;`. What is sent is never changed by this.

Upstreams differ in three things: whether an encoded slash or backslash (`%2F`, `%5C`, once or
several times encoded) divides segments, whether double slashes count as one, and whether `;…` is
part of a segment. `/jira%2Fx` may be routed as `/jira/x`. A path is therefore taken in every such
reading, and belongs to a destination only if all readings do. So `/@scope%2Fname` is fine under
`/**`, and refused where `/@scope/**` has a destination of its own. Paths that no reading makes safe
(`ambiguous`) belong nowhere. Letters' case counts.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product
from typing import Self
from urllib.parse import unquote_to_bytes

_MAX_PATH = 16384
_MAX_PATTERN = 1024
_MAX_ROUNDS = 4
# RFC 3986, 3.3: what a segment holds plainly, and no segment that begins with a dot.
_PLAIN = re.compile(r"(?:/(?!\.)[A-Za-z0-9\-._~!$&'()*+,=:@]*)+")
_WELL_FORMED = re.compile(r"/(?:[!$&-;=@-Z_a-z~/|^\[\]{}\"`<>]|%[0-9A-Fa-f]{2})*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DOTS = re.compile(r"[. ]*\.[. ]*")
_TRIPLET = re.compile(r"%([0-9A-Fa-f]{2})")
_PCHAR = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@")
_SEVERAL_READINGS = re.compile(r"//|;|%(?:25|2F|3B|5C)")
_SEPARATOR = re.compile(r"%2F|%5C")
_PARAMETERS = re.compile(r"(?:;|%3B)[^/]*")


def ambiguous(path: str) -> bool:
    """Whether a path may be read as another one that no comparison foresees.

    True for dot segments in every spelling (plain, encoded once or more, with backslashes, with
    `;`-parameters, with dots that Unicode holds equal), control bytes, backslashes, bytes that are
    not UTF-8 (which overlong forms are not: RFC 3629, 3), percent signs that encode nothing, and
    whatever is no absolute path in ASCII (RFC 3986, 3.3).

    Args:
        path: As on the wire, without its query.
    """
    if len(path) > _MAX_PATH or not _WELL_FORMED.fullmatch(path):
        return True
    if _PLAIN.fullmatch(path):
        return False
    text = path
    for _ in range(_MAX_ROUNDS):
        decoded = _decoded(text)
        if decoded is None or _dotted(text):
            return True
        if decoded == text:
            return False
        text = decoded
    return True


def normalized(path: str) -> str:
    """A path as it is compared: hexadecimal digits in capitals, no encoding without need.

    Only for comparing: a signature may cover the path as it was written. A path that is
    `ambiguous` gains no meaning by this.
    """
    return _TRIPLET.sub(_plainest, path) if "%" in path else path


@dataclass(frozen=True, slots=True)
class PathPattern:
    """Which paths a destination means.

    `/v1/**` is `/v1` and all beneath it; `/v1/*` is one segment beneath; `*` within a segment is
    any text in it; `/jira`, without wildcards, is itself and all beneath it.

    Attributes:
        text: As written.
        segments: Normalized; each is the pieces between its asterisks.
        beneath: Whether what lies beneath is meant, too.
    """

    text: str
    segments: tuple[tuple[str, ...], ...] = field(repr=False)
    beneath: bool = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """`/`, `/v1/**`, `/v1/*`, `/files/*.json` or `/jira`.

        Raises:
            ValueError: It is something else; the text says what is expected.
        """
        if text in {"/", "/**"}:
            return cls(text, (), beneath=True)
        path = text.removesuffix("/**")
        plain = normalized(path)
        if (
            len(text) > _MAX_PATTERN
            or ambiguous(path)
            or _SEVERAL_READINGS.search(plain)
            or plain.endswith("/")
            or "**" in plain
        ):
            raise ValueError(
                "a path such as /v1/**, /v1/*, /files/*.json or /jira: `**` at its end only, no"
                " `;`, encoded slash, dot segment, query, or slash at the end"
            )
        segments = tuple(tuple(part.split("*")) for part in plain[1:].split("/"))
        return cls(text, segments, beneath=path != text or "*" not in plain)

    @property
    def prefix(self) -> str:
        """The segments before the first with an asterisk, such as `/v1`; empty for none."""
        return "".join(f"/{pieces[0]}" for pieces in self.segments[: self._literal])

    @property
    def specificity(self) -> tuple[tuple[int, int], ...]:
        """Of two patterns that match a path, the greater one says more about it."""
        ranks = [
            (2 if len(pieces) == 1 else int(pieces != ("", "")), sum(map(len, pieces)))
            for pieces in self.segments
        ]
        return tuple(ranks) if self.beneath else (*ranks, (3, 0))

    def matches(self, path: str) -> bool:
        """Whether a path, as on the wire and without its query, is meant in every reading."""
        return not ambiguous(path) and all(map(self.holds, _readings(path)))

    def rest(self, path: str) -> str:
        """What follows `prefix` in a path that matches, as it was written: empty, or `/…`."""
        return "".join(f"/{part}" for part in path.split("/")[1 + self._literal :])

    def holds(self, reading: str) -> bool:
        """Whether one reading of a path is meant."""
        parts = reading[1:].split("/")
        if not self.segments:
            return True
        if len(parts) != len(self.segments) and not (
            self.beneath and len(parts) > len(self.segments)
        ):
            return False
        return all(map(_segment_holds, self.segments, parts))

    @property
    def _literal(self) -> int:
        """How many segments stand before the first with an asterisk."""
        count = 0
        while count < len(self.segments) and len(self.segments[count]) == 1:
            count += 1
        return count


def choose[T](path: str, items: Iterable[T], pattern: Callable[[T], PathPattern]) -> T | None:
    """The item with the most specific pattern that a path belongs to.

    To take the first that `matches` would not do: `/jira%2Fx` matches `/**`, and may be routed to
    what `/jira` guards.

    Args:
        path: As on the wire, without its query.
        items: What to choose from; of equal patterns the first counts.
        pattern: The pattern of an item.

    Returns:
        None where nothing matches, or where the readings of the path belong to different items.
    """
    if ambiguous(path):
        return None
    ranked = sorted(items, key=lambda item: pattern(item).specificity, reverse=True)
    chosen = [
        next((item for item in ranked if pattern(item).holds(reading)), None)
        for reading in _readings(path)
    ]
    return chosen[0] if all(item is chosen[0] for item in chosen) else None


def _decoded(text: str) -> str | None:
    """The text with one layer of percent-encoding taken off; None for what nobody has to send."""
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(decoded) else decoded


def _dotted(text: str) -> bool:
    """Whether a segment is dots, for someone who cuts at backslashes, parameters and queries."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return any(
        _DOTS.fullmatch(re.split(r"[;?#]", segment, maxsplit=1)[0])
        for segment in re.split(r"[/\\]", plain)
    )


def _plainest(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _PCHAR else match[0].upper()


def _readings(path: str) -> frozenset[str]:
    kept = normalized(path)
    if not _SEVERAL_READINGS.search(kept):
        return frozenset((kept,))
    return frozenset(
        _read(kept, decode=decode, strip=strip, merge=merge)
        for decode, strip, merge in product((False, True), repeat=3)
    )


def _read(path: str, *, decode: bool, strip: bool, merge: bool) -> str:
    if decode:
        for _ in range(_MAX_ROUNDS):
            path = normalized(path.replace("%25", "%"))
        path = _SEPARATOR.sub("/", path)
    if strip:
        path = _PARAMETERS.sub("", path)
    return re.sub("/{2,}", "/", path) if merge else path


def _segment_holds(pieces: tuple[str, ...], text: str) -> bool:
    """Whether the pieces stand in the text in this order, the outer ones at its ends."""
    if len(pieces) == 1:
        return text == pieces[0]
    first, *middle, last = pieces
    if len(text) < max(1, len(first) + len(last)):
        return False
    if not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
