"""`proctor token --local`."""

import asyncio
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from proctor.cli.token import token
from proctor.errors import ConfigurationError
from proctor.identity.authenticator import Authenticator
from proctor.identity.local import FILE
from proctor.model import Principal
from tests.support.identity import MemoryIssuer, settings

CONFIG = """\
schema_version: 1
listeners:
  - name: claude
    kind: reverse
    listen: 127.0.0.1:0
    upstream: https://api.anthropic.com
    speaks: anthropic
identity:
  issuers:
    - {issuer: ISSUER, audience: agents}
rules: rules/
audit: {path: recordings/}
console: {listen: 127.0.0.1:0, audience: proctor-console}
"""

app = typer.Typer()
app.command()(token)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    path = tmp_path / "proctor.yaml"
    path.write_text(CONFIG.replace("ISSUER", "local"))
    return path


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(config), *arguments])


def admit(config: Path, made: str, *, audience: str = "agents", later: float = 0) -> Principal:
    authenticator = Authenticator(
        [settings(issuer="local", audience=audience)],
        fetch=MemoryIssuer().fetch,
        clock=lambda: time.time() + later,
        local_keys=config.parent / ".proctor" / FILE,
    )
    return asyncio.run(authenticator.authenticate(made))


def test_the_token_alone_is_on_standard_output_and_is_taken(config: Path) -> None:
    result = run(config, "--local", "--subject", "alice", "--group", "dba", "--group", "dev")
    assert result.exit_code == 0, result.output
    (made,) = result.stdout.splitlines()
    principal = admit(config, made)
    assert (principal.key, principal.groups) == ("local#alice", ("dba", "dev"))
    assert principal.expires_at - principal.issued_at == 3600
    assert "WARNING" in result.stderr
    assert str(config.parent / ".proctor" / FILE) in result.stderr
    assert made not in result.stderr


def test_keys_are_made_once_and_privately(config: Path) -> None:
    first, second = (run(config, "--local", "-s", "alice").stdout.strip() for _ in range(2))
    assert first != second
    assert admit(config, first).key == admit(config, second).key
    folder = config.parent / ".proctor"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600


def test_life_and_audience_can_be_chosen(config: Path) -> None:
    arguments = ("--local", "-s", "alice", "--ttl", "24h", "--audience", "proctor-console")
    made = run(config, *arguments).stdout.strip()
    principal = admit(config, made, audience="proctor-console", later=86000)
    assert principal.expires_at - principal.issued_at == 86400


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--subject", "alice"], "--local"),
        (["--local"], "--subject"),
        (["--local", "--subject", ""], "--subject"),
        (["--local", "--subject", "a\nb"], "--subject"),
        (["--local", "--subject", "x" * 256], "--subject"),
        (["--local", "--subject", "alice", "--group", " "], "--group"),
        (["--local", "--subject", "alice", "--ttl", "soon"], "--ttl"),
        (["--local", "--subject", "alice", "--ttl", "0s"], "--ttl"),
    ],
)
def test_wrong_use(config: Path, arguments: list[str], told: str) -> None:
    result = run(config, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert told in result.stderr
    assert not (config.parent / ".proctor").exists()


@pytest.mark.parametrize(
    ("arguments", "issuer", "code"),
    [
        (["--ttl", "25h"], "local", "token-ttl"),
        ([], "https://idp.example", "local-issuer-missing"),
        (["--audience", "agents"], "https://idp.example", "local-issuer-missing"),
    ],
)
def test_what_the_gateway_would_not_take_is_not_made(
    config: Path, arguments: list[str], issuer: str, code: str
) -> None:
    config.write_text(CONFIG.replace("ISSUER", issuer))
    result = run(config, "--local", "--subject", "alice", *arguments)
    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.code == code
    assert result.stdout == ""


def test_keys_that_others_can_read_make_no_tokens(config: Path) -> None:
    run(config, "--local", "--subject", "alice")
    (config.parent / ".proctor" / FILE).chmod(0o644)
    result = run(config, "--local", "--subject", "alice")
    assert isinstance(result.exception, ConfigurationError)
    assert result.exception.code == "open-to-others"
    assert result.stdout == ""
