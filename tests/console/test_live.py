"""What happens now."""

from datetime import timedelta
from pathlib import Path

from proctor.approval.model import Grant, Kill, KillScope, State
from proctor.console.live import SHOWN, happened
from proctor.model import ActionKind
from tests.console.samples import BOB, CAROL, ISSUER, NOW, approval, asking, samples
from tests.console.stand import Stand, asked, words
from tests.support.recorded import others, record


def test_what_happened_in_order() -> None:
    grant = Grant(
        id="gr_1",
        rule_id="r",
        principal=f"{ISSUER}#alice",
        kind=ActionKind.LLM_TOOL_USE,
        pattern="Bash(ls)",
        uses=None,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        by=BOB.key,
        reason="",
        approval_id="",
        revoked_at=NOW + timedelta(minutes=2),
        revoked_by=CAROL.key,
    )
    kill = Kill(
        id="ki_1",
        scope=KillScope.ALL,
        target="",
        by=CAROL.key,
        reason="fire",
        at=NOW + timedelta(minutes=1),
        lifted_at=NOW + timedelta(minutes=3),
        lifted_by=CAROL.key,
    )
    late = approval(
        asking("Bash", "ls", number=1),
        1,
        state=State.EXPIRED,
        decided_at=NOW + timedelta(minutes=30),
    )
    found = happened([late], [grant], [kill])
    assert [(each.word, each.by, each.what) for each in found] == [
        ("expired", "", "Bash: ls"),
        ("lifted", "carol", "all"),
        ("revoked", "carol", "alice: Bash(ls)"),
        ("killed", "carol", "all"),
        ("held", "alice", "Bash: ls"),
        ("granted", "bob", "alice: Bash(ls), until 11:42"),
    ]
    assert {each.word for each in happened(samples(), [], [])} == {
        "held",
        "approved",
        "denied",
        "glass broken",
    }
    assert len(happened([late] * 99, [], [])) == SHOWN


def test_exchanges_are_for_who_sees_all(tmp_path: Path) -> None:
    record(tmp_path / "recordings", others)
    stand = Stand(tmp_path, reviewer=CAROL)
    text = words(asked(stand, "/live").text)
    assert "bob POST api.example/v1/messages allow anthropic 200 1.2 s" in text
    assert "?beta" not in text
    assert "api.example" in asked(stand, "/live/exchanges").text
    assert "glass broken" in asked(stand, "/live/changes").text
    stand.reviewer = BOB
    for path in ("/live", "/live/exchanges"):
        assert "api.example/v1" not in asked(stand, path).text


def test_a_record_that_cannot_be_read(tmp_path: Path) -> None:
    record(tmp_path / "recordings", others)
    (tmp_path / "recordings" / "store.json").write_text('{"version": 999}')
    answer = asked(Stand(tmp_path, reviewer=CAROL), "/live")
    assert (answer.status, "The record cannot be read now" in answer.text) == (200, True)
