"""What rules may ask of an installation."""

from pathlib import Path

import pytest

from proctor.config import load
from proctor.errors import ConfigurationError
from proctor.policy.engine import load_policy
from proctor.runtime.features import features_of
from tests.support.installation import CONFIG

ONE = "{profile: none, listeners: {claude: {profile: default}}}"
RULE = "rules:\n  - {{id: a, on: llm.request, then: allow, {}}}\n"


def written(folder: Path, redaction: str, rule: str) -> Path:
    text = CONFIG.format(upstream="http://127.0.0.1:1", issuer="local", cache="c")
    config = folder / "proctor.yaml"
    config.write_text(text.replace("redaction: {cache: c}", f"redaction: {redaction}"))
    (folder / "rules").mkdir()
    (folder / "rules" / "a.yaml").write_text(RULE.format(rule))
    return config


@pytest.mark.parametrize(
    ("redaction", "rule", "named"),
    [
        ("{}", "redact: {EMAIL_ADDRESS: mask}", ""),
        ("{profile: secrets}", "redact: {EMAIL_ADDRESS: mask}", "EMAIL_ADDRESS"),
        ("{profile: secrets}", "redact: {API_KEY: hash}", ""),
        ("{deny: {PROJECT: [Falcon]}}", "redact: {PROJECT: mask}", ""),
        ("{}", "redact: {PROJECT: mask}", "PROJECT"),
        ("{}", "when: findings.size() == 0", ""),
        ("{profile: none}", "when: findings.size() == 0", ""),
        ("{profile: none}", "redact: {API_KEY: mask}", "API_KEY"),
        (
            "{profile: none, listeners: {claude: {profile: default}}}",
            "when: findings.size() == 0",
            "",
        ),
    ],
)
def test_a_rule_about_what_nobody_looks_for_is_an_error(
    tmp_path: Path, redaction: str, rule: str, named: str
) -> None:
    config = load(written(tmp_path, redaction, rule))
    features = features_of(config)
    if not named:
        load_policy(config.rules, features=features)
        return
    with pytest.raises(ConfigurationError, match=named) as caught:
        load_policy(config.rules, features=features)
    assert "a.yaml:2" in caught.value.where


def test_servers_on_standard_streams_are_known(tmp_path: Path) -> None:
    file = written(tmp_path, "{}", "when: action.listener == 'stdio'")
    assert not {"stdio"} & (features_of(load(file)).listeners or set())
    file.write_text(f"{file.read_text()}stdio: [{{name: files}}]\n")
    known = features_of(load(file))
    assert "stdio" in (known.listeners or ())
    assert known.servers == frozenset({"files"})
