"""What other detectors would find on record."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from proctor.canary.file import NAME, write
from proctor.errors import ClientError
from proctor.policy import backtestfind
from proctor.policy.backtestfind import Search, find, shape
from proctor.redaction.filescan import Hit, Scanned
from proctor.redaction.keys import load_keys
from proctor.redaction.settings import RedactionSettings
from tests.redaction.finder import Finder
from tests.support.judged import START, Desk, judged, rules

ALL = "rules: [{id: all, on: [llm.request, llm.tool_use], then: allow}]"
SETTINGS = RedactionSettings()


class Scanner:
    """Finds words, and fails at one of them."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def scan(self, name: str, body: bytes) -> Scanned:
        text = body.decode()
        if "broken" in text:
            raise ClientError("x", "no")
        hits = [
            Hit(
                line=1, column=text.index(word), end_line=1, end_column=1, type=word.upper(),
                detector="d", score=1.0, location="", before="", after="", value=word,
            )
            for word in self.words
            if word in text
        ]  # fmt: skip
        return Scanned(tuple(hits), ())


async def play(desk: Desk) -> None:
    for _ in range(2):
        await desk.turn(("Bash", {"command": "echo secret other"}), folder="/r")
    await desk.turn(("Bash", {"command": "echo broken"}))


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Search:
    scanners = iter([Scanner("other", "hi"), Scanner("other", "secret")])
    monkeypatch.setattr(backtestfind, "_scanner", lambda *_: next(scanners))
    store = judged(tmp_path / "recordings", rules(tmp_path / "rules", ALL), play)
    return Search(
        recordings=store, before=SETTINGS, now=SETTINGS, state=tmp_path,
        since=START - timedelta(days=1), until=START + timedelta(days=1),
    )  # fmt: skip


def test_what_is_new_and_what_is_gone(search: Search) -> None:
    seen: list[tuple[int, int]] = []
    found = find(search, lambda done, of: seen.append((done, of)))
    assert found["rows"] == [
        {
            "type": "SECRET", "where": "tool input", "principal": "https://idp#alice",
            "detector": "d", "count": 1, "looks_like": ["xxxxxx"], "examples": ["flow-00001"],
        }
    ]  # fmt: skip
    assert found["no_longer_found"] == {"HI": 1}
    # The prompt and the first command, each once; the broken one was not looked at whole.
    assert (found["texts"], found["failed"], seen) == (2, 1, [(1, 1)])
    json.dumps(found)


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("alice@corp.example", "xxxxx@xxxx.xxxxxxx"),
        ("+49 170 123", "+99 999 999"),
        ("Ünï", "xxx"),
        ("k" * 30, "x" * 24 + "…"),
        ("", ""),
    ],
)
def test_a_shape_holds_nothing_of_the_value(value: str, seen: str) -> None:
    assert shape(value) == seen


def test_canaries_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def load(_settings: RedactionSettings, **options: object) -> Finder:
        given.append(options["canaries"])
        return Finder()

    monkeypatch.setattr(backtestfind, "load_detector", load)
    state = tmp_path / ".proctor"
    backtestfind._scanner(SETTINGS, state)
    keys = load_keys(state)
    write(state / NAME, ())
    backtestfind._scanner(SETTINGS, state)
    assert given == [None, (state / NAME, keys.digest)]
