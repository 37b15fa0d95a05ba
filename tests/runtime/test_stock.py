"""What the script hands to stock mitmproxy, hook by hook; tests/e2e/test_stock.py has processes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy import ctx, exceptions, options
from mitmproxy.master import Master

from proctor.runtime import stock
from tests.support.houses import house

RULES = "rules:\n  - {id: all, on: llm.request, then: allow}\n"


@pytest.fixture(autouse=True)
def _no_gateway() -> Iterator[None]:
    stock._gateways.clear()
    yield
    stock._gateways.clear()


async def _set(*paths: Path | str) -> Master:
    master = Master(options.Options())
    master.addons.add(stock.Stock())
    for path in paths:
        master.options.update(**{stock.OPTION: str(path)})
    return master


def test_the_wall_stands_before_anything_is_loaded() -> None:
    assert asyncio.run(_set()).addons.get("proctor_wall")


def test_a_good_file_closes_mitmproxy_s_own_listeners(tmp_path: Path) -> None:
    master = asyncio.run(_set(house(tmp_path, RULES)))
    assert master.options.mode == []
    assert len(stock._gateways) == 1


def test_a_file_that_is_wrong_or_changes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(exceptions.OptionsError, match="proctor_config"):
        asyncio.run(_set(tmp_path / "nowhere.yaml"))
    assert not stock._gateways
    good = house(tmp_path, RULES)
    with pytest.raises(exceptions.OptionsError, match="once at the start"):
        asyncio.run(_set(good, tmp_path / "another.yaml"))


def test_a_script_that_goes_shuts_and_that_comes_back_opens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    suite = SimpleNamespace(accepting=False)
    gateway: Any = SimpleNamespace(started=True, suite=suite, shut=lambda: told.append("shut"))
    stock._gateways["x"] = gateway
    stock.Stock().done()
    assert told == ["shut"]
    monkeypatch.setattr(ctx, "options", SimpleNamespace(**{stock.OPTION: "x"}), raising=False)
    stock.Stock().running()
    assert suite.accepting


def test_a_failed_start_ends_the_process() -> None:
    with pytest.raises(SystemExit) as raised:
        stock.Failed().done()
    assert raised.value.code == 1
