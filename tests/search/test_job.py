"""Indexing in a process of its own."""

import fcntl
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from proctor.search.background import COMMAND
from proctor.search.indexer import Indexer, Progress
from proctor.search.job import order, work
from tests.support.recorded import others, record, story


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    record(tmp_path / "recordings", story, others)
    return tmp_path / "recordings"


class _Script(Indexer):
    """Does what it is told."""

    steps: list[Progress]

    def step(self) -> Progress:
        return self.steps.pop(0)


def scripted(recordings: Path, *steps: Progress) -> _Script:
    script = _Script(recordings)
    script.steps = list(steps)
    return script


def test_all_that_is_new(recordings: Path) -> None:
    some = Progress(records=2, texts=1, more=True)
    last = Progress(records=3, texts=2, busy=True)
    assert work(scripted(recordings, some, some, last), 60) == Progress(
        records=7, texts=4, busy=True
    )


def test_as_long_as_it_may(recordings: Path) -> None:
    some = Progress(records=2, texts=1, more=True)
    ticks = itertools.count()
    script = scripted(recordings, some, some, some, some)
    done = work(script, 2, lambda: float(next(ticks)))
    assert done == Progress(records=4, texts=2, more=True)


def test_one_at_a_time(recordings: Path) -> None:
    indexer = Indexer(recordings)
    assert work(indexer, 60).texts > 0
    handle = os.open(indexer.folder / "background.lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert work(scripted(recordings), 60) == Progress(busy=True)
    os.close(handle)
    assert not work(indexer, 60).busy


def test_nothing_is_recorded_yet(tmp_path: Path) -> None:
    assert work(Indexer(tmp_path), 60) == Progress()
    assert not list(tmp_path.iterdir())


def ran(recordings: Path, command: Sequence[str] = COMMAND) -> list[dict[str, object]]:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(order(recordings, 60.0))
        process.stdin.flush()
        said = [json.loads(line) for line in process.stdout]
        assert process.stderr.read() == b""
    assert process.returncode == 0
    return said


def test_what_it_says(recordings: Path) -> None:
    (said,) = ran(recordings)
    assert said.keys() == {"done"}
    indexer = Indexer(recordings)
    assert indexer.step().texts == 0
    for path in indexer.folder.glob("*.db"):
        path.write_bytes(b"damaged" * 1000)
    anew, done = ran(recordings)
    assert (anew["event"], anew["writer"]) == ("search.anew", "w0")
    assert done.keys() == {"done"}
    indexer.folder.chmod(0o755)
    assert ran(recordings) == [{"failed": "store-open-to-others"}]


def test_it_ends_with_its_parent(recordings: Path) -> None:
    Indexer(recordings).make()
    program = (
        "import os, time\nfrom proctor.search import job\n"
        "job.work = lambda *given: print('begun', flush=True) or time.sleep(60)\njob.main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(order(recordings, 60.0))
        process.stdin.flush()
        assert process.stdout.readline() == b"begun\n"
        process.stdin.close()
        assert process.wait(30) == 0


def test_what_a_failure_holds_is_not_told(recordings: Path) -> None:
    program = (
        "from proctor.search import job\n"
        "def no(*given): raise KeyError('what was typed')\njob.work = no\njob.main()\n"
    )
    assert ran(recordings, (sys.executable, "-c", program)) == [{"failed": "KeyError"}]
