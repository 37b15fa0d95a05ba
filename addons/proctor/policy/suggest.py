"""The narrowest rules that would have allowed what a session did.

Every action becomes one pattern or comparison that means it and as little else as rules can say:
a command word for word, a path, a host and path and method, a tool of a server, a model, what a SQL
statement does to which tables. What came twice stands once, with how often. Nothing is suggested
that was not done, so a suggestion is where a person begins, not where they end: each line says what
it lets pass.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from proctor.model import (
    Action,
    ActionKind,
    HttpFields,
    McpFields,
    Principal,
    SqlFields,
    ToolFields,
)
from proctor.policy.calls import SERVER, call_of
from proctor.policy.fields import TABLE
from proctor.policy.match import PatternError, parse_pattern
from proctor.policy.recorded import Recorded
from proctor.protocols.mcp.actions import CALL
from proctor.protocols.shell.model import PRIVATE
from proctor.protocols.shell.reader import read_command

MOST: Final = 40
"""Patterns or values that one rule lists."""

_SHARED: Final = 2  # commands or paths that make a prefix, with `wider`
_FREE: Final = re.compile(r"[*?\[\]\\]")
_PATHS: Final = frozenset({"Read", "Grep", "Glob", "Edit", "MultiEdit", "Write", "NotebookEdit"})
_NEEDED: Final = frozenset(
    {"mcp.method", "tool.input", "llm.features", "sql.verbs", "sql.tables", "sql.functions"}
)
_ID: Final = re.compile(r"[^A-Za-z0-9_.-]")
_NAME: Final = 20

type Key = tuple[ActionKind, str, str]
"""Kind of action; `match`, or how a condition begins; the pattern or value itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A suggestion.

    Attributes:
        text: A rule file.
        left_out: Actions that no rule could be written for: the record does not hold them, or there
            is half of a surrogate pair in them.
        actions: For how many it is written.
    """

    text: str
    left_out: int
    actions: int


def draft(
    found: Sequence[Recorded], session: str, *, wider: bool = False, notes: Iterable[str] = ()
) -> Draft:
    """Write the rules.

    Args:
        found: What the session did.
        session: Its name.
        wider: Where several commands or paths begin alike, allow what begins so.
        notes: What to say above the rules, a line each.
    """
    counted: Counter[Key] = Counter()
    hard: Counter[str] = Counter()
    left_out = 0
    for each in found:
        keys = _sayable(each)
        left_out += keys is None
        counted.update(keys or ())
        if each.verdict != "allow":
            hard[f"{each.rule_id} ({each.verdict})"] += 1
    if wider:
        counted = _widened(counted)
    who = _who(found[0].case.principal) if found else "true"
    name = _ID.sub("-", session)[:_NAME]
    lines = [f"# What the session {_ID.sub('?', session)[:80]} did, and nothing else.", "#"]
    lines += [f"# {_comment(note)}" for note in notes]
    for rule, count in hard.most_common():
        lines.append(
            f"# {count} of these actions met the rule {_comment(rule)}: deny beats hold beats"
            " allow, so what it says stands until it is changed itself."
        )
    if left_out:
        why = "the record does not hold them, or no rule could"
        lines.append(f"# {left_out} actions are not covered: {why}.")
    lines.append("rules:" if counted else "rules: []")
    for number, group in enumerate(_grouped(counted), 1):
        lines += _rule(f"session-{name}-{number}", group, who)
    return Draft(text="\n".join(lines) + "\n", left_out=left_out, actions=len(found) - left_out)


def _sayable(found: Recorded) -> list[Key] | None:
    """What allows an action; None where no rule can say that."""
    try:
        keys = _keys(found)
        for _, _, text in keys or ():
            text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which neither YAML nor CEL can hold
        return None
    return keys


def _keys(found: Recorded) -> list[Key] | None:
    """What allows an action; None where it is not known well enough."""
    action = found.case.action
    if not found.hidden.keys().isdisjoint(_NEEDED):
        return None
    if action.mcp:
        return [_mcp(action, action.mcp)]
    if action.tool:
        return _tool(action.tool)
    if action.llm:
        features = f"[{', '.join(map(_text, action.llm.features))}]"
        where = f"action.listener == {_text(action.listener)} && llm.features == {features}"
        return [(action.kind, f"{where} && llm.model", action.llm.model)]
    if action.sql:
        return _sql(action.listener, action.sql)
    return [_http(action, action.http)] if action.http else None


def _http(action: Action, http: HttpFields) -> Key:
    where = (
        f"action.listener == {_text(action.listener)} && http.method == {_text(http.method)}"
        f" && http.scheme == {_text(http.scheme)} && http.host == {_text(http.host)}"
        f" && http.port == {http.port} && http.path"
    )
    return action.kind, where, http.path


def _sql(listener: str, sql: SqlFields) -> list[Key] | None:
    """What it does, to which tables, and that it calls nothing else: its text is nobody's rule."""
    if not _named(sql):
        return None
    where = [
        f"action.listener == {_text(listener)}",
        f"sql.database == {_text(sql.database)}",
        f"sql.verbs == {_list(sql.verbs)}",
        "sql.read_only" if sql.read_only else "!sql.read_only",
    ]
    if sql.has_where and not sql.read_only:
        where.append("sql.has_where")
    if sql.functions:
        where.append(f"sql.functions.all(f, f in {_list(sorted(sql.functions))})")
    else:
        where.append("sql.functions == []")
    return [(ActionKind.SQL_STATEMENT, f"{' && '.join(where)} && sql.tables", _list(sql.tables))]


def _named(sql: SqlFields) -> bool:
    """Whether rules can name all of it: what the server did not find has no schema."""
    for name in ("verbs", "tables", "functions"):
        item = (TABLE["sql"].fields or {})[name].item
        words = item.words if item else None
        if words and not all(map(words.form.fullmatch, getattr(sql, name))):
            return False
    return True


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"


def _mcp(action: Action, mcp: McpFields) -> Key:
    call = call_of(action)
    if mcp.method == CALL and call and SERVER.fullmatch(mcp.server) and _parses(call.name):
        return action.kind, "match", call.name
    where = f"mcp.server == {_text(mcp.server)} && mcp.method == {_text(mcp.method)}"
    if mcp.uri:
        return action.kind, f"{where} && mcp.uri", mcp.uri
    return action.kind, f"{where} && mcp.tool", mcp.tool


def _tool(tool: ToolFields) -> list[Key]:
    kind = ActionKind.LLM_TOOL_USE
    if tool.name in {"Bash", "PowerShell"}:
        patterns = _commands(tool) if tool.name == "Bash" else None
        if patterns:
            return [(kind, "match", pattern) for pattern in patterns]
        return [(kind, f"tool.name == {_text(tool.name)} && tool.command", tool.command)]
    if tool.name == "WebFetch" and tool.hosts:
        patterns = [f"WebFetch(domain:{host})" for host in tool.hosts]
    elif tool.name in _PATHS and tool.paths:
        if any(_FREE.search(path) for path in tool.paths):
            where = f"tool.name == {_text(tool.name)} && tool.paths.size() == 1 && tool.paths[0]"
            return [(kind, where, path) for path in tool.paths[:1]]
        patterns = [
            f"{tool.name}({'/' if path.startswith('/') else ''}{path})" for path in tool.paths
        ]
    else:
        patterns = [tool.name]
    if all(map(_parses, patterns)):
        return [(kind, "match", pattern) for pattern in patterns]
    return [(kind, "tool.name", tool.name)]


def _commands(tool: ToolFields) -> list[str] | None:
    """A pattern for each command of a line; None where one cannot be told, or has a `*` in it."""
    commands = read_command(tool.command).commands
    patterns: list[str] = []
    for command in commands:
        words = " ".join(command.words)
        pattern = f"Bash({words})"
        free = _FREE.search(words) or PRIVATE.search(words)
        if command.opaque or command.steered or free or not _parses(pattern):
            return None
        patterns.append(pattern)
    found = [parse_pattern(pattern).command for pattern in patterns]
    covered = all(any(each.covers(command) for each in found if each) for command in commands)
    return patterns if patterns and covered else None


def _parses(pattern: str) -> bool:
    try:
        parse_pattern(pattern)
    except PatternError:
        return False
    return True


def _widened(counted: Counter[Key]) -> Counter[Key]:
    """The same, where several commands share a program and subcommand, or paths a folder."""
    shared: dict[Key, list[Key]] = {}
    for key in counted:
        if (prefix := _prefix(key)) is not None:
            shared.setdefault(prefix, []).append(key)
    wide: Counter[Key] = Counter(counted)
    for prefix, keys in shared.items():
        if len(keys) >= _SHARED:
            for key in keys:
                wide[prefix] += wide.pop(key)
    return wide


def _prefix(key: Key) -> Key | None:
    kind, where, text = key
    if where != "match" or not text.endswith(")"):
        return None
    name, _, what = text[:-1].partition("(")
    if name == "Bash":
        words = what.split(" ")
        at = 1 if len(words) > 1 and words[1].startswith("-") else 2
        return (kind, where, f"Bash({' '.join(words[:at])} *)") if len(words) > at else None
    if name in _PATHS and "/" in what.strip("/"):
        return kind, where, f"{name}({what.rpartition('/')[0]}/**)"
    return None


def _grouped(counted: Counter[Key]) -> Iterator[list[tuple[Key, int]]]:
    """What one rule says: one kind and beginning, so many at a time."""
    keys = sorted(counted.items(), key=lambda each: (each[0][0], each[0][1] != "match", each[0]))
    group: list[tuple[Key, int]] = []
    for each in keys:
        if group and (each[0][:2] != group[0][0][:2] or len(group) >= MOST):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _rule(name: str, group: Sequence[tuple[Key, int]], who: str) -> list[str]:
    kind, where, _ = group[0][0]
    lines = ["", f"  - id: {name}", f"    on: {kind.value}"]
    if where == "match":
        lines.append("    match:")
        lines += [f"      - {_text(text)}  # {_times(count)}" for (_, _, text), count in group]
        condition = who
    else:
        # Tables are a list already.
        said = str if kind is ActionKind.SQL_STATEMENT else _text
        values = ", ".join(said(text) for (_, _, text), _ in group)
        lines += [f"    # {_times(count)}: {_comment(text)}" for (_, _, text), count in group]
        condition = f"{who} && {where} in [{values}]"
    plain = condition.replace("'", "''")
    return [*lines, f"    when: '{plain}'", "    then: allow"]


def _who(principal: Principal) -> str:
    """People like this one: of the same groups; without groups this one alone."""
    if principal.groups:
        return " && ".join(f"{_text(group)} in principal.groups" for group in principal.groups)
    issuer, subject = _text(principal.issuer), _text(principal.subject)
    return f"principal.issuer == {issuer} && principal.subject == {subject}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _text(text: str) -> str:
    """A string in CEL, and in YAML between double quotes.

    Raises:
        UnicodeEncodeError: It holds half of a surrogate pair.
    """
    text.encode()
    return "".join(
        char if char.isprintable() else f"\\U{ord(char):08x}"
        for char in json.dumps(text, ensure_ascii=False)
    )


def _comment(text: str) -> str:
    """Words of others in a comment: on its line, and short."""
    return "".join(char if char.isprintable() else "?" for char in text[:120])
