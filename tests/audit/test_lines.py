"""Lines of the record, in Python and, where it was built, compiled: the same in both."""

import json
from hashlib import sha256
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.audit import lines


def ways() -> list[Any]:
    try:
        return [lines, import_module("proctor.audit._lines")]
    except ImportError:
        return [lines]


WAYS = ways()
EACH = pytest.mark.parametrize("way", WAYS, ids=["python", "compiled"][: len(WAYS)])
MIDDLE = b'","writer":"w0","seq":'


@EACH
def test_a_line_is_exactly_this(way: Any) -> None:
    line, found, named = way.linked("event", MIDDLE, 17, "ab", 1764000000.123456, b'{"n":1}')
    assert line == (
        b'{"v":1,"kind":"event","writer":"w0","seq":17,"prev":"ab",'
        b'"ts":"2025-11-24T16:00:00.123456Z","n":1}\n'
    )
    assert found == sha256(b"\x00" + line[:-1]).digest()
    assert named == found.hex()


@EACH
def test_no_fields(way: Any) -> None:
    line = way.linked("event", MIDDLE, 0, "", 0, b"{}")[0]
    assert json.loads(line)["ts"] == "1970-01-01T00:00:00.000000Z"


@EACH
@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.9999996, "1970-01-01T00:00:01.000000Z"),
        (0.0000005, "1970-01-01T00:00:00.000000Z"),  # halves go to the even one
        (0.0000015, "1970-01-01T00:00:00.000002Z"),
        (951782400.25, "2000-02-29T00:00:00.250000Z"),
        (-1.5, "1969-12-31T23:59:58.500000Z"),
    ],
)
def test_times(way: Any, seconds: float, said: str) -> None:
    assert lines.timestamp(seconds) == said
    assert json.loads(way.linked("event", MIDDLE, 0, "", seconds, b"{}")[0])["ts"] == said


@given(
    seconds=st.floats(0, 4e9),
    number=st.integers(0, 2**60),
    size=st.integers(0, 3000),
    kind=st.sampled_from(["statement", "flow.begin"]),
)
def test_both_ways_make_the_same(seconds: float, number: int, size: int, kind: str) -> None:
    body = json.dumps({"text": "x" * size} if size else {}, separators=(",", ":")).encode()
    made = [way.linked(kind, MIDDLE, number, "0f" * 32, seconds, body) for way in WAYS]
    assert made[1:] == made[:-1]
    assert json.loads(made[0][0])["seq"] == number


@pytest.mark.skipif(len(WAYS) == 1, reason="it was installed without a compiler")
@pytest.mark.parametrize(
    ("kind", "prev", "body"), [("é", "", b"{}"), ("", "é", b"{}"), ("", "", b"")]
)
def test_what_is_no_ascii_and_no_object_is_not_compiled(kind: str, prev: str, body: bytes) -> None:
    with pytest.raises(ValueError, match="braces"):
        WAYS[1].linked(kind, MIDDLE, 0, prev, 0.0, body)
