"""The operator's own recognizers."""

from pathlib import Path

import pytest

from proctor.errors import ConfigurationError
from proctor.redaction.users import UsersRecognizers, load_users

GOOD = """
recognizers:
  - name: Badge
    supported_language: de
    supported_entity: BADGE
    patterns:
      - {name: badge, regex: '\\bEMP-\\d{6}\\b', score: 0.8}
  - name: Zip
    supported_languages: [{language: en, context: [zip]}, {language: es}]
    supported_entity: ZIP
    patterns:
      - {name: zip, regex: '\\b\\d{5}\\b', score: 0.1}
    context: [zip]
  - name: Titles
    supported_entity: TITLE
    deny_list: [Mr., Dr.]
  - name: NhsRecognizer
    type: predefined
  - name: Off
    enabled: false
    supported_entity: OFF
    deny_list: [off]
"""

PATTERN = """recognizers:
  - {{name: X, supported_entity: X, patterns: [{{name: p, regex: {}, score: {}}}]}}"""


def load(tmp_path: Path, text: str) -> UsersRecognizers:
    file = tmp_path / "recognizers.yaml"
    file.write_text(text, encoding="utf-8")
    return load_users(file, {})


def test_presidios_own_yaml_whatever_its_languages(tmp_path: Path) -> None:
    users = load(tmp_path, GOOD.replace("    context: [zip]\n", ""))
    assert users.entities == {"BADGE", "ZIP", "TITLE", "UK_NHS"}
    names = [one.name for one in users.recognizers]
    assert len(set(names)) == len(names) == 5
    assert users.recognizers[0].detector == "users:Badge"
    (badge,) = users.recognizers[0].analyze("my EMP-123456.", [])
    assert (badge.entity_type, badge.start, badge.end) == ("BADGE", 3, 13)
    assert all(one.supported_language == "en" for one in users.recognizers)
    assert all(one.triggers for one in users.recognizers[:4])


def test_deny_lists_from_the_settings() -> None:
    users = load_users(
        None, {"PROJECT_NAME": ["Falcon", "Blue Lagoon", "C++", "Übung"], "NONE": []}
    )
    assert users.entities == {"PROJECT_NAME"}
    (words,) = users.recognizers
    text = "falcon falcons, BLUE LAGOON; C++ übung"
    assert [text[one.start : one.end] for one in words.analyze(text, [])] == [
        "falcon", "BLUE LAGOON", "C++", "übung",
    ]  # fmt: skip


def test_nothing_configured_is_nothing() -> None:
    assert load_users(None, {}) == UsersRecognizers()


def test_the_digest_follows_what_is_looked_for(tmp_path: Path) -> None:
    first = load(tmp_path, GOOD.replace("    context: [zip]\n", ""))
    again = load(tmp_path, GOOD.replace("    context: [zip]\n", ""))
    other = load(tmp_path, GOOD.replace("    context: [zip]\n", "").replace("0.8", "0.7"))
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[]", 1, "list of recognizers"),
        ("recognizers: 7", 1, "list of recognizers"),
        ("recognisers: []", 1, "list of recognizers"),
        ("recognizers: []\nnlp: {}", 2, "nlp is not known"),
        ("recognizers:\n  - 7", 2, "mapping"),
        ("recognizers:\n  - {name: GLiNERRecognizer}", 2, "deny list are taken"),
        ("recognizers:\n  - AzureAILanguageRecognizer", 2, "deny list are taken"),
        ("recognizers:\n  - {name: X, supported_entity: X, patterns: []}", 2, "Presidio"),
        ("recognizers:\n  - {name: X, supported_entity: X, deny_list: [a], bogus: 1}", 2, "bogus"),
        (PATTERN.format("'('", 0.5), 2, "Invalid regex"),
        (PATTERN.format("a", 7), 2, "core"),
        ("recognizers:\n  - {name: X, patterns: [{name: p, regex: a, score: 0.5}]}", 2, "entity"),
        (GOOD, 8, "Global context"),
    ],
)
def test_mistakes_are_named_with_file_and_line(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    assert caught.value.where.startswith(str(tmp_path / "recognizers.yaml"))
    assert caught.value.where.endswith(f":{line}")
    assert says in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        load_users(tmp_path / "none.yaml", {})
