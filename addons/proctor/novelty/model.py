"""What of a statement is new, as rules see it and in words."""

from dataclasses import dataclass
from typing import Any, Final

MUCH: Final = 10.0
"""So many times the usual rows are worth a word."""

_MAX_TABLES: Final = 5
_MAX_NAME: Final = 130  # two names of PostgreSQL's


@dataclass(frozen=True, slots=True, kw_only=True)
class Novelty:
    """Of one statement, for one person at one database; `novelty.*` in rules.

    Attributes:
        statement: Its fingerprint is new.
        table: One of its tables is new, or is written for the first time.
        tables: Which of them.
        volume: Rows that are expected, or came, as a multiple of the usual; 0 where unknown.
        hour: Nothing was ever run at this hour of the week.
        history: Statements that were seen.
        days: Days on which they ran.
        who: Whose agent it is.
        rows: What `volume` is about; None where unknown.
        usual: How many are usual.
        written: Those of `tables` that were read before, and now are written.
    """

    statement: bool = False
    table: bool = False
    tables: tuple[str, ...] = ()
    volume: float = 0.0
    hour: bool = False
    history: int = 0
    days: int = 0
    who: str = ""
    rows: float | None = None
    usual: float = 0.0
    written: frozenset[str] = frozenset()

    def fields(self) -> dict[str, Any]:
        """As rules see it."""
        return {
            "statement": self.statement,
            "table": self.table,
            "tables": list(self.tables),
            "volume": self.volume,
            "hour": self.hour,
            "history": self.history,
            "days": self.days,
        }

    @property
    def words(self) -> str:
        """What is new, against how much history; "" where nothing is."""
        agent = f"{self.who[:_MAX_NAME]}'s agent"
        found: list[str] = []
        touched = [name for name in self.tables if name not in self.written]
        written = [name for name in self.tables if name in self.written]
        if touched:
            found.append(f"first time {agent} touches {_listed(touched)}")
        if written:
            found.append(f"first time {agent} writes to {_listed(written)}")
        if self.statement and not self.tables:
            found.append(f"first time {agent} runs a statement of this form")
        if self.volume >= MUCH and self.rows is not None:
            found.append(f"about {self.rows:,.0f} rows, where {self.usual:,.0f} are usual")
        if self.hour:
            found.append(f"at an hour of the week at which {agent} has not run anything before")
        if not found:
            return ""
        history = f"{_counted(self.history, 'statement')} on {_counted(self.days, 'day')}"
        return f"{'; '.join(found)} ({history})"


def _listed(names: list[str]) -> str:
    shown = ", ".join(name[:_MAX_NAME] for name in names[:_MAX_TABLES])
    more = len(names) - _MAX_TABLES
    return f"{shown} and {more} more" if more > 0 else shown


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
