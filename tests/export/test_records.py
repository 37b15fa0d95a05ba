"""Envelopes in order, and nothing that is not final."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proctor.audit.inquiry import open_record
from proctor.audit.reader import Reader
from proctor.errors import ConfigurationError, InternalError
from proctor.export import records
from proctor.export.records import SETTLED, Choice, after, plan, reading, waiting, walk, writers
from tests.export.stocked import LINES, fill


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("records") / "recordings")


def test_a_walk_gives_what_was_planned(path: Path) -> None:
    with reading(path) as reader:
        assert writers(reader) == ["w0"]
        planned = plan(reader, Choice())
        assert planned.records == LINES
        assert [each["seq"] for each in walk(reader, planned)] == list(range(LINES))
        some = plan(reader, Choice(kinds=("flow.end",), principal="bob"))
        assert [each["flow_id"] for each in walk(reader, some)] == ["f4"]


def test_there_is_no_record(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught, reading(tmp_path):
        pass
    assert caught.value.code == "store-missing"


def test_after(path: Path) -> None:
    far = datetime(2099, 1, 1, tzinfo=UTC).timestamp()
    with reading(path) as reader:
        first, found = after(reader, "w0", 3, far, 4)
        assert (first, [each.seq for each in found]) == (3, [3, 4, 5, 6])
        assert found[0].raw.startswith(b'{"v":1,')
        assert after(reader, "w0", LINES, far) == (LINES, [])
        assert after(reader, "w9", 0, far) == (0, [])
        count, oldest = waiting(reader, "w0", 3)
        assert count == LINES - 3
        assert oldest is not None
        assert oldest.tzinfo is UTC
        assert waiting(reader, "w0", LINES) == (0, None)


def test_what_is_young_waits_whichever_way_the_clock_is_wrong(path: Path) -> None:
    with reading(path) as reader:
        made = next(walk(reader, plan(reader, Choice())))["ts"]
        now = datetime.fromisoformat(made).timestamp()
        assert after(reader, "w0", 0, now) == (0, [])
        assert len(after(reader, "w0", 0, now + SETTLED + 5)[1]) == LINES
        assert len(after(reader, "w0", 0, now - SETTLED - 5)[1]) == LINES


def test_a_gap_ends_what_is_taken_and_a_later_beginning_is_told(path: Path) -> None:
    far = datetime(2099, 1, 1, tzinfo=UTC).timestamp()
    with open_record(path) as connection:
        connection.execute(
            "CREATE TEMP TABLE kept AS SELECT * FROM _records WHERE seq NOT IN (0, 1, 6)"
        )
        connection.execute("CREATE TEMP VIEW _records AS SELECT * FROM kept")
        reader = Reader(connection)
        first, found = after(reader, "w0", 0, far)
        assert (first, [each.seq for each in found]) == (2, [2, 3, 4, 5])
        # The window lies in the gap: what comes behind it is found all the same.
        assert after(reader, "w0", 0, far, 1)[0] == 2
        assert after(reader, "w0", 6, far, 1)[0] == 7


def test_a_line_that_is_no_object_is_not_passed_over(path: Path) -> None:
    with open_record(path) as connection:
        connection.execute("CREATE TEMP TABLE kept AS SELECT * REPLACE ('[1' AS raw) FROM _records")
        connection.execute("CREATE TEMP VIEW _records AS SELECT * FROM kept")
        with pytest.raises(InternalError) as caught:
            after(Reader(connection), "w0", 0, 0.0)
    assert caught.value.code == "record-malformed"


def test_a_kept_connection_is_in_nobody_s_way(path: Path) -> None:
    """DuckDB opens a file in a process once; a sink's would lock the console out."""
    with open_record(path, memory="256MB", threads=1) as one:
        assert one.execute("SELECT count(*) FROM _records").fetchall() == [(LINES,)]
        with open_record(path) as other:
            assert other.execute("SELECT count(*) FROM _records").fetchall() == [(LINES,)]


def test_memory_is_bounded_by_the_window(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        records, "_WINDOWS", records._WINDOWS.replace(f"// {records.WINDOW} ", "// 3 ")
    )
    with reading(path) as reader:
        planned = plan(reader, Choice())
        assert planned.windows["w0"] == [(0, 2), (3, 5), (6, 8), (9, 10)]
        assert [each["seq"] for each in walk(reader, planned)] == list(range(LINES))


def test_the_same_while_somebody_writes(tmp_path: Path) -> None:
    path = fill(tmp_path / "recordings")

    async def main() -> list[int]:
        with reading(path) as reader:
            planned = plan(reader, Choice())
            await asyncio.to_thread(fill, path)
            return [each["seq"] for each in walk(reader, planned)]

    assert asyncio.run(main()) == list(range(LINES))
