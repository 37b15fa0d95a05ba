"""Telephone numbers, as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.prefilter import Prefilter
from proctor.redaction.recognizers.gated import Scanned
from proctor.redaction.recognizers.phone import NamedPhones, Phones
from tests.redaction.recognizers.support import found

SHAPES = [
    "+1 555 123 4567", "+1-555-123-4567", "+1 (555) 123-4567", "+15551234567", "+1.5551234567",
    "+44 20 7946 0958", "+44 (0)20 7946 0958", "+49 151 12345678", "+4915112345678",
    "+33 1 23 45 67 89", "+81 90-1234-5678", "+55 11 91234-5678", "0049 151 12345678",
    "(555) 123-4567", "555-123-4567", "555.123.4567", "212 555-0187", "1-212-555-0187",
    "020 7946 0958", "(020) 7946 0958", "0151-12345678", "030/12345678", "01 23 45 67 89",
    "01.23.45.67.89",
]  # fmt: skip
NUMBERS = [
    "2024-01-15 10:20:30", "192.168.100.200", "1.2.3-4567", "123-45-6789", "+1000", "+0100",
    "@@ -1200,7 +1200,8 @@", "1700000000", "x+1234567890", "3.141592653589793", "0123456789",
    "100-200-3000", "0x0151 1234", "1234 5678 9012 3456", "+123456.789", "v1.555.123.4567",
    "550e8400-555-123-4567", "012 0123",
]  # fmt: skip


@pytest.mark.parametrize("number", SHAPES)
@pytest.mark.parametrize("frame", ["{}", "ring {}.", "id,{},x", '"{}"', "<{}>", "a\n{}\nb"])
def test_numbers_that_look_like_a_telephones(number: str, frame: str) -> None:
    assert found(Phones(), frame.format(number)) == [number]


def test_numbers_beside_each_other() -> None:
    assert found(Phones(), "0151-12345678 0151-12345678") == ["0151-12345678"] * 2
    assert found(Phones(), "(020) 7946 0958 2024") == ["(020) 7946 0958"]
    assert found(Phones(), "555-123-4567 555-123-4567") == ["555-123-4567"] * 2
    assert found(Phones(), "020 7946 0958 2024") == ["020 7946 0958"]
    assert found(Phones(), "+49 151 12345678 2024") == ["+49 151 12345678"]
    assert found(Phones(), "+1 555 123 4567 2024") == ["+1 555 123 4567"]
    assert found(Phones(), "12 01 23 45 67 89 10") == []


@pytest.mark.parametrize("text", NUMBERS)
def test_other_numbers_do_not(text: str) -> None:
    assert found(Phones(), text) == []


def named(text: str) -> list[str]:
    """What is found behind the prefilter."""
    recognizer = NamedPhones()
    scanned = Scanned(Prefilter({recognizer.name: recognizer.triggers}).scan(text))
    return [text[one.start : one.end] for one in recognizer.analyze(text, [], scanned)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("phone: 98765 43210", "98765 43210"),
        ("Tel. 5551234567", "5551234567"),
        ('"phone_number": "5551234567"', "5551234567"),
        ("mobile=612345678", "612345678"),
        ("Téléphone : 612345678", "612345678"),
        ("teléfono 612 345 678", "612 345 678"),
        ("Handynummer: 15112345678", "15112345678"),
        ("call 555 123 4567 now", "555 123 4567"),
        ("é € fax no 5551234567", "5551234567"),
    ],
)
def test_a_word_before_says_what_it_is(text: str, number: str) -> None:
    assert named(text) == [number]
    assert found(NamedPhones(), text) == [number]


@pytest.mark.parametrize(
    "text", ["hotel 5551234567", "phone\n5551234567", "tel 123", "call 0x7fffffff"]
)
def test_no_word_or_no_number_is_none(text: str) -> None:
    assert named(text) == []


@given(st.text(alphabet="+01234 5-.()/tel:", max_size=80))
def test_gating_changes_nothing(text: str) -> None:
    found(Phones(), text)
    found(NamedPhones(), text)
