"""`proctor init`."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import proctor
from proctor.cli import init as module
from proctor.cli import make_app
from proctor.config import Config, load
from proctor.errors import ConfigurationError
from proctor.runtime.permissions import find_open

REPOSITORY = Path(proctor.__file__).parents[2]


def run(*arguments: str, text: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(make_app(only="init"), ["init", *arguments], input=text)
    if isinstance(done.exception, ConfigurationError):
        raise done.exception
    return done.exit_code, done.output


@pytest.fixture(params=[0o022, 0o000, 0o077], autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    old = os.umask(request.param)
    yield
    os.umask(old)


def load_safe(folder: Path) -> Config:
    file = folder / "proctor.yaml"
    config = load(file)
    assert find_open(config, file) == []
    return config


def test_without_questions(tmp_path: Path) -> None:
    folder = tmp_path / "house"
    status, output = run(str(folder), "--yes")
    assert status == 0
    config = load_safe(folder)
    (listener,) = config.listeners
    assert str(listener.listen) == "127.0.0.1:8080"
    assert str(listener.upstream) == "https://api.anthropic.com"
    assert [issuer.issuer for issuer in config.identity.issuers] == ["local"]
    for words in (
        f"cd {folder}",
        "export ANTHROPIC_API_KEY=",
        "proctor run --dev",
        "another person at http://127.0.0.1:9090",
        "--group reviewers --audience proctor-console",
        "ANTHROPIC_BASE_URL=http://127.0.0.1:8080",
        "$(proctor token --local --subject me)",
        f"`egress` and `tools` in {folder / 'proctor.yaml'}",
    ):
        assert words in output


def test_everything_is_private(tmp_path: Path) -> None:
    run(str(tmp_path / "house"), "--yes")
    for path in (tmp_path / "house").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_shipped_rules_are_copied(tmp_path: Path) -> None:
    run(str(tmp_path), "--yes")
    for rule in (REPOSITORY / "rules").rglob("*.yaml"):
        copy = tmp_path / "rules" / rule.relative_to(REPOSITORY / "rules")
        assert copy.read_bytes() == rule.read_bytes()


def test_what_is_commented_out_is_right(tmp_path: Path) -> None:
    """The forward listener, the database, the MCP servers and their credentials."""
    run(str(tmp_path), "--yes")
    file = tmp_path / "proctor.yaml"
    text = file.read_text()
    for first in ("- name: egress", "- name: orders", "- name: tools", "- {name: tickets"):
        head, _, rest = text.partition(f"  # {first}")
        block, gap, tail = rest.partition("\n\n")
        text = head + f"  {first}" + block.replace("\n  # ", "\n  ") + gap + tail
    file.write_text(text)
    config = load(file)
    assert [listener.name for listener in config.listeners] == ["claude", "egress", "tools"]
    assert len(config.listeners[1].destinations) == 5
    assert [listener.name for listener in config.postgres] == ["orders"]
    named = [item.name for item in config.credentials]
    assert named == ["anthropic", "tickets", "jira", "forge", "orders-db"]
    status = CliRunner().invoke(make_app(only="check"), ["check", "--config", str(file)])
    # What may run in a database is nothing that others could say.
    (remark,) = json.loads(status.stdout)
    assert remark["message"] == "No rule allows any sql.statement: all are denied."


def test_answers_by_option(tmp_path: Path) -> None:
    status, output = run(
        *(str(tmp_path), "--yes", "--issuer", "https://idp.internal/realms/corp"),
        *("--audience", 'gate "x": # é\U0001f600', "--listen", "[::1]:0", "--console", "[::1]:9"),
        *("--upstream", "http://127.0.0.1:99"),
    )
    assert status == 0
    config = load_safe(tmp_path)
    (issuer,) = config.identity.issuers
    assert issuer.issuer == "https://idp.internal/realms/corp"
    assert issuer.audience == 'gate "x": # é\U0001f600'
    assert str(config.listeners[0].listen) == "[::1]:0"
    assert str(config.console.listen) == "[::1]:9"
    assert "a token of https://idp.internal/realms/corp" in output
    assert "--dev" not in output
    assert "a reviewer at http://[::1]:9." in output


def test_a_person_is_asked_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(question: str, default: str) -> str:
        asked.append(question)
        return default

    monkeypatch.setattr(module, "_ask", ask)
    status, _ = run(str(tmp_path))
    assert status == 0
    assert len(asked) == 3


def test_nobody_there_to_be_asked(tmp_path: Path) -> None:
    status, output = run(str(tmp_path))
    assert status == 2
    assert "add --yes" in output
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir(mode=0o700)
    (tmp_path / "rules" / "anthropic.yaml").write_text("mine")
    status, output = run(str(tmp_path), "--yes")
    assert status == 0
    assert (tmp_path / "rules" / "anthropic.yaml").read_text() == "mine"
    assert f"left as it was {tmp_path / 'rules' / 'anthropic.yaml'}" in output
    before = (tmp_path / "proctor.yaml").read_bytes()
    status, output = run(str(tmp_path), "--yes", "--listen", "127.0.0.1:1")
    assert status == 0
    assert (tmp_path / "proctor.yaml").read_bytes() == before
    assert "Next:" not in output


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        ("--listen", "0.0.0.0:8080", "plaintext-listener"),
        ("--listen", "8080", "wrong-value"),
        ("--upstream", "api.anthropic.com", "wrong-value"),
        ("--upstream", "https://x\nobserve: true", "wrong-value"),
        ("--issuer", "http://idp.internal", "wrong-value"),
        ("--console", "127.0.0.1:8080", "wrong-value"),
    ],
)
def test_a_wrong_answer_writes_nothing(tmp_path: Path, option: str, value: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        run(str(tmp_path), "--yes", option, value)
    assert caught.value.code == code
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        run(str(tmp_path / "file"), "--yes")
