"""`proctor explain`: what a person or CI sees."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from proctor.cli.explain import explain
from proctor.errors import ClientError, ConfigurationError
from tests.support.houses import house
from tests.support.judged import Desk, judged, rules

APP = typer.Typer()
APP.command()(explain)

RULES = """\
rules:
  - {id: yes, on: llm.request, then: allow}
  - {id: no-opus, on: llm.request, then: deny, when: llm.model.startsWith("opus"), reason: No.}
  - {id: tools, on: llm.request, then: deny, when: '"x" in llm.tools'}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return house(tmp_path, RULES)


def run(config: Path, *args: str, text: str = "") -> Result:
    return CliRunner().invoke(APP, ["--config", str(config), *args], input=text)


@pytest.mark.parametrize(("model", "code", "verdict"), [("x", 0, "allow"), ("opus", 1, "deny")])
def test_described(config: Path, model: str, code: int, verdict: str) -> None:
    text = f"action: {{kind: llm.request}}\nllm: {{model: {model}}}\n"
    result = run(config, "--action", "-", "--format", "json", text=text)
    assert result.exit_code == code
    (found,) = json.loads(result.stdout)
    assert found["verdict"] == verdict
    assert found["recorded"] is None
    assert [rule["rule"] for rule in found["rules"]] == ["yes", "no-opus", "tools"]


def test_table_and_csv(config: Path, tmp_path: Path) -> None:
    action = tmp_path / "action.json"
    action.write_text('{"action": {"kind": "llm.request"}, "llm": {"model": "opus-4"}}')
    result = run(config, "--action", str(action), "--format", "table")
    assert "DENY by no-opus: No." in result.stdout
    assert "`when` is false" in result.stdout
    result = run(config, "--action", str(action), "--format", "csv")
    assert result.stdout.splitlines()[0] == "rule,then,outcome,why,where"
    assert "DENY by no-opus" in result.stderr


def test_what_is_done_with_findings(tmp_path: Path) -> None:
    config = house(
        tmp_path,
        """\
rules:
  - {id: mail, on: llm.tool_use, match: mcp__mail__send, then: allow,
     redact: {IBAN_CODE: mask}, restore: [PERSON, EMAIL_ADDRESS]}
""",
    )
    text = "action: {kind: llm.tool_use}\ntool: {name: mcp__mail__send}\n"
    result = run(config, "--action", "-", "--format", "json", text=text)
    (found,) = json.loads(result.stdout)
    assert found["redact"] == {"IBAN_CODE": "mask"}
    assert found["restore"] == ["EMAIL_ADDRESS", "PERSON"]
    shown = run(config, "--action", "-", "--format", "table", text=text).stdout
    assert "Findings: IBAN_CODE: mask." in shown
    assert "Put back into the tool's input: EMAIL_ADDRESS, PERSON." in shown


def test_global_observe(tmp_path: Path) -> None:
    config = house(tmp_path, RULES, "observe: true\n")
    text = "action: {kind: llm.request}\nllm: {model: opus}\n"
    result = run(config, "--action", "-", "--format", "table", text=text)
    assert result.exit_code == 0
    assert "ALLOW by no-opus (global observe lets it pass): No." in result.stdout


@pytest.mark.parametrize("args", [[], ["--action", "-", "--flow", "f"]])
def test_one_action_is_needed(config: Path, args: list[str]) -> None:
    result = run(config, *args)
    assert result.exit_code == 2
    assert "--action" in result.stderr


def test_an_unknown_field_is_an_error(config: Path) -> None:
    result = run(config, "--action", "-", text="action: {kind: llm.request}\nllm: {modle: x}\n")
    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.where == "standard input:2"


async def play(desk: Desk) -> None:
    desk.seen = False
    await desk.turn()


def test_recorded(config: Path, tmp_path: Path) -> None:
    then = rules(tmp_path / "then", "rules: [{id: 'yes', on: llm.request, then: allow}]")
    judged(tmp_path / "recordings", then, play)
    result = run(config, "--flow", "flow-00001", "--format", "table")
    assert result.exit_code == 1  # a rule stays open, so it is not known to be allowed
    assert "llm.tools is not on record" in result.stdout
    assert "Open, since the record does not say: tools." in result.stdout
    assert "Recorded: allow by yes, under other rules." in result.stdout
    result = run(config, "--flow", "flow-00001", "--format", "json")
    assert json.loads(result.stdout)[0]["recorded"]["rule_id"] == "yes"
    assert isinstance(run(config, "--flow", "f2").exception, ClientError)


SQL = """\
rules:
  - {id: reads, on: sql.statement, when: sql.read_only, then: allow}
  - {id: whole, on: sql.statement, when: '"DELETE" in sql.verbs && !sql.has_where', then: deny}
  - id: salaries
    on: sql.statement
    when: '"hr.salaries" in sql.tables && !("hr" in principal.groups)'
    then: deny
  - {id: mails, on: sql.statement, when: '"public.users.email" in sql.columns', then: deny}
"""
LISTENER = """\
  - {name: orders, kind: postgres, listen: 127.0.0.1:0, upstream: 127.0.0.1:5432, credential: db}"""


@pytest.fixture
def databases(tmp_path: Path) -> Path:
    config = house(tmp_path, SQL)
    text = config.read_text().replace("identity:", f"{LISTENER}\nidentity:")
    more = "credentials: [{name: db, user: app, password: {env: DB_PASSWORD}}]\n"
    config.write_text(text + more)
    return config


def test_sql(databases: Path) -> None:
    result = run(databases, "--sql", "BEGIN; DELETE FROM orders", "--format", "json")
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)
    assert (first["verdict"], first["rule_id"]) == ("allow", "reads")
    assert (second["verdict"], second["rule_id"]) == ("deny", "whole")
    # Which columns it reads only the server could tell.
    assert first["open"] == ["mails"]


@pytest.mark.parametrize(("group", "rule"), [("hr", "reads"), ("dev", "salaries")])
def test_sql_of_somebody(databases: Path, group: str, rule: str) -> None:
    result = run(
        databases, "--sql", "SELECT 1 FROM hr.salaries", "--listener", "orders",
        "--database", "shop", "--group", group, "--format", "json",
    )  # fmt: skip
    assert json.loads(result.stdout)[0]["rule_id"] == rule


@pytest.mark.parametrize(
    "arguments",
    [
        ("--sql", "SELECT 1", "--flow", "x"),
        ("--sql", " "),
        ("--sql", "SELECT 1", "--listener", "claude"),
        ("--flow", "x", "--group", "dev"),
    ],
)
def test_wrong_use_with_sql(databases: Path, arguments: tuple[str, ...]) -> None:
    assert run(databases, *arguments).exit_code == 2


def test_sql_where_no_listener_is_a_database(config: Path) -> None:
    assert run(config, "--sql", "SELECT 1").exit_code == 2


def test_what_is_no_sql(databases: Path) -> None:
    with pytest.raises(ClientError) as caught:
        raise run(databases, "--sql", "SELEC 1").exception or AssertionError
    assert caught.value.code == "sql-unparsable"


@pytest.mark.parametrize(("trusted", "words"), [(True, "is trusted"), (False, "is not trusted")])
def test_whether_what_comes_back_is_trusted(databases: Path, words: str, *, trusted: bool) -> None:
    said = f"credential: db, trusted: {str(trusted).lower()}}}"
    databases.write_text(databases.read_text().replace("credential: db}", said))
    result = run(databases, "--sql", "SELECT 1", "--format", "table")
    assert f"What comes back through orders {words}" in result.stdout
    assert "Tainted" not in result.stdout
    text = "action: {kind: sql.statement, listener: orders, tainted: true}\n"
    result = run(databases, "--action", "-", "--format", "table", text=text)
    assert "Tainted: nothing is on record of where" in result.stdout
    (found,) = json.loads(run(databases, "--action", "-", "--format", "json", text=text).stdout)
    assert (found["listener"], found["trusted"]) == ("orders", trusted)
    assert (found["tainted"], found["came"]) == (True, [])


def test_a_message_of_a_websocket(tmp_path: Path) -> None:
    rule = "has(ws.json.op) && ws.json.op == 'publish' && ws.direction == 'client'"
    config = house(tmp_path, f'rules: [{{id: p, on: ws.message, when: "{rule}", then: allow}}]\n')
    upstream = "upstream: https://api.example, websocket: true"
    text = config.read_text().replace("upstream: https://api.example", upstream)
    config.write_text(text.replace("speaks: anthropic", "speaks: http"))
    for op, code in (("publish", 0), ("listen", 1)):
        said = f"action: {{kind: ws.message}}\nws: {{direction: client, json: {{op: {op}}}}}\n"
        result = run(config, "--action", "-", "--format", "json", text=said)
        assert result.exit_code == code, result.output
