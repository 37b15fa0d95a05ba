"""Statements whole: what ended one is told with what began it.

A statement is two records, so that the first is durable before anything runs. Who gets events wants
one: the end's, with what the beginning says of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import batched
from typing import Any, Final

from proctor.audit.reader import Reader
from proctor.export.records import parsed

BATCH: Final = 1000
"""Envelopes that are looked at together."""

END: Final = "statement.end"
KINDS: Final = ("statement", END)

_BEGINS = """SELECT raw FROM _records WHERE kind = 'statement' AND writer = $writer
    AND list_contains($numbers, seq) ORDER BY seq"""

type Envelope = Mapping[str, Any]


def joined(reader: Reader, envelopes: Iterable[Envelope]) -> Iterator[Envelope]:
    """The same envelopes, the ends of statements whole.

    Args:
        reader: Where beginnings are that do not come by.
        envelopes: In order.
    """
    for batch in batched(envelopes, BATCH):
        yield from whole(reader, batch)


def whole(reader: Reader, envelopes: Sequence[Envelope]) -> list[Envelope]:
    """The same at once."""
    if not any(envelope["kind"] == END for envelope in envelopes):
        return list(envelopes)
    begins = {
        (envelope["writer"], envelope["seq"]): envelope
        for envelope in envelopes
        if envelope["kind"] == "statement"
    }
    missing: dict[str, list[int]] = {}
    for envelope in envelopes:
        if envelope["kind"] == END and _begin(envelope) not in begins:
            missing.setdefault(envelope["writer"], []).append(envelope["begin_seq"])
    for writer, numbers in missing.items():
        for row in list(reader.rows(_BEGINS, {"writer": writer, "numbers": numbers})):
            found = parsed(row["raw"])
            begins[writer, found["seq"]] = found
    return [
        _whole(envelope, begins.get(_begin(envelope))) if envelope["kind"] == END else envelope
        for envelope in envelopes
    ]


def _begin(envelope: Envelope) -> tuple[str, int]:
    return envelope["writer"], envelope["begin_seq"]


def _whole(end: Envelope, begin: Envelope | None) -> Envelope:
    """A beginning that retention has dropped leaves the end as it is."""
    return end if begin is None else {**begin, **end, "started_at": begin["ts"]}
