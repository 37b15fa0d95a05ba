"""What is posted to Teams."""

import asyncio
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.approval.notify.message import Message
from proctor.approval.notify.teams import MOST_BYTES, Teams, body, escape
from proctor.approval.notify.wire import Wire, make_client
from tests.approval.notify.samplemessages import AT, HELD, HOSTILE, hostile, largest
from tests.approval.notify.standins import TeamsStandIn, look_in, serve, settings
from tests.support.installation import REPOSITORY


def test_what_is_posted() -> None:
    golden = REPOSITORY / "tests/golden/notify/teams.json"
    assert json.loads(body(HELD)) == json.loads(golden.read_text())


@pytest.mark.parametrize("message", [HELD, hostile(), largest()])
def test_teams_would_take_it(message: Message) -> None:
    stand_in = TeamsStandIn()

    async def main() -> None:
        async with serve(stand_in) as origin:
            wire = Wire(make_client(), clock=lambda: AT)
            look = look_in({"teams_URL": origin + stand_in.path})
            channel = Teams(settings("teams"), look, wire)
            await channel.check()
            assert await channel.deliver(message, "") == ""
            await wire.close()

    asyncio.run(main())
    (card,) = stand_in.cards
    assert card["actions"][0]["url"] == HELD.link
    assert len(body(message)) < MOST_BYTES


def test_nothing_in_a_fact_is_markdown() -> None:
    bare = re.sub(r"\\.", "", escape(HOSTILE))
    for mark in "[]{}*_~`<>&":
        assert mark in HOSTILE
        assert mark not in bare
    assert escape("# no head") == "\\# no head"
    assert escape("2026-11-22 and 1.") == "2026-11-22 and 1."


@given(st.text())
def test_escaping_loses_nothing(text: str) -> None:
    shown = escape(text)
    assert "".join(pair[-1] for pair in _pairs(shown)) == text


def _pairs(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text):
        step = 2 if text[at] == "\\" else 1
        found.append(text[at : at + step])
        at += step
    return found
