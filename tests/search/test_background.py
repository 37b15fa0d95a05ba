"""The process that keeps the index up, as the gateway sees it."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from proctor.search.background import COMMAND, Background
from proctor.search.finding import Filters, search
from proctor.search.query import parse
from tests.support.recorded import record, story

DONE = {"done": {"records": 1, "texts": 1, "more": False, "busy": False}}


def script(folder: Path, *said: object, then: str = "") -> tuple[str, ...]:
    """A process that says this, one after the other each time it is started."""
    program = folder / "said.py"
    program.write_text(
        "import os, sys, time\n"
        f"said, count = {[json.dumps(each) for each in said]!r}, {str(folder / 'count')!r}\n"
        "order = sys.stdin.readline()\n"
        "with open(count, 'a') as file: file.write(order)\n"
        "run = len(open(count).readlines())\n"
        f"{then}\n"
        "if run <= len(said): print(said[run - 1], flush=True)\n"
    )
    return (sys.executable, str(program))


def runs(folder: Path) -> int:
    path = folder / "count"
    return len(path.read_text().splitlines()) if path.exists() else 0


def recorded(folder: Path, text: str = "x") -> None:
    writer = folder / "writers" / "w0"
    writer.mkdir(parents=True, exist_ok=True)
    with (writer / "0.jsonl").open("a") as file:
        file.write(text)


async def until(over: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not over():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)


def ran(background: Background, over: Callable[[], bool]) -> None:
    async def main() -> None:
        background.start()
        await until(over)
        await background.close()
        await background.close()  # once more does no harm

    asyncio.run(main())


def test_it_indexes(tmp_path: Path) -> None:
    record(tmp_path, story)
    query = parse('"how many files"')

    def found() -> bool:
        return bool(search(tmp_path, query, Filters(), limit=1))

    ran(Background(tmp_path, pause=0.01), found)


def test_none_is_started_while_nothing_is_recorded(tmp_path: Path) -> None:
    recorded(tmp_path)
    again = {"done": DONE["done"] | {"more": True}}
    busy = {"done": DONE["done"] | {"busy": True}}
    command = script(tmp_path, again, busy, DONE, DONE)
    background = Background(tmp_path, pause=0.01, command=command)

    async def main() -> None:
        background.start()
        await until(lambda: runs(tmp_path) == 3)
        await asyncio.sleep(0.5)
        assert runs(tmp_path) == 3
        recorded(tmp_path)
        await until(lambda: runs(tmp_path) == 4)
        await background.close()

    asyncio.run(main())


def test_a_failure_is_told_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    no, other = {"failed": "search-index-unreadable"}, {"failed": "OSError"}
    anew = {"log": "the search index of w0 is made anew", "event": "search.anew", "writer": "w0"}
    recorded(tmp_path)
    command = script(tmp_path, no, no, other, "nonsense", anew, DONE)
    ran(Background(tmp_path, pause=0.01, command=command), lambda: runs(tmp_path) == 6)
    told = [
        (getattr(each, "event", ""), getattr(each, "code", each.getMessage()))
        for each in caplog.records
    ]
    assert told == [
        ("search.failed", "search-index-unreadable"),
        ("search.failed", "OSError"),
        ("search.failed", "search-ended"),
        ("search.anew", "the search index of w0 is made anew"),
    ]


def test_one_that_cannot_be_started(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    background = Background(tmp_path, pause=0.01, command=(str(tmp_path / "none"),))
    ran(background, lambda: bool(caplog.records))
    assert caplog.records[0].getMessage().endswith(": FileNotFoundError")


def test_one_that_hangs_is_ended(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    command = script(tmp_path, then="time.sleep(60)")
    background = Background(tmp_path, pause=0.01, command=command, seconds=0.0, grace=0.5)
    ran(background, lambda: bool(caplog.records))
    assert caplog.records[0].getMessage().endswith(": search-hangs")


def test_closing_ends_it_at_once(tmp_path: Path) -> None:
    then = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()) + '.'); time.sleep(60)"
    background = Background(tmp_path, pause=0.01, command=script(tmp_path, then=then))
    path = tmp_path / "pid"
    ran(background, lambda: path.exists() and path.read_text().endswith("."))
    assert not psutil.pid_exists(int(path.read_text()[:-1]))


def test_closed_before_it_began(tmp_path: Path) -> None:
    asyncio.run(Background(tmp_path).close())


def test_no_secret_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    path = tmp_path / "environment"
    then = f"open({str(path)!r}, 'w').write('\\n'.join(os.environ) + '.')"
    ran(
        Background(tmp_path, pause=0.01, command=script(tmp_path, DONE, then=then)),
        lambda: path.exists() and path.read_text().endswith("."),
    )
    assert "ANTHROPIC_API_KEY" not in path.read_text()
    assert "PATH" in path.read_text() or "PATH" not in os.environ
    assert all("secret" not in each for each in COMMAND)
