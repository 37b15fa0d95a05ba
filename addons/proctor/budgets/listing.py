"""Where everybody stands, from the file."""

from collections.abc import Sequence
from datetime import datetime

from proctor.budgets.file import BudgetFile
from proctor.budgets.model import Standing
from proctor.budgets.settings import BudgetSettings
from proctor.budgets.windows import window


def standings(
    settings: Sequence[BudgetSettings], file: BudgetFile, now: datetime
) -> list[Standing]:
    """Who has used what of the windows that `now` lies in; what is used up most stands first.

    Args:
        settings: Budgets as proctor.yaml has them; what is kept of others is left out.
        file: What is used.
        now: The time.

    Raises:
        InternalError: `budgets-unavailable`.
    """
    known = {each.name: each for each in settings}
    windows = {each.name: window(each.over, each.time_zone, now) for each in settings if each.over}
    found: list[Standing] = []
    for pot, used in file.all():
        budget = known.get(pot.budget)
        if budget is None:
            continue
        since, until = 0, None
        if budget.over:
            begin, until = windows[budget.name]
            since = int(begin.timestamp())
        if pot.since == since:
            found.append(Standing(budget=budget, pot=pot, used=used, until=until))
    return sorted(found, key=lambda each: -each.share)
