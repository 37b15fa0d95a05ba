"""Erasing a session from its page."""

from pathlib import Path

import pytest

from proctor.evidence.erasure import Order
from proctor.evidence.holds import Subject
from tests.console.samples import BOB, CAROL
from tests.console.stand import Stand, asked, words
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, record, story

ONE = f"/sessions/one?id={SESSION}&principal={ALICE.key.replace('#', '%23')}"
SENT = {"session": "s1", "principal": "i#alice", "reason": "She asked.", "sure": "yes"}


class Kept:
    """Takes the place of Upkeep."""

    def __init__(self) -> None:
        self.asked: list[Subject] = []

    async def erase(self, subject: Subject, reason: str, by: str) -> tuple[Order, int]:
        self.asked.append(subject)
        return Order(
            id="er_" + "a" * 16, subject=subject, reason=reason, by=by, at="2026-01-01T00:00:00Z"
        ), 3


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path, reviewer=CAROL, upkeep=Kept())


def test_an_admin_erases(stand: Stand) -> None:
    answer = asked(stand, "/sessions/erase", fields=SENT)
    assert answer.status == 200
    told = words(answer.text)
    assert "er_aaaaaaaaaaaaaaaa is on record and under way" in told
    assert stand.upkeep.asked == [Subject(principal="i#alice", session="s1")]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"sure": ""}, 400, "Nothing was erased"),
        ({"reason": " "}, 400, "A reason is needed"),
        ({"session": "", "principal": ""}, 400, "whose content is not said"),
        ({"principal": "alice"}, 400, "issuer#subject"),
    ],
)
def test_what_is_not_clear_erases_nothing(
    stand: Stand, change: dict[str, str], status: int, said: str
) -> None:
    answer = asked(stand, "/sessions/erase", fields=SENT | change)
    assert (answer.status, said in answer.text) == (status, True), answer.text
    assert stand.upkeep.asked == []


def test_only_admins(stand: Stand) -> None:
    stand.reviewer = BOB
    assert asked(stand, "/sessions/erase", fields=SENT).status == 403
    assert stand.upkeep.asked == []


def test_the_button_is_the_admins(stand: Stand) -> None:
    record(stand.folder / "recordings", story)
    assert 'action="/sessions/erase"' in asked(stand, ONE).text
    stand.reviewer = BOB
    assert 'action="/sessions/erase"' not in asked(stand, ONE).text
