"""The calls of one answer, and what becomes of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import InternalError
from proctor.protocols.anthropic.calls import (
    Call,
    Calls,
    Instead,
    Outcome,
    Pass,
    is_judged,
    one_object,
)
from proctor.redaction.model import RedactionError
from tests.protocols.anthropic.deciding import Decider


def call(number: int) -> Call:
    words = '{"key": "value"}'
    return Call(
        number=number,
        index=number,
        id=f"toolu_{number}",
        name="Bash",
        arguments=words,
        record=words,
        raw=words,
        complete=True,
    )


def asked(count: int, judge: Decider, **limits: int) -> Calls:
    calls = Calls(judge, **limits)
    for number in range(count):
        calls.ask(call(number))
    return calls


def test_what_is_decided_at_once_does_not_wait() -> None:
    calls = asked(3, Decider({0: Pass(), 1: Instead("no")}))
    assert [calls.outcome(number) for number in range(3)] == [Pass(), Instead("no"), None]
    assert list(calls.waiting) == [call(2)]
    assert calls.count == 3
    calls.settle(2, Pass())
    assert calls.outcome(2) == Pass()
    assert list(calls.waiting) == []


def test_each_is_settled_once() -> None:
    calls = asked(2, Decider({0: Pass()}))
    calls.settle(1, Instead("no"))
    for number in (0, 1, 2):
        with pytest.raises(InternalError) as caught:
            calls.settle(number, Pass())
        assert caught.value.code == "call-not-waiting"
    assert calls.outcome(1) == Instead("no")


@pytest.mark.parametrize(
    ("outcomes", "none"),
    [
        ([], False),
        ([Instead("no")], True),
        ([Instead("no"), Instead("no")], True),
        ([Instead("no"), Pass()], False),
        ([Instead("no"), None], False),
        ([None], False),
    ],
)
def test_whether_none_is_left(outcomes: list[Outcome | None], *, none: bool) -> None:
    calls = asked(len(outcomes), Decider())
    for number, outcome in enumerate(outcomes):
        if outcome:
            calls.settle(number, outcome)
    assert calls.none_left is none


def test_only_so_many_wait() -> None:
    with pytest.raises(RedactionError) as caught:
        asked(4, Decider(), max_waiting=3)
    assert caught.value.code == "redaction-size"
    assert asked(9, Decider(dict.fromkeys(range(9), Pass())), max_waiting=3).count == 9


def test_what_is_given_up_is_never_passed() -> None:
    calls = asked(1, Decider())
    calls.give_up()
    calls.settle(0, Pass())
    assert calls.outcome(0) is None
    assert list(calls.waiting) == []
    with pytest.raises(InternalError):
        calls.settle(0, Pass())


def test_only_tools_of_the_client_get_values_back() -> None:
    calls = Calls(Decider())
    assert calls.restored("tool_use", "Bash", "{}") == {"EMAIL_ADDRESS"}
    kinds: list[object] = ["server_tool_use", "mcp_tool_use", "future_use", None, []]
    for kind in kinds:
        assert calls.restored(kind, "Bash", "{}") == frozenset()


@pytest.mark.parametrize(
    ("block", "judged"),
    [
        ({"type": "tool_use"}, True),
        ({"type": "tool_use", "input": {}}, True),
        ({"type": "future_use", "input": {}}, True),
        ({"input": {}}, True),
        ({"type": ["tool_use"], "input": {}}, True),
        ({"type": "server_tool_use", "input": {}}, False),
        ({"type": "mcp_tool_use", "input": {}}, False),
        ({"type": "text", "text": "x"}, False),
        ({"type": "web_search_tool_result"}, False),
    ],
)
def test_which_blocks_are_judged(block: dict[str, Any], *, judged: bool) -> None:
    assert is_judged(block) is judged


@pytest.mark.parametrize("raw", [b"{}", b' {"a": [1, {"b": null}]} ', '{"\u00e9": 1}'.encode()])
def test_one_object(raw: bytes) -> None:
    assert one_object(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"[]", b"1", b"null", b"{", b"{}{}", b"{},", b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "\\u0062": 2}}', b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}',
        b'{"a": "\xed\xa0\x80"}', b"\xef\xbb\xbf{}", b"{'a': 1}", b'{"a": 1,}', b'{"a":' * 9000,
    ],
)  # fmt: skip
def test_no_one_object(raw: bytes) -> None:
    assert not one_object(raw)


@given(st.binary(max_size=40))
def test_any_bytes_are_one_or_none(raw: bytes) -> None:
    assert one_object(b'{"a":' + raw + b"}") in (True, False)


def test_nothing_of_it_is_shown() -> None:
    assert "value" not in repr(call(0))
    assert "no" not in repr(Instead("no"))
