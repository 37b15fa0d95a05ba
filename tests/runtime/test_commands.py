"""A person at mitmproxy decides as who they signed in as, without blocking anything."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy.addons import view
from mitmproxy.log import ALERT
from mitmproxy.test import taddons, tflow

from proctor.approval.model import State
from proctor.approval.views import approval_json
from proctor.cli import logins
from proctor.cli.console import Place
from proctor.cli.logins import Login
from proctor.errors import ClientError
from proctor.runtime import marks
from proctor.runtime.commands import KEYS, Commands
from tests.approval import samples
from tests.support.console import TOKEN, ConsoleStandIn, console_stand_in

A, B = "ap_" + "a" * 16, "ap_" + "b" * 16


@pytest.fixture(scope="module")
def running() -> Iterator[ConsoleStandIn]:
    with console_stand_in() as stand:
        yield stand


@pytest.fixture
def stand(
    running: ConsoleStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ConsoleStandIn:
    monkeypatch.delenv("PROCTOR_TOKEN", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    logins.write(logins.mine(), {running.url: Login(token=TOKEN, expires_at=later)})
    running.reset()
    return running


def found(state: State) -> dict[str, Any]:
    return approval_json(replace(samples.pending(), id=A, state=state), samples.NOW)


def run(stand: ConsoleStandIn, name: str, *args: str, held: tuple[str, ...] = (A,)) -> None:
    """A command, in a mitmproxy that shows one flow, until all that it started is done."""

    async def work() -> None:
        shown = view.View()
        commands = Commands(lambda: Place(url=stand.url))
        with taddons.context(shown, commands) as context:
            flow = tflow.tflow()
            for each in held:
                marks.held(flow, replace(samples.pending(), id=each))
            shown.add([flow])
            before = asyncio.all_tasks()
            context.master.commands.call_strings(name, list(args))
            await asyncio.gather(*(asyncio.all_tasks() - before))

    asyncio.run(work())


@pytest.mark.parametrize(
    ("command", "spec", "state"),
    [
        ("proctor.approve", "@focus", State.APPROVED),
        ("proctor.approve", "@all", State.APPROVED),
        ("proctor.approve", A, State.APPROVED),
        ("proctor.deny", "@focus", State.DENIED),
        ("proctor.deny", A, State.DENIED),
    ],
)
def test_decided(
    stand: ConsoleStandIn,
    caplog: pytest.LogCaptureFixture,
    command: str,
    spec: str,
    state: State,
) -> None:
    verb = command.removeprefix("proctor.")
    stand.answers[f"POST approvals/{A}/{verb}"] = found(state)
    with caplog.at_level(ALERT):
        run(stand, command, spec, "I", "have", "looked.")
    (asked,) = stand.asked
    assert (asked.method, asked.path) == ("POST", f"approvals/{A}/{verb}")
    assert asked.body == {"reason": "I have looked."}
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["user-agent"].startswith("proctor-ui/")
    (record,) = [each for each in caplog.records if each.levelno == ALERT]
    assert record.getMessage() == f"{A}: {state}"
    assert TOKEN not in caplog.text


def test_one_of_two(stand: ConsoleStandIn, caplog: pytest.LogCaptureFixture) -> None:
    stand.answers[f"POST approvals/{A}/approve"] = found(State.PENDING)
    with caplog.at_level(ALERT):
        run(stand, "proctor.approve", A)
    assert "still needs somebody else" in caplog.text


def test_a_refusal_is_told(stand: ConsoleStandIn, caplog: pytest.LogCaptureFixture) -> None:
    refusal = ClientError("approval-not-yours", "You asked for it yourself", status=403)
    stand.answers[f"POST approvals/{A}/approve"] = refusal
    run(stand, "proctor.approve", A)
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.getMessage() == f"{A}: You asked for it yourself"


def test_nobody_is_signed_in(stand: ConsoleStandIn, caplog: pytest.LogCaptureFixture) -> None:
    logins.mine().unlink()
    run(stand, "proctor.approve", A)
    assert "Run `proctor login" in caplog.text
    assert stand.asked == []


@pytest.mark.parametrize(
    ("held", "spec", "said"),
    [
        ((), "@focus", "No human is waited for"),
        ((A, B), "@focus", f"Name one of these: {A}, {B}"),
        ((A,), "@marked", ""),
        ((A,), "~u nowhere", "No human is waited for"),
        ((A,), A[:-1], "No human is waited for"),
        ((A,), f"{A}/../x", "No human is waited for"),
    ],
)
@pytest.mark.parametrize("command", ["proctor.approve", "proctor.deny"])
def test_what_is_meant_is_sure(
    stand: ConsoleStandIn, command: str, held: tuple[str, ...], spec: str, said: str
) -> None:
    if not said:
        stand.answers[f"POST approvals/{A}/{command[8:]}"] = found(State.APPROVED)
        run(stand, command, spec, held=held)
        assert len(stand.asked) == 1
        return
    with pytest.raises(exceptions.CommandError, match=said):
        run(stand, command, spec, held=held)
    assert stand.asked == []


def test_it_never_blocks(stand: ConsoleStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    stand.answers[f"POST approvals/{A}/approve"] = found(State.APPROVED)
    ticks: list[int] = []

    async def work() -> None:
        released = asyncio.Event()
        loop = asyncio.get_running_loop()

        def slow(*_: str) -> dict[str, str]:
            # answers only once the loop has gone on
            asyncio.run_coroutine_threadsafe(released.wait(), loop).result(30)
            return {"state": "approved"}

        commands = Commands(lambda: Place(url=stand.url))
        monkeypatch.setattr(commands, "_post", slow)
        with taddons.context(commands):
            before = asyncio.all_tasks()
            commands.approve(A)
            started = asyncio.all_tasks() - before
            ticks.append(len(started))
            released.set()
            await asyncio.gather(*started)

    asyncio.run(work())
    assert ticks == [1]


def test_the_prompt_names_the_approval_not_the_place(stand: ConsoleStandIn) -> None:
    prompted: list[list[str]] = []

    async def work() -> None:
        shown = view.View()
        commands = Commands(lambda: Place(url=stand.url))
        with taddons.context(shown, commands) as context:
            flow = tflow.tflow()
            marks.held(flow, replace(samples.pending(), id=A))
            shown.add([flow])

            def prompt(*words: str) -> None:
                prompted.append(list(words))

            context.master.commands.add("console.command", prompt)
            for verb in ("approve", "deny"):
                context.master.commands.execute(f"proctor.prompt {verb} @focus")
            with pytest.raises(exceptions.CommandError, match="expected one of"):
                context.master.commands.execute("proctor.prompt kill @focus")

    asyncio.run(work())
    assert prompted == [["proctor.approve", A], ["proctor.deny", A]]
    assert stand.asked == []


# In a process of its own: urwid leaves modules behind that Hypothesis cannot look at.
BOUND = """
import asyncio, json
from mitmproxy.test import taddons
from mitmproxy.tools.console import defaultkeys
from mitmproxy.tools.console.keymap import Keymap
from proctor.runtime.commands import Commands

async def main():
    with taddons.context() as context:
        keymap = context.master.keymap = Keymap(context.master)
        defaultkeys.map(keymap)
        before = [[each.key, each.contexts] for each in keymap.bindings]
        context.master.addons.add(Commands(None))
        after = {each.key: [each.command, each.contexts] for each in keymap.bindings}
    print(json.dumps([before, after]))

asyncio.run(main())
"""


def test_the_keys_are_free() -> None:
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", BOUND], env=environment, capture_output=True, check=True
    )
    before, after = json.loads(done.stdout)
    for key, does, _ in KEYS:
        assert after[key] == [does, ["flowlist", "flowview"]]
        assert all(
            key != taken or not {"flowlist", "flowview", "global", "commonkey"} & set(contexts)
            for taken, contexts in before
        )
