"""What is used, and where somebody stands with a budget."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from proctor.budgets.settings import BudgetSettings


class Level(StrEnum):
    """How much is left."""

    OK = "ok"
    SOFT = "soft"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What something used.

    Attributes:
        people: Personal values that were seen: keyed digests, by entity type.
    """

    requests: int = 0
    sent: int = 0
    received: int = 0
    tokens: int = 0
    cost: float = 0.0
    records: int = 0
    people: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Pot:
    """One budget of one person, group or session, in one window.

    Attributes:
        budget: Its name.
        who: A principal's key, a group, or a session's name behind its principal's key.
        since: When the window began, seconds since the epoch; 0 for a session.
        principal: Whose it is; "" for a group's.
    """

    budget: str
    who: str
    since: int
    principal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where somebody stands with one budget.

    Attributes:
        budget: As proctor.yaml has it.
        pot: Which.
        used: How much.
        until: When it begins anew; None for a session.
    """

    budget: BudgetSettings
    pot: Pot
    used: float
    until: datetime | None

    @property
    def share(self) -> float:
        """Of the limit; 1.0 and more where nothing is left."""
        return self.used / self.budget.limit

    @property
    def level(self) -> Level:
        """How much is left."""
        if self.used >= self.budget.limit:
            return Level.OVER
        return Level.SOFT if self.share >= self.budget.soft else Level.OK

    @property
    def words(self) -> str:
        """For whoever is held or denied."""
        budget = self.budget
        whose = {"principal": "you", "group": self.pot.who, "session": "this session"}[budget.per]
        window = _WINDOWS.get(budget.over or "", "")
        again = f" It begins anew at {self.until:%Y-%m-%d %H:%M %Z}." if self.until else ""
        of, limit = amount(self.used, budget.of), amount(budget.limit, budget.of)
        text = (
            f"The budget {budget.name} is used up: {of} of {limit} {NAMES[budget.of]} for"
            f" {whose}{window}.{again}"
        )
        return f"{budget.reason} {text}" if budget.reason else text


NAMES: Mapping[str, str] = {
    "requests": "requests",
    "sent": "sent",
    "received": "received",
    "tokens": "tokens",
    "cost": "cost",
    "people": "people seen",
    "records": "records seen",
}
"""How people call what is counted."""

_WINDOWS: Mapping[str, str] = {"hour": " this hour", "day": " today", "month": " this month"}
_STEP = 1024.0


def amount(value: float, of: str) -> str:
    """An amount as people write it: `1,234`, `3.2 GiB`, `12.50`."""
    if of == "cost":
        return f"{value:,.2f}"
    if of not in {"sent", "received"}:
        return f"{value:,.0f}"
    for unit in ("B", "KiB", "MiB"):
        if value < _STEP:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= _STEP
    return f"{value:,.1f} GiB"
