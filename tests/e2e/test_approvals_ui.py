"""Held flows at mitmproxy and mitmweb: marked, and decided by whoever signed in.

`proctor login` is the real one, with Chromium as its browser.
"""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from proctor.identity import local
from proctor.testing.ports import free_ports
from proctor.testing.standin import KEY, StandIn, serving
from tests.e2e.test_ui import Terminal, terminal  # noqa: F401 - a fixture
from tests.support.installation import Installation
from tests.support.reviewing import Person, chromium
from tests.support.stock import BODY, PATIENCE, start, stopped_at_end

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SHORT = "roles: {reviewer: {groups: [reviewers]}}\n"
HELD, PASSED, REFUSED = "✋", "✅", "⛔"
RULE = """\
rules:
  - id: long-answers
    on: llm.request
    when: llm.max_tokens == 77
    then: hold
    approval: {from: [reviewers], wait: 60s}
    reason: Long answers cost much.
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def install(folder: Path, standin: StandIn) -> Installation:
    made = Installation.build(folder, standin)
    made.config.write_text(made.config.read_text() + SHORT)
    (made.folder / "rules/long.yaml").write_text(RULE)
    return made


def ask(address: str, token: str) -> httpx.Response:
    """A request that the rule holds."""
    return httpx.post(
        f"http://{address}/v1/messages",
        json={**BODY, "max_tokens": 77},
        headers={"authorization": f"Bearer {token}", "anthropic-version": "2023-06-01"},
        timeout=300,
    )


def console_of(installed: Installation) -> str:
    found = re.search(r"console: \{listen: (\S+)\}", installed.config.read_text())
    assert found
    return f"http://{found[1]}"


def sign_in(browser: Browser, installed: Installation, home: Path) -> None:
    """Bob signs in to the console, and lets the command line of his home act for him."""
    bob = Person.sits_down(browser, console_of(installed))
    issuer = local.make(installed.folder / ".proctor" / local.FILE)
    bob.pastes(
        issuer.issue(
            subject="bob",
            groups=["reviewers"],
            audience="proctor-console",
            ttl=600,
            now=time.time(),
        )
    )
    assert "as bob until" in bob.logs_in(installed.config, home)
    bob.page.context.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """mitmweb with proctor in it, by its API."""

    api: httpx.Client

    def flows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get("/flows").json()
        return found

    def told(self) -> str:
        return str(self.api.get("/events").json())

    def command(self, name: str, *arguments: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.api.post(
            f"/commands/{name}", json={"arguments": list(arguments)}
        ).json()
        return answer


def until[T](found: Callable[[], T]) -> T:
    """What is found, once something is."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.05)):
        if got := found():
            return got
        pause.wait(0.05)
    raise AssertionError("it did not come")


def test_mitmweb(tmp_path: Path, browser: Browser) -> None:
    (port,) = free_ports(1)
    home = tmp_path / "home"
    with serving(StandIn()) as standin, ThreadPoolExecutor(1) as pool:
        installed = install(tmp_path / "installed", standin)
        options = ["--dev", "--ui", "web", "--ui-port", str(port)]
        with stopped_at_end(start(installed, *options, tool="proctor", home=home)) as stock:
            stock.wait_for("proctor takes traffic")
            shown = re.search(r"(http://127\.0\.0\.1:\d+/)\?token=(\w+)", stock.said)
            assert shown, stock.said
            number = "00" * 16
            with httpx.Client(
                base_url=shown[1],
                headers={"authorization": f"Bearer {shown[2]}", "x-xsrftoken": number},
                cookies={"_mitmproxy_xsrf": number},
                timeout=30,
            ) as api:
                web = Web(api=api)
                token = installed.token()

                def asking() -> tuple[Future[httpx.Response], dict[str, Any]]:
                    api.post("/clear")
                    answer = pool.submit(ask, f"127.0.0.1:{stock.port}", token)
                    held = until(lambda: [flow for flow in web.flows() if flow["marked"]])[0]
                    assert held["marked"] == HELD
                    assert "held by rule long-answers (ap_" in held["comment"]
                    assert "Long answers cost much." in held["comment"]
                    return answer, held

                answer, _ = asking()
                web.command("proctor.approve", "@all")
                until(lambda: "You are not signed in" in web.told())
                assert "proctor login" in web.told()
                assert not answer.done()
                assert not standin.requests

                sign_in(browser, installed, home)
                web.command("proctor.approve", "@all", "Fine")
                assert answer.result(PATIENCE).status_code == 200
                assert len(standin.requests) == 1
                done = until(lambda: [f for f in web.flows() if f["marked"] != HELD])
                assert done[0]["marked"] == PASSED
                assert re.search(r"approved by bob \(ap_\w+\)", done[0]["comment"])
                # What no longer waits is nobody's to decide.
                assert "No human is waited for" in str(web.command("proctor.deny", "@all"))

                answer, _ = asking()
                web.command("proctor.deny", "@all", "Ask", "for", "less")
                refused = answer.result(PATIENCE)
                assert refused.status_code == 451
                assert "Denied by bob: Ask for less." in refused.text
                assert len(standin.requests) == 1
                done = until(lambda: [f for f in web.flows() if f["marked"] != HELD])
                assert done[0]["marked"] == REFUSED


def test_the_console(tmp_path: Path, browser: Browser, terminal: Terminal) -> None:  # noqa: F811
    home = tmp_path / "home"
    home.mkdir()
    (port,) = free_ports(1)
    with serving(StandIn()) as standin, ThreadPoolExecutor(1) as pool:
        installed = install(tmp_path / "installed", standin)
        text = installed.config.read_text()
        own = f"console: {{listen: 127.0.0.1:{port}}}"
        installed.config.write_text(text.replace("console: {listen: 127.0.0.1:0}", own))
        program = (
            f"cd {installed.folder}; PYTHONPATH={':'.join(filter(None, sys.path))} "
            f"HOME={home} ANTHROPIC_API_KEY={KEY} LANG=C.UTF-8 {sys.executable} "
            "-c 'from proctor.cli import main; main()' run --dev --ui console; echo ended $?; cat"
        )
        terminal.tmux("new-session", "-d", "-x", "160", "-y", "30", program)
        screen = terminal.until("Flows", "[proctor:claude@")
        address = re.findall(r"\[(127\.0\.0\.1:\d+)\]", screen)[-1]
        token = installed.token()

        answer = pool.submit(ask, address, token)
        terminal.until("POST", HELD)
        terminal.tmux("send-keys", "Enter")
        terminal.until("Flow Details")
        terminal.tmux("send-keys", "Tab", "Tab")
        terminal.until("Comment: held by rule long-answers (ap_")
        terminal.tmux("send-keys", "q")
        terminal.until("Flows")
        terminal.tmux("send-keys", "Y")
        terminal.until("proctor.approve ap_")
        terminal.tmux("send-keys", "Enter")
        terminal.until("You are not signed in")
        assert not answer.done()

        sign_in(browser, installed, home)
        terminal.tmux("send-keys", "Y")
        terminal.until("proctor.approve ap_")
        terminal.tmux("send-keys", "Enter")
        assert answer.result(PATIENCE).status_code == 200
        terminal.until(PASSED, "200")

        answer = pool.submit(ask, address, token)
        terminal.until(HELD)
        terminal.tmux("send-keys", "G", "N")
        terminal.until("proctor.deny ap_")
        terminal.tmux("send-keys", "Ask for less", "Enter")
        refused = answer.result(PATIENCE)
        assert refused.status_code == 451
        assert "Denied by bob: Ask for less." in refused.text
        terminal.until(REFUSED)
        assert len(standin.requests) == 1
        terminal.tmux("send-keys", "q", "y")
        terminal.until("ended 0")
