"""Findings in words."""

import pytest

from proctor.leaving.watch import ENCODED, JOINED, KNOWN, PIECES
from proctor.leaving.words import explain
from proctor.redaction.recognizers.canaries import DETECTOR


@pytest.mark.parametrize("detector", [KNOWN, PIECES, JOINED, f"{ENCODED}base32", f"{DETECTOR}cn_1"])
def test_each_sign_has_words(detector: str) -> None:
    assert explain(detector)


def test_others_have_none() -> None:
    assert not explain("betterleaks:github-pat")
    assert "base32 in pieces" in explain(f"{ENCODED}base32-in-pieces")
    assert "cn_1" in explain(f"{DETECTOR}cn_1")
