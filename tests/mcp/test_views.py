"""Pins as JSON."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from proctor.mcp.model import Pin, Standing
from proctor.mcp.views import pin_detail, pin_json
from proctor.protocols.mcp.suspicion import Sign

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
PIN = Pin(
    server="jira",
    tool="search",
    accepted="a",
    earlier=("x",),
    seen="b",
    accepted_text='{"name": "search"}',
    newest_text='{"name": "search", "n": 1}',
    signs=(Sign(name="bidi", place="p", explanation="It turns.", score=0.6),),
    first_seen=NOW,
    changed_at=NOW,
)


def test_in_a_list() -> None:
    assert pin_json(PIN) == {
        "server": "jira",
        "tool": "search",
        "standing": Standing.CHANGED.value,
        "open": True,
        "kept": True,
        "accepted": "a",
        "seen": "b",
        "signs": [{"name": "bidi", "place": "p", "explanation": "It turns.", "score": 0.6}],
        "first_seen": "2026-01-02T03:04:05+00:00",
        "changed_at": "2026-01-02T03:04:05+00:00",
        "decided_at": None,
        "by": "",
        "reason": "",
    }


def test_by_itself() -> None:
    found = pin_detail(PIN)
    assert {name: found[name] for name in pin_json(PIN)} == pin_json(PIN)
    assert (found["definition"], found["newest"]) == (PIN.definition, PIN.newest)
    assert (found["earlier"], found["compared"], found["cut"]) == (["x"], True, False)
    assert '+  "n": 1,' in str(found["diff"])
    json.dumps(found)
    lost = pin_detail(replace(PIN, newest_text=""))
    assert (lost["kept"], lost["newest"], lost["diff"]) == (False, {}, "")
