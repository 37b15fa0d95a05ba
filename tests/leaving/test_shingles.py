"""Stretches of a text, by keyed digests."""

from hypothesis import given
from hypothesis import strategies as st

from proctor.leaving.shingles import WIDTH, Shingles


def test_case_and_signs_count_for_nothing() -> None:
    shingles = Shingles()
    bare = shingles.of("Tr0ub4dorVx93").digests.tolist()
    assert bare == shingles.of("t-r 0.U/b4DOR__vx\n93").digests.tolist()
    assert len(bare) == len("Tr0ub4dorVx93") - WIDTH + 1
    assert bare == shingles.of("Tr0ub4dorVx93".replace("o", "\u043e")).digests.tolist()


def test_another_key_makes_others() -> None:
    assert Shingles().of("Tr0ub4dorVx93").digests.tolist() != (
        Shingles().of("Tr0ub4dorVx93").digests.tolist()
    )
    same = bytes(range(24))
    assert Shingles(same).of("Tr0ub4dor").digests.tolist() == (
        Shingles(same).of("tr0ub4dor").digests.tolist()
    )


@given(st.text(max_size=60))
def test_places_are_those_of_the_text(text: str) -> None:
    found = Shingles().of(text)
    letters, places = Shingles.folded(text)
    assert places.tolist() == found.places.tolist()
    assert len(found.digests) == max(0, len(letters) - WIDTH + 1)
    assert all(0 <= place < len(text) for place in places.tolist())


def test_long_texts_come_in_pieces_that_overlap() -> None:
    shingles, text = Shingles(), "x" * 300_000 + "Tr0ub4dorVx93" + "y" * 300_000
    wanted = shingles.of("Tr0ub4dorVx93").digests[0]
    places = [
        start + int(piece.places[at])
        for start, piece in shingles.pieces(text)
        for at in (piece.digests == wanted).nonzero()[0].tolist()
    ]
    assert set(places) == {300_000}
