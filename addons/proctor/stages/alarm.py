"""What is told of what was found in an exchange: an event, for whoever watches."""

from collections.abc import Iterable

from proctor.canary.seen import SEEN, sightings
from proctor.credentials.echo import ECHOED
from proctor.model import Finding
from proctor.stages.echoing import echoes
from proctor.stages.exchange import Exchange


def came(exchange: Exchange) -> tuple[Finding, ...]:
    """What was found in its answer."""
    parts = (exchange.answering, exchange.arriving, exchange.echo)
    return tuple(found for part in parts if part for found in part.findings)


def alarms(exchange: Exchange, found: Iterable[Finding]) -> list[tuple[str, dict[str, object]]]:
    """Kind and detail of an event for each canary, and each credential of ours that came back.

    Args:
        exchange: Where they were found.
        found: Its findings.
    """
    fetched = exchange.fetching.gate if exchange.fetching else None
    canaries = sightings(
        found,
        seen_by=exchange.principal.key if exchange.principal else "",
        session=exchange.session.id if exchange.session else "",
        listener=exchange.listener,
        host=exchange.at[0],
        stopped=exchange.refused is not None or (fetched is not None and fetched.error is not None),
    )
    return [
        *((SEEN, detail) for detail in canaries),
        *((ECHOED, detail) for detail in echoes(exchange)),
    ]
