"""Secrets that are cut over several messages of one conversation.

Each message is looked at by itself; here the ends of those that have passed stand before what comes
next, one conversation a direction. In JSON the texts of one place follow each other
(`$.data` of one message, then of the next), and all texts of all messages do, too. What was passed
is gone, so only the message that completes a secret can be stopped. Of personal data nothing is
told: numbers of unrelated messages would often make one.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from proctor.redaction.model import SECRETS, Budget, Detector, Spot

TAIL: Final = 1024
"""Characters of all that has passed that are kept."""

LONGEST: Final = 4096
"""The same from where a private key begins, which is longer than any other secret."""

PLACES: Final = 64
"""Places in JSON of which the end is kept; the one not met for longest is forgotten."""

NAMES: Final = "(names)"
"""The place of names in JSON, which stand between the texts and are no part of them."""

_OF_PLACE: Final = 512  # characters
_HEAD: Final = 1024  # characters of what comes, in which a secret that has begun shows
_KEY: Final = "-----BEGIN "
_ALL: Final = ""


class Said(NamedTuple):
    """One text of a message.

    Attributes:
        place: Where it stands; texts of one place follow each other.
        text: What it says.
    """

    place: str
    text: str


class Completed(NamedTuple):
    """A secret of which the last piece has come.

    Attributes:
        spot: What it is.
        place: Where its last piece stands; "" where its pieces stand in several places.
        messages: In about how many messages it came.
    """

    spot: Spot
    place: str
    messages: int


class _Tail(NamedTuple):
    """The end of what has passed, and where in it messages ended."""

    text: str
    ends: tuple[int, ...]

    def after(self, text: str, most: int) -> "_Tail":
        whole = self.text + text
        cut = max(0, len(whole) - most)
        key = whole.rfind(_KEY, max(0, len(whole) - LONGEST))
        if key >= 0:
            cut = min(cut, key)
        ends = (*(end - cut for end in self.ends if end > cut), len(whole) - cut)
        return _Tail(whole[cut:], ends)


class Across:
    """What one side of a conversation has said, as far as secrets may reach over its messages.

    Args:
        detector: Finds things.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._all = _Tail("", ())
        self._places: OrderedDict[str, _Tail] = OrderedDict()

    def completed(self, texts: Iterable[Said], budget: Budget) -> Iterator[Completed]:
        """Secrets that began in messages that have passed and end in this one.

        Args:
            texts: Of this one, in order.
            budget: What it may cost.

        Raises:
            RedactionError: It could not be looked at.
        """
        said = list(texts)
        for place, text in _joined(said):
            if tail := self._places.get(place):
                yield from self._spanning(tail, text, place, budget)
        if len(said) != 1 or set(self._places) != {said[0].place}:  # else all is said at one place
            yield from self._spanning(self._all, _whole(said), _ALL, budget)

    def passed(self, texts: Iterable[Said]) -> None:
        """These have passed."""
        said = list(texts)
        self._all = self._all.after(_whole(said), TAIL)
        for place, text in _joined(said):
            tail = self._places.pop(place, _Tail("", ()))
            self._places[place] = tail.after(text, _OF_PLACE)
            if len(self._places) > PLACES:
                self._places.popitem(last=False)

    def _spanning(self, tail: _Tail, text: str, place: str, budget: Budget) -> Iterator[Completed]:
        if not tail.text or not text:
            return
        border = len(tail.text)
        for spot in self._detector.scan(tail.text + text[:_HEAD], budget):
            if spot.type in SECRETS and spot.start < border < spot.end:
                before = sum(spot.start < end < border for end in tail.ends)
                yield Completed(spot, place, before + 2)


def _whole(said: Iterable[Said]) -> str:
    return "".join(each.text for each in said if each.place != NAMES)


def _joined(said: Iterable[Said]) -> Iterator[tuple[str, str]]:
    """All that a message says at one place, in order."""
    found: dict[str, list[str]] = {}
    for place, text in said:
        found.setdefault(place, []).append(text)
    return ((place, "".join(texts)) for place, texts in list(found.items())[:PLACES])
