"""Looks at the pieces of a body, and takes out of them what must not pass.

An agent sends its whole conversation again each turn. A piece is known again by the digest of its
bytes: what was found in it, and what became of it, is remembered, but never a value.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, NamedTuple, Protocol

from proctor.model import Finding
from proctor.redaction.model import (
    CONFIGURED_FIELD,
    Budget,
    Change,
    Detector,
    Direction,
    Document,
    Method,
    Skipped,
    Spot,
)
from proctor.redaction.overlaps import Sighting, resolve, without_own
from proctor.redaction.places import hiding
from proctor.redaction.treatment import Chosen, name_of, passes

_SIGHTS: Final = 131_072  # pieces and findings, at some hundred bytes
_BODIES: Final = 64 * 2**20  # bytes of pieces already redacted


class Piece(NamedTuple):
    """A part of a message that is looked at as one.

    Attributes:
        raw: Its bytes.
        read: Makes a document of them; ClientError or RedactionError where it cannot.
        digest: Names bytes and reader; b"" where nothing is to be remembered.
        history: It was sent before, so that blocking it would end the conversation.
        said: It is a message of a conversation: once it was blocked, it comes again as history.
        signed: Paths of the leaves that may not be changed, since they are signed, by its bytes.
    """

    raw: bytes
    read: Callable[[bytes], Document]
    digest: bytes
    history: bool = False
    said: bool = False
    signed: Callable[[bytes], frozenset[tuple[str | int, ...]]] = lambda _raw: frozenset()

    def __repr__(self) -> str:
        return f"Piece({len(self.raw)} bytes)"


@dataclass(frozen=True, slots=True)
class Found:
    """A Spot without its value, so that it can be kept."""

    type: str
    detector: str
    score: float
    location: str
    digest: str
    signed: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen in one piece."""

    found: tuple[Found, ...]
    looked: int
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A piece's document and what is in it; holds values, so it lives as long as one exchange."""

    document: Document = field(repr=False)
    spots: Mapping[int, tuple[Spot, ...]] = field(repr=False)
    signed: frozenset[int]
    place: Callable[[str], str]


@dataclass(slots=True)
class Look:
    """What was seen in all pieces of one message."""

    pieces: Sequence[Piece] = field(repr=False)
    sights: list[Sight] = field(default_factory=list)
    opened: dict[int, Opened] = field(default_factory=dict, repr=False)
    read: dict[int, Document] = field(default_factory=dict, repr=False)
    seconds: float = 0.0

    def document(self, index: int) -> Document:
        """What a piece says; read once more only where it was not kept."""
        opened, piece = self.opened.get(index), self.pieces[index]
        known = opened.document if opened else self.read.get(index)
        return piece.read(piece.raw) if known is None else known

    @property
    def looked(self) -> int:
        """Characters that were looked at, now or before."""
        return sum(sight.looked for sight in self.sights)

    @property
    def skipped(self) -> dict[str, int]:
        """Bytes that were not, by reason."""
        sums: dict[str, int] = {}
        for sight in self.sights:
            for skipped in sight.skipped:
                sums[skipped.reason] = sums.get(skipped.reason, 0) + skipped.size
        return sums


@dataclass(frozen=True, slots=True)
class Outcome:
    """A piece as it goes on, and as it is recorded, and the surrogates in it."""

    sent: bytes = field(repr=False)
    record: bytes = field(repr=False)
    tokens: tuple[str, ...] = ()


type MethodOf = Callable[[Found], Chosen | None]


class Operators(Protocol):
    """Makes what takes a value's place."""

    def replace(self, spot: Spot, method: Chosen, *, spelled: str) -> str:
        """The text that stands for `spelled`, which is how the value is written."""
        ...

    def again(self, tokens: Sequence[str]) -> bool:
        """Use surrogates that were made before; False where their values are not kept."""
        ...


class Redactor:
    """Not bound to any protocol. `look` may run in another thread than `take_out`.

    Args:
        detector: Finds things.
        digest: Keyed digest of a type and a value.
        configured: Whether a path is one of the configured fields; its leaf is then all secret.
        allowed: Whether a finding was marked as harmless: detector, digest, location.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        digest: Callable[[str, str], str],
        configured: Callable[[tuple[str | int, ...]], bool] | None = None,
        allowed: Callable[[str, str, str], bool] = lambda _detector, _digest, _location: False,
    ) -> None:
        self.detector = detector
        self.digest = digest
        self.configured = configured
        self.allowed = allowed
        self._sights: OrderedDict[bytes, Sight] = OrderedDict()
        self._bodies: OrderedDict[tuple[object, ...], Outcome] = OrderedDict()
        self._kept = 0
        self._weight = 0
        self._version = ""
        self._lock = Lock()

    def unseen(self, pieces: Sequence[Piece]) -> int:
        """Bytes that `look` has to look at anew."""
        return sum(len(piece.raw) for piece in pieces if piece.digest not in self._sights)

    def look(self, pieces: Sequence[Piece], budget: Budget, *, keep: bool = False) -> Look:
        """See what is in the pieces.

        Args:
            pieces: Of one message.
            budget: What it may cost.
            keep: The documents are asked for soon; whoever asks empties `read` afterwards.

        Raises:
            RedactionError: Something could not be looked at whole.
            ClientError: A piece cannot be read.
        """
        look = Look(pieces)
        version = self._current()
        for index, piece in enumerate(pieces):
            sight = self._sights.get(piece.digest) if piece.digest else None
            if sight is None:
                opened = self._open(piece, budget)
                sight = self._see(opened)
                if opened.spots:
                    look.opened[index] = opened
                elif keep:
                    look.read[index] = opened.document
                self._remember(piece, sight, version)
            look.sights.append(sight)
        return look

    def add(
        self, look: Look, index: int, spots: Mapping[int, Sequence[Spot]], budget: Budget
    ) -> None:
        """Add to what was seen in a piece what only its surroundings tell; none is remembered.

        What lies within something that was seen already stays what it is.

        Args:
            look: From `look`.
            index: Of the piece.
            spots: By the index of the leaf.
            budget: For reading it again.
        """
        piece = look.pieces[index]
        before = look.opened.get(index) or self._open(piece, budget)
        leaves = before.document.leaves
        together = dict(before.spots)
        for leaf, more in spots.items():
            seen = before.spots.get(leaf, ())
            both = [
                Sighting(spot) for spot in (*seen, *(each for each in more if _new(each, seen)))
            ]
            together[leaf] = resolve(leaves[leaf].text, both)
        opened = Opened(before.document, together, before.signed, hiding(leaves, together))
        look.opened[index], look.sights[index] = opened, self._see(opened)
        pieces = list(look.pieces)
        pieces[index] = piece._replace(digest=b"")
        look.pieces = pieces

    def values(self, look: Look, index: int, budget: Budget) -> tuple[Spot, ...]:
        """What was found in a piece, with its values.

        Args:
            look: From `look`.
            index: Of the piece.
            budget: For looking again at what was seen before.
        """
        opened = look.opened.get(index) or self._open(look.pieces[index], budget)
        return tuple(spot for spots in opened.spots.values() for spot in spots)

    def take_out(  # noqa: PLR0913 - what the outcome depends on
        self,
        look: Look,
        index: int,
        methods: MethodOf,
        operators: Operators,
        *,
        scope: tuple[object, ...] | None,
        budget: Budget,
    ) -> Outcome:
        """One piece without what must not pass.

        Args:
            look: From `look`.
            index: Of the piece.
            methods: What is done with a finding; None lets it be.
            operators: Makes what takes a value's place.
            scope: All that `methods` and `operators` depend on: the same scope gives the same
                bytes. None where nothing is to be remembered.
            budget: For looking again at what was seen before.
        """
        piece, sight = look.pieces[index], look.sights[index]
        if all(self._harmless(found) or methods(found) is None for found in sight.found):
            return Outcome(piece.raw, piece.raw)
        key = (piece.digest, *scope) if scope and piece.digest else None
        known = self._bodies.get(key) if key else None
        if key and known and operators.again(known.tokens):
            self._bodies.move_to_end(key)
            return known
        opened = look.opened.get(index) or self._open(piece, budget)
        sent: dict[int, list[Change]] = {}
        record: dict[int, list[Change]] = {}
        tokens: dict[str, None] = {}
        for number, spots in opened.spots.items():
            leaf = opened.document.leaves[number]
            for spot in spots:
                found = self._found(opened, number, spot)
                method = None if self._harmless(found) else methods(found)
                if method is None:
                    continue
                stays = found.signed or passes(method)
                spelled = leaf.text[spot.start : spot.end]
                text = operators.replace(spot, Method.MASK if stays else method, spelled=spelled)
                if method is Method.SURROGATE and not stays:
                    tokens[text] = None
                change = Change(spot.start, spot.end, text)
                record.setdefault(number, []).append(change)
                if not stays:
                    sent.setdefault(number, []).append(change)
        out = opened.document.splice(record)
        outcome = Outcome(
            sent=out if sent == record else opened.document.splice(sent),
            record=out,
            tokens=tuple(tokens),
        )
        if key and outcome.sent is outcome.record:
            self._keep(key, outcome)
        return outcome

    def _keep(self, key: tuple[object, ...], outcome: Outcome) -> None:
        """Remember what holds no value."""
        before = self._bodies.pop(key, None)
        self._kept -= len(before.record) if before else 0
        self._bodies[key] = outcome
        self._kept += len(outcome.record)
        while self._kept > _BODIES:
            self._kept -= len(self._bodies.popitem(last=False)[1].record)

    def findings(
        self, look: Look, methods: MethodOf, direction: Direction, *, history: bool
    ) -> tuple[Finding, ...]:
        """What rules and the record are told.

        Args:
            look: From `look`.
            methods: As for `take_out`.
            direction: Which way it was going.
            history: Tell of what was sent before, too.
        """
        told: dict[tuple[object, ...], Finding] = {}
        for piece, sight in zip(look.pieces, look.sights, strict=True):
            if piece.history and not history:
                continue
            for found in sight.found:
                method = None if self._harmless(found) else methods(found)
                if method is not None:
                    finding = Finding(
                        type=found.type,
                        location=found.location,
                        direction=direction.value,
                        score=found.score,
                        detector=found.detector,
                        action="pass" if found.signed else name_of(method),
                        digest=found.digest,
                    )
                    told.setdefault((found.type, found.location, found.digest), finding)
        return tuple(told.values())

    def _open(self, piece: Piece, budget: Budget) -> Opened:
        document = piece.read(piece.raw)
        leaves = document.leaves
        spots = look_at(document, self.detector, self.configured, budget)
        stays = piece.signed(piece.raw) if spots else frozenset()
        paths: Sequence[tuple[str | int, ...]] = getattr(document, "paths", ())
        signed = frozenset(index for index in spots if stays and paths[index] in stays)
        return Opened(document, spots, signed, hiding(leaves, spots))

    def _see(self, opened: Opened) -> Sight:
        leaves = opened.document.leaves
        return Sight(
            found=tuple(
                self._found(opened, index, spot)
                for index, spots in sorted(opened.spots.items())
                for spot in spots
            ),
            looked=sum(len(leaf.text) for leaf in leaves),
            skipped=tuple(opened.document.skipped),
        )

    def _found(self, opened: Opened, index: int, spot: Spot) -> Found:
        return Found(
            type=spot.type,
            detector=spot.detector,
            score=spot.score,
            location=opened.place(opened.document.leaves[index].location),
            digest=self.digest(spot.type, spot.value),
            signed=index in opened.signed,
        )

    def _harmless(self, found: Found) -> bool:
        return self.allowed(found.detector, found.digest, found.location)

    def _current(self) -> str:
        """The detector's version; with another one, all that was seen is to be seen again."""
        version = self.detector.version
        with self._lock:
            if version != self._version:
                self._version = version
                self._sights.clear()
                self._bodies.clear()
                self._kept = self._weight = 0
        return version

    def _remember(self, piece: Piece, sight: Sight, version: str) -> None:
        if not piece.digest:
            return
        with self._lock:
            if version != self._version:
                return
            before = self._sights.pop(piece.digest, None)
            self._weight += _weight(sight) - (_weight(before) if before else 0)
            self._sights[piece.digest] = sight
            while self._weight > _SIGHTS:
                self._weight -= _weight(self._sights.popitem(last=False)[1])


def look_at(
    document: Document,
    detector: Detector,
    configured: Callable[[tuple[str | int, ...]], bool] | None,
    budget: Budget,
) -> dict[int, tuple[Spot, ...]]:
    """What is in a document, by the index of the leaf.

    Args:
        document: Where configured fields are to be found, its leaves have paths.
        detector: Finds things.
        configured: Whether a path is one of the configured fields; its leaf is then all secret.
        budget: What it may cost.

    Raises:
        RedactionError: It could not be looked at whole.
    """
    leaves = document.leaves
    spots = dict(detector.examine(leaves, budget))
    paths: Sequence[tuple[str | int, ...]] = getattr(document, "paths", ())
    for index, path in enumerate(paths if configured else ()):
        text = leaves[index].text
        if text and configured and configured(path):
            whole = Spot(0, len(text), CONFIGURED_FIELD, "proctor:fields", 1.0, text)
            spots[index] = tuple(without_own(text, [whole]))
    return spots


def _new(spot: Spot, seen: Sequence[Spot]) -> bool:
    return not any(old.start <= spot.start and spot.end <= old.end for old in seen)


def _weight(sight: Sight) -> int:
    return 1 + len(sight.found) + len(sight.skipped)
