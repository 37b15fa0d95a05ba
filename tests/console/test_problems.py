"""Errors as answers."""

import json

import pytest

from proctor.approval.model import ApprovalError
from proctor.console.problems import problem_json, status_of, unexpected
from proctor.errors import (
    AuthenticationError,
    ClientError,
    ConfigurationError,
    InternalError,
    ProctorError,
    UpstreamError,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ClientError("a", "b"), 400),
        (ClientError("a", "b", status=413), 413),
        (AuthenticationError("a", "b"), 401),
        (ApprovalError("a", "b", status=403), 403),
        (UpstreamError("a", "b", status=503), 503),
        (ConfigurationError("a", "b"), 503),
        (InternalError("a", "b"), 503),
        (ProctorError("a", "b"), 500),
    ],
)
def test_statuses(error: ProctorError, status: int) -> None:
    assert status_of(error) == status
    answer = problem_json(error)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_words_of_others_are_told_whatever_they_are() -> None:
    answer = problem_json(ClientError("code", "half \ud800", got="<b>", expected="ü", hint="\n"))
    found = json.loads(bytes(answer.body))
    assert (found["title"], found["got"], found["hint"]) == ("half \ud800", "<b>", "\n")
    assert found["code"] == "code"


def test_an_accident_says_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    found = unexpected(ValueError("sk-secret"))
    assert "sk-secret" not in str(found)
    assert status_of(found) == 500
    assert caplog.records[0].levelname == "ERROR"
