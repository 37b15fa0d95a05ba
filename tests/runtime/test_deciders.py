"""`proctor doctor` says where nobody could decide."""

from pathlib import Path

import pytest

from proctor.approval.sqlitefile import create
from proctor.config import load
from proctor.runtime.checkup import Finding, State
from proctor.runtime.deciders import approvals_findings
from tests.support.houses import house

RULES = """\
rules:
  - {id: shell, on: llm.tool_use, match: Bash(rm *), then: hold, approval: {from: [platform]}}
"""
ISSUER = "console: {issuer: local}\n"
ROLES = "roles: {reviewer: {groups: [platform]}}\n"


def look(folder: Path, rules: str, more: str = "") -> list[Finding]:
    return list(approvals_findings(load(house(folder, rules, more))))


@pytest.mark.parametrize("rules", ["rules: []\n", RULES.replace("then: hold", "then: x")])
def test_nothing_to_decide_or_rules_that_are_told_elsewhere(tmp_path: Path, rules: str) -> None:
    found = look(tmp_path, rules)
    assert [each.what for each in found] == (["No rule asks a human"] if "[]" in rules else [])


def test_nobody_can_sign_in(tmp_path: Path) -> None:
    file = house(tmp_path, RULES, ROLES)
    file.write_text(file.read_text().replace("issuer: local", "issuer: https://idp.example"))
    (found,) = approvals_findings(load(file))
    assert found.state is State.FAIL
    assert found.what.startswith("shell: nobody can decide")
    assert "console.issuer" in found.mend


@pytest.mark.parametrize("console", [ISSUER, ""])
def test_only_local_tokens(tmp_path: Path, console: str) -> None:
    (found,) = look(tmp_path, RULES, console + ROLES)
    assert found.state is State.WARN
    assert "--dev" in found.what


def test_nobody_is_a_reviewer(tmp_path: Path) -> None:
    found = look(tmp_path, RULES, ISSUER)[-1]
    assert found.state is State.FAIL
    assert "roles.reviewer" in found.mend


def test_a_group_that_is_no_reviewer(tmp_path: Path) -> None:
    found = look(tmp_path, RULES, ISSUER + ROLES.replace("platform", "dba"))[-1]
    assert found.state is State.WARN
    assert found.what.startswith("shell asks platform")


CORP = """\
console: {issuer: https://idp.example, client_id: proctor}
roles: {reviewer: {groups: [platform]}}
"""


def whole(folder: Path) -> Path:
    config = house(folder, RULES, CORP)
    text = config.read_text().replace(
        "{issuer: local, audience: proctor}",
        "{issuer: https://idp.example, audience: proctor, groups: groups}",
    )
    config.write_text(text)
    return config


def test_all_is_well(tmp_path: Path) -> None:
    config = load(whole(tmp_path))
    (found,) = approvals_findings(config)
    assert (found.state, found.what) == (State.OK, "shell: there is somebody to decide")
    create(config.approvals.store)
    before = config.approvals.store.read_bytes()
    (found,) = approvals_findings(config)
    assert found.state is State.OK
    assert config.approvals.store.read_bytes() == before


def test_a_store_that_cannot_be_used(tmp_path: Path) -> None:
    config = load(whole(tmp_path))
    create(config.approvals.store)
    config.approvals.store.chmod(0o644)
    (found,) = approvals_findings(config)
    assert found.state is State.FAIL
    assert "chmod 600" in found.mend
    config.approvals.store.chmod(0o600)
    config.approvals.store.write_bytes(b"not a database" * 100)
    (found,) = approvals_findings(config)
    assert found.state is State.FAIL


def test_many_rules_are_counted(tmp_path: Path) -> None:
    line = RULES.splitlines()[1]
    lines = [line.replace("id: shell", f"id: shell-{number}") for number in range(8)]
    found = look(tmp_path, "\n".join(["rules:", *lines, ""]), ROLES)
    assert "shell-4 and 3 more" in found[0].what
