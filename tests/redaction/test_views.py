"""Every spelling, read where it stands."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.model import Budget, RedactionError
from proctor.redaction.views import views
from tests.redaction.reading import KEY, MAIL, PASS, SPELLINGS, ample

PLACES = {
    "alone": ("", ""),
    "assigned": ('password: "', '"\n'),
    "in prose": ("Then she said that " * 40 + "it is ", ", which was\nnot " + "true " * 40),
    "beyond ASCII": ("größer — " * 30, " — größer"),
    "behind a token": ("x" * 3000 + " ", "\n"),
}


def seen(text: str, value: str) -> set[tuple[int, int]]:
    """Where views show a value, counted in the text."""
    places: set[tuple[int, int]] = set()
    for view in views(text, ample()):
        at = view.text.find(value)
        while at >= 0:
            places.update(view.origins(at, at + len(value)))
            at = view.text.find(value, at + 1)
    return places


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_is_encoded_is_read_where_it_stands(spelling: str, place: str) -> None:
    before, after = PLACES[place]
    written = SPELLINGS[spelling](KEY)

    places = seen(before + written + after, KEY)

    start, end = len(before), len(before) + len(written.rstrip("\n"))
    if spelling == "coloured":
        start += len("\x1b[1;31m")
    assert (start, end) in places


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("value", [MAIL, PASS])
def test_short_values_are_read_too(spelling: str, value: str) -> None:
    written = SPELLINGS[spelling](value)

    assert any(end - start >= len(value) for start, end in seen(f"a: {written} b", value))


@given(
    spelling=st.sampled_from([name for name in SPELLINGS if name != "coloured"]),
    before=st.text(alphabet="ab \n\"'é=:.,{}<>\t0", max_size=300),
    after=st.text(alphabet="ab \n\"'é=:.,{}<>\t0", max_size=300),
)
def test_the_way_back_covers_what_was_written(spelling: str, before: str, after: str) -> None:
    """Also where what stands next to it is joined with it by its own alphabet."""
    written = SPELLINGS[spelling](KEY).rstrip("\n")
    text = f"{before}| {written} |{after}"
    start = text.index(written)

    covered = set(itertools.chain(*(range(*place) for place in seen(text, KEY))))

    assert covered >= set(range(start, start + len(written)))


@given(st.text(alphabet='abZ09+/=-_%&#;\\ux{}0 \n"\u200b\uff21é\x00\x1e\x1b[', max_size=400))
def test_every_view_lies_within_its_text(text: str) -> None:
    for view in views(text, ample()):
        for start in range(len(view.text)):
            for low, high in view.origins(start, start + 1):
                assert 0 <= low <= high <= len(text)
        # Where nothing is decoded the characters are the same.
        if view.level == 1:
            for at, low, high, plain in zip(view.at, view.begin, view.end, view.plain, strict=True):
                if plain and high > low:
                    assert view.text[at : at + high - low] == text[low:high]


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    assert list(views(text, ample())) == list(views(text, ample()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Just some words, and a number 12345.",
        "def some_function_name(argument_one: int) -> VeryLongClassNameIndeed:",
        "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "Größe — “quoted”, don\u2019t, 20 €, naïve … ✅",
        "100% of it & more; a\\b",
    ],
)
def test_ordinary_text_has_no_view(text: str) -> None:
    assert not list(views(text, ample()))


def test_a_form_is_read_with_plus_as_space_and_as_itself() -> None:
    text = "note=the+word&mail=jane.roe%2Btag%40corp-mail.io&x=a+b"

    shown = "".join(view.text for view in views(text, ample()))

    assert "note=the word&mail=jane.roe+tag@corp-mail.io&x=a b" in shown
    assert "note=the+word&mail=jane.roe+tag@corp-mail.io&x=a+b" in shown


def test_a_card_next_to_an_escape_is_no_hex() -> None:
    text = "card%3D" + "4242" * 4

    assert "card=" + "4242" * 4 in "".join(view.text for view in views(text, ample()))


def test_json_in_a_string_is_read() -> None:
    text = '"{\\"password\\": \\"' + PASS + '\\"}"'

    assert f'{{"password": "{PASS}"}}' in next(views(text, ample())).text


def test_only_the_surroundings_are_shown() -> None:
    text = "word " * 10_000 + "%40" + " word" * 10_000

    (view,) = views(text, ample())

    assert len(view.text) < 1000


def test_no_time_left_is_an_error() -> None:
    now = iter([0.0, *[2.0] * 10])

    with pytest.raises(RedactionError) as caught:
        list(views("%40" * 10, Budget(1.0, 10, lambda: next(now))))

    assert caught.value.code == "redaction-budget"


def test_a_bomb_is_an_error_and_stays_small() -> None:
    bomb = SPELLINGS["base64 of gzip"]("0" * 50_000_000)

    with pytest.raises(RedactionError) as caught:
        list(views(f"data: {bomb}", ample()))

    assert caught.value.code == "redaction-size"
    assert bomb[:20] not in str(caught.value)
