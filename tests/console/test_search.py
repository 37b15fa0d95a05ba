"""The search page."""

from pathlib import Path
from urllib.parse import quote

import pytest

from proctor.approval.model import Role
from proctor.search.indexer import Indexer
from tests.console.samples import BOB, CAROL, approval, asking, held_in_story, person, put_on_record
from tests.console.stand import Stand, asked, words
from tests.console.standin import StandIn
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, Tape, answer, others, record, story, text

KEY = quote(ALICE.key, safe="")
HOSTILE = "needle <script>alert(1)</script> \u202egnp\x1b[2J {{7*7}}"


async def _hostile(tape: Tape) -> None:
    await tape.turn(tape.say(text(HOSTILE)), answer(text("ok")), session="s-hostile")
    for number in range(25):
        tape.wait(5)
        await tape.turn(tape.say(text(f"repeated number {number}")), answer(text("ok")))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    record(folder / "recordings", story, others, _hostile)
    put_on_record(folder / "recordings", held_in_story())
    indexer = Indexer(folder / "recordings")
    while indexer.step().more:
        pass
    return folder


@pytest.fixture
def stand(recordings: Path) -> Stand:
    return Stand(recordings, reviewer=CAROL)


def test_the_form(stand: Stand) -> None:
    page = asked(stand, "/search").text
    assert 'name="q" value=""' in page
    assert "All words must stand in one text" in words(page)


def test_results_in_context(stand: Stand) -> None:
    page = asked(stand, "/search?q=%22how+many+files%22").text
    told = words(page)
    assert "<mark>How many files</mark>" in page
    assert "alice prompt allow" in told
    assert 'value="&#34;how many files&#34;"' in page
    link = f"/search/open?id={SESSION}&amp;principal={KEY}&amp;flow=f0001-0000"
    assert link in page


def test_a_result_leads_to_its_turn(stand: Stand) -> None:
    gone = asked(stand, f"/search/open?id={SESSION}&principal={KEY}&flow=f0001-0000")
    assert gone.status == 303
    assert gone.headers["location"].endswith(f"id={SESSION}&principal={KEY}&from=1#turn-1")
    assert asked(stand, f"/search/open?id={SESSION}&principal={KEY}&flow=x").status == 303
    assert asked(stand, "/search/open?id=x&principal=y&flow=z").status == 404


def test_nothing_of_it_is_obeyed(stand: Stand) -> None:
    page = asked(stand, "/search?q=needle").text
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "<mark>needle</mark> &lt;script&gt;" in page
    assert "{{7*7}}" in page


def test_a_page_at_a_time(stand: Stand) -> None:
    first = asked(stand, "/search?q=repeated&in=prompt").text
    assert "1 to 20" in words(first)
    assert "skip=20&amp;q=repeated&amp;in=prompt" in first
    second = asked(stand, "/search?q=repeated&in=prompt&skip=20").text
    assert "21 to 25" in words(second)
    assert "older" not in words(second)


def test_filters(stand: Stand) -> None:
    none = "Nothing of the kind is on record"
    assert none in words(asked(stand, "/search?q=files&principal=nobody").text)
    assert none in words(asked(stand, "/search?q=files&until=2025-01-01T00:00").text)
    assert none not in words(asked(stand, "/search?q=files&since=2025-01-01T00:00").text)


@pytest.mark.parametrize(
    "query", ["q=%22open", "q=!a", "q=a&in=x", "q=a&verdict=x", "q=a&since=soon", "q=a&skip=-1"]
)
def test_what_cannot_be_asked(stand: Stand, query: str) -> None:
    answered = asked(stand, f"/search?{query}")
    assert answered.status == 200
    assert ('data-code="search-malformed"' in answered.text) is ("skip" not in query)


def test_reviewers_find_what_they_may_see(stand: Stand) -> None:
    stand.reviewer = BOB
    stand.desk = StandIn()
    files = "/search?q=%22how+many+files%22"
    assert "that you may see" in words(asked(stand, files).text)
    opened = f"/search/open?id={SESSION}&principal={KEY}&flow=f0001-0000"
    assert asked(stand, opened).status == 403
    mine = asking("Bash", "ls", session=SESSION, principal=ALICE.key)
    stand.desk = StandIn([approval(mine, 1)])
    assert "<mark>How many files</mark>" in asked(stand, files).text
    assert asked(stand, opened).status == 303
    assert "Nothing of the kind" in words(asked(stand, "/search?q=needle").text)


def test_who_has_no_role(recordings: Path) -> None:
    dave = Stand(recordings, reviewer=person("dave", groups=("sales",)))
    assert asked(dave, "/search?q=files").status == 403
    auditor = Stand(recordings, reviewer=person("erin", Role.AUDITOR))
    assert asked(auditor, "/search?q=files").status == 200
