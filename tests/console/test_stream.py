"""Events: to whom, until when, and that nothing is left behind."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from proctor.approval.desk import Desk
from proctor.approval.model import ApprovalError, Change
from proctor.console.stream import Streams
from proctor.errors import ClientError
from tests.approval.samples import NOW, grant, reviewer
from tests.support.signing import FakeDesk

ALICE = reviewer("alice")


def change(subject: str = "approval", name: str = "ap_1", seq: int = 1) -> Change:
    return Change(
        seq=seq, subject=subject, id=name, state="approved", by="b", reason="\ud800\n\nevent: x",
        at=NOW,
    )  # fmt: skip


class Client:
    """One end of an answer."""

    def __init__(self, desk: FakeDesk, heartbeat: float = 5.0) -> None:
        self.desk = desk
        self.streams = Streams(desk=cast("Desk", desk), heartbeat=heartbeat)
        self.sent: list[dict[str, Any]] = []
        self.news = asyncio.Event()
        self.left = asyncio.Event()
        self.signed_in = True

    async def still(self) -> bool:
        return self.signed_in

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self.news.set()

    async def receive(self) -> dict[str, str]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def run(self) -> None:
        response = self.streams.open(ALICE, self.still)
        await response({"type": "http"}, self.receive, self.send)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not done():
                self.news.clear()
                await self.news.wait()

    @property
    def text(self) -> str:
        return b"".join(each.get("body", b"") for each in self.sent).decode()


def play(
    test: Callable[[Client], Awaitable[None]], desk: FakeDesk, heartbeat: float = 5.0
) -> Client:
    """Let `test` run beside a client; the client has to have ended by its end."""

    async def go() -> Client:
        client = Client(desk, heartbeat)
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            running = group.create_task(client.run())
            await client.until(lambda: ": proctor" in client.text)
            await test(client)
            await running
        assert desk.followers[0].closed
        assert client.streams.room._open.total() == 0
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others
        return client

    return asyncio.run(go())


def test_changes_are_told_until_the_client_leaves() -> None:
    async def test(client: Client) -> None:
        desk.followers[0].queue.put_nowait(change(seq=7))
        await client.until(lambda: "event: change" in client.text)
        client.left.set()

    desk = FakeDesk()
    client = play(test, desk)
    headers = dict(client.sent[0]["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert b"content-length" not in headers
    event = client.text.split("\n\n")[1].split("\n")
    assert event[:2] == ["event: change", "id: 7"]
    assert json.loads(event[2].removeprefix("data: "))["id"] == "ap_1"
    assert len(event) == 3  # words of others begin no line
    assert client.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_who_has_signed_out_hears_nothing_more() -> None:
    async def test(client: Client) -> None:
        client.signed_in = False
        desk.followers[0].queue.put_nowait(change())

    desk = FakeDesk()
    assert "event" not in play(test, desk).text


def test_signing_out_ends_a_quiet_stream_too() -> None:
    async def test(client: Client) -> None:
        await client.until(lambda: client.text.endswith(":\n\n:\n\n"))
        client.signed_in = False

    play(test, FakeDesk(), heartbeat=0.01)


def test_the_desk_s_end_is_the_stream_s() -> None:
    async def test(_: Client) -> None:
        desk.followers[0].queue.put_nowait(None)

    desk = FakeDesk()
    play(test, desk)


@pytest.mark.parametrize("code", ["approval-group", "approval-role", "approval-unknown"])
def test_what_a_person_may_not_see_is_not_told(code: str) -> None:
    desk = FakeDesk()
    desk.answers["approval"] = ApprovalError(code=code, message="no")
    desk.answers["grants"] = [grant(id="gr_1")]

    async def test(client: Client) -> None:
        queue = desk.followers[0].queue
        queue.put_nowait(change())
        queue.put_nowait(change("grant", "gr_2"))
        queue.put_nowait(change("rumour", "x"))
        queue.put_nowait(change("grant", "gr_1"))
        queue.put_nowait(change("kill", "ki_1"))
        await client.until(lambda: "ki_1" in client.text)
        client.left.set()

    text = play(test, desk).text
    assert text.count("event: change") == 2
    assert "gr_1" in text
    assert "ap_1" not in text


def test_a_store_that_fails_ends_it() -> None:
    desk = FakeDesk()
    desk.answers["approval"] = ApprovalError(code="approvals-unavailable", message="no")

    async def test(_: Client) -> None:
        desk.followers[0].queue.put_nowait(change())

    with pytest.raises(ExceptionGroup) as caught:
        play(test, desk)
    assert caught.group_contains(ApprovalError)
    assert desk.followers[0].closed


def test_streams_are_bounded() -> None:
    async def go() -> None:
        client = Client(FakeDesk())
        async with asyncio.TaskGroup() as group:
            for number in range(1, 21):
                group.create_task(client.run())
                count = number
                await client.until(lambda: client.text.count(": proctor") == count)  # noqa: B023 - awaited here
            with pytest.raises(ClientError) as caught:
                client.streams.open(ALICE, client.still)
            assert (caught.value.code, caught.value.status) == ("too-many-streams", 429)
            client.streams.open(reviewer("bob"), client.still)
            client.left.set()
        assert client.streams.room._open.total() == 0

    asyncio.run(go())
