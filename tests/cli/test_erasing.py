"""`proctor record erase` and `hold`: what is asked before, and what of the console."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from proctor.cli import make_app
from tests.support.console import TOKEN, ConsoleStandIn, console_stand_in

APP = make_app(only="record")
HOLD = {
    "name": "a",
    "session": "s\x1b[2J",
    "principal": None,
    "reason": "r",
    "by": "c",
    "at": "2026",
}


@pytest.fixture(scope="module")
def running() -> Iterator[ConsoleStandIn]:
    with console_stand_in() as stand:
        yield stand


@pytest.fixture
def stand(running: ConsoleStandIn, monkeypatch: pytest.MonkeyPatch) -> ConsoleStandIn:
    monkeypatch.setenv("PROCTOR_TOKEN", TOKEN)
    monkeypatch.setenv("PROCTOR_CONSOLE", running.url)
    running.reset()
    running.answers["POST record/erasures"] = {"id": "er_1", "scopes": 2}
    running.answers["POST record/holds"] = HOLD
    running.answers["POST record/holds/release"] = HOLD
    running.answers["GET record/holds"] = {"holds": [HOLD]}
    return running


def run(*args: str, said: str | None = None) -> Result:
    return CliRunner().invoke(APP, ["record", *args], input=said)


def bodies(stand: ConsoleStandIn) -> list[Any]:
    return [asked.body for asked in stand.asked if asked.method == "POST"]


def test_erase_asks_first(stand: ConsoleStandIn) -> None:
    args = ("erase", "--session", "s1", "--reason", "She asked.")
    assert run(*args, said="n\n").exit_code == 1
    assert bodies(stand) == []
    done = run(*args, said="y\n")
    assert (done.exit_code, "2 runs" in done.output) == (0, True)
    assert run(*args, "--principal", "i#a", "--yes").exit_code == 0
    assert bodies(stand) == [
        {"session": "s1", "reason": "She asked."},
        {"session": "s1", "principal": "i#a", "reason": "She asked."},
    ]


@pytest.mark.parametrize(
    "args",
    [
        ("erase", "--reason", "r"),
        ("erase", "--session", "s", "--yes"),
        ("hold", "add", "a", "--reason", "r"),
        ("hold", "add", "a", "--all", "--session", "s", "--reason", "r"),
        ("hold", "add", "a", "--all"),
        ("hold", "release", "a"),
    ],
)
def test_what_is_not_clear_is_not_asked(stand: ConsoleStandIn, args: tuple[str, ...]) -> None:
    assert run(*args).exit_code == 2
    assert stand.asked == []


def test_holds(stand: ConsoleStandIn) -> None:
    assert run("hold", "add", "a", "--all", "--reason", "r").exit_code == 0
    assert run("hold", "release", "a", "--reason", "over").exit_code == 0
    assert [each["name"] for each in bodies(stand)] == ["a", "a"]
    listed = run("hold", "list", "--format", "json")
    assert json.loads(listed.stdout)[0]["name"] == "a"
    assert "\x1b" not in run("hold", "list", "--format", "table").stdout
    stand.answers["GET record/holds"] = {"holds": []}
    assert "Nothing is held." in run("hold", "list").output
