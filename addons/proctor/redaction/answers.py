"""What is done with the texts and documents of one answer: taken out, put back, remembered."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proctor.errors import RefusedError
from proctor.model import Finding
from proctor.redaction.handling import Path, Rewritten, Text
from proctor.redaction.holdback import Phrases
from proctor.redaction.model import (
    SECRETS,
    Budget,
    Change,
    Detector,
    Direction,
    Document,
    Method,
    Spot,
)
from proctor.redaction.operators import Operators
from proctor.redaction.places import hiding
from proctor.redaction.redactor import Found, MethodOf, look_at
from proctor.redaction.restore import Restorer
from proctor.redaction.stream import HELD_TOO_LONG, Piece, Taken, TextStream
from proctor.redaction.structure.jsondoc import read_json
from proctor.redaction.treatment import name_of, passes

_MAX_FINDINGS = 10_000


@dataclass(frozen=True, slots=True)
class Means:
    """What an answer is handled with.

    Attributes:
        detector: Finds things.
        methods: What is done with a finding.
        operators: Makes what takes its place, and keeps values for surrogates.
        restorer: Turns surrogates back, for a set of types; None where the client gets none back.
        budget: What one look may cost.
        digest: Keyed digest of a type and a value.
        allowed: Whether a finding was marked as harmless: detector, digest, location.
        configured: Whether a path is one of the configured fields.
        phrases: Known texts that reach over white space.
        sentences: Texts are let go by the sentence.
        learn: Told of each secret that the client gets, with its digest; None: nobody asks.
    """

    detector: Detector
    methods: MethodOf
    operators: Operators
    restorer: Callable[[frozenset[str] | None], Restorer] | None
    budget: Callable[[], Budget]
    digest: Callable[[str, str], str]
    allowed: Callable[[str, str, str], bool]
    configured: Callable[[tuple[str | int, ...]], bool] | None = None
    phrases: Phrases = field(default_factory=Phrases)
    sentences: bool = False
    learn: Callable[[Spot, str], None] | None = None


class Answer:
    """Implements `Handling` for one answer.

    Attributes:
        findings: What was found, each once.
        looked: Characters that were looked at.
        skipped: Bytes that were not, by reason.
    """

    def __init__(self, means: Means) -> None:
        self.findings: dict[tuple[str, str, str], Finding] = {}
        self.skipped: dict[str, int] = {}
        self.looked = 0
        self._means = means
        self._repeats: dict[str, Spot] = {}
        self._restorer = means.restorer(None) if means.restorer else None

    def stream(self) -> TextStream:
        """A stream for one more text."""
        return _Counted(
            self,
            self._means.detector,
            budget_for=self._means.budget,
            phrases=self._means.phrases,
            repeats=self._repeats,
            sentences=self._means.sentences,
        )

    def swap(self, taken: Taken, location: str, *, signed: bool) -> Text:
        """What takes the place of something found."""
        client, record = self._swap(taken.spot, taken.text, location, signed=signed)
        self._means.operators.commit()
        return Text(taken.text if client is None else client, record)

    def restore(self, text: str) -> str:
        """A text without spots, surrogates turned back."""
        return self._restorer.restore(text) if self._restorer else text

    def document(
        self,
        raw: bytes,
        location: str,
        *,
        exempt: Mapping[Path, str],
        signed: bool = False,
        restore: frozenset[str] | None = None,
    ) -> Rewritten:
        """One JSON value, redacted."""
        document = read_json(raw, prefix=location, exempt=exempt)
        restorer = self._means.restorer(restore) if self._means.restorer else None
        return self.body(document, restorer, signed=signed)

    def body(
        self, document: Document, restorer: Restorer | None = None, *, signed: bool = False
    ) -> Rewritten:
        """A whole document, redacted.

        Raises:
            RedactionError: It could not be looked at.
            RefusedError: Something in it blocks the answer.
        """
        leaves = document.leaves
        means = self._means
        spots = look_at(document, means.detector, means.configured, means.budget())
        self.looked += sum(len(leaf.text) for leaf in leaves)
        for skipped in document.skipped:
            self.skipped[skipped.reason] = self.skipped.get(skipped.reason, 0) + skipped.size
        client: dict[int, list[Change]] = {}
        record: dict[int, list[Change]] = {}
        place = hiding(leaves, spots)
        for index, leaf in enumerate(leaves):
            for spot in spots.get(index, ()):
                text = leaf.text[spot.start : spot.end]
                seen, kept = self._swap(
                    spot, text, place(leaf.location), signed=signed, restorer=restorer
                )
                if kept != text:
                    record.setdefault(index, []).append(Change(spot.start, spot.end, kept))
                if seen is not None and seen != text:
                    client.setdefault(index, []).append(Change(spot.start, spot.end, seen))
            if restorer and not signed:
                back = restorer.changes(leaf.text)
                if back:
                    client[index] = _apart(client.get(index, []), back)
        self._means.operators.commit()
        return Rewritten(document.splice(client), document.splice(record))

    def _swap(
        self,
        spot: Spot,
        text: str,
        location: str,
        *,
        signed: bool,
        restorer: Restorer | None = None,
    ) -> tuple[str | None, str]:
        """What the client gets, None for the text itself, and what is recorded."""
        digest = self._means.digest(spot.type, spot.value)
        found = Found(spot.type, spot.detector, spot.score, location, digest, signed)
        unseen = spot.detector == HELD_TOO_LONG
        chosen = self._means.methods(found)
        harmless = self._means.allowed(spot.detector, digest, location)
        if not unseen and (chosen is None or harmless):
            if not harmless:
                self._handed(spot, digest)
            return None, text
        method = Method.MASK if chosen is None or unseen else chosen
        self._note(found, "pass" if signed else name_of(method))
        if method is Method.BLOCK and not signed:
            raise RefusedError(
                "redaction-blocked",
                "The answer holds something that must not be passed on",
                got=f"{found.type} at {found.location}",
                rule_id="redaction",
            )
        if signed or passes(method):
            self._handed(spot, digest)
            return None, self._means.operators.replace(spot, Method.MASK, spelled=text)
        put = self._means.operators.replace(spot, method, spelled=text)
        back = restorer or self._restorer
        # What the client would get back from the surrogate at once, it may as well keep.
        keeps = method is Method.SURROGATE and back is not None and back.allows(spot.type)
        return (None if keeps else put), put

    def _handed(self, spot: Spot, digest: str) -> None:
        if self._means.learn and spot.type in SECRETS:
            self._means.learn(spot, digest)

    def _note(self, found: Found, action: str) -> None:
        key = (found.type, found.location, found.digest)
        if len(self.findings) < _MAX_FINDINGS and key not in self.findings:
            self.findings[key] = Finding(
                type=found.type,
                location=found.location,
                direction=Direction.RESPONSE.value,
                score=found.score,
                detector=found.detector,
                action=action,
                digest=found.digest,
            )


class _Counted(TextStream):
    """Adds what it looks at to the answer, which does not keep all its texts for that."""

    def __init__(self, answer: Answer, detector: Detector, **how: Any) -> None:
        super().__init__(detector, **how)
        self._answer = answer

    def pieces(self, text: str) -> list[Piece]:
        self._answer.looked += len(text)
        return super().pieces(text)


def _apart(changes: Sequence[Change], more: Sequence[Change]) -> list[Change]:
    """Both, in order; what the first change, the others leave alone. Each is sorted."""
    ends = [change.end for change in changes]
    free: list[Change] = []
    for new in more:
        index = bisect_right(ends, new.start)
        if index == len(changes) or new.end <= changes[index].start:
            free.append(new)
    return sorted([*changes, *free], key=lambda change: change.start)
