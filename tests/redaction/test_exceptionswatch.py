"""Exceptions reload by themselves, and what is broken changes nothing."""

import asyncio
import logging
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError
from proctor.redaction.exceptions import FILE, add, remove
from proctor.redaction.exceptionswatch import Change, ExceptionsWatch
from tests.redaction.test_exceptions import DIGEST, KEY, NOW, allowance


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / FILE


def watched(path: Path) -> tuple[ExceptionsWatch, list[Change | ConfigurationError]]:
    told: list[Change | ConfigurationError] = []
    return ExceptionsWatch(path, report=told.append, interval=0.001), told


def allows(watch: ExceptionsWatch) -> bool:
    return watch.current.allowed(KEY, DIGEST, "x", NOW)


def test_added_and_removed_live(path: Path) -> None:
    watch, told = watched(path)
    assert not allows(watch)

    async def run() -> None:
        await watch.look()
        assert told == []
        add(path, allowance(), NOW)
        await watch.look()
        assert allows(watch)
        remove(path, allowance().id)
        await watch.look()

    asyncio.run(run())
    assert not allows(watch)
    assert told == [
        Change(added=(allowance(),), removed=()),
        Change(added=(), removed=(allowance(),)),
    ]


def test_what_is_there_at_the_start(path: Path) -> None:
    add(path, allowance(), NOW)
    watch, told = watched(path)
    assert allows(watch)
    assert told == []


def test_a_broken_file_keeps_the_old_set(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add(path, allowance(), NOW)
    watch, told = watched(path)

    good = path.read_bytes()
    with caplog.at_level(logging.ERROR):
        path.write_bytes(good[:-20])
        asyncio.run(watch.look())
        assert allows(watch)
        path.chmod(0o666)
        asyncio.run(watch.look())
        assert allows(watch)
        path.chmod(0o600)
        path.write_bytes(good)
        asyncio.run(watch.look())
        path.unlink()
        asyncio.run(watch.look())
    assert not allows(watch)
    first, second, last = told
    assert isinstance(first, ConfigurationError)
    assert first.code == "exceptions-unreadable"
    assert isinstance(second, ConfigurationError)
    assert second.code == "open-to-others"
    assert last == Change(added=(), removed=(allowance(),))
    assert caplog.text.count("the old ones stay in force") == 2


def test_a_broken_file_at_the_start(path: Path) -> None:
    add(path, allowance(), NOW)
    path.write_bytes(b"[")
    with pytest.raises(ConfigurationError):
        watched(path)


def test_it_looks_by_itself(path: Path) -> None:
    watch, told = watched(path)

    async def run() -> None:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            looking = group.create_task(watch.run())
            add(path, allowance(), NOW)
            while not told:  # noqa: ASYNC110 - the watch sets no event
                await asyncio.sleep(0.001)
            looking.cancel()

    asyncio.run(run())
    assert allows(watch)
