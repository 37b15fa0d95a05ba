"""How a refusal is worded."""

from hypothesis import given
from hypothesis import strategies as st

from proctor.identity.refusals import refuse, shown, unreachable, unusable


def test_a_refusal_says_what_was_got_and_expected() -> None:
    error = refuse("token-x", "No", got="this", expected="that", hint="Do so.", retry=True)
    assert (error.code, error.status, error.retry) == ("token-x", 401, True)
    assert str(error) == "No; got this; expected that. Do so."


def test_an_issuer_that_fails_is_not_the_callers_fault() -> None:
    for error in (unreachable("I", got="x"), unusable("I", got="x", expected="y")):
        assert error.status == 503
        assert "I" in error.message


def test_values_are_shown_short_and_on_one_line() -> None:
    assert shown("proctor") == '"proctor"'
    assert shown(None) == "nothing"
    assert shown(True) == "True"  # noqa: FBT003 - the value is what is shown
    assert shown([1, 2]) == "a list of 2"
    assert shown({"a": 1}) == "an object"
    assert shown("a\nb") == "text with control characters"
    assert len(shown("x" * 1000)) < 130
    assert shown(b"x") == "bytes"


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none()))
def test_anything_can_be_shown(value: object) -> None:
    text = shown(value)
    assert len(text) < 130
    assert text.isprintable()
