"""What an answer came to."""

from hypothesis import given
from hypothesis import strategies as st

from proctor.replay.outcome import Outcome, differences, outcome, plain_outcome, text_diff
from tests.support.recorded import STREAM, answer, call, text


def test_a_stream_and_a_message() -> None:
    found = outcome(200, STREAM, 1.5)
    assert (found.stop_reason, found.output_tokens, found.seconds) == ("tool_use", 57, 1.5)
    assert found.text.startswith("I **look**")
    assert found.tools[0][0] == "Bash"
    whole = outcome(200, answer(text("a"), call("Read", "t", file_path="x")), 1)
    assert (whole.text, whole.tools) == ("a", (("Read", '{"file_path":"x"}'),))
    assert whole.as_json()["tools"] == [{"name": "Read", "input": '{"file_path":"x"}'}]


def test_what_went_wrong() -> None:
    busy = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    assert outcome(529, busy, 0).error == "overloaded_error: Overloaded"
    assert outcome(200, STREAM[:400], 0).error == "the answer broke off"


def test_what_differs() -> None:
    one = Outcome(status=200, stop_reason="end_turn", text="a\nb", seconds=1, output_tokens=3)
    other = Outcome(status=200, stop_reason="max_tokens", text="a\nc", seconds=2, output_tokens=9)
    assert differences(one, one) == ()
    assert differences(one, other) == ("stop_reason", "text")
    assert text_diff(one, other)[-2:] == ["-b", "+c"]
    assert text_diff(one, one) == []
    long = Outcome(status=200, text="\n".join(map(str, range(1000))))
    assert len(text_diff(one, long)) == 60


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=len(STREAM)))
def test_any_bytes(junk: bytes, cut: int) -> None:
    for body in (junk, STREAM[:cut] + junk):
        found = outcome(200, body, 0)
        assert differences(found, outcome(200, body, 0)) == ()


def test_an_answer_of_an_api_is_its_body() -> None:
    assert plain_outcome(201, b'{"id":7}', 0.5) == Outcome(status=201, text='{"id":7}', seconds=0.5)
    assert plain_outcome(200, b"\xff", 0).text == "\\xff"
    long = b"x" * 30_000
    one, other = plain_outcome(200, long + b"a", 0), plain_outcome(200, long + b"b", 0)
    assert len(one.text) < 21_000
    assert differences(one, other) == ("text",)  # though what is shown of both is the same
