"""What chaos needs: who counts what arrives, who asks, who decides, and what has to hold after it.

Every action has an id of its own, in what is shown to reviewers and in what leaves, so that each
arrival can be laid against the approvals of just this action.
"""

import asyncio
import contextlib
import json
import random
import re
import ssl
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from proctor.approval.authority import met
from proctor.approval.model import Approval, State
from proctor.testing import framing
from proctor.testing.conversation import Reply
from proctor.testing.http1 import chunk, read_request, response_head

UID = re.compile(r"id-[0-9a-f]{12}")
SESSIONS = tuple(f"run-{number}" for number in range(6))
SLOWEST = 20.0
"""Seconds within which every request has to be answered, whatever happens."""

KILLED_WITHIN = 1.0

_TLS = ssl.create_default_context()  # never used, and slow to make for each client

_FOLLOWS = {
    "approved": {State.APPROVED, State.USED, State.DENIED, State.EXPIRED, State.CANCELLED},
    "denied": {State.DENIED},
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One action that came out at the far end."""

    uid: str
    at: float
    session: str


@dataclass(slots=True, kw_only=True)
class Book:
    """All that was seen.

    Attributes:
        arrivals: What reached the upstream, and which tool calls reached a client.
        heard: What deciders were told of an approval last, by id.
        kills: Session, when its kill was in force for sure, and until when.
        wrong: What must not have happened, in words that begin with its kind.
        told: How often clients were told what.
    """

    arrivals: list[Arrival] = field(default_factory=list[Arrival])
    heard: dict[str, str] = field(default_factory=dict[str, str])
    kills: list[tuple[str, float, float]] = field(default_factory=list[tuple[str, float, float]])
    wrong: list[str] = field(default_factory=list[str])
    told: Counter[str] = field(default_factory=Counter[str])

    def arrived(self, uid: str, session: str) -> None:
        """Note an arrival."""
        now = asyncio.get_running_loop().time()
        self.arrivals.append(Arrival(uid, now, session))

    def check(self, approvals: Iterable[Approval], recorded: Iterable[dict[str, Any]]) -> None:
        """Lay what arrived against what the store and the record say.

        Args:
            approvals: All of the store.
            recorded: Rows with `approval_id` and `state`, of the record.
        """
        by_name = {approval.id: approval for approval in approvals}
        states: defaultdict[str, set[str]] = defaultdict(set)
        for row in recorded:
            states[row["approval_id"]].add(row["state"])
        used: defaultdict[str, list[Approval]] = defaultdict(list)
        for approval in by_name.values():
            if approval.state is State.USED:
                used[uid_of(approval)].append(approval)
                self._check_votes(approval)
        for uid, times in Counter(arrival.uid for arrival in self.arrivals).items():
            self._check_arrivals(uid, times, used[uid], states)
        for name, said in self.heard.items():
            self._check_heard(name, said, by_name.get(name))
        for session, begin, end in self.kills:
            for arrival in self.arrivals:
                if arrival.session == session and begin + KILLED_WITHIN < arrival.at < end:
                    self.wrong.append(f"unapproved: {arrival.uid} while {session} was killed")

    def _check_votes(self, approval: Approval) -> None:
        own = approval.asking.identities
        selfish = any(not vote.identities.isdisjoint(own) for vote in approval.votes)
        if selfish or not met(approval.asking.demands, approval.votes):
            self.wrong.append(f"unapproved: {approval.id} was used without the votes it needs")

    def _check_arrivals(
        self, uid: str, times: int, used: list[Approval], states: Mapping[str, set[str]]
    ) -> None:
        if not used:
            self.wrong.append(f"unapproved: {uid} arrived without an approval that was used")
        elif times > len(used):
            self.wrong.append(f"doubled: {uid} arrived {times} times, {len(used)} used")
        for approval in used:
            missing = {"pending", "approved", "used"} - states.get(approval.id, set())
            if missing:
                self.wrong.append(f"unapproved: {uid} lacks {sorted(missing)} on record")

    def _check_heard(self, name: str, said: str, found: Approval | None) -> None:
        if found is None:
            self.wrong.append(f"lost: {name} was {said} and is not there")
        elif said == "voted" and not found.votes:
            self.wrong.append(f"lost: a vote for {name}")
        elif said != "voted" and found.state not in _FOLLOWS[said]:
            self.wrong.append(f"lost: {name} was {said} and is {found.state}")


def uid_of(approval: Approval) -> str:
    """The id of the action that an approval shows."""
    card = approval.asking.card
    found = set(UID.findall("\n".join((card.summary, *(part.text for part in card.parts)))))
    return found.pop() if len(found) == 1 else f"none of {len(found)}"


class Upstream:
    """Counts what reaches it, and is no quiet place: it is slow at times, or hangs up.

    Args:
        book: Where it is noted.
        dice: For its moods.
    """

    def __init__(self, book: Book, dice: random.Random) -> None:
        self._book = book
        self._dice = dice
        self.url = ""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen for as long as the block lasts."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            number = 0
            while (request := await read_request(reader, number)) is not None:
                if request.target == "/v1/messages":
                    await self._model(writer, request.json())
                    continue
                uid = request.json()["id"]
                self._book.arrived(uid, request.header("x-claude-code-session-id") or "")
                if request.target != f"/do/{uid}":
                    self._book.wrong.append(f"unapproved: {uid} arrived at {request.target}")
                mood = self._dice.random()
                if mood < 0.1:
                    break  # without an answer, after it was done
                if mood < 0.3:
                    await asyncio.sleep(self._dice.random() / 5)
                body = json.dumps({"done": uid}).encode()
                head = {"content-type": "application/json", "content-length": str(len(body))}
                writer.write(response_head(200, head) + body)
                await writer.drain()
                if mood > 0.9:
                    break
        writer.close()

    async def _model(self, writer: asyncio.StreamWriter, asked: dict[str, Any]) -> None:
        uid = asked["messages"][-1]["content"]
        reply = Reply(
            id=f"msg_{uid}",
            model=asked["model"],
            content=(
                {"type": "text", "text": "I will do it."},
                {"type": "tool_use", "id": f"toolu_{uid}", "name": "Do", "input": {"it": uid}},
            ),
            stop_reason="tool_use",
            usage={"input_tokens": 1, "output_tokens": 1},
        )
        head = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
        writer.write(response_head(200, head))
        for event in framing.events(reply):
            writer.write(chunk(event))
            await writer.drain()
        writer.write(chunk(b""))
        await writer.drain()


@dataclass(slots=True, kw_only=True)
class Agent:
    """Does held things, one after the other, and tries again as clients do.

    Attributes:
        book: Where it is noted what came of it.
        dice: For its moods.
        urls: Listeners of gateways that are up: of the plain service, and of the model's.
        token: Makes one.
    """

    book: Book
    dice: random.Random
    urls: Callable[[], tuple[str, str] | None]
    token: Callable[[], str]

    async def act(self, uid: str, *, patient: bool = False) -> bool:
        """Do one thing; whether it was done.

        Args:
            uid: Its name.
            patient: Nobody goes away, and it is asked for until it is done or denied.
        """
        call = not patient and self.dice.random() < 0.4
        session = self.dice.choice(SESSIONS)
        for _ in range(30 if patient else self.dice.randint(1, 6)):
            while (urls := self.urls()) is None:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.1)
            leaves = not patient and self.dice.random() < 0.3
            try:
                async with asyncio.timeout(self.dice.random() * 2 if leaves else SLOWEST):
                    done = await (self._call if call else self._post)(urls, uid, session)
            except TimeoutError:
                self.book.told["went away"] += 1
                if not leaves:
                    self.book.wrong.append(f"lost: {uid} got no answer in {SLOWEST:.0f} s")
            except httpx.TransportError:
                self.book.told["connection lost"] += 1
                await asyncio.sleep(0.05)
            else:
                if done:
                    return True
                await asyncio.sleep(self.dice.random())
        return False

    def _headers(self, session: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token()}", "x-claude-code-session-id": session}

    async def _post(self, urls: tuple[str, str], uid: str, session: str) -> bool:
        headers = self._headers(session) | {"prefer": f"wait={self.dice.randint(1, 3)}"}
        async with httpx.AsyncClient(timeout=SLOWEST * 2, trust_env=False, verify=_TLS) as client:
            answer = await client.post(f"{urls[0]}/do/{uid}", json={"id": uid}, headers=headers)
        if answer.status_code == 200:
            self.book.told["done"] += 1
            if answer.json() != {"done": uid}:
                self.book.wrong.append(f"doubled: {uid} got another's answer")
            if all(arrival.uid != uid for arrival in self.book.arrivals):
                self.book.wrong.append(f"lost: {uid} was answered and never arrived")
            return True
        self.book.told[answer.json().get("code", str(answer.status_code))] += 1
        return False

    async def _call(self, urls: tuple[str, str], uid: str, session: str) -> bool:
        body = {
            "model": "m", "max_tokens": 9, "stream": True,
            "tools": [{"name": "Do", "input_schema": {"type": "object"}}],
            "messages": [{"role": "user", "content": uid}],
        }  # fmt: skip
        headers = self._headers(session) | {"anthropic-version": "2023-06-01"}
        said = b""
        async with (
            httpx.AsyncClient(timeout=SLOWEST * 2, trust_env=False, verify=_TLS) as client,
            client.stream("POST", f"{urls[1]}/v1/messages", json=body, headers=headers) as answer,
        ):
            try:
                async for piece in answer.aiter_bytes():
                    said += piece
            finally:
                # However it ended: what has come would be run.
                if f"toolu_{uid}".encode() in said:
                    self.book.arrived(uid, session)
                    self.book.told["called"] += 1
        called = f"toolu_{uid}".encode() in said
        if not called:
            self.book.told["no call"] += 1
        return called


@dataclass(slots=True, kw_only=True)
class Decider:
    """A person who says yes and no at random, and mostly yes.

    Attributes:
        book: Where it is noted what they were told.
        dice: For their moods.
        console: One that is up, or None.
        token: Makes one.
    """

    book: Book
    dice: random.Random
    console: Callable[[], str | None]
    token: Callable[[], str]

    async def run(self) -> None:
        """Decide for ever; cancel to end."""
        while True:
            await asyncio.sleep(self.dice.random() / 4)
            with contextlib.suppress(httpx.TransportError):
                for found in await self.pending():
                    if self.dice.random() < 0.6:
                        await self.decide(found["id"], approve=self.dice.random() < 0.85)

    async def pending(self) -> list[dict[str, Any]]:
        """What waits for somebody."""
        found = await self.ask("GET", "approvals?state=pending&limit=100")
        waiting: list[dict[str, Any]] = found.json()["approvals"] if found.is_success else []
        return waiting

    async def decide(self, name: str, *, approve: bool) -> None:
        """Say yes or no, and note what was acknowledged."""
        word = "approve" if approve else "deny"
        answer = await self.ask("POST", f"approvals/{name}/{word}", {"reason": "chaos"})
        if not answer.is_success:
            self.book.told[f"decider: {answer.json().get('code')}"] += 1
            return
        state = answer.json()["state"]
        if self.book.heard.get(name) != "denied":
            self.book.heard[name] = "voted" if state == "pending" else state
        self.book.told[f"decider: {state}"] += 1

    async def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> httpx.Response:
        """Ask the API of any gateway that is up.

        Raises:
            httpx.TransportError: None is, or it went away.
        """
        console = self.console()
        if console is None:
            raise httpx.ConnectError("no gateway is up")
        async with httpx.AsyncClient(timeout=SLOWEST, trust_env=False, verify=_TLS) as client:
            return await client.request(
                method,
                f"{console}/api/v1/{path}",
                json=body,
                headers={"authorization": f"Bearer {self.token()}"},
            )
