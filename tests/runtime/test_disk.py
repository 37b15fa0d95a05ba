"""The room that is left for the record."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.runtime.disk import DiskState, DiskWatch, Usage
from proctor.runtime.tasks import spawn, stop
from proctor.settings import DiskSettings, Threshold

OK, WARNING, CRITICAL = DiskState
SETTINGS = DiskSettings(warn=Threshold(fraction=0.1), critical=Threshold(fraction=0.02))


@dataclass(frozen=True)
class Space:
    free: int
    total: int = 1000


class Disk:
    """A file system that holds what the test says."""

    def __init__(self, settings: DiskSettings = SETTINGS) -> None:
        self.space: Space | None = Space(1000)
        self.told: list[tuple[str, int]] = []
        self.watch = DiskWatch(Path("/recordings"), settings, report=self.tell, usage=self.usage)

    def usage(self, path: Path) -> Usage:
        assert path == Path("/recordings")
        if self.space is None:
            raise OSError(5, "I/O error")
        return self.space

    def tell(self, state: str, free: int) -> None:
        self.told.append((state, free))

    def at(self, free: int | None, total: int = 1000) -> DiskState:
        self.space = None if free is None else Space(free, total)
        return self.watch.look().state


@pytest.mark.parametrize(
    ("free", "ok", "warning", "critical"),
    [
        (1000, OK, OK, OK),
        (111, OK, OK, OK),
        (105, OK, WARNING, WARNING),
        (100, OK, WARNING, WARNING),
        (99, WARNING, WARNING, WARNING),
        (23, WARNING, WARNING, WARNING),
        (21, WARNING, WARNING, CRITICAL),
        (20, WARNING, WARNING, CRITICAL),
        (19, CRITICAL, CRITICAL, CRITICAL),
        (0, CRITICAL, CRITICAL, CRITICAL),
        (None, CRITICAL, CRITICAL, CRITICAL),
    ],
)
def test_the_table(
    free: int | None, ok: DiskState, warning: DiskState, critical: DiskState
) -> None:
    for first, expected in ((1000, ok), (50, warning), (1, critical)):
        disk = Disk()
        disk.at(first)
        assert disk.at(free) is expected


@pytest.mark.parametrize(
    ("free", "total", "state"),
    [
        (3 * 2**30, 8 * 2**30, OK),
        (2**31 - 1, 8 * 2**30, WARNING),
        (90 * 2**30, 1000 * 2**30, WARNING),
        (2**28 - 1, 8 * 2**30, CRITICAL),
        (19 * 2**30, 1000 * 2**30, CRITICAL),
    ],
)
def test_by_default_percent_and_size_both_count(free: int, total: int, state: DiskState) -> None:
    assert Disk(DiskSettings()).at(free, total) is state


def test_changes_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    with caplog.at_level(logging.INFO):
        for free in (500, 400, 90, 80, 10, 5, 50, None, 900):
            disk.at(free)
    assert disk.told == [
        ("warning", 90),
        ("critical", 10),
        ("warning", 50),
        ("critical", -1),
        ("ok", 900),
    ]
    assert [record.__dict__["event"] for record in caplog.records] == [
        *("disk.alarm", "disk.alarm", "disk.recovered", "disk.alarm", "disk.recovered")
    ]
    assert [record.levelname for record in caplog.records] == [
        *("WARNING", "ERROR", "INFO", "ERROR", "INFO")
    ]
    assert "90 B free (9.0%)" in caplog.text
    assert "the file system cannot be asked" in caplog.text


@given(st.lists(st.integers(95, 115), max_size=50))
def test_at_the_edge_it_does_not_flap(frees: list[int]) -> None:
    disk = Disk()
    for free in frees:
        disk.at(free)
    crossings = sum(1 for free in frees if free < 100)
    ample = sum(1 for free in frees if free >= 110)
    assert len(disk.told) <= 2 * min(crossings, ample) + 1


def test_the_real_file_system(tmp_path: Path) -> None:
    reading = DiskWatch(tmp_path, DiskSettings(), report=lambda *_: None).look()
    assert 0 <= reading.free <= reading.total


def test_it_looks_by_itself() -> None:
    async def main() -> None:
        disk = Disk()
        disk.space = Space(1)
        seen = asyncio.Event()
        watch = DiskWatch(
            Path("/recordings"), SETTINGS, report=lambda *_: seen.set(), usage=disk.usage
        )
        task = spawn(watch.run(), name="disk")
        await asyncio.wait_for(seen.wait(), 30)
        await stop(task)
        assert watch.reading.state is CRITICAL

    asyncio.run(main())
