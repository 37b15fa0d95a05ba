"""Passes for what the gateway sends itself."""

import asyncio

import pytest

from proctor.errors import AuthenticationError
from proctor.model import Principal
from proctor.replay.passes import Passes
from tests.support.parts import ALICE, BOB


class Other:
    """Knows one token of bob's."""

    def recall(self, token: str) -> Principal | None:
        return BOB if token == "bobs" else None

    async def authenticate(self, token: str) -> Principal:
        if found := self.recall(token):
            return found
        raise AuthenticationError("token-malformed", "It proves nothing")


def test_a_pass_is_good_while_it_is_issued() -> None:
    async def main() -> None:
        passes = Passes(Other())
        with passes.issued(ALICE) as token, passes.issued(BOB) as second:
            assert token != second
            assert passes.recall(token) is await passes.authenticate(token) is ALICE
            assert passes.recall(second) is BOB
            for wrong in (token[:-1], token + "x", "proctor-replay.", ""):
                assert passes.recall(wrong) is None
        assert passes.recall(token) is None
        with pytest.raises(AuthenticationError):
            await passes.authenticate(token)

    asyncio.run(main())


def test_all_else_is_the_other_s() -> None:
    passes = Passes(Other())
    assert passes.recall("bobs") is BOB
    assert asyncio.run(passes.authenticate("bobs")) is BOB
    assert "proctor-replay." not in repr(passes)


def test_it_ends_with_its_block_whatever_happens() -> None:
    passes = Passes(Other())
    seen: list[str] = []

    def fail() -> None:
        with passes.issued(ALICE) as token:
            seen.append(token)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert passes.recall(seen[0]) is None
