"""What overlaps, what is our own, what stands there again."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.model import API_KEY, PASSWORD, Spot
from proctor.redaction.overlaps import Repeats, Sighting, placeholders, resolve, without_own

LETTERS = "bcdfghjklmnpqrst"
TEXT = "0123456789" * 5


def spot(
    start: int, end: int, name: str = "EMAIL_ADDRESS", value: str = "", score: float = 0.5
) -> Spot:
    return Spot(start, end, name, f"test:{name.lower()}", score, value or TEXT[start:end])


def resolved(*spots: Spot | tuple[Spot, int]) -> list[tuple[int, int, str, str]]:
    sightings = [Sighting(one) if isinstance(one, Spot) else Sighting(*one) for one in spots]
    answer = resolve(TEXT, sightings)
    assert answer == resolve(TEXT, sightings[::-1])
    return [(one.start, one.end, one.type, one.value) for one in answer]


def test_a_host_behind_a_password_is_no_mail_address() -> None:
    text = "postgres://shop:pw@db.internal/shop"
    secret = Spot(16, 18, PASSWORD, "test:url", 0.9, "pw")
    mail = Spot(16, 30, "EMAIL_ADDRESS", "test:mail", 1.0, "pw@db.internal")
    assert resolve(text, [Sighting(mail), Sighting(secret)]) == (secret,)
    assert resolve(text, [Sighting(mail)]) == (mail,)


def test_a_secret_names_what_it_is_part_of() -> None:
    assert resolved(spot(2, 9), spot(4, 6, PASSWORD)) == [(2, 9, PASSWORD, TEXT[2:9])]
    assert resolved(spot(2, 9), spot(0, 9, PASSWORD)) == [(0, 9, PASSWORD, TEXT[:9])]


def test_the_longer_names_the_union() -> None:
    assert resolved(spot(0, 5), spot(3, 9, "PHONE_NUMBER")) == [(0, 9, "PHONE_NUMBER", TEXT[:9])]
    assert resolved(spot(0, 5, API_KEY), spot(4, 6, PASSWORD)) == [(0, 6, API_KEY, TEXT[:6])]


def test_what_only_touches_stays_apart() -> None:
    assert len(resolved(spot(0, 5), spot(5, 9))) == 2


def test_the_decoded_value_is_taken() -> None:
    assert resolved(spot(0, 5), (spot(0, 5, value="a@b"), 1)) == [(0, 5, "EMAIL_ADDRESS", "a@b")]
    assert resolved((spot(0, 5, value="%40"), 1), (spot(0, 5, value="@"), 2))[0][3] == "@"


def test_a_secret_in_hex_that_happens_to_be_a_few_letters() -> None:
    text = "48656c6c6f2121"
    for name, value in ((PASSWORD, text), ("EMAIL_ADDRESS", "Hello!!")):
        plain = Spot(0, 14, name, "test:plain", 0.9, text)
        decoded = plain._replace(value="Hello!!")
        (found,) = resolve(text, [Sighting(plain), Sighting(decoded, 1)])
        assert found.value == value


def test_several_values_in_one_run_are_the_run() -> None:
    found = resolved((spot(0, 9, value="one"), 1), (spot(0, 9, value="two"), 1))

    assert found == [(0, 9, "EMAIL_ADDRESS", TEXT[:9])]


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(1, 9), st.sampled_from([PASSWORD, "A", "B"]))
    )
)
def test_all_that_was_found_is_covered_once(places: list[tuple[int, int, str]]) -> None:
    spots = [spot(start, start + length, name) for start, length, name in places]

    answer = resolve(TEXT, [Sighting(one) for one in spots])

    covered = [at for one in answer for at in range(one.start, one.end)]
    assert covered == sorted(set(covered))
    assert set(covered) == {at for one in spots for at in range(one.start, one.end)}


@pytest.mark.parametrize(
    "word", ["<PASSWORD>", f"<IP_ADDRESS:{LETTERS}>", f"EMAIL_ADDRESS_{LETTERS}", f"X_{LETTERS}"]
)
@pytest.mark.parametrize("around", ["{}", "a{}b", "{}{}", "A_{}, {}."])
def test_our_own_words_are_known(word: str, around: str) -> None:
    text = around.format(word, word)
    letters = "[bcdfghjklmnpqrstvwxz]{16}"
    pattern = f"<[A-Z][A-Z0-9_]*(?::{letters})?>|[A-Z][A-Z0-9_]*_{letters}"

    assert placeholders(text) == [match.span() for match in re.finditer(pattern, text)]


@pytest.mark.parametrize(
    "text", ["<password>", "EMAIL_ADDRESS_abcdefghijklmnop", "_" + LETTERS, "<>"]
)
def test_other_words_are_not_ours(text: str) -> None:
    assert placeholders(text) == []


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<PASSWORD>", False),
        ("'<PASSWORD>'", False),
        ("scheme://app:<PASSWORD>@host.internal:5432/orders", False),
        (f"EMAIL_ADDRESS_{LETTERS}@corp.io", False),
        ("<PASSWORD>hunter2hunter", True),
        ("hunter2hunter<PASSWORD>", True),
        ("-----BEGIN-----\n<SECRET>\n" + "Zq3v" * 16 + "\n-----END-----", True),
        (f"key-PASSWORD_{LETTERS}-" + "Zq3v" * 8, True),
        ("<almost>", True),
    ],
)
def test_what_is_only_ours_is_no_finding(text: str, kept: bool) -> None:  # noqa: FBT001 - a table
    whole = Spot(0, len(text), PASSWORD, "test:password", 0.5, text)

    assert bool(without_own(text, [whole])) is kept


def test_a_finding_inside_our_own_is_dropped_and_its_neighbours_stay() -> None:
    text = f"ab <PASSWORD> cd EMAIL_ADDRESS_{LETTERS} ef"
    at = text.index("DDR")
    spots = [
        Spot(*place, PASSWORD, "test:password", 0.5, "") for place in [(0, 2), (4, 9), (at, at + 9)]
    ]

    assert without_own(text, spots) == spots[:1]


@pytest.mark.parametrize(
    ("value", "text", "places"),
    [
        ("hunt3rhunter", "x hunt3rhunter yhunt3rhuntery", [2, 16]),
        ("swordfish!", "a swordfish! b swordfish!s", [2]),
        ("12345678", "12345678 912345678", [0]),
        ("secret", "the secret", []),
        ("abc1", "abc1", []),
        ("correctbatteryhorse", "acorrectbatteryhorses", [1]),
    ],
)
def test_the_value_of_a_secret_is_found_again(value: str, text: str, places: list[int]) -> None:
    one = Spot(0, 1, PASSWORD, "test:password", 0.5, value)

    found = Repeats({value: one}).find(text)

    assert [again.start for again in found] == places
    assert all(text[again.start : again.end] == value for again in found)
