"""What the record's tests write, and how they read it back."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from proctor.audit.keeper import Pace
from proctor.audit.recorder import Recorder
from proctor.audit.steady import mark, steadily
from proctor.model import ContentRef, Session

ALICE = "https://idp#alice"
BOB = "https://idp#bob"
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MOMENT = "2026-01-02T03:04:05.000000Z"

# Everything that takes seconds in earnest, at once.
QUICK = Pace(journal_age=0.05, settle=0.0, reuse=0.0, unlink=0.0, retry=0.05)
# Nothing rotates by itself.
STILL = Pace(journal_age=3600.0)


def run(name: str = "s1") -> Session:
    """A run of an agent."""
    return Session(id=name, client="claude-cli/2.1.330", started=START, correlated_by="header")


def flow(flow_id: str, session: Session | None = None, **more: object) -> dict[str, Any]:
    """What begin and end of an exchange say alike."""
    return {
        "flow_id": flow_id,
        "session_id": session.id if session else None,
        "session_started": MOMENT if session else None,
        "principal": ALICE,
        "subject": "alice",
        "groups": ["dev", "ops"],
        "listener": "claude",
        "protocol": "http/1.1",
        "method": "POST",
        "scheme": "https",
        "host": "api.internal",
        "port": 443,
        "path": "/v1/messages",
        "request_bytes": 1000,
        "started_at": MOMENT,
        "verdict": "allow",
        "rule_id": "claude",
        "reason": "",
        "record": "full",
        "correlated_by": "header" if session else None,
        "client": "claude-cli/2.1.330",
        "policy_version": "sha256:" + "0" * 64,
        **more,
    }


def turn(prompt: ContentRef | None = None, output: ContentRef | None = None) -> dict[str, Any]:
    """A request to the model and its answer."""
    return {
        "model": "claude-sonnet",
        "stop_reason": "end_turn",
        "input_tokens": 10,
        "output_tokens": 20,
        "cache_read_tokens": 30,
        "cache_write_tokens": 40,
        "prompt": prompt and prompt.as_json(),
        "output": output and output.as_json(),
        "request_class": "main",
        "stream": True,
    }


def decision(verdict: str = "allow", **more: object) -> dict[str, Any]:
    """What the rules said of one action."""
    return {
        "action_kind": "llm.request",
        "action_digest": "ab" * 32,
        "verdict": verdict,
        "rule_id": "claude",
        "reason": "",
        "mode": "enforce",
        "observed": [],
        **more,
    }


async def begin(recorder: Recorder, flow_id: str, **more: object) -> int:
    """Records that an exchange is about to leave."""
    fields = {"decisions": [decision()], "request": None, "turn": None, "results": [], **more}
    return await recorder.append("flow.begin", flow(flow_id) | fields)


async def end(recorder: Recorder, flow_id: str, begin_seq: int | None, **more: object) -> int:
    """Records how an exchange ended."""
    fields = {
        "begin_seq": begin_seq,
        "request": None,
        "status": 200,
        "response_bytes": 10,
        "ended_at": MOMENT,
        "error": None,
        "coverage": "full",
        "response": None,
        "turn": None,
        "tools": [],
        "findings": [],
        **more,
    }
    return await recorder.append("flow.end", flow(flow_id) | fields)


def ask(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """The answer of audit.duckdb, at whatever pace the gateway goes on."""
    with duckdb.connect(str(path / "audit.duckdb"), read_only=True) as database:
        mark(database, path)
        return steadily(database, lambda: database.execute(sql).fetchall())


async def until(true: Callable[[], object]) -> None:
    """Waits for what another thread does."""
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - threads set no events of ours
            await asyncio.sleep(0.002)
