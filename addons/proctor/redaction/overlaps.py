"""What several detectors and readings found in one text, made into spots that do not overlap."""

import re
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import ahocorasick_rs

from proctor.redaction.model import CANARY, SECRETS, Spot

# What redaction itself puts in: <TYPE>, <TYPE:digest> and TYPE_digest.
_BRACKETS: Final = re.compile(r"<[A-Z][A-Z0-9_]{0,62}(?::[bcdfghjklmnpqrstvwxz]{16})?>")
# From the end, since a name may be long and full of `_`: that way each sign is read once.
_DIGEST: Final = re.compile(r"_[bcdfghjklmnpqrstvwxz]{16}")
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,62}$")
_NAME_LENGTH: Final = 63

_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_LONG: Final = re.compile(r"[A-Za-z0-9+/]{20}")
_GLUED: Final = 19  # characters
_GLUED_AFTER: Final = re.compile(r"(?=[A-Za-z]{0,19}[0-9])[A-Za-z0-9]{6}")
_GLUED_BEFORE: Final = re.compile(r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{6,}$")

_ANYWHERE: Final = 16  # characters, from which a value is searched for also inside words
_TELLING: Final = 8  # the same for a value with digits and more
_WORD: Final = 6  # characters, below which a value is not searched for
_NO_WORD: Final = 12  # the same for one of letters alone


class Sighting(NamedTuple):
    """A spot in the first text, and how often that text was decoded to see it."""

    spot: Spot
    level: int = 0


def placeholders(text: str) -> list[tuple[int, int]]:
    """Where the text holds words of our own, sorted."""
    places = [match.span() for match in _BRACKETS.finditer(text)]
    for match in _DIGEST.finditer(text):
        start = max(0, match.start() - _NAME_LENGTH)
        name = _NAME.search(text[start : match.start()])
        if name is not None:
            places.append((start + name.start(), match.end()))
    return sorted(places)


def without_own(text: str, spots: Sequence[Spot]) -> Sequence[Spot]:
    """The spots without those that are there only because of our own words.

    A spot that holds one besides something else was cut out before, so what is left of it is
    harmless (the rest of a URL); unless what is left looks like a secret itself.
    """
    own = placeholders(text) if spots else []
    if not own:
        return spots
    return [spot for spot in spots if not _is_own(text, spot, own)]


def _is_own(text: str, spot: Spot, own: list[tuple[int, int]]) -> bool:
    index = bisect_right(own, spot.start, key=lambda place: place[1])
    if index == len(own) or own[index][0] >= spot.end:
        return False
    position = spot.start
    while True:
        low, high = own[index] if index < len(own) else (spot.end, spot.end)
        rest = text[position : min(low, spot.end)]
        follows = position > spot.start and _GLUED_AFTER.match(rest)
        leads = low < spot.end and _GLUED_BEFORE.search(rest[-_GLUED:])
        if _LONG.search(rest) or follows or leads:
            return False
        if low >= spot.end:
            return True
        position = high
        index += 1


class Repeats:
    """Finds every further place where the value of a secret stands.

    Args:
        secrets: By their values.
    """

    def __init__(self, secrets: Mapping[str, Spot]) -> None:
        self._wanted = [
            (spot, telling)
            for value, spot in secrets.items()
            if (telling := _is_telling(value)) or _is_rare(value)
        ]
        self._automaton = ahocorasick_rs.AhoCorasick(
            [spot.value for spot, _ in self._wanted],
            matchkind=ahocorasick_rs.MatchKind.LeftmostLongest,
        )

    def find(self, text: str) -> list[Spot]:
        """Where they stand in a text."""
        if not self._wanted:
            return []
        found = []
        for index, start, end in self._automaton.find_matches_as_indexes(text):
            spot, telling = self._wanted[index]
            around = "" if telling else text[max(0, start - 1) : start] + text[end : end + 1]
            if not any(map(str.isalnum, around)):
                found.append(Spot(start, end, spot.type, spot.detector, spot.score, spot.value))
        return found


def _is_telling(value: str) -> bool:
    """Whether a value is no word, so that it means the same inside another."""
    return len(value) >= _ANYWHERE or (
        len(value) >= _TELLING and any(map(str.isdigit, value)) and not value.isdigit()
    )


def _is_rare(value: str) -> bool:
    """Whether a value stands for itself where it is a word; a dictionary's word does not."""
    return len(value) >= (_NO_WORD if value.isalpha() else _WORD)


def resolve(text: str, sightings: Sequence[Sighting]) -> tuple[Spot, ...]:
    """Spots that overlap become one that covers them all: a secret if one of them is a secret.

    Else the longest names it, then the surest. Its value is what was decoded, where all readings
    of the whole agree, and a secret in hex is more than some letters; else the text as it stands.

    Args:
        text: What the spots count in.
        sightings: In any order.
    """
    spots: list[Spot] = []
    together: list[Sighting] = []
    end = -1
    for sighting in sorted(_apart(text, sightings), key=_place):
        spot = sighting.spot
        if spot.start >= end and together:
            spots.append(_union(text, together))
            together = []
        together.append(sighting)
        end = max(end, spot.end)
    if together:
        spots.append(_union(text, together))
    return tuple(spots)


def _apart(text: str, sightings: Sequence[Sighting]) -> Sequence[Sighting]:
    """Without mail addresses that are the end of a password and a host: `user:password@host`."""
    ends = {
        one.spot.end
        for one in sightings
        if one.spot.type in SECRETS and text.startswith("@", one.spot.end)
    }
    if not ends:
        return sightings
    return [one for one in sightings if one.spot.type in SECRETS or not _holds(one.spot, ends)]


def _holds(spot: Spot, ends: Collection[int]) -> bool:
    return any(spot.start < end < spot.end for end in ends)


def _place(sighting: Sighting) -> tuple[int, int]:
    return sighting.spot.start, sighting.spot.end


def _union(text: str, together: Sequence[Sighting]) -> Spot:
    if len(together) == 1:
        return together[0].spot
    start = min(sighting.spot.start for sighting in together)
    end = max(sighting.spot.end for sighting in together)
    best = max(together, key=_weight).spot
    whole = [one for one in together if (one.spot.start, one.spot.end) == (start, end)]
    level = max((one.level for one in whole), default=0)
    values = {one.spot.value for one in whole if one.level == level}
    value = values.pop() if len(values) == 1 else text[start:end]
    if best.type in SECRETS and len(value) < _TELLING and _HEX.fullmatch(text[start:end]):
        value = text[start:end]  # it only happens to be text
    return Spot(start, end, best.type, best.detector, best.score, value)


def _weight(sighting: Sighting) -> tuple[bool, bool, int, float, str, str]:
    spot = sighting.spot
    size = spot.end - spot.start
    # A canary looks like a key, and is one to whoever finds it; what it is must be told.
    canary = spot.type == CANARY
    return (canary, spot.type in SECRETS, size, spot.score, spot.type, spot.detector)
