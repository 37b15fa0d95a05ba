"""Stand-ins for the Gate's parts: they only remember."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from proctor.errors import AuthenticationError, InternalError
from proctor.model import ActionKind, Allow, Case, ContentRef, Decision, Principal, Session

ALICE = Principal(issuer="https://idp", subject="alice", groups=("dev",))
BOB = Principal(issuer="https://idp", subject="bob")


@dataclass
class Store:
    """A recorder that only remembers."""

    appended: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    broken: bool = False

    def scope(self, principal: str, session: Session | None) -> Any:
        return f"{principal}/{session.id if session else ''}"

    def put(self, scope: Any, data: bytes, cuts: Sequence[int] = ()) -> ContentRef:
        self.contents.append(data)
        no = str(len(self.contents) - 1)
        return ContentRef(scope=scope, hash="", size=len(data), encoding="utf8", blocks=no)

    def refer(self, scope: Any, data: bytes) -> bytes:
        return orjson.dumps(self.put(scope, data).as_json())

    def stream(self, scope: Any) -> Any:
        store = self

        class Stream:
            parts: list[bytes] = []  # noqa: RUF012 - one stream a test

            def feed(self, data: bytes) -> None:
                self.parts.append(data)

            def close(self) -> ContentRef:
                return store.put(scope, b"".join(self.parts))

        return Stream()

    async def append(self, kind: str, fields: dict[str, object]) -> int:
        await asyncio.sleep(0)
        if self.broken:
            raise InternalError("journal-unwritable", "no")
        self.appended.append((kind, fields))
        return len(self.appended) - 1

    def post(
        self, kind: str, fields: dict[str, object] | bytes, *, soon: bool = True
    ) -> tuple[int, asyncio.Future[None]]:
        fields = json.loads(fields) if isinstance(fields, bytes) else fields
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.broken:
            durable.set_exception(InternalError("journal-unwritable", "no"))
            return len(self.appended), durable
        self.appended.append((kind, fields))
        durable.set_result(None)
        return len(self.appended) - 1, durable


@dataclass
class Rules:
    """Answers by listener name."""

    answers: dict[str, Decision] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    version: str = "sha256:0"

    @property
    def current(self) -> "Rules":
        return self

    def may(self, case: Case) -> bool:
        return True

    def steady(self, kind: ActionKind) -> bool:
        return True

    def reads(self, kind: ActionKind, prefix: str) -> bool:
        return True

    def decide(self, case: Case) -> Decision:
        self.cases.append(case)
        return self.answers.get(case.action.listener, Decision(verdict=Allow(rule_id="all")))


class Tokens:
    def recall(self, token: str) -> Principal | None:
        return {"a": ALICE}.get(token)

    async def authenticate(self, token: str) -> Principal:
        known = {"a": ALICE, "b": BOB}
        if token not in known:
            raise AuthenticationError("token-signature", "This token is not ours", got="a stranger")
        return known[token]
