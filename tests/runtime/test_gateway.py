"""One gateway, started and stopped without listeners."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from proctor.errors import ConfigurationError, InternalError
from proctor.runtime.gateway import Gateway
from proctor.runtime.launcher import load_gateway
from proctor.stages import suite
from proctor.stages.exchange import Exchange
from tests.support.envelopes import until
from tests.support.houses import house
from tests.support.installation import CACHE

RULES = "rules:\n  - {id: all, on: llm.request, then: allow}\n"
MORE = f"console: {{listen: 127.0.0.1:0}}\nlimits: {{drain: 1s}}\nredaction: {{cache: {CACHE}}}\n"


def run(folder: Path, work: Callable[[Gateway], Awaitable[None]], more: str = MORE) -> Gateway:
    config = house(folder, RULES, more)
    config.chmod(0o600)
    gateway = load_gateway(config)

    async def main() -> None:
        try:
            await gateway.start()
            await work(gateway)
        finally:
            await gateway.stop()

    asyncio.run(main())
    return gateway


async def _missing(gateway: Gateway) -> list[str]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.get(f"http://{gateway.console}/readyz")
    missing: list[str] = answer.json()["missing"]
    assert answer.status_code == (503 if missing else 200)
    return missing


def test_it_is_ready_only_while_it_takes_traffic(tmp_path: Path) -> None:
    async def work(gateway: Gateway) -> None:
        assert gateway.started
        assert await _missing(gateway) == ["listeners"]
        gateway.opened({"claude": "127.0.0.1:1"})
        assert gateway.suite.accepting
        assert await _missing(gateway) == []
        gateway.shut()
        assert await _missing(gateway) == ["listeners"]
        # What has happened so far has gone to those who follow the record.
        await until(lambda: target.exists() and '"action":"start"' in target.read_text())
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            figures = (await client.get(f"http://{gateway.console}/metrics")).text
        assert 'proctor_export_lag_records{export="siem"}' in figures

    target = tmp_path / "siem.ndjson"
    exports = f"exports: [{{name: siem, to: 'file://{target}'}}]\n"
    gateway = run(tmp_path, work, MORE + exports)
    assert not gateway.suite.accepting
    kinds = {
        line["action"]: line["data"] for line in map(json.loads, target.read_text().splitlines())
    }
    assert kinds["start"]["detail"]["exports"] == {"siem": str(target)}


def test_nothing_is_there_before_the_start(tmp_path: Path) -> None:
    gateway = load_gateway(house(tmp_path, RULES, MORE))
    assert not gateway.started
    gateway.shut()
    with pytest.raises(InternalError):
        _ = gateway.suite


def test_a_chain_without_exit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "ORDER", suite.ORDER[:-1])

    async def work(_gateway: Gateway) -> None:
        raise AssertionError("it has started")

    with pytest.raises(ConfigurationError) as raised:
        run(tmp_path, work)
    assert raised.value.code == "exit-missing"


def test_draining_waits_for_what_is_open_and_no_longer_than_it_may(tmp_path: Path) -> None:
    async def work(gateway: Gateway) -> None:
        gateway.opened({})
        gateway.suite._exchanges["open"] = Exchange(listener="claude")
        before = asyncio.get_running_loop().time()
        await gateway.settle()
        assert 0.9 < asyncio.get_running_loop().time() - before < 5
        assert not gateway.suite.accepting
        gateway.suite._exchanges.clear()
        await gateway.settle()

    run(tmp_path, work)
