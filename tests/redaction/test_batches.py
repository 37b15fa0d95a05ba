"""Leaves in one text, and the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.batches import batches
from proctor.redaction.edits import SEPARATOR
from proctor.redaction.model import PASSWORD, Leaf, Spot


def leaf(text: str, key: str = "") -> Leaf:
    return Leaf(text, "somewhere", key)


def texts(*leaves: Leaf) -> list[str]:
    return [batch.text for batch in batches(leaves)]


def test_short_leaves_stand_together_behind_their_names() -> None:
    assert texts(leaf("hunter2", "password"), leaf("plain"), leaf("jane", "name")) == [
        SEPARATOR.join(['"password": "hunter2"', "plain", '"name": "jane"'])
    ]


def test_the_quote_does_not_occur_in_the_value() -> None:
    assert texts(leaf('a"bcd', "k")) == ['"k": \'a"bcd\'']
    assert texts(leaf("a\"b'cd", "k")) == ['"k": `a"b\'cd`']
    assert texts(leaf("a\"b'c`d", "k")) == ['"k": a"b\'c`d']


def test_lines_begin_where_they_begin_behind_names_that_tell_nothing() -> None:
    assert texts(leaf("PASSWORD=x\n", "content")) == ["PASSWORD=x\n"]


def test_long_texts_stand_for_themselves() -> None:
    long = "some words " * 60

    assert texts(leaf("abcd"), leaf(long, "note"), leaf("efgh")) == ["abcd", long, "efgh"]


def test_a_long_value_keeps_its_name() -> None:
    assert texts(leaf("x" * 600, "token")) == ['"token": "' + "x" * 600 + '"']
    assert texts(leaf("x" * 9000, "token")) == ["x" * 9000]


@pytest.mark.parametrize("text", ["", "abc", "1234", "12345", "true", "False", "null"])
def test_what_says_nothing_is_left_out(text: str) -> None:
    assert texts(leaf(text, "password")) == []


@pytest.mark.parametrize("order", [1, -1])
def test_a_value_has_the_name_that_stands_next_to_it(order: int) -> None:
    pair = [Leaf("DB_PASSWORD", "env[0].name", "name"), Leaf("hunter2", "env[0].value", "Value")]
    other = Leaf("elsewhere", "env[1].value", "value")

    (text,) = texts(*pair[::order], other)

    assert '"DB_PASSWORD": "hunter2"' in text
    assert '"value": "elsewhere"' in text


def test_neighbours_are_seen_across_batches() -> None:
    leaves = [leaf(f"{number} {'x' * 400}") for number in range(30)]

    found = list(batches(leaves))

    assert len(found) == 2
    shared = {place.leaf for place in found[0].places} & {place.leaf for place in found[1].places}
    assert len(shared) == 2
    assert {place.leaf for batch in found for place in batch.places} == set(range(30))


def test_spots_are_counted_in_their_leaf() -> None:
    (batch,) = batches([leaf("one two", "jane"), leaf("three", "key")])

    def at(text: str, value: str = "decoded") -> Spot:
        start = batch.text.index(text)
        return Spot(start, start + len(text), PASSWORD, "test:password", 0.5, value)

    assert batch.sort([at("two")]) == {0: (Spot(4, 7, PASSWORD, "test:password", 0.5, "decoded"),)}
    assert batch.sort([at("jane")]) == {}
    over = batch.sort([at('two"' + SEPARATOR + '"key": "th')])
    assert [(index, spot.start, spot.end, spot.value) for index, (spot,) in over.items()] == [
        (0, 4, 7, "two"),
        (1, 0, 2, "th"),
    ]


@given(
    st.lists(
        st.tuples(
            st.text(alphabet="abcd \n\"'`\x1e", max_size=700), st.sampled_from(["", "key", "text"])
        ),
        max_size=40,
    )
)
def test_every_leaf_stands_where_it_is_said_to(leaves: list[tuple[str, str]]) -> None:
    seen = set()
    for batch in batches([leaf(*one) for one in leaves]):
        for place in batch.places:
            assert batch.text[place.start : place.end] == leaves[place.leaf][0]
            seen.add(place.leaf)

    assert seen == {index for index, (text, _) in enumerate(leaves) if len(text) >= 4}
