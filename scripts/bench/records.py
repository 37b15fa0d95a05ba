"""Envelopes as the Gate writes them, for what is measured without a gateway."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from proctor.audit.recorder import Recorder
from proctor.gate import Gate
from proctor.gateparts import Authenticator, PolicySource
from proctor.model import (
    Action,
    ActionKind,
    Allow,
    ContentRef,
    Decision,
    Principal,
    RecordMode,
    Session,
)
from proctor.record import Closing, Opening, Question, Reply, Ruling

START = datetime(2026, 1, 1, tzinfo=UTC)

type Fields = dict[str, Any]


class _Listener:
    """A recorder that notes what the Gate would have written."""

    def __init__(self) -> None:
        self.heard: list[Fields] = []

    def scope(self, principal: str, session: Session | None) -> Any:
        del principal, session

    def put(self, scope: Any, data: bytes, cuts: Sequence[int] = ()) -> ContentRef:
        del scope, cuts
        size = len(data)
        return ContentRef(
            scope="w0.019b7e0f3a00c0ffee00c0ff",
            hash="0" * 64,
            size=size,
            encoding="utf8",
            blocks="0",
        )

    def refer(self, scope: Any, data: bytes) -> bytes:
        raise NotImplementedError

    def stream(self, scope: Any) -> Any:
        raise NotImplementedError

    async def append(self, kind: str, fields: Mapping[str, object]) -> int:
        """One more."""
        del kind
        self.heard.append(dict(fields))
        return 0

    def post(
        self, kind: str, fields: Mapping[str, object] | bytes, *, soon: bool = True
    ) -> tuple[int, asyncio.Future[None]]:
        raise NotImplementedError


async def envelopes() -> tuple[Fields, Fields]:
    """The fields of one exchange's `flow.begin` and `flow.end`."""
    listener = _Listener()
    # Neither is asked: who it is and what the rules said is given.
    gate = Gate(
        authenticator=cast("Authenticator", None),
        policies=cast("PolicySource", None),
        recorder=listener,
        clock=lambda: START,
    )
    principal = Principal(issuer="https://idp.example", subject="alice", groups=("dev", "platform"))
    session = Session(
        id=str(uuid.uuid4()), client="claude-cli/2.1.330", started=START, correlated_by="header"
    )
    verdict = Allow(rule_id="claude-requests")
    action = Action(kind=ActionKind.LLM_REQUEST, listener="claude", target="api.anthropic.com")
    version = "sha256:" + "0" * 64
    ruling = Ruling(
        verdict=verdict,
        decisions=(Decision(verdict=verdict, policy_version=version),),
        digests=("0" * 64,),
        actions=(action,),
        record=RecordMode.FULL,
        policy_version=version,
    )
    opening = Opening(
        flow_id=str(uuid.uuid4()),
        listener="claude",
        protocol="http/1.1",
        method="POST",
        scheme="https",
        host="api.anthropic.com",
        port=443,
        path="/v1/messages?beta=true",
        started_at=START,
        client="claude-cli/2.1.330",
        body=b"{}",
        question=Question(model="claude-sonnet-4-5", prompt="?", request_class="", stream=True),
    )
    reply = Reply(
        model="claude-sonnet-4-5",
        stop_reason="end_turn",
        output="!",
        input_tokens=300,
        output_tokens=99,
    )

    ticket = await gate.begin(opening, principal, session, ruling)
    await gate.end(ticket, Closing(status=200, response_bytes=900, body=b"{}", reply=reply))
    begin, end = listener.heard
    return begin, end


class Writer:
    """Flows in bulk: so many sessions at once, each with so many flows.

    Args:
        recorder: Where they go.
        like: What `envelopes` returns.
        per_session: Flows of one session.
    """

    AT_ONCE = 50

    def __init__(self, recorder: Recorder, like: tuple[Fields, Fields], per_session: int) -> None:
        self._recorder = recorder
        self._per_session = per_session
        self._begin, self._end = like

    async def write(self, numbers: range) -> None:
        """Some flows, by number; durable afterwards."""
        begins = [self._fields(number) for number in numbers]
        append = self._recorder.append
        seqs = await asyncio.gather(*[append("flow.begin", each) for each in begins])
        ends = [
            {
                **self._end,
                **{name: begin[name] for name in self._own},
                "begin_seq": seq,
                "response": begin["request"],
                "turn": {**self._end["turn"], **begin["turn"], "output": begin["turn"]["prompt"]},
            }
            for begin, seq in zip(begins, seqs, strict=True)
        ]
        await asyncio.gather(*[append("flow.end", each) for each in ends])

    _own = ("flow_id", "session_id", "session_started", "principal", "subject", "request")

    @classmethod
    def session_of(cls, number: int, per_session: int) -> int:
        """The session that a flow belongs to: AT_ONCE of them take turns."""
        wave, place = divmod(number, cls.AT_ONCE * per_session)
        return wave * cls.AT_ONCE + place % cls.AT_ONCE

    @staticmethod
    def session_id(session: int, copy: int = 0) -> str:
        """Its name, in the copy that `stretch` has made of it."""
        return f"5e55{copy:04d}-0000-4000-8000-{session:012d}"

    @staticmethod
    def flow_id(number: int, copy: int = 0) -> str:
        """A flow's name, likewise."""
        return f"f100{copy:04d}-0000-4000-8000-{number:012d}"

    def _fields(self, number: int) -> Fields:
        index = self.session_of(number, self._per_session)
        subject = f"user{index % 500}"
        session = Session(id=self.session_id(index), client="claude-cli/2.1.330", started=START)
        principal = f"https://idp.example#{subject}"
        scope = self._recorder.scope(principal, session)
        prompt = self._recorder.put(scope, f"What does file {number} of the project do?".encode())
        return {
            **self._begin,
            "flow_id": self.flow_id(number),
            "session_id": session.id,
            "principal": principal,
            "subject": subject,
            "request": prompt.as_json(),
            "turn": {**self._begin["turn"], "prompt": prompt.as_json()},
        }
