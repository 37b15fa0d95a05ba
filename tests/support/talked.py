"""A session in which somebody talks over a WebSocket, on record."""

from dataclasses import replace
from typing import Any

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
)
from proctor.record import Closing, Opening, Receipt, Ruling, Said, Ticket
from tests.support.parts import ALICE
from tests.support.recorded import HOSTILE, SESSION, Tape, answer, text
from tests.support.spoken import ALLOWED

FLOW = "55000001-0000"
ALONE = "55000002-0000"
"""A WebSocket of no session."""
MANY = 60
LONG = "\n".join(f"line {n}" for n in range(100))


def ruling(decision: Decision) -> Ruling:
    action = Action(kind=ActionKind.WS_MESSAGE, listener="feed", target="CLIENT ws://feed:80/v1")
    return replace(
        ALLOWED,
        verdict=decision.verdict,
        decisions=(decision,),
        digests=("f" * 64,),
        actions=(action,),
        record=decision.record,
    )


async def begin(tape: Tape, flow_id: str, session: str | None, who: Principal = ALICE) -> Ticket:
    opening = Opening(
        flow_id=flow_id,
        listener="feed",
        protocol="websocket",
        method="GET",
        scheme="https",
        host="feed.internal",
        port=443,
        path="/v1/feed",
        started_at=tape.now,
        client="Python/3.13",
    )
    return await tape.gate.begin(opening, who, tape.session(session, who), ALLOWED)


async def say(tape: Tape, ticket: Ticket, number: int, body: str | None, **more: Any) -> None:
    """Put a message on record; the clock moves on."""
    tape.wait(0.5)
    decision = more.pop("decision", Decision(verdict=Allow(rule_id="talk")))
    said = Said(
        **{
            "number": number,
            "direction": "client" if number % 2 else "server",
            "text": True,
            "size": len(body or "quiet"),
            "body": body.encode() if body is not None else None,
            "ruling": ruling(decision),
            "verdict": decision.verdict,
            **more,
        }
    )
    await tape.gate.message(ticket, said)


async def talked(tape: Tape) -> None:
    """The agent watches a feed: messages both ways, one observed, one found in, one refused."""
    await tape.turn(tape.say(text("Watch the feed.")), answer(text("I will.")))
    tape.wait(1)
    ticket = await begin(tape, FLOW, SESSION)
    await say(tape, ticket, 1, '{"op": "subscribe"}')
    await say(tape, ticket, 2, HOSTILE)
    seen = Observation(rule_id="watch", verdict="deny", reason="Too chatty.")
    watched = Decision(verdict=Allow(rule_id="talk"), observed=(seen,))
    found = Finding(
        type="API_KEY", location="message", direction="request", score=1.0, action="mask"
    )
    receipt = Receipt(looked=11)
    await say(tape, ticket, 3, "<API_KEY>", decision=watched, findings=(found,), receipt=receipt)
    quiet = Decision(verdict=Allow(rule_id="quiet"), record=RecordMode.METADATA)
    await say(tape, ticket, 4, "never kept", decision=quiet)
    await say(tape, ticket, 5, "\x00\x01", text=False)
    await say(tape, ticket, 6, LONG)
    no = Decision(verdict=Deny(rule_id="no-drop", reason="Nothing is dropped."))
    await say(tape, ticket, 7, '"drop"', decision=no, error="policy-denied: Nothing is dropped.")
    tape.wait(1)
    await tape.gate.end(
        ticket,
        Closing(
            status=101,
            request_bytes=40,
            response_bytes=700,
            error="policy-denied: Nothing is dropped.",
        ),
    )


async def alone(tape: Tape) -> None:
    """A WebSocket of no session, with many messages."""
    tape.wait(86_400)
    ticket = await begin(tape, ALONE, None)
    for number in range(1, MANY + 1):
        await say(tape, ticket, number, f"message {number}")
    await tape.gate.end(ticket, Closing(status=101, request_bytes=1, response_bytes=1))
