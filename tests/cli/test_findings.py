"""`proctor findings`: the record's findings, and the exceptions to them."""

import json
import re
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from proctor.cli import make_app
from proctor.errors import ClientError, ConfigurationError
from proctor.redaction.exceptions import FILE, load
from tests.support.houses import house
from tests.support.recorded import SESSION, record, redacted

APP = make_app(only="findings")
DIGEST = "ab" * 16
KEY = "betterleaks:generic-api-key"
REASON = ("--reason", "A test key.")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return house(tmp_path, "rules: []\n")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("findings")
    record(folder / "recordings", redacted)
    return house(folder, "rules: []\n")


def run(config: Path, command: str, *args: str) -> Result:
    return CliRunner().invoke(APP, ["findings", command, *args, "--config", str(config)])


def test_list(recorded: Path) -> None:
    rows = json.loads(run(recorded, "list", "--format", "json").stdout)
    assert sorted(row["entity_type"] for row in rows) == [
        "EMAIL_ADDRESS", "PASSWORD", "PASSWORD", "PERSON",
    ]  # fmt: skip
    (mail,) = [row for row in rows if row["entity_type"] == "EMAIL_ADDRESS"]
    assert mail == {
        "ts": "2026-01-02T03:04:06.250000+00:00", "session_id": SESSION, "subject": "alice",
        "entity_type": "EMAIL_ADDRESS", "direction": "response", "location": "content[0].text",
        "detector": "betterleaks:dsn", "action": "surrogate", "digest": "c" * 32,
        "flow_id": "f0001-0000",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("args", "count"),
    [
        (("--type", "PASSWORD"), 2),
        (("--type", "PASSWOR"), 0),
        (("--session", SESSION[:9]), 4),
        (("--session", "%"), 0),
        (("--since", "1h"), 0),
        (("--since", "36500d"), 4),
        (("--limit", "3"), 3),
    ],
)
def test_list_less(recorded: Path, args: tuple[str, ...], count: int) -> None:
    result = run(recorded, "list", *args, "--format", "json")
    assert len(json.loads(result.stdout)) == count
    assert ("Nothing of the kind" in result.stderr) is (count == 0)


def test_list_of_nothing(config: Path) -> None:
    assert run(config, "list", "--format", "json").stdout == "[]\n"


def test_nothing_of_the_record_is_obeyed(recorded: Path) -> None:
    assert "\x1b" not in run(recorded, "list", "--format", "table").stdout


def test_allow_and_disallow(config: Path) -> None:
    path = config.parent / ".proctor" / FILE
    result = run(config, "allow", "--detector", KEY, "--digest", DIGEST, *REASON)
    assert result.exit_code == 0
    (item,) = load(path).items
    assert (item.detector, item.digest, item.path) == (KEY, DIGEST, "")
    assert (item.expires - item.created).days == 30
    assert item.by
    assert result.stdout.startswith(f"{item.id} allowed until ")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shown = json.loads(run(config, "allowed", "--format", "json").stdout)
    assert [(row["id"], row["state"], row["reason"]) for row in shown] == [
        (item.id, "in force", "A test key.")
    ]
    assert run(config, "disallow", item.id).exit_code == 0
    assert load(path).items == ()
    again = run(config, "disallow", item.id).exception
    assert isinstance(again, ClientError)
    assert again.code == "exception-unknown"


def test_allow_a_place_for_a_year(config: Path) -> None:
    where = "messages[*].content[0].text"
    result = run(config, "allow", "--detector", KEY, "--path", where, "--for", "365d", *REASON)
    assert result.exit_code == 0
    (item,) = load(config.parent / ".proctor" / FILE).items
    assert (item.path, (item.expires - item.created).days) == (where, 365)


@pytest.mark.parametrize(
    ("args", "option"),
    [
        (("--detector", KEY, *REASON), "--digest, --path"),
        (("--detector", "EMAIL_ADDRESS", "--digest", DIGEST, *REASON), "--detector"),
        (("--detector", KEY, "--digest", "abcd", *REASON), "--digest"),
        (("--detector", KEY, "--path", "[*]", *REASON), "--path"),
        (("--detector", KEY, "--digest", DIGEST, "--reason", ""), "--reason"),
        (("--detector", KEY, "--digest", DIGEST, "--for", "366d", *REASON), "--for"),
        (("--detector", KEY, "--digest", DIGEST, "--for", "ever", *REASON), "--for"),
        (("--detector", KEY, "--digest", DIGEST, "--for", "0d", *REASON), "--for"),
        (("--detector", KEY, "--digest", DIGEST), "--reason"),
        (("--digest", DIGEST, *REASON), "--detector"),
        (("--type", "EMAIL_ADDRESS", *REASON), "--type"),
    ],
)
def test_nothing_broad_or_endless(config: Path, args: tuple[str, ...], option: str) -> None:
    result = run(config, "allow", *args)
    assert result.exit_code == 2
    assert option in re.sub(r"\x1b\[[0-9;]*m", "", result.stderr)
    assert not (config.parent / ".proctor").exists()


def test_not_where_others_may_write(config: Path) -> None:
    state = config.parent / ".proctor"
    state.mkdir()
    state.chmod(0o777)
    error = run(config, "allow", "--detector", KEY, "--digest", DIGEST, *REASON).exception
    assert isinstance(error, ConfigurationError)
    assert error.code == "open-to-others"


def test_what_cannot_be_written_is_said(config: Path) -> None:
    state = config.parent / ".proctor"
    state.mkdir(mode=0o700)
    (state / "exceptions.lock").symlink_to("elsewhere")
    for args in (("allow", "--detector", KEY, "--digest", DIGEST, *REASON), ("disallow", "x")):
        error = run(config, *args).exception
        assert isinstance(error, ConfigurationError)
        assert error.code == "exceptions-unwritable"


def test_without_a_command_it_says_what_there_is() -> None:
    result = CliRunner().invoke(APP, ["findings"])
    for name in ("list", "allow", "disallow", "allowed"):
        assert name in result.output
