"""Betterleaks, with its safeguards."""

import functools
from typing import Any

import pytest
from betterleaks import BetterleaksError

from proctor.redaction.model import API_KEY, PASSWORD, PRIVATE_KEY, SECRET, RedactionError
from proctor.redaction.recognizers import betterleaks
from proctor.redaction.recognizers.betterleaks import BetterleaksRecognizer, chunks, entity

TOKEN = "ghp" + "_" + "fCq7rTz1mk2EIjQYcV946cXrxnHLftZ8afG3"


@functools.cache
def recognizer() -> BetterleaksRecognizer:
    return BetterleaksRecognizer()


def found(text: str) -> list[str]:
    return [text[result.start : result.end] for result in recognizer().analyze(text, [], None)]


@pytest.mark.parametrize(
    "text",
    [
        f"a\0b {TOKEN}",
        f"{TOKEN} # gitleaks:allow",
        f"{TOKEN} # BetterLeaks:Allow",
        f"{TOKEN} \ud800 gitleaks:allow",
        f"é\r\n\tü {TOKEN}",
        f"x\n\n{TOKEN}\n",
    ],
    ids=["nul", "allowed", "allowed-capital", "half", "columns", "lines"],
)
def test_nothing_hides_a_token(text: str) -> None:
    assert found(text) == [TOKEN]


def test_both_parts_of_an_aws_pair() -> None:
    key, secret = "AKIA" + "J2KH3LHTAD5CRZM7", "CfpsjusWFIqjV4j5DoiAV+M6m13C" + "yA4VwvMYfi78"

    assert set(found(f"aws_access_key_id = {key}\naws_secret_access_key = {secret}\n")) == {
        key,
        secret,
    }


def test_every_occurrence_is_found() -> None:
    assert found(f"{TOKEN}\n{TOKEN} {TOKEN}\n") == [TOKEN] * 3


@pytest.mark.parametrize("filler", ["x = 1\n", "x" * 97 + " ", "é" * 50 + "\n"])
def test_nothing_is_lost_at_a_seam(filler: str) -> None:
    for shift in range(0, 3000, 373):
        before = (filler * 4000)[: betterleaks._CHUNK - 1500 + shift]
        assert TOKEN in found(f"{before} {TOKEN} {filler * 10}")


@pytest.mark.parametrize("text", ["", "a", "a\n" * 70_000, "a" * 90_000, "\n" * 60_000])
def test_chunks_cover_the_text(text: str) -> None:
    end = 0
    for start, chunk in chunks(text):
        assert start <= end
        assert text[start : start + len(chunk)] == chunk
        assert len(chunk) <= betterleaks._CHUNK
        end = max(end, start + len(chunk))

    assert end == len(text)


@pytest.mark.parametrize(
    ("rule", "type_"),
    [
        ("private-key", PRIVATE_KEY),
        ("age-secret-key", PRIVATE_KEY),
        ("generic-password", PASSWORD),
        ("generic-credential-uri", PASSWORD),
        ("generic-api-key", SECRET),
        ("github-pat", API_KEY),
    ],
)
def test_types_by_rule(rule: str, type_: str) -> None:
    assert entity(rule) == type_


def test_documented_examples_are_nothing() -> None:
    assert found('api_key = "YOUR_API_KEY_HERE_1234"') == []
    assert found("password=<PASSWORD:bcdfghjklmnpqrst>") == []


class _Binding:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def scan_string(self, text: str) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


FAR = {
    "rule_id": "x",
    "match": {"value": "nowhere-to-be-found", "full": "nowhere-to-be-found"},
    "location": {"start_line": 1, "start_column": 1},
}


@pytest.mark.parametrize(
    "answer",
    [BetterleaksError("quotes s3cret-text"), {"data": [FAR]}, {"success": False}],
    ids=["error", "not-there", "no-data"],
)
def test_what_fails_is_an_error_without_the_text(
    answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = BetterleaksRecognizer(gated=False)
    monkeypatch.setattr(one, "_binding", _Binding(answer))

    with pytest.raises(RedactionError) as caught:
        one.analyze("s3cret-text", [], None)

    assert caught.value.code == "redaction-detector"
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
