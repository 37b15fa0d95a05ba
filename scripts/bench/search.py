"""Search over a made record: how fast it is indexed, how large the index is, how fast one finds.

`make bench` takes a small record; `python scripts/bench/search.py --size 10GB` takes its time.
"""

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from figures import Figure, median, percentile
from lab import Lab
from records import envelopes
from store import SOON, settled

from proctor.audit.recorder import Recorder
from proctor.audit.store import Store
from proctor.model import Session
from proctor.search.documents import Part
from proctor.search.finding import Filters, search
from proctor.search.indexer import FOLDER, Indexer
from proctor.search.query import parse
from proctor.search.shelf import Shelf
from proctor.units import parse_size

SIZE = 150 * 10**6
"""Bytes of text in `make bench`."""
GOAL = 50.0
DAYS = 30
START = datetime(2026, 1, 1, 8, tzinfo=UTC)
_PEOPLE = 12
_TURNS = 40  # of a session
_AT_ONCE = 32  # sessions
_WORDS = 120_000
_EXPRESSIONS = 20_000
_COMMONEST = 300  # rank of the most frequent expression, among words
_TOOLS = ("Bash", "Read", "Grep", "Edit", "mcp__tickets__find")
_ASKED = 400
_KEPT = 0.02


@dataclass(slots=True)
class _Talk:
    """Text in a made language: its words are as unevenly frequent as those of real ones (Zipf)."""

    random: random.Random
    words: list[str] = field(default_factory=list[str])
    expressions: list[str] = field(default_factory=list[str])
    _items: list[str] = field(default_factory=list[str])
    _weights: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        letters = "etaoinshrdlucmfwypvb"
        seen: dict[str, None] = {}
        while len(seen) < _WORDS:
            length = 2 + min(10, int(self.random.gammavariate(3, 1.4)))
            seen["".join(self.random.choices(letters, k=length))] = None
        self.words = list(seen)
        # Error messages, names, paths: some words that come together, as often as words do.
        self.expressions = [
            " ".join(self.random.choices(self.words[:20_000], k=self.random.randint(2, 4)))
            for _ in range(_EXPRESSIONS)
        ]
        self._items = [*self.words, *self.expressions]
        ranks = [*range(_WORDS), *range(_COMMONEST, _COMMONEST + _EXPRESSIONS)]
        self._weights = list(itertools.accumulate(1 / (rank + 2.7) ** 1.05 for rank in ranks))

    def text(self, size: float) -> str:
        """Some `size` words, at times far more."""
        count = 3 + int(self.random.lognormvariate(0, 0.9) * size)
        found = self.random.choices(self._items, cum_weights=self._weights, k=count)
        return " ".join(found)


@dataclass(slots=True)
class _Maker:
    """Writes a record of sessions."""

    recorder: Recorder
    talk: _Talk
    begin: dict[str, Any]
    end: dict[str, Any]
    size: int = 0
    kept: list[str] = field(default_factory=list[str])

    async def session(self, number: int, started: str) -> None:
        """All turns of a session."""
        person = f"person{number % _PEOPLE}"
        principal = f"https://idp.example#{person}"
        run = Session(
            id=f"{number:08x}-0000-4000-8000-{number:012x}",
            client="claude-cli/2.1.330",
            started=datetime.fromisoformat(started),
        )
        scope = self.recorder.scope(principal, run)
        named = {
            "session_id": run.id, "session_started": started, "principal": principal,
            "subject": person,
        }  # fmt: skip

        def put(size: float) -> dict[str, Any]:
            text = self.talk.text(size)
            self.size += len(text)
            if self.talk.random.random() < _KEPT:
                self.kept.append(text)
            return self.recorder.put(scope, text.encode()).as_json()

        for turn in range(_TURNS):
            flow = {"flow_id": f"{number:08x}-{turn:04x}", **named}
            asked = turn % 4 == 0
            question = {**self.begin["turn"], "prompt": put(60) if asked else None}
            results = [
                {"tool_use_id": f"t{number}-{turn - 1}", "content": put(500), "is_error": False}
            ]
            seq = await self.recorder.append(
                "flow.begin",
                self.begin | flow | {"request": None, "turn": question,
                                     "results": [] if asked else results},
            )  # fmt: skip
            tool = {
                "id": f"t{number}-{turn}", "source": "llm", "input": put(30), "rule_id": "r",
                "name": _TOOLS[turn % len(_TOOLS)],
                "verdict": "deny" if turn % 37 == 0 else "allow",
            }  # fmt: skip
            found = [{"entity_type": "EMAIL_ADDRESS", "location": "x", "direction": "request"}]
            await self.recorder.append(
                "flow.end",
                self.end | flow | {
                    "begin_seq": seq, "request": None, "response": None, "tools": [tool],
                    "turn": question | {"output": put(120)},
                    "findings": found if turn % 50 == 0 else [],
                },
            )  # fmt: skip


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """Make a record, index it, and look for what people look for."""
    del rounds
    yield from figures(lab.folder / "searched", int(SIZE * scale))


def figures(folder: Path, size: int) -> Iterator[Figure]:
    """The figures of a record with `size` bytes of text, made in `folder`."""
    talk = _Talk(random.Random(6))  # noqa: S311 - the same each time
    started = time.perf_counter()
    maker = asyncio.run(_write(folder, talk, size))
    wrote = time.perf_counter() - started
    yield Figure(what=f"search: {maker.size / 1e6:,.0f} MB of text recorded", value=wrote, unit="s")
    indexer = Indexer(folder)
    started, worked, texts = time.perf_counter(), time.process_time(), 0
    while (done := indexer.step()).more:
        texts += done.texts
    indexer.tidy()
    took, worked = time.perf_counter() - started, time.process_time() - worked
    large = sum(path.stat().st_size for path in (folder / FOLDER).iterdir())
    yield Figure(
        what="search: indexing",
        value=maker.size / 1e6 / took,
        unit="MB/s",
        note=f"{texts:,} texts; {worked:.0f} s of processor; the index has"
        f" {large / maker.size:.0%} of their size",
    )
    yield from _asked(folder, talk, maker.kept)


async def _write(folder: Path, talk: _Talk, size: int) -> _Maker:
    now = START

    def clock() -> float:
        return now.timestamp()

    recorder = await Recorder.open(folder, pace=SOON, clock=clock)
    try:
        maker = _Maker(recorder, talk, *await envelopes())
        number = 0
        while maker.size < size:
            now = START + timedelta(days=int(DAYS * maker.size / size))
            started = now.isoformat().replace("+00:00", "Z")
            await asyncio.gather(
                *(maker.session(each, started) for each in range(number, number + _AT_ONCE))
            )
            number += _AT_ONCE
        await settled(Store(path=folder))
    finally:
        await recorder.close()
    return maker


def _asked(folder: Path, talk: _Talk, kept: Sequence[str]) -> Iterator[Figure]:
    dice = talk.random

    def rank(low: int, high: int) -> str:
        return talk.words[dice.randrange(low, high)]

    def phrase(length: int) -> str:
        words = dice.choice(kept).split()
        at = dice.randrange(max(1, len(words) - length))
        return f'"{" ".join(words[at : at + length])}"'

    week = Filters(since=START + timedelta(days=DAYS - 7), until=START + timedelta(days=DAYS - 2))
    kinds: dict[str, Callable[[], tuple[str, Filters]]] = {
        "a common word": lambda: (rank(0, 50), Filters()),
        "a rare word": lambda: (rank(30_000, _WORDS), Filters()),
        "a word that is not there": lambda: (f"{rank(0, 2000)}qqq", Filters()),
        "two words": lambda: (f"{rank(0, 2000)} {rank(500, 20_000)}", Filters()),
        "an expression": lambda: (f'"{dice.choice(talk.expressions)}"', Filters()),
        "any three words in a row": lambda: (phrase(3), Filters()),
        "any two words in a row": lambda: (phrase(2), Filters()),
        "three common words in a row": lambda: (
            f'"{rank(0, 60)} {rank(0, 60)} {rank(0, 60)}"',
            Filters(),
        ),
        "the beginning of a word": lambda: (f"{rank(100, 20_000)[:5]}*", Filters()),
        "common, of one person": lambda: (
            rank(0, 200),
            Filters(principal=f"person{dice.randrange(_PEOPLE)}"),
        ),
        "rare, of one person": lambda: (
            rank(5000, 20_000),
            Filters(principal=f"person{dice.randrange(_PEOPLE)}"),
        ),
        "where an address was found": lambda: (rank(0, 2000), Filters(entity="EMAIL_ADDRESS")),
        "common, denied input of a tool": lambda: (
            rank(0, 200),
            Filters(verdict="deny", tool="Bash", part=Part.INPUT),
        ),
        "some days of it": lambda: (rank(50, 5000), week),
        "without": lambda: (f"{rank(0, 500)} !{rank(0, 20)}", Filters()),
    }  # fmt: skip
    shelf = Shelf()  # as the console has
    everything: list[float] = []
    each: list[str] = []
    details: dict[str, list[float]] = {}
    for what, make in kinds.items():
        took: list[float] = []
        for _ in range(_ASKED // len(kinds)):
            text, filters = make()
            started = time.perf_counter()
            search(folder, parse(text), filters, limit=20, shelf=shelf)
            took.append((time.perf_counter() - started) * 1e3)
        everything += took
        details[what] = took
        each.append(f"{what} {median(took):.0f}/{percentile(took, 95):.0f}/{max(took):.0f}")
    yield Figure(
        what="search: newest 20 in context, p95",
        value=percentile(everything, 95),
        unit="ms",
        goal=GOAL,
        note=f"median {median(everything):.0f}; median/p95/max: {'; '.join(each)}",
        details=details,
    )


def main(arguments: list[str]) -> int:
    """Measure a record of the size that is asked for."""
    parser = argparse.ArgumentParser(prog="search", description=__doc__)
    parser.add_argument("--size", type=parse_size, default=SIZE, help="of the text: 1GB, 10GB")
    parser.add_argument("--folder", type=Path, help="where to make it, and leave it")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="proctor-bench-") as made:
        for figure in figures(given.folder or Path(made) / "searched", given.size):
            print(f"{figure.what}: {figure.value:.1f} {figure.unit} {figure.note}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
