"""Slack's buttons."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from proctor.approval.desk import Desk
from proctor.approval.model import Approval, Card, Part, Reviewer, State, Via
from proctor.approval.notify.slack import APPROVE, DENY, token
from proctor.approval.notify.wire import make_client
from proctor.approval.sqlite import SqliteStore
from proctor.console.house import House
from proctor.console.slack import press, read, routes, verify
from proctor.errors import ClientError
from proctor.model import ApprovalTerms
from proctor.testing.http1 import Received
from tests.approval import samples
from tests.approval.notify.standins import SIGNING, Said, look_in, serve, settings, slack_wrong
from tests.approval.samples import NOW

KEY = SIGNING.encode()
CARD = Card(
    title="Bash",
    summary="rm -rf build",
    parts=(Part(name="command", kind="command", text="rm -rf build"),),
)


class Room:
    """A desk, a person or two, and Slack."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o700)
        self.store = SqliteStore(folder / "approvals" / "approvals.db")
        self.now = NOW
        self.people: dict[str, Reviewer] = {"bob": samples.reviewer("bob")}
        self.answers: list[dict[str, Any]] = []
        self.came: list[str] = []
        self.slack = ""
        self.presses = 0

    def clock(self) -> datetime:
        return self.now

    def answer(self, request: Received) -> Said:
        self.came.append(request.target)
        if request.target == "/answer":
            self.answers.append(request.json())
        return Said()

    @asynccontextmanager
    async def open(self, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
        async def record(*_: object) -> None:
            return None

        self.desk = Desk(
            self.store, clock=self.clock, record=record, open_sealed=lambda _: {}, poll=0.01
        )
        await self.desk.start()
        try:
            async with serve(self.answer) as self.slack:
                # Only these are looked at here.
                house: Any = type("House", (), {})()
                house.desk, house.clock = self.desk, self.clock
                house.address = "https://proctor.example"
                known = {"slack_URL": f"{self.slack}/services/secretpath", "slack_SECRET": SIGNING}
                found = routes(
                    cast("House", house),
                    [settings("slack", users={"U1": "bob", "U2": "carol", "U3": "alice"}, **more)],
                    secrets=look_in(known),
                    reviewer_of=self.people.get,
                    client=make_client,
                )
                app = httpx.ASGITransport(Starlette(routes=found))
                async with httpx.AsyncClient(transport=app, base_url="http://console") as client:
                    yield client
        finally:
            await self.desk.close()

    async def ask(self, **changed: Any) -> Approval:
        return await self.desk.ask(samples.asking(**({"card": CARD} | changed)))

    def form(
        self, approval: str, action: str = APPROVE, user: str = "U1", **changed: Any
    ) -> dict[str, Any]:
        self.presses += 1
        return {
            "type": "block_actions",
            "trigger_id": f"12466734323.1395872398.{self.presses}",
            "user": {"id": user, "username": "whatever"},
            "response_url": f"{self.slack}/answer",
            "actions": [{"action_id": action, "value": token(KEY, approval), "type": "button"}],
            **changed,
        }

    async def send(
        self, client: httpx.AsyncClient, payload: Any, *, age: int = 0, **headers: str | bytes
    ) -> httpx.Response:
        body = urlencode({"payload": json.dumps(payload)}).encode()
        return await self.post(client, body, age=age, **headers)

    async def post(
        self, client: httpx.AsyncClient, body: bytes, *, age: int = 0, **headers: str | bytes
    ) -> httpx.Response:
        at = int(self.now.timestamp()) - age
        known: dict[str, str | bytes] = {
            "content-type": "application/x-www-form-urlencoded",
            "x-slack-request-timestamp": str(at),
            "x-slack-signature": signed(at, body),
        }
        known |= {name.replace("_", "-"): value for name, value in headers.items()}
        raw = [
            (name.encode(), value.encode() if isinstance(value, str) else value)
            for name, value in known.items()
        ]
        return await client.post("/hooks/slack", content=body, headers=raw)

    def state(self, approval: Approval) -> State:
        return self.store.get(approval.id).state


def signed(at: int, body: bytes, secret: str = SIGNING) -> str:
    mac = hmac.new(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256)
    return f"v0={mac.hexdigest()}"


def run(tmp_path: Path, check: Callable[[Room, httpx.AsyncClient], Awaitable[None]]) -> Room:
    room = Room(tmp_path)

    async def main() -> None:
        async with asyncio.timeout(30), room.open() as client:
            await check(room, client)

    asyncio.run(main())
    return room


def test_the_signature_of_the_documentation() -> None:
    # "Verifying requests from Slack", its own example.
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
        b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = httpx.Headers(
        {
            "X-Slack-Request-Timestamp": "1531420618",
            "X-Slack-Signature": (
                "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
            ),
        }
    )
    assert verify(headers, body, SIGNING, 1531420618 + 300)
    assert not verify(headers, body, SIGNING, 1531420618 + 301)
    assert not verify(headers, body + b"x", SIGNING, 1531420618)


def test_approved(tmp_path: Path) -> None:
    async def check(room: Room, client: httpx.AsyncClient) -> None:
        approval = await room.ask()
        answer = await room.send(client, room.form(approval.id))
        assert (answer.status_code, answer.content) == (200, b"")
        found = room.store.get(approval.id)
        assert found.state is State.APPROVED
        assert [(vote.reviewer, vote.via) for vote in found.votes] == [
            (f"{samples.ISSUER}#bob", Via.SLACK)
        ]

    (said,) = run(tmp_path, check).answers
    assert said["replace_original"] is True
    assert said["text"] == "Approved: Bash"
    assert slack_wrong(said) == ""
    assert "value" not in json.dumps(said)


def test_denied(tmp_path: Path) -> None:
    async def check(room: Room, client: httpx.AsyncClient) -> None:
        approval = await room.ask()
        await room.send(client, room.form(approval.id, DENY))
        assert room.state(approval) is State.DENIED

    assert run(tmp_path, check).answers[0]["text"] == "Denied: Bash"


def test_one_of_two(tmp_path: Path) -> None:
    async def check(room: Room, client: httpx.AsyncClient) -> None:
        room.people["carol"] = samples.reviewer("carol")
        demand = ApprovalTerms(rule_id="shell", from_groups=("dba",), count=2)
        approval = await room.ask(demands=(demand,))
        await room.send(client, room.form(approval.id))
        assert room.state(approval) is State.PENDING
        await room.send(client, room.form(approval.id, user="U2"))
        assert room.state(approval) is State.APPROVED

    first, second = run(tmp_path, check).answers
    assert first["text"] == "Held: Bash"
    assert "So far" in json.dumps(first)
    assert APPROVE in json.dumps(first)
    assert second["text"] == "Approved: Bash"


def test_decided_elsewhere(tmp_path: Path) -> None:
    async def check(room: Room, client: httpx.AsyncClient) -> None:
        approval = await room.ask()
        await room.desk.decide(approval.id, samples.reviewer("carol"), approve=False)
        await room.send(client, room.form(approval.id))
        assert room.state(approval) is State.DENIED

    assert run(tmp_path, check).answers[0]["text"] == "Denied: Bash"


@pytest.mark.parametrize(
    ("user", "person", "words"),
    [
        ("U9", None, "Nobody has told proctor who you are"),
        ("U2", None, "Sign in first"),
        ("U1", samples.reviewer("bob", groups=("ops",)), "approvals/"),
        ("U1", samples.reviewer("bob", roles=frozenset()), "approvals/"),
        ("U3", samples.reviewer("alice"), "approvals/"),  # the human behind the bot
    ],
)
@pytest.mark.parametrize("action", [APPROVE, DENY])
def test_who_may_not(
    tmp_path: Path, user: str, person: Reviewer | None, words: str, action: str
) -> None:
    async def check(room: Room, client: httpx.AsyncClient) -> None:
        if person is not None:
            room.people[person.subject] = person
        approval = await room.ask()
        answer = await room.send(client, room.form(approval.id, action, user))
        assert answer.status_code == 200
        assert room.state(approval) is State.PENDING

    (said,) = run(tmp_path, check).answers
    assert (said["response_type"], said["replace_original"]) == ("ephemeral", False)
    assert words in said["text"]
    assert "https://proctor.example/approvals/ap_" in said["text"]


def test_words_that_are_needed_are_not_skipped_here(tmp_path: Path) -> None:
    async def check(room: Room, client: httpx.AsyncClient) -> None:
        demand = ApprovalTerms(rule_id="shell", from_groups=("dba",), reason_required=True)
        approval = await room.ask(demands=(demand,))
        await room.send(client, room.form(approval.id))
        assert room.state(approval) is State.PENDING

    assert run(tmp_path, check).answers[0]["response_type"] == "ephemeral"


@pytest.mark.parametrize(
    ("age", "headers"),
    [
        (301, {}),
        (-301, {}),
        (0, {"x_slack_signature": "v0=" + "0" * 64}),
        (0, {"x_slack_signature": ""}),
        (0, {"x_slack_signature": b"v0=\xe9"}),
        (0, {"x_slack_request_timestamp": "soon"}),
        (0, {"x_slack_request_timestamp": "9" * 5000}),
    ],
)
def test_what_slack_did_not_send(tmp_path: Path, age: int, headers: dict[str, str]) -> None:
    async def check(room: Room, client: httpx.AsyncClient) -> None:
        approval = await room.ask()
        answer = await room.send(client, room.form(approval.id), age=age, **headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == "slack-signature"
        assert room.state(approval) is State.PENDING

    assert run(tmp_path, check).came == []


def test_the_same_press_again(tmp_path: Path) -> None:
    async def check(room: Room, client: httpx.AsyncClient) -> None:
        approval = await room.ask()
        payload = room.form(approval.id, user="U9")
        assert (await room.send(client, payload)).status_code == 200
        answer = await room.send(client, payload, age=1)
        assert (answer.status_code, answer.json()["code"]) == (409, "slack-replay")

    assert len(run(tmp_path, check).answers) == 1


def test_a_button_that_proctor_did_not_make(tmp_path: Path) -> None:
    async def check(room: Room, client: httpx.AsyncClient) -> None:
        approval = await room.ask()
        for value in (approval.id, f"{approval.id}.", token(b"guess", approval.id), "ź.ź", ""):
            action = {"action_id": APPROVE, "value": value}
            answer = await room.send(client, room.form(approval.id, actions=[action]))
            assert (answer.status_code, answer.json()["code"]) == (403, "slack-button")
        assert room.state(approval) is State.PENDING

    assert run(tmp_path, check).came == []


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/answer",
        "https://hooks.slack.com.evil.example/answer",
        "https://hooks.slack.com@evil.example/answer",
        "https://hooks.slack.com:8443/answer",
        "http://hooks.slack.com/answer",
        "http://127.0.0.1:9/answer",
        "file:///etc/passwd",
        "",
    ],
)
def test_answers_go_to_slack_only(
    tmp_path: Path, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def check(room: Room, client: httpx.AsyncClient) -> None:
        approval = await room.ask()
        await room.send(client, room.form(approval.id, response_url=address))
        assert room.state(approval) is State.APPROVED

    assert run(tmp_path, check).came == []
    told = [getattr(item, "code", "") for item in caplog.records if hasattr(item, "event")]
    assert told[-1] in {"foreign-address", "wrong-value"}


def test_a_button_that_only_opens_a_page(tmp_path: Path) -> None:
    async def check(room: Room, client: httpx.AsyncClient) -> None:
        payload = room.form("ap_x", actions=[{"action_id": "proctor_open"}])
        assert (await room.send(client, payload)).status_code == 200

    assert run(tmp_path, check).came == []


@pytest.mark.parametrize(
    "payload",
    [
        {},
        [],
        "text",
        None,
        {"trigger_id": "1", "type": "view_submission"},
        {"trigger_id": "1", "type": "block_actions", "actions": []},
        {"trigger_id": "1", "type": "block_actions", "actions": [{"action_id": APPROVE}]},
        {"trigger_id": 1},
    ],
)
def test_what_is_no_press(tmp_path: Path, payload: Any) -> None:
    async def check(room: Room, client: httpx.AsyncClient) -> None:
        answer = await room.send(client, payload)
        assert (answer.status_code, answer.json()["code"]) == (400, "slack-payload")

    run(tmp_path, check)


def test_forms_of_another_kind(tmp_path: Path) -> None:
    async def check(room: Room, client: httpx.AsyncClient) -> None:
        for body in (b"", b"payload", b"a=1", b"payload={", b"payload=1&payload=2", b"\xff=1"):
            assert (await room.post(client, body)).status_code == 400
        assert (await room.post(client, b"{}", content_type="text/plain")).status_code == 415
        assert (await room.post(client, b"x" * (64 * 1024 + 1))).status_code == 413
        assert (await client.get("/hooks/slack")).status_code == 405

    run(tmp_path, check)


def test_nobody_is_named_so_there_is_no_door() -> None:
    none: Any = None
    slack = settings("slack", users={})
    assert routes(none, [slack, settings("teams")], secrets=none, reviewer_of=none) == []


def refusal(sent: bytes | dict[str, Any]) -> str:
    """The code of the error; "" where nothing was pressed."""
    try:
        pressed = press(read(sent) if isinstance(sent, bytes) else sent, KEY)
    except ClientError as error:
        return error.code
    assert pressed is None
    return ""


@given(st.binary(max_size=300))
def test_any_body(body: bytes) -> None:
    for content in (body, urlencode({"payload": body}).encode()):
        assert refusal(content) == "slack-payload"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(
    st.fixed_dictionaries(
        {"trigger_id": st.text()},
        optional={
            "type": st.sampled_from(["block_actions", "x"]) | JSON,
            "user": st.fixed_dictionaries({"id": JSON}) | JSON,
            "response_url": JSON,
            "actions": st.lists(
                st.fixed_dictionaries(
                    {"action_id": st.sampled_from([APPROVE, DENY]), "value": JSON}
                )
                | JSON
            )
            | JSON,
        },
    )
)
def test_any_payload_decides_nothing(payload: dict[str, Any]) -> None:
    assert refusal(payload) in {"", "slack-payload", "slack-button"}
