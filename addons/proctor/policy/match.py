"""`match`: tool calls in Claude Code's own permission syntax.

    Bash                     the tool by name
    WebFetch(domain:x.org)   a host; `*.x.org` for those below it
    Read(./secrets/**)       paths, in gitignore's manner
    mcp__server              every tool of a server, as does mcp__server__*
    mcp__server__tool        one of them

    Bash(npm run *)          a command line, each of its commands by itself: `policy.commands`

The gateway does not know the agent's home, so `~` is any home, and a relative path matches below
any folder. `PowerShell(…)` is compared with the whole text: nothing here reads its language, and a
line with anything in it but words cannot be told.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from posixpath import normpath

from proctor.model import ToolFields
from proctor.policy.commands import CommandPattern, parse_command, written
from proctor.protocols.shell.model import Command, opaque
from proctor.protocols.shell.reader import read_command

_SHAPE = re.compile(r"(?P<tool>[^()\s]+)(?:\((?P<what>.*)\))?", re.DOTALL)
_TOOL = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MCP = re.compile(r"mcp__(?P<server>[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*)(?:__(?P<tool>[\w-]*\*?))?")
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
class Pattern:
    """One pattern, parsed.

    Attributes:
        source: As the rule has it.
        command: What a shell runs, if it is about that.
    """

    source: str
    command: CommandPattern | None = None
    _tools: re.Pattern[str] = field(repr=False)
    _shell: str = field(default="", repr=False)
    _hosts: re.Pattern[str] | None = field(default=None, repr=False)
    _paths: tuple[tuple[str, ...], ...] = field(default=(), repr=False)

    def matches(self, tool: ToolFields, every: bool = False) -> bool:  # noqa: FBT001, FBT002 - which way to be careful
        """Whether this tool call is meant.

        Args:
            tool: The call.
            every: All that a command line runs must be meant, as for a rule that allows; otherwise
                one of its commands is enough.
        """
        return matches_any((self,), tool, every=every)

    def fits(self, tool: ToolFields) -> bool:
        """Whether the call is meant, as far as that does not depend on a command line."""
        if self.command:
            return tool.name == self._shell
        if not self._tools.fullmatch(tool.name):
            return False
        if self._hosts is not None:
            return any(map(self._hosts.fullmatch, tool.hosts))
        if self._paths:
            return any(_within(path, self._paths) for path in tool.paths)
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
        if pattern.fits(tool):
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
    expected = "mcp__server, mcp__server__* or mcp__server__tool"
    if what is not None:
        raise PatternError("An MCP tool takes nothing in brackets", expected)
    if found is None or found["tool"] == "":
        raise PatternError("The pattern names no MCP server and tool", expected)
    name = found["tool"] or "*"
    wild = r"[\w-]+" if name == "*" else r"[\w-]*"
    ending = re.escape(name.removesuffix("*")) + (wild if name.endswith("*") else "")
    return Pattern(source=source, _tools=re.compile(f"mcp__{re.escape(found['server'])}__{ending}"))


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
