"""Cases taken from the record, for `proctor explain --flow`.

The record holds what a case needs, less what nobody asked to keep: those fields are named as not
known, and a rule that needs one stays open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from proctor.errors import ClientError, ConfigurationError
from proctor.model import Action, ActionKind, Case, HttpFields, LlmFields, Principal, Session
from proctor.policy.fields import TABLE, fills
from proctor.protocols.anthropic.request import parse_request

NOT_KEPT = "is not on record"

_COLUMNS = (
    "d.action_kind, d.verdict, d.rule_id, d.policy_version, d.ts, f.principal, f.subject, f.groups,"
    " f.session_id, f.listener, f.method, f.scheme, f.host, f.port, f.path, f.request_bytes,"
    " t.model, t.request_body"
)
_QUERY = f"""
    SELECT {_COLUMNS} FROM decisions d
    JOIN flows f ON f.flow_id = d.flow_id LEFT JOIN turns t ON t.flow_id = d.flow_id
    WHERE d.flow_id = ? ORDER BY d.seq LIMIT 100
"""  # noqa: S608 - the columns are the constants above

_KNOWN = {
    "principal.issuer", "principal.subject", "principal.groups", "session.id",
    "action.kind", "action.listener", "action.size", "now",
    "http.method", "http.scheme", "http.host", "http.port", "http.path",
}  # fmt: skip
_FROM_BODY = {"llm.stream", "llm.max_tokens", "llm.tools", "llm.features"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One action as the record has it.

    Attributes:
        case: What is known of it.
        hidden: Fields that are not, and why.
        verdict: What was said of it then.
        rule_id: By which rule.
        policy_version: Digest of the rules of then.
    """

    case: Case
    hidden: Mapping[str, str]
    verdict: str
    rule_id: str
    policy_version: str


def recorded_cases(database: Path, flow_id: str) -> list[Recorded]:
    """The actions of a recorded exchange.

    Args:
        database: `audit.duckdb` of the recordings.
        flow_id: As in the view `flows`.

    Raises:
        ConfigurationError: The record cannot be opened.
        ClientError: There is no such exchange.
    """
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            cursor = connection.execute(_QUERY, [flow_id])
            names = [column[0] for column in cursor.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except duckdb.Error as error:
        raise ConfigurationError(
            code="record-unreadable",
            message="The record cannot be read",
            got=type(error).__name__,
            hint="`proctor doctor` says what is wrong with it.",
            where=str(database),
        ) from None
    if not rows:
        raise ClientError(
            code="flow-unknown",
            message="No decision about such an exchange is on record",
            got=repr(flow_id)[:80],
            expected="a flow_id of the view `flows`",
            status=404,
        )
    return [_recorded(row) for row in rows]


def _recorded(row: Mapping[str, Any]) -> Recorded:
    kind = ActionKind(row["action_kind"])
    issuer, _, subject = (row["principal"] or "").partition("#")
    now = _utc(row["ts"])
    path = (row["path"] or "").partition("?")[0]
    session = row["session_id"]
    llm, known = _llm(row)
    case = Case(
        principal=Principal(
            issuer=issuer,
            subject=row["subject"] or subject,
            groups=tuple(row["groups"] or ()),
            issued_at=now.timestamp(),
        ),
        session=Session(id=session, client="", started=now) if session else None,
        action=Action(
            kind=kind,
            listener=row["listener"] or "",
            target=f"{row['method']} {row['scheme']}://{row['host']}:{row['port']}{path}",
            size=row["request_bytes"] or 0,
            http=HttpFields(
                method=row["method"] or "",
                scheme=row["scheme"] or "",
                host=row["host"] or "",
                port=row["port"] or 0,
                path=path,
            ),
            llm=llm,
        ),
        now=now,
    )
    known |= _KNOWN | ({"session.client", "session.turns"} if session is None else set())
    hidden = {name: NOT_KEPT for name in _all_fields() if fills(kind, name) and name not in known}
    return Recorded(
        case=case,
        hidden=hidden,
        verdict=row["verdict"] or "",
        rule_id=row["rule_id"] or "",
        policy_version=row["policy_version"] or "",
    )


def _llm(row: Mapping[str, Any]) -> tuple[LlmFields | None, set[str]]:
    """What the request to the model was, as far as its body was kept."""
    if row["model"] is None:
        return None, set()
    try:
        message = parse_request((row["request_body"] or "").encode("utf-8", "surrogatepass"))
    except ClientError:
        return LlmFields(model=row["model"]), {"llm.model"}
    fields = LlmFields(
        model=message.model,
        stream=message.stream,
        max_tokens=message.max_tokens,
        tools=message.tools,
        features=message.features,
    )
    return fields, {"llm.model"} | _FROM_BODY


def _all_fields() -> list[str]:
    return [
        name if row.name != "room" else f"{name}.{part}"
        for name, row in TABLE.items()
        for part in (row.fields if row.name == "room" and row.fields else ("",))
    ]


def _utc(value: datetime | str) -> datetime:
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    return time if time.tzinfo else time.replace(tzinfo=UTC)
