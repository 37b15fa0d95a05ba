"""The Gate, asked without mitmproxy, sockets or a clock of its own."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.budgets.ledger import Budgets
from proctor.budgets.settings import BudgetSettings
from proctor.errors import InternalError
from proctor.gate import Gate
from proctor.model import (
    Action,
    ActionKind,
    Allow,
    Decision,
    Deny,
    Finding,
    Hold,
    Principal,
    RecordMode,
    Verdict,
)
from proctor.record import Closing, Opening, Question, Receipt, Reply, ToolCall, ToolResult
from tests.support.parts import ALICE, BOB, Rules, Store, Tokens

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class House:
    gate: Gate
    store: Store
    rules: Rules
    now: list[datetime]


@pytest.fixture
def house() -> House:
    store, rules, now = Store(), Rules(), [START]
    gate = Gate(authenticator=Tokens(), policies=rules, recorder=store, clock=lambda: now[0])
    return House(gate, store, rules, now)


def action(listener: str = "l", content: bytes = b"x") -> Action:
    return Action(
        kind=ActionKind.LLM_REQUEST, listener=listener, target="POST /v1", content=(content,)
    )


def opening(body: bytes | None = b"hello", **more: Any) -> Opening:
    return Opening(
        flow_id="f1",
        listener="l",
        protocol="http/1.1",
        method="POST",
        scheme="https",
        host="api",
        port=443,
        path="/v1/messages",
        started_at=START,
        body=body,
        **more,
    )


QUESTION = Question(
    model="m",
    prompt="hi",
    request_class="messages",
    stream=True,
    results=(ToolResult(tool_use_id="t0", content=b"out", is_error=False),),
)


def test_two_principals_with_one_session_id_are_two_sessions(house: House) -> None:
    first = house.gate.session(ALICE, "s", turn=True)
    house.now[0] += timedelta(minutes=1)
    other = house.gate.session(BOB, "s", turn=True)
    again = house.gate.session(ALICE, "s", turn=True)
    assert (first.started, other.started) == (START, START + timedelta(minutes=1))
    assert (first.turns, other.turns, again.turns) == (0, 0, 1)
    assert again.started == first.started


def test_a_session_ends_after_thirty_idle_minutes(house: House) -> None:
    house.gate.session(ALICE, "s", turn=True)
    house.now[0] += timedelta(minutes=30)
    assert house.gate.session(ALICE, "s").started == START
    house.now[0] += timedelta(minutes=30, seconds=1)
    later = house.gate.session(ALICE, "s")
    assert (later.started, later.turns) == (house.now[0], 0)


HOLD = Hold(rule_id="h", reason="", terms=())


@pytest.mark.parametrize(
    ("verdicts", "rule_id"),
    [
        ([Allow(rule_id="a"), HOLD, Deny(rule_id="d", reason="")], "d"),
        ([Deny(rule_id="d", reason=""), Deny(rule_id="e", reason="")], "d"),
        ([Allow(rule_id="a"), HOLD], "h"),
        ([HOLD, Allow(rule_id="a")], "h"),
        ([Allow(rule_id="a"), Allow(rule_id="b")], "a"),
        ([], "default"),
    ],
)
def test_the_strongest_verdict_wins(house: House, verdicts: list[Verdict], rule_id: str) -> None:
    house.rules.answers = {str(i): Decision(verdict=v) for i, v in enumerate(verdicts)}
    ruling = house.gate.decide(ALICE, None, [action(str(i)) for i in range(len(verdicts))])
    assert ruling.verdict.rule_id == rule_id


@pytest.mark.parametrize(
    ("modes", "kept"),
    [
        ([RecordMode.METADATA], RecordMode.METADATA),
        ([RecordMode.METADATA, RecordMode.FULL], RecordMode.FULL),
        ([], RecordMode.FULL),
    ],
)
def test_full_recording_wins(house: House, modes: list[RecordMode], kept: RecordMode) -> None:
    house.rules.answers = {
        str(i): Decision(verdict=Allow(rule_id="a"), record=mode) for i, mode in enumerate(modes)
    }
    ruling = house.gate.decide(ALICE, None, [action(str(i)) for i in range(len(modes))])
    assert ruling.record is kept


def test_a_retry_has_the_same_digest_and_a_changed_one_another() -> None:
    assert action().digest(ALICE) == action().digest(ALICE)
    different = {
        action().digest(ALICE),
        action().digest(BOB),
        action(content=b"y").digest(ALICE),
        Action(kind=ActionKind.HTTP_REQUEST, listener="l", target="POST /v1").digest(ALICE),
    }
    assert len(different) == 4


def test_a_whole_exchange(house: House) -> None:
    async def run() -> None:
        session = house.gate.session(ALICE, "s", correlated_by="header")
        ruling = house.gate.decide(ALICE, session, [action()])
        asked = opening(question=QUESTION)
        ticket = await house.gate.begin(asked, ALICE, session, ruling)
        reply = Reply(
            model="m-1",
            stop_reason="tool_use",
            output="hello",
            output_tokens=3,
            tools=(ToolCall(id="t1", name="Bash", input=b'{"command":"ls"}'),),
        )
        await house.gate.end(
            ticket, Closing(status=200, response_bytes=9, body=b"whole", reply=reply)
        )

    asyncio.run(run())
    (first, begin), (second, end) = house.store.appended
    assert (first, second) == ("flow.begin", "flow.end")
    assert begin["turn"]["model"] == "m"
    assert begin["results"][0]["tool_use_id"] == "t0"
    assert begin["decisions"][0]["verdict"] == "allow"
    assert (end["begin_seq"], end["status"], end["turn"]["model"]) == (0, 200, "m-1")
    assert end["request"] == begin["request"]
    assert [(t["id"], t["name"], t["verdict"]) for t in end["tools"]] == [("t1", "Bash", "allow")]
    assert house.store.contents == [
        b"hello",
        b"hi",
        b"out",
        b"whole",
        b"hello",
        b'{"command":"ls"}',
    ]


def test_nothing_is_let_through_when_it_cannot_be_recorded(house: House) -> None:
    house.store.broken = True
    ruling = house.gate.decide(ALICE, None, [action()])
    with pytest.raises(InternalError, match="no"):
        asyncio.run(house.gate.begin(opening(), ALICE, None, ruling))


def test_metadata_only_keeps_no_content(house: House) -> None:
    house.rules.answers["l"] = Decision(verdict=Allow(rule_id="q"), record=RecordMode.METADATA)

    async def run() -> None:
        ruling = house.gate.decide(ALICE, None, [action()])
        ticket = await house.gate.begin(opening(question=QUESTION), ALICE, None, ruling)
        assert house.gate.stream(ticket) is None
        reply = Reply(
            model="m",
            stop_reason=None,
            output="secret",
            tools=(ToolCall(id="t", name="Bash", input=b"secret"),),
        )
        await house.gate.end(
            ticket, Closing(status=200, response_bytes=1, body=b"secret", reply=reply)
        )

    asyncio.run(run())
    assert house.store.contents == []
    assert house.store.appended[1][1]["tools"][0]["name"] == "Bash"


def test_a_refusal_without_a_principal_keeps_no_content(house: House) -> None:
    asyncio.run(
        house.gate.refuse(
            opening(),
            Closing(status=401, response_bytes=2),
            principal=None,
            session=None,
            verdict=Deny(rule_id="token-missing", reason="no token"),
            ruling=None,
        )
    )
    ((kind, fields),) = house.store.appended
    assert (kind, fields["verdict"], fields["principal"]) == ("flow.end", "deny", None)
    assert (fields["rule_id"], fields["begin_seq"]) == ("token-missing", None)
    assert house.store.contents == []


def test_a_refusal_of_someone_known_says_what_was_asked(house: House) -> None:
    house.rules.answers["l"] = Decision(verdict=Deny(rule_id="no", reason="not here"))
    ruling = house.gate.decide(ALICE, None, [action()])
    asyncio.run(
        house.gate.refuse(
            opening(question=QUESTION),
            Closing(status=451, response_bytes=2),
            principal=ALICE,
            session=None,
            verdict=Deny(rule_id="no", reason="not here"),
            ruling=ruling,
        )
    )
    ((_, fields),) = house.store.appended
    assert fields["turn"]["model"] == "m"
    assert fields["decisions"][0]["rule_id"] == "no"
    assert house.store.contents == [b"hello", b"hi", b"out"]


CALLED = ToolCall(
    id="toolu_1", name="mcp__s__t", input=b'{"a":1}', source="mcp", verdict="deny", rule_id="no"
)


@pytest.mark.parametrize(
    ("known", "mode", "kept"),
    [
        (True, RecordMode.FULL, [b"hello", b'{"a":1}']),
        (True, RecordMode.METADATA, []),
        (False, RecordMode.FULL, []),  # refused before the rules were asked
    ],
)
def test_a_refused_call_is_on_record(
    house: House,
    known: bool,  # noqa: FBT001 - a case
    mode: RecordMode,
    kept: list[bytes],
) -> None:
    house.rules.answers["l"] = Decision(verdict=Deny(rule_id="no", reason="not here"), record=mode)
    ruling = house.gate.decide(ALICE, None, [action()]) if known else None
    asyncio.run(
        house.gate.refuse(
            opening(),
            Closing(status=200, response_bytes=2, tools=(CALLED,)),
            principal=ALICE,
            session=None,
            verdict=Deny(rule_id="no", reason="not here"),
            ruling=ruling,
        )
    )
    ((_, fields),) = house.store.appended
    (tool,) = fields["tools"]
    assert (tool["id"], tool["source"], tool["verdict"]) == ("toolu_1", "mcp", "deny")
    assert (tool["input"] is not None) == bool(kept)
    assert house.store.contents == kept


ASKED = Finding(
    type="PASSWORD", location="system", direction="request", score=1.0, detector="proctor:dsn",
    action="mask", digest="d1",
)  # fmt: skip
ANSWERED = Finding(
    type="PERSON", location="content[0]", direction="response", score=0.85, action="surrogate"
)
LOOKED = Receipt(looked=5, detectors=("proctor:dsn",), seconds=0.001)
SKIPPED = Receipt(looked=0, skipped=(("image", 7),), failure="redaction-budget")


def test_findings_and_receipts_of_an_exchange(house: House) -> None:
    async def run() -> None:
        ruling = house.gate.decide(ALICE, None, [action()])
        asked = opening(findings=(ASKED,), receipt=LOOKED)
        ticket = await house.gate.begin(asked, ALICE, None, ruling)
        closing = Closing(status=200, response_bytes=9, findings=(ANSWERED,), receipt=SKIPPED)
        await house.gate.end(ticket, closing)

    asyncio.run(run())
    (_, begin), (_, end) = house.store.appended
    assert begin["findings"] == [
        {"direction": "request", "location": "system", "entity_type": "PASSWORD",
         "detector": "proctor:dsn", "action": "mask", "digest": "d1", "score": 1.0}
    ]  # fmt: skip
    assert begin["receipt"] == {"request": LOOKED.as_json()}
    assert [each["entity_type"] for each in end["findings"]] == ["PASSWORD", "PERSON"]
    assert end["receipt"] == {"request": LOOKED.as_json(), "response": SKIPPED.as_json()}


def test_a_refused_exchange_keeps_its_findings(house: House) -> None:
    asyncio.run(
        house.gate.refuse(
            opening(findings=(ASKED,), receipt=LOOKED),
            Closing(status=451, response_bytes=2, findings=(ANSWERED,), receipt=SKIPPED),
            principal=None,
            session=None,
            verdict=Deny(rule_id="no", reason="not here"),
            ruling=None,
        )
    )
    ((_, fields),) = house.store.appended
    assert [each["digest"] for each in fields["findings"]] == ["d1", ""]
    assert fields["receipt"]["response"]["failure"] == "redaction-budget"


def test_budgets_speak_beside_the_rules(house: House, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    told: list[str] = []

    async def run() -> None:
        budgets = Budgets(
            [
                BudgetSettings(name="few", over="day", of="requests", limit=1),
                BudgetSettings(name="talk", over="day", of="tokens", limit=100, then="notice"),
            ],
            path=tmp_path / "budgets.db",
            clock=lambda: house.now[0],
            report=lambda kind, _: told.append(kind),
        )
        gate = Gate(
            authenticator=Tokens(),
            policies=house.rules,
            recorder=house.store,
            clock=lambda: house.now[0],
            budgets=budgets,
        )
        try:
            first = gate.decide(ALICE, None, [action()])
            assert isinstance(first.verdict, Allow)
            assert first.actions[0].budget == {"few": 0.0, "talk": 0.0}
            ticket = await gate.begin(opening(), ALICE, None, first)
            reply = Reply(model="m", stop_reason=None, output="", input_tokens=60, output_tokens=20)
            await gate.end(ticket, Closing(status=200, response_bytes=9, reply=reply))
            second = gate.decide(ALICE, None, [action()])
            assert isinstance(second.verdict, Deny)
            assert second.verdict.rule_id == "budget:few"
            assert second.actions[0].budget == {"few": 1.0, "talk": 0.8}
            # It is another's that is used up, and no part of what an approval is bound to.
            third = gate.decide(BOB, None, [action()])
            assert isinstance(third.verdict, Allow)
            assert first.digests == second.digests
            assert gate.budgeted
        finally:
            await budgets.close()
        # Where it cannot be read what is used up, nothing may leave.
        failed = gate.decide(Principal(issuer="i", subject="new"), None, [action()])
        assert isinstance(failed.verdict, Deny)
        assert failed.verdict.rule_id == "budgets-unavailable"

    asyncio.run(run())
    assert told == ["budget.over", "budget.soft"]
