"""Tokens, kept while they hold."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from mitmproxy import http

from proctor.credentials.injection import Injection
from proctor.credentials.oauth import Token, TokenEndpoint
from proctor.credentials.settings import OAuthSettings
from proctor.credentials.tokens import MAX_TOKENS, RETRY, YOUNG, Tokens
from proctor.errors import ConfigurationError, InternalError, UpstreamError

NEVER = 1e9


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Endpoint:
    """Gives t1, t2, …, each good for 100 s, as soon as `gate` is open; or raises `error`."""

    def __init__(self, clock: Clock, grant: str) -> None:
        self.name = "crm"
        self.settings = OAuthSettings.model_validate(
            {
                "token_endpoint": "https://idp/token",
                "client_id": "proctor",
                "client_secret": {"env": "S"},
                "grant": grant,
            }
        )
        self.asked: list[str | None] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self._clock = clock

    async def ask(self, subject_token: str | None = None) -> Token:
        self.asked.append(subject_token)
        count = len(self.asked)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        now = self._clock()
        return Token(value=f"t{count}", expires_at=now + 100, got_at=now)


type Use = Callable[[Tokens, Endpoint, Clock], Awaitable[None]]


def drive(use: Use, grant: str = "client_credentials") -> None:
    async def main() -> None:
        clock = Clock()
        endpoint = Endpoint(clock, grant)
        tokens = Tokens(cast("TokenEndpoint", endpoint), clock=clock)
        try:
            await use(tokens, endpoint, clock)
        finally:
            await tokens.close()

    asyncio.run(main())


def shown(injection: Injection | None) -> str | None:
    if injection is None:
        return None
    request = http.Request.make("GET", "https://h/")
    injection.apply(request)
    return str(request.headers["authorization"]).removeprefix("Bearer ")


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def refusal() -> UpstreamError:
    return UpstreamError("token-refused", "no")


def test_one_token_for_all() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, clock: Clock) -> None:
        assert tokens.ready("alice", "x") is None
        assert endpoint.asked == []
        assert shown(await tokens.fetch("alice", "x", NEVER)) == "t1"
        assert shown(await tokens.fetch("bob", None, 0)) == "t1"
        assert tokens.ready("carol", "y") is tokens.ready("alice", None)
        assert endpoint.asked == [None]
        clock.now += 100
        assert tokens.ready("alice", "x") is None
        assert shown(await tokens.fetch("alice", "x", NEVER)) == "t2"

    drive(use)


def test_an_exchange_for_each_caller() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, _: Clock) -> None:
        assert shown(await tokens.fetch("alice", "a", NEVER)) == "t1"
        assert shown(await tokens.fetch("bob", "b", NEVER)) == "t2"
        assert shown(await tokens.fetch("alice", "a2", NEVER)) == "t3"
        # Nobody is given what was got for another, even should both show the same token.
        assert tokens.ready("bob", "a") is None
        assert shown(tokens.ready("alice", "a")) == "t1"
        assert endpoint.asked == ["a", "b", "a2"]
        for missing in (None, ""):
            assert tokens.ready("alice", missing) is None
            with pytest.raises(InternalError) as caught:
                await tokens.fetch("alice", missing, NEVER)
            assert caught.value.code == "credential-unavailable"
        assert len(endpoint.asked) == 3

    drive(use, "token_exchange")


def test_no_token_outlives_the_one_it_was_got_for() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, clock: Clock) -> None:
        await tokens.fetch("alice", "a", clock.now + 30)
        clock.now += 29
        assert shown(tokens.ready("alice", "a")) == "t1"
        clock.now += 1
        assert tokens.ready("alice", "a") is None
        # Its issuer's leeway may still let it in: then it is exchanged each time.
        assert shown(await tokens.fetch("alice", "a", clock.now)) == "t2"
        assert tokens.ready("alice", "a") is None
        assert endpoint.asked == ["a", "a"]

    drive(use, "token_exchange")


def test_all_wait_for_one_question() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, _: Clock) -> None:
        endpoint.gate.clear()
        waiting = [asyncio.ensure_future(tokens.fetch("alice", "a", NEVER)) for _ in range(5)]
        await settle()
        waiting.pop().cancel()  # who goes takes nothing from the others
        endpoint.gate.set()
        found = await asyncio.gather(*waiting)
        assert [shown(each) for each in found] == ["t1"] * 4
        assert endpoint.asked == ["a"]

    drive(use, "token_exchange")


@pytest.mark.parametrize("grant", ["client_credentials", "token_exchange"])
def test_a_token_is_asked_for_again_before_it_ends(grant: str) -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, clock: Clock) -> None:
        await tokens.fetch("alice", "a", clock.now + 150)
        clock.now += 79
        tokens.ready("alice", "a")
        await settle()
        assert len(endpoint.asked) == 1
        clock.now += 1  # a fifth of its life is left
        assert shown(tokens.ready("alice", "a")) == "t1"
        assert shown(tokens.ready("alice", "a")) == "t1"
        await settle()
        assert shown(tokens.ready("alice", "a")) == "t2"
        assert len(endpoint.asked) == 2
        clock.now += 70
        assert (tokens.ready("alice", "a") is None) == (grant == "token_exchange")

    drive(use, grant)


def test_one_token_is_kept_fresh_with_nobody_asking() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, clock: Clock) -> None:
        tokens.keep()
        await settle()
        assert shown(tokens.ready("alice", "a")) == "t1"
        tokens.keep()
        await settle()
        assert len(endpoint.asked) == 1
        clock.now += 80
        tokens.keep()
        await settle()
        assert shown(tokens.ready("alice", "a")) == "t2"

    drive(use)


def test_what_has_ended_is_forgotten() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, clock: Clock) -> None:
        await tokens.fetch("alice", "a", clock.now + 10)
        await tokens.fetch("bob", "b", NEVER)
        clock.now += 10
        tokens.keep()
        await settle()
        assert [entry.got_at for entry in tokens._kept.values()] == [1000.0]
        assert len(tokens._kept) == 1
        assert len(endpoint.asked) == 2  # exchanges are not asked for unasked

    drive(use, "token_exchange")


def test_a_failure_is_the_answer_for_a_second(caplog: pytest.LogCaptureFixture) -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, clock: Clock) -> None:
        endpoint.error = refusal()
        for _ in range(3):
            with pytest.raises(UpstreamError) as caught:
                await tokens.fetch("alice", "a", NEVER)
            assert caught.value is not endpoint.error  # each with a traceback of its own
        assert len(endpoint.asked) == 1
        endpoint.error = None
        clock.now += 1
        assert shown(await tokens.fetch("alice", "a", NEVER)) == "t2"

    with caplog.at_level(logging.WARNING):
        drive(use)
    assert [record.__dict__["event"] for record in caplog.records] == ["token.failed"]


def test_a_failure_for_one_is_none_for_another() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, _: Clock) -> None:
        endpoint.error = refusal()
        with pytest.raises(UpstreamError):
            await tokens.fetch("alice", "a", NEVER)
        endpoint.error = None
        assert shown(await tokens.fetch("bob", "b", NEVER)) == "t2"

    drive(use, "token_exchange")


def test_a_token_that_holds_stays_while_the_server_fails() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, clock: Clock) -> None:
        await tokens.fetch("alice", "a", NEVER)
        endpoint.error = refusal()
        clock.now += 80
        for _ in range(3):
            assert shown(tokens.ready("alice", "a")) == "t1"
            tokens.keep()
            await settle()
        assert len(endpoint.asked) == 2
        clock.now += RETRY
        assert shown(tokens.ready("alice", "a")) == "t1"
        await settle()
        assert len(endpoint.asked) == 3
        clock.now += 100
        with pytest.raises(UpstreamError):
            await tokens.fetch("alice", "a", NEVER)

    drive(use)


def test_proctor_s_own_trouble_is_no_fault_of_the_server() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, _: Clock) -> None:
        endpoint.error = ConfigurationError("secret-missing", "There is no value", got="Zx9")
        with pytest.raises(InternalError) as caught:
            await tokens.fetch("alice", "a", NEVER)
        assert caught.value.code == "credential-unavailable"
        assert caught.value.got == "There is no value"

    drive(use)


def test_a_fault_of_ours_surfaces() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, _: Clock) -> None:
        endpoint.error = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError):
            await tokens.fetch("alice", "a", NEVER)

    drive(use)


def test_who_waits_when_all_ends_is_told() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, _: Clock) -> None:
        endpoint.gate.clear()
        waiting = asyncio.ensure_future(tokens.fetch("alice", "a", NEVER))
        await settle()
        await tokens.close()
        with pytest.raises(InternalError):
            await waiting

    drive(use)


@pytest.mark.parametrize("grant", ["client_credentials", "token_exchange"])
def test_a_token_that_the_upstream_refuses_is_dropped_once(grant: str) -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, clock: Clock) -> None:
        tokens.rejected("alice", "a")
        tokens.rejected("alice", None)
        await tokens.fetch("alice", "a", NEVER)
        tokens.rejected("alice", "a")
        assert shown(tokens.ready("alice", "a")) == "t1"  # young
        clock.now += YOUNG
        tokens.rejected("alice", "a")
        assert tokens.ready("alice", "a") is None
        assert shown(await tokens.fetch("alice", "a", NEVER)) == "t2"
        tokens.rejected("alice", "a")  # late news of the first
        assert shown(tokens.ready("alice", "a")) == "t2"
        assert len(endpoint.asked) == 2

    drive(use, grant)


def test_only_so_many_callers_are_kept() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, _: Clock) -> None:
        for number in range(MAX_TOKENS + 1):
            if number == MAX_TOKENS:
                assert tokens.ready("alice", "0") is not None  # seen last, so it stays
            await tokens.fetch("alice", str(number), NEVER)
        assert tokens.ready("alice", "0") is not None
        assert tokens.ready("alice", "1") is None
        endpoint.error = refusal()
        for number in range(MAX_TOKENS + 10):
            with pytest.raises(UpstreamError):
                await tokens.fetch("bob", str(number), NEVER)
        assert len(tokens._kept) == len(tokens._failed) == MAX_TOKENS

    drive(use, "token_exchange")


def test_only_so_many_wait() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, _: Clock) -> None:
        endpoint.gate.clear()
        waiting = [asyncio.ensure_future(tokens.fetch("a", str(n), NEVER)) for n in range(256)]
        await settle()
        assert len(endpoint.asked) == 16
        with pytest.raises(InternalError, match="Too many"):
            await tokens.fetch("b", "b", NEVER)
        endpoint.gate.set()
        await asyncio.gather(*waiting)
        assert len(endpoint.asked) == 256

    drive(use, "token_exchange")


def test_no_repr_shows_a_token() -> None:
    async def use(tokens: Tokens, endpoint: Endpoint, _: Clock) -> None:
        await tokens.fetch("alice", "Zx9", NEVER)
        assert not any(word in f"{tokens!r} {tokens._kept!r}" for word in ("Zx9", "t1"))
        assert endpoint.asked == ["Zx9"]

    drive(use, "token_exchange")
