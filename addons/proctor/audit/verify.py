"""Is the chain whole? Recomputes it from what the store holds, hot and cold alike."""

import json
from dataclasses import dataclass
from pathlib import Path

from proctor.audit.envelope import GENESIS, leaf
from proctor.audit.inquiry import open_record

_CHUNK = 20_000
_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """What was found of one writer.

    Attributes:
        writer: Its name.
        records: Envelopes read.
        leaf: Leaf of the last one, hex.
        problems: What is wrong and where, the first 20; empty if the chain is whole.
    """

    writer: str
    records: int
    leaf: str
    problems: tuple[str, ...]


def verify_chain(path: Path) -> tuple[ChainReport, ...]:
    """Recomputes every writer's sequence and chain from the exact bytes of its envelopes.

    An envelope that was changed, left out, put in or moved shows; one that was cut off at the end
    does not, for nothing after it says that it was there.

    Raises:
        ConfigurationError: The record cannot be opened.
    """
    with open_record(path) as database:
        writers = database.execute(
            "SELECT writer, max(seq) FROM _records GROUP BY writer ORDER BY writer"
        ).fetchall()
        reports: list[ChainReport] = []
        for writer, last in writers:
            prev, seq, count = GENESIS, 0, 0
            problems: list[str] = []
            for first in range(0, last + 1, _CHUNK):
                rows = database.execute(
                    "SELECT seq, raw FROM _records WHERE writer = ? AND seq BETWEEN ? AND ?"
                    " ORDER BY seq",
                    [writer, first, first + _CHUNK - 1],
                ).fetchall()
                for number, raw in rows:
                    problem = _check(raw, writer, number, seq, prev)
                    if problem and len(problems) < _MOST:
                        problems.append(f"{writer} {number}: {problem}")
                    prev, seq, count = leaf(raw.encode()), number + 1, count + 1
            reports.append(
                ChainReport(writer=writer, records=count, leaf=prev, problems=tuple(problems))
            )
    return tuple(reports)


def _check(raw: str, writer: str, number: int, expected: int, prev: str) -> str:
    """What is wrong with one envelope, or nothing."""
    value = json.loads(raw)
    if number < expected:
        return "is there twice"
    if number > expected:
        return f"{number - expected} before it are missing"
    if value["writer"] != writer or value["seq"] != number:
        return "its columns differ from its bytes"
    if value["prev"] != prev:
        return "does not hold the hash of the one before"
    return ""
