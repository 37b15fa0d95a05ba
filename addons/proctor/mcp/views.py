"""Pins as JSON, for the API and what stands on it."""

from datetime import datetime

from proctor.mcp.difference import difference, is_compared, is_cut
from proctor.mcp.model import Pin


def pin_json(pin: Pin) -> dict[str, object]:
    """One tool in a list."""
    return {
        "server": pin.server,
        "tool": pin.tool,
        "standing": pin.standing.value,
        "open": pin.open,
        "kept": pin.kept,
        "accepted": pin.accepted,
        "seen": pin.seen,
        "signs": [
            {
                "name": sign.name,
                "place": sign.place,
                "explanation": sign.explanation,
                "score": sign.score,
            }
            for sign in pin.signs
        ],
        "first_seen": _moment(pin.first_seen),
        "changed_at": _moment(pin.changed_at),
        "decided_at": _moment(pin.decided_at),
        "by": pin.by,
        "reason": pin.reason,
    }


def pin_detail(pin: Pin) -> dict[str, object]:
    """One tool with all that it says. It takes a while: not for an event loop."""
    diff = difference(pin)
    return {
        **pin_json(pin),
        "earlier": list(pin.earlier),
        "definition": pin.definition,
        "newest": pin.newest,
        "diff": diff,
        "compared": is_compared(pin),
        "cut": is_cut(diff),
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(timespec="seconds")
