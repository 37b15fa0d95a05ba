"""Envelopes: exact bytes, and the chain."""

import json
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.audit.envelope import GENESIS, MAX_LINE, Chain, leaf, timestamp
from proctor.errors import InternalError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Lone surrogates too: a path or a header may bring them.
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
NAMES = st.text(st.sampled_from("abc_"), min_size=3)


def test_a_line_is_exactly_this() -> None:
    chain = Chain("w0", 17, "ab" * 32)
    line = chain.seal("event", 1764000000.123456, {"detail": {"é": "\0\n"}, "n": 1})
    assert line == (
        b'{"v":1,"kind":"event","writer":"w0","seq":17,"prev":"' + b"ab" * 32 + b'",'
        b'"ts":"2025-11-24T16:00:00.123456Z","detail":{"\\u00e9":"\\u0000\\n"},"n":1}\n'
    )
    # RFC 6962, 2.1: a leaf is hashed behind a zero byte.
    assert chain.prev == leaf(line[:-1]) == sha256(b"\x00" + line[:-1]).hexdigest()
    assert chain.seq == 18


def test_no_fields() -> None:
    assert json.loads(Chain("w0").seal("event", 0, {}))["ts"] == "1970-01-01T00:00:00.000000Z"


@given(st.lists(st.dictionaries(NAMES, JSON, max_size=4), max_size=5))
def test_lines_hang_together(records: list[dict[str, Any]]) -> None:
    chain = Chain("w3")
    lines = [chain.seal("flow.end", 1.5, fields) for fields in records]
    for number, line in enumerate(lines):
        assert line.isascii()
        assert line.count(b"\n") == 1
        value = json.loads(line)
        assert value["seq"] == number
        text = json.dumps(value, ensure_ascii=False)
        text.encode()  # no lone surrogate is left, or this raises
    assert not lines or json.loads(lines[0])["prev"] == GENESIS
    for before, after in pairwise(lines):
        assert json.loads(after)["prev"] == leaf(before[:-1])


def test_lone_surrogates_are_replaced_and_pairs_stay() -> None:
    line = Chain("w0").seal("event", 0, {"path": "/\udc80\U0001f600", "list": ["\ud800"]})
    value = json.loads(line)
    assert value["path"] == "/\ufffd\U0001f600"
    assert value["list"] == ["\ufffd"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"seq": 1}, "record-field-reserved"),
        ({"flow_id": "x", "prev": ""}, "record-field-reserved"),
        ({"path": "x" * MAX_LINE}, "record-too-large"),
    ],
)
def test_refused_and_the_chain_stays(fields: dict[str, Any], code: str) -> None:
    chain = Chain("w0")
    with pytest.raises(InternalError) as caught:
        chain.seal("event", 0, fields)
    assert caught.value.code == code
    assert (chain.seq, chain.prev) == (0, GENESIS)


def test_numbers_are_finite() -> None:
    chain = Chain("w0")
    with pytest.raises(ValueError, match="JSON compliant"):
        chain.seal("event", 0, {"x": float("nan")})
    assert chain.seq == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1764000000.9999999, "2025-11-24T16:00:01.000000Z"),
        (1764000000.000001, "2025-11-24T16:00:00.000001Z"),
    ],
)
def test_timestamp(seconds: float, text: str) -> None:
    assert timestamp(seconds) == text


@given(
    st.dictionaries(
        st.text(),
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.lists(st.dictionaries(st.text(), st.text() | st.integers())),
    )
)
def test_records_of_flows_have_the_same_bytes_written_quickly(fields: dict[str, Any]) -> None:
    quick, slow = Chain("w0"), Chain("w0")
    if not {"v", "kind", "writer", "seq", "prev", "ts"}.isdisjoint(fields):
        return
    first = quick.seal("flow.begin", 1.5, fields)
    assert first == slow.seal("flox.begin", 1.5, fields).replace(b"flox", b"flow", 1)
