"""What was done to a record shows."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from proctor.audit import verify
from proctor.audit.envelope import leaf
from proctor.audit.recorder import Recorder
from proctor.audit.verify import verify_chain
from tests.support.envelopes import STILL


def make(path: Path, count: int = 5) -> Path:
    async def write() -> None:
        recorder = await Recorder.open(path, pace=STILL)
        for number in range(count):
            await recorder.event("x", {"number": number})
        await recorder.close()

    asyncio.run(write())
    return path / "writers/w0/0.jsonl"


def test_a_whole_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_CHUNK", 2)
    journal = make(tmp_path / "recordings")
    (report,) = verify_chain(tmp_path / "recordings")
    assert (report.writer, report.records, report.problems) == ("w0", 5, ())
    assert report.leaf == leaf(journal.read_bytes().splitlines()[-1])


def test_an_empty_record(tmp_path: Path) -> None:
    make(tmp_path / "recordings", 0)
    assert verify_chain(tmp_path / "recordings") == ()


type Change = Callable[[list[bytes]], list[bytes]]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda lines: [*lines[:2], lines[2].replace(b'"number":2', b'"number":7'), *lines[3:]],
            "w0 3: does not hold the hash of the one before",
        ),
        (lambda lines: [*lines[:2], *lines[3:]], "w0 3: 1 before it are missing"),
        (lambda lines: [lines[0], *lines], "w0 0: is there twice"),
        (
            lambda lines: [*lines[:4], lines[4].replace(b'"prev":"', b'"prev":"0')],
            "w0 4: does not hold the hash of the one before",
        ),
        (lambda lines: [*lines[:2], b"#" + lines[2], *lines[3:]], "w0 3: 1 before it are missing"),
    ],
)
def test_what_was_done_to_it_shows(tmp_path: Path, change: Change, problem: str) -> None:
    journal = make(tmp_path / "recordings")
    journal.write_bytes(b"".join(change(journal.read_bytes().splitlines(keepends=True))))
    (report,) = verify_chain(tmp_path / "recordings")
    assert report.problems[0] == problem
