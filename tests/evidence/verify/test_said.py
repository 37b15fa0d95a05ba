"""What the record itself says of what is missing."""

import json

import pytest

from proctor.evidence.verify.said import Said, details_of


def event(said: str, detail: object, kind: str = "event") -> bytes:
    return json.dumps({"kind": kind, "event_kind": said, "detail": detail}).encode()


def scope(moment: int) -> str:
    return f"w0.{moment:012x}aabbccddeeff"


NEW_YEAR = 1767225600000


def test_what_it_says() -> None:
    said = Said.by(
        [
            event("erasure", {"scopes": ["w0.1", "w1.2"]}),
            event("erasure", {"scopes": "none"}),
            event("retention", {"writer": "w0", "before": {"views": {"turns": "2026-01-01"}}}),
            event("retention", {"writer": "w0", "before": {"rules": {"q": "2025-12-01"}}}),
            event("retention", {"writer": "w1", "before": None}),
            event("record.resumed", {"writer": "w1", "since": "then"}),
            event("record.resumed", {"since": "its own"}),
            event("erasure", ["w0.3"]),
            event("start", {"scopes": ["w0.3"]}),
            event("erasure", {"scopes": ["w0.3"]}, kind="flow.end"),
            b"{",
        ]
    )
    assert said.erased == {"w0.1", "w1.2"}
    assert said.resumed["w1"] == {"then"}
    assert said.dropped == {"w0": "2026-01-01", "w1": ""}


@pytest.mark.parametrize(
    ("writer", "name", "may"),
    [
        ("w0", scope(NEW_YEAR - 1), True),
        ("w0", scope(NEW_YEAR), False),
        ("w0", scope(2**48 - 1), False),
        ("w0", "w0.none", False),
        ("w1", scope(NEW_YEAR - 1), False),
    ],
)
def test_what_is_old_enough(writer: str, name: str, may: bool) -> None:  # noqa: FBT001 - a table
    assert Said(dropped={"w0": "2026-01-01"}).may_miss(writer, name) is may


def test_details() -> None:
    events = [event("a", {"n": 1}), event("b", {"n": 2}), event("a", {"n": 3})]
    assert details_of(events, "a") == [{"n": 1}, {"n": 3}]
