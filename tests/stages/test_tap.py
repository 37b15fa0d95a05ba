"""Bytes pass unchanged, and are read meanwhile."""

import gzip

from hypothesis import given
from hypothesis import strategies as st

from proctor.model import ContentRef
from proctor.protocols.anthropic.response import AnswerReader
from proctor.stages.tap import Tap
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
