"""Events in OCSF: API Activity (class 6003) with the profiles ai_operation and security_control.

Plain dicts; what has no place there stands under `unmapped`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from proctor import __version__
from proctor.export.events import Event, actor

VERSION = "1.9.0"

_CATEGORY = 6  # Application Activity
_CLASS = 6003  # API Activity
_OTHER = 99
_ACTIVITY = {"POST": 1, "GET": 2, "HEAD": 2, "PUT": 3, "PATCH": 3, "DELETE": 4}
_SUCCESS, _FAILURE = 1, 2
_INFORMATIONAL, _LOW, _MEDIUM = 1, 2, 3
# security_control: action_id and disposition_id.
_ALLOWED, _DENIED = 1, 2
_BLOCKED = 2


def record(event: Event, texts: Mapping[str, str | None] | None = None) -> dict[str, Any]:
    """One event.

    Args:
        event: What happened.
        texts: Content that is wanted, by name.
    """
    envelope = event.envelope
    activity = _ACTIVITY.get(event.action, _OTHER)
    denied = event.outcome == "deny"
    failed = denied or event.outcome == "error"
    host, port = envelope.get("host"), envelope.get("port")
    made: dict[str, Any] = {
        "metadata": {
            "version": VERSION,
            "uid": event.id,
            "product": {"name": "proctor", "vendor_name": "proctor", "version": __version__},
            "profiles": ["ai_operation", "security_control"],
            "log_name": event.view,
            "sequence": envelope["seq"],
            "correlation_uid": envelope.get("session_id") or envelope.get("flow_id"),
        },
        "time": _milliseconds(envelope["ts"]),
        "category_uid": _CATEGORY,
        "category_name": "Application Activity",
        "class_uid": _CLASS,
        "class_name": "API Activity",
        "activity_id": activity,
        "activity_name": event.action or "Other",
        "type_uid": _CLASS * 100 + activity,
        "severity_id": _severity(event),
        "status_id": _FAILURE if failed else _SUCCESS,
        "status_detail": event.reason,
        "message": f"{event.view} {event.action} {event.outcome}".strip(),
        "action_id": _DENIED if denied else _ALLOWED,
        "disposition_id": _BLOCKED if denied else _ALLOWED,
        "actor": _actor(envelope),
        "api": {
            "operation": event.action or event.view,
            "service": {"name": str(envelope.get("listener") or "proctor")},
            "request": {"uid": str(envelope.get("flow_id") or event.id)},
        },
        "src_endpoint": {"name": str(envelope.get("client") or "unknown")},
        "unmapped": {"view": event.view, "outcome": event.outcome, **event.data, **(texts or {})},
    }
    if host:
        made["dst_endpoint"] = {"hostname": host, **({"port": port} if port else {})}
    if event.view == "turns" and event.data.get("model"):
        made["ai_model"] = {
            "name": event.data["model"],
            "model_name": event.data["model"],
            "ai_provider": "Anthropic",
        }
        if event.data.get("stop_reason"):
            made["stop_reason"] = event.data["stop_reason"]
            made["stop_reason_id"] = _OTHER
    return made


def _actor(envelope: Mapping[str, Any]) -> dict[str, Any]:
    who = actor(envelope)
    if not who["principal"]:
        return {"app_name": "proctor"}
    return {
        "user": {
            "uid": who["principal"],
            "name": who["subject"],
            "groups": [{"name": group} for group in who["groups"]],
        },
        "app_name": who["client"] or "unknown",
    }


def _severity(event: Event) -> int:
    if event.outcome == "deny":
        return _MEDIUM
    return (
        _LOW if event.outcome in {"hold", "error"} or event.view == "findings" else _INFORMATIONAL
    )


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
