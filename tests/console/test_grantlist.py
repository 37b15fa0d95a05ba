"""Grants: listed, and taken back."""

from datetime import timedelta
from pathlib import Path

import pytest

from proctor.approval.model import Grant, Role
from proctor.model import ActionKind
from tests.console.samples import BOB, ISSUER, NOW, person
from tests.console.stand import Stand, asked, words


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    made = Stand(tmp_path)
    for number, ago in enumerate((10, 90)):
        name = f"gr_{number}"
        made.desk.given[name] = Grant(
            id=name,
            rule_id="destructive-shell",
            principal=f"{ISSUER}#alice",
            kind=ActionKind.LLM_TOOL_USE,
            pattern=f"Bash(rm -rf <b>{number})",
            uses=10,
            used=3,
            created_at=NOW - timedelta(minutes=ago),
            expires_at=NOW - timedelta(minutes=ago) + timedelta(hours=1),
            by=BOB.key,
            reason="All morning",
            approval_id="ap_abcdefghijkl0090",
        )
    return made


def test_open_ones_and_all(stand: Stand) -> None:
    text = words(asked(stand, "/grants").text)
    assert "Bash(rm -rf <b>0)" in text
    assert (
        "alice destructive-shell bob 10:32:31 All morning 3 of 10 until 11:32:31 Take back" in text
    )
    assert "<b>1" not in text
    assert "over, 10:12:31" in words(asked(stand, "/grants?show=all").text)
    stand.desk.given.clear()
    assert "No grant is open." in asked(stand, "/grants").text


def test_taking_back(stand: Stand) -> None:
    assert asked(stand, "/grants/gr_0/revoke", fields={"x": ""}).status == 303
    assert stand.desk.given["gr_0"].revoked_by == BOB.key
    assert "taken back 10:42:31 by bob" in words(asked(stand, "/grants?show=all").text)
    answer = asked(stand, "/grants/gr_9/revoke", fields={"x": ""})
    assert (answer.status, "There is no such grant" in answer.text) == (404, True)


def test_who_may_not(stand: Stand) -> None:
    stand.reviewer = person("erin", Role.AUDITOR)
    assert "Take back</button>" not in asked(stand, "/grants").text
    assert asked(stand, "/grants/gr_0/revoke", fields={"x": ""}).status == 403
    assert stand.desk.given["gr_0"].revoked_at is None


def test_asking_names_the_rules_that_let_grants_be_given(stand: Stand) -> None:
    shown = asked(stand, "/grants").text
    assert '<option value="destructive-shell">destructive-shell (up to 1 h)</option>' in shown
    assert 'data-api="/api/v1/grants/requests"' in shown
    assert shown.count('<option value="') == 1
