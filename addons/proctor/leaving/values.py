"""The short values of a request, in which a piece of something may stand."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from proctor.leaving.gathered import Place
from proctor.leaving.streams import LONGEST, Value

MOST: Final = 64
"""Values of one request."""

_SPACE: Final = re.compile(r"\s")
_LONGEST: Final = 512  # characters of a text that is no value
_SPLIT: Final = re.compile(r"[/;,&=\s]+")
_COOKIE: Final = re.compile(r"=([^;\s]+)")
_INDEXES: Final = re.compile(r"\[\d+\]")
_NO_VALUES: Final = tuple(f"header.{name}" for name in ("accept", "content-", "user-agent", "if-"))
_NO_PIECE: Final = re.compile(
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # UUIDs
    r"|[0-9a-f]{40}|[0-9a-f]{64}"  # digests
    r"|00-[0-9a-f]{32}-[0-9a-f]{16}-0\d"  # traceparent
    r"|\d{4}-\d\d-\d\d(?:T[\d:.Z+-]*)?|1[5-9]\d{8}(?:\d{3})?|true|false|null|-?\d+\.\d+"
)


def values_of(places: Sequence[Place]) -> Iterator[tuple[Value, int]]:
    """Values, and in which place each stands.

    Args:
        places: Of a request.
    """
    count = 0
    for index, (_, _, text, location, key) in enumerate(places):
        header = location.startswith("header")
        none = location.endswith("#name") or (header and location.startswith(_NO_VALUES))
        if none or len(text) > _LONGEST:
            continue
        parts: Sequence[str] = (text,)
        if location == "host":
            parts = text.split(".")[: -site_of(text).count(".") - 1]
        elif location == "header.cookie":
            parts = _COOKIE.findall(text)
        elif header or location == "path":
            parts = [part for part in _SPLIT.split(text) if part]
        elif len(text) > LONGEST or _SPACE.search(text):
            continue
        name = ""
        for number, part in enumerate(parts):
            if _NO_PIECE.fullmatch(part):
                continue
            name = name or _INDEXES.sub("", location)
            at = f"{name}[{number}]" if len(parts) > 1 else name
            yield Value(at, key, part), index
            count += 1
            if count == MOST:
                return


def site_of(host: str) -> str:
    """The domain that somebody has registered, about: two labels, or three under a short one."""
    labels = host.rstrip(".").split(".")
    short = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3  # noqa: PLR2004
    return ".".join(labels[-3 if short else -2 :])
