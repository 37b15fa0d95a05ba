"""The console's address."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from proctor.errors import ConfigurationError
from proctor.runtime.health import Health, Metrics, listen
from proctor.settings import ConsoleSettings, ServerTlsSettings
from proctor.units import Address

LOOPBACK = Address(host="127.0.0.1", port=0)


def drive(
    use: Callable[[httpx.AsyncClient, list[str]], Awaitable[None]], address: Address = LOOPBACK
) -> None:
    async def main() -> None:
        missing = ["listeners"]
        health = Health(
            ConsoleSettings(listen=address), Metrics(["claude"]), lacking=lambda: missing
        )
        place = await health.start()
        try:
            async with httpx.AsyncClient(
                base_url=f"http://{place}", trust_env=False, timeout=30
            ) as client:
                await use(client, missing)
        finally:
            await health.stop()
            await health.stop()

    asyncio.run(main())


def test_healthz() -> None:
    async def use(client: httpx.AsyncClient, _: list[str]) -> None:
        answer = await client.get("/healthz")
        assert answer.status_code == 200
        assert answer.json()["service"] == "proctor"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
        assert (await client.head("/healthz")).status_code == 200

    drive(use)


def test_readyz_says_what_is_missing() -> None:
    async def use(client: httpx.AsyncClient, missing: list[str]) -> None:
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"ready": False, "missing": ["listeners"]}
        missing.clear()
        answer = await client.get("/readyz")
        assert answer.status_code == 200
        assert answer.json() == {"ready": True, "missing": []}

    drive(use)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "text/plain"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
    ],
)
def test_metrics(accept: str, content_type: str) -> None:
    async def use(client: httpx.AsyncClient, _: list[str]) -> None:
        answer = await client.get("/metrics", headers={"accept": accept})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(content_type)
        assert 'proctor_exchanges_total{listener="claude",verdict="allow"} 0.0' in answer.text

    drive(use)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("POST", "/metrics", 405), ("GET", "/healthz/x", 404)],
)
def test_nothing_else_is_there(method: str, path: str, status: int) -> None:
    async def use(client: httpx.AsyncClient, _: list[str]) -> None:
        assert (await client.request(method, path)).status_code == status

    drive(use)


def test_a_head_that_never_ends_is_refused() -> None:
    async def use(client: httpx.AsyncClient, _: list[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        writer.write(b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000)
        assert b" 400 " in await asyncio.wait_for(reader.read(1000), 30)
        writer.close()

    drive(use)


def test_ipv6() -> None:
    async def use(client: httpx.AsyncClient, _: list[str]) -> None:
        assert (await client.get("/healthz")).status_code == 200

    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    drive(use, Address(host="::1", port=0))


def test_signals_stay_with_the_host() -> None:
    async def use(client: httpx.AsyncClient, _: list[str]) -> None:
        await client.get("/healthz")
        assert signal.getsignal(signal.SIGTERM) == before

    before = signal.getsignal(signal.SIGTERM)
    drive(use)


def test_an_address_that_is_taken() -> None:
    with listen(LOOPBACK) as holder:
        taken = Address(host="127.0.0.1", port=holder.getsockname()[1])
        health = Health(ConsoleSettings(listen=taken), Metrics([]), lacking=list)
        with pytest.raises(ConfigurationError) as caught:
            asyncio.run(health.start())
    assert caught.value.code == "address-unusable"
    assert str(taken) in str(caught.value)


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(ConfigurationError, match="cannot listen on"):
        listen(Address(host="192.0.2.1", port=0))  # RFC 5737


def test_tls_files_that_do_not_fit(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("no PEM")
    tls = ServerTlsSettings(cert=tmp_path / "cert.pem", key=tmp_path / "key.pem")
    health = Health(ConsoleSettings(listen=LOOPBACK, tls=tls), Metrics([]), lacking=list)
    with pytest.raises(ConfigurationError, match="TLS files cannot be used"):
        asyncio.run(health.start())
