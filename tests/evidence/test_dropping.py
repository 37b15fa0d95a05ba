"""What envelopes refer to; the rest is in test_upkeep.py, through the real store."""

from pathlib import Path
from typing import Any

import pytest

from proctor.evidence.dropping import Due, Plan, references


def ref(blocks: str) -> dict[str, Any]:
    return {"scope": "w0.0", "hash": "", "size": 1, "enc": "utf8", "blocks": blocks}


@pytest.mark.parametrize(
    ("envelope", "found"),
    [
        ({}, []),
        ({"request": None, "turn": None, "tools": [], "results": None}, []),
        ({"request": ref("1"), "response": ref("2")}, [("flows", "1"), ("flows", "2")]),
        (
            {"request": ref("1"), "turn": {"prompt": ref("2"), "output": None}},
            [("turns", "1"), ("turns", "2")],
        ),
        (
            {"tools": [{"input": ref("3")}, {}], "results": [{"content": ref("4-5")}]},
            [("tool_calls", "3"), ("tool_calls", "4-5")],
        ),
        ({"sql": ref("6"), "parameters": ref("7")}, [("statements", "6"), ("statements", "7")]),
    ],
)
def test_references(envelope: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert [(view, each.blocks) for view, each in references(envelope)] == found


def due(folder: str, level: int, first: int, last: int, rows: int) -> Due:
    path = Path(f"/r/{folder}/w0-{level}-{first:012d}-{last:012d}.parquet")
    return Due(path=path, day="", sha256="", rows=rows, left=0, keep="")


def test_rows_of_a_merge_and_of_what_it_was_made_of_are_told_once() -> None:
    parts = [due("segments", 0, first, first + 9, 4) for first in (0, 10, 20, 30)]
    assert Plan(files=tuple(parts)).rows == 16
    merge = due("segments", 1, 0, 29, 12)
    assert Plan(files=(*parts, merge)).rows == 16
    assert Plan(files=(merge, *parts[3:])).rows == 16
    # Of some parts nothing goes any more.
    assert Plan(files=(parts[1], merge)).rows == 12
    # A merge of one file, and a merge of merges.
    assert Plan(files=(*parts, merge, due("segments", 1, 30, 39, 4))).rows == 16
    assert Plan(files=(*parts, merge, due("segments", 2, 0, 39, 16))).rows == 16
    # Numbers of content are others.
    assert Plan(files=(*parts, merge, due("content", 0, 0, 9, 5))).rows == 21
    assert Plan().rows == 0
