"""What a shell would know while it runs a line: variables, aliases, the folder it is in."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from posixpath import isabs, join, normpath
from typing import Final

from proctor.protocols.shell.model import LISTED, SURROUNDING, UNKNOWN, Command, Unreadable

MAX_COMMANDS: Final = 1000
MAX_WORK: Final = 20_000
MAX_VALUE: Final = 65_536
MAX_DEPTH: Final = 40

# What everybody's shell starts with, as far as it matters here; a home is written `~`.
_GIVEN: Final = {"HOME": "~", "PWD": ".", "TMPDIR": "/tmp", "IFS": " \t\n", "?": "0", "#": "0"}  # noqa: S108 - a name to be shown

_QUIET: Final = re.compile(r"/dev/(null|stdout|stderr|tty|fd/\d+|stdin)")

# Variables by which a program is made to run something else.
_STEERING: Final = re.compile(
    r"PATH|IFS|ENV|BASH_ENV|SHELLOPTS|BASHOPTS|PROMPT_COMMAND|PS4|CDPATH|HOME|SHELL|"
    r"LD_\w+|DYLD_\w+|GIT_\w+|\w*PAGER|\w*EDITOR|BROWSER|NODE_\w+|PYTHON\w*|PERL5?\w*|RUBY\w+|"
    r"JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|MAVEN_OPTS|npm_config_\w+|MAKEFLAGS|CC|CXX|RUSTC\w*",
    re.IGNORECASE,
)


@dataclass(slots=True, kw_only=True)
class State:
    """What the whole reading shares.

    Attributes:
        commands: What was found.
        changing: Variables that get several values, so that none can be relied on.
        work: Steps that are left.
        latent: It holds text that would be run once it is evaluated.
        evaluates: It evaluates something.
    """

    commands: list[Command] = field(default_factory=list)
    changing: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)
    work: int = MAX_WORK
    latent: bool = False
    evaluates: bool = False

    def step(self, count: int = 1) -> None:
        """Count what is done.

        Raises:
            Unreadable: It is too much.
        """
        self.work -= count
        if self.work < 0 or len(self.commands) > MAX_COMMANDS:
            raise Unreadable("it runs too much")


@dataclass(slots=True, kw_only=True)
class Scope:
    """What holds at one place of a line.

    Attributes:
        variables: Those that the line sets, never changed in place.
        folder: Where the shell is, seen from where the line starts; None if that cannot be told.
        before: Folders elsewhere that it was in before, and still is if a later `cd` fails.
        elsewhere: On another machine or in a container: paths are not those of this machine.
        steered: A variable was set by which programs might run something else.
        alone: A process of its own: it knows exported variables only.
    """

    state: State
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    exported: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    folder: str | None = "."
    before: tuple[str | None, ...] = ()
    elsewhere: bool = False
    steered: bool = False
    depth: int = 0

    def inner(self, *, process: bool = False) -> "Scope":
        """A scope within: of a subshell, or of a script that another process runs."""
        if self.depth >= MAX_DEPTH:
            raise Unreadable("it is nested too deeply")
        self.state.step(1 + len(self.variables) // 8)
        variables = self.variables
        if process:
            variables = {
                name: value if name in self.exported else SURROUNDING
                for name, value in variables.items()
            }
        return Scope(
            state=self.state,
            variables=variables,
            exported=set(self.exported),
            aliases={} if process else dict(self.aliases),
            folder=self.folder,
            before=self.before,
            elsewhere=self.elsewhere,
            steered=self.steered,
            depth=self.depth + 1,
        )

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """One level further down in the same shell.

        Raises:
            Unreadable: It is too deep.
        """
        if self.depth >= MAX_DEPTH:
            raise Unreadable("it is nested too deeply")
        self.depth += 1
        yield
        self.depth -= 1

    def blur(self, before: Mapping[str, str]) -> None:
        """What was set since then may not have been: a branch not taken, a process of its own."""
        if self.variables is not before:
            self.state.step(len(self.variables) // 8)
            self.variables = {
                name: value if before.get(name) == value else UNKNOWN
                for name, value in self.variables.items()
            }

    def get(self, name: str) -> str:
        """A variable's value, UNKNOWN or SURROUNDING where the line does not tell."""
        if name in self.state.changing:
            return UNKNOWN
        if name in self.variables:
            return self.variables[name]
        return _GIVEN.get(name, SURROUNDING if len(name) > 1 or name.isalpha() else UNKNOWN)

    def set(self, name: str, value: str, *, lasting: bool = True) -> None:
        """Give a variable its value.

        A second value makes both unknown, since which of the places runs may hang on what only
        running tells.
        """
        if len(value) > MAX_VALUE:
            value = UNKNOWN
        if lasting and self.state.values.setdefault(name, value) != value:
            self.state.changing.add(name)
        self.state.step(len(self.variables) // 8)
        self.variables = {**self.variables, name: value}
        self.steered = self.steered or steers(name)

    def enter(self, folder: str) -> None:
        """Change the folder."""
        if self.folder is None or self.folder.startswith(("/", "~", "..")):
            self.before = (*self.before[-3:], self.folder)
        unknown = folder.startswith((UNKNOWN, SURROUNDING)) or folder == "-"
        self.folder = None if unknown else _joined(folder, self.folder)

    def paths(self, name: str) -> list[str]:
        """Where this may be, seen from where the line starts.

        `*` stands for a name out of a listing, `$` for what cannot be told.
        """
        if self.elsewhere:
            return []
        found = [_joined(name, folder) for folder in (self.folder, *self.before)]
        return [
            path.replace(LISTED, "*").replace(UNKNOWN, "$").replace(SURROUNDING, "$")
            for path in dict.fromkeys(found)
            if not _QUIET.fullmatch(path)
        ]


def _joined(name: str, folder: str | None) -> str:
    if name.startswith((UNKNOWN, SURROUNDING)):
        return name
    if isabs(name) or name.startswith("~"):
        return normpath("/" + name.lstrip("/") if isabs(name) else name)
    return normpath(join(folder, name)) if folder else f"{UNKNOWN}/{name}"


def steers(name: str) -> bool:
    """Whether this variable can make programs run something else."""
    return _STEERING.fullmatch(name) is not None
