"""What rows bring to an agent: secrets, and signs that a text in them gives orders to the model.

Only results that are kept are looked at, once they have gone; what is found holds for all that the
agent does from then on, whatever process it speaks to.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from proctor.arriving.bodies import Text, strongest, texts
from proctor.canary.seen import SEEN, sightings
from proctor.gate import Gate
from proctor.model import ActionKind, Finding, Principal
from proctor.provenance.intake import TELLING, looked
from proctor.redaction.model import CANARY
from proctor.runtime.tasks import spawn

SHORTEST: Final = 20
"""Characters of a value in which nobody orders anything."""

MOST: Final = 200
"""Values of one result that are looked at."""

LONGEST: Final = 32 * 1024
"""Characters of all of them."""

_READ: Final = "session.suspicious"


def alarm(
    gate: Gate, who: Mapping[str, object], found: Sequence[Finding], *, stopped: bool
) -> None:
    """Tell of canaries among what was found.

    Args:
        gate: Records it.
        who: What the record says of the connection.
        found: In a statement, its parameters or its rows.
        stopped: It went no further.
    """
    if not any(each.type == CANARY for each in found):
        return
    told = sightings(
        found,
        seen_by=str(who["principal"]),
        session=str(who["session_id"] or ""),
        listener=str(who["listener"]),
        host=str(who["database"]),
        stopped=stopped,
    )
    for detail in told:
        spawn(gate.event(SEEN, detail), name="canary seen")


async def came(
    gate: Gate, principal: Principal, result: bytes, findings: Sequence[Finding]
) -> None:
    """Remember it, where there is something.

    Args:
        gate: Knows the runs, and whether a rule reads signs.
        principal: Whose agent has got it.
        result: Rows as JSON, as the agent saw them.
        findings: What was found in them.

    Raises:
        InternalError: `met-unavailable`.
    """
    types = list(dict.fromkeys(each.type for each in findings))
    score = 0.0
    if any(gate.policy.reads(kind, _READ) for kind in ActionKind):
        found = sample(result)
        score, _ = strongest(await looked(found, sum(len(each.text) for each in found)))
    if types or score >= TELLING:
        gate.runs.meet(principal, types, score)


def sample(result: bytes) -> tuple[Text, ...]:
    """The values in which orders could be.

    Args:
        result: Rows as JSON.
    """
    found: list[Text] = []
    left = LONGEST
    for each in texts(result, "application/json"):
        if len(each.text) < SHORTEST:
            continue
        found.append(Text(each.place, each.text[:left]))
        left -= len(each.text)
        if left <= 0 or len(found) == MOST:
            break
    return tuple(found)
