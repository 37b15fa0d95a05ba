"""`proctor check`: what a person or CI sees."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from proctor.cli.check import check
from tests.support.houses import house

APP = typer.Typer()
APP.command()(check)

GOOD = "rules:\n  - {id: a, on: llm.request, then: allow}\n"


def run(config: Path, *args: str) -> tuple[Result, list[dict[str, Any]]]:
    result = CliRunner().invoke(APP, ["--config", str(config), "--format", "json", *args])
    return result, json.loads(result.stdout)


def test_nothing_found(tmp_path: Path) -> None:
    result, rows = run(house(tmp_path, GOOD))
    assert result.exit_code == 0
    assert rows == []
    assert "1 rules in 1 file" in result.stderr
    assert "nothing is wrong" in result.stderr


@pytest.mark.parametrize(
    ("rules", "more", "code", "messages"),
    [
        ("rules:\n  - {id: a, on: llm.request, then: hold}\n", "", 2, ["who may approve"]),
        ("rules: [\n", "", 2, ["Not YAML"]),
        ("rules: []\n", "rulse: x\n", 2, ["rulse"]),
        (GOOD + "  - {id: b, on: x, then: deny}\n  - {id: c, on: y, then: deny}\n", "", 2,
         ["not known", "not known"]),
        (GOOD + "  - {id: b, on: llm.request, then: deny, when: action.listener == 'cloude'}\n",
         "", 2, ["no listener"]),
        ("rules: []\n", "", 1, ["No rule allows any llm.request"]),
        (GOOD, "observe: true\n", 1, ["`observe` is set"]),
        (GOOD, "redaction: {ner: {model: no_such_model}}\n", 2, ["not installed no_such_model"]),
        (GOOD + "  - {id: b, on: [llm.request, http.request], then: deny, when: llm.stream}\n",
         "", 1, ["can never match any http.request"]),
        (GOOD, "audit: {retention: {rules: {a: 3d}}}\n", 0, []),
        (GOOD, "audit: {retention: {rules: {b: 3d}}}\n", 1, ["names a rule that there is not"]),
        (GOOD + "  - {id: b, on: llm.request, then: deny, when: llm.stream, mode: observe}\n",
         "", 0, ["only observes"]),
    ],
)  # fmt: skip
def test_findings(tmp_path: Path, rules: str, more: str, code: int, messages: list[str]) -> None:
    result, rows = run(house(tmp_path, rules, more))
    assert result.exit_code == code
    assert len(rows) == len(messages)
    for row, message in zip(rows, messages, strict=True):
        assert message in f"{row['message']} {row['got']}"


MORE_LISTENERS = """\
  - name: egress
    kind: forward
    listen: 127.0.0.1:8081
    destinations: [{host: api.internal}, {host: pinned.example.org, speaks: tunnel}]
  - name: tools
    kind: reverse
    listen: 127.0.0.1:8082
    speaks: mcp
    routes: [{path: /jira, upstream: https://mcp.internal}]
"""


def test_what_listeners_make_of_their_traffic(tmp_path: Path) -> None:
    config = house(tmp_path, GOOD)
    config.write_text(config.read_text().replace("identity:", f"{MORE_LISTENERS}identity:"))
    result, rows = run(config)
    assert result.exit_code == 1
    assert [row["message"] for row in rows] == [
        "No rule allows any http.request: all are denied.",
        "No rule allows any mcp.call: all are denied.",
    ]


def test_an_error_names_the_place(tmp_path: Path) -> None:
    text = GOOD + "  - {id: b, on: llm.request, then: deny, when: llm.modle == 'x'}\n"
    _, (row,) = run(house(tmp_path, text))
    assert row["where"] == f"{tmp_path}/rules/rules.yaml:3"
    assert row["hint"] == "Did you mean 'model'?"
    assert "max_tokens" in row["expected"]
    assert row["code"] == "expression-invalid"


def test_a_table_has_only_columns_in_use(tmp_path: Path) -> None:
    config = house(tmp_path, "rules: []\n")
    result = CliRunner().invoke(APP, ["--config", str(config), "--format", "table"])
    assert result.exit_code == 1
    assert "No rule allows" in result.stdout
    assert "expected" not in result.stdout


def test_no_rules_at_all(tmp_path: Path) -> None:
    config = house(tmp_path, GOOD)
    (tmp_path / "rules" / "rules.yaml").unlink()
    result, (row,) = run(config)
    assert result.exit_code == 2
    assert row["code"] == "rules-missing"
    assert "no files" in result.stderr
