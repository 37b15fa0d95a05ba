"""How messages of a WebSocket look in a terminal."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from proctor.cli.show import show
from tests.support.houses import house
from tests.support.recorded import SESSION, record
from tests.support.talked import ALONE, FLOW, MANY, alone, talked

APP = typer.Typer()
APP.command()(show)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ws")
    record(folder / "recordings", talked, alone)
    return house(folder, "rules: []\n")


def shown(config: Path, *args: str) -> str:
    found = CliRunner().invoke(APP, ["--config", str(config), "--width", "160", *args])
    assert found.exception is None
    return found.stdout


def test_a_session_shows_each_message(config: Path) -> None:
    out = shown(config, SESSION)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    for expected in (
        "ws 1 client → server 03:04:07 · text, 19 B · allow by talk",
        '{"op": "subscribe"}',
        "observed watch would deny: Too chatty.",
        "found in it: API_KEY",
        "content not recorded",
        "refused by no-drop: Nothing is dropped.",
        "line 19",
        "… 640 more characters; --full shows them",
    ):
        assert expected in lines, out
    assert "line 20" not in lines
    assert [line for line in lines if line.startswith("ws 2 client ← server")]
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\x00" not in out


def test_one_websocket_whole(config: Path) -> None:
    assert "line 99" in shown(config, FLOW)
    out = shown(config, ALONE)
    assert out.count("client → server") == MANY // 2


def test_json_has_all_of_it(config: Path) -> None:
    told = json.loads(shown(config, ALONE, "--format", "json"))
    (turn,) = told["turns"]
    assert len(turn["messages"]) == turn["heard"] == MANY
    first = turn["messages"][0]
    assert first["content"]["text"] == "message 1"
    assert (first["direction"], first["held"]) == ("client", [])
