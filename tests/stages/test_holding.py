"""What is held waits, and leaves as it was shown, or not at all."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from proctor.approval.model import Approval, Kill, KillScope, State
from proctor.model import Allow, Decision, Deny, Hold
from proctor.runtime.http1 import MAX_AHEAD
from proctor.stages.holding import _patience
from tests.support.desks import NOW, FakeDesk, terms
from tests.support.live import Live
from tests.support.origin import OK, Origin
from tests.support.stand import Stand, house, listener, post, running

BODY = b'{"name":"x"}'


@dataclass
class Held:
    """A stand whose rules hold everything, and what a client and a reviewer do there."""

    stand: Stand
    desk: FakeDesk
    live: Live
    origin: Origin

    def ask(self, data: bytes) -> "Future[bytes]":
        """Send a request from a client of its own."""
        future: Future[bytes] = Future()

        def work() -> None:
            try:
                future.set_result(self.live.request("api", data, timeout=30))
            except BaseException as error:  # noqa: BLE001 - told to the test
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future

    def pending(self, count: int = 1) -> list[Approval]:
        return self.live.do(lambda: self.desk.pending(count))

    def decide(self, name: str, state: State, reason: str = "") -> None:
        self.live.do(lambda: self.desk.change(name, state, reason))

    def rules(self, decision: Decision) -> None:
        self.stand.rules.answers["api"] = decision


def hold(**more: Any) -> Decision:
    return Decision(
        verdict=Hold(rule_id="held", reason="A human has to look.", terms=(terms(**more),))
    )


@contextmanager
def held(decision: Decision | None = None) -> Iterator[Held]:
    desk = FakeDesk()
    with Origin() as origin:
        stand = house(listener(origin.port, name="api", speaks="http"), desk=desk)
        stand.rules.answers["api"] = decision or hold()
        with running(stand, "api") as live:
            yield Held(stand, desk, live, origin)


def request(body: bytes = BODY) -> bytes:
    return post(body, path="/v1/things")


def test_what_is_approved_leaves_as_it_was_shown() -> None:
    with held() as this:
        answer = this.ask(request())
        (approval,) = this.pending()
        assert this.origin.requests == []
        assert approval.asking.card.title.startswith("POST http://127.0.0.1:")
        assert '"name": "x"' in approval.asking.card.parts[-1].text
        assert approval.asking.demands[0].rule_id == "held"
        this.decide(approval.id, State.APPROVED)
        assert answer.result(30).startswith(b"HTTP/1.1 200")
        assert this.desk.approvals[approval.id].state is State.USED
        (sent,) = this.origin.requests
        assert sent.endswith(b"\r\n\r\n" + BODY)
        assert this.stand.metrics.waiting == 0
        (begin,) = [fields for kind, fields in this.stand.store.appended if kind == "flow.begin"]
        assert (begin["verdict"], begin["approval_id"]) == ("hold", approval.id)


@pytest.mark.parametrize("state", [State.DENIED, State.EXPIRED, State.CANCELLED])
def test_what_is_not_approved_does_not_leave(state: State) -> None:
    with held() as this:
        answer = this.ask(request())
        (approval,) = this.pending()
        this.decide(approval.id, state, "not on Fridays")
        said = answer.result(30)
        assert said.startswith(b"HTTP/1.1 451")
        if state is not State.EXPIRED:
            assert b"not on Fridays" in said
        assert b"held" in said
        assert this.origin.requests == []


def test_after_the_wait_the_client_is_told_the_id_and_a_retry_passes_once() -> None:
    with held(hold(wait=0.05)) as this:
        said = this.ask(request()).result(30)
        assert said.startswith(b"HTTP/1.1 451")
        assert b"ap_0" in said
        assert this.desk.gone == ["ap_0"]
        this.decide("ap_0", State.APPROVED)
        assert this.ask(request()).result(30).startswith(b"HTTP/1.1 200")
        assert this.ask(request()).result(30).startswith(b"HTTP/1.1 451")
        assert len(this.origin.requests) == 1


@pytest.mark.parametrize("turns", [1, 2])
def test_what_is_pipelined_behind_waits_its_turn_and_for_its_own_approval(turns: int) -> None:
    with held() as this, socket.create_connection(("127.0.0.1", this.live.ports["api"])) as client:
        client.settimeout(30)
        client.sendall(request(b"1") + request(b"2"))
        for turn in range(1, turns + 1):
            (approval,) = this.pending()
            assert len(this.desk.approvals) == turn
            assert len(this.origin.requests) == turn - 1
            this.decide(approval.id, State.APPROVED)
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
            assert this.origin.requests[-1].endswith(b"%d" % turn)


def test_a_client_that_sends_without_end_while_it_waits_is_cut_off() -> None:
    with held() as this, socket.create_connection(("127.0.0.1", this.live.ports["api"])) as client:
        client.settimeout(30)
        client.sendall(request())
        (approval,) = this.pending()
        with pytest.raises(ConnectionError):  # noqa: PT012 - when, is the system's to say
            for _ in range(64):
                client.sendall(b"x" * MAX_AHEAD)
        _cancelled(this, approval.id)
        assert this.origin.requests == []


def test_a_changed_request_is_another_one() -> None:
    with held(hold(wait=0.05)) as this:
        this.ask(request()).result(30)
        this.decide("ap_0", State.APPROVED)
        said = this.ask(request(b'{"name":"y"}')).result(30)
        assert said.startswith(b"HTTP/1.1 451")
        assert this.origin.requests == []


def test_the_rules_are_asked_again() -> None:
    with held() as this:
        answer = this.ask(request())
        (approval,) = this.pending()
        this.rules(Decision(verdict=Deny(rule_id="later", reason="No more.")))
        this.decide(approval.id, State.APPROVED)
        assert answer.result(30).startswith(b"HTTP/1.1 451")
        assert this.desk.approvals[approval.id].state is State.CANCELLED
        assert this.origin.requests == []


def test_stricter_terms_void_it_and_looser_rules_do_not() -> None:
    stricter = Decision(verdict=Hold(rule_id="held", reason="", terms=(terms(), terms("another"))))
    for now, status in ((stricter, b"451"), (Decision(verdict=Allow(rule_id="x")), b"200")):
        with held() as this:
            answer = this.ask(request())
            (approval,) = this.pending()
            this.rules(now)
            this.decide(approval.id, State.APPROVED)
            assert answer.result(30).startswith(b"HTTP/1.1 " + status)


def test_a_client_that_goes_away_cancels() -> None:
    with held() as this:
        address = ("127.0.0.1", this.live.ports["api"])
        with socket.create_connection(address) as connection:
            connection.sendall(request())
            (approval,) = this.pending()
        _cancelled(this, approval.id)
        assert this.origin.requests == []


def _cancelled(this: Held, name: str) -> None:
    """Wait until an approval is cancelled."""

    async def gone() -> None:
        async with this.desk._changed:
            await this.desk._changed.wait_for(
                lambda: this.desk.approvals[name].state is State.CANCELLED
            )

    this.live.do(gone)


def test_a_store_that_fails_lets_nothing_through() -> None:
    with held() as this:
        this.desk.broken = True
        assert this.ask(request()).result(30).startswith(b"HTTP/1.1 503")
        assert this.origin.requests == []


def test_no_desk_lets_nothing_through() -> None:
    with Origin() as origin:
        stand = house(listener(origin.port, name="api", speaks="http"))
        stand.rules.answers["api"] = hold()
        with running(stand, "api") as live:
            said = live.request("api", request())
        assert said.startswith(b"HTTP/1.1 451")
        assert origin.requests == []


def test_a_grant_lets_it_pass_without_asking() -> None:
    with held() as this:
        this.desk.grants = ()
        assert this.ask(request()).result(30).startswith(b"HTTP/1.1 200")
        assert this.desk.approvals == {}
        this.desk.grants_hold = False
        this.ask(request())
        this.pending()


def test_an_appeal_is_for_the_retry() -> None:
    denied = Decision(
        verdict=Deny(rule_id="no-posts", reason="Nobody posts.", appeal=(terms("no-posts"),))
    )
    with held(denied) as this:
        said = this.ask(request()).result(30)
        assert said.startswith(b"HTTP/1.1 451")
        assert b"Nobody posts." in said
        assert b"ap_0" in said
        this.decide("ap_0", State.APPROVED)
        assert this.ask(request()).result(30).startswith(b"HTTP/1.1 200")
        assert len(this.origin.requests) == 1


def test_a_kill_ends_what_waits_and_refuses_what_is_new() -> None:
    kill = Kill(id="ki_1", scope=KillScope.ALL, target="", by="carol", reason="Fire drill.", at=NOW)
    with held() as this:
        answer = this.ask(request())
        (approval,) = this.pending()
        this.desk.kill = kill

        async def strike() -> None:
            this.stand.suite.kill(kill)

        this.live.do(strike)
        said = answer.result(30)
        assert b"451" in said[:20]
        assert this.desk.approvals[approval.id].state is State.CANCELLED
        assert b"Fire drill." in this.ask(request()).result(30)
        this.desk.kill = None
        this.rules(Decision(verdict=Allow(rule_id="x")))
        assert this.ask(request()).result(30).startswith(b"HTTP/1.1 200")


def test_a_stop_refuses_what_waits_and_leaves_the_approval() -> None:
    with held() as this:
        answer = this.ask(request())
        (approval,) = this.pending()

        async def stop() -> None:
            this.stand.suite.stop_waiting()

        this.live.do(stop)
        assert answer.result(30).startswith(b"HTTP/1.1 451")
        assert this.desk.approvals[approval.id].state is State.PENDING
        assert this.desk.gone == [approval.id]


def test_others_pass_while_one_waits() -> None:
    with held() as this:
        this.ask(request())
        this.pending()
        this.rules(Decision(verdict=Allow(rule_id="x")))
        assert this.ask(request(b"{}")).result(30).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("", None),
        ("respond-async", 0),
        ("wait=10", 10),
        ('respond-sync; wait="7"', 7),
        ("wait=99999999", None),
        ("xwait=5", None),
        ("return=minimal, wait=3", 3),
    ],
)
def test_a_client_says_how_long_it_waits(prefer: str, seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert _patience(prefer) == expected


def test_nothing_held_costs_nothing() -> None:
    with held(Decision(verdict=Allow(rule_id="all"))) as this:
        assert this.ask(request()).result(30) == OK
        assert this.desk.approvals == {}
