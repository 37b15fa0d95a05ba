"""A secret that an answer gave to the agent does not go on to somebody else."""

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support.origin import Origin
from tests.support.parts import ALICE
from tests.support.redacted import answered, screened
from tests.support.screened import KEY
from tests.support.stand import Stand, post
from tests.support.talking import ended, stood
from tests.support.websockets import client

PASSES: dict[str, Any] = {"entities": {"API_KEY": {"request": "mask", "response": "detect"}}}
MASKED: dict[str, Any] = {}


def secrets_of(this: Stand) -> int:
    return len(this.suite.leaving.memory.run(ALICE.key).known)


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_what_the_agent_was_given_is_known(kind: str, tmp_path: Path) -> None:
    body = json.dumps({"note": KEY, "again": KEY}).encode()
    with (
        Origin(answered(body, kind)) as origin,
        screened(tmp_path, origin, **PASSES) as (this, proxy, _),
    ):
        assert KEY.encode() in proxy.request("api", post(b"{}", "/v1/keys"))
        assert secrets_of(this) == 1
        hidden = base64.b64encode(b"x" + KEY.encode()).decode()
        run = this.suite.leaving.memory.run(ALICE.key).known
        match = next(each for each in run.find(hidden) if each.enough)
        assert match.secret.origin == "an answer of 127.0.0.1"
        assert match.secret.homes == {"127.0.0.1"}
        assert match.secret.came


def test_what_was_masked_is_not_learned(tmp_path: Path) -> None:
    body = json.dumps({"note": KEY}).encode()
    with (
        Origin(answered(body)) as origin,
        screened(tmp_path, origin, **MASKED) as (this, proxy, _),
    ):
        assert KEY.encode() not in proxy.request("api", post(b"{}", "/v1/keys"))
        assert secrets_of(this) == 0


def test_what_may_leave_is_no_secret(tmp_path: Path) -> None:
    body = json.dumps({"note": KEY}).encode()
    free: dict[str, Any] = {"entities": {"API_KEY": "detect"}}
    with Origin(answered(body)) as origin, screened(tmp_path, origin, **free) as (this, proxy, _):
        proxy.request("api", post(b"{}", "/v1/keys"))
        assert secrets_of(this) == 0


def test_of_a_list_of_keys_the_first_are_learned(tmp_path: Path) -> None:
    keys = [f"key-{sha256(bytes([n])).hexdigest()[:24]}" for n in range(9)]
    with (
        Origin(answered(json.dumps(keys).encode())) as origin,
        screened(tmp_path, origin, **PASSES) as (this, proxy, _),
    ):
        proxy.request("api", post(b"{}", "/v1/keys"))
        assert secrets_of(this) == 4


def test_messages_of_a_websocket_are_answers_too(tmp_path: Path) -> None:
    with stood(tmp_path, **PASSES) as (this, proxy, server):
        server.answer = lambda _said: KEY
        with client(proxy.ports["api"]) as connection:
            connection.send("tell me")
            connection.recv(10)
        ended(this)
        assert secrets_of(this) == 1
