"""Secrets that are cut over several messages."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.across import NAMES, PLACES, TAIL, Across, Completed, Said
from proctor.redaction.detector import TextDetector
from proctor.redaction.model import Budget
from tests.support.screened import KEY, MAIL, TwoPatterns


def across() -> Across:
    return Across(TextDetector(TwoPatterns()))


def say(conversation: Across, *texts: str | Said) -> list[Completed]:
    """One message; it passes where it completes nothing."""
    said = [each if isinstance(each, Said) else Said("message", each) for each in texts]
    found = list(conversation.completed(said, Budget(5, 1000, time.monotonic)))
    if not found:
        conversation.passed(said)
    return found


@given(st.sets(st.integers(1, len(KEY) - 1), min_size=1))
def test_wherever_it_is_cut_the_last_piece_is_stopped(cuts: set[int]) -> None:
    at = [0, *sorted(cuts), len(KEY)]
    pieces = [KEY[a:b] for a, b in pairwise(at)]
    conversation = across()
    *before, last = pieces
    for piece in before:
        assert say(conversation, piece) == []
    (found, *more) = say(conversation, last + " and more")
    assert not more
    assert found.spot.value == KEY
    assert found.messages == len(pieces)


def test_pieces_at_one_place_follow_each_other_whatever_stands_between() -> None:
    conversation = across()
    found: list[Completed] = []
    for n in range(4):
        piece = Said("data", KEY[n * 7 : n * 7 + 7])
        found = say(
            conversation, Said(NAMES, "id"), Said("id", f"0000-{n}"), Said(NAMES, "data"), piece
        )
        assert bool(found) is (n == 3)
    assert found[0].place == "data"


def test_pieces_at_several_places_of_several_messages() -> None:
    conversation = across()
    assert say(conversation, Said(NAMES, "a"), Said("a", KEY[:9])) == []
    (found,) = say(conversation, Said(NAMES, "b"), Said("b", KEY[9:]))
    assert found.place == ""


def test_what_stands_in_one_message_is_not_told_here() -> None:
    conversation = across()
    assert say(conversation, "hello") == []
    assert say(conversation, f" {KEY} ") == []
    assert say(conversation, KEY) == []


def test_personal_data_is_not_told() -> None:
    conversation = across()
    assert say(conversation, MAIL[:6]) == []
    assert say(conversation, MAIL[6:]) == []


def test_memory_is_bounded() -> None:
    conversation = across()
    for n in range(3 * PLACES):
        assert say(conversation, Said(f"p{n}", "x" * 3000)) == []
    assert len(conversation._places) == PLACES
    assert len(conversation._all.text) == TAIL
    assert all(len(tail.text) <= 512 for tail in conversation._places.values())
    assert all(len(tail.ends) <= TAIL for tail in conversation._places.values())


def test_where_a_private_key_begins_more_is_kept() -> None:
    conversation = across()
    say(conversation, "x" * 100, "-----BEGIN RSA PRIVATE KEY-----")
    for _ in range(3):
        say(conversation, "y" * 1000)
    assert conversation._all.text.startswith("-----BEGIN ")
    for _ in range(3):
        say(conversation, "y" * 1000)
    assert len(conversation._all.text) == TAIL


@pytest.mark.parametrize("empty", ["", "\n"])
def test_empty_messages_between(empty: str) -> None:
    conversation = across()
    assert say(conversation, KEY[:9]) == []
    assert say(conversation, *([empty] if empty == "" else [])) == []
    assert say(conversation, KEY[9:])
