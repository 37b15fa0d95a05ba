"""Targets of requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.structure.url import read_url
from tests.redaction.structure.changing import locations, replaced, texts


def test_path_and_query_are_leaves() -> None:
    layout = read_url(b"/users/jane%40acme.io/x+y?token=a%20b+c&jane@acme.io")
    assert texts(layout) == ["/users/jane@acme.io/x+y", "token", "a b c", "jane@acme.io"]
    assert locations(layout) == ["path", "query.token#name", "query.token", "query.*#name"]
    assert layout.leaves[2].key == "token"
    assert list(layout.paths) == [("path",), (), ("query", "token"), ()]


def test_the_host_stays_and_the_user_does_not() -> None:
    target = b"http://jane:pw%40@proxy@api.internal:80/x?y=1"
    layout = read_url(target)
    assert texts(layout) == ["jane:pw@@proxy", "/x", "y", "1"]
    assert replaced(layout, "jane:pw@@proxy", "<P>") == b"http://%3CP%3E@api.internal:80/x?y=1"


@pytest.mark.parametrize("target", [b"", b"/", b"*", b"?", b"/?", b"//", b"api.internal:443"])
def test_odd_targets(target: bytes) -> None:
    assert read_url(target).splice({}) == target


def test_a_change_keeps_the_rest() -> None:
    target = b"/a%2fb/%6a%61ne/\xff?q=%C3%A9&r=jane"
    assert replaced(read_url(target), "jane", "<J>/?") == (
        b"/a%2fb/%3CJ%3E%2F%3F/\xff?q=%C3%A9&r=%3CJ%3E%2F%3F"
    )


@given(st.binary(max_size=40))
def test_any_target_stays_as_it_is(target: bytes) -> None:
    assert read_url(target).splice({}) == target
