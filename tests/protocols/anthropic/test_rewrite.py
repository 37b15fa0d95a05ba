"""Answers redacted while they pass."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.errors import RefusedError
from proctor.protocols.anthropic.events import dumped, error_event
from proctor.protocols.anthropic.response import AnswerReader
from proctor.protocols.anthropic.rewrite import AnswerRewriter
from proctor.redaction.handling import Rewritten
from proctor.redaction.model import Budget, RedactionError, Spot
from proctor.testing import framing
from proctor.testing.conversation import Reply
from tests.redaction.handled import BACK, JANE, ROE, Small
from tests.redaction.planted import KEY, KINDS, MAIL, TOKEN, VALUES, SmallDetector

SIGNATURE = "Ab+/" * 90
STANDS = "EMAIL_ADDRESS_" + "z" * 16


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def answer(*content: dict[str, Any]) -> bytes:
    usage = {"input_tokens": 1, "output_tokens": 7}
    reply = Reply(
        id="msg_1", model="claude-x", content=content, stop_reason="end_turn", usage=usage
    )
    return b"".join(framing.events(reply))


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def thinking(words: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": words, "signature": SIGNATURE}


def tool(arguments: dict[str, Any], kind: str = "tool_use", name: str = "send") -> dict[str, Any]:
    return {"type": kind, "id": "toolu_1", "name": name, "input": arguments}


def passed(data: bytes, *cuts: int, handling: Small | None = None, **limits: int) -> Rewritten:
    handling = handling or Small()
    rewriter = AnswerRewriter(handling, handling, clock=Clock(), **limits)
    out = Rewritten()
    for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        out += rewriter.feed(data[start:end])
    return out + rewriter.finish()


def read(data: bytes) -> list[Any]:
    reader = AnswerReader("text/event-stream")
    reader.feed(data)
    said = reader.finish()
    assert said.coverage == "full"
    assert said.complete
    return [block.tool.input if block.tool else block.text for block in said.blocks]


def event(kind: str, **fields: Any) -> bytes:
    return framing.event(kind, **fields)


def delta(index: int = 0, **members: Any) -> bytes:
    return event("content_block_delta", index=index, delta=members)


def start(block: dict[str, Any], index: int = 0) -> bytes:
    return event("content_block_start", index=index, content_block=block)


STOP = event("content_block_stop", index=0)

ANSWER = answer(
    thinking(f"I use {TOKEN} of {JANE} now."),
    text(f"Dear {JANE}, caf\u00e9 \U0001f600 has {TOKEN} and {MAIL} it is.\n{KEY}\nBye, {ROE}"),
    tool({"to": JANE, "of": ROE, "token": f"{TOKEN} x", "n": 1.0}),
    tool({"q": "nothing"}, name="look"),
)


def test_cut_at_every_byte_it_is_the_same() -> None:
    handling = Small()
    handling.types = frozenset({"PERSON"})
    once = passed(ANSWER, handling=handling)
    assert read(once.record) == [
        f"I use <API_KEY> of {JANE} now.",
        (
            f"Dear {JANE}, caf\u00e9 \U0001f600 has <API_KEY> and {STANDS} it is.\n"
            f"<PRIVATE_KEY>\nBye, {ROE}"
        ),
        {"to": JANE, "of": ROE, "token": "<API_KEY> x", "n": 1.0},
        {"q": "nothing"},
    ]
    assert read(once.client) == [
        f"I use {TOKEN} of {JANE} now.",
        (
            f"Dear {BACK[JANE]}, caf\u00e9 \U0001f600 has <API_KEY> and {STANDS} it is.\n"
            f"<PRIVATE_KEY>\nBye, {BACK[ROE]}"
        ),
        {"to": JANE, "of": BACK[ROE], "token": "<API_KEY> x", "n": 1.0},
        {"q": "nothing"},
    ]
    assert [name for name, _ in handling.asked] == ["send", "look"]
    for cut in range(0, len(ANSWER), 149):
        again = Small()
        again.types = frozenset({"PERSON"})
        assert passed(ANSWER, cut, handling=again) == once
    each = Small()
    each.types = frozenset({"PERSON"})
    assert passed(ANSWER, *range(1, len(ANSWER)), handling=each) == once


def test_a_short_answer_cut_at_every_byte() -> None:
    raw = answer(text(f"caf\u00e9 {TOKEN} of {JANE}"), tool({"of": JANE, "key": f"{TOKEN} x"}))
    raw = raw[raw.index(b"event: content_block_start") : raw.index(b"event: message_delta")]
    raw = raw.replace(b"\\u00e9", "\u00e9".encode())
    once = passed(raw)
    assert TOKEN.encode() not in once.client + once.record
    for cut in range(len(raw)):
        assert passed(raw, cut) == once


def test_what_needs_no_change_passes_byte_for_byte() -> None:
    data = answer(thinking("words and words"), text(""), tool({"a": 1}), tool({}))
    for raw in (data, data.replace(b"\n", b"\r\n"), b": hi\n\nretry: 9\n\n" + data):
        out = passed(raw)
        assert out.client == raw
        assert read(out.record) == ["words and words", "", {"a": 1}, {}]
    # Of text, what is held comes with the next piece.
    raw = start(text("")) + delta(type="text_delta", text="Hi ") + STOP
    assert passed(raw) == Rewritten(raw, raw)


def test_thinking_passes_at_once_and_its_signature_as_it_is() -> None:
    handling = Small()
    rewriter = AnswerRewriter(handling, handling, clock=Clock())
    for raw in (
        start(thinking("") | {"signature": ""}),
        delta(type="thinking_delta", thinking=f"so {TOKEN}"),
        delta(type="thinking_delta", thinking=" then"),
        delta(type="signature_delta", signature=SIGNATURE),
        STOP,
        start({"type": "redacted_thinking", "data": SIGNATURE}, 1),
        event("content_block_stop", index=1),
    ):
        assert rewriter.feed(raw).client == raw
    assert handling.found == [("API_KEY", "content[0].thinking", True)]
    record = passed(ANSWER).record
    assert TOKEN.encode() not in record
    assert SIGNATURE.encode() in record


def test_the_first_words_are_not_made_to_wait() -> None:
    rewriter = AnswerRewriter(Small(), Small(), clock=Clock())
    rewriter.feed(start(text("")))
    assert b"Hello" in rewriter.feed(delta(type="text_delta", text="Hello there")).client


def test_a_tool_call_is_kept_back_until_it_is_whole() -> None:
    rewriter = AnswerRewriter(Small(), Small(), clock=Clock())
    raw = answer(tool({"a": 1})).partition(b"event: content_block_start")
    rewriter.feed(raw[0])
    held, _, rest = (raw[1] + raw[2]).partition(b"event: content_block_stop")
    assert rewriter.feed(held) == Rewritten()
    assert (
        rewriter.feed(b"event: content_block_stop" + rest).client
        == held + b"event: content_block_stop" + rest
    )


def test_a_tool_call_that_does_not_end_is_lost() -> None:
    cut = ANSWER.index(b"toolu_1")
    rewriter = AnswerRewriter(Small(), Small(), clock=Clock())
    out = rewriter.feed(ANSWER[: cut + 900]) + rewriter.finish()
    assert b"toolu_1" not in out.client + out.record
    before = start(text("")) + delta(type="text_delta", text=f"so it is and {TOKEN[:20]}")
    rewriter = AnswerRewriter(Small(), Small(), clock=Clock())
    out = rewriter.feed(before) + rewriter.finish()
    assert TOKEN[:8].encode() not in out.client + out.record


def test_only_tools_of_the_client_get_values_back() -> None:
    for kind in ("server_tool_use", "mcp_tool_use", "some_future_use"):
        handling = Small()
        handling.types = frozenset({"PERSON"})
        out = passed(answer(tool({"of": ROE}, kind)), handling=handling)
        assert BACK[ROE].encode() not in out.client
        assert handling.asked == []
    handling = Small()
    handling.types = frozenset({"EMAIL_ADDRESS"})
    assert read(passed(answer(tool({"of": [JANE]})), handling=handling).client) == [
        {"of": [BACK[JANE]]}
    ]


@pytest.mark.parametrize("given", ['{"of": "' + ROE, f"{ROE} it is", '{"a": 1, "a": 2}', "\ud83d"])
def test_input_that_is_no_json_is_looked_at_as_text(given: str) -> None:
    handling = Small()
    handling.types = frozenset({"PERSON"})
    raw = start(tool({})) + delta(type="input_json_delta", partial_json=f"{given} {TOKEN} ") + STOP
    out = passed(raw, handling=handling)
    assert out.client == out.record
    assert b"<API_KEY>" in out.client
    assert BACK[ROE].encode() not in out.client


def test_blocks_that_begin_with_all_they_have() -> None:
    handling = Small()
    handling.types = frozenset({"PERSON"})
    data = answer(text("")).replace(
        b'"text": ""', json.dumps({"text": f"{TOKEN} of {JANE}"})[1:-1].encode()
    )
    out = passed(data)
    assert read(out.record) == [f"<API_KEY> of {JANE}"]
    assert read(out.client) == [f"<API_KEY> of {BACK[JANE]}"]
    raw = start(tool({"of": ROE, "key": f"{TOKEN} x"})) + STOP
    out = passed(raw, handling=handling)
    assert ROE.encode() not in out.client
    assert TOKEN.encode() not in out.client + out.record
    assert json.loads(handling.asked[0][1]) == {"of": ROE, "key": f"{TOKEN} x"}


def test_results_citations_and_other_events_are_documents() -> None:
    handling = Small()
    cited = {"type": "page_location", "cited_text": f"{TOKEN} x", "document_title": JANE}
    found = {"type": "web_search_result", "title": f"{TOKEN} x", "encrypted_content": SIGNATURE}
    raw = (
        event(
            "message_start",
            message={"id": "msg_1", "type": "message", "content": [], "x": f"{TOKEN} x"},
        )
        + start(text("") | {"citations": []})
        + delta(type="citations_delta", citation=cited)
        + STOP
        + start({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [found]})
        + STOP
        + event(
            "message_delta", delta={"stop_reason": "stop_sequence", "stop_sequence": f"{TOKEN} x"}
        )
        + event("error", error={"type": "api_error", "message": f"{TOKEN} x"})
        + event("ping")
        + event("some_future_event", said=[f"{TOKEN} x"])
        + event("content_block_stopped", index=f"{TOKEN} x")
    )
    out = passed(raw, handling=handling)
    assert TOKEN.encode() not in out.client + out.record
    assert out.record.count(b"<API_KEY>") == 7
    assert SIGNATURE.encode() in out.client
    assert (
        BACK[JANE]
        in json.loads(out.client.split(b"data: ")[3].split(b"\n")[0])["delta"]["citation"][
            "document_title"
        ]
    )
    assert {where for _, where, _ in handling.found} >= {
        "message.x", "content[0].citation.cited_text", "content[0].content[0].title",
        "delta.stop_sequence", "error.message",
    }  # fmt: skip
    assert "message.id" not in handling.looked


def test_deltas_of_kinds_not_known_here_are_texts() -> None:
    said = f"a {TOKEN} of {MAIL} it is"
    raw = start({"type": "future", "opaque": None})
    raw += b"".join(
        delta(type="future_delta", words=said[i : i + 3]) for i in range(0, len(said), 3)
    )
    raw += (
        delta(type="other_delta", a=f"{TOKEN} x", b="y") + delta(type="n", words="x ", at=1) + STOP
    )
    out = passed(raw)
    assert TOKEN.encode() not in out.client
    events = [json.loads(line[6:]) for line in out.client.split(b"\n") if line[:6] == b"data: "]
    deltas = [said["delta"] for said in events if "delta" in said]
    words = [said["words"] for said in deltas if said["type"] == "future_delta"]
    assert "".join(words) == f"a <API_KEY> of {STANDS} it is"
    assert b"<API_KEY>" in out.client
    assert b'"at": 1' in out.client or b'"at":1' in out.client


@pytest.mark.parametrize(
    "raw",
    [
        b"data: {oops\n\n",
        b"data: []\n\n",
        b"data: {}\n\n",
        b'data: {"type": 1}\n\n',
        b'data: {"type": "ping", "type": "pong"}\n\n',
        b'data: {"type": "ping\xff"}\n\n',
        b": \xff\n\n",
        b"data: " + b"[" * 5000 + b"\n\n",
        delta(type="text_delta", text="x"),
        STOP,
        event("content_block_start", index=0),
        event("content_block_start", index="0", content_block={}),
        event("message_start", message={"content": [text("x")]}),
        event("message_start"),
        event("message_delta", delta={"content": [text("x")]}),
        start(text("")) * 2,
        start(tool({})) + start(text(""), 1),
        start(text("")) + delta(type="input_json_delta", partial_json="{}"),
        start(text("")) + event("content_block_delta", index=0),
        start(text("")) + delta(text="x"),
        start(tool({})) + delta(type="text_delta", text="x"),
        start(tool({})) + delta(type="input_json_delta", partial_json=1),
        start(text("")) + event("content_block_stop", index=0, more=f"{TOKEN} x"),
        event("some_event", said="\ud83d"),
        # A client that goes by the event's name would run what nobody judged.
        b"event: content_block_start\n"
        + event("new_event", index=0, content_block=tool({"a": 1})).partition(b"\n")[2],
        b"event: message_start\n" + event("ping").partition(b"\n")[2],
        start({"type": {}}) + b"data: []\n\n",
        start({"type": []}) + b"data: []\n\n",
    ],
)
def test_what_cannot_be_read_ends_the_answer(raw: bytes) -> None:
    with pytest.raises(RedactionError) as error:
        passed(raw)
    assert error.value.code == "redaction-decoder"
    assert error.value.__cause__ is None
    assert TOKEN not in str(error.value)


def test_members_nobody_knows_pass_where_nothing_is_in_them() -> None:
    raw = event("content_block_start", index=0, content_block=text(""), more={"a": [1]})
    raw += event(
        "content_block_delta", index=0, delta={"type": "text_delta", "text": "Hi "}, at="x"
    )
    raw += event("content_block_stop", index=0, more=None)
    assert passed(raw) == Rewritten(raw, raw)


def test_sizes_are_bounded() -> None:
    for raw in (b"data: " + b"a" * 3000, b"data: " + b"a" * 3000 + b"\n\n"):
        with pytest.raises(RedactionError) as error:
            passed(raw, max_event=2000)
        assert error.value.code == "redaction-size"
    piece = delta(type="input_json_delta", partial_json="a" * 100)
    for more in (piece * 50, event("some_event", said="x " * 100) * 50):
        with pytest.raises(RedactionError) as error:
            passed(start(tool({})) + more, max_input=4000)
        assert error.value.code == "redaction-size"
    many = b"".join(start(text(""), index) for index in range(101))
    with pytest.raises(RedactionError):
        passed(many)


def test_many_small_pieces_of_one_input() -> None:
    said = dumped({"text": "word " * 40_000})
    raw = start(tool({}))
    raw += b"".join(
        delta(type="input_json_delta", partial_json=said[i : i + 8]) for i in range(0, len(said), 8)
    )
    out = passed(raw + STOP, *range(65_536, len(raw), 65_536))
    assert out.client == raw + STOP


def test_an_event_of_16_mib() -> None:
    class Blind(SmallDetector):
        def scan(self, text: str, budget: Budget) -> tuple[Spot, ...]:
            return ()

    handling = Small()
    handling.detector = Blind()
    raw = start(text("")) + delta(type="text_delta", text="word " * (3 * 2**20)) + STOP
    out = passed(raw, *range(2**20, len(raw), 2**20), handling=handling)
    assert out.client == out.record == raw


def test_events_behind_a_tool_call_wait_and_pings_do_not() -> None:
    clock = Clock()
    rewriter = AnswerRewriter(Small(), Small(), clock=clock)
    ping, other = event("ping"), event("some_event", said="x ")
    assert rewriter.feed(start(tool({}))) == Rewritten()
    assert rewriter.feed(ping) == Rewritten(ping, ping)
    assert rewriter.feed(other) == Rewritten()
    piece = delta(type="input_json_delta", partial_json="")
    assert rewriter.feed(piece) == Rewritten()
    clock.now = 10.0
    waiting = rewriter.feed(piece)
    assert waiting.client == b'event: ping\ndata: {"type": "ping"}\n\n'
    assert waiting.record == b""
    assert rewriter.feed(piece) == Rewritten()
    clock.now = 21.0
    assert rewriter.feed(piece + piece).client == waiting.client
    failed = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    assert rewriter.feed(failed).client == failed
    whole = start(tool({})) + piece * 5 + STOP + other
    assert rewriter.feed(STOP).client == whole


def test_comments_and_ids_are_looked_at() -> None:
    raw = f': {TOKEN}\nid: 7\nevent: ping\ndata: {{"type": "ping"}}\n\n'.encode()
    assert passed(raw).client == raw.replace(TOKEN.encode(), b"<API_KEY>")
    raw = start(text("")) + b"id: 9\n" + delta(type="text_delta", text="wo")
    out = passed(raw + delta(type="text_delta", text="rds ") + STOP)
    assert b"id: 9\n\n" in out.client
    assert b"words " in out.client


def test_halves_of_a_letter_stay_escapes() -> None:
    assert dumped({"a": "\ud83d", "b": "\u00e9"}) == '{"a":"\\ud83d","b":"\\u00e9"}'
    raw = start(text("")) + delta(type="text_delta", text="so \ud83d")
    raw += delta(type="text_delta", text="\ude00 it \ud83d is") + STOP
    out = passed(raw)
    assert "\U0001f600".encode() in out.client or b"\\ud83d\\ude00" in out.client


def test_how_an_answer_is_ended() -> None:
    rewriter = AnswerRewriter(Small(), Small(), clock=Clock())
    error = RefusedError("redaction-blocked", "Not this")
    raw = rewriter.broken(error)
    assert raw == error_event(error)
    reader = AnswerReader("text/event-stream")
    reader.feed(raw)
    said = reader.finish()
    assert said.error
    assert "Not this" in said.error.message


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=4),
    st.lists(st.integers(0, 12_000), max_size=20),
)
def test_no_value_leaks_at_any_cut(kinds: list[str], cuts: list[int]) -> None:
    said = "\n".join(KINDS[kind] for kind in kinds)
    data = answer(text(said), tool({"a": {"b": [said]}, said[:10]: 1}))
    out = passed(data, *sorted(min(cut, len(data)) for cut in cuts))
    blocks = read(out.client) + read(out.record)
    for value in VALUES:
        assert value not in json.dumps(blocks)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                STOP,
                start(text("")),
                start(tool({})),
                event("ping"),
                delta(type="text_delta", text=TOKEN[:9]),
                b"data: x\n",
                b"\n",
                b"\r",
            ]
        ),
        max_size=12,
    )
)
def test_any_events_give_an_answer_or_an_error(parts: list[bytes]) -> None:
    data = b"".join(parts)
    try:
        once = passed(data)
    except RedactionError:
        return
    assert passed(data, *range(1, len(data))) == once
