"""Text that is redacted while it comes, as one content block of an answer.

What might still become part of a finding is held back (holdback.py says what), the rest is looked
at together with what went before, and let go. It is let go by the text alone, never by a clock, so
that a value is found whatever the pieces it comes in.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from typing import Final, NamedTuple

from proctor.redaction import holdback
from proctor.redaction.headings import Headings
from proctor.redaction.model import (
    PRIVATE_KEY,
    SECRET,
    SECRETS,
    Budget,
    Detector,
    Spot,
)

HELD_TOO_LONG: Final = "proctor:held-too-long"
"""Detector of what did not end within the caps and is therefore taken out unseen."""

# So that a look is not taken for every word; the first words of a text are not made to wait.
_BATCH: Final = 10
_RARER: Final = 16  # of what is held, the part that must come anew before the next look
_SHORTEST_REPEAT: Final = 6
_REPEATS: Final = 256
_MARK: Final = 160  # characters in which the end of a private key is looked for, at least
_LINE: Final = 2048  # characters of a line, longer than any heading
_half = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class Taken(NamedTuple):
    """Something to take out: the spot, by its place in the whole text, and the text as it came."""

    spot: Spot
    text: str


type Piece = str | Taken


class _Mode(Enum):
    TEXT = auto()
    IN_KEY = auto()  # in a private key that was too long to wait for
    IN_TOKEN = auto()  # in an unbroken token that was


class TextStream:
    """Redacts one text.

    Args:
        detector: Finds things.
        replace: What takes the place of something found; for `feed` and `finish`.
        budget_for: Makes the budget of one look.
        context: Characters before the new text that are looked at with it.
        cap: Characters of an unbroken token that are waited for. What is longer is taken out
            whole, up to its end.
        phrases: Known texts that reach over white space.
        repeats: Secrets found so far, by value; may be shared by the texts of one answer.
        sentences: Let go of whole sentences only, for a model that finds names looks on.

    Attributes:
        looked: Characters that came.
        late: Findings that began in text that had been let go; their rest was taken out.
        spots: What was taken out, by its place in the whole text.
    """

    def __init__(  # noqa: PLR0913 - each has its own reason to vary
        self,
        detector: Detector,
        replace: Callable[[Spot], str] = lambda spot: f"<{spot.type}>",
        *,
        budget_for: Callable[[], Budget],
        context: int = 256,
        cap: int = 4096,
        phrases: holdback.Phrases | None = None,
        repeats: dict[str, Spot] | None = None,
        sentences: bool = False,
    ) -> None:
        self._sentences = sentences
        self.looked = 0
        self.late = 0
        self.spots: list[Spot] = []
        self._detector = detector
        self._replace = replace
        self._budget_for = budget_for
        self._context = context
        self._cap = cap
        self._phrases = phrases or holdback.Phrases()
        self._repeats = {} if repeats is None else repeats
        self._repeated = holdback.Phrases(self._repeats, limit=_REPEATS)
        self._text = ""  # context, then what is held
        self._start = 0  # where what is held begins
        self._word = 0  # where the unbroken token at the end begins
        self._base = 0  # where `_text` begins in the whole text
        self._headings = Headings()
        self._line = ""  # the end of what was let go, as far as its line has not ended
        self._batch = 0
        self._seen = -1  # `_word` at the last look that let nothing go
        self._mode = _Mode.TEXT

    @property
    def held(self) -> int:
        """Characters that came and were not let go."""
        return len(self._text) - self._start

    def feed(self, text: str) -> str:
        """Take the next text; returns what may go on, redacted.

        Raises:
            RedactionError: It could not be looked at.
        """
        return self._joined(self.pieces(text))

    def finish(self) -> str:
        """The rest, at the text's end; nothing is fed after this. Errors as of `feed`."""
        return self._joined(self.rest())

    def pieces(self, text: str) -> list[Piece]:
        """As `feed`, with what was found not yet replaced."""
        self.looked += len(text)
        pieces: list[Piece] = []
        if self._mode is not _Mode.TEXT and text:
            text = self._swallow(text)
        if self._mode is _Mode.TEXT and text:
            self._take(text)
            waiting = self._word - self._start
            # The longer something is held, the rarer a look: else its cost would be quadratic.
            if waiting > self._batch and self._word - self._seen > waiting // _RARER:
                pieces = self._look(final=False)
            if self._mode is _Mode.TEXT:
                pieces += self._bounded()
        return pieces

    def rest(self) -> list[Piece]:
        """As `finish`, with what was found not yet replaced."""
        pieces = self._look(final=True) if self.held and self._mode is _Mode.TEXT else []
        self._text, self._start = "", 0
        return pieces

    def _joined(self, pieces: list[Piece]) -> str:
        return "".join(p if isinstance(p, str) else self._replace(p.spot) for p in pieces)

    def _take(self, text: str) -> None:
        size = len(self._text)
        self._text += text
        if _half.search(self._text, max(0, size - 1)):
            # RFC 8259 section 8.2: halves of a pair, written as two escapes, that make one letter.
            joined = self._text[self._start :].encode("utf-16", "surrogatepass")
            self._text = self._text[: self._start] + joined.decode("utf-16", "surrogatepass")
            size = self._start
            self._word = self._start
        found = holdback.token_start(self._text, len(self._text), size)
        if found > size:
            self._word = found
        self._word = holdback.soften(self._text, self._word)

    def _look(self, *, final: bool) -> list[Piece]:
        text, start = self._text, self._start
        self._seen = self._word
        if final:
            cut = len(text)
        else:
            cut = holdback.settled(text, start, self._word)
            cut = min(cut, self._phrases.begin(text, start, self._word))
            cut = min(cut, self._repeated.begin(text, start, self._word))
            if self._sentences:
                cut = holdback.sentence(text, start, cut)
            if cut > start:
                cut = self._row(cut)
        if cut <= start + (0 if final else self._batch):
            return []
        spots = self._found(text)
        if final:
            spots = self._closed(spots)
        else:
            cut = _uncut(text, spots, cut, start)
            if cut <= start:
                return []
        return self._let_go(spots, cut)

    def _found(self, text: str) -> list[Spot]:
        budget = self._budget_for()
        spots = self._scanned(text, budget)
        fresh = {s.value: s for s in spots if s.end <= self._word and _comes_again(s)}
        known = fresh | self._repeats
        if not known:
            return spots
        covered = bytearray(len(text))
        for spot in spots:
            covered[spot.start : spot.end] = bytes([1]) * (spot.end - spot.start)
        for value, first in known.items():
            at = text.find(value, self._start)
            while at >= 0:
                end = at + len(value)
                if covered.find(1, at, end) < 0:
                    budget.spend(1)
                    covered[at:end] = bytes([1]) * (end - at)
                    spots.append(first._replace(start=at, end=end))
                at = text.find(value, end)
        return sorted(spots, key=lambda spot: spot.start)

    def _scanned(self, text: str, budget: Budget) -> list[Spot]:
        """What is in the text, and in its rows under a heading that was let go."""
        spots = list(self._detector.scan(text, budget))
        heading = self._headings.line
        if not heading:
            return spots
        row = text.rfind("\n", 0, self._start) + 1 or self._start
        lead = f"{heading}\n"
        for spot in self._detector.scan(lead + text[row:], budget):
            start, end = spot.start - len(lead) + row, spot.end - len(lead) + row
            if start >= row and all(end <= old.start or old.end <= start for old in spots):
                spots.append(spot._replace(start=start, end=end))
        return sorted(spots, key=lambda spot: spot.start)

    def _row(self, cut: int) -> int:
        """At most `cut`: before a row of a table that is not complete."""
        lines = (self._line + self._text[self._start :]).split("\n")
        if len(lines) == 1 and not self._headings.line:
            return cut
        headings = replace(self._headings)
        for line in lines[:-1]:
            headings.take(line)
        held = len(lines[-1]) if headings.waits(lines[-1]) else 0
        return max(self._start, min(cut, len(self._text) - held))

    def _pass_lines(self, text: str) -> None:
        """Remember under which heading what comes next is."""
        *lines, last = (self._line + text).split("\n")
        for line in lines:
            self._headings.take(line)
        self._line = last[-_LINE:]

    def _closed(self, spots: list[Spot]) -> list[Spot]:
        """At the end: a private key without its end is taken out all the same."""
        key = holdback.open_key(self._text, self._start)
        if key < 0 or not holdback.key_material(self._text, key):
            return spots
        if any(spot.start <= key and spot.end == len(self._text) for spot in spots):
            return spots
        key = min((spot.start for spot in spots if spot.start < key < spot.end), default=key)
        value = self._text[key:]
        whole = Spot(key, len(self._text), PRIVATE_KEY, HELD_TOO_LONG, 1.0, value)
        return [*(spot for spot in spots if spot.end <= key), whole]

    def _let_go(self, spots: list[Spot], cut: int) -> list[Piece]:
        text, at = self._text, self._start
        pieces: list[Piece] = []
        self._pass_lines(text[at:cut])
        for spot in spots:
            if spot.end <= at or spot.start >= cut:
                continue
            self.late += spot.start < self._start
            begin = max(at, spot.start)
            if begin > at:
                pieces.append(text[at:begin])
            pieces.append(self._taken(spot, begin))
            at = spot.end
        if cut > at:
            pieces.append(text[at:cut])
        keep = max(0, cut - self._context)
        self._text, self._start = text[keep:], cut - keep
        self._word = max(self._start, self._word - keep)
        self._seen = -1
        self._base += keep
        self._batch = _BATCH
        return pieces

    def _taken(self, spot: Spot, begin: int) -> Taken:
        text = self._text[begin : spot.end]
        placed = spot._replace(start=self._base + begin, end=self._base + spot.end)
        self.spots.append(placed)
        value = spot.value
        if _comes_again(spot) and value not in self._repeats and len(self._repeats) < _REPEATS:
            self._repeats[value] = placed
            self._repeated.add(value)
        return Taken(placed, text)

    def _bounded(self) -> list[Piece]:
        """Past a cap, what is held is let go as what it is, or taken out unseen up to its end."""
        text, start = self._text, self._start
        if len(text) - self._word > self._cap:
            before = self._forced(self._word)
            self._mode = _Mode.IN_TOKEN
            return [*before, *self._unseen(SECRET)]
        if len(text) - start <= holdback.KEY_CAP:
            return []
        key = holdback.open_key(text, start)
        if key >= 0:
            before = self._forced(key)
            self._mode = _Mode.IN_KEY
            return [*before, *self._unseen(PRIVATE_KEY)]
        return self._forced(self._word)

    def _forced(self, cut: int) -> list[Piece]:
        if cut <= self._start:
            return []
        spots = self._found(self._text)
        # One that reaches over the cut is taken out up to its end.
        cut = max(cut, max((spot.end for spot in spots if spot.start < cut), default=cut))
        return self._let_go(spots, cut)

    def _unseen(self, kind: str) -> list[Piece]:
        """All that is held becomes one thing, which goes on until its end comes."""
        pieces: list[Piece] = []
        if self.held:
            whole = Spot(self._start, len(self._text), kind, HELD_TOO_LONG, 1.0, "")
            pieces.append(Taken(self._taken(whole, self._start).spot, ""))
        self._keep(self._text[-_MARK:] if self._mode is _Mode.IN_KEY else "", len(self._text))
        return pieces

    def _swallow(self, text: str) -> str:
        """What comes after the end of what is being taken out."""
        if self._mode is _Mode.IN_KEY:
            text = self._text + text
            end = holdback.key_end(text, 0)
            kept = text[-_MARK:] if end < 0 else ""
        else:
            end = holdback.token_end(text, 0)
            kept = ""
        if end < 0:
            self._keep(kept, len(text))
            return ""
        self._mode = _Mode.TEXT
        self._keep("", end)
        return text[end:]

    def _keep(self, text: str, done: int) -> None:
        """Go on behind the `done` characters of text; of them only `text` stays, as context."""
        self._base += done - len(text)
        self._text = text
        self._line, self._headings = "", Headings()
        self._start = self._word = len(text)


def _comes_again(spot: Spot) -> bool:
    """Whether the value is looked for elsewhere: a secret is one wherever it stands."""
    return spot.type in SECRETS and len(spot.value) >= _SHORTEST_REPEAT


def _uncut(text: str, spots: list[Spot], cut: int, start: int) -> int:
    """Before what reaches over the cut, or up to it: the next word may belong to it."""
    for spot in reversed(spots):
        if spot.start < cut and spot.end >= start + len(text[start:cut].rstrip()):
            cut = max(start, holdback.token_start(text, spot.start, start))
    return cut
