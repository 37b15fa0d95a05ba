"""The page of budgets."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import httpx

from proctor.approval.model import Reviewer
from proctor.budgets.file import NAME, BudgetFile
from proctor.budgets.model import Pot
from proctor.budgets.settings import BudgetSettings
from tests.console.samples import BOB, CAROL, NOW
from tests.console.stand import Stand, words

ALICE = "https://idp.example#alice"
DAY = int(NOW.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
SETTINGS = (
    BudgetSettings(name="talk", over="day", of="tokens", limit=1000),
    BudgetSettings(name="run", per="session", of="people", limit=4, then="notice"),
)


def shown(folder: Path, reviewer: Reviewer, settings: Sequence[BudgetSettings] = SETTINGS) -> str:
    stand = Stand(folder, reviewer=reviewer, budgets=settings)

    async def ask() -> str:
        transport = httpx.ASGITransport(app=stand.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
            answer = await client.get("/budgets")
            assert answer.status_code == 200
            return answer.text

    return asyncio.run(ask())


def fill(folder: Path) -> None:
    folder.chmod(0o700)
    pots = {
        Pot("talk", ALICE, DAY, ALICE): 1200.0,
        Pot("talk", f"{ALICE}<script>", DAY, ALICE): 12.0,
        Pot("talk", "yesterday", DAY - 86_400, "yesterday"): 999.0,
        Pot("gone", ALICE, DAY, ALICE): 7.0,
        Pot("run", f"{ALICE} s1", 0, ALICE): 3.0,
    }
    with closing(BudgetFile(folder / "state" / NAME)) as file:
        file.add(pots, {}, NOW.timestamp())


def test_who_has_used_what(tmp_path: Path) -> None:
    fill(tmp_path)
    page = shown(tmp_path, CAROL)
    said = words(page)
    assert "talk tokens 1,000 principal day deny" in said
    assert "1,200 of 1,000 120 % 120 % used up" in said
    assert "3 of 4 75 %" in said
    assert "with the next session" in said
    assert "yesterday" not in said
    assert "gone" not in said
    assert "<script>" not in page.partition("<main")[2]
    assert 'value="1"' in page


def test_reviewers_see_what_there_is_and_not_who_used_it(tmp_path: Path) -> None:
    fill(tmp_path)
    said = words(shown(tmp_path, BOB))
    assert "talk tokens 1,000" in said
    assert "Auditors and admins see who has used what." in said
    assert "1,200" not in said


def test_nothing_yet(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert "Nothing is used yet." in words(shown(tmp_path, CAROL))
    assert "There are no budgets." in words(shown(tmp_path, CAROL, ()))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "state" / NAME).write_bytes(b"nothing of ours" * 50)
    said = words(shown(tmp_path, CAROL))
    assert "What is used cannot be read now: What is used of budgets cannot be read." in said
