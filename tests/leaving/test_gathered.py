"""Many texts as one."""

from hypothesis import given
from hypothesis import strategies as st

from proctor.leaving.gathered import Part, gather, places_of
from proctor.redaction.model import Leaf


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=12))
def test_each_text_is_found_again(texts: list[str]) -> None:
    [gathered] = gather(texts)
    for index, (start, end) in enumerate(zip(gathered.starts, gathered.ends, strict=True)):
        assert gathered.text[start:end] == texts[index]
        assert gathered.parts(start, end) == [Part(index, 0, len(texts[index]))]
    whole = gathered.parts(0, len(gathered.text))
    assert [part.number for part in whole] == list(range(len(texts)))


def test_a_long_text_is_cut_and_its_pieces_overlap() -> None:
    text = "".join(chr(97 + n % 26) for n in range(200_000))
    seen: set[int] = set()
    for gathered in gather(["a", text, "b"]):
        for start, end in zip(gathered.starts, gathered.ends, strict=True):
            [part] = gathered.parts(start, end)
            if part.number == 1:
                assert text[part.start : part.end] == gathered.text[start:end]
                seen.update(range(part.start, part.end))
    assert seen == set(range(len(text)))


def test_places_show_no_text() -> None:
    [place] = places_of([(3, [Leaf("", "a"), Leaf("secret", "b", "k")])])
    assert (place.document, place.leaf, place.location, place.key) == (3, 1, "b", "k")
    assert "secret" not in repr(place)
