"""A record of what real rules said, written by a real Gate into a real store."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from proctor.audit.recorder import Recorder
from proctor.gate import Gate
from proctor.model import (
    Action,
    ActionKind,
    Allow,
    Deny,
    Finding,
    HttpFields,
    LlmFields,
    Principal,
    Session,
)
from proctor.policy.engine import Policy, load_policy
from proctor.policy.features import Features
from proctor.protocols.anthropic.tools import tool_action
from proctor.protocols.mcp.actions import mcp_actions
from proctor.protocols.mcp.messages import read
from proctor.record import Closing, Opening, Question, Reply, Seen, ToolCall
from tests.support.parts import ALICE, Tokens

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday


def rules(folder: Path, text: str) -> Path:
    """A folder of rules with one file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.yaml").write_text(text)
    return folder


@dataclass
class Desk:
    """Takes what a test says happened; every step moves the clock."""

    gate: Gate
    now: datetime = START
    flows: int = 0
    seen: bool = True
    llm: LlmFields = field(
        default_factory=lambda: LlmFields(
            model="claude-x", max_tokens=9, tools=("Bash",), request_class="messages"
        )
    )

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def run(self, principal: Principal, name: str | None, folder: str = "") -> Session | None:
        if name is None:
            return None
        return self.gate.session(
            principal, name, client="claude-cli/2", correlated_by="header",
            repository=folder, turn=True,
        )  # fmt: skip

    def opening(self, **more: Any) -> Opening:
        self.flows += 1
        self.wait(1)
        given: dict[str, Any] = {
            "flow_id": f"flow-{self.flows:05d}", "listener": "claude", "protocol": "http/1.1",
            "method": "POST", "scheme": "https", "host": "api.example", "port": 443,
            "path": "/v1/messages", "started_at": self.now, "client": "claude-cli/2",
        }  # fmt: skip
        return Opening(**{**given, **more})

    async def turn(
        self,
        *calls: tuple[str, dict[str, Any]],
        principal: Principal = ALICE,
        session: str | None = "s1",
        folder: str = "",
        approval_id: str | None = None,
        findings: tuple[Finding, ...] = (),
        held: bool = False,
    ) -> str:
        """A request to the model that is answered with tool calls."""
        llm = self.llm
        fields = HttpFields(
            method="POST", scheme="https", host="api.example", port=443, path="/v1/messages"
        )
        action = Action(
            kind=ActionKind.LLM_REQUEST, listener="claude", target="POST https://api.example",
            content=(b"x",), size=120, http=fields, llm=llm,
        )  # fmt: skip
        seen = Seen(
            size=120, headers={"user-agent": "claude-cli/2", "x-app": None},
            content_type="application/json", operation="", violations=(), llm=llm, folder=folder,
        )  # fmt: skip
        opening = self.opening(
            body=b'{"model": "claude-x"}',
            question=Question(model=llm.model, prompt="hi", request_class="messages", stream=False),
            seen=seen if self.seen else None,
        )
        run = self.run(principal, session, folder)
        ruling = self.gate.decide(principal, run, (action,), findings)
        ticket = await self.gate.begin(opening, principal, run, ruling)
        rulings, tools = [], []
        for number, (name, given) in enumerate(calls):
            text = json.dumps(given)
            said = self.gate.decide(principal, run, (tool_action("claude", name, text),))
            rulings.append(said)
            tools.append(
                ToolCall(
                    id=f"t{self.flows}-{number}", name=name, input=text.encode(),
                    verdict="hold" if held else "allow", rule_id=said.verdict.rule_id,
                    approval_id=approval_id,
                )
            )  # fmt: skip
        reply = Reply(model=llm.model, stop_reason="tool_use", output="", tools=tuple(tools))
        closing = Closing(
            status=200, response_bytes=9, body=b"{}", reply=reply, rulings=tuple(rulings)
        )
        await self.gate.end(ticket, closing)
        return opening.flow_id

    async def http(
        self,
        method: str,
        host: str,
        path: str,
        *,
        body: bytes = b"",
        principal: Principal = ALICE,
        session: str | None = None,
        headers: dict[str, str | None] | None = None,
        said: Any = None,
        content_type: str = "",
    ) -> str:
        """Any other request, let through or refused as the rules say."""
        fields = HttpFields(
            method=method, scheme="https", host=host, port=443, path=path.partition("?")[0],
            headers={name: value or "secret" for name, value in (headers or {}).items()},
            json=said, content_type=content_type,
        )  # fmt: skip
        action = Action(
            kind=ActionKind.HTTP_REQUEST, listener="egress", content=(body, path.encode()),
            target=f"{method} https://{host}:443{path}", size=len(body), http=fields,
        )  # fmt: skip
        seen = Seen(
            size=len(body), headers=headers or {}, content_type=content_type, operation="",
            violations=(),
        )  # fmt: skip
        opening = self.opening(
            listener="egress", method=method, host=host, path=path, body=body or None,
            seen=seen if self.seen else None,
        )  # fmt: skip
        return await self._settle(opening, principal, self.run(principal, session), (action,))

    async def mcp(
        self,
        server: str,
        tool: str,
        arguments: dict[str, Any],
        *,
        principal: Principal = ALICE,
        session: str | None = None,
    ) -> str:
        """A call of an MCP server's tool."""
        message = {
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments},
        }  # fmt: skip
        body = json.dumps(message).encode()
        fields = HttpFields(method="POST", scheme="https", host=server, port=443, path="/mcp")
        actions = tuple(
            replace(each, http=fields) for each in mcp_actions("tools", server, read(body))
        )
        seen = Seen(
            size=len(body), headers={}, content_type="application/json", operation="",
            violations=(), server=server,
        )  # fmt: skip
        opening = self.opening(
            listener="tools", host=server, path="/mcp", body=body,
            seen=seen if self.seen else None,
        )  # fmt: skip
        return await self._settle(opening, principal, self.run(principal, session), actions)

    async def _settle(
        self,
        opening: Opening,
        principal: Principal,
        run: Session | None,
        actions: tuple[Action, ...],
    ) -> str:
        ruling = self.gate.decide(principal, run, actions)
        closing = Closing(status=200, response_bytes=0)
        if isinstance(ruling.verdict, Deny):
            await self.gate.refuse(
                opening, closing, principal=principal, session=run, verdict=ruling.verdict,
                ruling=ruling,
            )  # fmt: skip
        else:
            if not isinstance(ruling.verdict, Allow):
                opening = replace(opening, approval_id="ap_x")
            await self.gate.end(await self.gate.begin(opening, principal, run, ruling), closing)
        return opening.flow_id


def judged(folder: Path, policy: Policy | Path, *plays: Callable[[Desk], Awaitable[None]]) -> Path:
    """Play each into a store under these rules; returns the store."""
    found = load_policy(policy, features=Features()) if isinstance(policy, Path) else policy

    @dataclass
    class Source:
        current: Policy = found

    async def main() -> None:
        desks: list[Desk] = []

        def clock() -> datetime:
            return desks[-1].now if desks else START

        recorder = await Recorder.open(folder, clock=lambda: clock().timestamp())
        try:
            gate = Gate(authenticator=Tokens(), policies=Source(), recorder=recorder, clock=clock)
            for play in plays:
                desks.append(Desk(gate, now=clock(), flows=desks[-1].flows if desks else 0))
                await play(desks[-1])
        finally:
            await recorder.close()

    asyncio.run(main())
    return folder
