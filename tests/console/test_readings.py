"""The record, asked in a thread."""

import asyncio
from pathlib import Path

import pytest

from proctor.audit.reader import Reader
from proctor.console.readings import Readings
from proctor.errors import ClientError
from tests.support.recorded import others, record


def count(reader: Reader) -> int:
    (row,) = reader.rows("SELECT count(*) AS n FROM flows", {})
    found: int = row["n"]
    return found


def forever(reader: Reader) -> int:
    return len(
        list(
            reader.rows(
                "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b", {}
            )
        )
    )


def test_it_answers_or_says_why_not(tmp_path: Path) -> None:
    folder = record(tmp_path / "recordings", others)
    assert asyncio.run(Readings(tmp_path / "none").ask(count, -1)) == -1
    assert asyncio.run(Readings(folder).ask(count, -1)) == 3
    with pytest.raises(ClientError) as caught:
        asyncio.run(Readings(folder, seconds=0.2).ask(forever, 0))
    assert caught.value.code == "record-slow"
    with pytest.raises(ClientError) as caught:
        asyncio.run(Readings(folder).ask(lambda reader: len(list(reader.rows("SELECT x", {}))), 0))
    assert caught.value.code == "record-unreadable"


def test_what_was_asked_lately_is_not_asked_again(tmp_path: Path) -> None:
    folder = record(tmp_path / "recordings", others)
    asked: list[int] = []

    def work(reader: Reader) -> int:
        asked.append(count(reader))
        return asked[-1]

    async def main() -> None:
        readings = Readings(folder)
        assert [await readings.lately("n", 60, work, 0) for _ in range(3)] == [3, 3, 3]
        assert await readings.lately("other", 60, work, 0) == 3
        assert await readings.lately("n", 0, work, 0) == 3

    asyncio.run(main())
    assert len(asked) == 3
