"""Words that are no names."""

import pytest

from proctor.redaction.recognizers.nonames import NO_NAMES


@pytest.mark.parametrize("word", ["claude", "the", "python", "monday", "don't"])
def test_words(word: str) -> None:
    assert word in NO_NAMES


@pytest.mark.parametrize(
    "word", ["jane", "will", "mark", "grace", "april", "june", "august", "travis"]
)
def test_names(word: str) -> None:
    assert word not in NO_NAMES


def test_all_are_in_lower_case() -> None:
    assert all(word == word.lower() for word in NO_NAMES)
