"""What rows bring to an agent: secrets, and signs that a text in them gives orders to the model.

Only results that are kept are looked at, once they have gone; what is found holds for all that the
agent does from then on, whatever process it speaks to. Values of rows that nobody vouches for are
remembered before these go.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from proctor.arriving.bodies import Text, strongest, texts
from proctor.canary.seen import SEEN, sightings
from proctor.gate import Gate
from proctor.model import ActionKind, Finding, Principal
from proctor.postgres.statements import Run
from proctor.protocols.postgres.messages import BEGIN, read_row
from proctor.protocols.postgres.messages import each as messages_of
from proctor.provenance.intake import DISTRUSTED, TELLING, looked
from proctor.provenance.memory import Source
from proctor.redaction.model import CANARY
from proctor.runtime.tasks import spawn

SHORTEST: Final = 20
"""Characters of a value in which nobody orders anything."""

MOST: Final = 200
"""Values of one result that are looked at."""

LONGEST: Final = 32 * 1024
"""Characters of all of them."""

MOST_READ: Final = 256 * 1024
"""Bytes of a statement's rows in which values are looked for that turn up later."""

_READ: Final = "session.suspicious"
_TABLES: Final = 3
_COLUMNS: Final = "body.columns"


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
    gate: Gate, principal: Principal, result: bytes, findings: Sequence[Finding], source: Source
) -> None:
    """Remember it, where there is something.

    Args:
        gate: Knows the runs, and whether a rule reads signs.
        principal: Whose agent has got it.
        result: Rows as JSON, as the agent saw them.
        findings: What was found in them.
        source: Where values in them came from, should they give orders.

    Raises:
        InternalError: `met-unavailable`.
    """
    types = list(dict.fromkeys(each.type for each in findings))
    score = 0.0
    if any(gate.policy.reads(kind, _READ) for kind in ActionKind):
        found = sample(result)
        placed = await looked(found, sum(len(each.text) for each in found))
        score, named = strongest(placed)
        if score >= DISTRUSTED:
            signs = tuple(sign.name for _, sign in sorted(named, key=lambda it: -it[1].score))
            gate.provenance.all_came(
                principal.key,
                (
                    each.text
                    for each in texts(result, "application/json")
                    if not each.place.startswith(_COLUMNS)
                ),
                replace(source, score=score, signs=signs),
            )
    if types or score >= TELLING:
        gate.runs.meet(principal, types, score)


def remember(  # noqa: PLR0913 - what rows are
    gate: Gate, principal: Principal, run: Run, rows: bytes, *, encoding: str, source: Source
) -> None:
    """Remember what rows hold that nobody vouches for.

    Args:
        gate: Remembers.
        principal: Whose agent is about to get them.
        run: The statement.
        rows: Whole messages, as the client gets them.
        encoding: Of the client's.
        source: Where they come from.

    Raises:
        InternalError: `met-unavailable`.
    """
    left = MOST_READ - run.read
    if left > 0:
        run.read += len(rows)
        gate.provenance.came(
            principal.key, "\n".join(_values(rows, encoding, copied=run.copied))[:left], source
        )


def source_of(who: Mapping[str, object], run: Run, now: datetime) -> Source:
    """Where a statement's rows come from.

    Args:
        who: What the record says of the connection.
        run: The statement.
        now: The time, UTC.
    """
    tables = run.judgement.action.sql.tables[:_TABLES] if run.judgement.action.sql else ()
    name = f"{who['listener']}/{who['database']} {', '.join(tables)}".strip()
    return Source(
        name=name[:160],
        flow_id=str(who["flow_id"]),
        session=str(who["session_id"] or ""),
        at=now,
    )


def _values(rows: bytes, encoding: str, *, copied: bool) -> Iterator[str]:
    for message in messages_of(rows):
        body = message[BEGIN:]
        for value in [body] if copied else read_row(body):
            if value is not None:
                yield value.decode(encoding, "replace")


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
