"""The opening handshake: what is asked, what leaves, what may come back."""

import base64

import pytest

from proctor.errors import ClientError, UpstreamError
from proctor.protocols.websocket.upgrade import Upgrade, accept, answered, asked, leaving

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ASKED = (
    (b"Host", b"server.example.com"),
    (b"Sec-WebSocket-Key", KEY),
    (b"Sec-WebSocket-Protocol", b"chat, superchat"),
    (b"Sec-WebSocket-Version", b"13"),
    (b"Sec-WebSocket-Extensions", b"permessage-deflate"),
)


def ask(*fields: tuple[bytes, bytes], upgrade: bytes = b"websocket") -> Upgrade:
    return asked(b"GET", b"HTTP/1.1", fields or ASKED, [upgrade])


def answer(asking: Upgrade, *more: tuple[bytes, bytes], **changed: bytes) -> list[bytes]:
    fields = {
        "upgrade": b"WebSocket",
        "connection": b"keep-alive, Upgrade",
        "sec-websocket-accept": accept(asking.sent),
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }
    told = answered([*((n.encode(), v) for n, v in fields.items()), *more], asking)
    return [name + b": " + value for name, value in told]


def test_the_example_of_rfc_6455() -> None:
    assert accept(KEY) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_client_s_key_and_extensions_do_not_leave() -> None:
    upgrade = ask()
    assert upgrade.protocols == (b"chat", b"superchat")
    assert upgrade.key == KEY
    assert upgrade.sent != KEY
    assert len(base64.b64decode(upgrade.sent)) == 16
    assert ask().sent != upgrade.sent
    out = leaving(ASKED, upgrade)
    names = [name.lower() for name, _ in out]
    assert b"sec-websocket-extensions" not in names
    assert [value for name, value in out if name.lower() == b"sec-websocket-key"] == [upgrade.sent]
    assert (b"Connection", b"Upgrade") in out
    assert (b"Upgrade", b"websocket") in out


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({b"Sec-WebSocket-Version": b"8"}, "Version: 13"),
        ({b"Sec-WebSocket-Version": None}, "Version: 13"),
        ({b"Sec-WebSocket-Key": None}, "Key of 16 bytes"),
        ({b"Sec-WebSocket-Key": b"c2hvcnQ="}, "Key of 16 bytes"),
        ({b"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZQ==,"}, "Key of 16 bytes"),
        ({b"Sec-WebSocket-Protocol": b"a b"}, "names of subprotocols"),
        ({b"Content-Length": b"0"}, "no body"),
        ({b"Transfer-Encoding": b"chunked"}, "no body"),
    ],
)
def test_a_request_that_is_none(change: dict[bytes, bytes | None], expected: str) -> None:
    fields = {**dict(ASKED), **change}
    with pytest.raises(ClientError, match="RFC 6455") as caught:
        ask(*((name, value) for name, value in fields.items() if value is not None))
    assert expected in caught.value.expected


@pytest.mark.parametrize("upgrade", [b"websocket, h2c", b"h2c", b""])
def test_nothing_but_websocket(upgrade: bytes) -> None:
    with pytest.raises(ClientError):
        ask(upgrade=upgrade)


def test_two_keys_and_other_methods() -> None:
    with pytest.raises(ClientError):
        ask(*ASKED, (b"sec-websocket-key", KEY))
    with pytest.raises(ClientError):
        asked(b"POST", b"HTTP/1.1", ASKED, [b"websocket"])
    with pytest.raises(ClientError):
        asked(b"GET", b"HTTP/2.0", ASKED, [b"websocket"])


def test_the_answer_is_made_for_the_client_s_own_key() -> None:
    upgrade = ask()
    got = answer(
        upgrade, (b"sec-websocket-protocol", b"chat"), (b"set-cookie", b"a=b"), (b"x", b"y")
    )
    assert got == [
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept(KEY),
        b"Sec-WebSocket-Protocol: chat",
    ]
    assert len(answer(upgrade)) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"upgrade": b"h2c"},
        {"connection": b"close"},
        {"sec_websocket_accept": accept(KEY)},
        {"sec_websocket_accept": b""},
        {"sec_websocket_extensions": b"permessage-deflate"},
        {"sec_websocket_protocol": b"other"},
        {"sec_websocket_protocol": b"chat, superchat"},
    ],
)
def test_an_upstream_that_agrees_to_something_else(changed: dict[str, bytes]) -> None:
    with pytest.raises(UpstreamError) as caught:
        answer(ask(), **changed)
    assert caught.value.code == "websocket-handshake"
