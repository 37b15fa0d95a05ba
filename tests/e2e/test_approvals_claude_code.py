"""The real Claude Code wants to delete a folder, and a second person decides it in a browser."""

import json
import os
import time
import uuid
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from subprocess import CompletedProcess

import httpx
import pytest
from playwright.sync_api import Browser, Locator, expect

from proctor.identity import local
from proctor.testing.gateway import Gateway, running
from proctor.testing.service import MODELS, Fault
from proctor.testing.standin import StandIn, serving
from tests.e2e.conftest import ClaudeCode, needs_claude_code
from tests.support.installation import Installation
from tests.support.reviewing import Person, chromium

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROLES = "roles: {reviewer: {groups: [reviewers]}}\n"
HURRY = """\
rules:
  - id: deletes-drafts
    on: llm.tool_use
    match: Bash(rm -r drafts)
    then: hold
    approval: {from: [reviewers], wait: 2s, ttl: 2s}
    reason: Drafts go at once or not at all.
"""
"""As the shipped rule, for one folder and with less time."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    needs_claude_code()
    with chromium() as started:
        yield started


@dataclass(kw_only=True)
class Desk:
    """Alice's Claude Code in a folder, one session, and Bob before the console."""

    claude: ClaudeCode
    bob: Person
    token: str
    gateway: Gateway
    installed: Installation
    pool: ThreadPoolExecutor
    session: str = field(default_factory=lambda: str(uuid.uuid4()))
    began: bool = False

    def folder(self, name: str = "letters") -> Path:
        """A folder with something in it, where Claude Code works."""
        made = self.claude.folder / "work" / name
        made.mkdir(exist_ok=True)
        (made / "first.txt").write_text("Dear Jane,\n")
        return made

    def tell(self, prompt: str) -> Future[CompletedProcess[str]]:
        """A prompt; `-c` continues the session."""
        options = ["-c"] if self.began else ["--session-id", self.session]
        self.began = True
        return self.pool.submit(self.claude.run, *options, prompt, token=self.token)

    def approvals(self) -> list[tuple[str, str]]:
        """State and reason of every change, in order."""
        sql = "select state, reason from approvals where session_id = $session order by seq"
        return [
            (row["state"], row["reason"] or "") for row in self.installed.query(sql, self.session)
        ]


def said(done: Future[CompletedProcess[str]]) -> str:
    """What Claude Code wrote, once it has ended well."""
    ended = done.result(120)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def seat(
    gateway: Gateway, installed: Installation, bob: Person, folder: Path, pool: ThreadPoolExecutor
) -> Desk:
    for name in ("home", "work"):
        (folder / name).mkdir()
    return Desk(
        claude=ClaudeCode(folder=folder, url=gateway.url("claude")),
        bob=bob,
        token=installed.token(),
        gateway=gateway,
        installed=installed,
        pool=pool,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with serving(StandIn()) as standin:
        made = Installation.build(tmp_path_factory.mktemp("dev") / "home", standin)
        made.config.write_text(made.config.read_text() + ROLES)
        (made.folder / "rules/hurry.yaml").write_text(HURRY)
        yield made


@pytest.fixture(scope="module")
def under_dev(installed: Installation) -> Iterator[Gateway]:
    with running(installed.config, env=installed.env, arguments=["--dev"]) as gateway:
        yield gateway


@pytest.fixture
def desk(
    installed: Installation, under_dev: Gateway, browser: Browser, tmp_path: Path
) -> Iterator[Desk]:
    """Bob signed in with a token of the local issuer."""
    bob = Person.sits_down(browser, f"http://{under_dev.console}")
    issuer = local.make(installed.folder / ".proctor" / local.FILE)
    bob.pastes(
        issuer.issue(
            subject="bob",
            groups=["reviewers"],
            audience="proctor-console",
            ttl=3600,
            now=time.time(),
        )
    )
    installed.standin.requests.clear()
    with ThreadPoolExecutor(1) as pool:
        yield seat(under_dev, installed, bob, tmp_path, pool)
    bob.page.context.close()


def test_approved_denied_and_decided_by_nobody(desk: Desk) -> None:
    bob = desk.bob

    letters = desk.folder()
    waiting = desk.tell("run: rm -rf letters")
    bob.sees("rm -rf letters")
    bob.keeps("inbox")
    assert not waiting.done()
    assert letters.exists()
    bob.page.get_by_role("link", name="on a page of its own").click()
    bob.keeps("card")
    bob.approves()
    assert "The tool said:" in said(waiting)
    assert not letters.exists()

    letters = desk.folder()
    bob.waits()
    waiting = desk.tell("run: rm -rf ./letters")
    bob.sees("rm -rf ./letters")
    bob.denies("The letters are not sent yet")
    bob.keeps("denied")
    words = said(waiting)
    assert "Denied by bob: The letters are not sent yet." in words
    assert "(rule deletes-folders)" in words
    assert "Bash was not run." in words
    assert letters.exists()
    # Nobody tells the model why but its own history.
    words = said(desk.tell("why?"))
    assert words.startswith("I did not do it, since I was told this: “Denied by bob: The letters")

    drafts = desk.folder("drafts")
    words = said(desk.tell("run: rm -r drafts"))
    assert "Nobody decided in time, so it has expired." in words
    assert "Bash was not run." in words
    assert drafts.exists()

    assert desk.approvals() == [
        ("pending", ""),
        ("approved", ""),
        ("used", ""),
        ("pending", ""),
        ("denied", "The letters are not sent yet"),
        ("pending", ""),
        ("expired", "Nobody decided in time."),
    ]
    bob.page.goto(f"{bob.address}/sessions")
    bob.keeps("sessions")
    bob.page.get_by_role("link", name=desk.session[:8]).click()
    expect(bob.page.get_by_role("heading", name="Session")).to_contain_text(desk.session)
    bob.keeps("timeline")
    turns = bob.page.locator("li.turn")
    expect(turns).to_have_count(5)
    assert [told(held) for held in bob.page.locator(".held").all()] == [
        ("rm -rf letters", ["held by alice", "approved by bob", "used"]),
        ("rm -rf ./letters", ["held by alice", "denied by bob: “The letters are not sent yet”"]),
        ("rm -r drafts", ["held by alice", "expired: “Nobody decided in time.”"]),
    ]
    expect(turns.nth(3)).to_contain_text("I did not do it, since I was told this")


def test_a_stream_that_breaks_after_the_denial(desk: Desk) -> None:
    # Claude Code keeps what it was told, and asks the model to go on from there.
    standin = desk.installed.standin
    standin.faults.append(Fault.STREAM_ERROR)
    letters = desk.folder()
    waiting = desk.tell("run: rm -rf letters\nlong: 400")
    desk.bob.sees("rm -rf letters")
    desk.bob.denies("Not today")
    said(waiting)
    assert letters.exists()
    _, again = (request.json()["messages"] for request in standin.requests)
    assert "[proctor: Denied by bob: Not today." in json.dumps(again)
    assert "cut off" in json.dumps(again[-1])
    assert [state for state, _ in desk.approvals()] == ["pending", "denied"]


def test_the_same_question_again_without_a_stream(desk: Desk) -> None:
    # What clients do whose stream broke before they had the answer: nobody is asked twice.
    bob, standin = desk.bob, desk.installed.standin
    standin.faults.append(Fault.STREAM_ERROR)
    body = {
        "model": MODELS[0],
        "max_tokens": 900,
        "tools": [{"name": "Bash", "input_schema": {"type": "object"}}],
        "messages": [{"role": "user", "content": "run: rm -rf letters\nlong: 400"}],
    }
    headers = {
        "authorization": f"Bearer {desk.token}",
        "anthropic-version": "2023-06-01",
        "x-claude-code-session-id": desk.session,
    }
    url = desk.gateway.url("claude")
    with httpx.Client(base_url=url, headers=headers, timeout=300) as client:
        first = desk.pool.submit(client.post, "/v1/messages", json={**body, "stream": True})
        bob.sees("rm -rf letters")
        bob.denies("Not today")
        broken = first.result(60).text
        assert "Denied by bob: Not today." in broken
        assert "message_stop" not in broken
        content = client.post("/v1/messages", json=body).json()["content"]
    assert [block["type"] for block in content] == ["text", "text"]
    assert "Denied by bob: Not today." in content[0]["text"]
    assert [state for state, _ in desk.approvals()] == ["pending", "denied"]


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """An OpenID provider of others, with a page to sign in on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs, not ours to mend
        if os.environ.get("CI") == "true":
            mock = import_module("oidc_provider_mock")  # its absence is a failure there
        else:
            mock = pytest.importorskip("oidc_provider_mock", reason="no OpenID provider installed")
        people = [
            mock.User(sub="bob", claims={"groups": ["reviewers"], "name": "Bob"}),
            mock.User(sub="carol", claims={"groups": ["dev"], "name": "Carol"}),
        ]
        with mock.run_server_in_thread(user_claims=people, require_nonce=True) as server:
            yield f"http://localhost:{server.server_port}"


def test_decided_by_whoever_signs_in_at_the_provider(
    provider: str, browser: Browser, tmp_path: Path
) -> None:
    with serving(StandIn()) as standin, ThreadPoolExecutor(1) as pool:
        here = Installation.build(tmp_path / "here", standin)
        text = here.config.read_text() + ROLES
        people = f"- {{issuer: {provider}, audience: proctor, groups: groups}}\n"
        text = text.replace("  issuers:\n", f"  issuers:\n    {people}")
        client = f"{{listen: 127.0.0.1:0, issuer: '{provider}', client_id: proctor-console}}"
        here.config.write_text(text.replace("{listen: 127.0.0.1:0}", client))
        with running(here.config, env=here.env) as gateway:
            address = f"http://{gateway.console}"
            carol = Person.sits_down(browser, address)
            carol.signs_in("carol")
            expect(carol.page.locator("main")).to_contain_text("None of them has a role in proctor")
            bob = Person.sits_down(browser, address)
            bob.signs_in("bob")
            bob.waits()
            desk = seat(gateway, here, bob, tmp_path, pool)
            letters = desk.folder()
            waiting = desk.tell("run: rm -rf letters")
            bob.sees("rm -rf letters")
            # Without --dev no token of this machine decides, however it names itself.
            name = bob.page.locator("#card").get_attribute("data-id")
            refused = httpx.post(
                f"{address}/api/v1/approvals/{name}/approve",
                json={},
                headers={"authorization": f"Bearer {here.token(audience='proctor-console')}"},
                timeout=30,
            )
            assert refused.status_code == 401, refused.text
            assert letters.exists()
            bob.approves()
            assert "The tool said:" in said(waiting)
            assert not letters.exists()
            assert [state for state, _ in desk.approvals()] == ["pending", "approved", "used"]
            for person in (bob, carol):
                person.page.context.close()


def told(held: Locator) -> tuple[str, list[str]]:
    """What was held and its steps, without times."""
    steps = [step.inner_text().split(" ", 1)[1].strip() for step in held.locator("li").all()]
    return held.locator("code").first.inner_text(), steps
