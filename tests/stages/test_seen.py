"""What rules could see of a request, as the record may hold it: through a live proxy."""

import json
from pathlib import Path
from typing import Any

import pytest

from proctor.model import Allow, Decision, Deny, RecordMode
from tests.support.origin import Origin
from tests.support.redacted import body_of, nowhere, request, screened
from tests.support.screened import KEY, MAIL
from tests.support.stand import OK, Stand, house, listener, post, running


def kept(this: Stand) -> list[dict[str, Any]]:
    """The cases on record, in order."""
    fields = [entry for _, entry in this.store.appended if "case" in entry]
    return [json.loads(this.store.contents[int(entry["case"]["blocks"])]) for entry in fields]


def test_a_turn_and_its_tool_call() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        with running(this) as proxy:
            proxy.request(
                "claude", post(more=b"x-claude-code-session-id: s\r\nx-own: v\r\naccept: a\r\n")
            )
    asked, answered = kept(this)
    assert asked["llm"] == {"tools": [], "features": [], "class": "messages"}
    assert (asked["max"], asked["turns"], asked["repo"], asked["cred"]) == (1, 0, "", "injected")
    assert asked["headers"]["accept"] == "a"
    assert asked["headers"]["x-own"] is None  # a key might stand there under a name of its own
    assert asked["size"] == 72
    assert answered == {"v": 1, "iat": 0.0, "repo": "", "turns": 0}
    assert "case" in this.store.appended[0][1]


def test_metadata_keeps_no_case() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        decision = Decision(verdict=Allow(rule_id="all"), record=RecordMode.METADATA)
        this.rules.answers["claude"] = decision
        with running(this) as proxy:
            proxy.request("claude", post())
    assert kept(this) == []


def test_a_request_that_is_denied_is_kept_as_well() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        this.rules.answers["claude"] = Decision(verdict=Deny(rule_id="no", reason=""))
        with running(this) as proxy:
            proxy.request("claude", post())
    (asked,) = kept(this)
    assert asked["llm"]["class"] == "messages"


@pytest.mark.parametrize("denied", [False, True])
def test_a_folder_whose_name_was_taken_out_is_not_known(tmp_path: Path, *, denied: bool) -> None:
    body = json.loads(body_of(request("hi")))
    body["system"] = f"Primary working directory: /home/{MAIL}/x"
    body["tools"] = [{"name": "Bash", "input_schema": {}}]
    session = b"x-claude-code-session-id: s-1\r\n"
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        if denied:
            this.rules.answers["claude"] = Decision(verdict=Deny(rule_id="no", reason=""))
        proxy.request("claude", post(json.dumps(body).encode(), more=session))
        proxy.request("claude", post(body_of(request("again")), more=session))
        nowhere(this, seen, MAIL)
        cases = [case for case in kept(this) if "llm" in case]
    assert len(cases) == 2
    assert not any("repo" in case for case in cases)
    assert cases[0]["cut"] == 1
    assert cases[0]["llm"]["tools"] == ["Bash"]
    assert "cut" not in cases[1]


def test_a_folder_that_may_be_known(tmp_path: Path) -> None:
    body = json.loads(body_of(request("hi")))
    body["system"] = "Primary working directory: /srv/x"
    session = b"x-claude-code-session-id: s-1\r\n"
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        proxy.request("claude", post(json.dumps(body).encode(), more=session))
        proxy.request("claude", post(body_of(request("again")), more=session))
        found = [case["repo"] for case in kept(this)]
    assert set(found) == {"/srv/x"}


@pytest.mark.parametrize("denied", [False, True])
def test_another_request_holds_no_value(tmp_path: Path, *, denied: bool) -> None:
    more = f"x-own: {KEY}\r\nx-kind: plain\r\n".encode()
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, seen):
        if denied:
            this.rules.answers["api"] = Decision(verdict=Deny(rule_id="no", reason=""))
        raw = post(json.dumps({"mail": MAIL}).encode(), f"/v1/a?k={KEY}", more=more)
        proxy.request("api", raw)
        nowhere(this, seen, MAIL, KEY)
        (case,) = kept(this)
    assert case["headers"]["x-kind"] == "plain"
    assert case["cut"] == 1
    assert case["type"] == "application/json"


@pytest.mark.parametrize("looked", [False, True])
def test_what_is_called_like_a_credential_is_not_kept(tmp_path: Path, *, looked: bool) -> None:
    names = ("x-session", "x-our-token", "mcp-session-id", "sec-websocket-protocol", "if-key")
    more = "".join(f"{name}: tulip\r\n" for name in names).encode() + b"accept: a\r\nx-kind: b\r\n"
    with Origin(OK) as origin:
        if looked:
            with screened(tmp_path, origin) as (this, proxy, _seen):
                proxy.request("api", post(b"{}", "/v1/a", more=more))
        else:
            this = house(listener(origin.port))
            with running(this) as proxy:
                proxy.request("claude", post(more=more))
        (headers, *_) = [case["headers"] for case in kept(this) if "headers" in case]
    assert {name: headers[name] for name in names} == dict.fromkeys(names)
    assert headers["x-kind" if looked else "accept"] == ("b" if looked else "a")
