"""Budgets as proctor.yaml has them."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proctor.budgets.file import NAME
from proctor.budgets.opening import open_budgets
from proctor.config import Config, load
from proctor.errors import ConfigurationError
from tests.support.databases import LISTENER, configuration

NOW = datetime(2026, 3, 2, tzinfo=UTC)
BUDGETS = "budgets: [{name: a, over: day, of: cost, limit: 3}]\n"
PRICES = "prices: [{model: '*', input: 3, output: 15}]\n"


def config(folder: Path, more: str) -> Config:
    return load(configuration(folder, LISTENER, more=f"redaction: {{profile: none}}\n{more}"))


def test_none(tmp_path: Path) -> None:
    assert open_budgets(config(tmp_path, ""), clock=lambda: NOW, report=print) is None
    assert not (tmp_path / ".proctor" / NAME).exists()


def test_some(tmp_path: Path) -> None:
    found = open_budgets(config(tmp_path, BUDGETS + PRICES), clock=lambda: NOW, report=print)
    assert found is not None
    assert [each.budget.name for each in found.standing("i#a", (), None)] == ["a"]
    asyncio.run(found.close())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (BUDGETS, "`prices` is missing"),
        (
            BUDGETS.replace("cost", "sent").replace(
                "}]", "}, {name: a, of: sent, limit: 4, per: session}]"
            ),
            "'a'",
        ),
    ],
)
def test_mistakes(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        config(tmp_path, more)
    assert message in str(raised.value)
    assert raised.value.where.partition(":")[2].isdigit()
