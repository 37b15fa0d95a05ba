"""`match`: tool calls in Claude Code's own permission syntax.

    Bash                     the tool by name
    WebFetch(domain:x.org)   a host; `*.x.org` for those below it
    Read(./secrets/**)       paths, in gitignore's manner
    mcp__server              every tool of a server, as does mcp__server__*
    mcp__server__tool        one of them
    mcp__server__tool(a:b*)  if its argument `a` is so; `*` is any run of characters

    Bash(npm run *)          a command line, each of its commands by itself: `policy.commands`

The gateway does not know the agent's home, so `~` is any home, and a relative path matches below
any folder. `PowerShell(…)` is compared with the whole text: nothing here reads its language, and a
line with anything in it but words cannot be told.

An argument is compared as text. For a rule that allows, it has to be a text, number or boolean that
fits, or a list of nothing else; for a rule that holds or denies, one that fits anywhere in it is
enough, in whatever letter case.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import normpath
from typing import Any

from proctor.model import ToolFields
from proctor.policy.calls import SERVER
from proctor.policy.commands import CommandPattern, globbed, parse_command, written
from proctor.protocols.shell.model import Command, opaque
from proctor.protocols.shell.reader import read_command

_SHAPE = re.compile(r"(?P<tool>[^()\s]+)(?:\((?P<what>.*)\))?", re.DOTALL)
_TOOL = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MCP = re.compile(rf"mcp__(?P<server>{SERVER.pattern})(?:__(?P<tool>[\w-]*\*?))?")
_ARGUMENT = re.compile(r"(?P<name>[A-Za-z_$][\w.$-]*):(?P<value>.+)", re.DOTALL)
_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*")

_POWERSHELL = re.compile(r"[\w ./:\\=+,-]+")

_READS = frozenset({"Read", "Grep", "Glob"})
_EDITS = frozenset({"Edit", "MultiEdit", "Write", "NotebookEdit"})
_COMMANDS = frozenset({"Bash", "PowerShell"})
_KNOWN = (*_READS, *_EDITS, *_COMMANDS, "WebFetch", "WebSearch", "Task", "Agent", "Skill")


class PatternError(Exception):
    """A pattern is malformed."""

    def __init__(self, message: str, expected: str) -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected


@dataclass(frozen=True, slots=True, kw_only=True)
class _Argument:
    """What stands in the brackets behind an MCP tool."""

    name: str
    value: str

    def met(self, given: Mapping[str, Any], *, every: bool) -> bool:
        if self.name not in given:
            return False
        value = given[self.name]
        if every:
            texts = [_text(each) for each in (value if isinstance(value, list) else [value])]
            return bool(texts) and all(text is not None and self._fits(text) for text in texts)
        folded = self.value.casefold().strip()
        return any(globbed(folded, text.casefold().strip()) for text in _texts(value))

    def _fits(self, text: str) -> bool:
        return globbed(self.value, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One pattern, parsed.

    Attributes:
        source: As the rule has it.
        command: What a shell runs, if it is about that.
        server: It names tools of this MCP server; empty where it names others.
    """

    source: str
    command: CommandPattern | None = None
    server: str = ""
    _tools: re.Pattern[str] = field(repr=False)
    _shell: str = field(default="", repr=False)
    _hosts: re.Pattern[str] | None = field(default=None, repr=False)
    _paths: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    _argument: _Argument | None = field(default=None, repr=False)

    def matches(self, tool: ToolFields, every: bool = False) -> bool:  # noqa: FBT001, FBT002 - which way to be careful
        """Whether this tool call is meant.

        Args:
            tool: The call.
            every: All that a command line runs must be meant, as for a rule that allows; otherwise
                one of its commands is enough.
        """
        return matches_any((self,), tool, every=every)

    def names(self, tool: str) -> bool | None:
        """Whether calls of this tool are meant; None where that depends on its input."""
        if not (self._shell == tool if self.command else self._tools.fullmatch(tool)):
            return False
        narrowed = self.command or self._hosts or self._paths or self._argument
        return None if narrowed else True

    def fits(self, tool: ToolFields, *, every: bool = False) -> bool:
        """Whether the call is meant, as far as that does not depend on a command line."""
        if self.command:
            return tool.name == self._shell
        if not self._tools.fullmatch(tool.name):
            return False
        if self._hosts is not None:
            return any(map(self._hosts.fullmatch, tool.hosts))
        if self._paths:
            return any(_within(path, self._paths) for path in tool.paths)
        if self._argument is not None:
            return self._argument.met(tool.input, every=every)
        return True


def matches_any(patterns: Sequence[Pattern], tool: ToolFields, *, every: bool) -> bool:
    """Whether a call is meant by one of these patterns.

    Args:
        patterns: Of one rule.
        tool: The call.
        every: Each command that the line runs must be met by one of the patterns, and none may be
            unreadable: for rules that allow. Otherwise one command that is met, or that cannot be
            read, is enough: for rules that hold or deny.
    """
    wanted: list[CommandPattern] = []
    for pattern in patterns:
        if pattern.fits(tool, every=every):
            if pattern.command is None:
                return True
            wanted.append(pattern.command)
    if not wanted:
        return False
    commands = _commands(tool)
    if every:
        return bool(commands) and all(
            any(pattern.covers(command) for pattern in wanted) for command in commands
        )
    for each in map(written, commands):
        for command in wanted:
            # Most speak of another program: asked here, since there are hundreds.
            other = command.program not in each.names and command.program is not None
            if (each.opaque or not other) and command.met(each):
                return True
    return False


def _commands(tool: ToolFields) -> tuple[Command, ...]:
    if tool.name != "PowerShell":
        return read_command(tool.command).commands
    if _POWERSHELL.fullmatch(tool.command):
        return (Command(words=tuple(tool.command.split())),)
    return (opaque("nothing here reads PowerShell"),)


def parse_pattern(source: str) -> Pattern:
    """Read a pattern.

    Raises:
        PatternError: It is malformed, or could never match.
    """
    shape = _SHAPE.fullmatch(source)
    if shape is None:
        raise PatternError("The pattern is neither a tool nor Tool(what)", "such as WebFetch")
    tool, what = shape["tool"], shape["what"]
    if tool.startswith("mcp__"):
        return _mcp(source, tool, what)
    tools = _named(tool)
    if what is None or (what == "*" and tool in _KNOWN):
        return Pattern(source=source, _tools=tools)
    if not what.strip():
        raise PatternError("Nothing stands between the brackets", f"{tool} or {tool}(…)")
    if tool == "WebFetch":
        return Pattern(source=source, _tools=tools, _hosts=_domain(what))
    if tool in _READS | _EDITS:
        return Pattern(source=source, _tools=tools, _paths=_path(what))
    if tool in _COMMANDS:
        if ":*" in what[:-2]:
            raise PatternError("':*' stands within the command", "':*' at its end")
        command = parse_command(what)
        if isinstance(command, str):
            raise PatternError("No command line can be matched as a whole", command)
        return Pattern(source=source, command=command, _tools=tools, _shell=tool)
    raise PatternError(f"{tool} takes nothing in brackets", f"{tool}, with `when` for the rest")


def _named(tool: str) -> re.Pattern[str]:
    """A rule for Read holds for every tool that reads files, one for Edit for all that write."""
    if not _TOOL.fullmatch(tool):
        raise PatternError(f"{tool!r} is no tool's name", "letters, digits, '_' and '-'")
    for known in _KNOWN:
        if tool != known and tool.lower() == known.lower():
            raise PatternError(f"There is no tool {tool!r}", known)
    alike = {"Read": _READS, "Edit": _EDITS}.get(tool, {tool})
    return re.compile("|".join(sorted(alike)))


def _mcp(source: str, tool: str, what: str | None) -> Pattern:
    found = _MCP.fullmatch(tool)
    expected = "mcp__server, mcp__server__*, mcp__server__tool or mcp__server__tool(argument:value)"
    argument = _ARGUMENT.fullmatch(what) if what is not None else None
    if what not in {None, "*"} and argument is None:
        raise PatternError("The brackets name no argument and its value", expected)
    if found is None or found["tool"] == "":
        raise PatternError("The pattern names no MCP server and tool", expected)
    name = found["tool"] or "*"
    wild = r"[\w-]+" if name == "*" else r"[\w-]*"
    ending = re.escape(name.removesuffix("*")) + (wild if name.endswith("*") else "")
    return Pattern(
        source=source,
        server=found["server"],
        _tools=re.compile(f"mcp__{re.escape(found['server'])}__{ending}"),
        _argument=_Argument(name=argument["name"], value=argument["value"]) if argument else None,
    )


def _text(value: object) -> str | None:
    """A text, number or boolean as it stands in JSON, texts without quotes; None for all else."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else None


def _texts(value: object) -> Iterator[str]:
    """Every text, number and boolean in a JSON value; walked without recursion."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list | tuple):
            waiting.extend(each)
        elif (text := _text(each)) is not None:
            yield text


def _domain(what: str) -> re.Pattern[str]:
    kind, _, host = what.partition(":")
    if kind != "domain" or not _HOST.fullmatch(host):
        raise PatternError(
            f"{what!r} is no domain", "domain:example.org or domain:*.example.org, in lower case"
        )
    return re.compile(re.escape(host).replace(r"\*\.", r"(?:[^.]+\.)+"))


def _path(what: str) -> tuple[tuple[str, ...], ...]:
    """The ways to read a path pattern, each as its segments; what lies below matches too."""
    roots: list[tuple[str, ...]]
    if what.startswith("//"):
        roots, rest = [("",)], what[2:]
    elif what.startswith("~/"):
        roots, rest = [("", "home", "*"), ("", "Users", "*"), ("", "root"), ("~",)], what[2:]
    else:
        roots, rest = [("**",)], what.removeprefix("./").removeprefix("/")
    if not rest.strip("/"):
        raise PatternError(f"{what!r} names no file", "such as ./secrets/**")
    segments = [segment for segment in rest.split("/") if segment]
    return tuple((*root, *segments, "**") for root in roots)


def _within(path: str, ways: tuple[tuple[str, ...], ...]) -> bool:
    segments = normpath(path).split("/")
    return any(_wild(way, segments, "**", _segment) for way in ways)


def _segment(pattern: str, name: str) -> bool:
    return _wild(pattern, name, "*", lambda one, other: one in {other, "?"})


def _wild(
    pattern: Sequence[str], text: Sequence[str], star: str, same: Callable[[str, str], bool]
) -> bool:
    """Whether a pattern fits, `star` standing for any number of elements.

    No regular expression: a path is the model's to choose, and this takes at most
    len(pattern) * len(text) steps.
    """
    at = here = 0
    retry: tuple[int, int] | None = None
    while here < len(text):
        if at < len(pattern) and pattern[at] == star:
            retry = (at, here)
            at += 1
        elif at < len(pattern) and same(pattern[at], text[here]):
            at, here = at + 1, here + 1
        elif retry:  # let the last star take one more
            retry = (retry[0], retry[1] + 1)
            at, here = retry[0] + 1, retry[1]
        else:
            return False
    return all(rest == star for rest in pattern[at:])
