"""JSON laid out to be read, and what differs from the call before."""

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MAX = 200_000
"""Characters beyond which text is shown as it is."""
_MAX_LINES = 600
"""Lines on either side beyond which nothing is compared: it would take too long."""
_NEAR = 3
"""Lines shown around one that differs."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_DEEP = 100


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a comparison.

    Attributes:
        sign: `+` only now, `-` only before, " " in both, `@` where lines in both are left out.
        text: The line; for `@` how many were left out, in words.
    """

    sign: str
    text: str


class _Doubtful(Exception):  # noqa: N818 - it never leaves this file
    """It is JSON that can be read in two ways."""


def layout(text: str) -> str | None:
    r"""JSON with line breaks and nothing else changed: each literal stands as it was written.

    Behind a `\n` in a string a line break follows, so that what a tool is to write can be read.

    Returns:
        None where it is not JSON, or names a key twice, or is too long: then it has to be shown as
        it is, since laying it out could hide what a reader on the other side makes of it.
    """
    if len(text) > _MAX:
        return None
    try:
        json.loads(text, object_pairs_hook=_once, parse_int=str, parse_float=str)
    except (ValueError, RecursionError, _Doubtful):
        return None
    return "".join(_laid(text))


def changes(before: str, after: str) -> list[Line] | None:
    """What differs, with some lines around; empty if nothing does, None if it is too long."""
    old, new = before.split("\n"), after.split("\n")
    if max(len(old), len(new)) > _MAX_LINES or max(len(before), len(after)) > _MAX:
        return None
    found: list[Line] = []
    last = 0
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for group in matcher.get_grouped_opcodes(_NEAR):
        skipped = group[0][3] - last
        if skipped:
            found.append(Line("@", f"{skipped} line{'' if skipped == 1 else 's'} the same"))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                found += [Line(" ", text) for text in new[j1:j2]]
            else:
                found += [Line("-", text) for text in old[i1:i2]]
                found += [Line("+", text) for text in new[j1:j2]]
        last = group[-1][4]
    return found


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise _Doubtful


def _laid(text: str) -> Iterator[str]:
    depth = 0
    tokens = _TOKEN.findall(text)
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else ""
        match token:
            case "{" | "[":
                depth += 1
                yield token
                if following not in {"}", "]"}:
                    yield _start(depth)
            case "}" | "]":
                depth -= 1
                if index and tokens[index - 1] not in {"{", "["}:
                    yield _start(depth)
                yield token
            case ",":
                yield token + _start(depth)
            case ":":
                yield ": "
            case _:
                yield _broken(token, _start(depth + 1)) if token[0] == '"' else token


def _start(depth: int) -> str:
    return "\n" + "  " * min(depth, _DEEP)


def _broken(literal: str, start: str) -> str:
    r"""A string's literal with a line break behind each `\n`, but not behind `\\n`."""
    return re.sub(r"\\.", lambda found: found[0] + (start if found[0] == r"\n" else ""), literal)
