"""A session that reaches out: calls over MCP, an internal API, a tunnel, and what is refused."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from proctor.approval.model import Approval, State
from proctor.model import (
    Action,
    ActionKind,
    Allow,
    ApprovalTerms,
    Decision,
    Deny,
    Hold,
    McpFields,
    Session,
    Verdict,
)
from proctor.record import Closing, Opening, Ruling, ToolCall, ToolResult
from tests.console.samples import BOB, approval, asking, put_on_record
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, START, Tape, answer, call, record, result, text

ISSUE = {"title": "The cellar leaks"}
CREATED = "Created JIRA-7"
TERMS = ApprovalTerms(from_groups=("platform",))
APPROVED = "ap_abcdefghijkl0601"
WITHDRAWN = "ap_abcdefghijkl0602"


def message(method: str, **params: Any) -> bytes:
    """What a client says to an MCP server."""
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def given(words: str, **more: Any) -> bytes:
    """What a tool over MCP gave back."""
    return json.dumps({"content": [{"type": "text", "text": words}], **more}).encode()


def tools_call(arguments: Any, tool_use_id: str = "") -> bytes:
    """A call of the tool `create_issue`."""
    meta = {"_meta": {"claudecode/toolUseId": tool_use_id}} if tool_use_id else {}
    return message("tools/call", name="create_issue", arguments=arguments, **meta)


class Abroad:
    """Records what goes elsewhere than to the model."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape

    async def http(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        verdict: Verdict | None = None,
        seconds: float = 0.05,
        received: int = 2048,
        kind: ActionKind = ActionKind.HTTP_REQUEST,
        **more: Any,
    ) -> None:
        """One exchange, let through or refused."""
        verdict = verdict or Allow(rule_id="internal")
        opening, session, ruling = self._asked(method, url, body, kind, verdict)
        opening = replace(opening, approval_id=more.pop("approval_id", None))
        gate = self.tape.gate
        closing = Closing(
            status=None if method == "CONNECT" else 200, response_bytes=received, **more
        )
        if isinstance(verdict, Deny):
            self.tape.wait(seconds)
            await gate.refuse(
                opening,
                replace(closing, status=451),
                principal=ALICE,
                session=session,
                verdict=verdict,
                ruling=ruling,
            )
            return
        ticket = await gate.begin(opening, ALICE, session, ruling)
        self.tape.wait(seconds)
        await gate.end(ticket, closing)

    async def mcp(
        self,
        arguments: Any = None,
        back: bytes = b"",
        *,
        tool_use_id: str = "",
        verdict: Verdict | None = None,
        approval_id: str | None = None,
        is_error: bool = False,
    ) -> None:
        """One call of a tool."""
        verdict = verdict or Allow(rule_id="jira-write")
        id_ = tool_use_id or f"f{self.tape.flows + 1:04d}-0000"
        name = {Allow: "allow", Hold: "hold", Deny: "deny"}[type(verdict)]
        made = ToolCall(
            id=id_, name="mcp__jira__create_issue", input=json.dumps(arguments).encode(),
            source="mcp", verdict=name, rule_id=verdict.rule_id, approval_id=approval_id,
        )  # fmt: skip
        came = ToolResult(tool_use_id=id_, content=back, is_error=is_error)
        await self.http(
            "POST", "https://mcp.internal/mcp", body=tools_call(arguments, tool_use_id),
            verdict=verdict, kind=ActionKind.MCP_CALL, tools=(made,),
            results=(came,) if back else (), approval_id=approval_id, received=len(back),
        )  # fmt: skip

    def _asked(
        self, method: str, url: str, body: bytes, kind: ActionKind, verdict: Verdict
    ) -> tuple[Opening, Session | None, Ruling]:
        tape = self.tape
        tape.flows += 1
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        name, _, port = host.partition(":")
        mcp = McpFields(server="jira") if kind is ActionKind.MCP_CALL else None
        action = Action(kind=kind, listener="egress", target=url, content=(body,), mcp=mcp)
        tape.rules.answers["egress"] = Decision(verdict=verdict)
        session = tape.gate.joined(ALICE)
        return (
            Opening(
                flow_id=f"f{tape.flows:04d}-0000",
                listener="egress",
                protocol="http/1.1",
                method=method,
                scheme=scheme,
                host=name,
                port=int(port or 443),
                path=slash + path,
                started_at=tape.now,
                body=body,
            ),
            session,
            tape.gate.decide(ALICE, session, [action]),
        )


async def ventures(tape: Tape) -> None:
    """Everything that an agent can call, in one session."""
    out = Abroad(tape)
    asked = tape.say(text("File a ticket about the cellar."))
    await tape.turn(
        asked, answer(text("I do."), call("mcp__jira__create_issue", "toolu_m1", **ISSUE))
    )
    tape.wait(0.2)
    await out.http(
        "POST", "https://mcp.internal/mcp", body=message("tools/list"), kind=ActionKind.MCP_CALL
    )
    hold = Hold(rule_id="tickets-held", reason="A human looks.", terms=(TERMS,))
    await out.mcp(ISSUE, given(CREATED), tool_use_id="toolu_m1", verdict=hold, approval_id=APPROVED)
    tape.wait(0.1)
    second = answer(call("Bash", "toolu_b1", command="curl https://api.internal/v1/tickets/7"))
    await tape.turn(tape.say(result("toolu_m1", CREATED)), second)
    tape.wait(0.3)
    await out.http(
        "CONNECT", "https://pinned.example.org:443", coverage="none: passed unread",
        request_bytes=700, received=9000, seconds=600,
    )  # fmt: skip
    tape.now -= timedelta(seconds=599)
    await out.http("GET", "https://api.internal:8443/v1/tickets/7?key=secret", received=512)
    refused = Deny(rule_id="destinations", reason="No destination of this listener is meant.")
    await out.http("GET", "http://169.254.169.254:80/latest", verdict=refused, received=90)
    await out.mcp(
        {"title": "Another"}, verdict=Deny(rule_id="one-a-day", reason="One ticket a day.")
    )
    tape.wait(0.1)
    await tape.turn(tape.say(result("toolu_b1", "{}")), answer(text("It is filed.")))


def venture(folder: Path) -> Path:
    """Such a session on record, with who decided what was held."""
    record(folder, ventures)
    told: list[tuple[Approval, str, str, str, datetime]] = []
    for number, flow, wait, answers in (
        (601, "f0003-0000", 1.6, [("approved", BOB.key, "Go ahead."), ("used", "proctor", "")]),
        (602, "f9999-0000", 1.7, [("cancelled", "proctor", "")]),
    ):
        one = approval(
            asking(
                "mcp__jira__create_issue", "x", number=number, session=SESSION,
                principal=ALICE.key, flow_id=flow,
                card=replace(asking("x", "x").card, tool_use_id=""),
            ),
            number, state=State.USED, requested_at=START + timedelta(seconds=wait),
        )  # fmt: skip
        told.append((one, "pending", "proctor", "", one.requested_at))
        for late, (state, who, words) in enumerate(answers, 1):
            told.append((one, state, who, words, one.requested_at + timedelta(seconds=late / 50)))
    put_on_record(folder, told)
    return folder
