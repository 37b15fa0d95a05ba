"""The field table: what expressions can see, and which actions fill it.

Every field is always there; where it does not apply it is empty: `""`, `0`, `false`, `[]`, `{}`.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from proctor.model import ActionKind, CredentialSource
from proctor.policy.celtypes import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Type,
    Words,
    list_of,
    map_of,
    record,
    room,
)


def _known(*words: str) -> Type:
    form = re.compile("|".join(map(re.escape, words)))
    return Type(
        name="string", words=Words(form=form, says=f"one of {', '.join(words)}", known=words)
    )


def _form(pattern: str, says: str, *known: str) -> Type:
    return Type(name="string", words=Words(form=re.compile(pattern), says=says, known=known))


def _between(least: int, greatest: int) -> Type:
    return Type(name="int", span=(least, greatest))


FEATURES = (
    "advisor",
    "code_execution",
    "container",
    "document_url",
    "fallbacks",
    "files",
    "image_url",
    "mcp_connector",
    "skills",
    "thread",
    "tool_search",
    "web_fetch",
    "web_search",
)
"""What `llm.features` can hold, besides `unknown_…` for what this version has no name for."""

VERBS = (
    "ALTER", "ANALYZE", "BEGIN", "CALL", "CHECKPOINT", "CLOSE", "CLUSTER", "COMMENT", "COMMIT",
    "COPY", "CREATE", "DEALLOCATE", "DECLARE", "DELETE", "DISCARD", "DO", "DROP", "EXECUTE",
    "EXPLAIN", "FETCH", "GRANT", "IMPORT", "INSERT", "LISTEN", "LOAD", "LOCK", "MERGE", "MOVE",
    "NOTIFY", "PREPARE", "REASSIGN", "REFRESH", "REINDEX", "RELEASE", "RESET", "REVOKE", "ROLLBACK",
    "SAVEPOINT", "SECURITY", "SELECT", "SET", "SHOW", "TRUNCATE", "UNKNOWN", "UNLISTEN", "UPDATE",
    "VACUUM",
)  # fmt: skip
"""What `sql.verbs` can hold: the first word of each command of PostgreSQL's grammar."""

_CAPITALS = _form(r"[A-Z][A-Z_ -]*", "a word in capitals")
_TYPE = _form(r"[A-Z][A-Z0-9_]*", "a type such as EMAIL_ADDRESS")
_OBJECT = _form(r"[0-9a-f]{40}|[0-9a-f]{64}", "an object's name in hex")
_LOWER = _form(r"[^A-Z]*", "lower case")
_VERB = _form(
    "|".join(VERBS), "the first word of a command, in capitals, such as SELECT or DROP", *VERBS
)
# A part of a name stands in quotes where a dot or a quote is in it: see sql.identifiers.
_PART = r'(?:[^."]+|"(?:[^"]|"")+")'
_TABLE = _form(rf"{_PART}\.{_PART}", "schema and table, such as public.orders")
_COLUMN = _form(
    rf"{_PART}\.{_PART}\.{_PART}", "schema, table and column, such as public.users.email"
)
_FUNCTION = _form(rf"{_PART}\.{_PART}", "schema and function, such as pg_catalog.lower")
_FEATURE = _form(
    rf"{'|'.join(FEATURES)}|unknown_\w+:.*", f"one of {', '.join(FEATURES)}, unknown_…", *FEATURES
)

TABLE: Mapping[str, Type] = {
    "principal": room(
        issuer=STRING, subject=STRING, human=STRING, groups=list_of(STRING), token_age=DOUBLE
    ),
    "session": room(
        id=STRING,
        client=STRING,
        started=TIMESTAMP,
        turns=INT,
        repository=STRING,
        exposed=list_of(_TYPE),
        suspicious=DOUBLE,
    ),
    "action": room(
        kind=_known(*(kind.value for kind in ActionKind)),
        listener=STRING,
        size=_between(0, 2**63 - 1),
        tainted=BOOL,
    ),
    "http": room(
        method=_CAPITALS,
        scheme=_known("http", "https"),
        host=_LOWER,
        port=_between(0, 65535),
        path=STRING,
        query=map_of(STRING, STRING),
        headers=map_of(_LOWER, STRING),
        content_type=STRING,
        json=DYN,
        operation=STRING,
        violations=list_of(STRING),
        credential=_known(*(source.value for source in CredentialSource)),
    ),
    "llm": room(
        model=STRING,
        stream=BOOL,
        max_tokens=INT,
        tools=list_of(STRING),
        features=list_of(_FEATURE),
        request_class=STRING,
    ),
    "tool": room(
        name=STRING,
        input=map_of(STRING, DYN),
        command=STRING,
        paths=list_of(STRING),
        hosts=list_of(_LOWER),
    ),
    "mcp": room(
        server=STRING, method=STRING, tool=STRING, arguments=map_of(STRING, DYN), uri=STRING
    ),
    "git": room(
        repository=STRING,
        service=_known("fetch", "push", "lfs"),
        refs=list_of(STRING),
        old=list_of(_OBJECT),
        new=list_of(_OBJECT),
        forced=BOOL,
        deleted=BOOL,
        authors=list_of(STRING),
        paths=list_of(STRING),
        commits=_between(0, 2**63 - 1),
        bytes=_between(0, 2**63 - 1),
        unknown=BOOL,
    ),
    "ws": room(direction=_known("client", "server"), type=_known("text", "binary"), json=DYN),
    "sql": room(
        database=STRING,
        verbs=list_of(_VERB),
        tables=list_of(_TABLE),
        columns=list_of(_COLUMN),
        functions=list_of(_FUNCTION),
        has_where=BOOL,
        read_only=BOOL,
        in_transaction=BOOL,
        fingerprint=STRING,
    ),
    "findings": list_of(
        record(type=_TYPE, location=STRING, direction=_known("request", "response"), score=DOUBLE)
    ),
    "novelty": room(
        statement=BOOL,
        table=BOOL,
        tables=list_of(_TABLE),
        volume=DOUBLE,
        hour=BOOL,
        history=_between(0, 2**63 - 1),
        days=_between(0, 2**63 - 1),
        host=BOOL,
    ),
    "budget": map_of(STRING, DYN),
    "now": Type(name="timestamp", fields={"hour": _between(0, 23), "weekday": _between(1, 7)}),
}
"""Each name an expression can begin with. `now.weekday` is ISO 8601's: 1 is Monday, 7 Sunday."""

_UNCLAIMED = frozenset({"http.json", "http.operation", "http.violations"})
"""What is read where no protocol has claimed the exchange; else it stands in a room of its own."""

_ALWAYS = frozenset({"principal", "session", "action", "findings", "budget", "now"})
_FILLED = {
    ActionKind.LLM_REQUEST: {"http", "llm"},
    ActionKind.LLM_TOOL_USE: {"http", "llm", "tool", "novelty"},
    ActionKind.HTTP_REQUEST: {"http", "novelty"},
    ActionKind.MCP_CALL: {"http", "mcp", "tool"},
    ActionKind.GIT_FETCH: {"http", "git"},
    ActionKind.GIT_PUSH: {"http", "git"},
    ActionKind.SQL_STATEMENT: {"sql", "novelty"},
    ActionKind.WS_MESSAGE: {"http", "ws"},
}


def fills(kind: ActionKind, field: str) -> bool:
    """Whether actions of this kind can have anything in a field, such as `llm.model`."""
    if field in _UNCLAIMED:
        return kind is ActionKind.HTTP_REQUEST
    if field.startswith("novelty."):
        return (field == "novelty.host") is (kind is not ActionKind.SQL_STATEMENT) and (
            "novelty" in _FILLED[kind]
        )
    if kind is ActionKind.MCP_CALL and field.startswith("tool."):
        return field in {"tool.name", "tool.input"}
    return field.partition(".")[0] in _ALWAYS | _FILLED[kind]


def empty(kind: Type) -> object:  # noqa: PLR0911 - one for each type
    """The value of a field that does not apply."""
    match kind.name:
        case "room":
            return {name: empty(field) for name, field in (kind.fields or {}).items()}
        case "list":
            return []
        case "map" | "dyn":
            return {}
        case "bool":
            return False
        case "int":
            return 0
        case "double":
            return 0.0
        case _:
            return ""


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint with the name that was probably meant, or no hint: the error lists them all."""
    found = get_close_matches(name, names, n=1)
    return f"Did you mean {found[0]!r}?" if found else ""
