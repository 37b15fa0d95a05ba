"""Programs that start others in ways of their own: `xargs`, `find -exec`, `ssh`, `git`."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from proctor.protocols.shell.inner import Hidden, Inner, Run, script
from proctor.protocols.shell.interpreters import eval_, shell, source
from proctor.protocols.shell.model import LISTED, UNKNOWN
from proctor.protocols.shell.options import operand

_SSH_VALUES: Final = frozenset(
    [
        "-b",
        "-c",
        "-D",
        "-E",
        "-e",
        "-F",
        "-I",
        "-i",
        "-J",
        "-L",
        "-l",
        "-m",
        "-O",
        "-o",
        "-p",
        "-Q",
        "-R",
        "-S",
        "-W",
        "-w",
    ]
)

_MOST_INPUT: Final = 4096
_QUOTES: Final = re.compile(r"['\"\\]")
_XARGS_VALUES: Final = frozenset(
    [
        "-I",
        "-n",
        "-P",
        "-L",
        "-s",
        "-d",
        "-E",
        "-a",
        "--max-args",
        "--max-procs",
        "--delimiter",
        "--arg-file",
        "--replace",
    ]
)


def _xargs(words: Sequence[str], stdin: str | None) -> tuple[Inner, ...]:
    at = operand(words, _XARGS_VALUES)
    rest = list(words[at:]) or ["echo"]
    token = "{}"  # noqa: S105 - what xargs replaces
    replacing = False
    for n, word in enumerate(words[1:at], 1):
        if word.startswith(("-I", "-i", "--replace")):
            replacing = True
            token = word[2:] if len(word) > 2 and word[1] != "-" else token  # noqa: PLR2004 - -I
            token = words[n + 1] if word == "-I" and n + 1 < at else token
    if replacing:
        return (Run(words=tuple(word.replace(token, UNKNOWN) for word in rest)),)
    plain = stdin is not None and len(stdin) <= _MOST_INPUT and not _QUOTES.search(stdin)
    known = stdin.split() if stdin is not None and plain else [UNKNOWN]
    return (Run(words=(*rest, *known)),)


def _find(words: Sequence[str], _: str | None) -> tuple[Inner, ...]:
    found: list[Inner] = []
    roots = find_roots(words)
    at = 1
    while at < len(words):
        if words[at] in {"-exec", "-execdir", "-ok", "-okdir"}:
            end = next((n for n in range(at + 1, len(words)) if words[n] in {";", "+"}), len(words))
            found += (
                Run(words=tuple(w.replace("{}", f"{root}/{LISTED}") for w in words[at + 1 : end]))
                for root in roots
                if end > at + 1
            )
            at = end
        at += 1
    return tuple(found)


def find_roots(words: Sequence[str]) -> list[str]:
    """The folders that `find` goes through, at most eight."""
    at = 1
    while at < len(words) and words[at] in {"-H", "-L", "-P", "-E", "-X"}:
        at += 1
    roots: list[str] = []
    while at < len(words) and not words[at].startswith(("-", "(", "!")):
        roots.append(words[at])
        at += 1
    return roots[:8] or ["."]


def _ssh(words: Sequence[str], _: str | None) -> tuple[Inner, ...]:
    at = operand(words, _SSH_VALUES) + 1
    text = " ".join(words[at:])
    return (script(text, elsewhere=True),) if text else ()


def _parallel(words: Sequence[str], _: str | None) -> tuple[Inner, ...]:
    at = operand(words, ("-j", "--jobs", "-a", "-N", "-n", "--colsep", "-S"))
    rest = list(words[at:])
    for mark in (":::", "::::", ":::+"):
        rest = rest[: rest.index(mark)] if mark in rest else rest
    if not rest:
        return (Hidden(why="which programs it starts is not known"),)
    return (
        (script(" ".join(word.replace("{}", LISTED) for word in rest)),)
        if len(rest) == 1
        else (Run(words=(*rest, UNKNOWN)),)
    )


def _git(words: Sequence[str], _: str | None) -> tuple[Inner, ...]:
    """Aliases, and settings that name programs, `git -c alias.x='!rm'` (git-config(1))."""
    found: list[Inner] = []
    for at, word in enumerate(words):
        setting = words[at + 1] if word in {"-c", "--config"} and at + 1 < len(words) else ""
        name, _, text = setting.partition("=")
        if (
            not name
            and words[1:2] == ["config"]
            and word.startswith("alias.")
            and at + 1 < len(words)
        ):
            name, text = word, words[at + 1]
        if name.lower().startswith("alias.") and text.startswith("!"):
            found.append(script(text[1:]))
        elif name.lower() in _GIT_PROGRAMS:
            found.append(script(text))
    if words[1:3] == ["submodule", "foreach"] or words[1:3] == ["bisect", "run"]:
        at = operand(words, (), 3)
        found.append(script(" ".join(words[at:])))
    for at, word in enumerate(words):
        if word in {"--exec", "-x"} and "rebase" in words and at + 1 < len(words):
            found.append(script(words[at + 1]))
    return tuple(found)


_GIT_PROGRAMS: Final = frozenset(
    {"core.pager", "core.editor", "core.sshcommand", "core.fsmonitor", "sequence.editor"}
)


def _option_script(*names: str) -> Callable[[Sequence[str], str | None], tuple[Inner, ...]]:
    """Programs that run the text of an option in a shell."""

    def of(words: Sequence[str], _: str | None) -> tuple[Inner, ...]:
        return tuple(
            script(words[at + 1]) for at, word in enumerate(words[:-1]) if at and word in names
        )

    return of


def _callback(*names: str) -> Callable[[Sequence[str], str | None], tuple[Inner, ...]]:
    """Builtins that run or expand the text of an option."""

    def of(words: Sequence[str], _: str | None) -> tuple[Inner, ...]:
        if any(word.startswith(names) for word in words[1:]):
            return (Hidden(why="a builtin runs the text of an option"),)
        return ()

    return of


def _mapfile(words: Sequence[str], _: str | None) -> tuple[Inner, ...]:
    found = [
        script(word[2:] or words[at + 1])
        for at, word in enumerate(words)
        if word.startswith("-C") and (word != "-C" or at + 1 < len(words))
    ]
    return tuple(found)


def _watch(words: Sequence[str], _: str | None) -> tuple[Inner, ...]:
    at = operand(words, ("-n", "--interval"))
    return (script(" ".join(words[at:])),) if at < len(words) else ()


def _trap(words: Sequence[str], _: str | None) -> tuple[Inner, ...]:
    at = operand(words, ())
    return (script(words[at], process=False),) if len(words) > at + 1 else ()


LAUNCHERS: Final[dict[str, Callable[[Sequence[str], str | None], tuple[Inner, ...]]]] = {
    "eval": eval_,
    "source": source,
    ".": source,
    "xargs": _xargs,
    "gxargs": _xargs,
    "find": _find,
    "gfind": _find,
    "ssh": _ssh,
    "parallel": _parallel,
    "git": _git,
    "watch": _watch,
    "trap": _trap,
    "su": _option_script("-c", "--command"),
    "runuser": _option_script("-c", "--command"),
    "script": _option_script("-c", "--command"),
    "nix-shell": _option_script("--run", "--command"),
    "mapfile": _mapfile,
    "readarray": _mapfile,
    "compgen": _callback("-C", "-F", "-W"),
    "complete": _callback("-C", "-F", "-W"),
    "bind": _callback("-x"),
    "at": lambda _, stdin: shell(["sh"], stdin),
    "batch": lambda _, stdin: shell(["sh"], stdin),
}
