"""What is told of a canary, and what never is."""

import logging

import pytest

from proctor.canary.seen import SEEN, sightings
from proctor.model import Finding


def found(kind: str, detector: str, direction: str) -> Finding:
    return Finding(
        type=kind, location="rows.note", direction=direction, score=1.0, detector=detector
    )


def test_each_canary_each_way_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    seen = [
        found("CANARY", "proctor:canary/cn_1", "request"),
        found("CANARY", "proctor:canary/cn_1", "request"),
        found("CANARY", "proctor:canary/cn_1", "response"),
        found("API_KEY", "x", "request"),
    ]
    with caplog.at_level(logging.ERROR):
        told = sightings(
            seen, seen_by="local#alice", session="s", listener="db", host="shop", stopped=True
        )
    assert [(each["canary"], each["direction"]) for each in told] == [
        ("cn_1", "request"),
        ("cn_1", "response"),
    ]
    assert told[0] == {
        "canary": "cn_1",
        "seen_by": "local#alice",
        "session": "s",
        "listener": "db",
        "host": "shop",
        "direction": "request",
        "location": "rows.note",
        "stopped": True,
    }
    assert [record.__dict__["event"] for record in caplog.records] == [SEEN, SEEN]


def test_of_nothing_nobody_is_told() -> None:
    none = sightings([], seen_by="", session="", listener="db", host="shop", stopped=False)
    assert none == []
