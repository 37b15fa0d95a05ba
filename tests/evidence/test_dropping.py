"""What envelopes refer to; the rest is in test_upkeep.py, through the real store."""

from typing import Any

import pytest

from proctor.evidence.dropping import references


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
