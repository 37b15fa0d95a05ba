"""What the door for standard streams is handed: the house's other rooms."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from proctor.gate import Gate
from proctor.redaction.screen import Screen
from proctor.stages.parts import Pins
from proctor.stdio.tokens import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What stands behind one door.

    Attributes:
        gate: Decides and records.
        pins: What is known of tools.
        screen: What must not pass is found and taken out by this; None where all may.
        reviewers: Groups whose members may accept a tool's definition.
        sealing: The key for what is hidden on cards.
        tokens: Where the agent's token comes from.
        server: As rules call the MCP server.
        listener: As rules call this way in.
        session: What the agent calls its run; "" where it says nothing.
        now: The time, UTC.
        clock: Monotonic, seconds.
    """

    gate: Gate
    pins: Pins
    screen: Screen | None
    reviewers: tuple[str, ...]
    sealing: bytes = field(repr=False)
    tokens: Tokens
    server: str
    listener: str
    session: str
    now: Callable[[], datetime]
    clock: Callable[[], float]
