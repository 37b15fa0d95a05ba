"""Presidio's operators by name."""

from typing import Any

import pytest

from proctor.redaction.model import RedactionError
from proctor.redaction.presidio import OPERATORS, PresidioOperator, operator

VALUE = "jane@example.com"
SALT = bytes(32)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"operator": "mask", "masking_char": "*", "chars_to_mask": 4, "from_end": False},
            "****@example.com",
        ),
        ({"operator": "redact"}, ""),
        ({"operator": "replace", "new_value": "[gone]"}, "[gone]"),
        ({"operator": "replace"}, "<EMAIL_ADDRESS>"),
        ({"operator": "keep"}, VALUE),
    ],
)
def test_they_do_what_presidio_does(settings: dict[str, Any], expected: str) -> None:
    made = operator(settings)
    assert made.operate("EMAIL_ADDRESS", VALUE, SALT) == expected
    assert made.keeps == (settings["operator"] == "keep")
    assert made == operator(settings)


def test_hashes_are_the_same_each_time() -> None:
    made = operator({"operator": "hash", "hash_type": "sha512"})
    first = made.operate("EMAIL_ADDRESS", VALUE, SALT)
    assert len(first) == 128
    assert made.operate("EMAIL_ADDRESS", VALUE, SALT) == first
    assert made.operate("EMAIL_ADDRESS", VALUE, bytes([1] * 32)) != first
    salted = operator({"operator": "hash", "salt": "s" * 16})
    assert salted.operate("PERSON", VALUE, SALT) == salted.operate("PERSON", VALUE, b"")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "operator: one of hash, keep, mask, redact, replace"),
        ({"operator": "encrypt", "key": "k" * 16}, "operator: one of"),
        ({"operator": "custom"}, "operator: one of"),
        ({"operator": ["mask"]}, "operator: one of"),
        ({"operator": "mask"}, "masking_char"),
        ({"operator": "mask", "masking_char": "*", "chars_to_mask": 4}, "from_end"),
        (
            {"operator": "mask", "masking_char": "**", "chars_to_mask": 4, "from_end": True},
            "masking_char must be a character",
        ),
        (
            {"operator": "mask", "masking_char": "*", "chars_to_mask": "4", "from_end": True},
            "chars_to_mask: int",
        ),
        (
            {"operator": "mask", "masking_char": "*", "chars_to_mask": True, "from_end": True},
            "chars_to_mask: int",
        ),
        ({"operator": "redact", "new_value": ""}, "no parameters for the operator redact"),
        ({"operator": "replace", "with": "x"}, "new_value for the operator replace"),
        ({"operator": "hash", "hash_type": "md5"}, "hash_type"),
        ({"operator": "hash", "salt": "short"}, "at least 16 bytes"),
    ],
)
def test_mistakes_are_found_at_load(settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        operator(settings)


def test_a_failure_does_not_tell_the_value() -> None:
    class Failing:
        def operate(self, text: str, params: dict[str, Any]) -> str:
            raise ValueError(text)

    with pytest.raises(RedactionError) as caught:
        PresidioOperator("mask", {}, Failing()).operate("PERSON", VALUE, SALT)
    assert caught.value.code == "redaction-detector"
    assert caught.value.__cause__ is None
    assert VALUE not in f"{caught.value!r} {caught.value}"


def test_parameters_are_not_shown() -> None:
    assert "ssss" not in repr(operator({"operator": "hash", "salt": "s" * 16}))


def test_no_operator_is_random() -> None:
    assert "encrypt" not in OPERATORS
