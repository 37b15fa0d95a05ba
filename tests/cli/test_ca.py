"""`proctor ca`: what is shown, what is exported, and the steps of a rotation."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner, Result

from proctor.cli import ca as module
from proctor.cli import make_app
from proctor.egress import bundle, cafile
from proctor.egress.certificates import CA_LIFE
from proctor.egress.constraints import Constraints
from proctor.errors import ClientError, ConfigurationError
from tests.support.houses import house

APP = make_app(only="ca")
PERMITTED = "ca: {permitted: [corp.example, 10.0.0.0/8]}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return house(tmp_path, "rules: []\n")


def run(config: Path, command: str, *args: str, answer: str | None = None) -> Result:
    words = ["ca", command, *args, "--config", str(config)]
    return CliRunner().invoke(APP, words, input=answer)


def rows(config: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(run(config, "show", "--format", "json").stdout)
    return found


def done(config: Path, *args: str) -> str:
    result = run(config, "rotate", *args, "--yes")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_there_is_none_until_it_is_exported(config: Path) -> None:
    missing = run(config, "show").exception
    assert isinstance(missing, ConfigurationError)
    assert missing.code == "ca-missing"
    result = run(config, "export")
    assert result.exit_code == 0
    exported = x509.load_pem_x509_certificate(result.stdout_bytes)
    (row,) = rows(config)
    assert row["subject"] == exported.subject.rfc4514_string()
    assert (row["role"], row["constraints"]) == ("signs", "none")
    assert run(config, "export").stdout_bytes == result.stdout_bytes
    assert "PRIVATE" not in result.output


def test_show_in_every_form(config: Path) -> None:
    run(config, "export")
    (row,) = rows(config)
    table = run(config, "show", "--format", "table").stdout
    comma = run(config, "show", "--format", "csv").stdout
    assert comma.splitlines()[0] == ",".join(module.COLUMNS)
    assert row["fingerprint"] in comma
    assert row["fingerprint"] in table.replace(" ", "")
    assert row["not_after"][:10] in table
    assert json.loads(run(config, "show").stdout) == [row]


def test_constraints_take_effect_with_the_next_authority(tmp_path: Path) -> None:
    config = house(tmp_path, "rules: []\n")
    run(config, "export")
    assert "has changed" not in run(config, "show").stderr
    house(tmp_path, "rules: []\n", PERMITTED)
    assert "`ca.permitted` has changed" in run(config, "show").stderr
    done(config, "--prepare")
    done(config, "--switch")
    assert [row["constraints"] for row in rows(config)] == ["corp.example, 10.0.0.0/8", "none"]
    assert "has changed" not in run(config, "show").stderr


def test_an_authority_that_ends_soon(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(config, "export")
    assert "ends soon" not in run(config, "show").stderr
    end = datetime.now(UTC) + CA_LIFE
    monkeypatch.setattr(module, "_now", lambda: end - timedelta(days=89))
    assert "ends soon" in run(config, "show").stderr
    monkeypatch.setattr(module, "_now", lambda: end + timedelta(days=1))
    none = run(config, "export").exception
    assert isinstance(none, ClientError)
    assert none.code == "ca-none"


def test_export_to_a_file(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "ca.pem"
    result = run(config, "export", "--out", str(out))
    assert (result.exit_code, result.stdout) == (0, "")
    assert rows(config)[0]["id"] in result.stderr
    assert out.read_bytes() == run(config, "export").stdout_bytes
    assert stat.S_IMODE(out.stat().st_mode) == 0o644


def test_export_as_der(config: Path) -> None:
    result = run(config, "export", "--format", "der")
    signs = cafile.load(cafile.path_in(config.parent / ".proctor")).signs
    assert result.stdout_bytes == bundle.as_der(signs)
    done(config, "--prepare")
    wrong = run(config, "export", "--format", "der")
    assert wrong.exit_code == 2
    assert "--only" in wrong.stderr
    only = run(config, "export", "--format", "der", "--only", signs.id)
    assert only.stdout_bytes == result.stdout_bytes


def test_export_as_a_bundle(config: Path) -> None:
    own = run(config, "export").stdout
    result = run(config, "export", "--format", "bundle")
    assert result.stdout.endswith(own)
    assert result.stdout.count("BEGIN CERTIFICATE") > 50
    assert run(config, "export", "--format", "bundle", "--only", "x").exit_code == 2


def test_export_of_one_that_is_not_there(config: Path) -> None:
    error = run(config, "export", "--only", "00000000").exception
    assert isinstance(error, ClientError)
    assert error.code == "ca-none"


def test_a_rotation(config: Path) -> None:
    first = run(config, "export").stdout
    told = done(config, "--prepare")
    both = run(config, "export").stdout
    assert both.startswith(first)
    (old, upcoming) = rows(config)
    assert (old["role"], upcoming["role"]) == ("signs", "next")
    assert told.startswith(upcoming["id"])
    assert done(config, "--switch").startswith(f"{upcoming['id']} signs")
    assert [(row["id"], row["role"]) for row in rows(config)] == [
        (upcoming["id"], "signs"), (old["id"], "old"),
    ]  # fmt: skip
    assert first in run(config, "export").stdout
    done(config, "--drop", old["id"])
    assert first not in run(config, "export").stdout
    found = cafile.load(cafile.path_in(config.parent / ".proctor"))
    assert (len(found.cas), found.step) == (1, "drop")
    assert found.by


@pytest.mark.parametrize(
    "args",
    [
        (), ("--prepare", "--switch"), ("--prepare", "--switch", "--drop"), ("--switch", "abcd"),
    ],
)  # fmt: skip
def test_one_step_at_a_time(config: Path, args: tuple[str, ...]) -> None:
    run(config, "export")
    assert run(config, "rotate", *args, "--yes").exit_code == 2
    assert len(rows(config)) == 1


def test_steps_out_of_order(config: Path) -> None:
    run(config, "export")
    for step in ("--switch", "--drop"):
        error = run(config, "rotate", step, "--yes").exception
        assert isinstance(error, ClientError)
        assert error.code == "ca-step"


def test_nobody_is_asked_where_nobody_is_there(config: Path) -> None:
    run(config, "export")
    result = run(config, "rotate", "--prepare", answer="y\n")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert len(rows(config)) == 1


@pytest.mark.parametrize(("answer", "count"), [("y\n", 2), ("n\n", 1), ("\n", 1)])
def test_in_a_terminal_it_asks(
    config: Path, answer: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(config, "export")
    monkeypatch.setattr(module, "_terminal", lambda _: True)
    result = run(config, "rotate", "--prepare", answer=answer)
    assert "It signs nothing yet." in result.stderr
    assert result.exit_code == (0 if count == 2 else 1)
    assert len(rows(config)) == count


def test_der_is_not_written_to_a_terminal(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_terminal", lambda _: True)
    result = run(config, "export", "--format", "der")
    assert result.exit_code == 2
    assert "--out" in result.stderr


def test_nothing_is_rotated_before_there_is_one(config: Path) -> None:
    error = run(config, "rotate", "--prepare", "--yes").exception
    assert isinstance(error, ConfigurationError)
    assert error.code == "ca-missing"


def test_a_key_open_to_others(config: Path) -> None:
    run(config, "export")
    path = cafile.path_in(config.parent / ".proctor")
    path.chmod(0o644)
    for words in (("show",), ("export",), ("rotate", "--prepare", "--yes")):
        error = run(config, *words).exception
        assert isinstance(error, ConfigurationError)
        assert error.code == "open-to-others"


def test_the_help_explains_the_steps() -> None:
    text = CliRunner().invoke(APP, ["ca", "rotate", "--help"]).output
    for word in ("1. --prepare", "2. --switch", "3. --drop", "leaked"):
        assert word in text


def test_constraints_of_the_first(tmp_path: Path) -> None:
    config = house(tmp_path, "rules: []\n", PERMITTED)
    run(config, "export")
    signs = cafile.load(cafile.path_in(tmp_path / ".proctor")).signs
    assert signs.constraints == Constraints.parse(["corp.example", "10.0.0.0/8"])
