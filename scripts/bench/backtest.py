"""A backtest over a million recorded actions."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from figures import Figure
from lab import Lab
from records import START
from store import SOON, convert
from stretch import stretch

from proctor.audit.recorder import Recorder
from proctor.audit.store import Store
from proctor.gate import Gate
from proctor.gateparts import Authenticator, Policy, PolicySource
from proctor.model import Action, ActionKind, HttpFields, LlmFields, Principal
from proctor.policy.backtestrun import Job, backtest
from proctor.policy.engine import load_policy
from proctor.policy.features import Features
from proctor.protocols.anthropic.tools import tool_action
from proctor.record import Closing, Opening, Question, Reply, Ruling, Seen, ToolCall

TIMES = 10
CALLS = 3
"""Tool calls of a turn: with the request itself, four actions an exchange."""

TURNS = 20
"""Of a session."""

_ACTIONS = 1_000_000
_COMMANDS = Path(__file__).parent / "day_commands.txt"
_CHANGED = """
rules:
  - {id: all, on: [llm.request, llm.tool_use], then: allow}
  - id: pushes
    on: llm.tool_use
    match: [Bash(git push *), Bash(npm publish *)]
    when: now.hour < 6 || !("group3" in principal.groups)
    then: hold
    approval: {from: [reviewers], count: 2}
  - {id: no-env, on: llm.tool_use, match: ["Read(**/.env)", "Edit(//etc/**)"], then: deny}
  - id: long-sessions
    on: llm.request
    when: session.turns > 15 && llm.max_tokens > 1000 && !("Bash" in llm.tools)
    then: deny
"""


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """Write a tenth of the record, copy it, and decide it all anew."""
    del rounds
    store = Store(path=lab.folder / "backtested")
    rules, changed = lab.folder / "rules-then", lab.folder / "rules-new"
    for folder in (rules, changed):
        folder.mkdir()
    shipped = Path(__file__).parents[2] / "rules" / "claude-code.yaml"
    (rules / "all.yaml").write_text("rules:\n  - {id: all, on: llm.request, then: allow}\n")
    (rules / "claude-code.yaml").write_bytes(shipped.read_bytes())
    (changed / "new.yaml").write_text(_CHANGED)
    flows = max(TURNS, int(_ACTIONS * scale) // TIMES // (CALLS + 1))
    asyncio.run(_write(store, rules, flows))
    stretch(store, TIMES, timedelta(hours=10))
    job = Job(
        recordings=store.path,
        rules=changed,
        now=rules,
        features=Features(),
        features_now=Features(),
        since=START - timedelta(days=1),
        until=START + timedelta(days=30),
    )
    started = time.perf_counter()
    report = backtest(job)
    took = time.perf_counter() - started
    size = sum(path.stat().st_size for path in store.path.rglob("*") if path.is_file())
    yield Figure(
        what=f"backtest of {report.actions:,} recorded actions",
        value=took,
        unit="s",
        goal=60,
        note=f"{took / max(1, report.actions) * 1e6:.1f} µs each; {size / 1e6:,.0f} MB",
        details={"changes": {str(change): n for change, n in report.changes.items()}},
    )


class _Source:
    def __init__(self, policy: Policy) -> None:
        self.current = policy


async def _write(store: Store, rules: Path, flows: int) -> None:
    """Exchanges as the Gate records them: one in five commands is another one each time."""
    now = [START]

    def clock() -> datetime:
        return now[0]

    recorder = await Recorder.open(store.path, clock=lambda: clock().timestamp(), pace=SOON)
    policy = load_policy(rules, features=Features())
    gate = Gate(
        authenticator=cast("Authenticator", None),
        policies=cast("PolicySource", _Source(policy)),
        recorder=recorder,
        clock=clock,
        digest_key=b"bench",
    )
    some = random.Random(7)  # noqa: S311 - the same record each time
    lines = [each for each in _COMMANDS.read_text().splitlines() if each.strip()]
    try:
        for first in range(0, flows, 64):
            await asyncio.gather(
                *(
                    _flow(gate, now, number, some, lines)
                    for number in range(first, min(first + 64, flows))
                )
            )
            now[0] += timedelta(seconds=36_000 * 64 / flows)
    finally:
        await recorder.close()
    await convert(store)


async def _flow(
    gate: Gate, now: list[datetime], number: int, some: random.Random, lines: list[str]
) -> None:
    person = number // TURNS % 200
    principal = Principal(
        issuer="https://idp.example",
        subject=f"user{person}",
        groups=("dev", f"group{person % 10}"),
        issued_at=now[0].timestamp() // 3600 * 3600,
    )
    session = gate.session(
        principal, f"5e550000-0000-4000-8000-{number // TURNS:012d}", client="claude-cli/2",
        correlated_by="header", repository=f"/srv/project{person % 7}", turn=True,
    )  # fmt: skip
    llm = LlmFields(
        model="claude-sonnet-5", stream=True, max_tokens=32_000, request_class="messages",
        tools=("Bash", "Edit", "Glob", "Grep", "Read", "Task", "WebFetch", "Write"),
    )  # fmt: skip
    path = "/v1/messages"
    fields = HttpFields(
        method="POST", scheme="https", host="api.anthropic.com", port=443, path=path
    )
    action = Action(
        kind=ActionKind.LLM_REQUEST, listener="claude", target="POST", size=1000 + number,
        http=fields, llm=llm,
    )  # fmt: skip
    body = b'{"model":"claude-sonnet-5","n":%d}' % number
    opening = Opening(
        flow_id=f"f1000000-0000-4000-8000-{number:012d}", listener="claude", protocol="http/1.1",
        method="POST", scheme="https", host="api.anthropic.com", port=443, path=path,
        started_at=now[0], client="claude-cli/2", body=body,
        question=Question(model=llm.model, prompt="", request_class="messages", stream=True),
        seen=Seen(
            size=action.size, headers={"user-agent": "claude-cli/2", "accept": None},
            content_type="application/json", operation="", violations=(), llm=llm,
            folder=session.repository,
        ),
    )  # fmt: skip
    ruling = gate.decide(principal, session, (action,))
    ticket = await gate.begin(opening, principal, session, ruling)
    rulings: list[Ruling] = []
    tools: list[ToolCall] = []
    for place in range(CALLS):
        name, given = _call(some, lines, number, place)
        text = json.dumps(given)
        said = gate.decide(principal, session, (tool_action("claude", name, text),))
        rulings.append(said)
        tools.append(
            ToolCall(id=f"toolu_{number}_{place}", name=name, input=text.encode(),
                     verdict="allow", rule_id=said.verdict.rule_id)
        )  # fmt: skip
    reply = Reply(model=llm.model, stop_reason="tool_use", output="", tools=tuple(tools))
    await gate.end(
        ticket,
        Closing(status=200, response_bytes=9, reply=reply, rulings=tuple(rulings)),
    )


def _call(some: random.Random, lines: list[str], number: int, place: int) -> tuple[str, Any]:
    kind = some.random()
    if kind < 0.5:
        line = some.choice(lines)
        return "Bash", {"command": line if some.random() < 0.8 else f"{line} {number}-{place}"}
    path = f"/srv/project{number % 7}/src/file{some.randrange(2000)}.py"
    if kind < 0.8:
        return "Read", {"file_path": path}
    return "Edit", {"file_path": path, "old_string": f"a{number}", "new_string": "b"}
