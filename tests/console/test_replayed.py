"""A session played in the browser."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from proctor.approval.model import Role
from proctor.console import replayed
from tests.console.samples import BOB, CAROL, held_in_story, person, put_on_record
from tests.console.stand import Stand, asked, words
from tests.console.standin import StandIn
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, others, record, story

QUERY = f"id={SESSION}&principal={quote(ALICE.key, safe='')}"
PAGE, EVENTS = f"/sessions/replay?{QUERY}", f"/sessions/replay/events?{QUERY}"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replayed")
    record(folder / "recordings", story, others)
    put_on_record(folder / "recordings", held_in_story())
    return folder


@pytest.fixture
def stand(recordings: Path) -> Stand:
    return Stand(recordings, reviewer=CAROL)


def test_the_page(stand: Stand) -> None:
    found = asked(stand, PAGE)
    assert found.status == 200
    assert "Replay of 3f2a7c1e" in words(found.text)
    assert f'data-events="/sessions/replay/events?id={SESSION}' in found.text
    assert '<script src="/static/replay.js" defer></script>' in found.text
    assert asked(stand, "/static/replay.js").status == 200
    assert "/sessions/replay?" in asked(stand, f"/sessions/one?{QUERY}").text


def test_the_events(stand: Stand) -> None:
    found = json.loads(asked(stand, EVENTS).text)
    assert found["next"] is None
    assert found["seconds"] == max(each["until"] for each in found["events"])
    first, you = found["events"][:2]
    assert (first["kind"], first["turn"]) == ("turn", 1)
    assert you["text"] == "How many files are here?"
    assert any(each["kind"] == "held" and "Go ahead." in each["text"] for each in found["events"])


def test_nothing_hides_in_them(stand: Stand) -> None:
    found = json.loads(asked(stand, EVENTS).text)
    told = "".join(each["text"] + each["label"] for each in found["events"])
    assert "[ESC]" in told
    assert "[RLO]" in told
    assert not set("\x1b\x07\x9b\u202e") & set(told)


def test_part_by_part(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replayed, "TURNS", 4)
    first = json.loads(asked(stand, EVENTS).text)
    second = json.loads(asked(stand, f"{EVENTS}&from={first['next']}").text)
    third = json.loads(asked(stand, f"{EVENTS}&from={second['next']}").text)
    assert (first["next"], second["next"], third["next"]) == (5, 9, None)
    assert {each["turn"] for each in second["events"]} == {5, 6, 7, 8}
    assert second["events"][0]["at"] == 0


@pytest.mark.parametrize("path", [PAGE, EVENTS])
def test_only_who_may_see_the_session(stand: Stand, path: str) -> None:
    stand.reviewer = BOB
    stand.desk = StandIn([])
    assert asked(stand, path).status == 403
    stand.desk = StandIn([one for one, *_ in held_in_story()])
    assert asked(stand, path).status == 200
    stand.reviewer = person("eve")
    assert asked(stand, path).status == 403


@pytest.mark.parametrize("query", ["id=nope&principal=x", f"{QUERY}&from=99"])
def test_what_is_not_there(stand: Stand, query: str) -> None:
    assert Role.AUDITOR in CAROL.roles
    assert asked(stand, f"/sessions/replay/events?{query}").status == 404


def test_nothing_on_record(tmp_path: Path) -> None:
    stand = Stand(tmp_path, reviewer=CAROL)
    for path in (PAGE, EVENTS):
        assert asked(stand, path).status == 404
