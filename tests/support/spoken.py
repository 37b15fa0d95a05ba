"""A session in which somebody speaks to a database, on record."""

import json
from typing import Any

from proctor.gate import Gate
from proctor.model import Allow, Principal, RecordMode, Session
from proctor.record import Closing, Opening, Ruling, Ticket, timestamp
from tests.support.parts import ALICE
from tests.support.recorded import HOSTILE, SESSION, Tape, answer, call, result, text

FLOW = "db000001-0000"
ALONE = "db000002-0000"
"""A connection of no session."""
HELD = "ap_aaaaaaaaaaaaaaaa"
REFUSED = "ap_bbbbbbbbbbbbbbbb"
MANY = 60
ALLOWED = Ruling(
    verdict=Allow(rule_id=""),
    decisions=(),
    digests=(),
    actions=(),
    record=RecordMode.FULL,
    policy_version="v1",
)


class Spoken:
    """A connection to a database; every step moves the tape's clock."""

    def __init__(self, tape: Tape, flow_id: str, session: str | None, who: Principal) -> None:
        self.tape = tape
        self.gate: Gate = tape.gate
        self.flow_id = flow_id
        self.who = who
        self.run: Session | None = tape.session(session, who)
        self.n = 0
        self.ticket: Ticket | None = None

    async def begin(self) -> None:
        opening = Opening(
            flow_id=self.flow_id,
            listener="orders",
            protocol="postgres",
            method="",
            scheme="postgresql",
            host="db.example",
            port=5432,
            path="/shop",
            started_at=self.tape.now,
            client="psql",
        )
        self.ticket = await self.gate.begin(opening, self.who, self.run, ALLOWED)

    async def close(self) -> None:
        assert self.ticket is not None
        await self.gate.end(self.ticket, Closing(status=None, request_bytes=10, response_bytes=20))

    async def say(self, sql: str | None, **more: Any) -> int:
        """Put a statement on record; its number there."""
        self.n += 1
        parameters = more.pop("parameters", None)
        verdict, digest = more.get("verdict", "allow"), more.pop("digest", f"{self.n:064x}")
        decision = {
            "action_kind": "sql.statement",
            "action_digest": digest,
            "verdict": verdict,
            "rule_id": more.get("rule_id", "reading"),
            "reason": "",
            "mode": "enforce",
            "observed": more.pop("observed", []),
        }
        fields = {
            **self._who(),
            "n": self.n,
            "sql": self._kept(sql),
            "parameters": self._kept(parameters and json.dumps(parameters)),
            "fingerprint": "50fde20626009aba",
            "verbs": ["SELECT"],
            "tables": ["public.orders"],
            "columns": [],
            "functions": [],
            "has_where": False,
            "read_only": True,
            "in_transaction": False,
            "verdict": verdict,
            "rule_id": "reading",
            "reason": "",
            "record": "full" if sql is not None else "metadata",
            "policy_version": "v1",
            "decisions": [decision],
            "findings": [],
            "approval_id": None,
            **more,
        }
        seq, durable = self.gate.statement(fields, ended=False)
        await durable
        return seq

    async def refuse(self, sql: str, **more: Any) -> None:
        """Put one on record that is not let through."""
        told: dict[str, Any] = {"rows": None, "masked_columns": [], "duration_ms": 0.0}
        told |= {"verdict": "deny", "response": None, "response_bytes": 0}
        await self.say(sql, **told, **more)

    async def end(self, begin_seq: int, rows: int = 0, **more: Any) -> None:
        """Put on record how it ended."""
        self.tape.wait(0.25)
        found = more.pop("result", None)
        fields = {
            **self._who(),
            "n": self.n,
            "record": "full",
            "begin_seq": begin_seq,
            "rows": rows,
            "masked_columns": [],
            "duration_ms": 250.0,
            "error": None,
            "response": self._kept(found and json.dumps(found)),
            "response_bytes": 100,
            **more,
        }
        _, durable = self.gate.statement(fields, ended=True)
        await durable

    async def run_(self, sql: str, rows: int = 1, **more: Any) -> None:
        ends = {key: more.pop(key) for key in ("result", "masked_columns", "error") if key in more}
        await self.end(await self.say(sql, **more), rows, **ends)

    async def approval(self, name: str, digest: str, *states: tuple[str, str, str]) -> None:
        """Put on record what became of an approval: states, by whom, and why."""
        for state, by, reason in states:
            self.tape.wait(1)
            await self.gate._recorder.append(
                "approval",
                {**self._who(), "approval_id": name, "action_digest": digest, "state": state,
                 "rule_id": "drops", "by": by, "reason": reason,
                 "at": timestamp(self.tape.now), "expires_at": None},
            )  # fmt: skip

    def _who(self) -> dict[str, Any]:
        run = self.run
        return {
            "flow_id": self.flow_id,
            "session_id": run.id if run else None,
            "session_started": timestamp(run.started) if run else None,
            "principal": self.who.key,
            "subject": self.who.subject,
            "groups": list(self.who.groups),
            "listener": "orders",
            "database": "shop",
            "client": "psql",
        }

    def _kept(self, content: str | None) -> dict[str, Any] | None:
        if content is None:
            return None
        scope = self.gate.scope(self.who, self.run)
        kept: dict[str, Any] = json.loads(self.gate.keep(scope, content.encode()))
        return kept


async def spoken(tape: Tape) -> None:
    """The model has psql run; what it says there is read, held, refused, masked and failing."""
    asked = answer(call("Bash", "toolu_1", command="psql shop"), stop="tool_use")
    await tape.turn(tape.say(text("Look at the orders.")), asked)
    tape.wait(1)
    there = Spoken(tape, FLOW, SESSION, ALICE)
    await there.begin()
    await there.run_(
        "SELECT id, email FROM orders WHERE id < $1",
        2,
        parameters=["10", None, "it's"],
        masked_columns=["public.orders.email"],
        result={"columns": ["id", "email"], "rows": [["1", HOSTILE], ["2", None]], "more": 3},
    )
    digest = "d" * 64
    await there.approval(
        REFUSED, digest, ("pending", ALICE.key, ""), ("denied", "idp#bob", "not today")
    )
    await there.refuse(
        "DROP TABLE orders", verbs=["DROP"], rule_id="drops", digest=digest,
        reason="Denied by bob: not today.", error="approval-denied: Denied by bob: not today.",
    )  # fmt: skip
    await there.approval(
        HELD, digest, ("pending", ALICE.key, ""), ("approved", "idp#bob", "now"), ("used", "", "")
    )
    await there.run_(
        "DROP TABLE orders", 0, verbs=["DROP"], verdict="hold", rule_id="drops", digest=digest,
        approval_id=HELD,
    )  # fmt: skip
    seen = {"rule_id": "watch", "verdict": "deny", "reason": "Too wide."}
    await there.run_(
        "SELECT nope", 0, error='42703: column "nope" does not exist', observed=[seen],
        in_transaction=True, tables=[],
    )  # fmt: skip
    copied = {"copy": "1\ta\n2\tb\n"}
    await there.run_("COPY orders TO STDOUT", 2, verbs=["COPY"], result=copied)
    seq = await there.say(None)
    await there.end(seq, 7)
    await there.say("SELECT pg_sleep(1000)", tables=[], findings=[_finding()])
    tape.wait(1)
    await tape.turn(tape.say(result("toolu_1", "Two orders.")), answer(text("Two.")))


async def alone(tape: Tape) -> None:
    """A connection of no session, with many statements."""
    tape.wait(86_400)
    there = Spoken(tape, ALONE, None, ALICE)
    await there.begin()
    for number in range(MANY):
        await there.run_(
            f"SELECT {number}", result={"columns": ["?column?"], "rows": [[str(number)]]}
        )
    await there.close()


def _finding() -> dict[str, Any]:
    return {
        "direction": "request", "location": "$", "entity_type": "EMAIL_ADDRESS", "score": 0.9,
        "detector": "presidio", "action": "mask", "digest": "",
    }  # fmt: skip
