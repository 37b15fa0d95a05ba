"""What is posted to Slack."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.approval.notify.message import plain
from proctor.approval.notify.slack import Slack, blocks, body, code, escape, token
from proctor.approval.notify.wire import Wire, make_client
from tests.approval.notify.samplemessages import AT, HELD, hostile, largest, of
from tests.approval.notify.standins import (
    SIGNING,
    SlackStandIn,
    look_in,
    serve,
    settings,
    slack_wrong,
)
from tests.support.installation import REPOSITORY

KEY = SIGNING.encode()


def buttons(message: Any, key: bytes | None = KEY) -> dict[str, Any]:
    elements = blocks(message, key)[-1]["elements"]
    return {item["text"]["text"]: item.get("value", item.get("url")) for item in elements}


def test_what_is_posted() -> None:
    golden = REPOSITORY / "tests/golden/notify/slack.json"
    assert json.loads(body(HELD, KEY)) == json.loads(golden.read_text())


@pytest.mark.parametrize("message", [HELD, hostile(), largest(), of("approval.denied", summary="")])
@pytest.mark.parametrize("key", [KEY, None])
def test_slack_would_take_it(message: Any, key: bytes | None) -> None:
    assert slack_wrong(json.loads(body(message, key))) == ""


def test_a_message_that_shows_everything_has_buttons() -> None:
    value = token(KEY, HELD.about)
    assert buttons(HELD) == {"Approve": value, "Deny": value, "Open": HELD.link}


def test_who_has_not_seen_everything_approves_on_the_card() -> None:
    found = buttons(replace(HELD, whole=False))
    assert found["Approve"] == f"{HELD.link}?then=approve"
    assert found["Deny"] == token(KEY, HELD.about)


def test_words_are_written_on_the_card() -> None:
    found = buttons(replace(HELD, words=True))
    assert found["Approve"] == f"{HELD.link}?then=approve"
    assert found["Deny"] == f"{HELD.link}?then=deny"


@pytest.mark.parametrize(("message", "key"), [(HELD, None), (of("approval.approved"), KEY)])
def test_nothing_to_decide_here(message: Any, key: bytes | None) -> None:
    assert buttons(message, key) == {"Open": HELD.link}


def test_a_token_is_of_one_approval_and_one_secret() -> None:
    assert token(KEY, "ap_a").startswith("ap_a.")
    assert len({token(KEY, "ap_a"), token(KEY, "ap_b"), token(b"other", "ap_a")}) == 3


def test_a_code_block_ends_where_we_end_it() -> None:
    shown = code("a ``` b ```` c")
    assert shown.count("```") == 2
    assert shown.endswith("\n```")


@given(st.text(max_size=2000))
def test_any_text(text: str) -> None:
    shown = code(plain(text))
    assert shown.count("```") == 2
    assert len(shown) <= 3000
    assert not {"<", ">"} & set(escape(text))
    message = replace(HELD, head=plain(f"Held: {text}", 120), summary=plain(text))
    assert slack_wrong(json.loads(body(message, KEY))) == ""


def test_it_is_posted() -> None:
    stand_in = SlackStandIn()

    async def main() -> None:
        async with serve(stand_in) as origin:
            look = look_in({"slack_URL": origin + stand_in.path, "slack_SECRET": SIGNING})
            wire = Wire(make_client(), clock=lambda: AT)
            for each in (settings("slack"), settings("slack", users={}, secret=None)):
                channel = Slack(each, look, wire)
                await channel.check()
                assert await channel.deliver(HELD, "") == ""
            await wire.close()

    asyncio.run(main())
    first, second = stand_in.posts
    assert len(first["blocks"][-1]["elements"]) == 3
    assert len(second["blocks"][-1]["elements"]) == 1
    assert SIGNING not in json.dumps(stand_in.posts)
