"""An envelope as lines."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.export.events import VIEWS, events, resource
from tests.export.stocked import FOUND
from tests.support.envelopes import decision, flow, turn

ALL = frozenset(VIEWS)
HEAD = {"v": 1, "writer": "w0", "seq": 7, "ts": "2026-01-02T03:04:05.000000Z"}


def envelope(kind: str = "flow.end", **more: Any) -> dict[str, Any]:
    return {**HEAD, "kind": kind, **flow("f1"), **more}


def seen(given: dict[str, Any], wanted: frozenset[str] = ALL) -> list[tuple[str, str, str]]:
    return [(e.id, e.action, e.outcome) for e in events("st", given, wanted)]


def test_an_end_is_a_flow_and_what_stands_in_it() -> None:
    tool = {
        "id": "t",
        "source": "llm",
        "name": "Bash",
        "input": None,
        "verdict": None,
        "rule_id": None,
    }
    given = envelope(turn=turn(), tools=[tool], findings=[FOUND], decisions=[decision("hold")])
    assert seen(given) == [
        ("st/w0/7", "POST", "allow"),
        ("st/w0/7/turns/0", "llm.request", "allow"),
        ("st/w0/7/tool_calls/0", "llm.tool_use", "allow"),
        ("st/w0/7/findings/0", "finding", "mask"),
        ("st/w0/7/decisions/0", "llm.request", "hold"),
    ]
    # An id does not depend on what else is wanted.
    assert seen(given, frozenset({"findings"})) == [("st/w0/7/findings/0", "finding", "mask")]


def test_a_begin_tells_what_was_decided_only() -> None:
    observed = {"rule_id": "x", "verdict": "deny", "reason": "No."}
    given = envelope("flow.begin", turn=turn(), decisions=[decision(observed=[observed])])
    found = list(events("st", given, ALL))
    assert [(e.id, e.outcome, e.data["mode"], e.data["rule_id"]) for e in found] == [
        ("st/w0/7/decisions/0", "allow", "enforce", "claude"),
        ("st/w0/7/decisions/1", "deny", "observe", "x"),
    ]


def test_outcomes_of_flows() -> None:
    (failed,) = events("st", envelope(error="cut off"), ALL)
    assert (failed.outcome, failed.reason) == ("error", "cut off")
    (denied,) = events("st", envelope(error="x", verdict="deny", reason="No."), ALL)
    assert (denied.outcome, denied.reason) == ("deny", "No.")


def test_what_has_no_view_is_an_event_and_not_lost() -> None:
    (found,) = events("st", envelope("something.new"), ALL)
    assert (found.view, found.data["kind"]) == ("events", "something.new")


SAID = {"n": 3, "database": "shop", "verbs": ["SELECT"], "tables": ["public.orders"]}


def test_a_statement_is_told_of_when_it_has_ended() -> None:
    began = envelope("statement", decisions=[decision()], findings=[FOUND], **SAID)
    assert [event.view for event in events("st", began, ALL)] == ["findings", "decisions"]
    ended = {**began, "kind": "statement.end", "seq": 8, "rows": 2, "error": None}
    (found,) = events("st", ended, ALL)
    assert (found.id, found.view, found.action) == ("st/w0/8", "statements", "sql.statement")
    assert (found.outcome, found.data["rows"], found.data["verbs"]) == ("allow", 2, ["SELECT"])
    assert found.as_json()["resource"] == "claude/shop"
    (failed,) = events("st", {**ended, "error": "42703: no"}, ALL)
    assert (failed.outcome, failed.reason) == ("error", "42703: no")


def test_a_statement_that_was_refused_is_told_of_at_once() -> None:
    given = envelope("statement", verdict="deny", reason="No.", error="x: No.", **SAID)
    (found,) = events("st", given, ALL)
    assert (found.view, found.outcome, found.reason) == ("statements", "deny", "No.")


def test_an_event_without_a_principal() -> None:
    """As `Gate.event` writes it: only what it is and its detail."""
    (found,) = events("st", {**HEAD, "kind": "event", "event_kind": "stop", "detail": {}}, ALL)
    line = found.as_json()
    assert line["actor"] == {"principal": None, "subject": None, "groups": [], "client": None}
    assert (line["resource"], line["flow_id"], line["action"]) == (None, None, "stop")


def test_what_a_line_has() -> None:
    """docs/export.md promises these names."""
    (found,) = events("st", envelope(), ALL)
    assert list(found.as_json()) == [
        "schema", "id", "time", "view", "actor", "action", "resource", "outcome", "reason",
        "session_id", "flow_id", "writer", "seq", "data",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "https://api.internal:443/v1/messages"),
        ({"path": "/a?key=v"}, "https://api.internal:443/a"),
        ({"port": None, "path": None}, "https://api.internal"),
        ({"host": ""}, None),
    ],
    ids=str,
)
def test_resources(more: dict[str, Any], expected: str | None) -> None:
    assert resource(envelope(**more)) == expected


TEXT = st.text(max_size=5) | st.none()
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "tools": st.lists(st.fixed_dictionaries({"id": TEXT, "source": TEXT, "name": TEXT})),
        "findings": st.lists(st.fixed_dictionaries({"action": TEXT})) | st.none(),
        "decisions": st.lists(st.fixed_dictionaries({"verdict": TEXT})) | st.none(),
        "results": st.lists(st.fixed_dictionaries({"tool_use_id": TEXT})) | st.none(),
        "turn": st.none() | st.fixed_dictionaries({"model": TEXT}),
        "verdict": TEXT,
    },
)


@given(st.sampled_from(["flow.begin", "flow.end", "approval", "finding", "event", "other"]), PARTS)
def test_records_of_other_versions_lack_things(kind: str, more: dict[str, Any]) -> None:
    found = list(events("st", {**HEAD, "kind": kind, **more}, ALL))
    assert len({each.id for each in found}) == len(found)
    for each in found:
        assert each.as_json()["id"] == each.id
