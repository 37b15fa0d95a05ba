"""`proctor show`: what a person or a script sees."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from proctor.cli.show import show
from proctor.errors import ClientError, ProctorError
from tests.support.houses import house
from tests.support.recorded import HOSTILE, OTHER, SESSION, others, record, redacted, story
from tests.support.ventured import venture

APP = typer.Typer()
APP.command()(show)
GOLDEN = Path(__file__).parents[1] / "golden/cli"
ALICES = (SESSION, "--principal", "alice", "--width", "100")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("show")
    record(folder / "recordings", story, others)
    return house(folder, "rules: []\n")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guarded")
    record(folder / "recordings", redacted)
    return house(folder, "rules: []\n")


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("abroad")
    venture(folder / "recordings")
    return house(folder, "rules: []\n")


def run(config: Path, *args: str) -> Result:
    return CliRunner().invoke(APP, ["--config", str(config), *args])


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("show", ALICES),
        ("show-narrow", (*ALICES[:3], "--width", "60")),
        ("show-full", (*ALICES, "--full")),
        ("show-turn", (*ALICES, "--turn", "2", "--bodies")),
        ("show-flow", ("f1003", "--width", "100")),
    ],
)
def test_as_a_conversation(config: Path, name: str, args: tuple[str, ...]) -> None:
    result = run(config, *args)
    assert result.exception is None
    assert result.stdout == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize(
    ("name", "args"), [("show-findings", ()), ("show-findings-full", ("--full",))]
)
def test_what_was_found(guarded: Path, name: str, args: tuple[str, ...]) -> None:
    result = run(guarded, "--width", "100", *args)
    assert result.exception is None
    assert result.stdout == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize(
    ("name", "args"), [("show-outside", ()), ("show-outside-turn", ("--turn", "3", "--bodies"))]
)
def test_what_was_called_elsewhere(abroad: Path, name: str, args: tuple[str, ...]) -> None:
    result = run(abroad, "--width", "100", *args)
    assert result.exception is None
    assert result.stdout == (GOLDEN / f"{name}.txt").read_text()


def test_json_has_every_exchange_once(abroad: Path) -> None:
    found = json.loads(run(abroad, "--format", "json").stdout)
    turns = found["turns"]
    assert [turn["number"] for turn in turns] == list(range(1, 10))
    assert found["session"]["outside"] == sum(turn["outside"] for turn in turns) == 6
    assert turns[2]["belongs"] == {"turn": 1, "tool_use_id": "toolu_m1"}
    (made,) = (part for part in turns[0]["parts"] if part["type"] == "tool_call")
    (came,) = turns[2]["parts"]
    assert (made["over"], made["source"], came["over"], came["source"]) == ([3], "llm", [], "mcp")
    assert (came["held"][0]["state"], came["held"][0]["steps"][1]["reason"]) == (
        "used", "Go ahead.",
    )  # fmt: skip
    assert turns[3]["after"][0]["state"] == "cancelled"
    tunnel = turns[4]
    assert (tunnel["method"], tunnel["host"], tunnel["port"]) == (
        "CONNECT", "pinned.example.org", 443,
    )  # fmt: skip
    assert (tunnel["request_bytes"], tunnel["response_bytes"]) == (700, 9000)


def test_json_holds_receipts_and_findings(guarded: Path) -> None:
    first, refused, last = json.loads(run(guarded, "--format", "json").stdout)["turns"]
    assert [each["type"] for each in first["findings"]] == [
        "PASSWORD", "PASSWORD", "PERSON", "EMAIL_ADDRESS",
    ]  # fmt: skip
    assert first["findings"][3] == {
        "type": "EMAIL_ADDRESS", "location": "content[0].text", "direction": "response",
        "score": 0.9, "detector": "betterleaks:dsn", "action": "surrogate", "digest": "c" * 32,
    }  # fmt: skip
    assert first["receipts"]["request"]["skipped"] == [
        {"reason": "image", "bytes": 12_300},
        {"reason": "signed", "bytes": 700},
    ]
    assert first["receipts"]["response"]["looked"] == 800
    assert refused["receipts"]["request"]["failure"] == "redaction-budget"
    assert (last["findings"], list(last["receipts"])) == ([], ["request"])


@pytest.mark.parametrize("args", [(), ("last",), ("3f2b",), ("f1002",)])
def test_named_in_many_ways(config: Path, args: tuple[str, ...]) -> None:
    assert OTHER in run(config, *args).stdout


def test_json_holds_everything(config: Path) -> None:
    found = json.loads(run(config, *ALICES, "--format", "json").stdout)
    assert found["session"]["session_id"] == SESSION
    assert found["session"]["started_at"] == "2026-01-02T03:04:05+00:00"
    turns = found["turns"]
    assert [turn["number"] for turn in turns] == list(range(1, 11))
    assert [part["type"] for part in turns[0]["parts"]] == ["thinking", "text", "tool_call"]
    assert "line 39" in turns[0]["parts"][2]["result"]["content"]["text"]
    assert turns[1]["parts"][1]["result"]["content"]["text"] == HOSTILE
    assert (turns[4]["verdict"], turns[4]["rule_id"]) == ("deny", "no-remote-features")
    assert turns[7]["observed"][0]["rule_id"] == "watch-opus"
    assert turns[0]["request_body"] is None
    assert not {"prompt", "request_body", "parts", "seconds", "flow_id"} - set(turns[0])


def test_json_of_one_turn_with_bodies(config: Path) -> None:
    done = run(config, *ALICES, "--turn", "2", "--bodies", "--format", "json")
    (turn,) = json.loads(done.stdout)["turns"]
    assert turn["number"] == 2
    assert json.loads(turn["request_body"]["text"])["messages"]
    assert json.loads(turn["response_body"]["text"])["id"] == "msg_1"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--format", "csv"), "proctor query"),
        (("3f2b", "--bodies"), "--turn"),
        (("3f2b", "--width", "3"), "--width"),
    ],
)
def test_wrong_use(config: Path, args: tuple[str, ...], words: str) -> None:
    result = run(config, *args)
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("nope",), "session-unknown"),
        ((SESSION,), "session-ambiguous"),
        (("3f2b", "--turn", "2"), "turn-unknown"),
        (("last", "--principal", "carol"), "record-empty"),
    ],
)
def test_what_is_not_there(config: Path, args: tuple[str, ...], code: str) -> None:
    result = run(config, *args)
    assert isinstance(result.exception, ClientError)
    assert result.exception.code == code
    assert result.stdout == ""


@pytest.mark.parametrize("made", [False, True])
def test_an_empty_record(tmp_path: Path, made: bool) -> None:  # noqa: FBT001 - a case
    if made:
        record(tmp_path / "recordings")
    result = run(house(tmp_path, "rules: []\n"))
    assert isinstance(result.exception, ProctorError)
    assert result.exception.code == "record-empty"
