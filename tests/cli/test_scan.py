"""`proctor scan`: what a person, an editor or CI sees."""

import csv
import io
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from proctor.canary.file import NAME, write
from proctor.cli import scan as module
from proctor.cli.scan import scan
from proctor.errors import ConfigurationError
from proctor.redaction.keys import load_keys
from proctor.redaction.settings import RedactionSettings
from tests.redaction.finder import Finder
from tests.support.houses import house

APP = typer.Typer()
APP.command()(scan)
GOLDEN = Path(__file__).parents[1] / "golden/cli"
TEXT = "first\nmail alice@example.org or KEY-0F0F\x1b[2J now\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "load_detector", lambda _settings, **_options: Finder())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str, text: str | bytes = "") -> Result:
    return CliRunner().invoke(APP, args, input=text, env={"COLUMNS": "100"})


def test_json(folder: Path) -> None:
    (folder / "a.txt").write_text(TEXT)
    result = run("a.txt")
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)
    assert first == {
        "file": "a.txt", "line": 2, "column": 6, "end_line": 2, "end_column": 23,
        "type": "EMAIL_ADDRESS", "detector": "proctor:mail", "score": 0.5, "location": "body",
        "text": "mail <EMAIL_ADDRESS> or <API_KEY>\x1b[2J now",
    }  # fmt: skip
    assert (second["type"], second["column"]) == ("API_KEY", 27)
    assert "Looked at 1 file, 49 B: 2 findings." in result.stderr


@pytest.mark.parametrize("shape", ["table", "json", "csv", "sarif"])
def test_values_are_shown_only_where_asked_for(folder: Path, shape: str) -> None:
    (folder / "a.txt").write_text(TEXT)
    shown = run("a.txt", "--format", shape)
    assert shown.exit_code == 1
    assert "alice" not in shown.output
    assert "0F0F" not in shown.output
    asked = run("a.txt", "--format", shape, "--show-values")
    assert asked.exit_code == 1
    assert ("alice@example.org" in asked.stdout) is (shape != "sarif")


@pytest.mark.parametrize(("name", "args"), [("scan", ()), ("scan-values", ("--show-values",))])
def test_a_table(folder: Path, name: str, args: tuple[str, ...]) -> None:
    (folder / "a.txt").write_text(TEXT)
    (folder / "b.json").write_text('{"who": [\n "bob@example.org"]}')
    result = run("a.txt", "b.json", "--format", "table", *args)
    assert result.stdout == (GOLDEN / f"{name}.txt").read_text()


def test_csv(folder: Path) -> None:
    (folder / "a.txt").write_text(TEXT)
    first, *_ = csv.DictReader(io.StringIO(run("a.txt", "--format", "csv").stdout))
    assert (first["file"], first["line"], first["type"]) == ("a.txt", "2", "EMAIL_ADDRESS")


def test_sarif(folder: Path) -> None:
    (folder / "a.txt").write_text(TEXT)
    log = json.loads(run("a.txt", "--format", "sarif").stdout)
    assert [each["level"] for each in log["runs"][0]["results"]] == ["warning", "error"]


def test_standard_input() -> None:
    result = run("-", text=TEXT)
    assert [row["file"] for row in json.loads(result.stdout)] == ["stdin", "stdin"]
    assert run("-", text="nothing").exit_code == 0


def test_nothing_found(folder: Path) -> None:
    (folder / "a.txt").write_text("harmless")
    (folder / "empty").touch()
    result = run("a.txt", "empty")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])
    assert "Looked at 2 files, 8 B: 0 findings." in result.stderr
    assert run("a.txt", "--format", "table").stdout == ""


def test_a_folder(folder: Path) -> None:
    for name in ("src/deep/b.txt", "src/a.txt", "src/.git/config", "src/.env", "other.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("KEY-0F0F")
    (folder / "src/link.txt").symlink_to(folder / "other.txt")
    (folder / "src/image.png").write_bytes(b"\x89PNG\r\n\x1a\n1234")
    result = run("src")
    assert [row["file"] for row in json.loads(result.stdout)] == [
        "src/.env", "src/a.txt", "src/deep/b.txt",
    ]  # fmt: skip
    assert "Left out 1 binary file." in result.stderr
    assert "binary: src/image.png" in result.stderr


def test_what_was_not_looked_at_is_said_and_no_success(folder: Path) -> None:
    (folder / "a.txt").write_text("BROKEN")
    (folder / "b.txt").write_text("fine")
    result = run("a.txt", "b.txt")
    assert (result.exit_code, json.loads(result.stdout)) == (1, [])
    assert "not looked at whole: a.txt: A recognizer failed [redaction-detector]" in result.stderr


def test_too_large(folder: Path) -> None:
    config = house(folder, "rules: []\n", "redaction: {max_size: 10B}\n")
    (folder / "a.txt").write_text("x" * 11)
    (folder / "b.txt").write_text("x" * 10)
    result = run("a.txt", "b.txt", "--config", str(config))
    assert result.exit_code == 1
    assert "a.txt: larger than redaction.max_size, 10 B" in result.stderr
    assert "Looked at 1 file" in result.stderr


def test_as_proctor_yaml_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house(folder, "rules: []\n", "redaction: {profile: secrets}\n")
    asked: list[tuple[RedactionSettings, Path]] = []

    def detector(settings: RedactionSettings, *, cache: Path, canaries: object) -> Finder:
        assert canaries is None
        asked.append((settings, cache))
        return Finder()

    monkeypatch.setattr(module, "load_detector", detector)
    assert [row["type"] for row in json.loads(run("-", text=TEXT).stdout)] == ["API_KEY"]
    (folder / "proctor.yaml").unlink()
    assert len(json.loads(run("-", text=TEXT).stdout)) == 2
    (own, _), (default, cache) = asked
    assert (own.profile, default.profile) == ("secrets", "default")
    assert cache == folder / "cache/proctor"


def test_a_broken_configuration(folder: Path) -> None:
    (folder / "proctor.yaml").write_text("[]")
    assert isinstance(run("-").exception, ConfigurationError)
    assert isinstance(run("-", "--config", "nowhere.yaml").exception, ConfigurationError)


@pytest.mark.parametrize("args", [(), ("nowhere.txt",), ("-", "--format", "xml")])
def test_wrong_use(args: tuple[str, ...]) -> None:
    assert run(*args).exit_code == 2


def test_canaries_of_the_installation_are_looked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    def load(_settings: RedactionSettings, **options: object) -> Finder:
        given.append(options["canaries"])
        return Finder()

    monkeypatch.setattr(module, "load_detector", load)
    (folder / "a.txt").write_text("nothing")
    house(folder, "rules: []\n")
    run("a.txt")
    state = folder / ".proctor"
    keys = load_keys(state)
    write(state / NAME, ())
    run("a.txt")
    assert given == [None, (state / NAME, keys.digest)]
