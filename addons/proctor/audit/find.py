"""Which session or exchange a person means, and the list of sessions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from proctor.audit.reader import Reader
from proctor.errors import ClientError

LAST = "last"
_SHOWN = 10
_MINE = "($principal IS NULL OR principal = $principal OR subject = $principal)"

# The view `sessions` and, in the same grouping, what it has no column for. Outside is what went to
# others than those hosts that the model was asked at.
_LIST = f"""
    SELECT s.session_id, s.principal, s.subject, s.client, s.started_at, s.ended_at, s.turns,
        s.tool_calls, s.statements, c.outside, s.denied, s.input_tokens, s.output_tokens,
        c.cache_read_tokens, c.cache_write_tokens
    FROM sessions s JOIN (
        SELECT principal, session_id, coalesce(session_started, min(started_at)) AS started_at,
            CAST(coalesce(sum(flows) FILTER (turns = 0), 0) AS BIGINT) AS outside,
            CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
            CAST(sum(cache_write_tokens) AS BIGINT) AS cache_write_tokens
        FROM (
            SELECT principal, session_id, session_started, min(started_at) AS started_at,
                count(*) FILTER (kind NOT IN ('statement', 'message')) AS flows,
                count(turn) AS turns,
                sum(turn.cache_read_tokens) AS cache_read_tokens,
                sum(turn.cache_write_tokens) AS cache_write_tokens
            FROM _flows WHERE session_id IS NOT NULL
            GROUP BY principal, session_id, session_started, host, port
        ) GROUP BY principal, session_id, session_started
    ) c USING (principal, session_id, started_at)
    WHERE {_MINE} AND ($since IS NULL OR s.ended_at >= $since)
    ORDER BY s.started_at DESC, s.session_id LIMIT $limit
"""  # noqa: S608 - made of the constants above
_NEWEST = f"""
    SELECT principal, session_id FROM sessions WHERE {_MINE}
    ORDER BY started_at DESC, session_id LIMIT 1
"""  # noqa: S608 - the same
_NAMED = f"""
    SELECT DISTINCT session_id, principal FROM _flows
    WHERE starts_with(session_id, $text) AND {_MINE}
    ORDER BY session_id = $text DESC, session_id, principal LIMIT {_SHOWN + 1}
"""  # noqa: S608 - the same
_EXCHANGE = f"""
    SELECT DISTINCT flow_id, principal, session_id FROM _flows
    WHERE starts_with(flow_id, $text) AND {_MINE}
    ORDER BY flow_id = $text DESC, flow_id LIMIT {_SHOWN + 1}
"""  # noqa: S608 - the same

_FINDINGS = """
    SELECT ts, session_id, subject, entity_type, direction, location, detector, action, digest,
        flow_id
    FROM findings WHERE ($session IS NULL OR starts_with(session_id, $session))
    AND ($kind IS NULL OR entity_type = $kind) AND ($since IS NULL OR ts >= $since)
    ORDER BY ts DESC, writer, seq DESC, location LIMIT $limit
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is to be shown: a session under its principal, or one exchange.

    Attributes:
        principal: `Principal.key`; None only for an exchange whose caller was not proved.
        session_id: As the client names it; None for an exchange of no session.
        flow_id: Where one exchange is meant.
    """

    principal: str | None
    session_id: str | None = None
    flow_id: str | None = None


def sessions(
    reader: Reader, *, principal: str | None, since: datetime | None, limit: int
) -> Iterator[dict[str, Any]]:
    """Sessions, the one that began last first.

    Args:
        reader: The record.
        principal: `Principal.key` or a subject; None for all.
        since: Only those that were still going on then.
        limit: At most so many.
    """
    given = {"principal": principal, "limit": limit, "since": _plain(since)}
    for row in reader.rows(_LIST, given):
        for name in ("started_at", "ended_at"):
            row[name] = row[name].replace(tzinfo=UTC)
        yield row


def findings(
    reader: Reader, *, session: str | None, kind: str | None, since: datetime | None, limit: int
) -> Iterator[dict[str, Any]]:
    """What was found, the newest first; never a value.

    Args:
        reader: The record.
        session: Only of sessions whose name begins so.
        kind: Only of this entity type.
        since: Only what was recorded from then on.
        limit: At most so many.
    """
    given = {"session": session, "kind": kind, "since": _plain(since), "limit": limit}
    for row in reader.rows(_FINDINGS, given):
        row["ts"] = row["ts"].replace(tzinfo=UTC)
        yield row


def find(reader: Reader, text: str | None, principal: str | None = None) -> Target:
    """The session or exchange that `text` names, or begins the name of.

    Args:
        reader: The record.
        text: A session's or exchange's name, or its beginning; None or `last` for the session that
            began last.
        principal: `Principal.key` or a subject, where several have a session of that name.

    Raises:
        ClientError: Codes `session-unknown`, `session-ambiguous`, `record-empty`.
    """
    given = {"principal": principal}
    if text is None or text == LAST:
        for row in reader.rows(_NEWEST, given):
            return Target(principal=row["principal"], session_id=row["session_id"])
        raise empty()
    for sql, name in ((_NAMED, "session_id"), (_EXCHANGE, "flow_id")):
        rows = list(reader.rows(sql, {**given, "text": text}))
        exact = [row for row in rows if row[name] == text]
        found = exact or rows
        if len(found) > 1:
            raise _ambiguous(text, found, name)
        if found:
            return Target(**found[0])
    raise ClientError(
        code="session-unknown",
        message="No such session or exchange is on record",
        got=repr(text)[:80],
        expected="the beginning of a session_id or flow_id" + (" of theirs" if principal else ""),
        hint="`proctor sessions` lists sessions; those without a name are found by flow_id.",
        status=404,
    )


def _plain(moment: datetime | None) -> datetime | None:
    """As the record has it: in UTC, without saying so."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else None


def empty() -> ClientError:
    """Nothing is on record."""
    return ClientError(
        code="record-empty",
        message="No session is on record yet",
        hint="Start `proctor run` and point a client at it: ANTHROPIC_BASE_URL=http://ADDRESS.",
        status=404,
    )


def _ambiguous(text: str, found: Sequence[Mapping[str, Any]], name: str) -> ClientError:
    listed = [f"{row[name]} of {row['principal']}" for row in found[:_SHOWN]]
    if len(found) > _SHOWN:
        listed.append("more")
    same = len({row[name] for row in found}) == 1
    return ClientError(
        code="session-ambiguous",
        message=f"{text[:80]!r} could be several",
        got=", ".join(listed),
        expected="one of them",
        hint="Choose by --principal." if same else "Give more of its name.",
        status=409,
    )
