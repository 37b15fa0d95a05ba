"""One Hyperscan pass that says where in a text a recognizer has to look at all.

Every recognizer names triggers: expressions of which at least one ends inside, or just before,
anything the recognizer could find. Hyperscan looks for all of them at once, in prefilter mode: it
may report too much, never too little. Around each hit lies a window; a recognizer looks at its
windows and nowhere else. Hyperscan counts in bytes, all others in characters: offsets are
translated here.
"""

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import hyperscan

from proctor.redaction.database import block_database
from proctor.redaction.model import RedactionError

type Window = tuple[int, int]
"""First character, and the one after the last."""

_FEW_HITS: Final = 65_536
"""Hits that any text may have; beyond that, no more than it has bytes."""

_TOP_BITS: Final = 0b1100_0000
_CONTINUED: Final = 0b1000_0000  # RFC 3629, section 3: a byte inside a character

_FLAGS: Final = hyperscan.HS_FLAG_PREFILTER | hyperscan.HS_FLAG_DOTALL | hyperscan.HS_FLAG_MULTILINE
_UNICODE: Final = hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_UCP


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Where a recognizer has to look.

    Attributes:
        expression: What Hyperscan looks for.
        before: Characters that a finding may lie before the end of a hit; None for any number.
        after: Characters that it may lie behind, and what has to be seen behind it.
        caseless: Capital and small letters are the same.
        unicode: Characters count, not bytes; only needed for letters outside ASCII.
        only_ascii: Outside ASCII it may mean something else: there it always hits.
    """

    expression: str
    before: int | None
    after: int = 0
    caseless: bool = False
    unicode: bool = False
    only_ascii: bool = False

    @property
    def flags(self) -> int:
        """Hyperscan's."""
        flags = _FLAGS | (_UNICODE if self.unicode else 0)
        return flags | (hyperscan.HS_FLAG_CASELESS if self.caseless else 0)


class Prefilter:
    """Finds the windows of several recognizers in one pass.

    May be shared by threads: each has scratch space of its own.

    Args:
        triggers: Of each recognizer, by its name.
        cache: Where it is kept once it is compiled; nobody else may be able to write there.
    """

    def __init__(
        self, triggers: Mapping[str, Sequence[Trigger]], cache: Path | None = None
    ) -> None:
        self._triggers = tuple((name, trigger) for name in triggers for trigger in triggers[name])
        self._database = (
            _compiled(tuple(trigger for _, trigger in self._triggers), cache)
            if self._triggers
            else None
        )
        self._only_ascii = {name for name, trigger in self._triggers if trigger.only_ascii}
        self._own = threading.local()

    def scan(self, text: str) -> dict[str, list[Window]]:
        """The windows of each recognizer that has any: in order, not touching each other.

        Raises:
            RedactionError: The text has more hits than can be kept (`redaction-hits`).
        """
        if self._database is None:
            return {}
        # A lone surrogate has no bytes; the question mark in its place keeps the count.
        data = text.encode("utf-8", "replace")
        hits = self._hits(self._database, data)
        found: dict[str, list[Window]] = {}
        if not text.isascii():
            _to_characters(data, hits)
            found = {name: [(0, len(text))] for name in self._only_ascii}
        for index, ends in hits.items():
            name, trigger = self._triggers[index]
            found.setdefault(name, []).extend(_windows(ends, trigger, len(text)))
        return {name: _merged(windows) for name, windows in found.items()}

    def _hits(self, database: hyperscan.Database, data: bytes) -> dict[int, list[int]]:
        hits: dict[int, list[int]] = {}
        left = max(_FEW_HITS, len(data))

        def note(index: int, _start: int, end: int, _flags: int, _context: object) -> bool | None:
            nonlocal left
            left -= 1
            if left < 0:
                return True
            ends = hits.get(index)
            if ends is None:
                hits[index] = [end]
            else:
                ends.append(end)
            return None

        try:
            database.scan(data, match_event_handler=note, scratch=self._scratch(database))
        except hyperscan.ScanTerminated:
            raise RedactionError(
                "redaction-hits",
                "A text has too much in it that may be sensitive, so nothing was let through",
                hint="Send less at once.",
            ) from None
        except hyperscan.HyperscanError as error:
            raise RedactionError(
                "redaction-detector", "The prefilter failed", got=type(error).__name__
            ) from None
        return hits

    def _scratch(self, database: hyperscan.Database) -> hyperscan.Scratch:
        scratch: hyperscan.Scratch | None = getattr(self._own, "scratch", None)
        if scratch is None:
            scratch = self._own.scratch = hyperscan.Scratch(database)
        return scratch


def compiles(trigger: Trigger) -> bool:
    """Whether Hyperscan takes the expression."""
    try:
        _compiled((trigger,))
    except (hyperscan.HyperscanError, UnicodeEncodeError):
        return False
    return True


_SAME_MEANING: Final = re.compile(
    r"""(?:\(\?i\))?(?:
        [^\\\[({]                                       # a character, an anchor, a quantifier
      | \\(?:[dDwWsSbBnrtfv]|x[0-9a-fA-F]{2}|[^a-zA-Z0-9\s])
      | \[\^?\]?(?:[^\\\[\]&|~-]|-(?!-)|\\(?:[dDwWsSnrtfv]|x[0-9a-fA-F]{2}|[^a-zA-Z0-9\s]))*\]
      | \{[0-9]+(?:,[0-9]*)?\}
      | \((?:\?(?::|=|!|<=|<!|i:|P<[A-Za-z_]\w*>)|(?!\?))
    )*""",
    re.VERBOSE,
)


def means_the_same(expression: str) -> bool:
    r"""Whether Hyperscan surely reads the expression as Python's `regex` does.

    `{e<=1}` is a fuzzy match for one and text for the other, `\m` a word's edge or the letter m:
    gated by such an expression, a recognizer would not be asked where it should be.
    """
    return _SAME_MEANING.fullmatch(expression) is not None


@lru_cache(maxsize=32)
def _compiled(triggers: tuple[Trigger, ...], cache: Path | None = None) -> hyperscan.Database:
    return block_database([(each.expression, each.flags) for each in triggers], cache)


def _to_characters(data: bytes, hits: dict[int, list[int]]) -> None:
    """Turn offsets in UTF-8 into offsets of characters, in place."""
    characters: dict[int, int] = {}
    done = count = 0
    for end in sorted({end for ends in hits.values() for end in ends}):
        whole = end
        while whole < len(data) and data[whole] & _TOP_BITS == _CONTINUED:
            whole += 1
        if whole > done:
            count += len(data[done:whole].decode())
            done = whole
        characters[end] = count
    for index, ends in hits.items():
        hits[index] = [characters[end] for end in ends]


def _windows(ends: Iterable[int], trigger: Trigger, size: int) -> list[Window]:
    before, after = trigger.before, trigger.after
    if before is None:
        return [(0, size)]
    return [(max(0, end - before), min(size, end + after)) for end in ends]


def _merged(windows: list[Window]) -> list[Window]:
    windows.sort()
    merged: list[Window] = []
    start, end = windows[0]
    for next_start, next_end in windows:
        if next_start <= end:
            end = max(end, next_end)
        else:
            merged.append((start, end))
            start, end = next_start, next_end
    merged.append((start, end))
    return merged
