"""One tool of one MCP server as it was accepted, and as it was seen last.

    first sight without signs   accepted, as the client would have done
    first sight with signs      open until a human accepts it
    another definition          open until a human accepts it
    back to an accepted one     not open any more

What was accepted once stays so beside what is accepted later, since servers roll out step by step
and show different people different schemas; `rejected` takes all of it back.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeGuard

from proctor.errors import ClientError
from proctor.protocols.mcp.suspicion import SUSPICIOUS, Sign

MAX_EARLIER: Final = 16
"""Definitions of one tool that stay accepted beside the one accepted last."""

MAX_NAME: Final = 256
"""Characters of a tool's name."""


class Standing(StrEnum):
    """What is thought of a definition. Only `same` and `new` stay in a list of tools."""

    SAME = "same"
    NEW = "new"
    CHANGED = "changed"
    SUSPICIOUS = "suspicious"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A server showed this.

    Attributes:
        server: As proctor.yaml calls it.
        tool: The tool's name.
        digest: Of the definition; empty where it has none since it cannot be read.
        text: The definition as JSON; empty where it is not kept.
        signs: What makes it more than a description.
        at: When, UTC.
    """

    server: str
    tool: str
    digest: str
    text: str = field(repr=False)
    signs: tuple[Sign, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One tool.

    Attributes:
        server: As proctor.yaml calls it.
        tool: The tool's name.
        accepted: Digest of the definition that was accepted last; None where none is.
        earlier: Those accepted before it, which still are, the youngest first.
        seen: Digest of the newest definition.
        accepted_text: The accepted definition as JSON; empty where there is none.
        newest_text: The newest one; empty where it is not kept, so that it cannot be accepted.
        signs: Of the newest one.
        first_seen: When its server first showed the tool, UTC.
        changed_at: When its newest definition was first seen, UTC.
        decided_at: When a human last decided, UTC; None where none has.
        by: Who that was, as `Principal.key`; empty for nobody.
        reason: What they said.
    """

    server: str
    tool: str
    accepted: str | None
    earlier: tuple[str, ...] = ()
    seen: str
    accepted_text: str = field(default="", repr=False)
    newest_text: str = field(default="", repr=False)
    signs: tuple[Sign, ...] = ()
    first_seen: datetime
    changed_at: datetime
    decided_at: datetime | None = None
    by: str = ""
    reason: str = field(default="", repr=False)

    @property
    def open(self) -> bool:
        """Whether a human has to accept it before it is called."""
        return self.seen != self.accepted and self.seen not in self.earlier

    @property
    def standing(self) -> Standing:
        """What is thought of the newest definition."""
        if not self.open:
            return Standing.SAME
        return Standing.SUSPICIOUS if self.accepted is None else Standing.CHANGED

    @property
    def kept(self) -> bool:
        """Whether the newest definition is here to be looked at, and so can be accepted."""
        return bool(self.newest_text)

    @property
    def definition(self) -> dict[str, Any]:
        """The accepted definition; empty where there is none."""
        return _read(self.accepted_text)

    @property
    def newest(self) -> dict[str, Any]:
        """The newest definition; empty where it is not kept."""
        return _read(self.newest_text)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinChange:
    """Something happened to a tool, for the record.

    Attributes:
        kind: `tool.new`, `tool.changed`, `tool.accepted`, `tool.rejected`, `tool.forgotten`, or
            `tool.refused`: a definition that cannot even be remembered.
        server: As proctor.yaml calls it.
        tool: The tool's name, or its beginning.
        before: The digest accepted before; None for none.
        digest: The digest it is about; empty for none.
        standing: Of the tool now; None where it is not known any more.
        signs: Of the newest definition.
        by: Who did it, as `Principal.key`; empty for the server.
        reason: Why.
        diff: What was accepted, against what was before, for people; of `tool.accepted` only.
    """

    kind: str
    server: str
    tool: str
    before: str | None = None
    digest: str = ""
    standing: Standing | None = None
    signs: tuple[Sign, ...] = ()
    by: str = ""
    reason: str = ""
    diff: str = field(default="", repr=False)

    def detail(self) -> dict[str, object]:
        """As an event of the record has it."""
        return {
            "server": self.server,
            "tool": self.tool,
            "before": self.before,
            "digest": self.digest,
            "standing": self.standing.value if self.standing else None,
            "signs": [f"{sign.name} {sign.place}".strip() for sign in self.signs],
            "by": self.by,
            "reason": self.reason,
            **({"diff": self.diff} if self.diff else {}),
        }


def sighted(pin: Pin | None, sighting: Sighting) -> Pin:
    """The pin after a definition was seen.

    Args:
        pin: As it was; None at first sight.
        sighting: What was seen.
    """
    if pin is None:
        trusted = not any(sign.score >= SUSPICIOUS for sign in sighting.signs)
        return Pin(
            server=sighting.server,
            tool=sighting.tool,
            accepted=sighting.digest if trusted else None,
            seen=sighting.digest,
            accepted_text=sighting.text if trusted else "",
            newest_text=sighting.text,
            signs=sighting.signs,
            first_seen=sighting.at,
            changed_at=sighting.at,
        )
    if pin.seen == sighting.digest:
        return pin
    return replace(
        pin,
        seen=sighting.digest,
        newest_text=sighting.text,
        signs=sighting.signs,
        changed_at=sighting.at,
    )


def accepted(pin: Pin, digest: str, by: str, reason: str, at: datetime) -> Pin:
    """The pin after a human accepted exactly the newest definition.

    Args:
        pin: As it was.
        digest: Of the definition that they saw.
        by: Who, as `Principal.key`.
        reason: Why.
        at: When, UTC.

    Raises:
        ClientError: `pin-outdated`, or `pin-unkept`.
    """
    if not pin.kept:
        raise ClientError(
            code="pin-unkept",
            message="The tool's definition is not kept, so nobody can look at it and accept it",
            expected="a definition of at most 64 KiB that can be read",
            hint="Its server has to say less of it.",
            status=409,
        )
    if pin.seen != digest:
        raise ClientError(
            code="pin-outdated",
            message="The tool has another definition by now",
            got="the digest of an earlier or an unknown one",
            expected=f"the digest of the newest, {pin.seen[:12]}…",
            hint="Look at it again, and accept what you see then.",
            status=409,
        )
    if not pin.open:
        return pin
    earlier = (pin.accepted, *pin.earlier) if pin.accepted is not None else ()
    return replace(
        pin,
        accepted=digest,
        earlier=earlier[:MAX_EARLIER],
        accepted_text=pin.newest_text,
        decided_at=at,
        by=by,
        reason=reason,
    )


def rejected(pin: Pin, by: str, reason: str, at: datetime) -> Pin:
    """The pin after a human took back all that was accepted of the tool."""
    return replace(
        pin,
        accepted=None,
        earlier=(),
        accepted_text="",
        decided_at=at,
        by=by,
        reason=reason,
    )


def is_name(name: object) -> TypeGuard[str]:
    """Whether a tool of this name can be kept, and named in a path of the API."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        return False
    if any("\ud800" <= char <= "\udfff" for char in name):
        return False
    return not any(part in {".", ".."} for part in name.split("/"))


def unknown_pin() -> ClientError:
    """The error for a tool that nobody has seen."""
    return ClientError(
        code="pin-unknown",
        message="There is no such tool",
        expected="a server and a tool that it has shown",
        hint="`proctor tools list` lists them.",
        status=404,
    )


def _read(text: str) -> dict[str, Any]:
    found: Mapping[str, Any] = json.loads(text) if text else {}
    return dict(found)
