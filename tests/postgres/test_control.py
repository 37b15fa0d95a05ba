"""What gateway and workers tell each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import InternalError
from proctor.postgres import control
from proctor.postgres.control import Message, Reader


def read(*parts: bytes) -> list[Message]:
    reader = Reader()
    return [each for part in parts for each in reader.feed(part)]


@given(st.text(), st.integers(0, 200))
def test_a_message_comes_as_it_went_cut_anywhere(text: str, cut: int) -> None:
    data = control.line("begin", config=text) + control.line("open")
    assert read(data[:cut], data[cut:]) == [{"kind": "begin", "config": text}, {"kind": "open"}]


@given(st.binary(max_size=200))
def test_anything_else_is_refused(data: bytes) -> None:
    try:
        found = read(data + b"\n")
    except InternalError as error:
        assert error.code == "worker-channel"  # noqa: PT017 - either is fine
    else:
        assert all(each["kind"] in control.KINDS for each in found)


@pytest.mark.parametrize(
    "data", [b"{}\n", b"[]\n", b'{"kind":"run"}\n', b"x\n", b"[" * 10**5 + b"\n"]
)
def test_no_messages(data: bytes) -> None:
    with pytest.raises(InternalError):
        read(data)


def test_a_line_without_an_end() -> None:
    with pytest.raises(InternalError):
        read(b"x" * (control.MAX_LINE + 1) + b"\n")


@given(st.integers(-(2**31), 2**31 - 1), st.binary(max_size=256))
def test_cancels(pid: int, secret: bytes) -> None:
    (message,) = read(control.cancelling(pid, secret))
    assert control.cancelled(message) == (pid, secret)


@pytest.mark.parametrize(
    "message",
    [{}, {"pid": 1}, {"pid": "1", "secret": ""}, {"pid": 2**31, "secret": ""},
     {"pid": 1, "secret": "xyz"}, {"pid": 1, "secret": "00" * 257}],
)  # fmt: skip
def test_no_cancels(message: Message) -> None:
    with pytest.raises(InternalError):
        control.cancelled(message)


def test_texts() -> None:
    assert control.told({"a": "x", "b": None}, "a", "b", "c") == ("x", "", "")
