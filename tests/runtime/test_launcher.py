"""The master around a gateway: our chain and nothing else, and clear words where it cannot be."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proctor.errors import ConfigurationError
from proctor.runtime.launcher import load_gateway, make_master
from proctor.settings import Limits
from tests.support.houses import house

RULES = "rules:\n  - {id: all, on: llm.request, then: allow}\n"


def gateway(state: Path, *ports: int) -> Any:
    listeners = [
        SimpleNamespace(name=f"n{i}", listen=SimpleNamespace(host="127.0.0.1", port=port))
        for i, port in enumerate(ports)
    ]
    config = SimpleNamespace(listeners=listeners, limits=Limits(), state=state)
    return SimpleNamespace(config=config, listener_names=[each.name for each in listeners])


async def _make(*arguments: Any) -> Any:
    return make_master(*arguments)


def test_the_sidecar_s_chain_is_short_and_ends_with_ours(tmp_path: Path) -> None:
    master = asyncio.run(_make(gateway(tmp_path, 0)))
    names = [type(addon).__name__ for addon in master.addons.chain]
    assert names == ["Core", "Proxyserver", "ErrorCheck", "Wall", "ProctorAddon", "Commands"]
    assert master.options.mode == ["proctor:n0@127.0.0.1:0"]
    assert master.options.connection_strategy == "lazy"


def test_the_web_view_opens_no_browser_and_logs_to_no_terminal(tmp_path: Path) -> None:
    master = asyncio.run(_make(gateway(tmp_path, 0), "web", 18081))
    assert master.options.web_port == 18081
    assert not master.options.web_open_browser
    assert master._termlog_addon is None
    assert master.addons.get("proctor_wall")
    assert "token=" in master.web_url


def test_listeners_that_mitmproxy_does_not_take(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        asyncio.run(_make(gateway(tmp_path, 1, 1)))
    assert raised.value.code == "start-failed"
    assert "same address" in str(raised.value)


def test_loading_says_what_is_wrong(tmp_path: Path) -> None:
    assert load_gateway(house(tmp_path, RULES)).listener_names == ["claude"]
    with pytest.raises(ConfigurationError):
        load_gateway(tmp_path / "nowhere.yaml")
