"""`proctor novelty`: what is usual, shown, forgotten, made anew."""

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proctor.cli import make_app
from proctor.model import SqlFields
from proctor.novelty.file import NAME, Key, NoveltyFile
from proctor.novelty.settings import NoveltySettings
from proctor.novelty.usual import seen

APP = make_app(only="novelty")
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
CONFIG = """\
schema_version: 1
listeners:
  - name: orders-db
    kind: postgres
    listen: 127.0.0.1:0
    upstream: 127.0.0.1:5432
    upstream_plaintext: true
    credential: orders
identity:
  issuers: [{issuer: local, audience: proctor, groups: groups}]
credentials:
  - {name: orders, user: orders, password: {env: ORDERS_PASSWORD}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "proctor.yaml"
    path.write_text(CONFIG)
    with closing(NoveltyFile(tmp_path / ".proctor" / NAME, NoveltySettings())) as file:
        evil = SqlFields(tables=("public.\x1b[2J",), fingerprint="a1")
        file.add(
            [(Key("local#alice", "local#alice", "orders-db/orders"), seen(evil, (), 3, NOW))], NOW
        )
    return path


def test_it_is_listed(config: Path) -> None:
    said = CliRunner().invoke(APP, ["novelty", "list", "--config", str(config)])
    rows = {each["kind"]: each for each in json.loads(said.stdout)}
    assert rows["statement"] == {
        "person": "local#alice",
        "database": "orders-db/orders",
        "kind": "statement",
        "name": "a1",
        "count": 1,
        "usual_rows": 3.0,
        "most_rows": 3,
        "last": "2026-03-02T09:30:00+00:00",
    }
    table = CliRunner().invoke(
        APP, ["novelty", "list", "local#alice", "--format", "table", "--config", str(config)]
    )
    assert "\x1b[2J" not in table.stdout
    nobody = CliRunner().invoke(APP, ["novelty", "list", "bob", "--config", str(config)])
    assert nobody.stderr == "Nothing is known yet.\n"


def test_somebody_is_forgotten(config: Path) -> None:
    arguments = ["novelty", "forget", "local#alice", "--config", str(config)]
    assert CliRunner().invoke(APP, arguments).exit_code == 0
    again = CliRunner().invoke(APP, arguments)
    assert again.exit_code == 1
    assert "Nothing is known of local#alice." in again.stderr


def test_without_a_record_nothing_changes(config: Path) -> None:
    said = CliRunner().invoke(APP, ["novelty", "rebuild", "--config", str(config)])
    assert said.stdout == "Learned from 0 statements.\n"
    listed = CliRunner().invoke(APP, ["novelty", "list", "--config", str(config)])
    assert len(json.loads(listed.stdout)) == 4  # what is known stays
