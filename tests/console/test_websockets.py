"""What is said over WebSockets, in the console: in a session, and in its replay."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from proctor.console.timeline import STATEMENTS
from tests.console.samples import CAROL
from tests.console.stand import Stand, asked, words
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, record
from tests.support.talked import ALONE, MANY, alone, talked

WHO = quote(ALICE.key, safe="")
OF_FLOW = f"/sessions/one?flow={ALONE}&principal={WHO}"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("websockets")
    record(folder / "recordings", talked, alone)
    return folder


def stand(there: Path) -> Stand:
    return Stand(there, reviewer=CAROL)


def test_a_session_shows_its_messages(there: Path) -> None:
    page = asked(stand(there), f"/sessions/one?id={SESSION}&principal={WHO}")
    shown = words(page.text)
    assert page.status == 200
    for expected in (
        "client → server", "client ← server", '{"op": "subscribe"}', "watch would deny",
        "Nothing is dropped.", "content not recorded", "API_KEY", "line 19",
    ):  # fmt: skip
        assert expected in shown
    assert "\u202e" not in page.text
    assert "\x1b" not in page.text
    assert "\x00" not in page.text


def test_one_of_no_session_shows_as_many_as_a_page_has_room_for(there: Path) -> None:
    page = asked(stand(there), OF_FLOW)
    assert page.status == 200
    assert words(page.text).count("message ") >= STATEMENTS
    assert f"messages 1 to {STATEMENTS} of {MANY}" in words(page.text)
    assert f"message {MANY}" not in words(page.text)
    later = f"from=1&amp;statement={STATEMENTS + 1}&amp;flow={ALONE}"
    assert page.text.count(later) == 2
    rest = asked(stand(there), f"{OF_FLOW}&from=1&statement={STATEMENTS + 1}")
    assert f"messages {STATEMENTS + 1} to {MANY} of {MANY}" in words(rest.text)
    assert f"message {MANY}" in words(rest.text)
    assert f"message {STATEMENTS} " not in words(rest.text)
    assert "← earlier" in rest.text
    assert asked(stand(there), f"{OF_FLOW}&statement=999999").status == 200


def test_replay(there: Path) -> None:
    found = asked(stand(there), f"/sessions/replay/events?flow={ALONE}&principal={WHO}")
    events = json.loads(found.text)["events"]
    said = [each for each in events if each["kind"] == "sql"]
    assert len(said) == MANY
    assert (said[0]["label"], said[0]["text"]) == ("1 · → text", "message 1")
    assert events[-1]["label"] == "connection closed"
    page = asked(stand(there), f"/sessions/replay?id={SESSION}&principal={WHO}")
    assert page.status == 200
