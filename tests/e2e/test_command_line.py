"""The command line against a real console: signed in by a browser, deciding in the real store."""

import asyncio
import json
import socket
import threading
import webbrowser
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from typer.testing import CliRunner, Result

from proctor.approval.desk import Desk
from proctor.approval.model import Approval, Asking, State
from proctor.approval.sqlite import SqliteStore
from proctor.cli import logins, make_app
from proctor.cli.console import console_at
from proctor.console.app import make_console
from proctor.errors import ClientError
from proctor.model import ApprovalTerms
from tests.approval import samples
from tests.support.signing import HTML, Provider, agents, csrf_of, rig

pytestmark = [pytest.mark.e2e]


@dataclass(slots=True, kw_only=True)
class Running:
    """A console on a port of its own, and the loop it runs in."""

    url: str
    provider: Provider
    desk: Desk
    loop: asyncio.AbstractEventLoop

    def do[T](self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def ask(self, **changed: Any) -> Approval:
        terms = ApprovalTerms(
            rule_id="shell", rule_reason="Look.", from_groups=("dba",), grant=timedelta(hours=1)
        )
        asking: Asking = samples.asking(demands=(terms,), **changed)
        return self.do(self.desk.ask(asking))

    def browse(self, address: str) -> bool:
        """A person signs in and lets the command line act; in a thread, as a browser is."""
        self.browsing.submit(self._browse, address)
        return True

    browsing: ThreadPoolExecutor

    def _browse(self, address: str) -> None:
        with httpx.Client(headers=HTML, trust_env=False, timeout=30) as browser:
            page = browser.get(address)
            while page.is_redirect:
                where = page.headers["location"]
                if where.startswith(self.provider.url):
                    where = self.provider.authorize(where)
                page = browser.get(httpx.URL(self.url).join(where))
            query = dict(httpx.URL(address).params)
            form = {**query, "answer": "yes", "csrf": csrf_of(page)}
            back = browser.post(f"{self.url}/login/cli", data=form)
            assert browser.get(back.headers["location"]).status_code == 200


class _Server(uvicorn.Server):
    ready: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()


@contextmanager
def console(folder: Path) -> Iterator[Running]:
    opened = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{opened.getsockname()[1]}"
    up, ended = threading.Event(), threading.Event()
    found: list[Running] = []

    async def serve(provider: Provider, browsing: ThreadPoolExecutor) -> None:
        async def record(*_: object) -> None:
            """The record is another test's."""

        desk = Desk(
            SqliteStore(folder / "store" / "approvals.db"),
            clock=lambda: datetime.now(UTC),
            record=record,
            open_sealed=lambda _: {},
        )
        await desk.start()
        async with rig(provider, folder, address=url) as one:

            async def secret(_: object) -> str:
                return "x"

            async def admit(token: str) -> Any:
                return agents(token)

            made = make_console(
                replace(one.house, desk=desk), admit=admit, fetch=one.fetch, secret=secret
            )
            config = uvicorn.Config(made.app, log_config=None, lifespan="off")
            server = _Server(config)
            server.ready = up.set
            loop = asyncio.get_running_loop()
            found.append(
                Running(url=url, provider=provider, desk=desk, loop=loop, browsing=browsing)
            )
            running = asyncio.ensure_future(server.serve([opened]))
            await asyncio.to_thread(ended.wait)
            server.should_exit = True
            server.force_exit = True
            await running
            await made.close()
        await desk.close()

    with Provider() as provider, ThreadPoolExecutor(1) as browsing:
        thread = threading.Thread(target=lambda: asyncio.run(serve(provider, browsing)))
        thread.start()
        try:
            assert up.wait(30)
            yield found[0]
        finally:
            ended.set()
            thread.join(15)
    assert not thread.is_alive()


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PROCTOR_TOKEN", raising=False)
    with console(tmp_path) as made:
        monkeypatch.setenv("PROCTOR_CONSOLE", made.url)
        monkeypatch.setattr(webbrowser, "open", made.browse)
        yield made


def run(*args: str, code: int | None = 0) -> Result:
    done = CliRunner().invoke(make_app(only=args[0]), list(args))
    if code is not None:
        assert done.exit_code == code, (done.output, done.exception)
    return done


def refusal(*args: str) -> str:
    error = run(*args, code=1).exception
    assert isinstance(error, ClientError), error
    return error.code


def login(running: Running, subject: str, *groups: str) -> None:
    running.provider.subject, running.provider.groups = subject, list(groups)
    done = run("login")
    assert f"Signed in to {running.url} as " in done.stdout


def test_a_second_person_decides(running: Running) -> None:
    held = running.ask()
    assert refusal("approvals", "list") == "not-signed-in"

    # The human behind the bot that asks, then somebody of another group, then the right one.
    login(running, "alice", "dba")
    assert refusal("approvals", "approve", held.id) == "approval-not-yours"
    login(running, "dave", "other")
    assert refusal("approvals", "approve", held.id) in {"approval-role", "approval-group"}
    assert json.loads(run("approvals", "list", code=None).stdout or "[]") == []
    login(running, "bob", "dba")
    (row,) = json.loads(run("approvals", "list").stdout)
    assert (row["id"], row["summary"], row["rules"]) == (held.id, "rm -rf build", ["shell"])
    card = run("approvals", "show", held.id[:9]).stdout
    assert "rm -rf build" in card
    assert "needs 1 person of dba, grants up to 1h" in card

    args = ("--reason", "Fine.", "--grant-for", "30m", "--uses", "2")
    said = run("approvals", "approve", held.id[3:9], *args).stdout
    assert said.startswith(f"{held.id} approved. Granted: gr_")
    found = running.do(running.desk.settled(held.id, datetime.now(UTC)))
    assert found.state is State.APPROVED
    assert [(vote.name or vote.reviewer.rpartition("#")[2], vote.via) for vote in found.votes] == [
        ("bob", "cli")
    ]
    assert refusal("approvals", "deny", "ap_" + "z" * 16) == "approval-unknown"

    (grant,) = json.loads(run("grants", "list").stdout)
    assert (grant["pattern"], grant["uses"], grant["open"]) == ("Bash(rm -rf build)", 2, True)
    assert run("grants", "revoke", grant["id"][:8]).stdout == f"{grant['id']} revoked.\n"
    assert json.loads(run("grants", "list").stdout) == []

    run("login", "--out")
    assert logins.read(logins.mine()) == {}
    assert refusal("approvals", "list") == "not-signed-in"


def test_kill_and_lift_need_an_admin(running: Running) -> None:
    login(running, "bob", "dba")
    assert refusal("kill", "all", "--reason", "x") == "approval-role"
    login(running, "carol", "root")
    run("kill", "session", "s1", "--reason", "It loops.")
    assert running.desk.killed("p", "s", None, "s1") is not None
    (row,) = json.loads(run("kill", "list").stdout)
    assert (row["scope"], row["target"], row["reason"]) == ("session", "s1", "It loops.")
    assert run("kill", "--lift").stdout == "The session s1 may run again.\n"
    assert running.desk.killed("p", "s", None, "s1") is None
    assert json.loads(run("kill", "list").stdout) == []


def test_what_happens_is_followed(running: Running, tmp_path: Path) -> None:
    login(running, "bob", "dba")
    with console_at(running.url, tmp_path / "none.yaml") as api, ThreadPoolExecutor(1) as pool:
        events = api.events()
        first = pool.submit(next, events)
        # Whether the stream is open yet cannot be seen from here, so asking is repeated.
        for number in range(500):
            running.ask(digest=f"d{number}")
            if first.done():
                break
        change = first.result(30)
        assert (change["subject"], change["state"]) == ("approval", "pending")
        events.close()  # type: ignore[attr-defined]  # it is a generator
