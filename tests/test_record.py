"""What is said of one exchange."""

from datetime import UTC, datetime, timedelta, timezone

from proctor.model import Action, ActionKind, Allow, Decision, Observation, RecordMode
from proctor.record import Receipt, Ruling, timestamp


def test_moments_are_written_in_utc_with_microseconds() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(moment) == "2026-01-02T01:04:05.000006Z"
    assert timestamp(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000000Z"


def test_a_ruling_lists_each_action_with_its_decision() -> None:
    action = Action(kind=ActionKind.HTTP_REQUEST, listener="l", target="GET /")
    decision = Decision(
        verdict=Allow(rule_id="a", reason="fine"),
        observed=(Observation(rule_id="o", verdict="deny", reason="would not"),),
    )
    ruling = Ruling(
        verdict=decision.verdict,
        decisions=(decision,),
        digests=("d",),
        actions=(action,),
        record=RecordMode.FULL,
        policy_version="v",
    )
    assert ruling.as_json() == [
        {
            "action_kind": "http.request",
            "action_digest": "d",
            "verdict": "allow",
            "rule_id": "a",
            "reason": "fine",
            "mode": "enforce",
            "observed": [{"rule_id": "o", "verdict": "deny", "reason": "would not"}],
        }
    ]


def test_a_receipt_says_what_was_not_looked_at_and_why() -> None:
    receipt = Receipt(
        looked=1024, skipped=(("image", 7), ("signed", 3)), detectors=("a", "b"), seconds=1 / 3
    )
    assert receipt.as_json() == {
        "looked": 1024,
        "skipped": [{"reason": "image", "bytes": 7}, {"reason": "signed", "bytes": 3}],
        "detectors": ["a", "b"],
        "seconds": 0.333333,
        "failure": "",
    }
