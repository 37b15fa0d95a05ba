"""A push as `proctor show` tells it: what became of which ref, its commits and its paths."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

_FEW: Final = 12
"""Commits and paths that are shown; `--format json` has all."""


def push_lines(body: str) -> Iterator[tuple[str, str]]:
    """Labels and lines; nothing where the record holds no push.

    Args:
        body: What the record holds of it: see `git.pushing`.
    """
    try:
        said: dict[str, Any] = json.loads(body)
        lines = [*_lines(said)]
    except (ValueError, TypeError, KeyError, AttributeError):
        return
    yield from lines


def said_lines(body: str) -> Iterator[tuple[str, str]]:
    """What the server said, as git shows it; of much the end, where a failure stands.

    Args:
        body: What the record holds of the answer: see `stages.gitsaid`.
    """
    try:
        text = str(json.loads(body).get("said", ""))
    except (ValueError, AttributeError):
        return
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    yield from _more("remote", len(lines) - _FEW)
    yield from (("remote", line) for line in lines[-_FEW:])


def _lines(said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for ref in said["refs"]:
        yield "push", f"{ref['change']} {ref['ref']} {ref['old'][:12]}..{ref['new'][:12]}"
    for each in said["options"]:
        yield "option", str(each)
    commits, paths = said["commits"][:_FEW], said["paths"][:_FEW]
    for each in commits:
        yield "commit", f"{each['id'][:12]} {each['subject']} <{each['author']}>"
    yield from _more("commit", said["commits_in_all"] - len(commits))
    for each in paths:
        yield "path", str(each["path"])
    yield from _more("path", said["paths_in_all"] - len(paths))
    if said["unknown"]:
        yield (
            "unknown",
            "; ".join(["not all of it could be told", *said["incomplete"]]),
        )


def _more(label: str, count: int) -> Iterator[tuple[str, str]]:
    if count > 0:
        yield label, f"… {count} more"
