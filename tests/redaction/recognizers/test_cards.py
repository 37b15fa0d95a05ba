"""Card numbers, made by the rules of ISO/IEC 7812-1."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.recognizers.cards import Cards, luhn
from tests.redaction.recognizers.support import found

NETWORKS = [
    ("4", 13), ("4", 16), ("4", 19), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16),
    ("34", 15), ("37", 15), ("36", 14), ("305", 14), ("6011", 16), ("65", 16), ("3528", 16),
    ("1800", 15), ("62", 16), ("62", 19), ("2200", 16), ("5018", 12), ("6304", 12), ("6759", 19),
]  # fmt: skip


def number(prefix: str, size: int, seed: int) -> str:
    """A number that checks, of nobody."""
    picked = random.Random(seed)  # noqa: S311 - not for keys
    body = prefix + "".join(picked.choice("0123456789") for _ in range(size - len(prefix) - 1))
    return next(body + digit for digit in "0123456789" if luhn(body + digit))


def grouped(digits: str, separator: str) -> str:
    """As it is printed on a card."""
    cuts = {15: (4, 10), 14: (4, 10)}.get(len(digits), range(4, len(digits), 4))
    edges = [0, *cuts, len(digits)]
    return separator.join(digits[start:end] for start, end in itertools.pairwise(edges))


@pytest.mark.parametrize(("prefix", "size"), NETWORKS)
@pytest.mark.parametrize("separator", ["", " ", "-", "."])
def test_every_network_in_every_spelling(prefix: str, size: int, separator: str) -> None:
    for seed in range(5):
        card = grouped(number(prefix, size, seed), separator)
        for text in (card, f"card: {card}, thanks", f'{{"n":"{card}"}}', f"7,{card},12/27\n"):
            assert found(Cards(), text) == [card]


@pytest.mark.parametrize("separator", ["", " ", "-", "."])
def test_a_wrong_check_digit_is_no_card(separator: str) -> None:
    digits = number("4", 16, 1)
    wrong = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    assert found(Cards(), grouped(wrong, separator)) == []


def test_numbers_beside_a_card_are_not_part_of_it() -> None:
    card = grouped(number("51", 16, 3), " ")
    assert found(Cards(), f"2024 {card} 123") == [card]
    assert found(Cards(), f"{card} {card}") == [card, card]


@pytest.mark.parametrize(
    "frame", ["0{}", "{}0", "x{}", "{}x", "0.{}", "{}.5", "+{}", "{}0000000000"]
)
def test_a_run_inside_a_longer_number_or_word_is_no_card(frame: str) -> None:
    card = next(
        card for card in (number("4", 16, seed) for seed in range(99)) if not luhn(card + "0")
    )
    assert found(Cards(), frame.format(card)) == []


def test_zeros_and_other_networks_are_no_cards() -> None:
    assert found(Cards(), "0" * 16) == []
    assert found(Cards(), number("9", 16, 1)) == []
    assert found(Cards(), number("37", 16, 1)) == []


@given(st.text(alphabet="0123456789 .-", max_size=80))
def test_whatever_is_found_checks_and_gating_changes_nothing(text: str) -> None:
    for value in found(Cards(), text):
        digits = "".join(character for character in value if character.isdigit())
        assert 12 <= len(digits) <= 19
        assert luhn(digits)
