"""`proctor kill`: what ends, what is asked before, and how it is lifted."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from proctor.approval.model import KillScope
from proctor.approval.views import kill_json
from proctor.cli import kill as command
from proctor.cli import make_app
from proctor.errors import ClientError
from tests.approval import samples
from tests.support.console import TOKEN, ConsoleStandIn, console_stand_in

APP = make_app(only="kill")


def kill(letter: str = "k", **changed: Any) -> dict[str, Any]:
    return kill_json(samples.kill(id=f"ki_{letter * 16}", **changed))


ALL = kill("a", scope=KillScope.ALL, target="")
ALICE = kill("p", scope=KillScope.PRINCIPAL, target="alice")


@pytest.fixture(scope="module")
def running() -> Iterator[ConsoleStandIn]:
    with console_stand_in() as stand:
        yield stand


@pytest.fixture
def stand(running: ConsoleStandIn, monkeypatch: pytest.MonkeyPatch) -> ConsoleStandIn:
    monkeypatch.setenv("PROCTOR_TOKEN", TOKEN)
    monkeypatch.setenv("PROCTOR_CONSOLE", running.url)
    running.reset()
    running.answers["GET kills"] = {"kills": [kill(), ALICE]}
    return running


def run(*args: str, said: str | None = None) -> Result:
    return CliRunner().invoke(APP, ["kill", *args], input=said)


@pytest.mark.parametrize(
    ("args", "answer", "body", "told"),
    [
        (("session", "s1"), kill(), {"scope": "session", "target": "s1"}, "The session s1"),
        (("principal", "alice"), ALICE, {"scope": "principal", "target": "alice"}, "The principal"),
        (("all",), ALL, {"scope": "all"}, "Everything is ended"),
    ],
)
def test_kill(
    stand: ConsoleStandIn, args: tuple[str, ...], answer: Any, body: Any, told: str
) -> None:
    stand.answers["POST kills"] = answer
    done = run(*args, "--reason", "It loops.")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(told)
    assert f"`proctor kill --lift {answer['id']}`" in done.stdout
    assert stand.asked[-1].body == body | {"reason": "It loops."}


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("everything",),
        ("session",),
        ("principal",),
        ("all", "s1"),
        ("list", "s1"),
        ("session", "s1", "--reason", " "),
        ("session", "s1"),
    ],
)
def test_wrong_use(stand: ConsoleStandIn, args: tuple[str, ...]) -> None:
    reason = () if args == ("session", "s1") or "--reason" in args else ("--reason", "x")
    assert run(*args, *reason).exit_code == 2
    assert stand.asked == []


@pytest.mark.parametrize(("said", "asked"), [("y\n", 1), ("n\n", 0), ("\n", 0), ("", 0)])
def test_all_is_asked_for_twice_in_a_terminal(
    stand: ConsoleStandIn, monkeypatch: pytest.MonkeyPatch, said: str, asked: int
) -> None:
    class Terminal:
        @property
        def stdin(self) -> Any:
            class Here:
                def isatty(self) -> bool:
                    return True

            return Here()

    monkeypatch.setattr(command, "sys", Terminal())
    stand.answers["POST kills"] = ALL
    done = run("all", "--reason", "x", said=said)
    assert done.exit_code == 1 - asked
    assert len(stand.asked) == asked
    assert "Really end everything" in done.stderr
    assert run("all", "--reason", "x", "--yes", said="").exit_code == 0
    assert sys.stdin is not None


def test_list(stand: ConsoleStandIn) -> None:
    rows = json.loads(run("list").stdout)
    assert [row["target"] for row in rows] == ["s1", "alice"]
    assert tuple(rows[0]) == command.COLUMNS
    assert set(command.COLUMNS) == set(kill())
    assert stand.asked[-1].query == {}
    run("list", "--all")
    assert stand.asked[-1].query == {"all": "1"}
    stand.answers["GET kills"] = {"kills": []}
    assert run("list").stderr == "Nothing is ended.\n"


@pytest.mark.parametrize(
    ("args", "meant"),
    [
        (("ki_" + "p" * 16,), ALICE),
        (("p",), ALICE),
        (("session",), kill()),
        (("session", "s1"), kill()),
        (("principal", "alice"), ALICE),
    ],
)
def test_lift(stand: ConsoleStandIn, args: tuple[str, ...], meant: dict[str, Any]) -> None:
    stand.answers[f"DELETE kills/{meant['id']}"] = meant
    done = run(*args, "--lift", "--reason", "Over.")
    assert done.stdout == f"The {meant['scope']} {meant['target']} may run again.\n"
    assert stand.asked[-1].body == {"reason": "Over."}


def test_lift_the_only_one(stand: ConsoleStandIn) -> None:
    stand.answers["GET kills"] = {"kills": [ALL]}
    stand.answers[f"DELETE kills/{ALL['id']}"] = ALL
    assert run("--lift").stdout == "Everything may run again.\n"


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ((), "id-ambiguous"),
        (("all",), "kill-unknown"),
        (("session", "s2"), "kill-unknown"),
        (("nothing",), "id-unknown"),
    ],
)
def test_what_cannot_be_lifted(stand: ConsoleStandIn, args: tuple[str, ...], code: str) -> None:
    done = run(*args, "--lift")
    assert isinstance(done.exception, ClientError)
    assert done.exception.code == code
    assert all(each.method == "GET" for each in stand.asked)
