"""Legal holds against what went: nothing that one covers is erased or dropped while it is in force.

What the record says of holds, erasures and retention stays, so this can be told for ever; only not
whether a record that retention dropped was one that a hold covered, since that is gone.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from proctor.evidence.erasure import parsed
from proctor.evidence.holds import ADDED, RELEASED, Hold, Subject
from proctor.evidence.rewriting import ERASURE, RETENTION
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.hot import object_of

# What was under way when the hold was made, in another process.
_SLACK: Final = timedelta(seconds=60)


def check_holds(events: Iterable[bytes], findings: Findings) -> None:
    """Compares what was erased and dropped with the holds of that time.

    Args:
        events: Records of holds, erasures and retention, of all writers; in any order, some twice.
        findings: Takes what is wrong.
    """
    held: dict[str, tuple[Hold, datetime]] = {}
    for at, event in _in_order(events):
        detail, kind = event["detail"], event["event_kind"]
        if kind in {ADDED, RELEASED}:
            try:
                hold = Hold.parse(detail)
            except ValueError:
                continue
            if kind == ADDED:
                held.setdefault(hold.name, (hold, at))
            else:
                held.pop(hold.name, None)
            continue
        carried_out = kind == RETENTION or detail.get("writer") is not None
        subject = _subject(kind, detail)
        for hold, since in held.values():
            meets = hold.subject == Subject() if subject is None else hold.subject.meets(subject)
            if meets and (not carried_out or at > since + _SLACK):
                findings.problem(
                    "held-not-kept",
                    "Something was dropped although a hold covers everything"
                    if subject is None
                    else "Something was erased that a hold covers",
                    writer=str(event["writer"]),
                    seq=event["seq"],
                    time=str(event["ts"]),
                    expected=f"nothing before the hold {hold.name} is released",
                    found=str(detail.get("id") or kind),
                )


def _subject(kind: str, detail: dict[str, Any]) -> Subject | None:
    """Whose content an erasure is about; None for retention, and where that cannot be read."""
    order = parsed(detail) if kind == ERASURE else None
    return order.subject if order else None


def _in_order(events: Iterable[bytes]) -> list[tuple[datetime, dict[str, Any]]]:
    found: dict[tuple[str, int], tuple[datetime, dict[str, Any]]] = {}
    for raw in events:
        event = object_of(raw)
        known = event.get("event_kind") in {ADDED, RELEASED, ERASURE, RETENTION}
        if not known or event.get("kind") != "event" or not isinstance(event.get("detail"), dict):
            continue
        try:
            at = datetime.fromisoformat(str(event["ts"]))
            found[str(event["writer"]), int(event["seq"])] = at, event
        except (ValueError, KeyError, TypeError):
            continue  # no record; that is found elsewhere
    return [found[key] for key in sorted(found, key=lambda key: (found[key][0], key))]
