"""What can be wrong between an installation and those it needs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from proctor.credentials.settings import OAuthSettings
from proctor.fields import SecretSource
from proctor.identity.fetch import HttpFetch
from proctor.runtime import reach
from proctor.runtime.checkup import Finding, State
from proctor.runtime.health import Health, Metrics, listen
from proctor.runtime.reach import look_around
from proctor.settings import (
    Config,
    ConsoleSettings,
    Introspection,
    IssuerSettings,
    Listener,
)
from proctor.testing.issuer import CLIENT_ID, CLIENT_SECRET, Failure, StandInIssuer
from proctor.units import Address
from tests.support.authserver import AuthServer

NOWHERE = Address(host="127.0.0.1", port=0)


def listener(upstream: str = "http://127.0.0.1:9", **more: Any) -> Listener:
    return Listener.model_validate(
        {
            "name": "claude",
            "kind": "reverse",
            "listen": NOWHERE,
            "upstream": upstream,
            "speaks": "http",
            **more,
        }
    )


def config(issuer: str = "local", **more: Any) -> Config:
    return Config.model_validate(
        {
            "schema_version": 1,
            "listeners": (listener(),),
            "identity": {"issuers": ({"issuer": issuer, "audience": "proctor"},)},
            "console": {"listen": NOWHERE},
            **more,
        }
    )


def ask(work: Callable[[HttpFetch], Awaitable[Finding]]) -> Finding:
    async def main() -> Finding:
        fetch = HttpFetch(total=2, step=1)
        try:
            return await work(fetch)
        finally:
            await fetch.close()

    return asyncio.run(main())


def settings(url: str, **more: Any) -> IssuerSettings:
    return IssuerSettings(issuer=url, audience="proctor", **more)


def test_an_issuer_answers() -> None:
    with StandInIssuer() as issuer:
        finding = ask(lambda fetch: reach.issuer_keys(settings(issuer.url), fetch))
    assert finding.state is State.OK
    assert "1 keys" in finding.what


@pytest.mark.parametrize("failure", [Failure.STATUS, Failure.GARBAGE, Failure.REDIRECT])
def test_an_issuer_fails(failure: Failure) -> None:
    with StandInIssuer() as issuer:
        issuer.failure = failure
        finding = ask(lambda fetch: reach.issuer_keys(settings(issuer.url), fetch))
    assert finding.state is State.FAIL


@pytest.mark.parametrize("endpoint", [None, "https://idp.internal/introspect"])
def test_an_issuer_that_is_asked_about_tokens(endpoint: str | None) -> None:
    asked = Introspection(
        endpoint=endpoint, client_id="proctor", client_secret=SecretSource(env="S")
    )
    with StandInIssuer() as issuer:
        finding = ask(
            lambda fetch: reach.issuer_keys(settings(issuer.url, introspection=asked), fetch)
        )
    assert finding.state is State.OK


@pytest.mark.parametrize(
    ("seconds", "state"), [(0, State.OK), (30, State.WARN), (-30, State.WARN), (90, State.FAIL)]
)
def test_clocks(seconds: float, state: State) -> None:
    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=seconds)

    with StandInIssuer() as issuer:
        finding = asyncio.run(reach.clock_skew(settings(issuer.url), now))
    assert finding.state is state


def test_a_clock_that_is_not_told() -> None:
    with listen(NOWHERE) as holder:
        url = f"http://127.0.0.1:{holder.getsockname()[1]}"
    finding = asyncio.run(reach.clock_skew(settings(url), lambda: datetime.now(UTC)))
    assert finding.state is State.WARN


@pytest.mark.parametrize(
    ("environment", "running", "state"),
    [
        ({"KEY": "Zx9vT71q"}, None, State.OK),
        ({"KEY": "Zx9"}, None, State.WARN),
        ({}, None, State.FAIL),
        ({}, "", State.OK),
    ],
)
def test_credentials(environment: dict[str, str], running: str | None, state: State) -> None:
    source = SecretSource(env="KEY")
    finding = asyncio.run(reach.credential(source, "a", environment, running=running))
    assert finding.state is state
    assert "Zx9" not in repr(finding)


@pytest.mark.parametrize(
    ("change", "environment", "running", "state", "words"),
    [
        ({}, {"S": CLIENT_SECRET}, None, State.OK, "gives one, good for 90 s"),
        ({}, {"S": "Zx9"}, None, State.FAIL, "status 401, invalid_client"),
        ({}, {}, None, State.FAIL, "no environment variable S"),
        ({}, {}, "", State.OK, "The running proctor asks"),
        ({"grant": "token_exchange"}, {}, None, State.OK, "which is not at hand"),
    ],
)
def test_tokens(
    change: dict[str, str],
    environment: dict[str, str],
    running: str | None,
    state: State,
    words: str,
) -> None:
    def look(url: str) -> Callable[[HttpFetch], Awaitable[Finding]]:
        plain = {"token_endpoint": url, "client_id": CLIENT_ID, "client_secret": {"env": "S"}}
        return lambda fetch: reach.has_token(
            "a",
            OAuthSettings.model_validate(plain | change),
            fetch,
            environment=environment,
            now=lambda: datetime.now(UTC),
            running=running,
        )

    with AuthServer() as server:
        finding = ask(look(server.url))
    assert finding.state is state
    assert words in finding.what
    assert not any(secret in repr(finding) for secret in (CLIENT_SECRET, "Zx9", "t1"))


def test_ports_that_are_free() -> None:
    finding = asyncio.run(reach.ports(config(), running=None))
    assert finding.state is State.OK


def test_ports_that_another_program_holds() -> None:
    with listen(NOWHERE) as holder:
        taken = Address(host="127.0.0.1", port=holder.getsockname()[1])
        finding = asyncio.run(reach.ports(config(console={"listen": taken}), running=None))
    assert finding.state is State.FAIL
    assert str(taken) in finding.what
    assert str(taken.port) in finding.mend


@pytest.mark.parametrize(("missing", "state"), [([], State.OK), (["journal"], State.FAIL)])
def test_ports_that_a_running_proctor_holds(missing: list[str], state: State) -> None:
    async def main() -> tuple[str | None, Finding]:
        health = Health(ConsoleSettings(listen=NOWHERE), Metrics([]), lacking=lambda: missing)
        _, _, port = (await health.start()).rpartition(":")
        try:
            here = ConsoleSettings(listen=Address(host="127.0.0.1", port=int(port)))
            running = await reach.ask_console(here)
            return running, await reach.ports(config(), running=running)
        finally:
            await health.stop()

    running, finding = asyncio.run(main())
    assert running == ", ".join(missing)
    assert finding.state is state


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]", b"SSH-2.0-x\r\n", b""]
)
def test_another_program_on_the_console(answer: bytes) -> None:
    async def main() -> str | None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            address = Address(host="0.0.0.0", port=port)  # noqa: S104 - asked, not bound
            return await reach.ask_console(ConsoleSettings(listen=address, plaintext=True))

    assert asyncio.run(main()) is None


def test_all_at_once() -> None:
    async def main() -> list[Finding]:
        fetch = HttpFetch(total=2, step=1)
        try:
            return await look_around(
                config(issuer.url), fetch=fetch, environment={}, now=lambda: datetime.now(UTC)
            )
        finally:
            await fetch.close()

    with StandInIssuer() as issuer:
        found = asyncio.run(main())
    assert [item.check for item in found] == [
        *("running", f"issuer {issuer.url}", f"clock {issuer.url}", "upstream claude")
    ]
