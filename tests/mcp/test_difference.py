"""What is shown of a tool."""

import json
import random
import time
from datetime import UTC, datetime
from typing import Any

from proctor.mcp.difference import difference, is_compared, is_cut
from proctor.mcp.model import Pin

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def pin(before: Any, after: Any, seen: str = "b") -> Pin:
    return Pin(
        server="jira",
        tool="search",
        accepted="a" if before is not None else None,
        seen=seen,
        accepted_text="" if before is None else json.dumps(before),
        newest_text="" if after is None else json.dumps(after),
        first_seen=NOW,
        changed_at=NOW,
    )


def body(diff: str) -> list[str]:
    return diff.split("\n")[3:]


def test_a_change_is_shown_against_what_was_accepted() -> None:
    changed = pin({"name": "x", "description": "a"}, {"name": "x", "description": "b"})
    assert is_compared(changed)
    assert body(difference(changed)) == [
        " {", '-  "description": "a",', '+  "description": "b",', '   "name": "x"', " }",
    ]  # fmt: skip


def test_all_of_it_is_shown_where_there_is_nothing_to_compare() -> None:
    whole = ["-{}", "+{", '+  "name": "x"', "+}"]
    for each in (
        pin(None, {"name": "x"}),  # never accepted
        pin({"name": "x"}, {"name": "x"}, "a"),  # accepted as it is
        pin({"l": [0] * 2000}, {"name": "x"}),  # too long to compare
    ):
        assert not is_compared(each)
        assert body(difference(each)) == whole
    assert difference(pin({"name": "x"}, None)) == ""


def test_what_is_cut_is_known_to_be() -> None:
    assert is_cut(difference(pin(None, {"l": [[[1]]] * 4000})))
    for end in ("… 7", "…", "\n… 7 characters"):
        assert not is_cut(difference(pin(None, {"z": end})))
    assert not is_cut("")


def test_no_two_definitions_take_long_to_compare() -> None:
    # Lines that come often, but not so often that difflib leaves them out.
    chance = random.Random(7)  # noqa: S311 - no secret
    lines = [number % 76 for number in range(1490)]
    mixed = lines[:]
    chance.shuffle(mixed)
    began = time.process_time()
    assert is_compared(pin({"l": lines}, {"l": mixed}))
    difference(pin({"l": lines}, {"l": mixed}))
    difference(pin({"l": lines}, {"l": lines[::-1]}))
    assert time.process_time() - began < 5, "0.2 s on a machine that has time"
