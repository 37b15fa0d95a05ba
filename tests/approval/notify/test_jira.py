"""Tickets in Jira."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.approval.notify.jira import Jira, issue, text
from proctor.approval.notify.message import Message, plain
from proctor.approval.notify.wire import DeliveryError, Wire, make_client
from proctor.testing.http1 import Received
from tests.approval.notify.samplemessages import AT, HELD, hostile, largest, of
from tests.approval.notify.standins import TOKEN, JiraStandIn, Said, look_in, serve, settings
from tests.support.installation import REPOSITORY


def tell(stand_in: Any, *messages: Message | tuple[Message, str], **more: Any) -> list[str]:
    async def main() -> list[str]:
        async with serve(stand_in) as origin:
            wire = Wire(make_client(), clock=lambda: AT)
            look = look_in({"jira_URL": f"{origin}/jira/", "jira_SECRET": TOKEN})
            channel = Jira(settings("jira", **more), look, wire)
            await channel.check()
            tickets = []
            try:
                for each in messages:
                    message, ticket = each if isinstance(each, tuple) else (each, "")
                    tickets.append(await channel.deliver(message, ticket))
            finally:
                await wire.close()
            return tickets

    return asyncio.run(main())


def test_what_a_ticket_says() -> None:
    golden = REPOSITORY / "tests/golden/notify/jira.json"
    assert json.loads(issue(HELD, "OPS", "Task")) == json.loads(golden.read_text())


@pytest.mark.parametrize("cloud", [False, True])
def test_a_ticket_is_opened_and_closed(*, cloud: bool) -> None:
    jira = JiraStandIn(cloud=cloud)
    assert tell(jira, HELD, of("approval.denied", head="Denied: Bash")) == ["OPS-1", "OPS-1"]
    assert jira.issues["OPS-1"]["labels"] == ["proctor", HELD.about]
    assert jira.closed == ["OPS-1"]
    ((key, comment),) = jira.comments
    assert key == "OPS-1"
    assert "Denied: Bash" in comment


def test_the_same_message_again_opens_no_other_ticket() -> None:
    jira = JiraStandIn()
    assert tell(jira, HELD, HELD, (HELD, "OPS-1")) == ["OPS-1"] * 3
    assert len(jira.issues) == 1
    assert jira.comments == []


def test_a_known_ticket_is_not_searched_for() -> None:
    jira = JiraStandIn(cloud=True, blind=True)
    (key,) = tell(jira, HELD)
    assert tell(jira, (of("approval.approved"), key)) == [key]
    assert jira.closed == [key]


def test_what_never_had_a_ticket_gets_none_in_the_end() -> None:
    jira = JiraStandIn()
    assert tell(jira, of("approval.expired"), of("grant.granted"), of("kill.lifted")) == [""] * 3
    assert jira.issues == {}


def test_a_broken_glass_stays_open_until_it_was_reviewed() -> None:
    jira = JiraStandIn()
    assert tell(jira, of("approval.break_glass")) == ["OPS-1"]
    assert jira.closed == []
    tell(jira, of("approval.reviewed"))
    assert jira.closed == ["OPS-1"]


def test_a_repetition_after_half_of_it_ends_the_same() -> None:
    jira = JiraStandIn()
    tell(jira, HELD)
    jira.fail["/comment"] = 1
    with pytest.raises(DeliveryError, match="status-500"):
        tell(jira, of("approval.denied"))
    tell(jira, of("approval.denied"))
    assert jira.closed == ["OPS-1"]
    assert len(jira.comments) == 1


def test_a_way_that_is_called_otherwise() -> None:
    jira = JiraStandIn()
    tell(jira, HELD, of("approval.denied"), done="done")
    assert jira.closed == ["OPS-1"]
    other = JiraStandIn()
    tell(other, HELD, of("approval.denied"), done="Resolved")
    assert other.closed == []
    assert len(other.comments) == 1


def test_a_personal_access_token() -> None:
    jira = JiraStandIn()
    jira.authorization = f"Bearer {TOKEN}"
    assert tell(jira, HELD, user=None) == ["OPS-1"]


def test_a_wrong_token() -> None:
    with pytest.raises(DeliveryError, match="status-401"):
        tell(JiraStandIn(), HELD, user="somebody")


@pytest.mark.parametrize(
    "said",
    [
        b"<html>sign in</html>",
        b"[]",
        b"{}",
        b'{"issues": 7}',
        b'{"issues": [7]}',
        b'{"issues": [{"key": "../../admin"}]}',
        b'{"issues": [{"key": 5}]}',
        b"",
    ],
)
def test_answers_that_are_none(said: bytes) -> None:
    with pytest.raises(DeliveryError, match="answer-unreadable"):
        tell(lambda _: Said(body=said), HELD)


def test_a_ticket_without_a_key() -> None:
    def answer(request: Received) -> Said:
        return Said(body=b'{"issues": []}' if request.method == "GET" else b'{"key": "x y"}')

    with pytest.raises(DeliveryError, match="answer-unreadable"):
        tell(answer, HELD)


def test_a_name_that_would_change_the_search() -> None:
    with pytest.raises(DeliveryError, match="label-unusable") as caught:
        tell(JiraStandIn(), of("approval.pending", about='x" OR labels = "y'))
    assert caught.value.final


@pytest.mark.parametrize("message", [hostile(), largest()])
def test_jira_takes_any_text(message: Message) -> None:
    jira = JiraStandIn()
    assert tell(jira, message) == ["OPS-1"]


@given(st.text(max_size=400))
def test_nothing_in_it_is_markup(words: str) -> None:
    message = of("approval.pending", summary=plain(words), facts=(("Why", plain(words)),))
    assert text(message).lower().count("{noformat}") == 2
    found = json.loads(issue(message, "OPS", "Task"))
    assert len(found["fields"]["summary"]) <= 255
    assert "\n" not in found["fields"]["summary"]
