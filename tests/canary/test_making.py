"""Values that look real and cannot be."""

import re
import zlib

import pytest

from proctor.canary.making import KINDS

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_are_alike(kind: str) -> None:
    assert len({KINDS[kind]() for _ in range(50)}) == 50


def test_none_is_valid() -> None:
    for _ in range(100):
        key = KINDS["aws"]()
        assert re.fullmatch("AKIA[A-Z0-9]{16}", key)
        assert re.search("[0189]", key)
        token = KINDS["github"]().removeprefix("ghp_")
        number = sum(_BASE62.index(sign) * 62**at for at, sign in enumerate(token[30:]))
        assert number != zlib.crc32(token[:30].encode())
        assert not KINDS["anthropic"]().endswith("AA")
        assert KINDS["email"]().endswith("@example.com")
