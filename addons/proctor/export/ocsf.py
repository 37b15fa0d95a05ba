"""Events in OCSF, with the profiles ai_operation and security_control.

SQL statements are Datastore Activity (class 6005), everything else is API Activity (class 6003).

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
_DATASTORE = 6005  # Datastore Activity
_RELATIONAL = 1  # database: type_id
_DATABASE = 1  # datastore_activity: type_id
_STATEMENTS = {
    "SELECT": 4, "INSERT": 5, "UPDATE": 2, "DELETE": 7, "CREATE": 6, "TRUNCATE": 7, "DROP": 7,
}  # fmt: skip
_DATASTORE_NAMES = {2: "Update", 4: "Query", 5: "Write", 6: "Create", 7: "Delete"}
_OTHER = 99
_ACTIVITY = {"POST": 1, "GET": 2, "HEAD": 2, "PUT": 3, "PATCH": 3, "DELETE": 4}
# Where an activity has an id of its own, its name is the schema's.
_NAMES = {1: "Create", 2: "Read", 3: "Update", 4: "Delete"}
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
    kind = _of_statement(event, texts or {}) if event.view == "statements" else _of_api(event)
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
        },
        "time": _milliseconds(envelope["ts"]),
        "category_uid": _CATEGORY,
        "category_name": "Application Activity",
        **kind,
        "type_uid": kind["class_uid"] * 100 + kind["activity_id"],
        "severity_id": _severity(event),
        "status_id": _FAILURE if failed else _SUCCESS,
        "status_detail": event.reason,
        "message": f"{event.view} {event.action} {event.outcome}".strip(),
        "action_id": _DENIED if denied else _ALLOWED,
        "disposition_id": _BLOCKED if denied else _ALLOWED,
        "actor": _actor(envelope),
        "src_endpoint": {"name": str(envelope.get("client") or "unknown")},
        "unmapped": {"view": event.view, "outcome": event.outcome, **event.data, **(texts or {})},
    }
    if related := envelope.get("session_id") or envelope.get("flow_id"):
        made["metadata"]["correlation_uid"] = related
    if host:
        made["dst_endpoint"] = {"hostname": host, **({"port": port} if port else {})}
    if event.view == "turns" and event.data.get("model"):
        made["ai_model"] = {"name": event.data["model"], "ai_provider": "Anthropic"}
        made["message_context"] = _context(event)
    return made


def _of_api(event: Event) -> dict[str, Any]:
    activity = _ACTIVITY.get(event.action, _OTHER)
    envelope = event.envelope
    return {
        "class_uid": _CLASS,
        "class_name": "API Activity",
        "activity_id": activity,
        "activity_name": _NAMES.get(activity) or event.action or "Other",
        "api": {
            "operation": event.action or event.view,
            "service": {"name": str(envelope.get("listener") or "proctor")},
            "request": {"uid": str(envelope.get("flow_id") or event.id)},
        },
    }


def _of_statement(event: Event, texts: Mapping[str, str | None]) -> dict[str, Any]:
    data = event.data
    verbs, tables = data.get("verbs") or [], data.get("tables") or []
    activity = _STATEMENTS.get(verbs[0], _OTHER) if len(verbs) == 1 else _OTHER
    made: dict[str, Any] = {
        "class_uid": _DATASTORE,
        "class_name": "Datastore Activity",
        "activity_id": activity,
        "activity_name": _DATASTORE_NAMES.get(activity) or ", ".join(verbs) or "Other",
        "type_id": _DATABASE,
        "database": {
            "name": str(data.get("database") or ""),
            "type": "Relational",
            "type_id": _RELATIONAL,
        },
    }
    if len(tables) == 1:
        made["table"] = {"name": tables[0]}
    if isinstance(took := data.get("duration_ms"), int | float):
        made["duration"] = round(took)
    if texts.get("sql") is not None:
        made["query_info"] = {
            "query_string": texts["sql"],
            "uid": str(data.get("fingerprint") or event.id),
            "bytes": data.get("response_bytes") or 0,
        }
    return made


def _context(event: Event) -> dict[str, Any]:
    """What a turn took, as the model's provider counts it."""
    data = event.data
    told = {
        "prompt_tokens": data.get("input_tokens"),
        "completion_tokens": data.get("output_tokens"),
    }
    counted = {name: count for name, count in told.items() if isinstance(count, int)}
    session = event.envelope.get("session_id")
    return {
        "service": {"name": str(event.envelope.get("host") or "unknown")},
        **({"uid": session} if session else {}),
        **counted,
        **({"total_tokens": sum(counted.values())} if len(counted) == len(told) else {}),
    }


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
