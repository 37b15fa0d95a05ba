"""The gateway's side, with workers that only pretend."""

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from proctor.config import load
from proctor.errors import ConfigurationError
from proctor.postgres import child, listening
from proctor.postgres.listening import Workers
from tests.support.databases import LISTENER, configuration

HEAD = """
import json, os, sys
def say(kind, **more):
    sys.stdout.write(json.dumps({"kind": kind, **more}) + "\\n"); sys.stdout.flush()
first = json.loads(sys.stdin.readline())
assert first["kind"] == "begin" and "listeners:" in first["config"]
"""
# Ends when its input does; tells what it hears by cancels, which the others are told.
WORKS = f"""{HEAD}
say("ready")
for text in sys.stdin:
    message = json.loads(text)
    if message["kind"] == "drain":
        say("drained")
    elif message["kind"] == "reload":
        say("cancel", pid=7, secret="00ff")
    else:
        with open("heard", "a") as file:
            file.write(text)
"""
FAILS = f"""{HEAD}
say("failed", code="tls-files", message="No such file", where="here")
"""
SILENT = f"{HEAD}\nsys.exit(3)"
ONCE = f"""{HEAD}
if os.path.exists("lived"):
    say("ready"); sys.stdin.read()
else:
    open("lived", "w"); say("ready"); os.kill(os.getpid(), 9)
"""
GARBLED = f"{HEAD}\nsay('ready'); print('garbage', flush=True); sys.stdin.read()"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(listening, "_FIRST_WAIT", 0.01)


class House:
    """Workers, and what they put on record."""

    def __init__(self, folder: Path, workers: int = 1) -> None:
        file = configuration(folder, f"{LISTENER.replace('6432', '0')}, workers: {workers}")
        self.noted: list[tuple[str, dict[str, object]]] = []
        self.workers = Workers(
            load(file), file, note=lambda kind, detail: self.noted.append((kind, detail))
        )

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(30):
            while not holds():  # noqa: ASYNC110 - another process is waited for
                await asyncio.sleep(0.01)


def pretend(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(child, "COMMAND", (sys.executable, "-c", text))


def test_from_start_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, WORKS)

    async def run() -> None:
        house = House(tmp_path, workers=2)
        workers = house.workers
        await workers.start()
        host, _, port = workers.addresses["orders"].rpartition(":")
        assert (host, int(port) > 0) == ("127.0.0.1", True)
        assert workers.lacking() == ["postgres"]
        workers.open()
        assert not workers.lacking()
        workers.reload()
        heard = tmp_path / "heard"
        # Each had its own `open`, and the other's cancel.
        await house.until(lambda: heard.exists() and heard.read_text().count("\n") == 4)
        assert heard.read_text().count('{"kind":"cancel","pid":7,"secret":"00ff"}') == 2
        await workers.drain(5)
        await workers.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))
        assert house.noted == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [(FAILS, "tls-files", "here: No such file"), (SILENT, "worker-unstarted", "exit status 3")],
)
def test_one_that_cannot_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: str, words: str
) -> None:
    pretend(monkeypatch, text)

    async def run() -> None:
        house = House(tmp_path)
        with pytest.raises(ConfigurationError) as caught:
            await house.workers.start()
        assert (caught.value.code, words in str(caught.value)) == (code, True)
        await house.workers.stop()

    asyncio.run(run())


def test_one_that_dies_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, ONCE)

    async def run() -> None:
        house = House(tmp_path)
        await house.workers.start()
        house.workers.open()
        await house.until(lambda: house.noted and not house.workers.lacking())
        assert house.noted == [("postgres.worker", {"worker": 0, "status": -9})]
        await house.workers.stop()

    asyncio.run(run())


def test_one_that_talks_nonsense_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, GARBLED)

    async def run() -> None:
        house = House(tmp_path)
        await house.workers.start()
        await house.until(lambda: len(house.noted) > 1)
        await house.workers.stop()

    asyncio.run(run())


def test_a_taken_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, WORKS)

    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            file = configuration(tmp_path, LISTENER.replace("6432", str(port)))
            workers = Workers(load(file), file, note=lambda *_: None)
            with pytest.raises(ConfigurationError, match="cannot listen"):
                await workers.start()
            await workers.stop()

    asyncio.run(run())


def test_a_file_that_changes_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, WORKS)
    house = House(tmp_path)
    configuration(tmp_path, f"{LISTENER}, database: other")
    with pytest.raises(ConfigurationError, match="changed while"):
        asyncio.run(house.workers.start())


def test_without_databases_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, SILENT)
    web = "name: w, kind: reverse, listen: 127.0.0.1:0, upstream: https://a.internal, speaks: http"
    file = configuration(tmp_path, web)
    file.write_text(file.read_text().partition("credentials:")[0])

    async def run() -> None:
        workers = Workers(load(file), file, note=lambda *_: None)
        await workers.start()
        workers.open()
        assert (workers.addresses, workers.lacking()) == ({}, [])
        await workers.drain(1)
        await workers.stop()

    asyncio.run(run())
