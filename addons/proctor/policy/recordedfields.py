"""Which fields of a recorded case are known: the rest is named as not known, never guessed."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from proctor.model import ActionKind
from proctor.policy.fields import TABLE, fills

NOT_KEPT: Final = "is not on record"

KNOWN: Final = frozenset({
    "principal.issuer", "principal.subject", "principal.groups",
    "session.id", "session.client", "session.started",
    "action.kind", "action.listener", "action.size", "action.tainted", "now",
    "novelty", "novelty.host",
})  # fmt: skip
LINE: Final = frozenset(
    {"http.method", "http.scheme", "http.host", "http.port", "http.path", "http.query"}
)
LLM: Final = frozenset(f"llm.{name}" for name in (TABLE["llm"].fields or {}))
TOOL: Final = frozenset(f"tool.{name}" for name in (TABLE["tool"].fields or {}))
MCP: Final = frozenset(f"mcp.{name}" for name in (TABLE["mcp"].fields or {}))
GIT: Final = frozenset(f"git.{name}" for name in (TABLE["git"].fields or {}))
HTTP: Final = frozenset(f"http.{name}" for name in (TABLE["http"].fields or {}))
LISTS: Final = ("verbs", "tables", "columns", "functions")
SQL: Final = frozenset(f"sql.{name}" for name in (TABLE["sql"].fields or {})) | {"findings"}
NOVELTY: Final = frozenset(f"novelty.{name}" for name in (TABLE["novelty"].fields or {}))
CALL_FIELDS: Final = (HTTP, LLM, TOOL)
NAMED_CALL: Final = (HTTP, LLM, frozenset({"tool.name"}))
UNNAMED_CALL: Final = (HTTP, LLM)
HEADERS: Final = frozenset({"http.headers", "http.credential"})
JSON: Final = frozenset({"http.json"})
TURN: Final = frozenset({"llm.model", "llm.stream", "llm.request_class"})
ASKED: Final = frozenset({"mcp.server", "mcp.method", "mcp.tool", "mcp.uri", "tool.name"})
WS: Final = frozenset({"ws.direction", "ws.type", "findings"})
WS_JSON: Final = frozenset({"ws.json"})
SENT: Final = MCP | {"tool.name", "tool.input"}
NOTHING: Final = frozenset[str]()
TYPE: Final = frozenset({"http.content_type"})
OPERATION: Final = frozenset({"http.operation"})
VIOLATIONS: Final = frozenset({"http.violations"})

type Known = tuple[frozenset[str], ...]
"""Fields that are known; the sets are few, so that what follows from them is looked up."""


@lru_cache(maxsize=16)
def who(*, kept: bool, turns: bool, folder: bool) -> frozenset[str]:
    """What is known of every action, of its principal and of its session."""
    found = set(KNOWN)
    if kept:
        found |= {"principal.human", "principal.token_age", "findings", "budget"}
    if turns:
        found |= {"session.turns", "session.exposed", "session.suspicious"}
    if folder:
        found.add("session.repository")
    return frozenset(found)


@lru_cache(maxsize=256)
def hidden_of(kind: ActionKind, known: Known) -> Mapping[str, str]:
    """The fields of actions of a kind that are not known, and why."""
    told = NOTHING.union(*known)
    return {name: NOT_KEPT for name in _all_fields() if fills(kind, name) and name not in told}


@lru_cache(maxsize=1)
def _all_fields() -> tuple[str, ...]:
    return tuple(
        name if row.name != "room" else f"{name}.{part}"
        for name, row in TABLE.items()
        for part in (row.fields if row.name == "room" and row.fields else ("",))
    )
