"""Where values in an action came from, as its record says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from proctor.provenance.memory import WORDS

_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """A value that came from an answer that nobody vouches for.

    Attributes:
        argument: Where it stands in the action, such as `input.command`.
        kind: What it is: `mail`, `host`, `command` and so on.
        source: What gave the answer.
        flow_id: The exchange in which that came.
        at: When, UTC.
        score: Of the signs of prompt injection in it, 0 to 1.
    """

    argument: str
    kind: str
    source: str
    flow_id: str
    at: datetime
    score: float

    @property
    def words(self) -> str:
        """What a person reads."""
        odd = f"; signs of prompt injection, {self.score:.2f} of 1" if self.score > 0 else ""
        what = WORDS.get(self.kind, "value")
        at = f"{self.at.astimezone(UTC):%H:%M:%S}"
        return (
            f"{self.argument}: its {what} came from {self.source}, {at}"
            f" (exchange {self.flow_id}){odd}"
        )


def origins(decisions: Iterable[Mapping[str, Any]]) -> tuple[Came, ...]:
    """Of all the actions of a record, each place once; older records say nothing of it.

    Args:
        decisions: As they stand in the envelope.
    """
    found: dict[tuple[str, str], Came] = {}
    for decision in decisions:
        for each in decision.get("origins") or ():
            came = Came(
                argument=each["argument"],
                kind=each["kind"],
                source=each["source"],
                flow_id=each["flow_id"],
                at=datetime.fromisoformat(each["at"]),
                score=float(each["score"]),
            )
            found.setdefault((came.argument, came.source), came)
    return tuple(found.values())[:_MOST]
