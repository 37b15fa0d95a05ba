"""Where everybody stands."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from proctor.budgets.file import NAME, BudgetFile
from proctor.budgets.listing import standings
from proctor.budgets.model import Pot
from proctor.budgets.settings import BudgetSettings

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())


def test_what_is_used_up_most_stands_first(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    settings = (
        BudgetSettings(name="day", over="day", of="requests", limit=10),
        BudgetSettings(name="run", per="session", of="requests", limit=4),
    )
    pots = {
        Pot("day", "a", DAY, "a"): 5.0,
        Pot("day", "b", DAY - 1, "b"): 9.0,
        Pot("other", "a", DAY, "a"): 9.0,
        Pot("run", "a s", 0, "a"): 3.0,
    }
    with closing(BudgetFile(tmp_path / NAME)) as file:
        file.add(pots, {}, NOW.timestamp())
        found = standings(settings, file, NOW)
    assert [(each.budget.name, each.used, each.until) for each in found] == [
        ("run", 3.0, None),
        ("day", 5.0, datetime(2026, 3, 3, tzinfo=UTC)),
    ]
