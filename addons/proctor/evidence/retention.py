"""How long the record is kept: `audit.retention` in proctor.yaml, and what follows from it.

Days are UTC days, and a day goes once all of it is older than was said. A rule's own age beats the
view's, and the view's beats `default`. `size` goes before all: the oldest days go until the rest
fits. What nothing is said of is kept for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import Field

from proctor.fields import Bytes, Seconds, Settings

NEVER: Final = ""
_DAY = 86400.0
type Age = Annotated[Seconds, Field(ge=_DAY)]

VIEWS: Final = (
    "flows",
    "decisions",
    "approvals",
    "events",
    "findings",
    "statements",
    "turns",
    "tool_calls",
)
TEXT_VIEWS: Final = ("flows", "turns", "tool_calls", "statements")
"""Those that show content."""

# What an envelope of a kind is a row of.
OF_KIND: Final = {
    "flow.end": "flows",
    "flow.begin": "decisions",
    "message": "flows",
    "approval": "approvals",
    "event": "events",
    "finding": "findings",
    "statement": "statements",
    "statement.end": "statements",
}


class RetentionSettings(Settings):
    """How long the record is kept; what is left out is kept for ever.

    Attributes:
        default: All that nothing else is said of.
        size: Of all segments and content; beyond it the oldest days go, whatever else was said.
        flows: What was said and done: who, where, when, verdict, sizes.
        decisions: What the rules said of each action; with them go tools' results.
        approvals: What humans said.
        events: Starts, reloads, changes. What explains the record itself always stays.
        findings: Those that stand by themselves; a flow's own go with it.
        statements: SQL, with its text.
        turns: Text of prompts, answers, requests and responses.
        tool_calls: Inputs and results of tools.
        rules: By the id of the rule that decided; for envelopes and text alike.
    """

    default: Age | None = None
    size: Annotated[Bytes, Field(ge=1)] | None = None
    flows: Age | None = None
    decisions: Age | None = None
    approvals: Age | None = None
    events: Age | None = None
    findings: Age | None = None
    statements: Age | None = None
    turns: Age | None = None
    tool_calls: Age | None = None
    rules: dict[str, Age] = Field(default_factory=dict[str, float])

    def age(self, view: str) -> float | None:
        """Seconds for which a view is kept, or None for ever."""
        own: float | None = getattr(self, view)
        return self.default if own is None else own


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoffs:
    """Days before which something goes, `2026-11-22`; NEVER is before all.

    Attributes:
        views: By name of the view.
        rules: By rule.
    """

    views: Mapping[str, str] = field(default_factory=dict[str, str])
    rules: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def at(cls, settings: RetentionSettings, now: datetime, floor: str = NEVER) -> "Cutoffs":
        """What follows from the settings now.

        Args:
            settings: As in proctor.yaml.
            now: UTC.
            floor: The first day that fits into `size`.
        """

        def before(age: float | None) -> str:
            if age is None:
                return floor
            try:
                day = (now.astimezone(UTC) - timedelta(seconds=age)).date().isoformat()
            except OverflowError:
                return floor
            return max(day, floor)

        return cls(
            views={view: before(settings.age(view)) for view in VIEWS},
            rules={rule: before(age) for rule, age in settings.rules.items()},
        )

    @property
    def newest(self) -> str:
        """Nothing of this day or a later one goes."""
        return max([*self.views.values(), *self.rules.values()], default=NEVER)

    def of(self, view: str, rule: str | None) -> str:
        """Days before this one go, of what this rule decided, as far as this view shows it."""
        found = self.rules.get(rule or "")
        return self.views.get(view, NEVER) if found is None else found

    def as_json(self) -> dict[str, object]:
        """As it stands in the record."""
        return {
            "views": {view: day for view, day in self.views.items() if day},
            "rules": {rule: day for rule, day in self.rules.items() if day},
        }


def floor_of(sizes: Mapping[str, int], limit: int | None, today: str) -> str:
    """The first day that fits, if the oldest days go first; today never goes.

    Args:
        sizes: Bytes by day; the empty day is of files whose day is not known, and counts as newest.
        limit: Bytes that all may have; None: any number.
        today: The day that is now.
    """
    left = sum(sizes.values())
    floor = NEVER
    if limit is None:
        return floor
    for day in sorted(day for day in sizes if day and day < today):
        if left <= limit:
            break
        left -= sizes[day]
        floor = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
    return floor
