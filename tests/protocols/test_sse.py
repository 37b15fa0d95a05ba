"""Event streams, at any chunking."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.protocols.sse import (
    Event,
    EventStream,
    RawEvent,
    RawEventStream,
    other_lines,
    with_data,
)


def read(data: bytes, *cuts: int, max_event: int = 1000) -> list[Event]:
    stream = EventStream(max_event=max_event)
    events: list[Event] = []
    for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        events += stream.feed(data[start:end])
    return events


@pytest.mark.parametrize(
    ("data", "events"),
    [
        # The examples of WHATWG HTML, section 9.2.6, come first.
        pytest.param(
            b"data: YHOO\ndata: +2\ndata: 10\n\n", [Event("message", "YHOO\n+2\n10")], id="lines"
        ),
        pytest.param(
            b": test stream\n\ndata: first event\nid: 1\n\n"
            b"data:second event\nid\n\ndata:  third event\n",
            [Event("message", "first event", "1"), Event("message", "second event")],
            id="comment, ids, one space, no end",
        ),
        pytest.param(
            b"data\n\ndata\ndata\n\ndata:",
            [Event("message", ""), Event("message", "\n")],
            id="fields without a colon",
        ),
        pytest.param(
            b"data:test\n\ndata: test\n\n",
            [Event("message", "test"), Event("message", "test")],
            id="space after the colon",
        ),
        pytest.param(
            b"event: a\ndata: 1\n\ndata: 2\n\n",
            [Event("a", "1"), Event("message", "2")],
            id="type is for one",
        ),
        pytest.param(b"event: a\n\ndata: 2\n\n", [Event("message", "2")], id="no data, no event"),
        pytest.param(b"id: 7\n\ndata: 2\n\n", [Event("message", "2", "7")], id="the id stays"),
        pytest.param(
            b"id: 7\ndata: 1\nid: a\0b\n\n", [Event("message", "1", "7")], id="id with NUL"
        ),
        pytest.param(
            b"Data: 1\nfoo: 2\nretry: 9\ndata : 3\ndata: 4\n\n",
            [Event("message", "4")],
            id="unknown fields",
        ),
        pytest.param(b"\xef\xbb\xbfdata: 1\n\n", [Event("message", "1")], id="byte order mark"),
        pytest.param(
            b"data: 1\n\n\xef\xbb\xbfdata: 2\n\n", [Event("message", "1")], id="a mark later on"
        ),
        pytest.param(b"data: \xff\xe2\x82\n\n", [Event("message", "\ufffd\ufffd")], id="not UTF-8"),
        pytest.param(
            "data: ü😀\u2028x\x85y\x0bz\n\n".encode(),
            [Event("message", "ü😀\u2028x\x85y\x0bz")],
            id="no other line ends",
        ),
        pytest.param(b"data: 1\n", [], id="cut before the blank line"),
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"\n\n\n", [], id="blank"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_the_standard_is_kept_at_every_cut(data: bytes, events: list[Event], end: bytes) -> None:
    data = data.replace(b"\n", end)
    assert read(data) == events
    assert read(data, *range(1, len(data))) == events
    for cut in range(len(data)):
        assert read(data, cut) == events


def test_an_event_comes_as_soon_as_its_blank_line_ends() -> None:
    for end in (b"\n\n", b"\r\r", b"\r\n\r"):  # a LF that may follow is not waited for
        stream = EventStream()
        assert stream.feed(b"data: 1" + end) == [Event("message", "1")]
        assert stream.feed(b"\ndata: 2\n\n") == [Event("message", "2")]


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_too_large_an_event_is_dropped_and_counted(step: int) -> None:
    large = b"event: x\ndata: " + b"a" * 200 + b"\n\n"
    many = b"data: 12345\n" * 20 + b"\n"
    empty = b"data\n" * 101 + b"\n"
    data = (
        b"data: 1\n\n"
        + large
        + b"data: 2\n\n"
        + many
        + empty
        + b"data: 3\n\n"
        + b"data: "
        + b"b" * 300
    )
    stream = EventStream(max_event=100)
    events = [e for at in range(0, len(data), step) for e in stream.feed(data[at : at + step])]
    assert events == [Event("message", "1"), Event("message", "2"), Event("message", "3")]
    assert stream.oversized == 3
    assert len(stream._partial) < 120


def test_an_event_as_large_as_allowed_is_kept() -> None:
    assert read(b"data: " + b"a" * 99 + b"\n\n", max_event=100)
    assert not read(b"data: " + b"a" * 100 + b"\n\n", max_event=100)


FIELDS = st.sampled_from(
    [
        b"data: a",
        b"data:",
        b"data",
        b"event: e",
        b"id: 1",
        b": c",
        b"x",
        b"",
        b"",
        "data: é".encode(),
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(FIELDS, ENDS), max_size=15), st.lists(st.integers(0, 120), max_size=6))
def test_chunks_make_no_difference(lines: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    data = b"".join(field + end for field, end in lines)
    assert read(data, *sorted(min(cut, len(data)) for cut in cuts)) == read(data)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=30)))
def test_any_bytes_are_taken(chunks: list[bytes]) -> None:
    stream = EventStream(max_event=20)
    together = [event for chunk in chunks for event in stream.feed(chunk)]
    assert together == read(b"".join(chunks), max_event=20)


def raws(data: bytes, *cuts: int) -> list[RawEvent]:
    stream = RawEventStream()
    events: list[RawEvent] = []
    for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        events += stream.feed(data[start:end])
    assert stream.pending <= len(data)
    return events


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(FIELDS, ENDS), max_size=15), st.lists(st.integers(0, 120), max_size=6))
def test_raw_events_are_the_stream_and_the_events(
    lines: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    # A CR at the very end is not yet known to be a line's end: its LF may come.
    data = b"".join(field + end for field, end in lines) + b":"
    once = raws(data)
    assert data.startswith(b"".join(event.raw for event in once))
    assert [event.event for event in once if event.event] == read(data)
    pieces = raws(data, *sorted(min(cut, len(data)) for cut in cuts))
    assert [event.event for event in pieces if event.event] == read(data)
    assert data.startswith(b"".join(event.raw for event in pieces))


def test_raw_events_at_every_cut() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        data = b": hi\nid: 1\ndata: a\ndata: b\n\n\nevent: c\n\ndata: d\n\n".replace(b"\n", end)
        once = raws(data)
        assert b"".join(event.raw for event in once) == data
        assert [event.event and event.event.data for event in once] == ["a\nb", None, None, "d"]
        for cut in range(len(data)):
            assert raws(data, cut)[:3] == once[:3]
    stream = RawEventStream()
    assert stream.feed(b"data: 1\r\r") == [RawEvent(b"data: 1\r\r", Event("message", "1"))]


def test_a_mark_at_the_start_hides_no_field() -> None:
    (event,) = raws(b"\xef\xbb\xbfdata: 1\n\n")
    assert event == RawEvent(b"data: 1\n\n", Event("message", "1"))


def test_data_gives_way_and_other_lines_stay() -> None:
    raw = b": hi\r\nevent: e\r\ndata: a\r\ndata: b\r\nretry: 9\r\ndatas: c\r\n\r\n"
    assert other_lines(raw)[2] == b"retry: 9\r\n"
    new = with_data(raw, "x\ny\rz\r\nend")
    assert new == (
        b": hi\r\nevent: e\r\nretry: 9\r\ndatas: c\r\ndata: x\ndata: y\ndata: z\ndata: end\n\n"
    )
    assert read(new) == [Event("e", "x\ny\nz\nend")]
    assert "data: a" not in repr(RawEvent(raw, None))


def test_lines_that_end_with_cr_alone_are_waited_for_once() -> None:
    once = RawEventStream()
    pieces = RawEventStream()
    whole = b"".join(event.raw for event in once.feed(b"\r\r\r"))
    assert b"".join(e.raw for _ in range(3) for e in pieces.feed(b"\r")) == whole == b"\r\r\r"
    assert pieces.feed(b"") == []
