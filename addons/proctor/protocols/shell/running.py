"""One simple command: what it does to the shell, and what it runs besides itself."""

import re
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from proctor.protocols.shell.effects import writes
from proctor.protocols.shell.inner import Hidden, Inner, Run, Script
from proctor.protocols.shell.latent import assigned, is_latent, is_latent_word
from proctor.protocols.shell.model import (
    LISTED,
    UNKNOWN,
    Command,
    Unreadable,
    opaque,
    seen,
    unsure,
    wild,
)
from proctor.protocols.shell.outputs import output
from proctor.protocols.shell.scope import Scope, steers
from proctor.protocols.shell.unwrap import unwrap
from proctor.protocols.shell.wrappers import transparent

_DECLARING: Final = frozenset({"export", "declare", "local", "readonly", "typeset"})
_FORGETTING: Final = frozenset({"unset", "read", "mapfile", "readarray", "getopts", "let"})
_SETTERS: Final = _FORGETTING | {"set", "printf"}
_SETTING: Final = re.compile(r"([A-Za-z_]\w*)(?:\[[^\]]*\])?(\+?=)?(.*)", re.DOTALL)
_MOST_NESTED: Final = 8


class Surroundings(Protocol):
    """The reading that comes upon the command."""

    scope: Scope

    def script(self, text: str, scope: Scope) -> str:
        """Read a script of its own, and say what it puts out."""
        ...


@dataclass(slots=True, kw_only=True)
class Simple:
    """A simple command while it is read (POSIX.1-2024 XCU 2.9.1).

    Attributes:
        settings: Variables set before it.
        stdin: What it reads, None where the line does not tell.
        file: It reads a file that is named.
        glob: Its program is a pattern of file names.
        literal: Its program is written without quotes and expansions.
        vanishing: A word of it may be none at all.
    """

    words: list[str] = field(default_factory=list)
    settings: list[tuple[str, str]] = field(default_factory=list)
    redirects: tuple[str, ...] = ()
    stdin: str | None = None
    file: bool = False
    glob: bool = False
    literal: bool = False
    vanishing: bool = False


def run(place: Surroundings, simple: Simple, nested: int = 0) -> str | None:
    """Note a command and all that it runs; what it puts out, None if only running tells."""
    scope = place.scope
    scope.state.step(len(simple.words))
    if simple.literal and simple.words[0] in scope.aliases:
        _aliased(place, simple, nested)
    if simple.glob or hidden(simple.words[0]):
        scope.state.commands.append(
            replace(_command(simple, scope), opaque=True, why="which program it runs is not known")
        )
        return None
    program = seen(simple.words[0]).rpartition("/")[2]
    words = [program, *simple.words[1:]]
    values = [*words, simple.stdin or ""] if program in _SETTERS else []
    if is_latent_word(words) or is_latent(values):
        scope.state.latent = True
    _shell_state(scope, words, simple.stdin)
    inner = unwrap(words, simple.stdin)
    if simple.file and all(isinstance(each, Hidden) for each in inner):
        inner = ()  # as `sh script.sh`
    if not (inner and transparent(words)):
        scope.state.commands.append(_command(simple, scope))
    if not inner:
        return output(words, simple.stdin)
    if nested >= _MOST_NESTED:
        raise Unreadable("it is nested too deeply")
    found = [_follow(place, simple, each, nested) for each in inner]
    return found[0] if len(found) == 1 and found[0] != UNKNOWN else None


def _follow(place: Surroundings, simple: Simple, inner: Inner, nested: int) -> str | None:
    match inner:
        case Hidden(why=why):
            place.scope.state.commands.append(opaque(why, *simple.words))
            return None
        case Script():
            return _script(place, simple, inner)
        case Run():
            return _inner(place, simple, inner, nested)


def _aliased(place: Surroundings, simple: Simple, nested: int) -> None:
    """Whether aliases are in use cannot be told (Bash 5.2 section 6.6): both are read."""
    alias = place.scope.aliases[simple.words[0]]
    if not re.fullmatch(r"[\w ./:=@%^+,~-]*", alias):
        raise Unreadable("an alias is more than words")
    words = [*alias.split(), *simple.words[1:]]
    if words:
        run(place, replace(simple, words=words, literal=False), nested)


def hidden(word: str) -> bool:
    """Whether this word names no program for certain: `$x`, or a look-alike of a plain name."""
    name = word.rpartition("/")[2]
    return (
        not name
        or unsure(name)
        or LISTED in name
        or seen(name) != name
        or ("/" not in word and not name.isascii())
    )


def _command(simple: Simple, scope: Scope) -> Command:
    program = seen(simple.words[0]).rpartition("/")[2]
    paths = [path for name in writes([program, *simple.words[1:]]) for path in scope.paths(name)]
    return Command(
        words=tuple(simple.words),
        redirects=simple.redirects,
        writes=tuple(dict.fromkeys((*simple.redirects, *paths))),
        stdin=simple.stdin or "",
        steered=scope.steered or any(steers(name) for name, _ in simple.settings),
    )


def _script(place: Surroundings, simple: Simple, script: Script) -> str | None:
    scope = place.scope.inner(process=script.process)
    for name, value in simple.settings:
        scope.set(name, value, lasting=False)
    scope.elsewhere = scope.elsewhere or script.elsewhere
    found = place.script(script.text, scope)
    if not script.process:  # the same shell: what was set stays
        place.scope.variables = scope.variables
        place.scope.exported = scope.exported
        place.scope.aliases = scope.aliases
        place.scope.folder, place.scope.before = scope.folder, scope.before
        place.scope.steered = scope.steered
    return found


def _inner(place: Surroundings, simple: Simple, command: Run, nested: int) -> str | None:
    before = place.scope
    if command.elsewhere:
        place.scope = before.inner(process=True)
        place.scope.elsewhere = True
    found = run(
        place,
        Simple(
            words=list(command.words),
            settings=[*simple.settings, *command.settings],
            stdin=simple.stdin,
            file=simple.file,
        ),
        nested + 1,
    )
    place.scope = before
    return found


def _shell_state(scope: Scope, words: list[str], stdin: str | None) -> None:
    """Builtins that change what holds for the commands after them."""
    program, rest = words[0], words[1:]
    if program in {"cd", "pushd"}:
        names = [word for word in rest if not re.fullmatch(r"-[LPe@]+|--", word)]
        scope.enter(names[0] if names else "~")
    elif program == "popd":
        scope.enter("-")
    elif program == "alias":
        for word in rest:
            name, _, value = word.partition("=")
            scope.aliases[name] = value
    elif program in _DECLARING:
        _declare(scope, program, rest)
    elif program in _FORGETTING or (program == "printf" and rest[:1] == ["-v"]):
        listed = program == "read" and stdin == LISTED  # `find … | while read f`
        for word in rest:
            for name in assigned(word) if program == "let" else ():
                scope.set(name, UNKNOWN)
            if found := _SETTING.fullmatch(word):
                scope.set(found[1], LISTED if listed else UNKNOWN)


def _declare(scope: Scope, program: str, rest: list[str]) -> None:
    if any(wild(word) for word in rest):
        raise Unreadable("which variables it sets is not known")
    for word in rest:
        found = _SETTING.fullmatch(word)
        if not found:
            continue
        if found[2]:
            scope.state.latent = scope.state.latent or is_latent([found[3]])
            scope.set(found[1], found[3] if found[2] == "=" else UNKNOWN)
        if program == "export" or any(option.startswith("-") and "x" in option for option in rest):
            scope.exported.add(found[1])
