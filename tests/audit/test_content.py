"""Content: blocks, references and streams, cut anywhere."""

import json
from base64 import b64decode
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proctor.audit import content
from proctor.audit.content import MAX_BLOCK, ContentStream, Scope, ranges
from proctor.model import ContentRef

SALT = bytes(range(32))
# Bytes, and text of one to four bytes a character, with what JSON must escape.
BODIES = st.binary(max_size=400) | st.text(st.sampled_from('aé€😀\0"\\\n\u2028'), max_size=200).map(
    str.encode
)


class Lines:
    """A scope whose lines are kept."""

    def __init__(self) -> None:
        self.blocks: dict[int, bytes] = {}
        self.text: dict[int, bool] = {}
        self.scope = Scope("w0.x", SALT, self._take)

    def _take(self, sort: int, members: str) -> None:
        line: dict[str, Any] = json.loads(f'{{"c":{sort},{members}}}')
        assert sort == content.BLOCK
        assert line["scope"] == "w0.x"
        assert line["no"] == len(self.blocks)
        data = b64decode(line["text"]) if "b64" in line else line["text"].encode()
        assert line["hash"] == blake2b(data, key=SALT, digest_size=16).hexdigest()
        self.blocks[line["no"]] = data
        self.text[line["no"]] = "b64" not in line

    def read(self, ref: ContentRef) -> bytes:
        numbers: list[int] = []
        for part in filter(None, ref.blocks.split(",")):
            first, _, last = part.partition("-")
            numbers += range(int(first), int(last or first) + 1)
        assert ref.encoding == ("utf8" if all(self.text[n] for n in numbers) else "base64")
        return b"".join(self.blocks[n] for n in numbers)


def check(lines: Lines, ref: ContentRef, data: bytes) -> None:
    assert lines.read(ref) == data
    assert ref.size == len(data)
    assert ref.hash == blake2b(data, key=SALT, digest_size=32).hexdigest()
    try:
        data.decode()
    except UnicodeDecodeError:
        return
    assert ref.encoding == "utf8"


@given(BODIES, st.lists(st.integers(0, 450)).map(sorted), st.integers(1, 40), st.integers(1, 40))
@example(b"\xc2\x80", [1], 1, 1)
def test_put(data: bytes, cuts: list[int], most: int, least: int) -> None:
    lines = Lines()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content, "MAX_BLOCK", most + 4)
        patch.setattr(content, "MIN_BLOCK", least)
        first = lines.scope.put(data, cuts)
        check(lines, first, data)
        assert all(len(block) <= most + 4 for block in lines.blocks.values())
        stored = len(lines.blocks)
        assert lines.scope.put(data, cuts) == first
    assert len(lines.blocks) == stored


@given(BODIES, st.integers(1, 40))
def test_stream_cut_at_every_byte(data: bytes, most: int) -> None:
    refs = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content, "MAX_BLOCK", most + 4)
        for chunk in {1, 2, 3, max(1, len(data))}:
            lines = Lines()
            stream = ContentStream(lines.scope)
            for start in range(0, len(data), chunk):
                stream.feed(data[start : start + chunk])
            ref = stream.close()
            check(lines, ref, data)
            refs.add(ref)
    assert len(refs) == 1


def test_a_conversation_sent_again_costs_what_is_new() -> None:
    lines = Lines()
    head, tail = b'{"model":"m","messages":[', b"]}"
    messages = [b'{"role":"user","content":"%s"},' % (b"%d " % n * 500) for n in range(20)]
    total = 0
    for count in range(1, 21):
        body, cuts = bytearray(head), []
        for message in messages[:count]:
            cuts.append(len(body))
            body += message
        cuts.append(len(body))
        body += tail
        before = sum(map(len, lines.blocks.values()))
        check(lines, lines.scope.put(bytes(body), cuts), bytes(body))
        total = sum(map(len, lines.blocks.values()))
        assert total - before <= len(messages[count - 1]) + len(head) + len(tail)
    assert total < sum(map(len, messages)) + len(head) + 20 * len(tail)


def test_large_bodies_are_cut_at_characters() -> None:
    lines = Lines()
    data = ("x" + "".join(f"€{number}" for number in range(25_000))).encode()
    ref = lines.scope.put(data)
    check(lines, ref, data)
    assert ref.blocks == "0-2"
    assert MAX_BLOCK - 3 < len(lines.blocks[0]) <= MAX_BLOCK


def test_nothing() -> None:
    lines = Lines()
    assert lines.scope.put(b"").blocks == ContentStream(lines.scope).close().blocks == ""
    assert lines.blocks == {}


@given(BODIES)
@example(b"x" * (MAX_BLOCK + 1))
def test_a_reference_is_what_stands_in_an_envelope(data: bytes) -> None:
    one, other = Lines(), Lines()
    assert json.loads(one.scope.refer(data)) == other.scope.put(data).as_json()
    assert one.blocks == other.blocks


def test_other_salts_give_other_hashes() -> None:
    one, two = Lines(), Lines()
    two.scope = Scope("w0.x", bytes(32), lambda _sort, _members: None)
    assert one.scope.put(b"hello").hash != two.scope.put(b"hello").hash


def test_it_forgets_when_there_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MAX_SEEN", 3)
    lines = Lines()
    for number in range(10):
        check(lines, lines.scope.put(b"%d" % number), b"%d" % number)
        assert lines.scope.seen <= 3
    assert lines.scope.put(b"0").blocks == "10"


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([0], "0"), ([0, 1, 2, 60], "0-2,60"), ([5, 4, 4, 5], "5,4,4-5"), ([1, 3], "1,3")],
)
def test_ranges(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text


def test_a_stream_over_an_erasure_stores_nothing_more() -> None:
    lines = Lines()
    stream = ContentStream(lines.scope)
    stream.feed(b"a" * (MAX_BLOCK + 1))
    count = len(lines.blocks)
    lines.scope.renew("w0.y", SALT[::-1])
    stream.feed(b"b" * (MAX_BLOCK + 1))
    ref = stream.close()
    assert (ref.scope, ref.blocks, len(lines.blocks)) == ("w0.x", "0", count)
