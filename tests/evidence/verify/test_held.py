"""Nothing that a hold covers may go while it is in force."""

import json
from typing import Any

import pytest

from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.held import check_holds

HOLD = {"name": "h", "principal": None, "session": "s", "reason": "", "by": "root", "at": "2026"}
ORDER = {
    "id": "er_abcdefgh12345678",
    "principal": "i#alice",
    "session": None,
    "reason": "",
    "by": "root",
    "at": "2026-01-01T00:00:00.000000Z",
    "writer": None,
}
OTHERS = {**ORDER, "principal": None, "session": "t"}
ALL = {**HOLD, "session": None}


def event(minute: int, kind: str, detail: object, writer: str = "w0") -> bytes:
    said = {"kind": "event", "writer": writer, "seq": minute, "event_kind": kind, "detail": detail}
    return json.dumps({**said, "ts": f"2026-01-01T00:{minute:02}:00.000000Z"}).encode()


@pytest.mark.parametrize(
    ("events", "wrong"),
    [
        ([(1, "hold.added", HOLD), (2, "erasure", ORDER)], [2]),
        ([(1, "hold.added", HOLD), (2, "erasure", OTHERS)], []),
        ([(1, "erasure", ORDER), (2, "hold.added", HOLD)], []),
        ([(1, "hold.added", HOLD), (2, "hold.released", HOLD), (3, "erasure", ORDER)], []),
        # Its first word counts, and saying it once more releases nothing.
        ([(1, "hold.added", HOLD), (2, "hold.added", HOLD), (3, "erasure", ORDER)], [3]),
        # What was under way when the hold was made is not held against anybody for a minute.
        ([(1, "hold.added", HOLD), (2, "erasure", {**ORDER, "writer": "w0"})], []),
        ([(1, "hold.added", HOLD), (3, "erasure", {**ORDER, "writer": "w0"})], [3]),
        ([(1, "hold.added", HOLD), (9, "retention", {"writer": "w0"})], []),
        ([(1, "hold.added", ALL), (9, "retention", {"writer": "w0"})], [9]),
        ([(1, "hold.added", {"name": "h"}), (2, "erasure", ORDER)], []),
        ([(1, "hold.added", HOLD), (2, "start", ORDER), (3, "erasure", [])], []),
    ],
)
def test_what_is_wrong(events: list[tuple[int, str, Any]], wrong: list[int]) -> None:
    findings = Findings()
    # In any order, and twice, as they may stand in a journal and in a file.
    made = [event(*each) for each in events]
    check_holds([*reversed(made), *made], findings)
    assert [each.seq for each in findings.listed] == wrong
    assert findings.codes() == ({"held-not-kept"} if wrong else set())


def test_what_is_no_event_is_passed_over() -> None:
    findings = Findings()
    check_holds([b"{", b"7", b'{"kind":"event","event_kind":"erasure","detail":{}}'], findings)
    assert not findings.listed
