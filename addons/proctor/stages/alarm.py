"""What happens when a canary is seen in an exchange: an event, for whoever watches."""

from collections.abc import Iterable

from proctor.canary.seen import sightings
from proctor.model import Finding
from proctor.stages.exchange import Exchange


def alarms(exchange: Exchange, found: Iterable[Finding]) -> list[dict[str, object]]:
    """One for each canary among an exchange's findings; each is logged, too.

    Args:
        exchange: Where they were found.
        found: Its findings.
    """
    fetched = exchange.fetching.gate if exchange.fetching else None
    return sightings(
        found,
        seen_by=exchange.principal.key if exchange.principal else "",
        session=exchange.session.id if exchange.session else "",
        listener=exchange.listener,
        host=exchange.at[0],
        stopped=exchange.refused is not None or (fetched is not None and fetched.error is not None),
    )
