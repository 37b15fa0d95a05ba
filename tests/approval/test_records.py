"""What the record says of a change."""

from datetime import UTC, datetime

from proctor.approval.lifecycle import requested
from proctor.approval.model import Change, Kill, KillScope
from proctor.approval.records import envelope
from tests.approval.samples import asking
from tests.approval.test_model import GRANT

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def change(subject: str, state: str) -> Change:
    return Change(
        seq=7, subject=subject, id="x", state=state, by="https://idp#bob", reason="so", at=NOW,
        detail={"via": "console"},
    )  # fmt: skip


def test_an_approval() -> None:
    approval = requested(asking(), NOW)
    kind, fields = envelope(change("approval", "approved"), approval)
    assert kind == "approval"
    assert fields["approval_id"] == approval.id
    assert fields["state"] == "approved"
    assert fields["by"] == "https://idp#bob"
    assert fields["reason"] == "so"
    assert fields["principal"] == approval.asking.principal
    assert fields["action_digest"] == approval.asking.digest
    assert fields["expires_at"] == fields["at"].replace("12:00", "12:30")  # type: ignore[attr-defined]
    assert fields["change"] == {"via": "console"}
    assert "sealed" not in repr(fields)


def test_a_grant_and_a_kill_are_events() -> None:
    kind, fields = envelope(change("grant", "granted"), GRANT)
    assert (kind, fields["event_kind"]) == ("event", "grant.granted")
    assert fields["principal"] == GRANT.principal
    detail = fields["detail"]
    assert isinstance(detail, dict)
    assert (detail["pattern"], detail["rule_id"]) == ("Bash(ls)", "r")
    kill = Kill(id="ki_1", scope=KillScope.ALL, target="", by="b", reason="", at=NOW)
    kind, fields = envelope(change("kill", "killed"), kill)
    assert fields["event_kind"] == "kill.killed"
    detail = fields["detail"]
    assert isinstance(detail, dict)
    assert detail["scope"] == "all"


def test_what_is_not_known_any_more_is_recorded_all_the_same() -> None:
    kind, fields = envelope(change("approval", "expired"), None)
    assert (kind, fields["event_kind"]) == ("event", "approval.expired")
