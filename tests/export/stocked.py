"""A record with something of everything, for tests of exports."""

import asyncio
from pathlib import Path
from typing import Any

from proctor.audit.keeper import Pace
from proctor.audit.recorder import Recorder
from tests.support.envelopes import ALICE, BOB, MOMENT, STILL, begin, decision, end, flow, run, turn

SECRET_FREE = b'{"model":"claude-sonnet","messages":[{"role":"user","content":"list the files"}]}'
ANSWER = b'event: message_start\ndata: {"type":"message_start"}\n\n'
BINARY = b"\xff\x00\x01binary"
FOUND = {
    "direction": "request", "location": "$.messages[0]", "entity_type": "EMAIL_ADDRESS",
    "detector": "regex", "action": "mask", "digest": "d1", "score": 0.9,
}  # fmt: skip
LINES = 11
"""Envelopes that `fill` writes."""


async def write(recorder: Recorder) -> None:
    """A turn with a tool call, a call over MCP, a refusal, binary, an approval, two events."""
    session = run()
    named = {"session_id": session.id, "session_started": MOMENT}
    scope = recorder.scope(ALICE, session)

    def put(data: bytes) -> dict[str, Any]:
        return recorder.put(scope, data).as_json()

    prompt, answer = (
        recorder.put(scope, b"list the files"),
        recorder.put(scope, b"Here: \xe2\x82\xac"),
    )
    await recorder.event("start", {"version": "0", "state": "up"})
    seq = await begin(
        recorder, "f1", **named, request=put(SECRET_FREE), turn=turn(prompt), findings=[FOUND],
        decisions=[decision(observed=[{"rule_id": "x", "verdict": "deny", "reason": "No."}])],
    )  # fmt: skip
    await end(
        recorder, "f1", seq, **named, request=put(SECRET_FREE), response=put(ANSWER),
        turn=turn(prompt, answer), findings=[FOUND], ended_at="2026-01-02T03:04:07.500000Z",
        tools=[{"id": "toolu_1", "source": "llm", "name": "Bash", "input": put(b'{"command":"ls"}'),
                "verdict": "deny", "rule_id": "no-shell", "approval_id": None}],
    )  # fmt: skip
    seq = await begin(recorder, "f2", **named, path="/mcp?token=1", method="POST")
    await end(
        recorder, "f2", seq, **named, path="/mcp?token=1",
        tools=[{"id": "m1", "source": "mcp", "name": "mcp__jira__read", "input": put(b"{}"),
                "verdict": "allow", "rule_id": "jira", "approval_id": "ap_1"}],
        results=[{"tool_use_id": "m1", "content": put(b"done"), "is_error": True}],
    )  # fmt: skip
    await end(recorder, "f3", None, **named, verdict="deny", rule_id="default", status=451,
              reason="Nothing allows it.", decisions=[decision("deny")])  # fmt: skip
    loose = recorder.scope(BOB, None)
    await end(
        recorder, "f4", None, principal=BOB, subject="bob", method="GET", host="things.test",
        response=recorder.put(loose, BINARY).as_json(), error="the upstream broke off",
    )  # fmt: skip
    await recorder.append("approval", flow("f1", session) | {
        "approval_id": "ap_1", "action_digest": "d", "state": "approved", "by": "carol",
        "reason": "Fine.", "expires_at": MOMENT})  # fmt: skip
    await recorder.append("finding", flow("f1", session) | FOUND)
    await begin(recorder, "open", **named)
    await recorder.event("stop", {})


def fill(path: Path, *, pace: Pace = STILL, times: int = 1) -> Path:
    """Makes the record."""

    async def main() -> None:
        recorder = await Recorder.open(path, pace=pace)
        for _ in range(times):
            await write(recorder)
        await recorder.close()

    asyncio.run(main())
    return path
