"""A tool whose definition has changed is not called before a human has accepted that."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from proctor.gate import Gate, strongest
from proctor.model import Action, ApprovalTerms, Decision, Deny, Hold
from proctor.protocols.mcp.actions import CALL
from proctor.record import Ruling

if TYPE_CHECKING:
    from proctor.mcp.model import Pin
    from proctor.stages.parts import Pins

RULE: Final = "mcp-definition"
"""What stands in the record as the rule."""


class House(Protocol):
    """What every door has: here the suite's, or the one for standard streams."""

    @property
    def gate(self) -> Gate:
        """Decides."""
        ...

    @property
    def pins(self) -> "Pins":
        """What is known of tools."""
        ...

    @property
    def reviewers(self) -> tuple[str, ...]:
        """Groups whose members may accept a definition."""
        ...


def open_pin(house: House, action: Action) -> "Pin | None":
    """The definition that a human has to accept before this action, or None."""
    fields = action.mcp
    if fields is None or fields.method != CALL:
        return None
    pin = house.pins.standing(fields.server, fields.tool)
    return pin if pin and pin.open else None


def pinned(house: House, ruling: Ruling) -> Ruling:
    """What the rules said, and held besides where a tool is not what it was."""
    pins = [open_pin(house, action) for action in ruling.actions]
    if not any(pins):
        return ruling
    decisions = tuple(
        _held(house, decision, pin) if pin else decision
        for decision, pin in zip(ruling.decisions, pins, strict=True)
    )
    # An approval holds for this definition and no later one.
    digests = tuple(
        house.gate.named(b"proctor definition v1", (digest.encode(), pin.seen.encode()))
        if pin
        else digest
        for digest, pin in zip(ruling.digests, pins, strict=True)
    )
    return replace(ruling, verdict=strongest(decisions), decisions=decisions, digests=digests)


def _held(house: House, decision: Decision, pin: "Pin") -> Decision:
    verdict = decision.verdict
    if isinstance(verdict, Deny) and not verdict.appeal:
        return decision
    reason = (
        "The MCP server now describes this tool otherwise than when it was accepted."
        if pin.accepted
        else "What the MCP server says of this tool is suspicious, and nobody has accepted it."
    )
    if not (house.reviewers and pin.kept):  # nobody is there to look, or nothing to look at
        return replace(decision, verdict=Deny(rule_id=RULE, reason=reason))
    terms = ApprovalTerms(rule_id=RULE, rule_reason=reason, from_groups=house.reviewers)
    asked = verdict.terms if isinstance(verdict, Hold) else ()
    if isinstance(verdict, Deny):
        asked = verdict.appeal
    return replace(decision, verdict=Hold(rule_id=RULE, reason=reason, terms=(*asked, terms)))
