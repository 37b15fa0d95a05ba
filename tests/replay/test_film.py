"""A session as events in time."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.audit.conversation import Conversation, conversation
from proctor.audit.find import find
from proctor.audit.reader import opened
from proctor.replay.film import PAUSE, Event, film, pieces
from tests.support.recorded import SESSION, record, story
from tests.support.spoken import ALONE, MANY, alone, spoken
from tests.support.ventured import venture


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    path = record(tmp_path_factory.mktemp("film") / "r", story)
    with opened(path) as reader:
        assert reader is not None
        yield conversation(reader, find(reader, SESSION))


def test_the_first_turn(talk: Conversation) -> None:
    events = film(talk)
    assert [(each.kind, each.label) for each in events[:6]] == [
        ("turn", "03:04:05 · claude-sonnet-5-5"), ("you", ""), ("thinks", ""), ("claude", ""),
        ("tool", "Bash"), ("result", "Bash"),
    ]  # fmt: skip
    assert events[1].text == "How many files are here?"  # the reminder is the client's own
    thinks, said, tool, result = events[2:6]
    # An answer's words fill the time that it took, one after the other.
    assert (thinks.at, round(tool.until, 6)) == (0, 1.25)
    assert (thinks.until, said.until) == (said.at, tool.at)
    # The result comes with the request that brings it; the pause of 3.5 s is cut.
    assert round(result.at, 6) == 1.25 + PAUSE


def test_pauses_are_kept_if_wanted(talk: Conversation) -> None:
    events = film(talk, pauses=True)
    assert round(events[5].at, 6) == 1.25 + 3.5
    assert max(each.until for each in events) > 7200
    assert max(each.until for each in film(talk)) < 60


def test_everything_is_told_in_order(talk: Conversation) -> None:
    events = film(talk)
    assert [each.at for each in events] == sorted(each.at for each in events)
    assert all(each.until >= each.at >= 0 for each in events)
    assert {each.turn for each in events} == set(range(1, 11))
    told = {(each.kind, each.text) for each in events}
    assert ("refused", "by no-remote-features: The model is not to search the web.") in told
    assert ("error", "overloaded_error: Overloaded") in told
    failed = next(each for each in events if each.kind == "failed")
    assert failed.label == "Read"
    assert failed.turn == 2


def test_texts_are_cut_and_say_so(talk: Conversation) -> None:
    cut = next(each for each in film(talk, limit=10) if each.kind == "claude")
    assert cut.text.startswith("I **look**")
    assert "more" in cut.text


def test_what_was_called_elsewhere_and_held(tmp_path: Path) -> None:
    venture(tmp_path / "r")
    with opened(tmp_path / "r") as reader:
        assert reader is not None
        events = film(conversation(reader, find(reader, SESSION)))
    outside = [each.label.partition(" · ")[2] for each in events if each.kind == "outside"]
    assert "mcp tools/list · POST https://mcp.internal/mcp" in outside
    assert "CONNECT pinned.example.org:443" in outside
    held = [each.text for each in events if each.kind == "held"]
    assert any("approved by" in text and "Go ahead." in text for text in held)
    assert any(each.kind == "refused" and "destinations" in each.text for each in events)


SOME = st.builds(
    lambda at, long, text: Event(at=at, until=at + long, turn=1, kind="claude", text=text),
    st.floats(min_value=0, max_value=100),
    st.sampled_from([0.0, 1.0, 60.0]),
    st.text(alphabet="ab \n", max_size=300),
)


@given(st.lists(SOME, max_size=5))
def test_pieces_are_the_whole_text_in_time(events: list[Event]) -> None:
    found = pieces(events)
    assert [each.at for each in found] == sorted(each.at for each in found)
    for index, event in enumerate(events):
        own = [piece for piece in found if piece.event == index]
        assert "".join(piece.text for piece in own) == event.text
        assert all(event.at <= piece.at <= event.until for piece in own)
        assert ([p.first for p in own].count(True), own[0].first) == (1, True)
        assert ([p.last for p in own].count(True), own[-1].last) == (1, True)


def test_words_stay_whole() -> None:
    text = "word " * 40
    event = Event(at=0, until=4, turn=1, kind="claude", text=text)
    assert all(piece.text.endswith(" ") for piece in pieces([event])[:-1])


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    path = record(tmp_path_factory.mktemp("said") / "r", spoken, alone)
    with opened(path) as reader:
        assert reader is not None
        yield conversation(reader, find(reader, SESSION))


def test_statements_stand_between_turns_in_their_time(said: Conversation) -> None:
    events = film(said, pauses=True)
    told = [(each.kind, each.label) for each in events]
    assert [kind for kind, _ in told if kind in {"turn", "outside", "sql", "rows", "failed"}] == [
        "turn", "outside", "sql", "rows", "sql", "sql", "rows", "sql", "failed", "sql", "rows",
        "sql", "rows", "sql", "turn",
    ]  # fmt: skip
    assert ("sql", "1 · SELECT public.orders") in told
    first = next(each for each in events if each.kind == "sql")
    assert first.text.endswith("$1 = '10', $2 = NULL, $3 = 'it''s'")
    rows = next(each for each in events if each.kind == "rows")
    assert rows.label == "2 rows in 250.0 ms · masked: public.orders.email"
    assert round(rows.at - first.at, 6) == 0.25
    assert "… 3 more rows" in rows.text


def test_what_was_held_comes_after_its_statement(said: Conversation) -> None:
    events = film(said, pauses=True)
    where = [index for index, each in enumerate(events) if each.label.endswith("orders (deny)")]
    after = [each.kind for each in events[where[0] :][:4]]
    assert after == ["sql", "held", "held", "refused"]


def test_a_connection_alone_is_played_in_full(tmp_path: Path) -> None:
    with opened(record(tmp_path / "r", alone)) as reader:
        assert reader is not None
        events = film(conversation(reader, find(reader, ALONE)))
    assert sum(each.kind == "sql" for each in events) == MANY
    assert events[-1].label == "connection closed"
    assert round(events[-1].at, 6) == MANY * 0.25
