"""`proctor approvals`: what is asked of the console, and what is said of its answers."""

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from proctor.approval.model import Approval, State
from proctor.approval.views import approval_json
from proctor.cli import cards, make_app
from proctor.cli.console import Console
from proctor.errors import ClientError
from tests.approval import samples
from tests.support.console import TOKEN, ConsoleStandIn, console_stand_in

APP = make_app(only="approvals")


def approval(letter: str = "a", **changed: Any) -> Approval:
    now = datetime.now(UTC)
    whole: dict[str, Any] = {
        "id": f"ap_{letter * 16}",
        "asking": samples.asking(),
        "nonce": "the-nonce",
        "state": State.PENDING,
        "requested_at": now - timedelta(minutes=1),
        "expires_at": now + timedelta(minutes=29),
    }
    return Approval(**(whole | changed))


def found(letter: str = "a", **changed: Any) -> dict[str, Any]:
    return approval_json(approval(letter, **changed), datetime.now(UTC))


@pytest.fixture(scope="module")
def running() -> Iterator[ConsoleStandIn]:
    with console_stand_in() as stand:
        yield stand


@pytest.fixture
def stand(running: ConsoleStandIn, monkeypatch: pytest.MonkeyPatch) -> ConsoleStandIn:
    monkeypatch.setenv("PROCTOR_TOKEN", TOKEN)
    monkeypatch.setenv("PROCTOR_CONSOLE", running.url)
    running.reset()
    running.answers["GET approvals"] = {"approvals": [found("b"), found("a")]}
    running.answers["GET approvals/ap_" + "a" * 16] = found("a")
    return running


def run(*args: str) -> Result:
    return CliRunner().invoke(APP, ["approvals", *args])


def test_list(stand: ConsoleStandIn) -> None:
    older = datetime.now(UTC) - timedelta(hours=1)
    stand.answers["GET approvals"]["approvals"].append(found("c", requested_at=older))
    done = run("list")
    assert done.exit_code == 0
    rows = json.loads(done.stdout)
    assert [row["id"][3] for row in rows] == ["c", "b", "a"]
    assert rows[0]["summary"] == "rm -rf build"
    assert stand.asked[0].query == {"state": "pending", "limit": "500", "oldest": "1"}
    assert done.stderr == ""
    assert "nonce" not in done.stdout


def test_list_all_of_a_session_as_csv(stand: ConsoleStandIn) -> None:
    done = run("list", "--all", "--session", "s1", "--limit", "7", "--format", "csv")
    assert stand.asked[0].query == {"session": "s1", "limit": "7"}
    head, first, _ = csv.reader(io.StringIO(done.stdout))
    assert tuple(head) == cards.COLUMNS
    assert first[0] == "ap_" + "b" * 16


def test_broken_glass_is_told(stand: ConsoleStandIn) -> None:
    names = [f"ap_{letter * 16}" for letter in "abcdefg"]
    stand.answers["GET approvals"] |= {"unreviewed": names[:1]}
    said = "The glass was broken, and nobody has looked at it: "
    assert run("list").stderr.startswith(f"{said}{names[0]}. See ")
    stand.answers["GET approvals"] = {"approvals": [], "unreviewed": [*names[:6], "\x1b[2J"]}
    done = run("list", "--all")
    assert f"{said}{', '.join(names[:5])} and 2 more. " in done.stderr
    assert done.stdout == "[]\n"


@pytest.mark.usefixtures("stand")
def test_list_as_a_table() -> None:
    done = run("list", "--format", "table")
    assert "ap_bbbbbbbb " in done.stdout
    assert "rm -rf build" in done.stdout


def test_an_empty_list(stand: ConsoleStandIn) -> None:
    stand.answers["GET approvals"] = {"approvals": []}
    for output, expected in (("json", "[]\n"), ("table", ""), ("csv", ",".join(cards.COLUMNS))):
        done = run("list", "--format", output)
        assert done.stdout.strip() == expected.strip()
        assert done.stderr == "Nothing waits for you.\n"


def test_show(stand: ConsoleStandIn) -> None:
    done = run("show", "a")
    assert re.match(r"ap_a{16}  pending  \d+ min ", done.stdout)
    done = run("show", "ap_" + "a" * 16, "--format", "json")
    assert json.loads(done.stdout) == stand.answers["GET approvals/ap_" + "a" * 16]
    assert run("show", "a", "--format", "csv").exit_code == 2


def test_approve(stand: ConsoleStandIn) -> None:
    stand.answers[f"POST approvals/ap_{'a' * 16}/approve"] = found(
        state=State.APPROVED, grant_id="gr_x gr_y"
    )
    args = ("--reason", "Fine.", "--grant-for", "1h", "--uses", "3", "--pattern", "Bash(rm *)")
    done = run("approve", "a", *args)
    assert done.stdout == "ap_aaaaaaaaaaaaaaaa approved. Granted: gr_x, gr_y.\n"
    assert stand.asked[-1].body == {
        "reason": "Fine.", "grant_for": "1h", "uses": 3, "pattern": "Bash(rm *)",
    }  # fmt: skip
    run("approve", "a", "--break-glass", "--reason", "Fire.")
    assert stand.asked[-1].body == {"reason": "Fire.", "break_glass": True}
    run("approve", "a")
    assert stand.asked[-1].body == {}


def test_one_of_two(stand: ConsoleStandIn) -> None:
    stand.answers[f"POST approvals/ap_{'a' * 16}/approve"] = found()
    assert run("approve", "a").stdout == (
        "ap_aaaaaaaaaaaaaaaa: noted. It still needs somebody else.\n"
    )


def test_a_grant_needs_a_time(stand: ConsoleStandIn) -> None:
    assert run("approve", "a", "--uses", "3").exit_code == 2
    assert run("approve", "a", "--pattern", "x").exit_code == 2
    assert stand.asked == []


def test_deny(stand: ConsoleStandIn) -> None:
    stand.answers[f"POST approvals/ap_{'a' * 16}/deny"] = found(state=State.DENIED)
    assert run("deny", "a", "--reason", "No.").stdout == "ap_aaaaaaaaaaaaaaaa denied.\n"
    assert stand.asked[-1].body == {"reason": "No."}


def test_reveal(stand: ConsoleStandIn) -> None:
    path = f"POST approvals/ap_{'a' * 16}/reveal"
    stand.answers[path] = {"values": {"<PASSWORD>": "hun\x1b[2Jter2"}}
    done = run("reveal", "a", "--reason", "Is it the old one?")
    assert stand.asked[-1].body == {"reason": "Is it the old one?"}
    assert done.stderr == (
        "That you look at what ap_aaaaaaaaaaaaaaaa hides, and why, is put on record.\n"
    )
    assert done.stdout.split() == ["<PASSWORD>", "hunESC[2Jter2"]
    done = run("reveal", "a", "--reason", "x", "--format", "json")
    assert json.loads(done.stdout) == {"<PASSWORD>": "hun\x1b[2Jter2"}
    stand.answers[path] = {"values": {}}
    done = run("reveal", "a", "--reason", "x")
    assert done.stdout == ""
    assert done.stderr.endswith("It hides nothing.\n")
    asked = len(stand.asked)
    assert run("reveal", "a").exit_code == 2
    assert run("reveal", "a", "--reason", "x", "--format", "csv").exit_code == 2
    assert len(stand.asked) == asked
    odds: tuple[Any, ...] = ({}, {"values": ["x"]}, [])
    for odd in odds:
        stand.answers[path] = odd
        assert getattr(run("reveal", "a", "--reason", "x").exception, "code", "") == (
            "console-answer"
        )


def test_reviewed(stand: ConsoleStandIn) -> None:
    stand.answers[f"POST approvals/ap_{'a' * 16}/reviewed"] = found(state=State.USED)
    assert run("reviewed", "a").stdout == "ap_aaaaaaaaaaaaaaaa reviewed.\n"
    assert stand.asked[-1].body == {}
    run("reviewed", "a", "--reason", "The outage.")
    assert stand.asked[-1].body == {"reason": "The outage."}


def test_what_the_console_refuses_is_told(stand: ConsoleStandIn) -> None:
    refusal = ClientError("approval-not-yours", "You asked for it yourself", status=403)
    stand.answers[f"POST approvals/ap_{'a' * 16}/approve"] = refusal
    done = run("approve", "a")
    assert isinstance(done.exception, ClientError)
    assert done.exception.code == "approval-not-yours"


def test_nobody_is_signed_in(
    stand: ConsoleStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PROCTOR_TOKEN")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for args in (("list",), ("show", "a"), ("approve", "a"), ("deny", "a"), ("watch",)):
        done = run(*args)
        assert isinstance(done.exception, ClientError)
        assert done.exception.code == "not-signed-in"
    assert stand.asked == []


@pytest.mark.usefixtures("stand")
def test_watch_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    def events(_: Console) -> Iterator[dict[str, Any]]:
        yield {"seq": 1}
        yield {"seq": 2}
        raise KeyboardInterrupt

    monkeypatch.setattr(Console, "events", events)
    done = run("watch")
    assert done.exit_code == 0
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"seq": 1}, {"seq": 2}]
