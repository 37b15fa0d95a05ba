"""Flows rebuilt from envelopes, whatever these lack; files of them are in test_oneoff.py."""

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.io import FlowReader, FlowWriter

from proctor.export.flows import HarOutput, bodies, rebuilt
from proctor.model import ContentRef
from tests.export.test_events import envelope

REF = {"scope": "s", "hash": "h", "size": 3, "enc": "utf8", "blocks": "0"}
WANTED = ContentRef(scope="s", hash="h", size=3, encoding="utf8", blocks="0")
END = {"ended_at": "2026-01-02T03:04:06.000000Z"}


def test_what_it_needs() -> None:
    assert bodies(envelope(request=REF, response=None, **END)) == [WANTED]
    assert bodies(envelope(**END)) == []


def test_a_body_that_was_erased_says_so() -> None:
    flow = rebuilt(envelope(request=REF, **END), {WANTED: None})
    assert flow.request.content == b"(erased from the record)"


def test_no_answer_at_all() -> None:
    flow = rebuilt(envelope(status=None, error="cut off", **END), {})
    assert flow.response is None
    assert flow.error is not None


def test_types_are_what_bodies_say() -> None:
    def kind(body: bytes) -> str:
        flow = rebuilt(envelope(request=REF, **END), {WANTED: body})
        return str(flow.request.headers.get("content-type", ""))

    assert kind(b' {"a": 1}') == "application/json"
    assert kind(b"event: x\n") == "text/event-stream; charset=utf-8"
    assert kind(b"plain") == "text/plain; charset=utf-8"
    assert kind("€".encode() * 2000) == "text/plain; charset=utf-8"
    assert kind(b"\x00\xff") == "application/octet-stream"
    assert kind(b"") == ""


@given(
    st.binary(max_size=64),
    st.fixed_dictionaries(
        {
            "method": st.text(max_size=5),
            "path": st.text(max_size=20),
            "host": st.text(max_size=10),
            "port": st.integers(0, 65535) | st.none(),
            "status": st.none() | st.integers(100, 599),
            "reason": st.text(max_size=20),
            "error": st.none() | st.text(max_size=5),
        }
    ),
)
def test_whatever_is_on_record_can_be_written_and_read(body: bytes, more: dict[str, Any]) -> None:
    flow = rebuilt(envelope(request=REF, response=REF, **{**END, **more}), {WANTED: body})
    file = io.BytesIO()
    FlowWriter(file).add(flow)
    (again,) = FlowReader(io.BytesIO(file.getvalue())).stream()
    assert again.get_state()["request"] == flow.get_state()["request"]
    har = io.BytesIO()
    made = HarOutput(har)
    made.add(flow)
    made.close()
