"""Words that stand for values."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import proctor
from proctor.redaction.surrogates import (
    LETTERS,
    SIZE,
    TOKEN,
    TYPE,
    digest,
    hashed,
    letters,
    mac,
    masked,
    surrogate,
)

KEY = bytes(range(32))
ALICE = "https://idp.example#alice"
BOB = "https://idp.example#bob"
# Any characters, lone surrogates as well.
TEXTS = st.text(st.characters(), max_size=40)


def test_one_principal_type_and_value_give_one_word() -> None:
    word = surrogate(KEY, ALICE, "EMAIL_ADDRESS", "jane@example.com")
    others = {
        surrogate(KEY, BOB, "EMAIL_ADDRESS", "jane@example.com"),
        surrogate(KEY, ALICE, "PERSON", "jane@example.com"),
        surrogate(KEY, ALICE, "EMAIL_ADDRESS", "Jane@example.com"),
        surrogate(bytes(32), ALICE, "EMAIL_ADDRESS", "jane@example.com"),
    }
    assert len({other[-SIZE:] for other in others} | {word[-SIZE:]}) == 5
    # Another word would cost the provider's prompt cache on every upgrade.
    assert word == "EMAIL_ADDRESS_wzcqtlvzwcltpccz"


def test_another_process_gives_the_same_word() -> None:
    code = (
        "from proctor.redaction.surrogates import surrogate\n"
        f"print(surrogate({KEY!r}, {ALICE!r}, 'PERSON', 'Jane Roe'), end='')"
    )
    addons = str(Path(proctor.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": addons, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == surrogate(KEY, ALICE, "PERSON", "Jane Roe")


@given(st.from_regex(TYPE, fullmatch=True), TEXTS, TEXTS)
def test_words_have_their_shape(entity: str, principal: str, value: str) -> None:
    word = surrogate(KEY, principal, entity, value)
    assert TOKEN.fullmatch(word)
    assert word == surrogate(KEY, principal, entity, value)
    assert set(word[-SIZE:]) <= set(LETTERS)
    assert TOKEN.findall(word + word) == [word, word]


@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_no_two_lists_of_parts_run_together(first: list[str], second: list[str]) -> None:
    assert (mac(KEY, *first) == mac(KEY, *second)) == (first == second)


def test_hashes_and_digests_are_the_installations() -> None:
    # One secret in the hands of two can be matched; types stay apart.
    assert (
        hashed(KEY, "API_KEY", "value") == f"<API_KEY:{letters(KEY, 'hash', 'API_KEY', 'value')}>"
    )
    assert hashed(KEY, "API_KEY", "value") != hashed(KEY, "API_KEY", "other")
    found = digest(KEY, "API_KEY", "value")
    assert len(found) == 32
    assert int(found, 16)
    assert digest(KEY, "SECRET", "value") != found
    assert digest(bytes(32), "API_KEY", "value") != found


def test_masks_tell_nothing_but_the_type() -> None:
    assert masked("API_KEY") == "<API_KEY>"


@pytest.mark.parametrize("name", ["", "email", "1A", "A-B", "A B", "A" * 64, "_A", "Ä", "A\n"])
def test_what_no_type_is_called(name: str) -> None:
    assert not TYPE.fullmatch(name)
