"""What waits, as it changes."""

import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console as Screen

from proctor.cli import watching
from proctor.errors import ClientError, UpstreamError
from tests.cli.test_approvals import found


class Api:
    """A console that says what it is told to, then ends."""

    def __init__(self, *runs: list[dict[str, Any]] | BaseException) -> None:
        self.runs = list(runs)
        self.waiting = [found()]
        self.read = 0
        self.read_again = threading.Event()

    def events(self) -> Iterator[dict[str, Any]]:
        run = self.runs.pop(0) if self.runs else self._interrupted()
        if isinstance(run, BaseException):
            raise run
        yield from run

    def _interrupted(self) -> BaseException:
        if self.read:  # a table is watched: until it has seen what there was
            assert self.read_again.wait(30)
        return KeyboardInterrupt()

    def get(self, path: str, **query: str) -> dict[str, Any]:
        assert (path, query) == ("approvals", {"state": "pending", "oldest": 1})
        self.read += 1
        if self.read > 1:
            self.read_again.set()
        return {"approvals": self.waiting}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_AGAIN", (0.0, 0.0))
    monkeypatch.setattr(watching, "_TICK", 0.01)


DOWN = UpstreamError("console-unreachable", "Down")


def test_lines() -> None:
    out = io.StringIO()
    api: Any = Api([{"seq": 1}], DOWN, [{"seq": 2}, {"seq": 3}])
    with pytest.raises(KeyboardInterrupt):
        watching.watch_lines(api, out)
    assert [json.loads(line)["seq"] for line in out.getvalue().splitlines()] == [1, 2, 3]


def test_a_console_that_stays_away_is_told() -> None:
    api: Any = Api([{"seq": 1}], DOWN, DOWN, DOWN, DOWN)
    changes = watching.changes(api, threading.Event())
    assert next(changes) is None
    assert next(changes) == {"seq": 1}
    with pytest.raises(UpstreamError):
        list(changes)


def test_who_is_signed_out_is_told_at_once() -> None:
    api: Any = Api(ClientError("signin-ended", "Over"), [])
    with pytest.raises(ClientError):
        list(watching.changes(api, threading.Event()))
    assert len(api.runs) == 1


def test_it_ends_when_nobody_watches() -> None:
    ended = threading.Event()
    ended.set()
    api: Any = Api([{"seq": 1}])
    assert list(watching.changes(api, ended)) == []


def watched(api: Any, height: int = 20) -> str:
    out = io.StringIO()
    terminal = Screen(file=out, width=100, height=height, force_terminal=True, color_system=None)
    with pytest.raises(KeyboardInterrupt):
        watching.watch_table(api, terminal)
    return out.getvalue()


def test_a_table() -> None:
    change = {"at": "2026-11-22T09:30:00Z", "id": "ap_a", "state": "denied", "by": ["x\x1b[2J"]}
    api: Any = Api([change])
    text = watched(api)
    assert "rm -rf build" in text
    assert "09:30:00 ap_a denied by x\\x1b[2J" in text
    assert "\x07" not in text
    assert api.read >= 2


def test_nothing_waits() -> None:
    api: Any = Api([])
    api.waiting = []
    assert "Nothing waits for you." in watched(api)


def test_more_than_there_is_room_for() -> None:
    api: Any = Api([])
    api.waiting = [found() for _ in range(30)]
    assert "25 more" in watched(api, height=9)
