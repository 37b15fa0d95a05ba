"""Account numbers, made by the rules of ISO 13616-1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.recognizers.iban import Ibans
from tests.redaction.recognizers.support import found

BODIES = {
    "DE": "370400440532013000",
    "BE": "539007547034",
    "NO": "86011117947",
    "GB": "NWBK60161331926819",
    "FR": "20041010050500013M02606",
    "MT": "MALT011000012345MTLCAST001S",
    "NL": "ABNA0417164300",
}


def iban(country: str, body: str) -> str:
    """With its check digits (ISO 7064, MOD 97-10)."""
    if country in {"BE", "NO"}:  # their bodies hold check digits that presume nothing here
        body = body[:-2] + body[-2:]
    number = int("".join(str(int(character, 36)) for character in f"{body}{country}00"))
    return f"{country}{98 - number % 97:02}{body}"


def fours(number: str, separator: str) -> str:
    """As on paper."""
    return separator.join(number[start : start + 4] for start in range(0, len(number), 4))


@pytest.mark.parametrize("country", BODIES)
@pytest.mark.parametrize("separator", ["", " ", "-", "."])
@pytest.mark.parametrize(
    "frame", ["{}", "IBAN:{}", "to {} PAID TO ACME", "{}, thanks", '"{}"', "x,{},2024", "{} x"]
)
def test_every_country_in_every_spelling(country: str, separator: str, frame: str) -> None:
    number = fours(iban(country, BODIES[country]), separator)
    assert found(Ibans(), frame.format(number)) == [number]
    assert found(Ibans(), frame.format(number.lower())) == [number.lower()]


def test_wrong_digits_unknown_countries_and_parts_of_words_are_none() -> None:
    number = iban("DE", BODIES["DE"])
    assert found(Ibans(), number[:-1] + "1") == []
    assert found(Ibans(), iban("XX", BODIES["DE"])) == []
    assert found(Ibans(), f"x{number}") == []
    assert found(Ibans(), f"{number}0") == []
    assert found(Ibans(), number[:-1]) == []


@given(st.text(alphabet="DEGB0123456789 -.", max_size=90))
def test_gating_changes_nothing(text: str) -> None:
    found(Ibans(), text)
