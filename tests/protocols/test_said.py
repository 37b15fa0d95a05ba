"""What a request says beyond its first line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.protocols.said import MAX_JSON, joined, json_of, said

JSON = "application/json"


def test_a_name_that_stands_twice_has_both_values() -> None:
    assert joined([("a", "1"), ("b", "2"), ("a", "3")]) == {"a": "1, 3", "b": "2"}


@pytest.mark.parametrize(
    ("body", "kind", "found"),
    [
        (b'{"a": 1}', JSON, {"a": 1}),
        (b'{"a": 1, "a": 2}', JSON, None),
        (b"{", JSON, None),
        (b"\xff", JSON, None),
        (b"a=1&b=2", "application/x-www-form-urlencoded", {"a": "1", "b": "2"}),
        (b"query Q { a }", "application/graphql", "query Q { a }"),
        (b"hello", "text/plain", None),
        (b"[" * 100_000, JSON, None),
        (b" " * (MAX_JSON + 1), JSON, None),
    ],
)
def test_bodies(body: bytes, kind: str, found: Any) -> None:
    assert said(body, kind, kind) == found


@given(st.binary(max_size=80), st.sampled_from([JSON, "application/graphql", "text/html"]))
def test_nothing_fails(body: bytes, kind: str) -> None:
    said(body, kind, kind)


def test_what_rules_see() -> None:
    assert json_of(b'{"a": [1]}', text=True) == {"a": [1]}
    assert json_of(b"{}", text=False) is None
    assert json_of(b"{", text=True) is None
    assert json_of(b"[" * 100_000, text=True) is None
    assert json_of(b'"%s"' % (b"a" * 300_000), text=True) is None
