"""Bytes pass unchanged, and are read meanwhile."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.credentials.echo import Echo, Values
from proctor.errors import ProctorError
from proctor.model import ContentRef
from proctor.protocols.anthropic.response import AnswerReader
from proctor.redaction.handling import Rewritten
from proctor.redaction.model import RedactionError
from proctor.stages.tap import LARGE, Tap
from tests.support.stand import ANSWER


class Kept:
    def __init__(self) -> None:
        self.data = b""

    def feed(self, data: bytes) -> None:
        self.data += data

    def close(self) -> ContentRef:
        return ContentRef(scope="", hash="", size=len(self.data), encoding="utf8", blocks="")


def passed(tap: Tap, pieces: list[bytes]) -> bytes:
    out = b""
    for piece in [*pieces, b""]:
        given = tap(piece)
        out += given if isinstance(given, bytes) else b"".join(given)
    return out


@given(st.lists(st.binary(min_size=1, max_size=8)), st.booleans())
def test_every_byte_passes_but_the_last_kept_back(pieces: list[bytes], keep: bool) -> None:  # noqa: FBT001 - a parameter
    kept = Kept()
    tap = Tap(encoding="", reader=None, content=kept, keep_last=keep)
    whole = b"".join(pieces)
    assert passed(tap, pieces) + tap.tail == whole
    assert len(tap.tail) == (1 if keep and whole else 0)
    assert (kept.data, tap.size) == (whole, len(whole))
    assert tap.finish() == (None, "full")


def test_a_compressed_answer_is_read_and_passes_as_it_is() -> None:
    kept = Kept()
    tap = Tap(encoding="gzip", reader=AnswerReader("application/json"), content=kept)
    squeezed = gzip.compress(ANSWER)
    assert passed(tap, [squeezed[i : i + 1] for i in range(len(squeezed))]) == squeezed
    reply, coverage = tap.finish()
    assert reply
    assert (reply.output, reply.tools[0].name, coverage) == ("hello", "Bash", "full")
    assert kept.data == ANSWER


def test_what_cannot_be_read_is_said() -> None:
    tap = Tap(encoding="snappy", reader=AnswerReader("application/json"), content=None)
    assert passed(tap, [b"xyz"]) == b"xyz"
    assert "not read" in tap.finish()[1]


def test_a_cut_answer_and_an_upstream_s_error_are_said() -> None:
    tap = Tap(encoding="", reader=AnswerReader("text/event-stream"), content=None)
    passed(tap, [b'data: {"type":"message_start","message":{}}\n\n'])
    assert tap.finish()[1].startswith("cut")
    tap = Tap(encoding="", reader=AnswerReader("application/json"), content=None)
    passed(tap, [b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}'])
    tap.finish()
    assert tap.error == "the upstream answered overloaded_error"


class Twice:
    """A rewriter that shows the client capitals and the record what came."""

    def __init__(self, said: bytes | None = None) -> None:
        self._said = said
        self._held = b""
        self.idle = True
        self.decided: list[Rewritten] = []

    def feed(self, data: bytes) -> Rewritten:
        data = self._held + data
        if b"!" in data:
            raise RedactionError("redaction-hits", "Too much was found")
        self._held = data[-1:]
        return Rewritten(data[:-1].upper(), data[:-1])

    def finish(self) -> Rewritten:
        held, self._held = self._held, b""
        return Rewritten(held.upper(), held)

    def broken(self, _error: ProctorError) -> bytes | None:
        return self._said

    def released(self) -> Rewritten:
        return self.decided.pop() if self.decided else Rewritten()

    def ping(self) -> bytes:
        return b"ping"


@given(st.lists(st.binary(min_size=1, max_size=8).filter(lambda b: b"!" not in b)), st.booleans())
def test_a_rewriter_says_what_passes_and_what_is_kept(pieces: list[bytes], keep: bool) -> None:  # noqa: FBT001 - a parameter
    kept = Kept()
    tap = Tap(encoding="", reader=None, content=kept, keep_last=keep, rewriter=Twice())
    whole = b"".join(pieces)
    assert passed(tap, pieces) == whole.upper()
    assert (kept.data, tap.size, tap.tail) == (whole, len(whole), b"")


def test_a_rewriter_gets_what_is_decoded() -> None:
    kept = Kept()
    tap = Tap(encoding="gzip", reader=None, content=kept, rewriter=Twice())
    squeezed = gzip.compress(b"words")
    assert passed(tap, [squeezed[i : i + 1] for i in range(len(squeezed))]) == b"WORDS"
    assert kept.data == b"words"
    assert tap.size == len(squeezed)


@pytest.mark.parametrize("encoding", ["", "gzip", "snappy"])
def test_after_a_failure_nothing_passes_but_what_is_said_of_it(encoding: str) -> None:
    kept = Kept()
    tap = Tap(encoding=encoding, reader=None, content=kept, rewriter=Twice(b"sorry"))
    assert passed(tap, [b"good !", b"bad", b"worse"]) == b"sorry"
    assert kept.data == b"sorry"
    assert tap.failed
    assert tap.error


def test_where_nothing_can_be_said_it_is_cut_off() -> None:
    tap = Tap(encoding="", reader=None, content=None, rewriter=Twice())
    with pytest.raises(RedactionError):
        tap(b"bad !")
    assert tap(b"more") == []
    assert tap(b"") == []
    assert tap.failed


def test_what_failed_is_not_called_the_upstream_s_error() -> None:
    said = b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"x"}}\n\n'
    reader = AnswerReader("text/event-stream")
    tap = Tap(encoding="", reader=reader, content=None, rewriter=Twice(said))
    passed(tap, [b"bad !"])
    tap.finish()
    assert tap.error
    assert tap.error.startswith("Too much was found")


class Noted(AnswerReader):
    """Notes how much it was given at once."""

    def __init__(self) -> None:
        super().__init__("text/event-stream")
        self.sizes: list[int] = []

    def feed(self, data: bytes) -> None:
        self.sizes.append(len(data))
        super().feed(data)


def test_much_at_once_passes_before_it_is_read_and_is_read_in_order() -> None:
    block = b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text"}}\n\n'
    words = [
        b'data: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"%d,"}}\n\n' % number
        for number in range(150)
    ]
    first, second, last = block + b"".join(words[:70]), words[70], b"".join(words[71:])
    assert len(second) < LARGE < len(last)
    reader = Noted()
    tap = Tap(encoding="", reader=reader, content=None)
    assert tap(first) == first
    assert reader.sizes == []
    assert tap(second) == second
    assert reader.sizes == [len(first), len(second)]
    assert tap(last) == last
    assert reader.sizes == [len(first), len(second)]
    reply, _ = tap.finish()
    assert reply
    assert reply.output == "".join(f"{number}," for number in range(150))


class Late:
    """A rewriter whose answer comes with its end, as a body of JSON does, and then waits."""

    def __init__(self) -> None:
        self.ends = 0
        self.idle = True

    def feed(self, _data: bytes) -> Rewritten:
        return Rewritten()

    def finish(self) -> Rewritten:
        self.ends += 1
        self.idle = False
        return Rewritten()

    def released(self) -> Rewritten:
        self.idle = True
        return Rewritten(b"late", b"late")

    def broken(self, _error: ProctorError) -> None:
        return None

    def ping(self) -> bytes:
        return b""


def test_an_end_may_bring_something_that_waits() -> None:
    kept, late = Kept(), Late()
    tap = Tap(encoding="", reader=None, content=kept, rewriter=late)
    assert (tap(b"abc"), tap.waits) == ([], False)
    assert (tap.end(), tap.waits) == (b"", True)
    assert (tap.released(), tap.waits) == (b"late", False)
    assert (tap.end(), tap(b"")) == (b"", [])  # it ends once
    assert (late.ends, kept.data) == (1, b"late")
    assert Tap(encoding="", reader=None, content=None).end() == b""


class Through:
    """A rewriter that changes nothing, and keeps each last byte back until more comes."""

    def __init__(self) -> None:
        self._held = b""
        self.idle = True

    def feed(self, data: bytes) -> Rewritten:
        data = self._held + data
        self._held = data[-1:]
        return Rewritten(data[:-1], data[:-1])

    def finish(self) -> Rewritten:
        return Rewritten(self._held, self._held)

    def broken(self, _error: ProctorError) -> None:
        """Nothing is said."""

    def released(self) -> Rewritten:
        return Rewritten()

    def ping(self) -> bytes:
        return b""


@given(st.lists(st.binary(min_size=1, max_size=8)), st.booleans(), st.booleans())
def test_a_credential_is_put_out_and_the_rest_passes(
    pieces: list[bytes],
    keep: bool,  # noqa: FBT001 - a parameter
    changed: bool,  # noqa: FBT001 - a parameter
) -> None:
    key = b"sk-Zq81vT7hJ2mW9"
    pieces = [*pieces, key[:5], key[5:], *pieces]
    whole = b"".join(pieces)
    kept = Kept()
    echo = Echo((Values({key.decode(): "a"}),))
    rewriter = Through() if changed else None
    tap = Tap(
        encoding="",
        reader=None,
        content=kept,
        keep_last=keep and not changed,
        rewriter=rewriter,
        echo=echo,
    )
    out = b""
    for piece in pieces:
        given_ = tap(piece)
        out += given_ if isinstance(given_, bytes) else b"".join(given_)
    out += tap.end() + tap.tail
    assert out == kept.data == whole.replace(key, b"*" * len(key))
    assert tap.size == len(whole)
