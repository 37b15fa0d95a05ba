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
        "fo1_" + noise(_rng, 43),
        "LTAI5t" + noise(_rng, 18),
        "AKID7" + noise(_rng, 31),
        "ABSK" + noise(_rng, 96),
        noise(_rng, 76) + "AZDO" + noise(_rng, 4),
        "4b1dX" + noise(_rng, 37),
        "AQ.Ab8RN6" + noise(_rng, 44),
        "access_token$production$" + noise(_rng, 16, HEX) + "$" + noise(_rng, 32, HEX),
        f"{noise(_rng, 32, HEX)}-{noise(_rng, 8, HEX)}-{noise(_rng, 8, HEX)}",
        "2/1234567890123456/6543210987654321:" + noise(_rng, 32, HEX),
        "sdk-0b1f2a3c-4d5e-4f70-8192-" + noise(_rng, 12, HEX),
        "dp.st.prd." + noise(_rng, 43),
        "fw_3Z" + noise(_rng, 22),
        "cio7" + noise(_rng, 31),
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
        "4b1d3c5e7f90a1b2c3d4e5f60718293a4b5c6d7e8f",
        "fw_update_firmware_images",
        "ciorganizationsettingsandpermissions",
        "2/1234567890123456/6543210987654321",
        "sdk-0b1f2a3c",
        noise(_rng, 75) + "AZDO" + noise(_rng, 4),
        "LTAIfunctionalspecification",
    ],
)
def test_other_names(text: str) -> None:
    assert values(SHAPES, text) == []
