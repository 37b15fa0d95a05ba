"""What an error says, and who is at fault."""

import pickle

import pytest

from proctor import errors


def test_it_says_what_was_got_what_was_expected_and_what_to_do() -> None:
    error = errors.ProctorError("a-code", "It is wrong", got="this", expected="that", hint="Do so.")
    assert str(error) == "It is wrong; got this; expected that. Do so."
    assert str(errors.ProctorError("a-code", "It is wrong")) == "It is wrong"


@pytest.mark.parametrize("end", [".", "!", "?"])
def test_a_sentence_that_has_ended_is_not_ended_again(end: str) -> None:
    error = errors.ProctorError("a-code", f"It is wrong{end}", hint="Do so.")
    assert str(error) == f"It is wrong{end} Do so."


def test_a_configuration_error_says_where() -> None:
    error = errors.ConfigurationError("a-code", "It is wrong", where="proctor.yaml:3")
    assert str(error) == "proctor.yaml:3: It is wrong"
    assert str(errors.ConfigurationError("a-code", "It is wrong")) == "It is wrong"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.ClientError, 400),
        (errors.AuthenticationError, 401),
        (errors.RefusedError, 451),
        (errors.UpstreamError, 502),
        (errors.InternalError, 503),
    ],
)
def test_each_kind_has_its_status(
    kind: type[errors.ClientError | errors.UpstreamError | errors.InternalError], status: int
) -> None:
    error = kind("a-code", "It is wrong")
    assert error.status == status
    assert isinstance(error, errors.ProctorError)


def test_two_alike_are_two() -> None:
    one, two = (errors.ProctorError("a-code", "It is wrong") for _ in range(2))
    assert one != two
    assert {one, two} == {two, one}


def test_it_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(errors.ProctorError("a-code", "It is wrong")))  # noqa: S301 - our own
    assert (error.code, error.message) == ("a-code", "It is wrong")
