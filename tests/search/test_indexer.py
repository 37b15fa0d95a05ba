"""Keeping the index up with the record."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from proctor.audit.recorder import Recorder
from proctor.errors import ConfigurationError, InternalError
from proctor.search import indexer as module
from proctor.search.finding import Filters, search
from proctor.search.indexer import Indexer
from proctor.search.partition import Partition
from proctor.search.places import places
from proctor.search.query import parse
from tests.support.envelopes import ALICE, START, STILL, begin, end, run, turn
from tests.support.recorded import others, record, story

DAY = 86_400.0


def fill(folder: Path, *words: str, days: float = 0.0, scopes: list[str] | None = None) -> None:
    """One exchange for each, of a session of its own."""

    async def main() -> None:
        now = START.timestamp() + days * DAY
        recorder = await Recorder.open(folder, pace=STILL, clock=lambda: now)
        for number, each in enumerate(words):
            session = run(f"s{number}-{days}")
            scope = recorder.scope(ALICE, session)
            if scopes is not None:
                scopes.append(scope.id)
            asked = turn(recorder.put(scope, each.encode()))
            await begin(recorder, f"f-{each[:9]}", turn=asked, session_id=session.id)
            answered = {**asked, "output": recorder.put(scope, b"done " + each.encode()).as_json()}
            tool = {
                "id": f"t{number}", "source": "llm", "name": "Bash", "verdict": None,
                "input": recorder.put(scope, b"run " + each.encode()).as_json(), "rule_id": None,
            }  # fmt: skip
            await end(recorder, f"f-{each[:9]}", 0, turn=answered, tools=[tool])
            given = recorder.put(scope, b"gave " + each.encode()).as_json()
            results = [{"tool_use_id": f"t{number}", "content": given, "is_error": False}]
            await begin(recorder, f"g-{each[:9]}", results=results)
            await begin(recorder, f"h-{each[:9]}", results=results)  # sent again
        await recorder.close()

    asyncio.run(main())


def all_of(indexer: Indexer) -> int:
    texts = 0
    while (done := indexer.step()).more:
        texts += done.texts
    return texts + done.texts


def found(folder: Path, text: str) -> list[str]:
    return [r.hit.flow_id for r in search(folder, parse(text), Filters(), limit=50)]


def test_what_is_new_and_only_once(tmp_path: Path) -> None:
    indexer = Indexer(tmp_path)
    assert indexer.step().records == 0  # there is no record
    fill(tmp_path, "apple", "pear")
    assert all_of(indexer) == 8
    assert found(tmp_path, "apple") == ["g-apple", "f-apple", "f-apple", "f-apple"]
    assert all_of(indexer) == 0
    fill(tmp_path, "plum", days=1)
    assert all_of(Indexer(tmp_path)) == 4
    assert found(tmp_path, "gave") == ["g-plum", "g-pear", "g-apple"]
    assert [place.day for place in places(indexer.folder)] == [date(2026, 1, 3), date(2026, 1, 2)]
    tools = {r.hit.tool for r in search(tmp_path, parse("gave"), Filters(tool="Bash"), limit=9)}
    assert tools == {"Bash"}  # a result is told whose it is by the call before


def test_a_whole_story(tmp_path: Path) -> None:
    record(tmp_path, story, others)
    assert all_of(Indexer(tmp_path)) > 0
    assert found(tmp_path, '"how many files"')


def test_a_step_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    monkeypatch.setattr(module, "BATCH_BYTES", 1)
    fill(tmp_path, "apple", "pear", "plum")
    indexer = Indexer(tmp_path)
    assert indexer.step().records <= 3
    all_of(indexer)
    assert found(tmp_path, "gave") == ["g-plum", "g-pear", "g-apple"]


def test_days_that_are_over_are_put_in_order(tmp_path: Path) -> None:
    for day in range(3):
        fill(tmp_path, "apple", days=day)
    indexer = Indexer(tmp_path)
    all_of(indexer)

    def finished() -> list[bool]:
        found = []
        for place in places(indexer.folder):
            partition = Partition.opened(indexer.folder, place)
            found.append(partition.finished)
            partition.close()
        return found

    assert finished() == [False, False, False]
    over = iter([False, True])
    assert not indexer.tidy(lambda: next(over))
    assert finished() == [False, True, False]
    handle = os.open(indexer.folder / "w0.lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert not indexer.tidy()
    os.close(handle)
    assert indexer.tidy()
    assert finished() == [False, True, True]
    assert indexer.tidy(lambda: True)
    assert len(found(tmp_path, "apple")) == 12


def test_two_writers(tmp_path: Path) -> None:
    fill(tmp_path, "apple")

    async def second() -> None:
        first = await Recorder.open(tmp_path, pace=STILL)
        other = await Recorder.open(tmp_path, pace=STILL, clock=START.timestamp)
        scope = other.scope(ALICE, run())
        await begin(other, "f-other", turn=turn(other.put(scope, b"apple of w1")))
        await other.close()
        await first.close()

    asyncio.run(second())
    all_of(Indexer(tmp_path))
    assert sorted(found(tmp_path, "apple"))[-2:] == ["f-other", "g-apple"]


def test_another_process_is_at_it(tmp_path: Path) -> None:
    fill(tmp_path, "apple")
    indexer = Indexer(tmp_path)
    all_of(indexer)
    handle = os.open(indexer.folder / "w0.lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert indexer.step().busy
    os.close(handle)
    assert not indexer.step().busy


def test_made_anew(tmp_path: Path) -> None:
    fill(tmp_path, "apple")
    indexer = Indexer(tmp_path)
    all_of(indexer)
    before = found(tmp_path, "apple")
    (indexer.folder / places(indexer.folder)[0].name).write_bytes(b"damaged" * 1000)
    told: list[int] = []
    indexer.rebuild(lambda done: told.append(done.texts))
    assert sum(told) == 4
    assert found(tmp_path, "apple") == before
    shutil.rmtree(indexer.folder)
    assert all_of(indexer) == 4


@pytest.mark.parametrize("harm", ["overwritten", "cut", "emptied", "older"])
def test_a_damaged_one_is_made_anew_by_itself(
    tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, "apple")
    indexer = Indexer(tmp_path)
    all_of(indexer)
    path = indexer.folder / places(indexer.folder)[0].name
    if harm == "older":
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA user_version = 0")
    else:
        data = path.read_bytes()
        kept = {
            "overwritten": b"damaged" * 1000,
            "cut": data[: len(data) // 2 + 100],
            "emptied": b"",
        }
        path.write_bytes(kept[harm])
    assert all_of(indexer) == 4
    assert len(found(tmp_path, "apple")) == 4
    assert [getattr(each, "event", "") for each in caplog.records] == ["search.anew"]


def test_a_damaged_one_forgets(tmp_path: Path) -> None:
    scopes: list[str] = []
    fill(tmp_path, "apple", scopes=scopes)
    indexer = Indexer(tmp_path)
    all_of(indexer)
    (indexer.folder / places(indexer.folder)[0].name).write_bytes(b"damaged" * 1000)
    assert indexer.forget(scopes) == []
    assert places(indexer.folder) == []


def test_one_of_a_newer_version_stays(tmp_path: Path) -> None:
    fill(tmp_path, "apple")
    indexer = Indexer(tmp_path)
    all_of(indexer)
    (place,) = places(indexer.folder)
    with contextlib.closing(sqlite3.connect(indexer.folder / place.name)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(InternalError, match="newer"):
        indexer.step()
    assert places(indexer.folder) == [place]


def test_another_record_in_its_place(tmp_path: Path) -> None:
    fill(tmp_path, "apple")
    indexer = Indexer(tmp_path)
    all_of(indexer)
    for name in ("writers", "segments", "content", "audit.duckdb", "views.sql"):
        path = tmp_path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    fill(tmp_path, "pear", days=1)
    all_of(indexer)
    assert found(tmp_path, "apple") == []
    assert found(tmp_path, "gave") == ["g-pear"]


def test_an_older_copy_in_its_place(tmp_path: Path) -> None:
    fill(tmp_path / "a", "apple")
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    fill(tmp_path / "a", "pear", days=1)
    all_of(Indexer(tmp_path / "a"))
    shutil.move(tmp_path / "a/search", tmp_path / "copy/search")
    all_of(Indexer(tmp_path / "copy"))
    assert found(tmp_path / "copy", "pear") == []
    assert found(tmp_path / "copy", "gave") == ["g-apple"]


def test_forgotten(tmp_path: Path) -> None:
    scopes: list[str] = []
    fill(tmp_path, "apple", "pear", scopes=scopes)
    fill(tmp_path, "plum", days=1)
    indexer = Indexer(tmp_path)
    all_of(indexer)
    assert indexer.forget(scopes[:1]) == [date(2026, 1, 2)]
    assert found(tmp_path, "apple") == []
    assert found(tmp_path, "gave") == ["g-plum", "g-pear"]
    files = [path for path in indexer.folder.iterdir() if path.suffix != ".lock"]
    assert {path.name for path in files} == {"w0-20260102.2.db", "w0-20260103.1.db"}
    assert not any(b"apple" in path.read_bytes() for path in files)
    assert all_of(indexer) == 0
    assert indexer.forget(["w0.none"]) == []


def test_a_day_of_which_nothing_stays_goes(tmp_path: Path) -> None:
    scopes: list[str] = []
    fill(tmp_path, "apple", scopes=scopes)
    fill(tmp_path, "plum", days=1, scopes=scopes)
    indexer = Indexer(tmp_path)
    all_of(indexer)
    indexer.forget(scopes[:1])
    assert found(tmp_path, "gave") == ["g-plum"]
    assert [place.name for place in places(indexer.folder)] == ["w0-20260103.1.db"]
    indexer.forget(scopes[1:])  # the newest stays, so that nothing is indexed once more
    assert [place.name for place in places(indexer.folder)] == ["w0-20260103.2.db"]
    assert found(tmp_path, "gave") == []
    assert all_of(indexer) == 0


def test_what_loses_a_block_goes_and_the_rest_of_its_scope_stays(tmp_path: Path) -> None:
    scopes: list[str] = []
    fill(tmp_path, "apple", "pear", scopes=scopes)
    indexer = Indexer(tmp_path)
    all_of(indexer)
    kept = {scopes[0]: {0, 2, 3}}  # all but what was answered
    indexer.trim(kept, date(2026, 1, 2))
    assert found(tmp_path, "done") == ["f-pear", "f-apple"]  # that day is not old enough
    indexer.trim(kept, date(2026, 1, 3))
    assert found(tmp_path, "done") == ["f-pear"]
    assert found(tmp_path, "apple") == ["g-apple", "f-apple", "f-apple"]
    files = [path for path in indexer.folder.iterdir() if path.suffix != ".lock"]
    assert not any(b"done apple" in path.read_bytes() for path in files)
    indexer.trim(kept, date(2026, 1, 3))
    assert [place.name for place in places(indexer.folder)] == ["w0-20260102.2.db"]


def test_what_a_crash_left_behind_goes(tmp_path: Path) -> None:
    fill(tmp_path, "apple")
    indexer = Indexer(tmp_path)
    all_of(indexer)
    draft = indexer.folder / "w0-20260102.0.db"
    draft.touch()
    all_of(indexer)
    assert not draft.exists()


def test_others_could_read_it(tmp_path: Path) -> None:
    fill(tmp_path, "apple")
    indexer = Indexer(tmp_path)
    all_of(indexer)
    indexer.folder.chmod(0o755)
    with pytest.raises(ConfigurationError) as caught:
        indexer.step()
    assert caught.value.code == "store-open-to-others"


_KILLED = """
import os, signal, sys
from pathlib import Path
from proctor.search import indexer
from proctor.search.adding import Adding
indexer.BATCH, left, text = 3, int(sys.argv[2]), Adding.text
def killed(*given):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    text(*given)
Adding.text = killed
one = indexer.Indexer(Path(sys.argv[1]))
while one.step().more:
    pass
"""


@pytest.mark.parametrize("after", [0, 5])
def test_killed_at_any_time(tmp_path: Path, after: int) -> None:
    fill(tmp_path, "apple", "pear")
    done = subprocess.run([sys.executable, "-c", _KILLED, tmp_path, str(after)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert all_of(Indexer(tmp_path)) <= 8
    assert found(tmp_path, "apple") == ["g-apple", "f-apple", "f-apple", "f-apple"]
    assert len(found(tmp_path, "gave")) == 2
