"""`proctor canary`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proctor.canary.file import NAME, read
from proctor.canary.making import KINDS
from proctor.cli.canary import canary

RUN = CliRunner()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)

    class Loaded:
        state = folder

    monkeypatch.setattr("proctor.cli.canary.load", lambda _path: Loaded)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_one_is_made_shown_once_listed_and_removed(state: Path, kind: str) -> None:
    made = RUN.invoke(canary, ["new", "--kind", kind, "--note", "old", "--place", "/a"])
    assert made.exit_code == 0, made.output
    value = made.stdout.splitlines()[0]
    [one] = read(state / NAME)
    assert value not in (state / NAME).read_text()
    listed = RUN.invoke(canary, ["list", "--format", "json"])
    assert value not in listed.output
    assert json.loads(listed.stdout)[0]["id"] == one.id
    assert RUN.invoke(canary, ["remove", one.id]).exit_code == 0
    assert read(state / NAME) == ()
    assert RUN.invoke(canary, ["remove", one.id]).exit_code == 1


def test_an_unknown_kind_is_wrong_use(state: Path) -> None:
    assert RUN.invoke(canary, ["new", "--kind", "gold"]).exit_code == 2
    assert not (state / NAME).exists()
