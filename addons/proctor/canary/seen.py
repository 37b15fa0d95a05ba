"""What is told of canaries that were found: an event for each, a line in the log."""

import logging
from collections.abc import Iterable
from typing import Final

from proctor.model import Finding
from proctor.redaction.model import CANARY

SEEN: Final = "canary.seen"
"""The event, in the record and in the log."""

_SIGN: Final = "proctor:canary/"

logger = logging.getLogger(__name__)


def sightings(  # noqa: PLR0913 - what is told
    found: Iterable[Finding],
    *,
    seen_by: str,
    session: str,
    listener: str,
    host: str,
    stopped: bool,
) -> list[dict[str, object]]:
    """The event's detail for each canary among findings; each is logged, too. Never the value.

    Args:
        found: In a request, an answer, a statement, rows.
        seen_by: The principal whose agent had it, or is to get it; "" where that is not known.
        session: In which run; "" for none.
        listener: By which way.
        host: What it was on its way to, or came from.
        stopped: It went no further.
    """
    told: dict[str, dict[str, object]] = {}
    for finding in found:
        if finding.type != CANARY:
            continue
        told.setdefault(
            f"{finding.detector} {finding.direction}",
            {
                "canary": finding.detector.rpartition(_SIGN)[2],
                "seen_by": seen_by,
                "session": session,
                "listener": listener,
                "host": host,
                "direction": finding.direction,
                "location": finding.location,
                "stopped": stopped,
            },
        )
    for detail in told.values():
        logger.error("a canary was seen", extra={"event": SEEN, **detail})
    return list(told.values())
