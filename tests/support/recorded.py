"""Conversations in a real store, by a Gate with a clock of its own."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from proctor.audit.recorder import Recorder
from proctor.gate import Gate
from proctor.model import (
    Action,
    ActionKind,
    Allow,
    Decision,
    Deny,
    Finding,
    Observation,
    Principal,
    RecordMode,
    Session,
)
from proctor.protocols.anthropic.request import parse_request
from proctor.protocols.anthropic.response import AnswerReader
from proctor.record import Closing, Opening, Question, Receipt, Ticket, ToolResult
from proctor.stages.tap import Tap
from tests.support.parts import ALICE, BOB, Rules, Tokens

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SESSION = "3f2a7c1e-0000-4000-8000-000000000001"
OTHER = "3f2b0000-0000-4000-8000-000000000002"
MODEL = "claude-sonnet-5-5"


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(name: str, tool_use_id: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": tool_use_id, "name": name, "input": arguments}


def result(tool_use_id: str, content: str, *, is_error: bool = False) -> dict[str, Any]:
    return {
        "type": "tool_result",
        "tool_use_id": tool_use_id,
        "content": content,
        "is_error": is_error,
    }


def answer(*blocks: dict[str, Any], stop: str = "end_turn", **usage: int) -> bytes:
    """A whole message as JSON."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": list(blocks),
        "stop_reason": stop,
        "usage": {"input_tokens": 10, "output_tokens": 5, **usage},
    }
    return json.dumps(message).encode()


@dataclass
class Tape:
    """Records what a test says happened; every step moves the clock."""

    gate: Gate
    rules: Rules
    now: datetime = START
    flows: int = 0
    asked: tuple[Finding, ...] = ()
    answered: tuple[Finding, ...] = ()
    looked: tuple[Receipt | None, Receipt | None] = (None, None)
    messages: list[dict[str, Any]] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def say(self, *blocks: dict[str, Any]) -> bytes:
        """The next request's body; the history is sent again, as clients do."""
        self.messages.append({"role": "user", "content": list(blocks)})
        return json.dumps({"model": MODEL, "max_tokens": 9, "messages": self.messages}).encode()

    def session(self, name: str | None, principal: Principal) -> Session | None:
        if name is None:
            return None
        return self.gate.session(
            principal, name, client="claude-cli/2.1.330", correlated_by="header", turn=True
        )

    async def begin(
        self,
        body: bytes,
        *,
        session: str | None = SESSION,
        principal: Principal = ALICE,
        decision: Decision | None = None,
        path: str = "/v1/messages?beta=true",
        request_class: str = "messages",
    ) -> Ticket:
        opening = self._opening(body, path, request_class)
        run = self.session(session, principal)
        self.rules.answers["claude"] = decision or Decision(verdict=Allow(rule_id="anthropic"))
        ruling = self.gate.decide(principal, run, [_action(body)])
        return await self.gate.begin(opening, principal, run, ruling)

    async def end(
        self,
        ticket: Ticket,
        response: bytes,
        *,
        status: int = 200,
        error: str | None = None,
        seconds: float = 1.25,
    ) -> None:
        self.wait(seconds)
        kind = "text/event-stream" if response[:1] == b"e" else "application/json"
        tap = Tap(
            encoding="",
            reader=AnswerReader(kind) if ticket.turn else None,
            content=self.gate.stream(ticket),
        )
        tap.read(response)
        reply, coverage = tap.finish()
        await self.gate.end(
            ticket,
            Closing(
                status=status,
                response_bytes=len(response),
                error=error or tap.error,
                coverage=coverage,
                body=tap.content,
                reply=reply,
                findings=self.answered,
                receipt=self.looked[1],
            ),
        )

    async def turn(self, body: bytes, response: bytes, **more: Any) -> None:
        ends = {key: more.pop(key) for key in ("status", "error", "seconds") if key in more}
        await self.end(await self.begin(body, **more), response, **ends)
        if self.messages and not ends.get("status"):
            content = json.loads(response).get("content") if response[:1] == b"{" else []
            self.messages.append({"role": "assistant", "content": content or "…"})

    async def refuse(
        self,
        body: bytes,
        *,
        session: str | None = SESSION,
        principal: Principal = ALICE,
        reason: str = "The model is not to search the web.",
        status: int = 451,
    ) -> None:
        run = self.session(session, principal)
        verdict = Deny(rule_id="no-remote-features", reason=reason)
        self.rules.answers["claude"] = Decision(verdict=verdict)
        opening = self._opening(body, "/v1/messages?beta=true", "messages")
        ruling = self.gate.decide(principal, run, [_action(body)])
        self.wait(0.002)
        await self.gate.refuse(
            opening,
            Closing(status=status, response_bytes=9),
            principal=principal,
            session=run,
            verdict=verdict,
            ruling=ruling,
        )
        self.messages.pop()

    def _opening(self, body: bytes, path: str, request_class: str) -> Opening:
        self.flows += 1
        message = parse_request(body)
        question = Question(
            model=message.model,
            prompt=message.prompt,
            request_class=request_class,
            stream=message.stream,
            results=tuple(
                ToolResult(
                    tool_use_id=each.tool_use_id,
                    content=each.content.encode(),
                    is_error=each.is_error,
                )
                for each in message.results
            ),
        )
        return Opening(
            flow_id=f"f{self.flows:04d}-0000",
            listener="claude",
            protocol="http/1.1",
            method="POST",
            scheme="https",
            host="api.example",
            port=443,
            path=path,
            started_at=self.now,
            body=body,
            cuts=message.cuts,
            question=question if path.startswith("/v1/messages?") else None,
            findings=self.asked,
            receipt=self.looked[0],
        )


def record(folder: Path, *plays: Callable[[Tape], Awaitable[None]]) -> Path:
    """Play each with a tape of its own into a store; returns it."""

    async def main() -> None:
        tapes: list[Tape] = []

        def clock() -> datetime:
            return tapes[-1].now if tapes else START

        recorder = await Recorder.open(folder, clock=lambda: clock().timestamp())
        try:
            for play in plays:
                rules = Rules()
                gate = Gate(
                    authenticator=Tokens(),
                    policies=rules,
                    recorder=recorder,
                    clock=clock,
                )
                tapes.append(Tape(gate, rules, flows=1000 * len(tapes)))
                await play(tapes[-1])
        finally:
            await recorder.close()

    asyncio.run(main())
    return folder


HOSTILE = "\x1b]0;owned\x07\x1b[2J[red]x[/red] \u202eabc\r\x9b31m &#x202e;gnp"

STREAM = "\n\n".join(
    f"event: {event['type']}\ndata: {json.dumps(event)}"
    for event in (
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": MODEL,
                "content": [],
                "usage": {
                    "input_tokens": 120,
                    "cache_read_input_tokens": 18000,
                    "cache_creation_input_tokens": 340,
                    "output_tokens": 1,
                },
            },
        },
        {"type": "content_block_start", "index": 0,
         "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0,
         "delta": {"type": "thinking_delta", "thinking": "The person wants a count.\nI list."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1,
         "delta": {"type": "text_delta", "text": "I **look** first:\n\n- one\n- `two`\n"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 2,
         "content_block": {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}},
        {"type": "content_block_delta", "index": 2,
         "delta": {"type": "input_json_delta",
                   "partial_json": '{"command": "ls -la | wc -l  # count", "description": "Co'}},
        {"type": "content_block_delta", "index": 2,
         "delta": {"type": "input_json_delta", "partial_json": 'unt files"}'}},
        {"type": "content_block_stop", "index": 2},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"},
         "usage": {"output_tokens": 57}},
        {"type": "message_stop"},
    )
).encode() + b"\n\n"  # fmt: skip


async def story(tape: Tape) -> None:
    """Everything that can happen in a session of alice's, and one of each kind."""
    reminder = "<system-reminder>\nToday is Friday.\n</system-reminder>"
    await tape.turn(tape.say(text(f"{reminder}\nHow many files are here?")), STREAM)
    tape.wait(3.5)
    found = "\n".join(f"line {n}" for n in range(40))
    second = answer(
        text("Forty, I **think**; let me look at one and ask a helper."),
        call("Read", "toolu_2", file_path="/srv/notes.txt"),
        call("Task", "toolu_3", prompt="Summarise\nthe notes.", subagent_type="general", depth=3,
             options={"quick": True}),
        stop="tool_use",
    )  # fmt: skip
    await tape.turn(tape.say(result("toolu_1", found)), second)
    tape.wait(0.4)
    helper = Tape(tape.gate, tape.rules, tape.now, flows=100)
    asked = await helper.begin(helper.say(text("Summarise\nthe notes.")), request_class="subagent")
    results = tape.say(result("toolu_2", HOSTILE, is_error=True), result("toolu_3", "All is well."))
    tape.wait(0.1)
    await tape.turn(results, answer(text(HOSTILE + "\n\n<!-- hidden --> [x](http://e/ 'y')")))
    helper.now = tape.now
    await helper.end(asked, answer(text("All is well.")), seconds=0)
    tape.wait(125)
    await tape.refuse(tape.say(text("Search the web for lemon prices.")))
    tape.wait(40)
    again = tape.say(text("Then tell me a story."))
    busy = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    await tape.turn(again, json.dumps(busy).encode(), status=529)
    tape.wait(0.5)
    await tape.turn(again, STREAM[: STREAM.index(b"event: content_block_stop")], seconds=9)
    tape.wait(2)
    watch = Observation(rule_id="watch-opus", verdict="deny", reason="Opus is dear.")
    await tape.turn(
        tape.say(text("quietly")),
        answer(text("hush"), call("Bash", "toolu_9", command="true")),
        decision=Decision(
            verdict=Allow(rule_id="quiet"), record=RecordMode.METADATA, observed=(watch,)
        ),
    )
    tape.wait(7200)
    await tape.turn(
        tape.say(result("toolu_0", "from elsewhere"), text("And now?")),
        b'{"input_tokens": 7}',
        path="/v1/messages/count_tokens",
    )
    tape.wait(0.25)
    await tape.begin(tape.say(text("Still there?")))


async def others(tape: Tape) -> None:
    """Another principal with the same session id, another session, and none."""
    tape.wait(86400)
    await tape.turn(tape.say(text("I am bob.")), answer(text("Hello.")), principal=BOB)
    tape.wait(60)
    await tape.turn(tape.say(text("Another.")), answer(text("Yes.")), session=OTHER)
    tape.wait(60)
    await tape.turn(tape.say(text("Nameless.")), answer(text("Hm.")), session=None)


def found(type_: str, place: str, action: str, digest: str, direction: str) -> Finding:
    return Finding(
        type=type_, location=place, direction=direction, score=0.9, detector=f"proctor:{HOSTILE}"
        if type_ == "PERSON" else "betterleaks:dsn", action=action, digest=digest * 32,
    )  # fmt: skip


async def redacted(tape: Tape) -> None:
    """A session in which something was found, in one exchange that passes and one that does not."""
    place = "messages[0].content[0].text"
    tape.asked = (
        found("PASSWORD", place, "mask", "a", "request"),
        found("PASSWORD", "system", "mask", "a", "request"),
        found("PERSON", place, "surrogate", "b", "request"),
    )
    tape.answered = (found("EMAIL_ADDRESS", "content[0].text", "surrogate", "c", "response"),)
    names = ("betterleaks", "kingfisher", "presidio:EmailRecognizer")
    tape.looked = (
        Receipt(looked=104_000, skipped=(("image", 12_300), ("signed", 700)), detectors=names,
                seconds=0.0035),
        Receipt(looked=800, detectors=names, seconds=0.0006),
    )  # fmt: skip
    await tape.turn(tape.say(text("Who is in <PASSWORD>?")), answer(text("EMAIL_ADDRESS_b.")))
    tape.looked = (Receipt(looked=10, failure="redaction-budget", seconds=2.0), None)
    tape.asked = tape.answered = ()
    await tape.refuse(tape.say(text("And here?")), reason="Looking for secrets took too long.")
    tape.looked = (Receipt(looked=512, detectors=names, seconds=0.0001), None)
    await tape.turn(tape.say(text("Hello.")), answer(text("Hello.")))


def _action(body: bytes) -> Action:
    return Action(
        kind=ActionKind.LLM_REQUEST, listener="claude", target="POST /v1/messages", content=(body,)
    )
