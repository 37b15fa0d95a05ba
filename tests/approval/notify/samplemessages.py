"""Messages to be sent, in tests of the ways to send them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from proctor.approval.notify.message import Message

AT = datetime(2026, 11, 22, 9, 30, 0, 123456, tzinfo=UTC)

HELD = Message(
    id="ap_abcdefghijklmnop.7",
    type="approval.pending",
    about="ap_abcdefghijklmnop",
    at=AT,
    ends=AT + timedelta(minutes=30),
    head="Held: Bash",
    summary="rm -rf build && echo <done>",
    whole=True,
    facts=(
        ("Approval", "ap_abcdefghijklmnop"),
        ("Rule", "dangerous-shell"),
        ("Why", "Deleting folders needs a second pair of eyes."),
        ("Asked by", "bot"),
        ("Behind it", "alice"),
        ("What", "llm.tool_use"),
        ("Session", "s1"),
        ("Until", "2026-11-22 10:00:00 UTC"),
    ),
    link="https://proctor.example/approvals/ap_abcdefghijklmnop",
    data={"id": "ap_abcdefghijklmnop", "state": "pending"},
)

HOSTILE = (
    "<!channel> <https://evil.example|harmless> *b* _i_ ~s~ `c` ``` & &lt; "
    "[link](https://evil.example) {{DATE(now)}} {noformat} {NOFORMAT} h1. !image! @here"
)


def of(kind: str, **more: Any) -> Message:
    """Another message about the same thing."""
    return replace(HELD, id=f"{HELD.about}.{kind}", type=kind, **more)


def hostile() -> Message:
    """One in which every text tries to be more than text."""
    facts = tuple((name, HOSTILE) for name, _ in HELD.facts)
    return replace(HELD, head=f"Held: {HOSTILE}"[:120], summary=HOSTILE, facts=facts)


def largest() -> Message:
    """One in which every text is as long as it can be, and longer once it is escaped."""
    facts = tuple((name, "&" * 300) for name, _ in HELD.facts)
    return replace(HELD, head="&" * 130, summary="&" * 300, facts=(*facts, *facts[:4]))
