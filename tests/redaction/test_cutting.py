"""A request in pieces, and whole again."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.protocols.anthropic.request import parse_request
from proctor.redaction.cutting import Cut, Message, cut_http, cut_model, decoded
from proctor.redaction.model import Change, RedactionError

FIELDS = ((b"Host", b"a"), (b"Referer", b"http://x/?a=1"), (b"x-other", b"o"), (b"referer", b""))
HEADERS = frozenset({"referer"})

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def model(body: bytes, fields: Any = FIELDS) -> Cut:
    message = Message(b"/v1/messages", fields, body)
    return cut_model(message, HEADERS, parse_request(body))


def raws(cut: Cut) -> list[bytes]:
    return [piece.raw for piece in cut.pieces]


BODY = (
    b'{ "model" : "m", "max_tokens":1,\n "system":[{"type":"text","text":"s"} , "t"],'
    b'"messages": [ {"role":"user","content":"h\xc3\xa9"},{"content":[],"role":"assistant"} ,'
    b'{"role":"user","content":"new"}], "tools":[], "x": 1.50}'
)


def test_a_request_to_the_model_is_cut_at_its_elements() -> None:
    cut = model(BODY)
    assert raws(cut) == [
        b"http://x/?a=1",
        b'{"model" : "m"}',
        b'{"max_tokens":1}',
        b'{"type":"text","text":"s"}',
        b'"t"',
        b'{"role":"user","content":"h\xc3\xa9"}',
        b'{"content":[],"role":"assistant"}',
        b'{"role":"user","content":"new"}',
        b'{"x": 1.50}',
    ]
    assert [piece.history for piece in cut.pieces] == [False] * 5 + [True, True, False, False]
    assert [piece.said for piece in cut.pieces] == [False] * 5 + [True] * 3 + [False]
    assert cut.whole(raws(cut)) == Message(b"/v1/messages", FIELDS, BODY)


def test_changed_parts_stand_where_they_stood() -> None:
    cut = model(BODY)
    parts = raws(cut)
    parts[0], parts[1], parts[4], parts[7] = b"R", b'{"model" : "M"}', b'"T"', b"{}"
    after = cut.whole(parts)
    assert after.fields == ((b"Host", b"a"), (b"Referer", b"R"), *FIELDS[2:])
    expected = BODY.replace(b'"m"', b'"M"').replace(b'"t"', b'"T"')
    assert after.content == expected.replace(b'{"role":"user","content":"new"}', b"{}")


@given(
    st.lists(st.sampled_from(["user", "assistant"]), max_size=5),
    json_values,
    st.dictionaries(
        st.text(max_size=5).filter(lambda n: n not in {"messages", "model"}),
        json_values,
        max_size=3,
    ),
    st.sampled_from([None, 1]),
)
def test_any_request_comes_together_again(
    roles: list[str], content: Any, more: dict[str, Any], indent: int | None
) -> None:
    more = {k: v for k, v in more.items() if k not in {"tools", "system", "stream", "max_tokens"}}
    said = [{"role": role, "content": content} for role in roles]
    body = json.dumps({**more, "messages": said, "model": "m"}, indent=indent).encode()
    cut = model(body)
    assert cut.whole(raws(cut)).content == body
    for piece in cut.pieces:
        assert piece.read(piece.raw).splice({}) == piece.raw


def test_pieces_are_known_by_their_bytes_and_their_place() -> None:
    one = {piece.digest for piece in model(BODY).pieces}
    assert len(one) == 9
    assert all(one)
    again = {piece.digest for piece in model(BODY).pieces}
    assert one == again
    twice = (
        b'{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":"a"}]}'
    )
    first, second = model(twice, ()).pieces[1:]
    assert first.raw == second.raw
    assert first.digest != second.digest  # their locations differ
    kinds = [
        cut_http(Message(b"/", (), b"a=1"), HEADERS, kind, "").pieces[1] for kind in ("a/b", "")
    ]
    assert kinds[0].digest != kinds[1].digest
    # A header is none of a target, and no name runs into a value.
    fields = ((b"ab", b"c"), (b"a", b"bc"))
    names = cut_http(Message(b"c", fields, b""), frozenset({"ab", "a"}), "", "").pieces
    assert len({piece.digest for piece in names}) == 3


def test_locations_and_paths_are_those_of_the_whole_body() -> None:
    piece = model(BODY).pieces[5]
    document = piece.read(piece.raw)
    wanted = {leaf.location for leaf in document.leaves}
    assert "messages[0].content" in wanted
    assert ("messages", 0, "content") in set(document.paths)  # type: ignore[attr-defined]


def test_signed_thinking_is_read_and_said_to_be_signed_but_not_what_signs_it() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "EqQB" * 9},
        {"type": "thinking", "thinking": "unsigned"},
        {"type": "text", "text": "ok"},
    ]
    body = {"model": "m", "messages": [{"role": "assistant", "content": blocks}]}
    piece = model(json.dumps(body).encode(), ()).pieces[1]
    document: Any = piece.read(piece.raw)
    texts = {leaf.text: path for leaf, path in zip(document.leaves, document.paths, strict=True)}
    assert "EqQB" * 9 not in texts
    assert piece.signed(piece.raw) == {texts["hm"]}


def test_only_what_a_signature_stands_beside_is_signed() -> None:
    blocks = [
        {"type": "text", "thinking": "a", "signature": "EqQB" * 9},
        {"type": "thinking", "thinking": "b"},
        {"type": "thinking", "thinking": "c", "signature": "no signature"},
        {"type": "compaction", "content": "d", "signature": "EqQB"},
        {"type": "tool_result", "content": [{"type": "thinking", "thinking": "e"}]},
        {"type": "tool_use", "input": {"type": "thinking", "thinking": "f", "signature": "Eq"}},
    ]
    body = {"model": "m", "messages": [{"role": "user", "content": blocks}]}
    piece = model(json.dumps(body).encode(), ()).pieces[1]
    assert piece.signed(piece.raw) == {("messages", 0, "content", 3, "content")}
    assert {leaf.text for leaf in piece.read(piece.raw).leaves} >= set("abcdef")


def test_another_request_is_cut_at_target_headers_and_body() -> None:
    body = gzip.compress(b'{"a": "b"}')
    fields = (*FIELDS, (b"Content-Encoding", b"gzip"), (b"Digest", b"d"))
    cut = cut_http(Message(b"/p?q=1", fields, body), HEADERS, "application/json", "gzip")
    assert raws(cut) == [b"/p?q=1", b"http://x/?a=1", b'{"a": "b"}']
    assert cut.whole(raws(cut)) == Message(b"/p?q=1", fields, body)
    after = cut.whole([b"/p?q=2", b"r", b'{"a": "c"}'])
    assert after == Message(b"/p?q=2", (FIELDS[0], (b"Referer", b"r"), *FIELDS[2:]), b'{"a": "c"}')


def test_a_request_without_a_body_has_none_afterwards() -> None:
    cut = cut_http(Message(b"/", (), b""), HEADERS, "", "gzip")
    assert raws(cut) == [b"/"]
    assert cut.whole([b"/x"]) == Message(b"/x", (), b"")


@pytest.mark.parametrize("coding", ["snappy", "gzip", "gzip, gzip, gzip, gzip, gzip"])
def test_what_cannot_be_decoded_is_an_error_without_its_bytes(coding: str) -> None:
    with pytest.raises(RedactionError) as caught:
        cut_http(Message(b"/", (), b"words of mine"), HEADERS, "", coding)
    assert caught.value.code == "redaction-decoder"
    assert "words" not in str(caught.value)


def test_a_bomb_is_not_decoded() -> None:
    with pytest.raises(RedactionError):
        decoded(gzip.compress(bytes(2**25)), "gzip")
    assert decoded(gzip.compress(b"x"), "gzip") == b"x"


def test_messages_that_cannot_be_cut_as_such_are_looked_at_all_the_same() -> None:
    body = b'{"model":"m","messages":[],"system":["a"],"tools":["b"]}'
    assert [
        leaf.text
        for piece in model(body, ()).pieces
        for leaf in piece.read(piece.raw).leaves
        if leaf.text in {"a", "b"}
    ] == ["a", "b"]


def test_a_part_that_is_no_json_is_a_client_s_error() -> None:
    piece = model(BODY).pieces[3]
    with pytest.raises((ClientError, ValueError)):
        piece.read(b"{")


def test_nothing_of_a_piece_is_in_its_repr() -> None:
    cut = model(BODY)
    assert "new" not in repr(cut.pieces[7])
    assert "new" not in repr(Message(b"/new", ((b"a", b"new"),), b"new"))
    changed = Change(0, 1, "secret")
    assert "secret" not in repr(changed)
