"""What was marked as harmless passes, at once, and the record says who said so."""

import json
import threading
from pathlib import Path

import httpx
import pytest

from proctor.testing import gateway as programs
from proctor.testing.gateway import Gateway, running
from proctor.testing.standin import StandIn, serving
from tests.support.installation import Installation

pytestmark = pytest.mark.e2e
SAMPLE = "jane.sample@acme-corp.com"


def ask(gateway: Gateway, token: str, number: int) -> None:
    """Send a text with the address in it."""
    answer = httpx.post(
        gateway.url("claude") + "/v1/messages",
        headers={
            "authorization": f"Bearer {token}",
            "anthropic-version": "2023-06-01",
            "x-claude-code-session-id": "run-1",
        },
        json={
            "model": "m",
            "max_tokens": 9,
            "messages": [{"role": "user", "content": f"{number}: write to {SAMPLE}"}],
        },
        timeout=30,
    )
    assert answer.status_code == 200, answer.text


def test_a_finding_that_was_marked_as_harmless_passes(tmp_path: Path) -> None:
    with serving(StandIn()) as standin:
        marked(Installation.build(tmp_path / "home", standin), standin)


def marked(installed: Installation, standin: StandIn) -> None:
    def command(*arguments: str) -> str:
        done = programs.command(*arguments, cwd=installed.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with running(installed.config, env=installed.env) as gateway:
        token = installed.token()
        ask(gateway, token, 0)
        assert SAMPLE.encode() not in standin.requests[-1].body
        [found] = json.loads(command("findings", "list", "--format", "json"))
        command(
            *("findings", "allow", "--detector", found["detector"]),
            *("--digest", found["digest"], "--for", "1d", "--reason", "a sample of ours"),
        )
        pause = threading.Event()
        for number in range(1, 40):
            ask(gateway, token, number)
            if SAMPLE.encode() in standin.requests[-1].body:
                break
            pause.wait(0.2)
        assert SAMPLE.encode() in standin.requests[-1].body
        [event] = installed.query("select detail from events where kind = 'exception.added'")
        assert SAMPLE not in str(event)
        assert "a sample of ours" in str(event)
