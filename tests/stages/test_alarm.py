"""A canary is seen."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from proctor.canary.seen import SEEN
from proctor.errors import ClientError
from proctor.model import Deny, Finding
from proctor.protocols.git.routes import GitRoute
from proctor.stages.alarm import alarms
from proctor.stages.exchange import Exchange
from proctor.stages.gitfetch import Fetching
from tests.support.parts import ALICE


def finding(kind: str, detector: str, location: str = "query.d") -> Finding:
    return Finding(
        type=kind, location=location, direction="request", score=1.0, detector=detector,
        action="mask", digest="d",
    )  # fmt: skip


def test_each_canary_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    exchange = Exchange(listener="egress", principal=ALICE, at=("evil.example", 443))
    exchange.refused = Deny(rule_id="canary-leaves", reason="")
    found = [
        finding("CANARY", "proctor:canary/cn_1"),
        finding("CANARY", "proctor:canary/cn_1", "path"),
        finding("CANARY", "proctor:canary/cn_2"),
        finding("API_KEY", "x"),
    ]
    with caplog.at_level(logging.ERROR):
        told = alarms(exchange, found)
    assert [each["canary"] for _, each in told] == ["cn_1", "cn_2"]
    assert told[0][1]["seen_by"] == ALICE.key
    assert told[0][1]["host"] == "evil.example"
    assert told[0][1]["stopped"] is True
    assert [record.__dict__["event"] for record in caplog.records] == [SEEN, SEEN]


@pytest.mark.parametrize("stopped", [True, False])
def test_a_fetch_that_was_kept_back_was_stopped(*, stopped: bool) -> None:
    gate: Any = SimpleNamespace(error=ClientError("git-secret", "") if stopped else None)
    exchange = Exchange(listener="git")
    exchange.fetching = Fetching(route=GitRoute.FETCH, repository="r", gate=gate)
    [(_, told)] = alarms(exchange, [finding("CANARY", "proctor:canary/cn_1")])
    assert told["stopped"] is stopped


def test_without_one_nobody_is_alarmed() -> None:
    assert alarms(Exchange(listener="egress"), [finding("API_KEY", "x")]) == []
