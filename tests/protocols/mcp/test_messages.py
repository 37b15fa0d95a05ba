"""JSON-RPC messages are read strictly, or not at all."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.protocols.mcp.messages import Kind, canonical, dumped, read, read_again

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def body(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


@pytest.mark.parametrize(
    ("raw", "kind", "method", "named"),
    [
        (body(id=1, method="tools/list"), Kind.REQUEST, "tools/list", 1),
        (body(id="a", method="ping", params={}), Kind.REQUEST, "ping", "a"),
        (
            body(method="notifications/cancelled"),
            Kind.NOTIFICATION,
            "notifications/cancelled",
            None,
        ),
        (body(id=0, result={}), Kind.RESPONSE, "", 0),
        (body(id=-3, error={"code": -32601, "message": "no"}), Kind.ERROR, "", -3),
        (body(id=None, error={"code": 1, "message": ""}), Kind.ERROR, "", None),
        (body(error={"code": 1, "message": ""}), Kind.ERROR, "", None),
        (b' \r\n{"jsonrpc":"2.0","method":"x"} \n', Kind.NOTIFICATION, "x", None),
    ],
)
def test_messages(raw: bytes, kind: Kind, method: str, named: str | int | None) -> None:
    message = read(raw)
    assert (message.kind, message.method, message.id) == (kind, method, named)
    assert type(message.id) is type(named)
    assert message.raw == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
        b'{"jsonrpc":"2.0","id":1,"method":"ping"}{}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"name":"a","name":"b"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":NaN}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":1e999}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"\\ud800"}}',
        b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":"\xff"}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":' + b"[" * 200 + b"]" * 200 + b"}}",
        b'{"id":1,"method":"ping"}',
        body(id=1),
        body(id=None, method="ping"),
        body(id=True, method="ping"),
        body(id=1.0, method="ping"),
        body(id=2**53, method="ping"),
        body(id="a" * 257, method="ping"),
        body(id=[1], method="ping"),
        body(id=1, method=7),
        body(id=1, method=""),
        body(id=1, method="tools/call "),
        body(id=1, method="a" * 129),
        body(id=1, method="tools/cal\u0142"),
        body(id=1, method="x", params=[]),
        body(id=1, method="x", params=None),
        body(id=1, method="x", result={}),
        body(id=1, method="x", Method="tools/call"),
        body(id=1, method="x", params={"Name": "a"}),
        body(id=1, method="x", params={"name": "a", "NAME": "b"}),
        body(id=1, method="x", params={"argument\u017f": {}}),
        body(id=1, result={}, error={"code": 1, "message": ""}),
        body(id=1, result=[]),
        body(id=1, result={"Tools": []}),
        body(result={}),
        body(id=None, result={}),
        body(id=1, error={"code": "1", "message": ""}),
        body(id=1, error={"code": True, "message": ""}),
        body(id=1, error={"code": 1}),
        body(id=1, error="no"),
        body(id=1, method="x", extra=1),
        body(id=1, params={}, result={}),
        body(id=1, method="x").replace(b"2.0", b"1.0"),
    ],
)
def test_refused(raw: bytes) -> None:
    with pytest.raises(ClientError) as caught:
        read(raw)
    assert caught.value.code == "mcp-message"
    assert caught.value.status == 400


def test_what_is_still_the_same_is_not_read_again() -> None:
    raw = body(id=1, method="ping")
    before = read(raw)
    assert read_again(bytes(bytearray(raw)), before) is before
    assert read_again(raw, None) == before
    assert read_again(body(id=2, method="ping"), before).id == 2
    with pytest.raises(ClientError):
        read_again(b"{", before)


def test_no_value_in_errors_and_reprs() -> None:
    secret = "hunter2-hunter2"
    for raw in (
        body(id=1, method="x", result={}, params={"password": secret}),
        body(id=1, error={"code": secret, "message": secret}),
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"' + secret.encode() + b'",}}',
        body(id=1, method=f"x {secret}"),
        body(**{secret: 1}),
    ):
        with pytest.raises(ClientError) as caught:
            read(raw)
        assert secret not in str(caught.value) + repr(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert secret not in repr(read(body(id=1, method="x", params={"password": secret})))


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything(raw: bytes) -> None:
    with suppress(ClientError):
        read(raw)


@given(st.dictionaries(st.text(st.characters(codec="utf-8", min_codepoint=0x80), max_size=5), JSON))
def test_params_come_through(params: dict[str, Any]) -> None:
    raw = body(id=1, method="x", params={"arguments": params})
    assert read(raw).params == {"arguments": params}


def test_every_cut_is_refused() -> None:
    raw = body(id="å", method="tools/call", params={"name": "é", "arguments": {"a": [1, {}]}})
    for end in range(len(raw)):
        with pytest.raises(ClientError):
            read(raw[:end])


def test_meta_and_version() -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    assert read(body(id=1, method="x", params={"_meta": meta})).version == "2026-07-28"
    assert read(body(id=1, method="x", params={"_meta": [1]})).version == ""
    assert read(body(id=1, method="x", params={"_meta": {next(iter(meta)): 7}})).version == ""


@given(JSON)
def test_canonical_means_the_same(value: Any) -> None:
    assert json.loads(canonical(value)) == value
    assert json.loads(dumped(value)) == value


def test_canonical_forgets_order_and_points() -> None:
    assert canonical({"b": 1.0, "a": [2, -0.0]}) == canonical({"a": [2.0, 0], "b": 1})
    assert canonical({"a": True}) != canonical({"a": 1})
    assert canonical([1, 2]) != canonical([2, 1])
    assert canonical(1.5) != canonical(1)
