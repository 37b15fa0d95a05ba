"""What the record itself says of what is missing: events of all its writers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from proctor.audit.scopes import day_of
from proctor.evidence.verify.hot import object_of


@dataclass(slots=True, kw_only=True)
class Said:
    """What it says.

    Attributes:
        erased: Scopes that were erased.
        resumed: Since when a writer had been silent when another one looked after it, by writer.
        dropped: The day before which text may have been dropped by age, by writer.
    """

    erased: set[str] = field(default_factory=set[str])
    resumed: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    dropped: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def by(cls, events: Iterable[bytes]) -> "Said":
        """Reads events."""
        said = cls()
        for kind, detail in _details(events):
            writer = str(detail.get("writer"))
            match kind:
                case "erasure":
                    scopes = detail.get("scopes")
                    said.erased.update(map(str, scopes) if isinstance(scopes, list) else ())
                case "retention":
                    said.dropped[writer] = max(said.dropped.get(writer, ""), _newest(detail))
                case "record.resumed":
                    said.resumed.setdefault(writer, set()).add(str(detail.get("since")))
                case _:
                    pass
        return said

    def may_miss(self, writer: str, scope: str) -> bool:
        """Whether content of a scope may be gone by age: one that is old enough."""
        try:
            return day_of(scope) < self.dropped.get(writer, "")
        except ValueError:
            return False


def _newest(detail: dict[str, Any]) -> str:
    """The last of the days before which something went."""
    before = detail.get("before")
    parts = before.values() if isinstance(before, dict) else ()
    return max(
        (str(day) for part in parts if isinstance(part, dict) for day in part.values()), default=""
    )


def details_of(events: Iterable[bytes], kind: str) -> list[dict[str, Any]]:
    """What events of a kind say; what only looks like one is none."""
    return [detail for found, detail in _details(events) if found == kind]


def _details(events: Iterable[bytes]) -> Iterator[tuple[object, dict[str, Any]]]:
    for raw in events:
        event = object_of(raw)
        detail = event.get("detail")
        if event.get("kind") == "event" and isinstance(detail, dict):
            yield event.get("event_kind"), detail
