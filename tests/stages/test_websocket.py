"""WebSockets through the stages: each message asked about, on record, and passed on or not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from proctor.credentials.echo import Values
from proctor.model import Allow, Case, Decision, Deny, RecordMode
from proctor.protocols.websocket.messages import Close
from tests.protocols.websocket.test_messages import frame
from tests.support import websockets
from tests.support.screened import BROKEN, KEY, MAIL
from tests.support.stand import REAL_KEY
from tests.support.talking import ended, messages, port, stood
from tests.support.websockets import client, closing, raw, read


def test_messages_pass_both_ways_each_on_record_before(tmp_path: Path) -> None:
    with stood(tmp_path) as (this, proxy, server):
        with client(port(proxy), "/chat?room=1") as connection:
            for said in ("hello", b"\x00\xff", '{"a": 1}', "", "x " * 50_000):
                connection.send(said)
                assert connection.recv(10) == said
        end = ended(this)
    assert server.heard == ["hello", b"\x00\xff", '{"a": 1}', "", "x " * 50_000]
    kinds = [kind for kind, _ in this.store.appended]
    assert kinds == ["flow.begin", *["message"] * 10, "flow.end"]
    told = messages(this)
    assert [each["n"] for each in told] == list(range(1, 11))
    assert [each["direction"] for each in told[:4]] == ["client", "server"] * 2
    assert [each["type"] for each in told[:4]] == ["text", "text", "binary", "binary"]
    assert told[0]["decisions"][0]["action_kind"] == "ws.message"
    assert {each["protocol"] for each in (*told, end)} == {"websocket"}
    assert (end["status"], end["error"]) == (101, None)
    assert end["request_bytes"] == end["response_bytes"] == 5 + 2 + 8 + 100_000
    assert b"hello" in this.store.contents
    assert this.suite.open_exchanges == 0
    assert server.closed == [1000]


def test_a_server_that_repeats_our_credential_is_given_without_it(tmp_path: Path) -> None:
    with stood(tmp_path, screened=False) as (this, proxy, _):
        this.keys.values = (Values({REAL_KEY.decode(): "real"}),)
        with client(port(proxy)) as connection:
            connection.send("key " + REAL_KEY.decode())
            assert connection.recv(10) == "key " + "*" * len(REAL_KEY)
        end = ended(this)
    assert [(f["entity_type"], f["location"]) for f in end["findings"]] == [
        ("CREDENTIAL", "message")
    ]
    assert [each.type for each in this.metrics.found] == ["CREDENTIAL"]


def test_what_rules_see(tmp_path: Path) -> None:
    with stood(tmp_path) as (this, proxy, _):
        with client(port(proxy), "/chat?room=1") as connection:
            connection.send('{"do": "drop"}')
            connection.recv(10)
        ended(this)
        upgrade, sent, back = this.rules.cases
    assert (upgrade.action.kind, sent.action.kind) == ("http.request", "ws.message")
    assert "sec-websocket-key" in (upgrade.action.http.headers if upgrade.action.http else {})
    assert sent.action.ws
    assert back.action.ws
    assert (sent.action.ws.direction, sent.action.ws.type) == ("client", "text")
    assert sent.action.ws.json == {"do": "drop"}
    assert back.action.ws.direction == "server"
    assert sent.action.http
    assert sent.action.http.query == {"room": "1"}
    assert sent.action.target.startswith("CLIENT ws://127.0.0.1:")
    assert sent.action.target.endswith("/chat")
    assert sent.action.size == 14


def test_the_handshake_leaves_as_any_request_with_a_key_of_ours(tmp_path: Path) -> None:
    with stood(tmp_path) as (this, proxy, server):
        with client(port(proxy), subprotocols=["chat"], compression="deflate") as connection:
            assert connection.subprotocol == "chat"
            assert connection.protocol.extensions == []
        ended(this)
    (headers,) = server.headers
    assert headers["x-api-key"] == REAL_KEY.decode()
    assert "authorization" not in headers
    assert "sec-websocket-extensions" not in headers
    assert headers["sec-websocket-protocol"] == "chat"


def test_none_where_nobody_says_so(tmp_path: Path) -> None:
    with stood(tmp_path, allowed=False) as (_, proxy, server):
        with pytest.raises(InvalidStatus) as caught, client(port(proxy)):
            pass
    assert caught.value.response.status_code == 501
    assert json.loads(caught.value.response.body or b"")["code"] == "websocket"
    assert server.headers == []


@pytest.mark.parametrize(
    "more",
    ["Sec-WebSocket-Key: eA==", "Upgrade: h2c", "Content-Length: 0", "Sec-WebSocket-Version: 8"],
)
def test_a_handshake_that_is_none(tmp_path: Path, more: str) -> None:
    with stood(tmp_path) as (_, proxy, server):
        answer = proxy.request("api", websockets.handshake("/chat", more))
    assert b"HTTP/1.1 400" in answer
    assert b"websocket-handshake" in answer
    assert server.headers == []


def test_a_rule_refuses_the_upgrade(tmp_path: Path) -> None:
    def no(_case: Case) -> Decision | None:
        return Decision(verdict=Deny(rule_id="none", reason="No talking."))

    with stood(tmp_path, no) as (_, proxy, server):
        with pytest.raises(InvalidStatus) as caught, client(port(proxy)):
            pass
    assert caught.value.response.status_code == 451
    assert server.headers == []


def denied(word: str, direction: str) -> Callable[[Case], Decision | None]:
    def says(case: Case) -> Decision | None:
        ws = case.action.ws
        if ws and ws.direction == direction and ws.json == word:
            return Decision(verdict=Deny(rule_id="no-drop", reason="Nothing is dropped."))
        return None

    return says


@pytest.mark.parametrize("direction", ["client", "server"])
def test_a_denied_message_ends_the_connection_and_names_the_rule(
    tmp_path: Path, direction: str
) -> None:
    with stood(tmp_path, denied("drop", direction)) as (this, proxy, server):
        with client(port(proxy)) as connection:
            connection.send('"fine"')
            assert connection.recv(10) == '"fine"'
            connection.send('"drop"')
            code, words = closing(connection)
        end = ended(this)
        server.done.wait(30)
    assert (code, words) == (1008, "proctor: no-drop: Nothing is dropped.")
    assert server.heard == (['"fine"'] if direction == "client" else ['"fine"', '"drop"'])
    assert server.closed == [1001]
    last = messages(this)[-1]
    assert (last["verdict"], last["rule_id"], last["direction"]) == ("deny", "no-drop", direction)
    assert last["decisions"][0]["verdict"] == "deny"
    assert end["error"] == "policy-denied: Nothing is dropped."
    assert this.suite.open_exchanges == 0


def test_what_must_not_pass_is_taken_out_both_ways(tmp_path: Path) -> None:
    with stood(tmp_path, entities={"EMAIL_ADDRESS": {"request": "mask"}}) as (this, proxy, server):
        server.answer = lambda _said: json.dumps({"mine": KEY})
        with client(port(proxy)) as connection:
            connection.send(json.dumps({"n": 1, "text": f"{MAIL} has {KEY}"}))
            assert connection.recv(10) == '{"mine": "<API_KEY>"}'
        ended(this)
    assert server.heard == ['{"n": 1, "text": "<EMAIL_ADDRESS> has <API_KEY>"}']
    kept = b"".join(this.store.contents) + json.dumps(this.store.appended).encode()
    assert KEY.encode() not in kept
    assert MAIL.encode() not in kept
    first, second = messages(this)
    assert {found["entity_type"] for found in first["findings"]} == {"API_KEY", "EMAIL_ADDRESS"}
    assert second["findings"][0]["direction"] == "response"
    assert first["receipt"]["request"]["looked"] > 0
    assert set(second["receipt"]) == {"response"}


@pytest.mark.parametrize("pieces", [2, 10])
@pytest.mark.parametrize("shape", ["%s", '{"data": "%s", "more": false}'])
@pytest.mark.parametrize("direction", ["client", "server"])
def test_a_secret_in_pieces_is_not_completed(
    tmp_path: Path, pieces: int, shape: str, direction: str
) -> None:
    step = -(-len(KEY) // pieces)
    parts = [KEY[at : at + step] for at in range(0, len(KEY), step)]
    with stood(tmp_path) as (this, proxy, server):
        backwards = direction == "server"
        server.answer = lambda said: shape % parts[int(said)] if backwards else None
        with client(port(proxy)) as connection:
            for n, part in enumerate(parts):
                connection.send(str(n) if backwards else shape % part)
            code, words = closing(connection)
        ended(this)
    assert code == 1008
    assert "completes a secret" in words
    if not backwards:
        assert server.heard == [shape % part for part in parts[:-1]]
    last = messages(this)[-1]
    assert last["findings"][-1]["entity_type"] == "SECRET_PIECES"
    assert last["request"] is None
    assert last["response"] is None
    assert KEY not in b"".join(this.store.contents).decode() + json.dumps(last)


def test_fragments_are_one_message(tmp_path: Path) -> None:
    with stood(tmp_path) as (this, proxy, server):
        with raw(port(proxy)) as connection:
            for n, sign in enumerate(KEY):
                connection.sendall(frame(0 if n else 1, sign.encode(), fin=False))
                if n == 5:
                    connection.sendall(frame(9, b"still there"))
            connection.sendall(frame(0, b"!") + frame(8, b"\x03\xe8"))
            assert read(connection)[-1] == Close(1000)
        ended(this)
    assert server.heard == ["<API_KEY>!"]


def test_a_binary_message_with_a_key_is_refused(tmp_path: Path) -> None:
    with stood(tmp_path) as (this, proxy, server), client(port(proxy)) as connection:
        connection.send(b"\x00\xff" + KEY.encode() + b"\x01")
        code, words = closing(connection)
        ended(this)
        assert (code, server.heard) == (1008, [])
        assert words.startswith("proctor: redaction: This holds something")
        assert KEY.encode() not in b"".join(this.store.contents)


def test_a_message_that_cannot_be_looked_at_is_refused(tmp_path: Path) -> None:
    with stood(tmp_path) as (this, proxy, server), client(port(proxy)) as connection:
        connection.send(BROKEN)
        assert closing(connection)[0] == 1008
        ended(this)
        assert server.heard == []
        last = messages(this)[-1]
        assert (last["verdict"], last["rule_id"]) == ("deny", "redaction-detector")
        assert last["receipt"]["request"]["failure"] == "redaction-detector"
        assert last["request"] is None


def test_without_redaction_messages_pass_as_they_are(tmp_path: Path) -> None:
    with stood(tmp_path, screened=False) as (this, proxy, server):
        with client(port(proxy)) as connection:
            connection.send(KEY)
            assert connection.recv(10) == KEY
        ended(this)
    assert server.heard == [KEY]


def test_metadata_keeps_no_content(tmp_path: Path) -> None:
    def metadata(case: Case) -> Decision | None:
        record = RecordMode.METADATA if case.action.ws else RecordMode.FULL
        return Decision(verdict=Allow(rule_id="quiet"), record=record)

    with stood(tmp_path, metadata) as (this, proxy, _):
        with client(port(proxy)) as connection:
            connection.send("whisper")
            connection.recv(10)
        ended(this)
    assert b"whisper" not in b"".join(this.store.contents)
    assert {each["record"] for each in messages(this)} == {"metadata"}


def test_what_cannot_be_recorded_does_not_pass(tmp_path: Path) -> None:
    with stood(tmp_path) as (this, proxy, server), client(port(proxy)) as connection:
        connection.send("one")
        assert connection.recv(10) == "one"
        this.store.broken = True
        connection.send("two")
        assert closing(connection)[0] in {1011, 1006}
        this.store.broken = False
        assert server.heard == ["one"]
