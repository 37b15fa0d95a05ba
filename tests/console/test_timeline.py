"""Sessions as they are on record."""

from pathlib import Path
from urllib.parse import quote

import pytest

from proctor.approval.model import Role
from tests.console.samples import BOB, CAROL, approval, asking, held_in_story, person, put_on_record
from tests.console.stand import Stand, asked, words
from tests.console.standin import StandIn
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, Tape, answer, others, record, story, text
from tests.support.ventured import venture

ONE = f"/sessions/one?id={SESSION}&principal={quote(ALICE.key, safe='')}"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("timeline")
    record(folder / "recordings", story, others)
    put_on_record(folder / "recordings", held_in_story())
    return folder


@pytest.fixture
def stand(recordings: Path) -> Stand:
    return Stand(recordings, reviewer=CAROL)


def test_everything_on_one_timeline(stand: Stand) -> None:
    told = words(asked(stand, ONE).text)
    at = 0
    for shown in (
        "alice https://idp#alice in dev",
        "9 turns, 4 tool calls, 1 refused",
        "you How many files are here?",
        "before it, mostly the client's own",
        "thinks The person wants a count.",
        "tool Bash allow",
        "held ap_abcdefghijkl0501 used destructive-shell 03:04:06 held",
        "03:04:15 approved by bob : “Go ahead.” 03:04:24 used",
        "result line 0",
        "224 more characters",
        "failed ESC ]0;owned BEL ESC [2J",
        "at the same time as 3",
        "held ap_abcdefghijkl0502 denied destructive-shell 03:05:45 held",
        "03:05:54 denied by carol : “Not on a Friday.”",
        "2 min 5 s later",
        "refused by no-remote-features : The model is not to search the web.",
        "error overloaded_error: Overloaded",
        "the request of turn 6 , sent again",
        "observed watch-opus would deny: Opus is dear.",
        "a new run, 2 h later",
    ):
        found = told.find(shown, at)
        assert found >= 0, shown
        at = found


def test_what_was_called_elsewhere(tmp_path: Path) -> None:
    venture(tmp_path / "recordings")
    stand = Stand(tmp_path, reviewer=CAROL)
    told = words(asked(stand, ONE).text)
    at = 0
    for shown in (
        "3 turns, 3 tool calls, 6 outside, 2 refused",
        "tool mcp__jira__create_issue allow",
        "mcp 3 03:04:06 POST https://mcp.internal/mcp hold tickets-held",
        "held ap_abcdefghijkl0601 used destructive-shell 03:04:06 held",
        "approved by bob : “Go ahead.”",
        "result Created JIRA-7",
        "2 03:04:06 mcp tools/list · POST https://mcp.internal/mcp allow internal",
        "held ap_abcdefghijkl0602 cancelled",
        "5 03:04:08 CONNECT pinned.example.org:443 allow internal",
        "passed through unread",
        "700 bytes sent, 9,000 back",
        "GET https://api.internal:8443/v1/tickets/7 allow",
        "status 200 · 0 bytes sent, 512 back",
        "GET http://169.254.169.254/latest deny destinations",
        "refused by destinations : No destination of this listener is meant.",
        "mcp tools/call · POST https://mcp.internal/mcp deny one-a-day",
        "tool mcp__jira__create_issue deny one-a-day",
        "It is filed.",
    ):
        found = told.find(shown, at)
        assert found >= 0, (shown, told[at:])
        at = found
    # Each is told once.
    assert told.count("Created JIRA-7") == told.count("Go ahead.") == 1
    assert "key=secret" not in told


def test_a_call_whose_turn_is_on_another_page_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venture(tmp_path / "recordings")
    monkeypatch.setattr("proctor.console.timeline.TURNS", 2)
    stand = Stand(tmp_path, reviewer=CAROL)
    told = words(asked(stand, f"{ONE}&from=3").text)
    assert "for toolu_m1, called in turn 1" in told
    assert "Created JIRA-7" in told


def test_what_the_store_still_knows_is_linked(stand: Stand) -> None:
    stand.desk = StandIn([one for one, *_ in held_in_story()])
    shown = asked(stand, ONE).text
    assert '<a href="/approvals/ap_abcdefghijkl0501">Bash</a>' in shown


def test_the_list(stand: Stand) -> None:
    shown = asked(stand, "/sessions").text
    assert f'href="/sessions/one?id={SESSION}&amp;principal=https%3A%2F%2Fidp%23alice"' in shown
    assert shown.count("<tr>") == 1 + 4  # alice came back after a pause
    assert asked(stand, "/sessions?principal=bob").text.count("<tr>") == 2


def test_reviewers_see_sessions_in_which_something_is_held_for_them(stand: Stand) -> None:
    stand.reviewer = BOB
    stand.desk = StandIn()
    assert "No session is on record that you may see." in asked(stand, "/sessions").text
    answered = asked(stand, ONE)
    assert (answered.status, "You may not see this session" in answered.text) == (403, True)
    mine = asking("Bash", "ls", session=SESSION, principal=ALICE.key)
    stand.desk = StandIn([approval(mine, 1)])
    assert asked(stand, "/sessions").text.count("<tr>") == 1 + 2
    assert asked(stand, ONE).status == 200
    # The same name under another principal is another session.
    assert asked(stand, ONE.replace("alice", "bob")).status == 403
    stand.reviewer = person("frank", Role.REVIEWER, groups=("dba",))
    assert asked(stand, ONE).status == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sessions/one?id=nothing&principal=x", 404),
        ("/sessions/one", 404),
        (f"{ONE}&from=99", 404),
        (f"{ONE}&from=0", 404),
        (f"{ONE}&from=many", 200),
        (f"{ONE}&from=10", 200),
    ],
)
def test_what_is_not_there(stand: Stand, path: str, status: int) -> None:
    assert asked(stand, path).status == status


def test_no_record_yet(tmp_path: Path) -> None:
    stand = Stand(tmp_path, reviewer=CAROL)
    assert "No session is on record." in words(asked(stand, "/sessions").text).replace(" .", ".")
    assert asked(stand, ONE).status == 404


def test_a_long_session_comes_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def long(tape: Tape) -> None:
        for number in range(7):
            tape.wait(2)
            await tape.turn(tape.say(text(f"number {number}")), answer(text("yes")))

    record(tmp_path / "recordings", long)
    monkeypatch.setattr("proctor.console.timeline.TURNS", 3)
    stand = Stand(tmp_path, reviewer=CAROL)
    seen = []
    for first in (1, 4, 7):
        told = words(asked(stand, f"{ONE}&from={first}").text)
        seen += [n for n in range(7) if f"number {n}" in told]
        assert f"turns {first} to {min(7, first + 2)} of 7" in told
    assert seen == list(range(7))
