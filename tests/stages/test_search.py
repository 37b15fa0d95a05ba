"""What is in a request is known before the rules are asked, and nothing is let through unseen."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from proctor.model import Decision, Deny, Finding, Session
from proctor.stages.exchange import Exchange, Stamp
from proctor.stages.search import Search, nameable
from tests.support.origin import Origin
from tests.support.parts import ALICE
from tests.support.redacted import request, screened, sent
from tests.support.screened import BROKEN, KEY, MAIL, screens
from tests.support.stand import OK, post


class House:
    """As much of a suite as the stage asks for."""

    def __init__(self, screen: Any, exchange: Exchange) -> None:
        self._screen, self._exchange = screen, exchange
        self.refused: list[BaseException] = []

    def exchange(self, _flow: http.HTTPFlow) -> Exchange:
        return self._exchange

    def screen(self, _name: str) -> Any:
        return self._screen

    def refuse(self, _flow: http.HTTPFlow, error: BaseException) -> None:
        self.refused.append(error)


def flow(content: bytes = b"", method: str = "POST", **headers: str) -> http.HTTPFlow:
    made = tflow.tflow()
    made.request = http.Request.make("POST", "http://a/x", content)
    made.request.headers.update(headers)
    made.request.data.method = method.encode()
    return made


def search(screen: Any, given: http.HTTPFlow, **more: Any) -> tuple[House, Exchange]:
    exchange = Exchange(listener="api", principal=ALICE, **more)
    house = House(screen, exchange)

    async def run() -> None:
        waiting = Search(house).request(given)  # type: ignore[arg-type]  # as much as it asks for
        if waiting:
            await waiting

    asyncio.run(run())
    return house, exchange


def test_without_redaction_there_is_nothing_to_look_at() -> None:
    _, exchange = search(None, flow(KEY.encode()))
    assert (exchange.stamps, exchange.look, exchange.receipt) == (Stamp.SEARCHED, None, None)


def test_what_was_refused_is_not_looked_at() -> None:
    _, exchange = search(None, flow(), refused=Deny(rule_id="r", reason=""))
    assert exchange.stamps == Stamp.NONE


def test_findings_and_a_receipt_are_there_for_the_rules(tmp_path: Path) -> None:
    with screens(tmp_path / "state") as made:
        house, exchange = search(made.on("api"), flow(f"{MAIL} {KEY}".encode()))
    assert not house.refused
    assert exchange.stamps == Stamp.SEARCHED
    assert [finding.type for finding in exchange.findings] == ["EMAIL_ADDRESS", "API_KEY"]
    assert exchange.receipt
    assert exchange.receipt.looked >= len(f"{MAIL} {KEY}")
    for value in (MAIL, KEY):
        assert value not in repr((exchange.findings, exchange.receipt, exchange))


@pytest.mark.parametrize(
    "given",
    [
        flow(BROKEN.encode()),
        flow(b"x", **{"content-encoding": "snappy"}),
        flow(b"x", method=KEY),
        flow(b"x", method=BROKEN),
    ],
)
def test_what_cannot_be_looked_at_is_refused_without_a_stamp(
    tmp_path: Path, given: http.HTTPFlow
) -> None:
    with screens(tmp_path / "state") as made:
        house, exchange = search(made.on("api"), given)
    assert len(house.refused) == 1
    assert not exchange.stamps
    assert exchange.findings == ()


@pytest.mark.parametrize(("name", "kept"), [("a-run", True), (KEY, False), (BROKEN, False)])
def test_a_session_named_by_a_value_has_no_name(tmp_path: Path, name: str, *, kept: bool) -> None:
    session = Session(id=name, client="c/1", started=datetime(2026, 3, 4, tzinfo=UTC))
    with screens(tmp_path / "state") as made:
        _, exchange = search(made.on("api"), flow(b"x"), session=session)
    assert exchange.session is (session if kept else None)


def test_rules_are_told_and_can_refuse_by_it(tmp_path: Path) -> None:
    """A rule sees the finding of the turn, and not those of the history."""
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        decide = this.rules.decide

        def strict(case: Any) -> Decision:
            found: tuple[Finding, ...] = case.findings
            if any(finding.type == "API_KEY" for finding in found):
                return Decision(verdict=Deny(rule_id="no-keys", reason="No keys."))
            return decide(case)

        this.rules.decide = strict  # type: ignore[method-assign]  # the point
        assert b" 451 " in proxy.request("claude", request(KEY))
        assert b" 451 " in proxy.request("api", post(KEY.encode()))
        history = [{"role": "assistant", "content": "ok"}, {"role": "user", "content": "go"}]
        assert b" 200 " in proxy.request("claude", request(KEY, *history))
    assert sent(origin)["messages"][0]["content"] == "<API_KEY>"


@pytest.mark.parametrize(
    ("name", "kept"), [("run-1", True), (KEY, False), (f"run-1 {BROKEN}", False)]
)
def test_the_run_of_what_was_refused_is_named_only_by_what_may_be_recorded(
    tmp_path: Path, name: str, *, kept: bool
) -> None:
    run = Session(id=name, client="c", started=datetime.now(UTC), correlated_by="header")
    with screens(tmp_path / "state") as ours:
        screen = ours.on("claude")
        assert screen
        assert nameable(run, screen) == (run if kept else None)
    assert nameable(run, None) is run
    assert nameable(None, None) is None


@pytest.mark.parametrize("name", [KEY, f"x {BROKEN}"])
def test_a_refusal_before_the_search_records_no_name_that_holds_more(
    tmp_path: Path, name: str
) -> None:
    with Origin(OK) as origin, screened(tmp_path, origin) as (this, proxy, _seen):
        more = f"x-claude-code-session-id: {name}\r\nupgrade: websocket\r\n".encode()
        assert proxy.request("claude", post(more=more)).startswith(b"HTTP/1.1 501 ")
    ((kind, fields),) = this.store.appended
    assert (kind, fields["subject"], fields["session_id"]) == ("flow.end", "alice", None)
