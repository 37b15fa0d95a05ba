"""What is sent again is stored once."""

import json
from typing import Any

import pytest

from proctor.protocols.anthropic.cuts import element_cuts, text_cuts
from proctor.protocols.anthropic.request import RequestReader, parse_request
from tests.protocols.anthropic.conversation import (
    MARKER,
    assistant,
    blocks,
    messages,
    packed,
    request,
    text,
    user,
)


@pytest.mark.parametrize(
    ("raw", "cuts"),
    [
        (b'{"name":"x"}', (11,)),
        (b'{"name":"x","input_schema":{}}', (29,)),
        (b'{"name":"x","cache_control":{"type":"ephemeral"}}', (11, 48)),
        (b'{"content":[{"type":"text"}]}', (26,)),
        (b'{"content":[{"a":1} ] , "role":"user" }', (18,)),
        (b'{"content":[]}', (13,)),
        (b'"x"', (2,)),
        (b"5", (0,)),
    ],
)
def test_before_what_closes_an_element(raw: bytes, cuts: tuple[int, ...]) -> None:
    assert element_cuts(raw) == cuts


def test_only_one_long_text_is_set_apart() -> None:
    long = "x" * 2000
    whole: list[Any] = [long, [text(long)]]
    for content in whole:
        start, end = text_cuts(content, packed({"role": "user", "content": content}))
        assert end - start == 2002
    image = {"type": "image", "source": {"data": long}}
    others: list[Any] = ["short", [text("short")], [text(long), text("b")], [image], [], None]
    for content in others:
        assert not text_cuts(content, packed({"role": "user", "content": content}))


def test_a_grown_conversation_shares_all_but_the_new() -> None:
    reader = RequestReader()
    known: set[bytes] = set()
    for turns in range(1, 8):
        said = messages(turns)
        body = packed(request(said))
        read = reader.parse(body)
        assert read.cuts == tuple(sorted(set(read.cuts)))
        cut = blocks(body, read.cuts)
        assert b"".join(cut) == body
        new = [block for block in cut if block not in known]
        known.update(cut)
        if turns > 1:
            assert [block[:8] for block in new] == [b'}]},{"ro', b'}]},{"ro']
            size = sum(map(len, new))
            assert size < len(packed(said[-1])) + len(packed(said[-2])) + 50
    assert json.dumps(MARKER, separators=(",", ":"))[1:-1].encode() in {b[1:] for b in known}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("role_first", [True, False])
def test_markers_may_move(separators: tuple[str, str], *, role_first: bool) -> None:
    def cut(*marked: int) -> set[bytes]:
        said = []
        for number in range(4):
            marker = MARKER if number in marked else {}
            content = [text(f"message {number} é"), {**text("last"), **marker}]
            order = ("role", "content") if role_first else ("content", "role")
            message = {"role": "user", "content": content}
            said.append({name: message[name] for name in order})
        tools = [
            {"name": str(n), "input_schema": {}, **(MARKER if n in marked else {})}
            for n in range(4)
        ]
        whole = {"messages": said, "tools": tools, "model": "m"}
        body = json.dumps(whole, separators=separators, ensure_ascii=False).encode()
        return set(blocks(body, parse_request(body).cuts))

    bare = cut()
    for marked in ((0,), (3,), (1, 2), (0, 1, 2, 3)):
        extra = cut(*marked) - bare
        assert len(extra) == 1
        assert b"ephemeral" in extra.pop()
        assert bare <= cut(*marked)


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_long_text_is_shared_by_both_forms_of_its_message(separators: tuple[str, str]) -> None:
    words = 'some "words" \\ é\n' * 200
    long = json.dumps(words, ensure_ascii=False).encode()
    forms: list[Any] = [words, [text(words)], [{**text(words), **MARKER}]]
    for content in forms:
        said = {"role": "system", "content": content, "output_config": {"effort": "high"}}
        whole = {"model": "m", "messages": [said, user(text("hi"))]}
        body = json.dumps(whole, separators=separators, ensure_ascii=False).encode()
        cut = blocks(body, parse_request(body).cuts)
        assert b"".join(cut) == body
        assert long in cut
        assert len(cut) <= 7


def test_text_that_looks_like_a_marker_is_text() -> None:
    said = [user(text('x","cache_control":{"type":"ephemeral"}}]}')) for _ in range(3)]
    body = packed({"model": "m", "messages": said})
    assert b"".join(blocks(body, parse_request(body).cuts)) == body
    assert len(parse_request(body).cuts) == 4


def test_messages_of_plain_text_are_cut_apart() -> None:
    body = packed({"model": "m", "messages": [{"role": "user", "content": "a"}, assistant()]})
    read = parse_request(body)
    assert blocks(body, read.cuts) == [
        b'{"model":"m","messages":[',
        b'{"role":"user","content":"a"',
        b'},{"role":"assistant","content":"ok"',
        b"}]}",
    ]
