"""`proctor grants`: asked for, listed, taken back."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from proctor.approval.model import State
from proctor.approval.views import grant_json
from proctor.cli import grants, make_app
from tests.approval import samples
from tests.cli.test_approvals import found
from tests.support.console import TOKEN, ConsoleStandIn, console_stand_in

APP = make_app(only="grants")
GRANT = "gr_" + "g" * 16


def grant(**changed: Any) -> dict[str, Any]:
    return grant_json(samples.grant(id=GRANT, **changed), datetime.now(UTC))


@pytest.fixture(scope="module")
def running() -> Iterator[ConsoleStandIn]:
    with console_stand_in() as stand:
        yield stand


@pytest.fixture
def stand(running: ConsoleStandIn, monkeypatch: pytest.MonkeyPatch) -> ConsoleStandIn:
    monkeypatch.setenv("PROCTOR_TOKEN", TOKEN)
    monkeypatch.setenv("PROCTOR_CONSOLE", running.url)
    running.reset()
    running.answers["GET grants"] = {"grants": [grant()]}
    return running


def run(*args: str) -> Result:
    return CliRunner().invoke(APP, ["grants", *args])


def test_list(stand: ConsoleStandIn) -> None:
    (row,) = json.loads(run("list").stdout)
    assert tuple(row) == grants.COLUMNS
    assert row["pattern"] == "Bash(rm *)"
    assert stand.asked[-1].query == {}
    assert len(run("list", "--all", "--format", "csv").stdout.splitlines()) == 2
    assert stand.asked[-1].query == {"all": "1"}
    assert "Bash(rm *)" in run("list", "--format", "table").stdout


def test_every_column_is_one_that_the_console_gives() -> None:
    assert set(grants.COLUMNS) == set(grant())


def test_an_empty_list(stand: ConsoleStandIn) -> None:
    stand.answers["GET grants"] = {"grants": []}
    done = run("list")
    assert (done.stdout, done.stderr) == ("[]\n", "Nothing is granted.\n")


ASKED = ("--rule", "shell", "--match", "Bash(rm -rf build)", "--for", "1h", "--reason", "To build.")


def test_request(stand: ConsoleStandIn) -> None:
    stand.answers["POST grants/requests"] = found()
    done = run("request", *ASKED)
    assert done.stdout == (
        "ap_aaaaaaaaaaaaaaaa: asked for. Until somebody has decided, nothing changes.\n"
    )
    wanted: dict[str, object] = {
        "rule": "shell", "kind": "llm.tool_use", "pattern": "Bash(rm -rf build)", "for": "1h",
        "reason": "To build.",
    }  # fmt: skip
    assert stand.asked[-1].body == wanted
    stand.answers["POST grants/requests"] = found(state=State.DENIED)
    more = ("--kind", "http.request", "--uses", "2", "--principal", "https://idp#bot")
    assert run("request", *ASKED, *more).stdout == "ap_aaaaaaaaaaaaaaaa denied.\n"
    more_wanted = {"kind": "http.request", "uses": 2, "principal": "https://idp#bot"}
    assert stand.asked[-1].body == wanted | more_wanted


@pytest.mark.parametrize(
    "args",
    [
        ASKED[2:],
        ASKED[:2] + ASKED[4:],
        ASKED[:4] + ASKED[6:],
        ASKED[:6],
        (*ASKED, "--for", "soon"),
        (*ASKED, "--kind", "x"),
        (*ASKED, "--uses", "0"),
    ],
)
def test_wrong_use(stand: ConsoleStandIn, args: tuple[str, ...]) -> None:
    assert run("request", *args).exit_code == 2
    assert stand.asked == []


def test_revoke(stand: ConsoleStandIn) -> None:
    stand.answers[f"DELETE grants/{GRANT}"] = grant()
    assert run("revoke", "g", "--reason", "Done.").stdout == f"{GRANT} revoked.\n"
    assert stand.asked[-1].body == {"reason": "Done."}
