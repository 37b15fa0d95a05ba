"""Everybody is told, whatever the others do."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.approval import lifecycle
from proctor.approval.model import Approval, ApprovalError, Change, Grant, State
from proctor.approval.notify import worker
from proctor.approval.notify.message import Item, Message, make, topics
from proctor.approval.notify.outbox import read_status
from proctor.approval.notify.webhook import Webhook
from proctor.approval.notify.worker import Notifier, backoff
from proctor.approval.settings import NotifierSettings
from proctor.approval.sqlite import SqliteStore
from proctor.errors import ConfigurationError
from proctor.model import ApprovalTerms
from proctor.testing.http1 import Received
from proctor.testing.webhooks import verify
from tests.approval import samples
from tests.approval.notify.standins import (
    SIGNING,
    TOKEN,
    WHSEC,
    JiraStandIn,
    Said,
    SlackStandIn,
    look_in,
    serve,
    settings,
)
from tests.approval.samples import NOW


class House:
    """A store, a clock, and notifiers that do not wait long."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o700)
        self.store = SqliteStore(folder / "approvals" / "approvals.db")
        self.now = NOW
        self.counts = Counter[tuple[str, str]]()
        self.known = {"jira_SECRET": TOKEN, "slack_SECRET": SIGNING}

    def clock(self) -> datetime:
        return self.now

    @asynccontextmanager
    async def telling(self, *notifiers: NotifierSettings, **more: Any) -> AsyncIterator[Notifier]:
        for item in notifiers:
            self.known.setdefault(f"{item.name}_SECRET", WHSEC)
        notifier = Notifier(
            notifiers,
            store=self.store,
            secrets=look_in(self.known),
            state=self.folder,
            address="https://proctor.example",
            clock=self.clock,
            count=lambda name, outcome: self.counts.update([(name, outcome)]),
            poll=0.01,
            pause=lambda _: 0.0,
            **more,
        )
        await notifier.start()
        try:
            yield notifier
        finally:
            await notifier.close()

    def ask(self, **changed: Any) -> Approval:
        return self.store.add(samples.pending(self.now, digest=str(self.now), **changed))

    def deny(self, approval: Approval) -> None:
        vote = samples.vote("bob", approve=False)
        self.store.update(
            approval.id, lambda it: lifecycle.voted(it, vote, met=False, now=self.now)
        )


def run(tmp_path: Path, check: Callable[[House], Awaitable[None]]) -> House:
    house = House(tmp_path)

    async def main() -> None:
        async with asyncio.timeout(30):
            await check(house)

    try:
        asyncio.run(main())
    finally:
        house.store.close()
    return house


async def until(true: Callable[[], object]) -> None:
    while not true():  # noqa: ASYNC110 - nothing tells when a server in a test has got something
        await asyncio.sleep(0.005)


class Receiver:
    """Takes signed webhooks, as `said` says."""

    def __init__(self, *said: Said) -> None:
        self.said = list(said)
        self.events: list[dict[str, Any]] = []
        self.ids: list[str] = []

    def __call__(self, request: Received) -> Said:
        event = verify(dict(request.headers), request.body, WHSEC, NOW.timestamp())
        self.ids.append(request.header("webhook-id") or "")
        answer = self.said.pop(0) if self.said else Said(204, b"")
        if answer.status < 300:
            self.events.append(event)
        return answer

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


def test_asked_and_denied(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        receiver = Receiver()
        async with serve(receiver) as house.known["webhook_URL"]:
            async with house.telling(settings("webhook")) as notifier:
                approval = house.ask()
                house.deny(approval)
                await until(lambda: house.counts["webhook", "sent"] == 2)
                (status,) = await notifier.status()
                assert (status.queued, status.failures) == (0, 0)
        assert receiver.types == ["approval.pending", "approval.denied"]
        assert {event["data"]["id"] for event in receiver.events} == {approval.id}

    assert run(tmp_path, check).counts == {("webhook", "sent"): 2}


def test_what_was_not_sent_is_sent_after_a_restart_and_nothing_twice(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        receiver = Receiver()
        house.ask()  # before the first start ever: nobody asked to be told
        async with serve(receiver) as house.known["webhook_URL"]:
            async with house.telling(settings("webhook")):
                house.now += timedelta(seconds=1)
                first = house.ask()
                await until(lambda: house.counts["webhook", "sent"])
            house.now += timedelta(seconds=1)
            second = house.ask()  # while nobody runs
            async with house.telling(settings("webhook")):
                await until(lambda: len(receiver.events) == 2)
        assert [event["data"]["id"] for event in receiver.events] == [first.id, second.id]

    run(tmp_path, check)


def test_several_processes_send_each_message_once(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        receiver = Receiver()
        async with serve(receiver) as house.known["webhook_URL"]:
            async with house.telling(settings("webhook")), house.telling(settings("webhook")):
                for _ in range(20):
                    house.now += timedelta(milliseconds=1)
                    house.ask()
                await until(lambda: len(receiver.events) >= 20)
        assert len(set(receiver.ids)) == len(receiver.ids) == 20

    run(tmp_path, check)


def test_it_is_tried_again_with_the_same_id(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        receiver = Receiver(Said(500), Said(429, headers={"retry-after": "0"}), Said(302))
        async with serve(receiver) as house.known["webhook_URL"]:
            async with house.telling(settings("webhook")):
                house.ask()
                await until(lambda: receiver.events)
                await until(lambda: house.counts["webhook", "sent"])
        assert len(receiver.ids) == 4
        assert len(set(receiver.ids)) == 1

    found = run(tmp_path, check).counts
    assert found == {("webhook", "sent"): 1, ("webhook", "retried"): 3}


def test_what_is_refused_for_good_is_not_tried_again(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        receiver = Receiver(Said(400, b"huge garbage" * 10000))
        async with serve(receiver) as house.known["webhook_URL"]:
            async with house.telling(settings("webhook")):
                house.deny(house.ask())
                await until(lambda: house.counts["webhook", "sent"])
        assert receiver.types == ["approval.denied"]

    found = run(tmp_path, check).counts
    assert found == {("webhook", "sent"): 1, ("webhook", "refused"): 1}


def test_a_notifier_that_hangs_delays_no_other_and_no_end(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        receiver = Receiver()
        async with (
            serve(lambda _: Said(body=None)) as house.known["hangs_URL"],
            serve(lambda _: Said(500)) as house.known["fails_URL"],
            serve(receiver) as house.known["works_URL"],
        ):
            house.known["refuses_URL"] = "http://127.0.0.1:9/"
            names = ("hangs", "fails", "refuses", "works")
            async with house.telling(*(settings("webhook", name) for name in names)) as notifier:
                for _ in range(5):
                    house.now += timedelta(milliseconds=1)
                    house.ask()
                await until(lambda: house.counts["works", "sent"] == 5)
                await until(lambda: house.counts["fails", "retried"] > 1)
                await until(lambda: house.counts["refuses", "retried"] > 1)
                status = {item.notifier: item for item in await notifier.status()}
                assert len(receiver.events) == 5
                assert status["works"].queued == 0
                assert (status["fails"].code, status["fails"].queued) == ("status-500", 5)
                assert (status["refuses"].code, status["refuses"].queued) == ("ConnectError", 5)
                assert status["hangs"].queued == 5
            kept = {item.notifier: item.queued for item in read_status(house.folder)}
            assert kept == {"hangs": 5, "fails": 5, "refuses": 5, "works": 0}

    run(tmp_path, check)


def test_what_is_settled_meanwhile_is_not_told_to_be_pending(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        slack = SlackStandIn()
        async with serve(slack) as origin:
            house.known["slack_URL"] = origin + slack.path
            async with house.telling(settings("slack")):
                pass
            house.deny(house.ask())
            async with house.telling(settings("slack")):
                await until(lambda: slack.posts)
        assert [post["text"] for post in slack.posts] == ["Denied: Bash"]

    run(tmp_path, check)


def test_nobody_is_told_of_what_is_over(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        receiver = Receiver()
        async with serve(receiver) as house.known["webhook_URL"]:
            async with house.telling(settings("webhook")):
                pass
            house.ask()
            house.now += samples.TTL
            async with house.telling(settings("webhook")):
                await until(lambda: house.counts["webhook", "expired"])
        assert receiver.ids == []

    run(tmp_path, check)


def test_a_ticket_is_remembered(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        jira = JiraStandIn(cloud=True, blind=True)
        async with serve(jira) as origin:
            house.known["jira_URL"] = f"{origin}/jira"
            async with house.telling(settings("jira")):
                approval = house.ask()
                await until(lambda: jira.issues)
                await until(lambda: house.counts["jira", "sent"])
            house.deny(approval)
            async with house.telling(settings("jira")):
                await until(lambda: jira.comments)
        assert jira.closed == ["OPS-1"]

    run(tmp_path, check)


def test_only_what_was_asked_for(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        receivers = {name: Receiver() for name in ("ops", "kills", "rest")}
        async with (
            serve(receivers["ops"]) as house.known["ops_URL"],
            serve(receivers["kills"]) as house.known["kills_URL"],
            serve(receivers["rest"]) as house.known["rest_URL"],
        ):
            async with house.telling(
                settings("webhook", "ops", groups=("ops",), on=("pending", "settled", "grant")),
                settings("webhook", "kills", on=("kill", "break_glass")),
                settings("webhook", "rest"),
            ):
                house.ask()
                house.now += timedelta(seconds=1)
                demand = ApprovalTerms(rule_id="x", from_groups=("ops", "sec"))
                theirs = house.ask(demands=(demand,))
                house.deny(theirs)
                grant = samples.grant(approval_id=theirs.id)
                house.store.add_grant(grant, lifecycle.granted(grant))
                lost: Grant = samples.grant(approval_id="ap_unknown")
                house.store.add_grant(lost, lifecycle.granted(lost))
                kill = samples.kill()
                house.store.add_kill(kill, lifecycle.killed(kill))
                house.now += timedelta(seconds=1)
                broken = house.ask()
                vote = samples.vote("carol", break_glass=True, at=house.now)
                house.store.update(
                    broken.id, lambda it: lifecycle.voted(it, vote, met=True, now=house.now)
                )
                await until(lambda: len(receivers["rest"].events) == 8)
                await until(lambda: len(receivers["kills"].events) == 2)
        ops = receivers["ops"]
        assert sorted(ops.types) == [
            "approval.denied",
            "approval.pending",
            "grant.granted",
            "grant.granted",
        ]
        assert sorted(receivers["kills"].types) == ["approval.break_glass", "kill.killed"]

    run(tmp_path, check)


def test_no_notifiers_no_file(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        async with house.telling() as notifier:
            assert await notifier.status() == ()
        assert not (house.folder / "notify.db").exists()

    run(tmp_path, check)


def test_a_secret_that_cannot_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        house.known |= {"webhook_URL": "https://hook.example", "webhook_SECRET": "short"}
        with pytest.raises(ConfigurationError, match="'webhook'"):
            async with house.telling(settings("webhook")):
                pass

    run(tmp_path, check)


def test_a_store_that_cannot_be_read_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def check(house: House) -> None:
        receiver = Receiver()
        tries = Counter[str]()
        last_change = house.store.last_change

        def broken() -> int:
            tries["all"] += 1
            if 3 < tries["all"] < 10:
                raise ApprovalError(code="approvals-unavailable", message="The disk is full")
            return last_change()

        monkeypatch.setattr(house.store, "last_change", broken)
        async with serve(receiver) as house.known["webhook_URL"]:
            async with house.telling(settings("webhook")):
                house.ask()
                await until(lambda: tries["all"] > 10)
                await until(lambda: receiver.events)

    run(tmp_path, check)
    told = [item for item in caplog.records if getattr(item, "event", "") == "notify.file-failed"]
    assert len(told) == 1


def test_the_log_hears_of_a_failing_notifier_three_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(worker, "ALARM", 60.0)

    async def check(house: House) -> None:
        bad = Said(503)
        receiver = Receiver(*[bad] * 4)
        async with serve(receiver) as origin:
            house.known["webhook_URL"] = f"{origin}/secretpath"
            receiver.said = [bad] * 1000
            async with house.telling(settings("webhook")):
                house.ask()
                await until(lambda: house.counts["webhook", "retried"] > 3)
                house.now += timedelta(seconds=90)
                before = house.counts["webhook", "retried"]
                await until(lambda: house.counts["webhook", "retried"] > before + 3)
                receiver.said = []
                await until(lambda: receiver.events)
                await until(lambda: house.counts["webhook", "sent"])

    run(tmp_path, check)
    told = [
        (item.levelname, getattr(item, "event", ""))
        for item in caplog.records
        if getattr(item, "event", "").startswith("notify.")
    ]
    assert told == [
        ("WARNING", "notify.failed"),
        ("ERROR", "notify.alarm"),
        ("INFO", "notify.recovered"),
    ]
    assert "secretpath" not in caplog.text
    assert WHSEC not in caplog.text


def test_a_mistake_of_ours_is_a_failure_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> str:
        raise RuntimeError("the secret is 12345")

    monkeypatch.setattr(Webhook, "deliver", broken)

    async def check(house: House) -> None:
        house.known["webhook_URL"] = "https://hook.example"
        async with house.telling(settings("webhook")) as notifier:
            house.ask()
            await until(lambda: house.counts["webhook", "retried"] > 1)
            (status,) = await notifier.status()
            assert status.code == "RuntimeError"

    run(tmp_path, check)
    assert "12345" not in caplog.text


def test_a_change_that_cannot_be_told_does_not_stop_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:

    def broken(change: Change, item: Item, address: str) -> Message:
        if change.state == "pending":
            raise RuntimeError("rm -rf build")
        return make(change, item, address)

    monkeypatch.setattr(worker, "make", broken)

    async def check(house: House) -> None:
        receiver = Receiver()
        async with serve(receiver) as house.known["webhook_URL"]:
            async with house.telling(settings("webhook")):
                house.deny(house.ask())
                await until(lambda: receiver.events)
        assert receiver.types == ["approval.denied"]

    run(tmp_path, check)
    assert [getattr(item, "event", "") for item in caplog.records] == ["notify.unspeakable"]
    assert "rm -rf" not in caplog.text


def test_how_long_it_waits() -> None:
    for attempts in range(1, 100):
        longest = min(2.0**attempts, 900.0)
        assert longest / 2 <= backoff(attempts) <= longest


def test_all_states_that_are_told_come_from_the_life_cycle() -> None:
    told = {State.APPROVED, State.DENIED, State.EXPIRED, State.CANCELLED, State.PENDING}
    found = {
        state
        for state in State
        if topics(replace(lifecycle.noted(samples.pending()), state=state.value))
    }
    assert found == told
