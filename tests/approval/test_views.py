"""What others read of approvals."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from proctor.approval import lifecycle, views
from proctor.approval.model import State
from tests.approval.samples import ISSUER, NOW, full, grant, kill, vote

GOLDEN = Path(__file__).parents[1] / "golden" / "approval_views.json"


def test_the_shapes_are_those_that_others_read() -> None:
    made = replace(lifecycle.requested(full(), NOW), id="ap_aaaaaaaaaaaaaaaa", nonce="0" * 32)
    one = vote("bob", groups=("dba", "ops"))
    done, note = lifecycle.voted(made, one, met=True, now=NOW + timedelta(seconds=90))
    shown = {
        "approval": views.approval_json(
            replace(done, grant_id="gr_a gr_b"), NOW + timedelta(minutes=1)
        ),
        "grant": views.grant_json(grant(id="gr_aaaaaaaaaaaaaaaa"), NOW),
        "kill": views.kill_json(kill(id="ki_aaaaaaaaaaaaaaaa")),
        "change": views.change_json(replace(note, seq=7)),
    }
    assert shown == json.loads(GOLDEN.read_text())


def test_nothing_secret_is_shown() -> None:
    made = lifecycle.requested(replace(full(), sealed=b"SEALED"), NOW)
    one = vote("bob", "the-human-behind-bob")
    done, _ = lifecycle.voted(made, one, met=False, now=NOW)
    text = json.dumps(views.approval_json(done, NOW))
    for secret in ("SEALED", "sealed", made.nonce, "the-human-behind-bob", "identities"):
        assert secret not in text
    assert f"{ISSUER}#bob" in text


def test_it_can_always_be_sent_as_utf8() -> None:
    shown = views.approval_json(lifecycle.requested(full(), NOW), NOW)
    text = json.dumps(shown, ensure_ascii=False).encode()
    assert "Twö eyes\ufffd".encode() in text
    assert "\u202e".encode() in text  # how it looks is for whoever shows it


def test_time_left() -> None:
    made = lifecycle.requested(full(), NOW)
    later = NOW + timedelta(minutes=29)
    assert views.approval_json(made, later)["seconds_left"] == 60
    assert views.approval_json(made, NOW + timedelta(hours=1))["seconds_left"] == 0
    assert views.approval_json(replace(made, state=State.USED), NOW)["seconds_left"] == 0


def test_durations_are_as_rules_write_them() -> None:
    for seconds, text in ((5400, "90m"), (3600, "1h"), (86400, "1d"), (1.5, "1500ms"), (61, "61s")):
        made = lifecycle.requested(replace(full(), for_=timedelta(seconds=seconds)), NOW)
        assert views.approval_json(made, NOW)["for"] == text
