"""Messages out of frames: RFC 6455 5, hostile and cut at every byte."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.protocols.websocket import messages
from proctor.protocols.websocket.messages import (
    INVALID,
    PROTOCOL_ERROR,
    TOO_BIG,
    VIOLATION,
    Close,
    FrameError,
    Heard,
    Message,
    Ping,
    Wire,
    shortened,
)

MASK = b"\x01\x02\x03\x04"


def frame(
    opcode: int, payload: bytes, *, fin: bool = True, mask: bool = True, rsv: int = 0
) -> bytes:
    head = bytes([(fin << 7) | (rsv << 4) | opcode])
    bit = mask << 7
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", len(payload))
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", len(payload))
    if not mask:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[n % 4] for n, byte in enumerate(payload))


def heard(data: bytes, *, limit: int = 1000, step: int = 0) -> list[Heard]:
    wire = Wire(client=False, limit=limit)
    found: list[Heard] = []
    for at in range(0, len(data), step or len(data) or 1):
        wire.feed(data[at : at + (step or len(data))])
        found += wire.heard()
    return found


SAID = (
    frame(1, "grüß dich".encode())
    + frame(2, b"\xff\x00", fin=False)
    + frame(9, b"are you there")
    + frame(0, b"", fin=False)
    + frame(0, b"\xfe")
    + frame(10, b"unasked")
    + frame(1, b"")
    + frame(8, struct.pack("!H", 4001) + b"why")
)
MEANT = [
    Message(text=True, data="grüß dich".encode()),
    Ping(b"are you there"),
    Message(text=False, data=b"\xff\x00\xfe"),
    Message(text=True, data=b""),
    Close(4001),
]


@pytest.mark.parametrize("step", range(1, 20))
def test_however_it_is_cut(step: int) -> None:
    assert heard(SAID, step=step) == MEANT


@given(st.binary(max_size=200), st.binary(max_size=2000))
def test_anything_is_heard_or_refused(data: bytes, more: bytes) -> None:
    code = 0
    try:
        for said in heard(data + more, limit=500):
            assert not isinstance(said, Message) or len(said.data) <= 500
    except FrameError as error:
        code = error.code
    assert code in {0, PROTOCOL_ERROR, INVALID, TOO_BIG, VIOLATION}


@given(st.text(max_size=300), st.lists(st.integers(0, 1200), max_size=6))
def test_text_in_fragments_is_the_same_text(text: str, cuts: list[int]) -> None:
    raw = text.encode()
    at = sorted({min(cut, len(raw)) for cut in cuts})
    parts = [raw[a:b] for a, b in zip([0, *at], [*at, len(raw)], strict=True)]
    data = b"".join(
        frame(0 if n else 1, part, fin=n == len(parts) - 1) for n, part in enumerate(parts)
    )
    assert heard(data, limit=5000) == [Message(text=True, data=raw)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(1, b"a", mask=False), PROTOCOL_ERROR),
        *((frame(1, b"a", rsv=rsv), PROTOCOL_ERROR) for rsv in (1, 2, 4)),
        *((frame(opcode, b""), PROTOCOL_ERROR) for opcode in (3, 7, 11, 15)),
        (frame(0, b"a"), PROTOCOL_ERROR),
        (frame(1, b"a", fin=False) + frame(1, b"b"), PROTOCOL_ERROR),
        (frame(9, b"a", fin=False), PROTOCOL_ERROR),
        (frame(9, b"a" * 126), PROTOCOL_ERROR),
        (frame(8, b"a"), PROTOCOL_ERROR),
        *(
            (frame(8, struct.pack("!H", code)), PROTOCOL_ERROR)
            for code in (0, 999, 1004, 1005, 1006, 1015, 2000, 5000)
        ),
        (frame(8, struct.pack("!H", 1000) + b"\xff"), INVALID),
        (frame(1, b"\xff"), INVALID),
        (frame(1, "ü".encode()[:1]), INVALID),
        (frame(1, b"a\xff", fin=False), INVALID),
        (frame(1, b"\xed\xa0\x80"), INVALID),
        (b"\x82\xff" + struct.pack("!Q", 1 << 63), PROTOCOL_ERROR),
        (b"\x82\xfe\x00\x05", PROTOCOL_ERROR),
        (frame(2, b"a" * 1001), TOO_BIG),
        (frame(2, b"a" * 600, fin=False) + frame(0, b"a" * 600, fin=False), TOO_BIG),
    ],
)
@pytest.mark.parametrize("step", [0, 1])
def test_what_is_no_websocket(data: bytes, code: int, step: int) -> None:
    with pytest.raises(FrameError) as caught:
        heard(data, step=step)
    assert caught.value.code == code
    assert caught.value.__cause__ is None


def test_a_length_that_never_comes_costs_nothing() -> None:
    wire = Wire(client=False, limit=1000)
    wire.feed(b"\x82\xff" + struct.pack("!Q", (1 << 63) - 1) + MASK + b"a" * 999)
    assert list(wire.heard()) == []
    wire.feed(b"aa")
    with pytest.raises(FrameError):
        list(wire.heard())
    wire.feed(SAID)
    assert list(wire.heard()) == []


def test_empty_fragments_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_FRAGMENTS", 50)
    with pytest.raises(FrameError) as caught:
        heard(frame(2, b"", fin=False) + frame(0, b"", fin=False) * 50)
    assert caught.value.code == VIOLATION


def test_one_may_stop_asking_and_go_on() -> None:
    wire = Wire(client=False, limit=1000)
    wire.feed(SAID)
    found: list[Heard] = []
    while (said := next(wire.heard(), None)) is not None:
        found.append(said)
    assert found == MEANT


def test_nothing_is_heard_after_a_close() -> None:
    assert heard(frame(8, b"") + frame(1, b"more")) == [Close(1005)]


def test_what_is_written_can_be_read() -> None:
    ours, theirs = Wire(client=True, limit=9999), Wire(client=False, limit=9999)
    out = ours.message(Message(text=True, data=b"hi")) + ours.message(
        Message(text=False, data=b"\xff" * 300)
    )
    out += ours.ping() + ours.pong(Ping(b"x")) + ours.close(1008, "because")
    assert b"hi" not in out  # masked
    theirs.feed(out)
    assert list(theirs.heard()) == [
        Message(text=True, data=b"hi"),
        Message(text=False, data=b"\xff" * 300),
        Ping(b""),
        Close(1008),
    ]


def test_a_close_s_words_fit() -> None:
    assert shortened("a\n b") == "a b"
    assert len(shortened("ä" * 100).encode()) <= 123
    assert shortened("ä" * 100).endswith("…")
    wire = Wire(client=False, limit=1)
    assert len(wire.close(1008, shortened("ä" * 100))) <= 127
    assert wire.close(1005, "") == b"\x88\x00"


def test_nothing_that_was_said_stands_in_a_repr() -> None:
    assert "secret" not in repr([Message(text=True, data=b"secret"), Ping(b"secret")])
