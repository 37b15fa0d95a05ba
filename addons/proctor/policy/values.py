"""The values that expressions see, taken from a Case: only those that rules read, and bounded."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import cel

from proctor.model import (
    ActionKind,
    Case,
    Finding,
    GitFields,
    HttpFields,
    LlmFields,
    McpFields,
    SqlFields,
    ToolFields,
    WsFields,
)
from proctor.policy.calls import call_of
from proctor.policy.cost import MAX_ITEMS
from proctor.policy.fields import TABLE, empty

MAX_TEXT = 262_144
"""Characters in one field, all its strings together, that a rule can look at."""

MAX_DEPTH = 32
"""Nesting of a JSON document that a rule can look at."""

MAX_REMEMBERED = 4096
"""Characters and entries of a case up to which the rules' answers are remembered."""

TOO_LARGE = "is larger than a rule can look at"
NOT_TEXT = "holds what is not text"
NOT_READ = "could not be read"

UNREAD = object()
"""A body that says it is JSON, and that was too large or too odd to be read."""

_EPOCH = datetime.fromtimestamp(0, UTC)
_HTTP, _LLM, _TOOL, _MCP = HttpFields(), LlmFields(), ToolFields(), McpFields()
_SQL, _GIT, _WS = SqlFields(), GitFields(), WsFields()


def _json(case: Case) -> Any:
    """An exchange without JSON has an empty document, so that has(http.json.a) is just false."""
    found = case.action.http
    if found is None or case.action.kind is not ActionKind.HTTP_REQUEST:
        return {}
    if found.json is None:
        return UNREAD if "json" in found.content_type and case.action.size else {}
    return found.json


def _ws_json(case: Case) -> Any:
    """A message that is no JSON has an empty document."""
    found = case.action.ws
    return {} if found is None or found.json is None else found.json


def _findings(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """What was found, once for each type, place and direction, with the best score."""
    best: dict[tuple[str, str, str], float] = {}
    for each in found:
        key = (each.type, each.location, each.direction)
        best[key] = max(each.score, best.get(key, 0.0))
    return [
        {"type": type_, "location": location, "direction": direction, "score": score}
        for (type_, location, direction), score in best.items()
    ]


type Getter = Callable[[Case], Any]

_GETTERS: dict[str, Getter] = {
    "principal.issuer": lambda case: case.principal.issuer,
    "principal.subject": lambda case: case.principal.subject,
    "principal.human": lambda case: case.principal.human or "",
    "principal.groups": lambda case: case.principal.groups,
    "principal.token_age": lambda case: case.now.timestamp() - case.principal.issued_at,
    "session.id": lambda case: case.session.id if case.session else "",
    "session.client": lambda case: case.session.client if case.session else "",
    "session.started": lambda case: case.session.started if case.session else _EPOCH,
    "session.turns": lambda case: case.session.turns if case.session else 0,
    "session.repository": lambda case: case.session.repository if case.session else "",
    "session.exposed": lambda case: case.session.exposed if case.session else (),
    "session.suspicious": lambda case: case.session.suspicious if case.session else 0.0,
    "action.kind": lambda case: case.action.kind.value,
    "action.listener": lambda case: case.action.listener,
    "action.size": lambda case: case.action.size,
    "action.tainted": lambda case: case.action.tainted,
    "http.method": lambda case: (case.action.http or _HTTP).method,
    "http.scheme": lambda case: (case.action.http or _HTTP).scheme,
    "http.host": lambda case: (case.action.http or _HTTP).host,
    "http.port": lambda case: (case.action.http or _HTTP).port,
    "http.path": lambda case: (case.action.http or _HTTP).path,
    "http.query": lambda case: dict((case.action.http or _HTTP).query),
    "http.headers": lambda case: dict((case.action.http or _HTTP).headers),
    "http.content_type": lambda case: (case.action.http or _HTTP).content_type,
    "http.json": _json,
    "http.operation": lambda case: (case.action.http or _HTTP).operation,
    "http.violations": lambda case: (case.action.http or _HTTP).violations,
    "http.credential": lambda case: (case.action.http or _HTTP).credential.value,
    "llm.model": lambda case: (case.action.llm or _LLM).model,
    "llm.stream": lambda case: (case.action.llm or _LLM).stream,
    "llm.max_tokens": lambda case: (case.action.llm or _LLM).max_tokens,
    "llm.tools": lambda case: (case.action.llm or _LLM).tools,
    "llm.features": lambda case: (case.action.llm or _LLM).features,
    "llm.request_class": lambda case: (case.action.llm or _LLM).request_class,
    "tool.name": lambda case: (call_of(case.action) or _TOOL).name,
    "tool.input": lambda case: dict((call_of(case.action) or _TOOL).input),
    "tool.command": lambda case: (case.action.tool or _TOOL).command,
    "tool.paths": lambda case: (case.action.tool or _TOOL).paths,
    "tool.hosts": lambda case: (case.action.tool or _TOOL).hosts,
    "mcp.server": lambda case: (case.action.mcp or _MCP).server,
    "mcp.method": lambda case: (case.action.mcp or _MCP).method,
    "mcp.tool": lambda case: (case.action.mcp or _MCP).tool,
    "mcp.arguments": lambda case: dict((case.action.mcp or _MCP).arguments),
    "mcp.uri": lambda case: (case.action.mcp or _MCP).uri,
    "sql.database": lambda case: (case.action.sql or _SQL).database,
    "sql.verbs": lambda case: (case.action.sql or _SQL).verbs,
    "sql.tables": lambda case: (case.action.sql or _SQL).tables,
    "sql.columns": lambda case: (case.action.sql or _SQL).columns,
    "sql.functions": lambda case: (case.action.sql or _SQL).functions,
    "sql.has_where": lambda case: (case.action.sql or _SQL).has_where,
    "sql.read_only": lambda case: (case.action.sql or _SQL).read_only,
    "sql.in_transaction": lambda case: (case.action.sql or _SQL).in_transaction,
    "sql.fingerprint": lambda case: (case.action.sql or _SQL).fingerprint,
    "git.repository": lambda case: (case.action.git or _GIT).repository,
    "git.service": lambda case: (case.action.git or _GIT).service,
    "git.refs": lambda case: (case.action.git or _GIT).refs,
    "git.old": lambda case: (case.action.git or _GIT).old,
    "git.new": lambda case: (case.action.git or _GIT).new,
    "git.forced": lambda case: (case.action.git or _GIT).forced,
    "git.deleted": lambda case: (case.action.git or _GIT).deleted,
    "git.authors": lambda case: (case.action.git or _GIT).authors,
    "git.paths": lambda case: (case.action.git or _GIT).paths,
    "git.commits": lambda case: (case.action.git or _GIT).commits,
    "git.bytes": lambda case: (case.action.git or _GIT).bytes,
    "git.unknown": lambda case: (case.action.git or _GIT).unknown,
    "ws.direction": lambda case: (case.action.ws or _WS).direction,
    "ws.type": lambda case: (case.action.ws or _WS).type,
    "ws.json": _ws_json,
    "novelty.statement": lambda case: case.action.novelty.get("statement", False),
    "novelty.table": lambda case: case.action.novelty.get("table", False),
    "novelty.tables": lambda case: case.action.novelty.get("tables", ()),
    "novelty.volume": lambda case: case.action.novelty.get("volume", 0.0),
    "novelty.hour": lambda case: case.action.novelty.get("hour", False),
    "novelty.history": lambda case: case.action.novelty.get("history", 0),
    "novelty.host": lambda case: case.action.novelty.get("host", False),
    "novelty.days": lambda case: case.action.novelty.get("days", 0),
    "budget": lambda case: dict(case.action.budget),
    "findings": lambda case: _findings(case.findings),
    "now": lambda case: case.now.astimezone(UTC),
}  # fmt: skip


def getter(field: str) -> Getter:
    """How a field is taken from a Case; what no door fills yet is empty."""
    if field in _GETTERS:
        return _GETTERS[field]
    room, _, name = field.partition(".")
    kind = TABLE[room] if not name else (TABLE[room].fields or {})[name]
    value = empty(kind)
    return lambda _: value


def time_zone(name: str) -> tzinfo | None:
    """The time zone of this IANA name, or None. UTC needs no database."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return None


def clock_name(zone: str) -> str:
    """The variable that holds hour and weekday of one time zone."""
    return f"_now_{zone.encode().hex()}"


class Plan:
    """Which fields the rules of one kind read, and how they are taken from a Case."""

    def __init__(
        self, fields: Iterable[str], zones: Iterable[str], *, patterns: bool = False
    ) -> None:
        """Of rules that read these fields; `patterns`: some of them look at the whole call."""
        wanted = sorted(field for field in fields if not field.startswith("now."))
        self.fields = tuple(
            (field, *_place(field), getter(field), _bounded_by(field)) for field in wanted
        )
        self.zones = tuple((clock_name(zone), time_zone(zone) or UTC) for zone in sorted(zones))
        self._plain = not self.zones and all(is_plain(field) for field in wanted)
        self._patterns = patterns

    def key(self, case: Case) -> tuple[Any, ...] | None:
        """All that the rules' answers rest on, or None where that is not worth remembering.

        Values of one field have one type here: were `1`, `1.0` and `true` possible, they would be
        one key, and so would be their answers.
        """
        if not self._plain or (self._patterns and call_of(case.action) is not None):
            return None
        found = [get(case) for _, _, _, get, _ in self.fields]
        values = tuple(tuple(value) if isinstance(value, list) else value for value in found)
        size = sum(len(value) for value in values if isinstance(value, str | tuple))
        return values if size <= MAX_REMEMBERED else None


class View:
    """What conditions see of one Case; built when the first condition asks.

    Attributes:
        missing: Fields that are not shown, and why: a condition that needs one fails.
    """

    __slots__ = ("_context", "_plan", "case", "missing")

    def __init__(self, case: Case, plan: Plan, hidden: Mapping[str, str] | None = None) -> None:
        self.case = case
        self.missing: dict[str, str] = dict(hidden) if hidden else {}
        self._plan = plan
        self._context: cel.Context | None = None

    @property
    def context(self) -> cel.Context:
        """The variables, as the library takes them."""
        if self._context is None:
            values = self._values()
            try:
                self._context = cel.Context(values)
            except ValueError:  # some text cannot be encoded: leave out what it is in
                self._drop_unreadable(values)
                self._context = cel.Context(values)
        return self._context

    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        case = self.case
        for field, room, name, get, bounded in self._plan.fields:
            holder = values.setdefault(room, {}) if name else values
            if field in self.missing:
                continue
            value = get(case)
            if bounded and not bounded(value):
                self.missing[field] = NOT_READ if value is UNREAD else TOO_LARGE
            else:
                holder[name or room] = value
        for name, zone in self._plan.zones:
            local = case.now.astimezone(zone)
            values[name] = {"hour": local.hour, "weekday": local.isoweekday()}
        return values

    def _drop_unreadable(self, values: dict[str, Any]) -> None:
        for field, room, name, _, _ in self._plan.fields:
            holder = values[room] if name else values
            key = name or room
            if key not in holder:
                continue
            try:
                cel.Context({"value": holder[key]})
            except ValueError:
                del holder[key]
                self.missing[field] = NOT_TEXT


def is_plain(field: str) -> bool:
    """Whether a field holds one value, or a list of texts."""
    room, name = _place(field)
    kind = TABLE[room] if not name else (TABLE[room].fields or {})[name]
    return kind.name in {"string", "int", "bool"} or (
        kind.name == "list" and kind.item is not None and kind.item.name == "string"
    )


def _place(field: str) -> tuple[str, str]:
    room, _, name = field.partition(".")
    return room, name


def _bounded_by(field: str) -> Callable[[Any], bool] | None:
    room, name = _place(field)
    kind = TABLE[room] if not name else (TABLE[room].fields or {})[name]
    if kind.name == "string":
        return _short
    if kind.name == "list" and kind.item and kind.item.name == "string":
        return _short_list
    if kind.name == "list" and kind.item and kind.item.fields:
        return _few
    if kind.name in {"list", "map", "dyn"}:
        return _small
    return None


def _short(value: str) -> bool:
    return len(value) <= MAX_TEXT


def _short_list(values: tuple[str, ...]) -> bool:
    return len(values) <= MAX_ITEMS and sum(map(len, values)) <= MAX_TEXT


def _few(values: list[dict[str, Any]]) -> bool:
    """Whether records of known, flat fields are few: what a condition costs counts them alone."""
    text = sum(len(each) for value in values for each in value.values() if isinstance(each, str))
    return len(values) <= MAX_ITEMS and text <= MAX_TEXT


def _small(value: Any) -> bool:
    """Whether a JSON value is small in all ways; walked without recursion."""
    if value is UNREAD:
        return False
    count = text = 0
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, str):
                text += len(each)
            elif isinstance(each, dict):
                text += sum(map(len, each))
                below.extend(each.values())
            elif isinstance(each, list | tuple):
                below.extend(each)
            if count + len(below) > MAX_ITEMS or text > MAX_TEXT:
                return False
        count += len(below)
        if not below:
            return True
        level = below
    return False
