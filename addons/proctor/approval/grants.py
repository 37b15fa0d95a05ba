"""What a grant lets pass, and how it may be worded.

For a tool call, the model's or over MCP, a pattern is one in Claude Code's permission syntax, and
every command that a line would run has to match it. For all else it is the target, in which `*`
stands for any run of characters: `POST https://api.internal:443/v1/orders/*`; for what else is
asked of an MCP server, its name, the method, and what is named: `docs resources/read file:///a/*`.
For SQL it names listener, database, verbs and tables, and nothing in it stands for anything else:
`orders/shop DELETE public.orders WHERE`. With WHERE it lets pass what is bounded by one.
"""

import re
from functools import lru_cache
from posixpath import basename, dirname
from typing import Final

from proctor.approval.authority import too_wide
from proctor.approval.model import ApprovalError, Grant
from proctor.model import Action, ActionKind, McpFields, SqlFields, ToolFields
from proctor.policy.calls import TOOL_KINDS, call_of
from proctor.policy.match import Pattern, PatternError, parse_pattern
from proctor.protocols.shell.reader import read_command

MAX_PATTERN: Final = 2000
"""Characters of a pattern; what would need more gets no grant."""

_MAX_SHAPE: Final = 200
_MAX_PROGRAMS: Final = 5
_COMMANDS: Final = frozenset({"Bash", "PowerShell"})
_PATHS: Final = frozenset({"Read", "Grep", "Glob", "Edit", "MultiEdit", "Write", "NotebookEdit"})
_PLAIN: Final = frozenset({"command", "description", "timeout"})
_NARROWED: Final = _COMMANDS | _PATHS | {"WebFetch"}
_WHAT: Final = re.compile(r"(?P<tool>[^()\s]+)(?:\((?P<what>.*)\))?", re.DOTALL)
# Up to the path of a URL, which no `*` may stand before: `POST https://api.internal:443/`.
_PLACE: Final = re.compile(r"(?P<method>[A-Z]{1,32}) (?P<origin>[a-z]{1,32}://[^/?#\s*]+)/")
_ASKED: Final = re.compile(r"(?P<server>[^\s*]+) (?P<method>[^\s*]+)(?: [^*].*)?")
# What a statement that is granted does, and no other: what it reads and writes is all that it does.
_VERBS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "EXPLAIN"})
_WHERE: Final = " WHERE"
_NAME: Final = r"[^\s,*]+"
_TABLE: Final = rf"[^\s,*.]+\.{_NAME}"  # the first dot ends the first part: one way to read it
_SQL: Final = re.compile(
    rf"(?P<place>[^\s,*/]+/{_NAME}) (?P<verbs>[A-Z]+(?:,[A-Z]+)*)"
    rf" {_TABLE}(?:,{_TABLE})*(?:{_WHERE})?"
)
# What differs between one thing and the next of its kind: numbers, UUIDs, hashes, long tokens.
_ID: Final = re.compile(
    r"\d+|[0-9a-fA-F]{8,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|(?=[^/]*\d)[A-Za-z0-9_=-]{12,}"
)


def covers(grant: Grant, action: Action) -> bool:
    """Whether a grant's pattern means this action; whose it is and until when is not looked at."""
    if grant.kind is not action.kind:
        return False
    tool = call_of(action)
    if tool is not None:
        pattern = _parsed(grant.pattern)
        return bool(pattern and _plain(tool) and pattern.matches(tool, every=True))
    if action.kind is ActionKind.LLM_TOOL_USE:
        return False
    if action.kind is ActionKind.SQL_STATEMENT:
        said = _sql(action)
        return bool(said) and grant.pattern in {said, said.removesuffix(_WHERE)}
    return _glob(grant.pattern, _target(action))


def suggest(action: Action, *, hidden: bool = False) -> tuple[str, str]:
    """What actions like this are called, and what a grant for just this would say.

    Args:
        action: As it would be done.
        hidden: Something of it is not shown to reviewers; then neither name quotes it.

    Returns:
        The shape, such as `Bash(rm)` or `POST api.internal /v1/orders/*`; and the pattern, empty
        where none means this action and nothing else.
    """
    tool = call_of(action)
    if tool is not None:
        shape = (tool.name if hidden else _tool_shape(tool)) or action.kind.value
        pattern = "" if hidden else _tool_pattern(tool)
        found = _parsed(pattern) if pattern else None
        if (
            found is None
            or not found.matches(tool, every=True)
            or too_wide_for(action.kind, pattern)
        ):
            pattern = ""
    elif action.kind is ActionKind.SQL_STATEMENT:
        shape = _sql_shape(action, hidden=hidden)
        pattern = "" if hidden else _sql(action)
        if pattern and too_wide_for(action.kind, pattern):
            pattern = ""
    else:
        target = _target(action)
        shape = _target_shape(action, hidden=hidden)
        pattern = "" if hidden or "*" in target else target
        if pattern and too_wide_for(action.kind, pattern):
            pattern = ""
    return shape[:_MAX_SHAPE], pattern


def too_wide_for(kind: ActionKind, pattern: str, shape: str = "") -> ApprovalError | None:
    """Why a grant may not say this, or None.

    Args:
        kind: Of the actions it is for.
        pattern: What it is to say.
        shape: Of the action that waits, if one does: a grant that is given with its approval is
            for the same tool and programs, or the same method and host.
    """
    if not pattern or len(pattern) > MAX_PATTERN or not pattern.isprintable():
        return too_wide(
            "The grant says nothing that can be matched",
            got=f"a pattern of {len(pattern)} characters",
            expected=f"1 to {MAX_PATTERN} printable characters",
        )
    calls = pattern.startswith("mcp__") and (not shape or shape.startswith("mcp__"))
    if kind is ActionKind.MCP_CALL and not calls:
        return _mcp_too_wide(pattern, shape)
    if kind in TOOL_KINDS:
        return _tool_too_wide(pattern) or _other_tool(pattern, shape)
    if kind is ActionKind.SQL_STATEMENT:
        return _sql_too_wide(pattern, shape)
    return _target_too_wide(kind, pattern, shape)


def _target_too_wide(kind: ActionKind, pattern: str, shape: str) -> ApprovalError | None:
    place = _PLACE.match(pattern)
    if "://" in pattern or "://" in shape or kind is ActionKind.HTTP_REQUEST:
        if place is None:
            return too_wide(
                "The grant is for more than one place",
                got="no method, scheme, host and port at its beginning",
                expected="such as POST https://api.internal:443/v1/orders/*",
            )
    elif not re.match(r"[^*]{3}", pattern):
        return too_wide(
            "The grant is for anything", got="'*' at its beginning", expected="what it is for"
        )
    if place and shape and shape.split()[:2] != [place["method"], _host(place["origin"])]:
        return too_wide(
            "The grant is for something else than what waits",
            got=f"{place['method']} {_host(place['origin'])}",
            expected=" ".join(shape.split()[:2]),
        )
    return None


def _mcp_too_wide(pattern: str, shape: str) -> ApprovalError | None:
    found = _ASKED.fullmatch(pattern)
    if found is None:
        return too_wide(
            "The grant is for more than one thing",
            got="no server and method at its beginning, or '*' for all they are asked for",
            expected="mcp__server__tool, or such as docs resources/read file:///a/*",
        )
    if shape and shape.split()[:2] != [found["server"], found["method"]]:
        return too_wide(
            "The grant is for something else than what waits",
            got=f"{found['server']} {found['method']}",
            expected=" ".join(shape.split()[:2]),
        )
    return None


def _sql_too_wide(pattern: str, shape: str) -> ApprovalError | None:
    found = _SQL.fullmatch(pattern)
    if found is None:
        return too_wide(
            "The grant does not say which statements it is for",
            got="'*' in it" if "*" in pattern else "no listener, database, verbs and tables",
            expected="such as orders/shop DELETE public.orders WHERE",
        )
    if others := set(found["verbs"].split(",")) - _VERBS:
        return too_wide(
            "There are no grants for such statements",
            got=", ".join(sorted(others)),
            expected=", ".join(sorted(_VERBS)),
        )
    # The shape may be cut, and is only the beginning where something is not shown.
    bounded = shape.endswith(_WHERE) <= pattern.endswith(_WHERE)
    if "/" in shape and not (bounded and _begins(pattern, shape.removesuffix(_WHERE))):
        return too_wide(
            "The grant is for something else than what waits", got=pattern, expected=shape
        )
    return None


def _begins(pattern: str, shape: str) -> bool:
    rest = pattern.removeprefix(shape)
    return rest != pattern and (rest in {"", _WHERE} or len(shape) >= _MAX_SHAPE)


def _tool_too_wide(pattern: str) -> ApprovalError | None:
    try:
        parse_pattern(pattern)
    except PatternError as error:
        return too_wide(error.message, got="a pattern that is malformed", expected=error.expected)
    found = _WHAT.fullmatch(pattern)
    tool, what = (found["tool"], found["what"]) if found else (pattern, None)
    if tool.startswith("mcp__"):
        narrow = "__" in tool.removeprefix("mcp__") and "*" not in tool
        expected = "mcp__server__tool"
    elif tool in _COMMANDS:
        # The program's name has to be there, and in full.
        narrow = bool(re.match(r"[^*\s:]+(\s|:\*|$)", what or ""))
        expected = f"{tool}(program …)"
    elif tool in _PATHS:
        narrow = any(part.strip("*?.~") for part in (what or "").split("/"))
        expected = f"{tool}(//folder/**)"
    elif tool == "WebFetch":
        narrow = bool(what) and (what or "").removeprefix("domain:*.").count(".") > 0
        expected = "WebFetch(domain:example.org)"
    else:
        narrow, expected = True, ""  # it can only be named
    if narrow:
        return None
    return too_wide("The grant is for all that a tool can do", got=tool, expected=expected)


def _other_tool(pattern: str, shape: str) -> ApprovalError | None:
    """A grant that is given with an approval is for the same tool, and a program that was shown."""
    waits, meant = _WHAT.fullmatch(shape), _WHAT.fullmatch(pattern)
    if not waits or not meant:
        return None
    same = waits["tool"] == meant["tool"]
    if same and waits["tool"] in _COMMANDS and waits["what"]:
        program = re.split(r"[\s:]", meant["what"] or "", maxsplit=1)[0]
        same = basename(program) in waits["what"].split(", ")
    if same:
        return None
    return too_wide(
        "The grant is for something else than what waits", got=meant["tool"], expected=shape
    )


def _tool_shape(tool: ToolFields) -> str:
    if tool.name in _COMMANDS:
        return f"{tool.name}({', '.join(_programs(tool)) or '…'})"
    if tool.name == "WebFetch" and tool.hosts:
        return f"WebFetch(domain:{tool.hosts[0]})"
    if tool.name in _PATHS and tool.paths:
        return f"{tool.name}({dirname(tool.paths[0]) or '.'})"
    return tool.name


def _plain(tool: ToolFields) -> bool:
    """Whether a pattern says all: other members of a command's input could take a guard away."""
    return tool.name not in _COMMANDS or tool.input.keys() <= _PLAIN


def _tool_pattern(tool: ToolFields) -> str:
    if not _plain(tool):
        return ""
    if tool.name in _COMMANDS:
        what = tool.command.strip()
    elif tool.name == "WebFetch" and len(tool.hosts) == 1:
        what = f"domain:{tool.hosts[0]}"
    elif tool.name in _PATHS and len(tool.paths) == 1 and tool.paths[0].startswith("/"):
        what = f"/{tool.paths[0]}"  # two slashes: from the root
    else:
        return "" if tool.name in _NARROWED else tool.name
    return "" if re.search(r"[*?\[\]]", what) else f"{tool.name}({what})"


def _programs(tool: ToolFields) -> list[str]:
    """The programs that a command line runs, each once."""
    if tool.name == "PowerShell":  # nothing here reads its language
        return tool.command.split()[:1]
    commands = read_command(tool.command).commands
    names = list(dict.fromkeys(command.program or "…" for command in commands))
    return names if len(names) <= _MAX_PROGRAMS else [*names[:_MAX_PROGRAMS], "…"]


def _sql(action: Action) -> str:
    """What a grant for a statement says; empty where none lets it pass."""
    sql = action.sql
    if sql is None or not _VERBS.issuperset(sql.verbs) or not _looked_at(sql):
        return ""
    said = _sql_said(action.listener, sql) + (_WHERE if sql.has_where else "")
    names = (action.listener, sql.database, *sql.tables)
    # Names with spaces could be read as something else.
    return said if _SQL.fullmatch(said) and all(re.fullmatch(_NAME, name) for name in names) else ""


def _looked_at(sql: SqlFields) -> bool:
    """Whether it calls nothing but functions of PostgreSQL's own that are harmless."""
    from proctor.sql.functions import refusal  # noqa: PLC0415 - loads PostgreSQL's parser

    return not any(map(refusal, sql.functions))


def _sql_said(listener: str, sql: SqlFields) -> str:
    return f"{listener}/{sql.database} {','.join(sql.verbs)} {','.join(sql.tables)}".rstrip()


def _sql_shape(action: Action, *, hidden: bool) -> str:
    sql = action.sql
    if sql is None or hidden:
        return action.kind.value
    return _sql_said(action.listener, sql) + (_WHERE if sql.has_where else "")


def _target(action: Action) -> str:
    return _asked(action.mcp) if action.mcp else action.target


def _asked(mcp: McpFields) -> str:
    """What is asked of an MCP server, in one line."""
    return f"{mcp.server} {mcp.method} {mcp.uri or mcp.tool}".rstrip()


def _target_shape(action: Action, *, hidden: bool) -> str:
    if action.mcp:
        known = f"{action.mcp.server} {action.mcp.method}"
        return known if hidden else _asked(action.mcp).partition("?")[0]
    place = _PLACE.match(action.target)
    if place is None:
        return action.kind.value if hidden else action.target
    known = f"{place['method']} {_host(place['origin'])}"
    if hidden:
        return known
    path = action.target[place.end() - 1 :].partition("?")[0]
    parts = ("*" if _ID.fullmatch(part) else part for part in path.split("/"))
    return f"{known} {'/'.join(parts)}"


def _host(origin: str) -> str:
    """Host, and port where it is not the scheme's own."""
    scheme, _, authority = origin.partition("://")
    default = {"http": ":80", "https": ":443"}.get(scheme, ":")
    return authority.removesuffix(default)


def _glob(pattern: str, text: str) -> bool:
    """`*` stands for any run of characters. Takes at most len(pattern) * len(text) steps."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(first):
        return False
    at, last = len(first), rest.pop()
    for part in rest:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - len(last) >= at and text.endswith(last)


@lru_cache(1024)
def _parsed(pattern: str) -> Pattern | None:
    try:
        return parse_pattern(pattern)
    except PatternError:
        return None
