"""What goes on at databases, in the console: live, in a session, and in its replay."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from proctor.approval.model import Reviewer
from proctor.audit.reader import Content
from proctor.console.timeline import STATEMENTS, table
from tests.console.samples import BOB, CAROL
from tests.console.stand import Stand, asked, words
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, record
from tests.support.spoken import ALONE, MANY, alone, spoken

WHO = quote(ALICE.key, safe="")
OF_SESSION = f"/sessions/one?id={SESSION}&principal={WHO}"
OF_FLOW = f"/sessions/one?flow={ALONE}&principal={WHO}"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("databases")
    record(folder / "recordings", spoken, alone)
    return folder


def stand(there: Path, reviewer: Reviewer = CAROL) -> Stand:
    return Stand(there, reviewer=reviewer)


def test_live(there: Path) -> None:
    page = asked(stand(there), "/live")
    assert page.status == 200
    shown = words(page.text)
    assert "Open connections" in shown
    assert "orders/shop" in shown
    assert "SELECT 59" in shown
    assert f"/sessions/one?flow={ALONE}" in page.text
    part = asked(stand(there), "/live/statements")
    assert part.status == 200
    assert "kill its session" in part.text
    assert "<html" not in part.text


def test_who_may_not_see_sessions_sees_no_statements(there: Path) -> None:
    part = asked(stand(there, BOB), "/live/statements")
    assert part.status == 200
    assert "SELECT" not in part.text
    refused = asked(stand(there, BOB), OF_FLOW)
    assert refused.status == 403
    assert "SELECT" not in refused.text
    assert asked(stand(there, BOB), f"/sessions/replay?flow={ALONE}").status == 403


def test_a_session_shows_its_statements(there: Path) -> None:
    page = asked(stand(there), OF_SESSION)
    shown = words(page.text)
    assert page.status == 200
    for expected in (
        "7 SQL statements", "SELECT id, email FROM orders WHERE id < $1", "public.orders.email",
        "… 3 more rows", "watch would deny", "Denied by bob: not today.", "content not recorded",
        'column "nope" does not exist', "not ended yet", "EMAIL_ADDRESS",
    ):  # fmt: skip
        assert expected in shown
    assert "\u202e" not in page.text
    assert "\x1b" not in page.text


def test_a_connection_of_no_session_comes_in_parts(there: Path) -> None:
    first = asked(stand(there), OF_FLOW)
    assert "of no session" in words(first.text)
    assert f"statements 1 to {STATEMENTS} of {MANY}" in words(first.text)
    assert first.text.count('id="statement-') == STATEMENTS
    later = f"from=1&amp;statement={STATEMENTS + 1}&amp;flow={ALONE}"
    assert later in first.text
    rest = asked(stand(there), f"{OF_FLOW}&from=1&statement={STATEMENTS + 1}")
    assert rest.text.count('id="statement-') == MANY - STATEMENTS
    assert asked(stand(there), f"{OF_FLOW}&statement=999999").status == 200


def test_a_page_has_room_for_so_many(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor.console.timeline.ALL_STATEMENTS", 4)
    some = asked(stand(there), OF_SESSION)
    assert some.text.count('id="statement-') == 4
    assert "statements 1 to 4 of 7" in words(some.text)
    monkeypatch.setattr("proctor.console.timeline.ALL_STATEMENTS", 0)
    none = asked(stand(there), OF_SESSION)
    assert "7 statements show them →" in words(none.text)


def test_replay(there: Path) -> None:
    found = asked(stand(there), f"/sessions/replay/events?flow={ALONE}&principal={WHO}")
    events = json.loads(found.text)["events"]
    assert [each["kind"] for each in events[:3]] == ["outside", "sql", "rows"]
    assert sum(each["kind"] == "sql" for each in events) == MANY
    page = asked(stand(there), f"/sessions/replay?flow={ALONE}&principal={WHO}")
    assert page.status == 200
    assert f"flow={ALONE}" in page.text


def test_sessions_count_statements(there: Path) -> None:
    assert '<td class="num">7</td>' in asked(stand(there), "/sessions").text


def test_a_wide_result_is_bounded() -> None:
    row = ",".join(['"x"'] * 100)
    found = table(Content(text=f'{{"columns":[{row}],"rows":[{",".join([f"[{row}]"] * 80)}]}}'))
    assert found is not None
    assert (len(found.head), len(found.rows), len(found.rows[0])) == (30, 50, 30)
    assert found.notes == ["… 30 more rows", "… 70 more columns"]
