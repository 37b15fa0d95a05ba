"""`proctor connect`: what a shell makes of it."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import hypothesis
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from proctor.cli.clients import REFERENCE, TOKEN
from proctor.cli.connect import _quoted, connect
from proctor.errors import ClientError, ConfigurationError

CONFIG = """\
schema_version: 1
listeners:
  - {name: claude, kind: reverse, listen: 127.0.0.1:8080, upstream: https://a.b, speaks: anthropic}
  - name: egress
    kind: forward
    listen: 127.0.0.1:8081
    destinations:
      - {host: wiki.internal, path: /mcp, speaks: mcp}
identity:
  issuers: [{issuer: ISSUER, audience: agents}]
rules: rules/
"""
SECRET = "eyJ.made-up_token.1"
SHELLS = [name for name in ("sh", "bash", "dash", "zsh") if shutil.which(name)]

app = typer.Typer()
app.command()(connect)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(TOKEN, SECRET)
    (tmp_path / "rules").mkdir()
    path = tmp_path / "proctor.yaml"
    path.write_text(CONFIG.replace("ISSUER", "local"))
    return path


def run(config: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(app, ["--config", str(config), *arguments])
    if isinstance(result.exception, ClientError | ConfigurationError):
        raise result.exception
    return result


def printed(config: Path, *arguments: str) -> str:
    result = run(config, *arguments)
    assert result.exit_code == 0, result.output
    assert SECRET not in result.output
    return result.stdout


def evaluate(lines: str, shell: str = "sh", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shell, "-c", 'eval "$1" && env -0', shell, lines],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        check=False,
    )


def variables(lines: str, shell: str = "sh", **env: str) -> dict[str, str]:
    done = evaluate(lines, shell, **env)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(each.split("=", 1) for each in done.stdout.split("\0") if each)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_takes_it_with_the_token(config: Path, shell: str, tmp_path: Path) -> None:
    env = {TOKEN: SECRET, "ANTHROPIC_API_KEY": "real"}
    found = variables(printed(config, "claude"), shell, **env)
    assert found["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:8080"
    assert found["ANTHROPIC_AUTH_TOKEN"] == SECRET
    assert "ANTHROPIC_API_KEY" not in found
    assert found["HTTPS_PROXY"] == f"http://claude:{SECRET}@127.0.0.1:8081"
    assert found["NODE_EXTRA_CA_CERTS"] == str(tmp_path / "proctor-ca.pem")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("env", [{}, {TOKEN: ""}])
def test_without_a_token_nothing_is_set(config: Path, shell: str, env: dict[str, str]) -> None:
    done = evaluate(printed(config, "curl"), shell, **env)
    assert done.returncode != 0
    assert done.stdout == ""
    assert f"{TOKEN}: is not set; export a token in it first" in done.stderr


def test_a_helper_fills_the_variable(config: Path) -> None:
    lines = printed(config, "curl", "--token-from", "printf '%s' fresh")
    found = variables(lines)
    assert found[TOKEN] == "fresh"
    assert found["https_proxy"] == "http://curl:fresh@127.0.0.1:8081"
    assert evaluate(printed(config, "curl", "--token-from", "false")).returncode != 0


def test_one_listener_alone(config: Path) -> None:
    found = variables(printed(config, "claude", "--listener", "claude"), **{TOKEN: SECRET})
    assert "ANTHROPIC_BASE_URL" in found
    assert "HTTPS_PROXY" not in found
    with pytest.raises(ConfigurationError) as caught:
        run(config, "git", "--listener", "claude")
    assert caught.value.code == "listener-unfit"
    result = run(config, "git", "--listener", "other")
    assert result.exit_code == 2
    assert "claude, egress" in result.stderr


def test_another_name_of_this_machine(config: Path) -> None:
    found = variables(printed(config, "curl", "--host", "proctor.corp"), **{TOKEN: "t"})
    assert found["HTTPS_PROXY"] == "http://curl:t@proctor.corp:8081"
    for host in ("", "a b", "http://a", "a:1", "::1", "a/$(id)"):
        assert run(config, "curl", "--host", host).exit_code == 2, host


HOSTILE = """we $(touch hit) `touch hit` "quoted" 'too' \\ back $HOME ${HOME} ;touch hit"""


def test_paths_are_nothing_but_text(config: Path, tmp_path: Path) -> None:
    lines = printed(config, "claude", "--ca", f"{HOSTILE}\ntouch hit\n#.pem")
    found = variables(lines, **{TOKEN: SECRET, "HOME": "/nowhere"})
    assert found["CURL_CA_BUNDLE"] == str(tmp_path / f"{HOSTILE}\ntouch hit\n#.pem")
    assert not (tmp_path / "hit").exists()


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@hypothesis.settings(max_examples=30, deadline=None)
def test_any_value_comes_out_of_a_shell_as_it_went_in(value: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"printf %s {_quoted(f'{value}{REFERENCE}{value}')}"],
        env={"PATH": os.environ["PATH"], TOKEN: "$(id)`id`"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == f"{value}$(id)`id`{value}".encode()


def test_who_issues_tokens_is_nothing_but_a_comment(config: Path, tmp_path: Path) -> None:
    assert "# An agent's token is in" in printed(config, "curl")
    assert "proctor token --local" in printed(config, "curl")
    config.write_text(CONFIG.replace("ISSUER", "https://idp.internal/$(touch%20hit)"))
    lines = printed(config, "curl")
    assert "# " in lines
    assert "it is a token of https://idp.internal/$(touch%20hit) for agents" in lines
    variables(lines, **{TOKEN: SECRET})
    assert not (tmp_path / "hit").exists()


@pytest.mark.parametrize("command", ["", "  ", "a\nb", "a\x1b[2J"])
def test_helpers_are_one_line(config: Path, command: str) -> None:
    assert run(config, "curl", "--token-from", command).exit_code == 2


def test_what_is_left_to_do_is_told_where_nobody_reads_comments(
    config: Path, tmp_path: Path
) -> None:
    result = run(config, "claude")
    export = f"proctor ca export --format bundle --out {tmp_path}/proctor-ca.pem --config {config}"
    added = "claude mcp add --transport http wiki https://wiki.internal/mcp"
    for step in (export, added):
        assert f"#   {step}\n" in result.stdout
        assert f"  {step}\n" in result.stderr
    (tmp_path / "proctor-ca.pem").write_text("")
    result = run(config, "claude")
    assert export in result.stdout
    assert export not in result.stderr
    assert added in result.stderr


def test_the_command_for_the_certificates_works_from_anywhere(config: Path, tmp_path: Path) -> None:
    other = tmp_path / "my house.yaml"
    config.rename(other)
    told = json.loads(printed(other, "curl", "--ca", "ca's.pem", "--format", "json"))
    words = shlex.split(told["steps"][0]["commands"][0])
    assert words[:5] == ["proctor", "ca", "export", "--format", "bundle"]
    assert words[5:] == ["--out", str(tmp_path / "ca's.pem"), "--config", str(other)]
    other.rename(config)
    told = json.loads(CliRunner().invoke(app, ["curl", "--format", "json"]).stdout)
    assert "--config" not in told["steps"][0]["commands"][0]


def test_json(config: Path) -> None:
    told = json.loads(printed(config, "claude", "--format", "json"))
    assert list(told) == ["client", "token", "env", "unset", "steps"]
    assert (told["client"], told["token"]) == ("claude", TOKEN)
    assert told["env"]["HTTPS_PROXY"] == f"http://claude:${{{TOKEN}}}@127.0.0.1:8081"
    assert told["unset"] == ["ANTHROPIC_API_KEY"]
    assert all(set(each) == {"why", "commands"} for each in told["steps"])
    assert run(config, "claude", "--format", "json").stderr == ""


def test_psql_where_there_is_no_database(config: Path) -> None:
    with pytest.raises(ConfigurationError, match="kind: postgres") as caught:
        run(config, "psql")
    assert caught.value.code == "listener-unfit"


def test_nobody_else_is_known(config: Path) -> None:
    result = run(config, "wget")
    assert result.exit_code == 2
    assert "'curl'" in result.stderr
