"""Fields that are always taken out, whatever is in them: a part of JSONPath (RFC 9535).

Of its selectors: a name (`.name`, `['name']`), an index (`[3]`), a wildcard (`.*`, `[*]`), each
also at any depth (`..name`). A table is an array of objects, one a row; a form and an XML document
are objects.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proctor.errors import ConfigurationError

_SEGMENT: Final = re.compile(
    r"(?P<dots>\.{0,2})(?:(?P<name>[^\W\d]\w*)|(?P<all>\*)|\[[ ]*(?:"
    r"(?P<quoted>'(?:[^'\\\x00-\x1f]|\\['\\])*'|\"(?:[^\"\\\x00-\x1f]|\\[\"\\])*\")"
    r"|(?P<index>0|[1-9][0-9]{0,9})|(?P<each>\*))[ ]*\])"
)
_MAX_PATTERN: Final = 512


@dataclass(frozen=True, slots=True)
class _Segment:
    """One step of a pattern; `wanted` is None for any name or index."""

    deep: bool
    wanted: str | int | None

    def takes(self, step: str | int) -> bool:
        return self.wanted is None or (type(self.wanted) is type(step) and self.wanted == step)


class Fields:
    """Tells whether a value is a configured field, or stands inside one.

    Args:
        patterns: Such as `$..password` or `$.customers[*].iban`.

    Raises:
        ConfigurationError: `field-pattern-invalid`.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [_parse(pattern) for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def matches(self, path: tuple[str | int, ...]) -> bool:
        """Whether a pattern selects this path, or one that leads to it."""
        return any(_selects(segments, path) for segments in self._patterns)


def _selects(segments: tuple[_Segment, ...], path: tuple[str | int, ...]) -> bool:
    """Where in the pattern one can be after each step; a deep segment can also wait."""
    places = {0}
    for step in path:
        following = set()
        for place in places:
            segment = segments[place]
            if segment.takes(step):
                following.add(place + 1)
            if segment.deep:
                following.add(place)
        if len(segments) in following:
            return True
        places = following
    return False


def _parse(pattern: str) -> tuple[_Segment, ...]:
    if not pattern.startswith("$") or len(pattern) > _MAX_PATTERN:
        raise _invalid(pattern, 0)
    segments: list[_Segment] = []
    at = 1
    while at < len(pattern):
        match = _SEGMENT.match(pattern, at)
        # RFC 9535 section 2.5: names have a dot or two before them, brackets none or two.
        if match is None or match["dots"] == ("." if match[0].endswith("]") else ""):
            raise _invalid(pattern, at)
        segments.append(_Segment(match["dots"] == "..", _wanted(match)))
        at = match.end()
    if not segments:
        raise _invalid(pattern, 1)
    return tuple(segments)


def _wanted(match: re.Match[str]) -> str | int | None:
    if match["name"] is not None:
        return match["name"]
    if match["index"] is not None:
        return int(match["index"])
    if match["quoted"] is not None:
        return re.sub(r"\\(.)", r"\1", match["quoted"][1:-1])
    return None


def _invalid(pattern: str, at: int) -> ConfigurationError:
    return ConfigurationError(
        code="field-pattern-invalid",
        message="A pattern for fields cannot be read",
        got=f"{pattern[:_MAX_PATTERN]!r}, not understood from character {at + 1} on",
        expected="JSONPath of names, indexes and wildcards, such as $..password",
        hint="Names with other than letters, digits and _ stand in brackets: $..['api-key'].",
    )
