"""Tokens that say what they are."""

import random

import pytest

from proctor.redaction.recognizers.tokens import SHAPES
from tests.redaction.recognizers.kinds import HEX, noise
from tests.redaction.recognizers.shaped import values

_rng = random.Random(6)  # noqa: S311 - test data
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@pytest.mark.parametrize(
    "token",
    [
        "acme_live_" + noise(_rng, 28),
        "zeta_pat_" + noise(_rng, 36),
        "sk-proj-" + noise(_rng, 48),
        "sk-ant-api03-" + noise(_rng, 90),
        "AKIA" + noise(_rng, 16, BASE32),
        "AIza" + noise(_rng, 35),
        "SG." + noise(_rng, 22) + "." + noise(_rng, 43),
        "re_" + noise(_rng, 8) + "_" + noise(_rng, 24),
        noise(_rng, 32, HEX) + "-us12",
        "dapi" + noise(_rng, 32, HEX),
        noise(_rng, 10, "123456789") + ":AA" + noise(_rng, 33),
        "aB3" + "8Q~" + noise(_rng, 34),
        "eyJ" + noise(_rng, 30) + ".eyJ" + noise(_rng, 60) + "." + noise(_rng, 43),
    ],
)
@pytest.mark.parametrize("text", ["@@", "x = '@@';", "(@@)", "é @@\n"])
def test_tokens(token: str, text: str) -> None:
    whole = text.replace("@@", token)
    start = whole.index(token)

    assert token in values(SHAPES, whole)
    assert whole.index(token) == start


@pytest.mark.parametrize(
    "text",
    [
        "msg_01" + noise(_rng, 22),
        "toolu_01" + noise(_rng, 22),
        "chatcmpl-" + noise(_rng, 29),
        "pk_live_" + noise(_rng, 24),
        "cus_" + noise(_rng, 14),
        "test_find_module_in_package_with_a_long_name_2",
        "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx",
        "AKIAIOSFODNN7" + "EXAMPLE",
        "0b1f2a3c4d5e6f708192a3b4c5d6e7f8091a2b3c",
    ],
)
def test_other_names(text: str) -> None:
    assert values(SHAPES, text) == []
