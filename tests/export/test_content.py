"""Content read for many at once."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.audit.inquiry import open_record
from proctor.audit.reader import Content, Reader
from proctor.export.content import MOST, MOST_BYTES, groups, texts
from proctor.export.events import VIEWS, events
from proctor.export.records import Choice, plan, walk
from proctor.model import ContentRef
from tests.export.stocked import fill


def sized(size: int) -> ContentRef:
    return ContentRef(scope="s", hash="h", size=size, encoding="utf8", blocks="0")


@given(st.lists(st.integers(0, MOST_BYTES + 5), max_size=20) | st.just([1] * (2 * MOST + 3)))
def test_groups_are_bounded_and_keep_the_order(sizes: list[int]) -> None:
    found = list(groups(sizes, lambda size: [sized(size)]))
    assert [each for group in found for each in group] == sizes
    for group in found:
        assert 0 < len(group) <= MOST
        assert sum(group) <= MOST_BYTES or len(group) == 1


def test_one_reading_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fill(tmp_path / "recordings")
    with open_record(path) as connection:
        reader = Reader(connection)
        every = frozenset(VIEWS)
        found = [
            e for each in walk(reader, plan(reader, Choice())) for e in events("x", each, every)
        ]
        asked = reader.contents
        readings: list[int] = []

        def counted(wanted: Mapping[ContentRef, int | None]) -> dict[ContentRef, Content]:
            readings.append(len(wanted))
            return asked(wanted)

        monkeypatch.setattr(reader, "contents", counted)
        told = texts(reader, found)
    assert len(readings) == 1
    by_id = {event.id.split("/", 1)[1]: said for event, said in zip(found, told, strict=True)}
    assert by_id["w0/2/turns/0"] == {"prompt": "list the files", "output": "Here: \u20ac"}
    assert by_id["w0/2/tool_calls/0"] == {"input": '{"command":"ls"}'}
    assert by_id["w0/4/tool_calls/0"] == {"input": "{}", "result": "done"}
    assert by_id["w0/0"] == {}


def test_what_was_erased(tmp_path: Path) -> None:
    path = fill(tmp_path / "recordings")
    gone = sized(3)
    with open_record(path) as connection:
        reader = Reader(connection)
        (turn,) = [
            event
            for each in walk(reader, plan(reader, Choice()))
            for event in events("x", each, frozenset({"turns"}))
        ]
        kept = turn.contents["prompt"]
        assert reader.bytes_of([gone, kept]) == {gone: None, kept: b"list the files"}
        assert reader.bytes_of([]) == {}
