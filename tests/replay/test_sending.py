"""Nothing is sent without its approval, whatever happens around it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.approval.model import Approval, Asking, Reviewer, Role, State
from proctor.errors import ClientError, RefusedError
from proctor.model import Deny
from proctor.replay import posting, sending
from proctor.replay.passes import Passes
from proctor.replay.places import Place
from proctor.replay.plan import Plan
from proctor.replay.sending import Job, Replayer, Stage
from proctor.testing import tls
from proctor.testing.standin import StandIn, serving
from tests.replay.test_asking import CAROL
from tests.replay.test_direct import HOLD, Judge, aimed, straight
from tests.replay.test_passes import Other
from tests.replay.test_plan import API, PLAN
from tests.support.desks import NOW, FakeDesk
from tests.support.recorded import answer, text
from tests.support.scripted import Conversation, Scripted

ADMIN = replace(CAROL, subject="dave", human=None, roles=frozenset({Role.ADMIN}))


def saying(body: bytes) -> Callable[[Conversation], None]:
    def script(conversation: Conversation) -> None:
        while True:
            conversation.request()
            head = (
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            )
            conversation.send(head % len(body) + body)

    return script


@dataclass
class Stand:
    """A replayer, its desk, and what is where the listener would be."""

    desk: FakeDesk
    upstream: Scripted
    replayer: Replayer
    noted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def start(self, plan: Plan = PLAN, reviewer: Reviewer = CAROL) -> Job:
        return await self.replayer.start(plan, reviewer, "", "v1")

    async def ended(self, job: Job) -> Job:
        assert job.task is not None
        await asyncio.wait({job.task}, timeout=30)
        return job


def run(
    play: Callable[[Stand], Awaitable[None]],
    desk: FakeDesk | None = None,
    judge: Judge | None = None,
) -> None:
    async def main() -> None:
        noted: list[tuple[str, dict[str, Any]]] = []

        async def note(kind: str, detail: dict[str, object]) -> None:
            noted.append((kind, detail))

        with Scripted() as upstream:
            upstream.script = saying(answer(text("again")))
            own = desk or FakeDesk()
            replayer = Replayer(
                desk=own,
                passes=Passes(Other()),
                note=note,
                clock=lambda: NOW,
                groups=("r",),
                straight=straight(judge=judge or Judge()),
            )
            replayer.places = {
                "claude": Place(address=f"127.0.0.1:{upstream.port}", upstream=PLAN.upstream)
            }
            try:
                await play(Stand(own, upstream, replayer, noted))
            finally:
                await replayer.close()

    asyncio.run(main())


def test_sent_once_it_is_approved() -> None:
    async def play(stand: Stand) -> None:
        job = await stand.start(replace(PLAN, betas="x-1"))
        assert (job.stage, stand.upstream.requests) == (Stage.WAITING, [])
        await stand.desk.change(job.id, State.APPROVED)
        await stand.ended(job)
        assert (job.stage, len(job.sent)) == (Stage.DONE, 2)
        first, second = stand.upstream.requests
        assert first.endswith(b"\r\n\r\n{}")
        assert second.endswith(b'\r\n\r\n{"a":1}')
        for shown in (b"bearer proctor-replay.", b"anthropic-beta: x-1", job.name.encode()):
            assert shown in first.lower()
        assert stand.desk.approvals[job.id].state is State.USED
        assert [kind for kind, _ in stand.noted] == ["replay.started", "replay.ended"]
        assert stand.noted[0][1]["digest"] == job.plan.digest
        told = job.as_json()
        assert [each["differs"] for each in told["results"]] == [["stop_reason", "text"]] * 2
        assert "proctor-replay." not in repr(told)

    run(play)


@pytest.mark.parametrize("state", [State.DENIED, State.EXPIRED, State.CANCELLED, State.USED])
def test_any_other_end_sends_nothing(state: State) -> None:
    async def play(stand: Stand) -> None:
        job = await stand.start()
        await stand.desk.change(job.id, state)
        await stand.ended(job)
        assert job.stage is Stage.REFUSED
        assert job.problem == f"it was {state.value}"
        assert (stand.upstream.connections, stand.noted) == (0, [])

    run(play)


def test_an_end_that_passes_without_an_answer() -> None:
    class Late(FakeDesk):
        async def settled(self, name: str, until: Any) -> Approval:
            return await super().settled(name, until - timedelta(days=9999))

    async def play(stand: Stand) -> None:
        job = await stand.ended(await stand.start())
        assert (job.stage, job.problem) == (Stage.REFUSED, "nobody answered in time")
        assert stand.upstream.connections == 0

    run(play, Late())


def test_an_approval_that_cannot_be_used_or_is_for_something_else() -> None:
    class Quick(FakeDesk):
        async def settled(self, name: str, until: Any) -> Approval:
            return replace(self.approvals[name], state=State.APPROVED)

    class Elsewhere(FakeDesk):
        async def ask(self, asking: Asking) -> Approval:
            return await super().ask(replace(asking, digest="0" * 64))

    async def unusable(stand: Stand) -> None:
        job = await stand.ended(await stand.start())
        assert (job.stage, job.problem) == (Stage.FAILED, "It is not approved")
        assert (stand.upstream.connections, stand.noted) == (0, [])

    async def other(stand: Stand) -> None:
        job = await stand.start()
        await stand.desk.change(job.id, State.APPROVED)
        await stand.ended(job)
        assert (job.stage, job.problem) == (
            Stage.FAILED, "The approval is for something else",
        )  # fmt: skip
        assert (stand.upstream.connections, stand.noted) == (0, [])

    run(unusable, Quick())
    run(other, Elsewhere())


def test_what_cannot_be_put_on_record_is_not_sent() -> None:
    async def play(stand: Stand) -> None:
        async def broken(_kind: str, _detail: dict[str, object]) -> None:
            raise ClientError("record-failed", "It cannot be recorded")

        stand.replayer._note = broken
        job = await stand.start()
        await stand.desk.change(job.id, State.APPROVED)
        await stand.ended(job)
        assert job.stage is Stage.FAILED
        assert stand.upstream.connections == 0

    run(play)


def test_cancelled_while_it_waits_and_while_it_sends() -> None:
    async def play(stand: Stand) -> None:
        job = await stand.start()
        assert (await stand.replayer.cancel(job.id, CAROL)).stage is Stage.CANCELLED
        assert stand.desk.approvals[job.id].state is State.CANCELLED
        stand.upstream.script = _silent
        second = await stand.start()
        await stand.desk.change(second.id, State.APPROVED)
        assert await asyncio.to_thread(stand.upstream.wait_requests, 1)
        await stand.replayer.cancel(second.id, ADMIN)
        assert (second.stage, len(stand.upstream.requests)) == (Stage.CANCELLED, 1)
        assert (stand.noted[-1][0], stand.noted[-1][1]["sent"]) == ("replay.ended", 0)

    run(play)


def _silent(conversation: Conversation) -> None:
    conversation.request()
    conversation.wait_gone()


def test_an_upstream_that_hangs_up_or_says_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stand: Stand) -> None:
        stand.upstream.script = lambda _: None
        job = await stand.start()
        await stand.desk.change(job.id, State.APPROVED)
        await stand.ended(job)
        assert (job.stage, {each.status for each in job.sent}) == (Stage.DONE, {0})
        assert job.sent[0].error
        stand.upstream.script = saying(b"x" * 100)
        monkeypatch.setattr(posting, "_MAX_ANSWER", 99)
        job = await stand.start()
        await stand.desk.change(job.id, State.APPROVED)
        await stand.ended(job)
        assert job.sent[0].error == "the answer is larger than 99 bytes"

    run(play)


def test_who_sees_it() -> None:
    async def play(stand: Stand) -> None:
        job = await stand.start()
        assert stand.replayer.job(job.id, CAROL) is stand.replayer.job(job.id, ADMIN) is job
        for name, who in ((job.id, replace(ADMIN, roles=frozenset())), ("ap_x", CAROL)):
            with pytest.raises(ClientError) as caught:
                stand.replayer.job(name, who)
            assert caught.value.status == 404

    run(play)


def test_what_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refusal(stand: Stand, plan: Plan = PLAN) -> str:
        with pytest.raises(ClientError) as caught:
            await stand.start(plan)
        return caught.value.code

    async def play(stand: Stand) -> None:
        assert await refusal(stand, replace(PLAN, listener="other")) == "replay-listener"
        # The listener leads elsewhere by now.
        moved = replace(PLAN, upstream="https://other.example")
        assert await refusal(stand, moved) == "replay-listener"
        monkeypatch.setattr(sending, "_MAX_OPEN", 1)
        first = await stand.start()
        assert await refusal(stand, replace(PLAN, session="t")) == "replay-busy"
        assert first.stage is Stage.WAITING
        stand.replayer._groups = ()
        assert await refusal(stand) == "replay-nobody"
        assert stand.upstream.connections == 0

    run(play)


def test_the_same_asked_twice_is_one_and_old_ones_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(stand: Stand) -> None:
        job = await stand.start()
        assert await stand.start() is job
        await stand.replayer.cancel(job.id, CAROL)
        monkeypatch.setattr(sending, "_MAX_KEPT", 1)
        await stand.start(replace(PLAN, session="t"))
        with pytest.raises(ClientError):
            stand.replayer.job(job.id, CAROL)

    run(play)


def test_nothing_leaves_once_the_gateway_takes_nothing_more() -> None:
    async def play(stand: Stand) -> None:
        job = await stand.start()
        stand.replayer.places = {}
        await stand.desk.change(job.id, State.APPROVED)
        await stand.ended(job)
        assert (job.stage, stand.upstream.connections) == (Stage.FAILED, 0)
        assert stand.desk.approvals[job.id].state is State.APPROVED  # not used up

    async def half_way(stand: Stand) -> None:
        said = saying(answer(text("again")))

        def closing(conversation: Conversation) -> None:
            stand.replayer.places = {}
            said(conversation)

        stand.upstream.script = closing
        job = await stand.start()
        await stand.desk.change(job.id, State.APPROVED)
        await stand.ended(job)
        assert (job.stage, len(job.sent), len(stand.upstream.requests)) == (Stage.FAILED, 1, 1)
        assert stand.noted[-1][0] == "replay.ended"

    run(play)
    run(half_way)


def to_url(stand: Stand) -> Plan:
    there = aimed(f"http://127.0.0.1:{stand.upstream.port}")
    requests = (API, replace(API, method="POST"))
    return replace(PLAN, upstream=there.url, requests=requests, direct=there)


def test_a_url_is_sent_to_once_it_is_approved_and_as_long_as_the_rules_agree() -> None:
    judge = Judge()

    async def play(stand: Stand) -> None:
        stand.replayer.taking = True
        plan = to_url(stand)
        stand.replayer.places = {}
        job = await stand.start(plan)
        assert stand.upstream.connections == 0
        await stand.desk.change(job.id, State.APPROVED)
        await stand.ended(job)
        assert (job.stage, len(job.sent)) == (Stage.DONE, 2)
        for request in stand.upstream.requests:
            assert b"proctor-replay." not in request  # a pass is for listeners
            assert b"authorization" not in request.lower()
        started, done = (detail for _, detail in stand.noted)
        assert (started["upstream"], started["addresses"], started["listener"]) == (
            plan.upstream, ("127.0.0.1",), None,
        )  # fmt: skip
        assert done["statuses"] == [200, 200]
        assert job.as_json()["to"] == plan.upstream

    run(play, judge=judge)
    # Before humans, before the approval is used, and before each request.
    assert [len(actions) for actions in judge.asked] == [2, 2, 1, 1]


def test_rules_that_have_grown_stricter_void_it() -> None:
    judge = Judge()

    async def play(stand: Stand) -> None:
        stand.replayer.taking = True
        job = await stand.start(to_url(stand))
        judge.verdicts = [HOLD]
        await stand.desk.change(job.id, State.APPROVED)
        await stand.ended(job)
        assert job.stage is Stage.FAILED
        assert job.problem == "The rules ask for more than they did when it was approved"
        assert stand.desk.approvals[job.id].state is State.CANCELLED
        # Asked for again, it is what humans are asked.
        again = await stand.start(to_url(stand))
        assert [each.rule_id for each in stand.desk.approvals[again.id].asking.demands] == [
            "replay", HOLD.rule_id,
        ]  # fmt: skip
        judge.verdicts = [Deny(rule_id="no", reason="Not there.")]
        with pytest.raises(RefusedError) as caught:
            await stand.start(to_url(stand))
        assert (caught.value.code, caught.value.rule_id) == ("policy-denied", "no")
        assert (stand.upstream.connections, stand.noted) == (0, [])

    run(play, judge=judge)


def test_nothing_goes_to_a_url_while_the_gateway_takes_nothing() -> None:
    async def play(stand: Stand) -> None:
        with pytest.raises(ClientError) as caught:
            await stand.start(to_url(stand))
        assert caught.value.code == "replay-closed"
        stand.replayer.taking = True
        job = await stand.start(to_url(stand))
        stand.replayer.taking = False
        await stand.desk.change(job.id, State.APPROVED)
        await stand.ended(job)
        assert (job.stage, stand.upstream.connections) == (Stage.FAILED, 0)

    run(play)


def test_requests_to_an_api_go_through_a_listener_that_speaks_http() -> None:
    async def play(stand: Stand) -> None:
        plan = replace(PLAN, requests=(API,))
        with pytest.raises(ClientError) as caught:
            await stand.start(plan)
        assert caught.value.code == "replay-listener"
        place = replace(stand.replayer.places["claude"], speaks="http")
        stand.replayer.places["claude"] = place
        job = await stand.start(plan)
        await stand.desk.change(job.id, State.APPROVED)
        await stand.ended(job)
        (request,) = stand.upstream.requests
        assert request.startswith(b"PUT /items/7?x=1 HTTP/1.1\r\n")
        assert b"anthropic-version" not in request
        assert job.sent[0].text == answer(text("again")).decode()

    run(play)


def test_a_listener_with_tls_is_known_by_its_certificate(tmp_path: Path) -> None:
    own, other = tls.make(tmp_path / "own"), tls.make(tmp_path / "other")

    async def play(stand: Stand, trusted: Path) -> Job:
        with serving(StandIn(), tls=own.server_context()) as service:
            address = service.url.partition("//")[2]
            place = Place(address=address, upstream=PLAN.upstream, cert=trusted)
            stand.replayer.places = {"claude": place}
            job = await stand.start()
            await stand.desk.change(job.id, State.APPROVED)
            await stand.ended(job)
            assert bool(service.request_count) is (trusted == own.cert)
            return job

    async def known(stand: Stand) -> None:
        job = await play(stand, own.cert)
        assert {each.status for each in job.sent} == {401}  # by the service: it got that far

    async def unknown(stand: Stand) -> None:
        job = await play(stand, other.cert)
        assert {each.error for each in job.sent} == {"ConnectError"}

    run(known)
    run(unknown)
