"""A message of a WebSocket as the record has it: for cases taken from there."""

from collections.abc import Mapping
from typing import Any

from proctor.model import Action, ActionKind, Finding, HttpFields, WsFields
from proctor.policy.recordedfields import WS, WS_JSON, Known
from proctor.protocols.said import json_of

_LEFT = frozenset({"", "detect", "pass"})
"""What was done with findings that changed nothing."""


def message_of(
    message: Mapping[str, Any], body: bytes | None, http: HttpFields, listener: str
) -> tuple[Action, Known]:
    """The action, and which of its fields are known.

    Args:
        message: Its envelope.
        body: It, as it may be kept; None where it was not.
        http: The request that opened the connection.
        listener: As configured.
    """
    text, size = message["type"] == "text", message["bytes"]
    action = Action(
        kind=ActionKind.WS_MESSAGE,
        listener=listener,
        target=f"{message['direction'].upper()} {http.host}{http.path}",
        size=size,
        http=http,
        ws=WsFields(
            direction=message["direction"],
            type=message["type"],
            json=json_of(body or b"", text=text),
        ),
    )
    return action, (WS, WS_JSON) if body is not None or not text or not size else (WS,)


def findings_of(said: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What was found, as the envelope of a statement or a message says."""
    return tuple(
        Finding(
            type=row["entity_type"],
            location=row["location"],
            direction=row["direction"],
            score=row["score"],
        )
        for row in said.get("findings") or ()
    )


def cut_of(message: Mapping[str, Any]) -> bool:
    """Whether something was taken out of what is on record."""
    return any(row["action"] not in _LEFT for row in message.get("findings") or ())
