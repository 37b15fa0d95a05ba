"""`proctor postgres`."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proctor.cli import make_app
from proctor.errors import ClientError, ConfigurationError, UpstreamError
from tests.postgres.conftest import postgres15 as _postgres15
from tests.postgres.hardening.shop import EMAIL, PASSWORD, Shop, shop
from tests.postgres.server import PASSWORDS, SUPERUSER, Server
from tests.support.databases import LISTENER, configuration

postgres15 = _postgres15

MASKING = (
    ", masking: {tier: server, columns: [{table: public.users, column: email, with: partial},"
    ' {table: public.users, column: ssn, with: "null"}]}'
)


@pytest.fixture
def found(postgres15: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = shop(postgres15, tmp_path)
    place = LISTENER.replace("5432", str(postgres15.port))
    file = configuration(tmp_path, f"{place}, database: {made.database}{MASKING}")
    file.write_text(file.read_text().replace("orders_app", made.app))
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    monkeypatch.setenv("PGPASSWORD", PASSWORDS[SUPERUSER])
    monkeypatch.chdir(tmp_path)
    return made


def run(*words: str) -> Result:
    return CliRunner().invoke(make_app(only="postgres"), ["postgres", *words])


def test_shown_applied_listed_and_undone(found: Shop, tmp_path: Path) -> None:
    shown = run("harden", "orders", "--admin", SUPERUSER)
    assert shown.exit_code == 0, shown.output
    steps = json.loads(shown.stdout)
    assert steps[0]["sql"]
    assert steps[0]["undo"]
    assert "Nothing was changed" in shown.stderr
    listed = run("inventory", "orders")
    assert listed.exit_code == 1
    assert {row["object"] for row in json.loads(listed.stdout)} == {
        "public.users.email",
        "public.users.ssn",
    }
    assert EMAIL in str(found.tried("SELECT email FROM public.users"))
    applied = run("harden", "orders", "--admin", SUPERUSER, "--apply", "--yes")
    assert applied.exit_code == 0, applied.output
    assert str(found.tried("SELECT email FROM public.users")).startswith("42501 ")
    (plan,) = (tmp_path / ".proctor/postgres").iterdir()
    assert plan.stat().st_mode & 0o777 == 0o600
    assert plan.parent.stat().st_mode & 0o777 == 0o700
    clean = run("inventory", "orders")
    assert (clean.exit_code, json.loads(clean.stdout)) == (0, [])
    told = run("undo", "orders", "--show")
    assert any("DROP VIEW" in row["sql"] for row in json.loads(told.stdout))
    assert str(found.tried("SELECT email FROM public.users")).startswith("42501 ")
    undone = run("undo", "orders", "--admin", SUPERUSER, "--yes")
    assert undone.exit_code == 0, undone.output
    assert EMAIL in str(found.tried("SELECT email FROM public.users"))
    again = run("undo", "orders", "--admin", SUPERUSER, "--yes")
    assert (again.exit_code, "nothing to undo" in again.output) == (0, True)
    for each in (shown, listed, applied, clean, told, undone):
        assert PASSWORD not in each.output
        assert PASSWORDS[SUPERUSER] not in each.output


@pytest.mark.usefixtures("found")
def test_a_table() -> None:
    shown = run("harden", "orders", "--admin", SUPERUSER, "--format", "table")
    assert "REVOKE SELECT" in shown.stdout
    listed = run("inventory", "orders", "--format", "table")
    assert "yes" in listed.stdout


def test_by_a_url(found: Shop) -> None:
    where = f"postgresql:///{found.database}?host={found.server.folder}&user={SUPERUSER}"
    shown = run("harden", "orders", "--admin", f"{where}&port={found.server.port}")
    assert shown.exit_code == 0, shown.exception


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize(
    "url", ["postgresql://postgres:hunter2@h/d", "postgresql://h/d?user=postgres&password=hunter2"]
)
def test_no_password_on_the_command_line(url: str) -> None:
    said = run("harden", "orders", "--admin", url)
    assert isinstance(said.exception, ConfigurationError)
    assert said.exception.code == "harden-password"
    assert "hunter2" not in str(said.exception)


@pytest.mark.usefixtures("found")
def test_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    said = run("harden", "orders", "--admin", SUPERUSER)
    assert isinstance(said.exception, UpstreamError)
    assert said.exception.code == "harden-connect"
    assert "hunter2" not in str(said.exception)


@pytest.mark.usefixtures("found")
def test_who_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the listener's own credential nothing is changed."""
    monkeypatch.delenv("PGPASSWORD")
    assert "PGPASSWORD" not in os.environ
    said = run("harden", "orders", "--admin", "db")
    assert isinstance(said.exception, ConfigurationError | ClientError)
    assert said.exception.code == "harden-role"


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("harden", "nowhere", "--admin", "x"), "there are: orders"),
        (("harden", "orders"), "--admin"),
        (("harden", "orders", "--admin", SUPERUSER, "--apply"), "--yes"),
    ],
)
def test_wrong_use(words: tuple[str, ...], expected: str) -> None:
    said = run(*words)
    assert said.exit_code == 2
    assert expected in said.output


def test_a_listener_that_serves_all_databases(found: Shop, tmp_path: Path) -> None:
    file = tmp_path / "proctor.yaml"
    file.write_text(file.read_text().replace(f", database: {found.database}", ""))
    said = run("inventory", "orders")
    assert (said.exit_code, "--database" in said.output) == (2, True)
    assert run("inventory", "orders", "--database", found.database).exit_code == 1


def test_a_listener_without_columns(found: Shop, tmp_path: Path) -> None:
    file = tmp_path / "proctor.yaml"
    file.write_text(file.read_text().replace(MASKING, ""))
    assert "masking.columns" in run("inventory", "orders").output
    assert run("undo", "orders", "--yes").exit_code == 0
    assert found.plans.load(found.wanted) is None


def test_undone_though_masking_was_taken_out(found: Shop, tmp_path: Path) -> None:
    assert run("harden", "orders", "--admin", SUPERUSER, "--apply", "--yes").exit_code == 0
    file = tmp_path / "proctor.yaml"
    file.write_text(file.read_text().replace(MASKING, ""))
    assert run("undo", "orders", "--admin", SUPERUSER, "--yes").exit_code == 0
    assert EMAIL in str(found.tried("SELECT email FROM public.users"))


def test_a_new_role_without_a_credential(found: Shop, tmp_path: Path) -> None:
    role = f"new_{found.database}"
    said = run("harden", "orders", "--admin", SUPERUSER, "--role", role, "--apply", "--yes")
    assert said.exit_code == 0, said.output
    assert "has no password yet" in said.stderr
    assert (tmp_path / ".proctor/postgres").is_dir()
    undone = run("undo", "orders", "--admin", SUPERUSER, "--role", role, "--yes")
    assert "as it was" in undone.stderr


def test_a_terminal_sees_steps_and_obeys_nothing(found: Shop, tmp_path: Path) -> None:
    """Names are whatever somebody has made them."""
    found.execute(
        'ALTER TABLE users ADD "\x1b[2J\n2. Nothing" text; GRANT SELECT ON users TO {app}'
    )
    words = ["harden", "orders", "--admin", SUPERUSER]
    code = f"from proctor.cli import main; main({['postgres', *words]!r})"
    read, write = os.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=write, stdin=subprocess.DEVNULL
    )
    os.close(write)
    said = b""
    with contextlib.suppress(OSError):  # what Linux says at the end
        while chunk := os.read(read, 65536):
            said += chunk
    os.close(read)
    assert done.wait(30) == 0
    text = said.decode()
    assert "1. " in text
    assert "\x1b[2J" not in text
    assert "\\x1b[2J\\n2. Nothing" in text
    assert "REVOKE" in text
