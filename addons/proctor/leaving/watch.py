"""Holds a request against what is known to be secret in its principal's run."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from proctor.leaving.cores import core
from proctor.leaving.gathered import PACKED, Gathered, Part, Place, gather
from proctor.leaving.known import Match, Secret
from proctor.leaving.memory import Memory, Run
from proctor.leaving.readings import TURNED, Reading, readings
from proctor.leaving.streams import Joined, Value
from proctor.leaving.thinned import thinned
from proctor.leaving.values import site_of, values_of
from proctor.redaction.edits import View
from proctor.redaction.model import (
    API_KEY,
    PRIVATE_KEY,
    SECRET_PIECES,
    SECRETS,
    Budget,
    Detector,
    Spot,
)
from proctor.redaction.recognizers.plausible import UUID
from proctor.redaction.views import views

KNOWN: Final = "proctor:known"
PIECES: Final = "proctor:pieces"
JOINED: Final = "proctor:joined"
ENCODED: Final = "proctor:encoded/"

SHARE: Final = 0.6
"""Of a known secret; when so much has left in pieces, what carries another is refused."""

_WRITTEN: Final = " written in "
_REVERSE: Final = "reverse"
_LEAST: Final = 16  # characters of values that are put together
_MIXED: Final = re.compile(r"(?=[^0-9]*[0-9])(?=(?:[^A-Za-z]*[A-Za-z]){4})")
_BEFORE: Final = 160  # characters of earlier values that are looked at with new ones
_APART: Final = "\nzqxjzqxjzqxj\n"  # keeps stretches of two texts apart
_CODE: Final = re.compile(r"3[2-9]|[4-9]\d|1[01]\d|12[0-6]")
_CODES: Final = 8
GENERIC: Final = re.compile(
    r"generic|entropy|assign|prose|keyword|known-value|fields|prefixed|flag|call|url|table"
)
"""Detectors that go by the words around a value, which in what is put together mean nothing."""
_BESIDE: Final = re.compile(r"authorization|column|login|cookie|near-key")
"""More of them: whole archives of source code have such words, and what is in them is no key."""


class Hit(NamedTuple):
    """Something that must not leave, where it stands.

    Attributes:
        place: The leaf.
        start: First character in it.
        end: Character after the last.
        type: Entity type.
        detector: The sign.
        score: 0 to 1.
        digest: Names the value; "" where it has to be made of `value`.
        value: What was read, where nobody had seen it before.
        words: What is said of it, without the value.
    """

    place: Place
    start: int
    end: int
    type: str
    detector: str
    score: float
    digest: str
    value: str
    words: str

    def __repr__(self) -> str:
        return f"Hit({self.type!r}, {self.place.location!r}, {self.detector!r})"


@dataclass(slots=True)
class _Carried:
    """Parts of one secret in one request."""

    secret: Secret
    stood: dict[tuple[int, int, int], None] = field(default_factory=dict)


@dataclass(slots=True)
class _Request:
    run: Run
    host: str
    places: Sequence[Place]
    detector: Detector
    budget: Budget
    carried: dict[int, _Carried] = field(default_factory=dict)

    def carries(self, match: Match, parts: Sequence[Part], requests: set[int]) -> None:
        """Note that a part of a secret leaves."""
        secret = match.secret
        secret.left[match.first : match.last] = True
        secret.requests |= requests
        carried = self.carried.setdefault(id(secret), _Carried(secret))
        carried.stood.update(dict.fromkeys(parts))


class Watch:
    """What leaves, for all principals.

    Args:
        clock: Monotonic, seconds.
        memory: By default a new one.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, memory: Memory | None = None
    ) -> None:
        self.memory = memory or Memory(clock)

    def knows(self, principal: str, digest: str) -> bool:
        """Whether a secret is remembered; it counts as met."""
        return self.memory.run(principal).known.get(digest) is not None

    def learn(self, principal: str, spot: Spot, digest: str, origin: str, home: str = "") -> None:
        """Remember that a value is secret, by digests only.

        Args:
            principal: `Principal.key`.
            spot: The value, as it was found.
            digest: Names it.
            origin: Where, in words for people.
            home: The host in whose answer it came; there it may go, unless it was known before.
        """
        if UUID.match(spot.value):
            return  # the name of something, beside a word such as `session`
        known = self.memory.run(principal).known
        secret = known.get(digest)
        if secret is None:
            part = core(spot.value)
            if part is None:
                return
            secret = known.learn(digest, spot.type, part, origin, came=bool(home))
            if home:
                secret.homes.add(home)
        elif not home:
            secret.came = False

    def trace(
        self,
        principal: str,
        host: str,
        places: Sequence[Place],
        detector: Detector,
        budget: Budget,
    ) -> list[Hit]:
        """What of a request must not leave that search cannot tell; the simplest reading first.

        Args:
            principal: `Principal.key`.
            host: Where it goes.
            places: Every text of the request.
            detector: The ordinary one.
            budget: What it may cost.

        Raises:
            RedactionError: It could not be looked at whole.
        """
        packed = [place for place in places if place.leaf == PACKED]
        if packed:
            places = [place for place in places if place.leaf != PACKED]
        request = _Request(self.memory.run(principal), host, places, detector, budget)
        hits: list[Hit] = []
        for gathered in gather([place.text for place in places]):
            shown = list(views(gathered.text, budget))
            hits += self._known(request, gathered, shown)
            hits += sorted(self._encoded(request, gathered, shown), key=_codes)
        hits += self._plain(request)
        hits += self._pieces(request)
        hits += self._carried(request)
        if packed:
            hits += self._packed(_Request(request.run, host, packed, detector, budget))
        return hits

    @staticmethod
    def _plain(request: _Request) -> Iterator[Hit]:
        """What stands where search does not look, as it stands."""
        beside = [place for place in request.places if place.leaf < 0]
        for gathered in gather([place.text for place in beside]):
            for spot in request.detector.scan(gathered.text, request.budget):
                parts = gathered.parts(spot.start, spot.end)
                if spot.type in SECRETS and len(parts) == 1:
                    index, start, end = parts[0]
                    yield _found(beside[index], start, end, spot, spot.detector, "")

    def _packed(self, request: _Request) -> Iterator[Hit]:
        """What is found in archives and the like, of which there is much."""
        for gathered in gather([place.text for place in request.places]):
            request.budget.check()
            shown = list(views(gathered.text, request.budget))
            yield from self._known(request, gathered, shown)
            for spot in request.detector.scan(gathered.text, request.budget):
                words = GENERIC.search(spot.detector) or _BESIDE.search(spot.detector)
                if spot.type in {API_KEY, PRIVATE_KEY} and not words:
                    for index, start, end in gathered.parts(spot.start, spot.end):
                        yield _found(request.places[index], start, end, spot, spot.detector, "")
        yield from self._carried(request)

    def _encoded(
        self, request: _Request, gathered: Gathered, shown: Sequence[View]
    ) -> Iterator[Hit]:
        """What is found once it is decoded in ways that the ordinary detectors do not know."""
        found = list(readings(gathered.text, request.budget, shown=shown))
        for inner in gather([reading.text for reading in found]):
            for spot in request.detector.scan(inner.text, request.budget):
                parts = inner.parts(spot.start, spot.end)
                reading = found[parts[0].number]
                turned = reading.how in TURNED and GENERIC.search(spot.detector)
                if spot.type not in SECRETS or len(parts) > 1 or turned:
                    continue
                sign = ENCODED + reading.how.replace(" ", "-")
                for index, start, end in gathered.parts(reading.start, reading.end):
                    place = request.places[index]
                    yield _found(place, start, end, spot, sign, _WRITTEN + reading.how)
            for match in request.run.known.find(inner.text):
                reading = found[inner.parts(match.start, match.end)[0].number]
                parts = gathered.parts(reading.start, reading.end)
                yield from self._matched(request, _read(match, reading), parts)

    def _known(self, request: _Request, gathered: Gathered, shown: Sequence[View]) -> Iterator[Hit]:
        known = request.run.known
        if not len(known):
            return
        for match in known.find(gathered.text):
            parts = gathered.parts(match.start, match.end)
            yield from self._matched(request, match, parts)
        for view in shown:
            for match in known.find(view.text):
                for start, end in view.origins(match.start, match.end):
                    yield from self._matched(request, match, gathered.parts(start, end))
        yield from self._thin(request, gathered)

    def _thin(self, request: _Request, gathered: Gathered) -> Iterator[Hit]:
        known = request.run.known
        thin = list(thinned(gathered.text))
        for inner in gather([each.text for each in thin], _APART):
            for match in known.find(inner.text):
                start, end, _, how = thin[inner.parts(match.start, match.end)[0].number]
                if match.enough:
                    parts = gathered.parts(start, end)
                    yield from self._matched(request, match._replace(how=how), parts)

    @staticmethod
    def _matched(request: _Request, match: Match, parts: Sequence[Part]) -> Iterator[Hit]:
        secret = match.secret
        if request.host in secret.homes:
            return
        if not match.enough:
            request.carries(match, parts, {request.run.streams.requests + 1})
            return
        written = f",{_WRITTEN}{match.how}" if match.how else ""
        share = round(100 * (match.last - match.first) / secret.size)
        words = f"{share} % of a secret found in {secret.origin}{written}"
        for part in parts:
            yield _of(request, part, secret, KNOWN, words)

    def _pieces(self, request: _Request) -> Iterator[Hit]:
        """Short values, put together with those of this request and of earlier ones."""
        values = list(values_of(request.places))
        yield from self._codes(request, values)
        taken = request.run.streams.take(site_of(request.host), [value for value, _ in values])
        together = [(joined, *joined.window(_BEFORE)) for joined in taken]
        if len(request.run.known):
            for gathered in gather(
                [joined.text[low:high] for joined, low, high in together], _APART
            ):
                for match in request.run.known.find(gathered.text):
                    index, start, end = gathered.parts(match.start, match.end)[0]
                    joined, low, _ = together[index]
                    touched = joined.touched(low + start, low + end)
                    parts = _news(request, joined, touched, values)
                    if len(touched) > 1 and request.host not in match.secret.homes and parts:
                        request.carries(match, parts, {joined.sent[i] for i in touched})
        yield from self._unseen(request, together, values)

    @staticmethod
    def _codes(request: _Request, values: Sequence[tuple[Value, int]]) -> Iterator[Hit]:
        """A list of numbers that are characters."""
        codes = [(int(value.text), at) for value, at in values if _CODE.fullmatch(value.text)]
        if len(codes) < _CODES:
            return
        text = "".join(chr(code) for code, _ in codes)
        for spot in request.detector.scan(text, request.budget):
            if spot.type in SECRETS:
                for _, at in codes[spot.start : spot.end]:
                    place = request.places[at]
                    sign = ENCODED + "character-codes"
                    how = f"{_WRITTEN}character codes"
                    yield _found(place, 0, len(place.text), spot, sign, how)

    @staticmethod
    def _unseen(
        request: _Request,
        together: Sequence[tuple[Joined, int, int]],
        values: Sequence[tuple[Value, int]],
    ) -> Iterator[Hit]:
        """A secret that is none before it is put together."""
        wanted = [
            one
            for one in together
            if one[2] - one[1] >= _LEAST and _MIXED.match(one[0].text, one[1], one[2])
        ]
        texts = [joined.text[low:high] for joined, low, high in wanted]
        for gathered in gather(texts):
            text = gathered.text
            spots = list(request.detector.scan(text, request.budget))
            found = [r for r in readings(text, request.budget, 1) if r.how not in TURNED]
            for inner in gather([reading.text for reading in found]):
                for spot in request.detector.scan(inner.text, request.budget):
                    reading = found[inner.parts(spot.start, spot.end)[0].number]
                    spots.append(spot._replace(start=reading.start, end=reading.end))
            for spot in spots:
                if spot.type not in SECRETS or GENERIC.search(spot.detector):
                    continue
                index, start, end = gathered.parts(spot.start, spot.end)[0]
                joined, low, _ = wanted[index]
                touched = joined.touched(low + start, low + end)
                if len(touched) > 1 and not _alone(request, joined, touched):
                    words = f"{len(touched)} values that together are a secret ({spot.type})"
                    for part in _news(request, joined, touched, values):
                        place = request.places[part.number]
                        value = spot.value
                        yield Hit(
                            place,
                            part.start,
                            part.end,
                            SECRET_PIECES,
                            JOINED,
                            0.9,
                            "",
                            value,
                            words,
                        )

    @staticmethod
    def _carried(request: _Request) -> Iterator[Hit]:
        """What has left of each secret, counted over requests."""
        for carried in request.carried.values():
            secret = carried.secret
            if secret.share < SHARE:
                continue
            count = len(secret.requests)
            share = round(100 * secret.share)
            words = (
                f"{count} request{'' if count == 1 else 's'} carried {share} % of a secret found "
                f"in {secret.origin}"
            )
            for stood in carried.stood:
                yield _of(request, Part(*stood), secret, PIECES, words)


def host_place(host: str) -> list[Place]:
    """A host's name as something in which a secret could stand."""
    telling = "." in host and ":" not in host and not host.replace(".", "").isdigit()
    return [Place(-1, -1, host, "host", "")] if telling else []


def _alone(request: _Request, joined: Joined, touched: Sequence[int]) -> bool:
    """Whether a secret stands in one of the values by itself, which search has seen."""
    ends = (*joined.starts[1:], len(joined.text))
    return any(
        spot.type in SECRETS
        for i in touched
        for spot in request.detector.scan(joined.text[joined.starts[i] : ends[i]], request.budget)
    )


def _news(
    request: _Request,
    joined: Joined,
    touched: Sequence[int],
    values: Sequence[tuple[Value, int]],
) -> list[Part]:
    """Of the values that were put together, those of this request."""
    found = dict.fromkeys(values[joined.new[i]][1] for i in touched if joined.new[i] >= 0)
    return [Part(index, 0, len(request.places[index].text)) for index in found]


def _codes(hit: Hit) -> int:
    """How many codes its words name, one within the other."""
    _, written, how = hit.words.partition(_WRITTEN)
    return 1 + how.count(" in ") if written else 0


def _read(match: Match, reading: Reading) -> Match:
    """The match in a reading as one in what was read; turned round twice is not turned at all."""
    own, _, outer = reading.how.partition(" in ")
    if match.how and match.how == own:  # of those that both know, each undoes itself
        how = outer
    elif own == _REVERSE and match.how.startswith(f"{_REVERSE} "):
        how = " in ".join(filter(None, (match.how.removeprefix(f"{_REVERSE} "), outer)))
    else:
        how = f"{match.how} in {reading.how}" if match.how else reading.how
    return match._replace(how=how)


def _found(  # noqa: PLR0913, PLR0917 - where, and what is said of it
    place: Place, start: int, end: int, spot: Spot, sign: str, how: str
) -> Hit:
    words = f"a secret ({spot.type}){how}"
    return Hit(place, start, end, spot.type, sign, spot.score, "", spot.value, words)


def _of(request: _Request, part: Part, secret: Secret, sign: str, words: str) -> Hit:
    place = request.places[part.number]
    return Hit(place, part.start, part.end, SECRET_PIECES, sign, 1.0, secret.digest, "", words)
