"""Values put together."""

from hypothesis import given
from hypothesis import strategies as st

from proctor.leaving.streams import PIECES, Streams, Value


def value(text: str, key: str = "d") -> Value:
    return Value(f"query.{key}", key, text)


def texts(streams: Streams, *values: Value, site: str = "a.example") -> set[str]:
    return {joined.text for joined in streams.take(site, values)}


def test_values_of_one_place_are_read_in_their_order_and_backwards() -> None:
    streams = Streams()
    assert texts(streams, value("ab1")) == set()
    assert "ab1cd2" in texts(streams, value("cd2"))
    assert {"ab1cd2ef3", "ef3cd2ab1"} <= texts(streams, value("ef3"))
    assert not texts(streams, value("gh4"), site="b.example")


def test_a_number_beside_them_says_their_order() -> None:
    streams = Streams()
    for number in (2, 0):
        list(streams.take("s", [value(str(number), "part"), value(f"x{number}")]))
    assert "x0x1x2" in texts(streams, value("1", "part"), value("x1"), site="s")


def test_what_comes_again_and_again_is_no_piece() -> None:
    streams = Streams()
    found: set[str] = set()
    for text in ("ab1", "cd2", "ef3"):
        found = texts(streams, value("v1", "version"), value(text))
    assert "ab1cd2ef3" in found


def test_pieces_know_where_they_came_from() -> None:
    streams = Streams()
    list(streams.take("s", [value("ab1")]))
    joined = next(j for j in streams.take("s", [value("cd2")]) if j.text == "ab1cd2")
    assert (joined.new, joined.sent, joined.touched(2, 4)) == ([-1, 0], [1, 2], [0, 1])
    assert joined.window(2) == (1, 6)
    assert "ab1" not in repr(joined)
    assert "ab1" not in repr(value("ab1"))


@given(st.lists(st.text(max_size=120), max_size=200))
def test_they_stay_few(given_texts: list[str]) -> None:
    streams = Streams()
    for text in given_texts:
        for joined in streams.take("s", [value(text)]):
            assert len(joined.starts) <= PIECES
            assert len(joined.text) <= 2048
