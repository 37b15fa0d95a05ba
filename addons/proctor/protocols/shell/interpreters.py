"""Interpreters: shells, whose scripts are read, and other languages, which cannot be followed.

Code among the arguments (`python -c …`) counts as readable unless it names what starts programs,
deletes, or hides its own text: that is no proof of harmlessness, as a script in a file is none.
"""

import re
from collections.abc import Sequence
from typing import Final

from proctor.protocols.shell.inner import Hidden, Inner, Run, script
from proctor.protocols.shell.model import LISTED, unsure

SHELLS: Final = frozenset(
    [
        "sh",
        "bash",
        "dash",
        "ash",
        "zsh",
        "ksh",
        "ksh93",
        "mksh",
        "pdksh",
        "rbash",
        "fish",
        "csh",
        "tcsh",
        "yash",
        "oksh",
    ]
)

_STDIN: Final = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})

_CODE: Final[dict[str, str]] = {
    "python": "-c", "pypy": "-c", "perl": "-e -E", "ruby": "-e", "node": "-e -p --eval --print",
    "nodejs": "-e -p --eval --print", "bun": "-e --eval", "deno": "eval", "php": "-r", "lua": "-e",
    "osascript": "-e", "Rscript": "-e", "tclsh": "-c", "groovy": "-e", "scala": "-e", "pwsh": "-c",
    "awk": "", "gawk": "", "mawk": "", "nawk": "",
}  # fmt: skip

_RISKY: Final = re.compile(
    # starts programs
    r"\bsystem\s*[(\"'\[]|popen|subprocess|\bspawn|child_process|shell_exec|passthru|proc_open|"
    r"\bos\.(?:exec|fork)|\bfork\s*\(|do shell script|Deno\.(?:Command|run)|Bun\.\$|Invoke-|"
    r"\biex\b|"
    # deletes
    r"rmtree|\bunlink|\.unlink|\brmdir|\.rmdir|removedirs|os\.remove|\brm(?:Sync)?\s*\(|"
    r"FileUtils\.(?:rm|remove)|File\.delete|Remove-Item|\.truncate\s*\(|"
    # hides its own text
    r"(?<![.\w])(?:exec|eval)\s*[(\"'{\[]|__import__|ctypes|"
    r"b64decode|\batob\b|fromhex|unhexlify|fromCharCode|decode_base64",
    re.IGNORECASE,
)
_BACKTICKS: Final = re.compile(r"`|%x\W|\bqx\b")
_BACKTICK_LANGUAGES: Final = frozenset({"perl", "ruby", "php"})
_VERSIONED: Final = re.compile(r"[\d.]+$")


def interpreted(words: Sequence[str], stdin: str | None) -> tuple[Inner, ...] | None:
    """What an interpreter runs; None if the program is none.

    Args:
        words: Program, without its folder, and arguments.
        stdin: What it reads, or None where the line does not tell.
    """
    program = words[0]
    if program in SHELLS:
        return shell(words, stdin)
    options = _CODE.get(program, _CODE.get(_VERSIONED.sub("", program)))
    if options is None:
        return None
    if not options:
        return _awk(words)
    return _code(words, options.split(), stdin) or _module(words)


def shell(words: Sequence[str], stdin: str | None) -> tuple[Inner, ...]:
    """What a shell runs: the script after `-c`, standard input, or a file (XCU sh)."""
    at = _shell_options(words)
    options = words[1:at]
    if any(map(unsure, options)):
        return (Hidden(why="a shell's options are not known"),)
    letters = "".join(word[1:] for word in options if not word.startswith("--"))
    rest = words[at:]
    if "c" in letters or "--command" in options:
        return (script(rest[0]),) if rest else ()
    if "s" in letters or not rest or rest[0] in _STDIN:
        if {"--version", "--help"} & set(options):
            return ()
        if stdin is None:
            return (Hidden(why="a shell reads what the line does not show"),)
        return (script(stdin),)
    return _file(rest[0])


def _shell_options(words: Sequence[str]) -> int:
    """Where a shell's options end."""
    at = 1
    while at < len(words) and words[at].startswith(("-", "+")) and words[at] != "-":
        word = words[at]
        at += 1
        if word == "--":
            break
        at += word in {"--rcfile", "--init-file"} or (word[1:2] != "-" and word[-1] in "oO")
    return min(at, len(words))


def _file(name: str) -> tuple[Inner, ...]:
    """A script in a file is not followed; what is no file in view counts as hidden."""
    if ((unsure(name) or LISTED in name) and "/" not in name) or name.startswith(
        ("/dev/fd/", "/proc/")
    ):
        return (Hidden(why="which script it runs is not known"),)
    return ()


def source(words: Sequence[str], stdin: str | None) -> tuple[Inner, ...]:
    """What `source` or `.` reads into the shell."""
    if len(words) < 2:  # noqa: PLR2004 - the program and a file
        return ()
    if words[1] in _STDIN:
        return shell(["sh"], stdin)
    return _file(words[1])


def eval_(words: Sequence[str], _: str | None) -> tuple[Inner, ...]:
    """What `eval` runs: its words, joined (XCU eval)."""
    at = 2 if words[1:2] == ["--"] else 1
    return (script(" ".join(words[at:]), process=False),) if len(words) > at else ()


def _code(words: Sequence[str], options: Sequence[str], stdin: str | None) -> tuple[Inner, ...]:
    """Code of another language among the arguments or on standard input."""
    texts: list[str] = []
    for at, word in enumerate(words[1:], 1):
        for option in options:
            if word == option or (
                len(option) == 2 and re.fullmatch(rf"-[A-Za-z]*{option[1]}", word)  # noqa: PLR2004 - a hyphen and a letter
            ):
                texts += words[at + 1 : at + 2]
            elif word.startswith(option + "=" if option.startswith("--") else option):
                texts.append(word[len(option) :])
        if not word.startswith("-"):
            break
    first = next((word for word in words[1:] if not word.startswith("-") or word == "-"), "-")
    if first == "-" and stdin is not None:
        texts.append(stdin)
    backticks = _VERSIONED.sub("", words[0]) in _BACKTICK_LANGUAGES
    if any(
        _RISKY.search(text) or unsure(text[:1]) or (backticks and _BACKTICKS.search(text))
        for text in texts
    ):
        return (Hidden(why="code of another language starts programs, deletes or hides something"),)
    return ()


def _module(words: Sequence[str]) -> tuple[Inner, ...]:
    """`python -m module …` as the module's own command."""
    at = words.index("-m") + 1 if "-m" in words else 0
    if 0 < at < len(words) and words[0].startswith("py"):
        return (Run(words=tuple(words[at:])),)
    return ()


def _awk(words: Sequence[str]) -> tuple[Inner, ...]:
    if any(re.search(r'system\s*\(|\|\s*"|"\s*\||getline', word) for word in words[1:]):
        return (Hidden(why="awk starts a program"),)
    return ()
