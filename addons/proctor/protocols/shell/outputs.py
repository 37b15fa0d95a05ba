"""What simple programs put out, where their arguments tell: `echo cm0gLXJm… | base64 -d | sh`."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from posixpath import basename, dirname
from typing import Final

from proctor.protocols.shell.model import LISTED, UNKNOWN, unsure
from proctor.protocols.shell.options import operands
from proctor.protocols.shell.quoting import ansi_c

_HOOKS: Final = frozenset(
    {
        ("ssh-agent", ""), ("pyenv", "init"), ("rbenv", "init"), ("nodenv", "init"),
        ("direnv", "hook"), ("direnv", "export"), ("brew", "shellenv"), ("mise", "activate"),
        ("mise", "env"), ("fnm", "env"), ("opam", "env"), ("conda", "shell.bash"),
        ("minikube", "docker-env"), ("luarocks", "path"), ("zoxide", "init"),
    }
)  # fmt: skip
"""Programs whose output is made to be run, and sets variables."""
_FORMAT: Final = re.compile(r"%(?:%|[-0-9.]*([a-zA-Z]))")


def output(words: Sequence[str], stdin: str | None) -> str | None:
    """The text a command puts out, with UNKNOWN in it where a part is not known.

    Args:
        words: Program, without its folder, and arguments.
        stdin: What it reads, None if not known.

    Returns:
        None where only running tells.
    """
    program, first = words[0], words[1] if len(words) > 1 else ""
    if known := _KNOWN.get(program):
        return known(words, stdin)
    if (program, first) in _HOOKS or (program == "ssh-agent" and first == "-s"):
        return ""
    if program == "mktemp":
        return f"/tmp/{LISTED}"  # noqa: S108 - a name to be shown
    if program == "pwd":
        return "."
    return LISTED if _lists(words) else None


def _lists(words: Sequence[str]) -> bool:
    """Whether it puts out names of files in this folder, and nothing else."""
    if any(word.startswith(("/", "~", UNKNOWN)) or ".." in word for word in words[1:]):
        return False
    match words[0]:
        case "ls" | "fd":
            return True
        case "find":
            return not any(
                word.startswith(("-print", "-exec", "-ok"))
                for word in words[1:]
                if word not in {"-print", "-print0"}
            )
        case "grep" | "rg" | "ag":
            return any(re.match(r"-[a-zA-Z]*l|--files", word) for word in words[1:])
        case "git":
            return (
                words[1:2] == ["ls-files"] or "--name-only" in words or "--show-toplevel" in words
            )
        case _:
            return False


def _echo(words: Sequence[str], _: str | None) -> str | None:
    rest, escapes, newline = list(words[1:]), False, True
    while rest and re.fullmatch(r"-[neE]+", rest[0]):
        escapes = escapes or "e" in rest[0]
        newline = newline and "n" not in rest[0]
        rest.pop(0)
    text = " ".join(rest)
    if "\\" in text and not escapes:
        return None  # shells differ
    return (ansi_c(text) if escapes else text) + ("\n" if newline else "")


def _printf(words: Sequence[str], _: str | None) -> str | None:
    rest = list(words[1:])
    if rest[:1] == ["--"]:
        rest.pop(0)
    if not rest or rest[0].startswith("-"):
        return None
    form, *values = rest
    kinds = [found[1] for found in _FORMAT.finditer(form)]
    if any(kind not in {None, "s", "b"} for kind in kinds) or re.search(r"%[^%sb]", form):
        return None
    taken = sum(kind is not None for kind in kinds)
    parts: list[str] = []
    form = ansi_c(form)
    while True:
        parts.append(
            _FORMAT.sub(
                lambda found: (
                    "%" if found[1] is None
                    else _value(found[1], values.pop(0) if values else "")
                ),
                form,
            )
        )  # fmt: skip
        if not values or not taken:
            return "".join(parts)


def _value(kind: str, text: str) -> str:
    return ansi_c(text) if kind == "b" else text


def _cat(words: Sequence[str], stdin: str | None) -> str | None:
    names = [word for word in words[1:] if not word.startswith("-") or word == "-"]
    return stdin if set(names) <= {"-", "/dev/stdin"} else None


def _base64(words: Sequence[str], stdin: str | None) -> str | None:
    decodes = any(
        word in {"--decode", "-D"} or re.fullmatch(r"-[a-z]*d[a-z]*", word) for word in words[1:]
    )
    if stdin is None or not decodes or operands(words, {"-w"}):
        return None
    try:
        raw = base64.b64decode("".join(stdin.split()) + "===", validate=False)
        return raw.decode()
    except (binascii.Error, ValueError):
        return None


def _xxd(words: Sequence[str], stdin: str | None) -> str | None:
    letters = "".join(word[1:] for word in words[1:] if word.startswith("-"))
    if stdin is None or set(letters) != {"r", "p"}:
        return None
    try:
        return bytes.fromhex("".join(stdin.split())).decode()
    except ValueError:
        return None


def _rev(words: Sequence[str], stdin: str | None) -> str | None:
    if stdin is None or len(words) > 1:
        return None
    return "\n".join(line[::-1] for line in stdin.split("\n"))


def _basename(words: Sequence[str], _: str | None) -> str | None:
    given = operands(words, {"-s", "--suffix"})
    if not 1 <= len(given) <= 2 or len(given) + 1 != len(words) or unsure(given[0]):  # noqa: PLR2004 - a path and a suffix
        return None
    name = basename(given[0].rstrip("/"))
    return (name.removesuffix(given[1]) if len(given) > 1 else name) + "\n"


def _dirname(words: Sequence[str], _: str | None) -> str | None:
    given = operands(words)
    if len(given) != 1 or unsure(given[0]):
        return None
    return (dirname(given[0]) or ".") + "\n"


def _nothing(_: Sequence[str], __: str | None) -> str:
    return ""


_KNOWN: Final[dict[str, Callable[[Sequence[str], str | None], str | None]]] = {
    "echo": _echo,
    "printf": _printf,
    "cat": _cat,
    "tee": lambda _, stdin: stdin,
    "base64": _base64,
    "gbase64": _base64,
    "xxd": _xxd,
    "rev": _rev,
    "basename": _basename,
    "dirname": _dirname,
    "true": _nothing,
    ":": _nothing,
    "cd": _nothing,
    "set": _nothing,
}
