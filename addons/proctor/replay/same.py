"""Whether a recorded text and one that is asked are the same, as far as the record can tell.

What was taken out of the record left a word in its place, and the client sends the real text: that
place matches anything.
"""

import re
from collections.abc import Iterable

from proctor.redaction.surrogates import LETTERS, SIZE, TOKEN, TYPE

type Parts = tuple[tuple[str, ...], tuple[int, ...]]
"""What stands between the places, and where each part begins."""


class Redacted:
    """Knows what stands in place of values in one session's record.

    Args:
        types: Entity types of which something was found in it.

    Only recorded texts are remembered, which whoever serves a session holds anyway.
    """

    def __init__(self, types: Iterable[str] = ()) -> None:
        known = "|".join(sorted(re.escape(t) for t in set(types) if TYPE.fullmatch(t)))
        # A hash or a mask counts only for types that were found: `<B>` may be anybody's.
        masks = rf"|<(?:{known})(?::[{LETTERS}]{{{SIZE}}})?>" if known else ""
        self._place = re.compile(TOKEN.pattern + masks)
        self._known: dict[str, Parts] = {}

    def same(self, recorded: str, asked: str) -> bool:
        """Whether `asked` is what was recorded."""
        return recorded == asked or self.differs(recorded, asked) is None

    def differs(self, recorded: str, asked: str) -> tuple[int, int] | None:
        """Where the two part, as offsets in each; None if they are the same.

        Each part between two places is looked for as early as it can stand, so this takes no more
        than one pass for each place.
        """
        parts, starts = self._parts(recorded)
        if len(parts) == 1:
            return None if recorded == asked else _parting(recorded, asked, 0, 0)
        first, *middle, last = parts
        if not asked.startswith(first):
            return _parting(first, asked, 0, 0)
        at = len(first)
        for part, start in zip(middle, starts[1:-1], strict=True):
            found = asked.find(part, at)
            if found < 0:
                return start, at
            at = found + len(part)
        if not asked.endswith(last) or len(asked) - len(last) < at:
            return starts[-1], at
        return None

    def _parts(self, text: str) -> Parts:
        found = self._known.get(text)
        if found is None:
            matches = list(self._place.finditer(text))
            starts = (0, *(match.end() for match in matches))
            ends = (*(match.start() for match in matches), len(text))
            parts = tuple(text[start:end] for start, end in zip(starts, ends, strict=True))
            found = self._known[text] = parts, starts
        return found


def _parting(recorded: str, asked: str, start: int, at: int) -> tuple[int, int]:
    pairs = enumerate(zip(recorded, asked, strict=False))
    common = next((n for n, (a, b) in pairs if a != b), min(len(recorded), len(asked)))
    return start + common, at + common
