"""Base64 and hex."""

import base64
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.edits import Allowance, Edit
from proctor.redaction.model import RedactionError
from proctor.redaction.runs import encoded, readable
from proctor.redaction.triggers import Kind
from tests.redaction.reading import ample

LONG = "a sentence that goes on, and on, and on, " * 4


def found(text: str, kind: Kind = Kind.BASE64) -> list[Edit]:
    return encoded(text, text.encode("latin-1", "replace"), kind, Allowance(10**6), ample())[0]


def wrapped(text: str, kind: Kind = Kind.BASE64) -> list[Edit]:
    return encoded(text, text.encode("latin-1", "replace"), kind, Allowance(10**6), ample())[1]


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@given(
    st.text(st.characters(exclude_categories=["C"]), min_size=1),
    st.sampled_from(["", "x", "ab/", "abc_", "token-", "é"]),
)
def test_a_run_is_read_also_behind_something_of_its_alphabet(text: str, before: str) -> None:
    text = f"{text} and some more"
    written = b64(text)

    edits = found(f"{before}{written}.")

    assert any(edit.text.endswith("some more") for edit in edits)
    assert edits[-1].end == len(before) + len(written)


@given(st.binary(min_size=8))
def test_hex_of_anything_readable_is_read(data: bytes) -> None:
    data = data.replace(b"\0", b"") + b" and some more"
    text = readable(data, Allowance(10**6))

    edits = found(f"g{data.hex()}g", Kind.HEX)

    assert [edit.text for edit in edits] == ([] if text is None else [text])


@pytest.mark.parametrize("width", [40, 60, 64, 76])
@pytest.mark.parametrize("line", ["\n", "\r\n", "\n    ", "\r\n\t"])
def test_lines_of_one_length_are_one_run(width: int, line: str) -> None:
    written = b64(LONG)
    text = "see:\n" + line.join(written[at : at + width] for at in range(0, len(written), width))

    (block,) = wrapped(f"{text}\nthe end")

    assert block == Edit(5, len(text), LONG)


def test_the_first_line_may_be_shorter() -> None:
    written = b64(LONG)
    lines = [written[:50], *(written[at : at + 75] for at in range(50, len(written), 75))]
    text = "data:: " + "\n ".join(lines)

    (block,) = wrapped(text)

    assert block == Edit(7, len(text), LONG)


@pytest.mark.parametrize(
    "text",
    [
        b64("a short value") + "\nnext\n",
        b64("a short value") + "\n" + b64("other  value!"),
        b64(LONG) + "\nreturn of the words",
        b64(LONG + "xx") + "\n" + b64("something else"),
    ],
)
def test_what_follows_is_not_always_part_of_it(text: str) -> None:
    edits = wrapped(text)

    assert all("\n" not in text[edit.start : edit.end - 8] for edit in edits)


def test_tokens_one_a_line_are_read_one_by_one() -> None:
    words = [f"token number {number} of many in a long list of it" for number in range(100, 109)]
    text = "\n".join(b64(f"{word}!!") for word in words)

    assert [edit.text for edit in found(text)] == [f"{word}!!" for word in words]


@pytest.mark.parametrize(
    "text",
    [
        "0x68, 0x75, 0x6e, 0x74, 0x65, 0x72, 0x32",
        "68 75 6e 74 65 72 32",
        "68:75:6E:74:65:72:32",
        "68-75-6e-74-65-72-32",
        "0x68,\n        0x75,\n   0x6e,0x74,0x65,0x72,0x32",
    ],
)
def test_bytes_in_a_list_are_read(text: str) -> None:
    assert found(f"bad {text}, end", Kind.LIST) == [Edit(4, 4 + len(text), "hunter2")]


@pytest.mark.parametrize(
    "data",
    [bytes(range(128, 228)), b"\x89PNG\r\n\x1a\n" + bytes(range(256)), b"\0" * 64, b"ab", b""],
)
def test_binary_is_no_text(data: bytes) -> None:
    assert readable(data, Allowance(10**6)) is None


@pytest.mark.parametrize(
    "data",
    [
        LONG.encode(),
        LONG.encode("utf-16-le"),
        LONG.encode("utf-16-be"),
        LONG.encode("utf-16"),
        gzip.compress(LONG.encode(), mtime=0),  # in the name of a test, which all workers share
        zlib.compress(LONG.encode(), 1),
        zlib.compress(LONG.encode(), 9),
        gzip.compress(LONG.encode("utf-16-le"), mtime=0),
    ],
)
def test_text_is_read_however_it_is_packed(data: bytes) -> None:
    assert readable(data, Allowance(10**6)) == LONG


def test_what_came_out_before_an_error_counts() -> None:
    lines = "".join(f"line {number} says {number * 7919 % 1013}\n" for number in range(2000))
    packed = bytearray(gzip.compress(lines.encode()))
    packed[-8:] = b"\xff" * 8

    text = readable(bytes(packed), Allowance(10**6))

    assert text is not None
    assert lines.startswith(text)
    assert len(text) > len(lines) // 2


def test_a_bomb_is_an_error() -> None:
    with pytest.raises(RedactionError) as caught:
        readable(gzip.compress(b"0" * 10**7), Allowance(10**6))

    assert caught.value.code == "redaction-size"
    assert caught.value.__context__ is None
