"""Kinds of secrets in every spelling, streamed in pieces of every size: none comes through."""

import base64
import json
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import duckdb
import httpx
import pytest

from proctor.testing.conversation import Reply
from proctor.testing.gateway import Gateway
from proctor.testing.service import MODELS
from proctor.testing.standin import StandIn
from tests.redaction.recognizers.kinds import positives
from tests.support.belongings import belongings
from tests.support.installation import Installation
from tests.support.leaks import found
from tests.support.stock import CONTEXT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: f"Look:\n{text}\nThat is all.",
    "json": lambda text: f'{{"file": {json.dumps(text)}, "n": 1}}',
    "url": lambda text: f"Open /note?text={urllib.parse.quote(text, safe='')}&n=1 now.",
    "base64": lambda text: f"Look: {base64.b64encode(text.encode()).decode()} as it was.",
    "hex": lambda text: f"Look: {text.encode().hex()} as it was.",
}
SECRETS = [(case.kind, case.text, case.secret or "") for case in positives(5)]
OWN = belongings().customers[0]
PERSONAL = [
    ("mail", f"write to {OWN.email}, please", OWN.email),
    ("phone", f"call {OWN.phone} after nine", OWN.phone),
    ("card", f"paid with {OWN.card} yesterday", OWN.card),
    ("iban", f"to the account {OWN.iban} of hers", OWN.iban),
    ("row", OWN.row.replace(OWN.name, "-"), OWN.email),
]


@pytest.fixture
def model(standin: StandIn) -> Iterator[StandIn]:
    before = standin.service.script, standin.service.piece
    yield standin
    standin.service.script, standin.service.piece = before


_HALVED = 24

type Case = tuple[str, str, str]
"""A kind, a text, and what in it must not pass."""


def answered(
    gateway: Gateway, home: Installation, model: StandIn, texts: list[str], piece: int | None
) -> tuple[list[str], list[str]]:
    """Texts of an answer as the client gets them, and as recorded; a piece of None: no stream."""

    def script(request: Mapping[str, Any]) -> Reply:
        return Reply(
            id="msg_1",
            model=str(request["model"]),
            content=tuple({"type": "text", "text": text} for text in texts),
            stop_reason="end_turn",
            usage={"input_tokens": 1, "output_tokens": 1},
        )

    model.service.script = script
    model.service.piece = piece or model.service.piece
    answer = httpx.post(
        gateway.url("claude") + "/v1/messages",
        json={
            "model": MODELS[0],
            "max_tokens": 9,
            "stream": piece is not None,
            "messages": [{"role": "user", "content": "go"}],
        },
        headers={"authorization": f"Bearer {home.token()}", "anthropic-version": "2023-06-01"},
        timeout=300,
        verify=CONTEXT,
    )
    assert answer.status_code == 200, answer.text
    with duckdb.connect(str(home.folder / "recordings/audit.duckdb"), read_only=True) as record:
        row = record.sql("select response_body from turns order by ts desc limit 1").fetchone()
    assert row
    return texts_of(answer.text), texts_of(row[0])


def texts_of(body: str) -> list[str]:
    """Of an answer, whole or streamed."""
    if body.startswith("{"):
        return [block["text"] for block in json.loads(body)["content"]]
    texts: list[str] = []
    for line in body.splitlines():
        if line.startswith("data: "):
            event = json.loads(line.removeprefix("data: "))
            if event["type"] == "content_block_start":
                texts.append("")
            elif event["type"] == "content_block_delta":
                texts[event["index"]] += event["delta"]["text"]
    return texts


def leaks(cases: list[Case], texts: list[str]) -> set[str]:
    """Kinds whose value is still there, or half of it."""
    return {
        kind
        for (kind, _, value), text in zip(cases, texts, strict=True)
        if found({part: part for part in parts(value)}, text.encode())
    }


def parts(value: str) -> list[str]:
    """The value, and its halves where they say something."""
    half = len(value) // 2
    return [value, value[:half], value[half:]] if len(value) >= _HALVED else [value]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_value_comes_through_a_stream(
    gateway: Gateway, home: Installation, model: StandIn, spelling: str
) -> None:
    """What is found in a whole answer is found in a stream, whatever its pieces."""
    cases = [*SECRETS, *PERSONAL]
    texts = [SPELLINGS[spelling](text) for _, text, _ in cases]
    assert len(leaks(cases, texts)) == len(cases)
    whole = answered(gateway, home, model, texts, None)
    missed = leaks(cases, whole[1])
    assert len(missed) <= 0.05 * len(cases), missed
    for piece in (1, 4, 7):
        client, record = answered(gateway, home, model, texts, piece)
        assert leaks(cases, record) <= missed, piece
        # Personal data is what the person may see; what it stood in is as it was.
        assert leaks(SECRETS, client[: len(SECRETS)]) <= missed, piece
        assert client[len(SECRETS) :] == texts[len(SECRETS) :]
