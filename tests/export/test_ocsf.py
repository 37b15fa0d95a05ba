"""OCSF: what the published schema asks for.

Requirements are those of events/base_event.json, events/application/api_activity.json,
profiles/ai_operation.json, objects/{metadata,product,actor,api,network_endpoint,ai_model}.json in
https://github.com/ocsf/ocsf-schema.
"""

from typing import Any

import pytest

from proctor.export import ocsf
from proctor.export.events import VIEWS, events
from tests.export.stocked import FOUND
from tests.export.test_events import HEAD, envelope
from tests.support.envelopes import decision, turn

REQUIRED = (
    "activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid",
    "actor", "api", "src_endpoint",
)  # fmt: skip
TOOL = {"id": "t", "source": "mcp", "name": "n", "input": None, "verdict": "hold", "rule_id": "r"}
FULL = envelope(turn=turn(), tools=[TOOL], findings=[FOUND], decisions=[decision("deny")])


def made(given: dict[str, Any]) -> list[dict[str, Any]]:
    return [ocsf.record(event) for event in events("st", given, frozenset(VIEWS))]


@pytest.mark.parametrize(
    "given",
    [FULL, {**HEAD, "kind": "event", "event_kind": "stop", "detail": {}}, envelope("approval")],
    ids=["flow", "event", "approval"],
)
def test_required(given: dict[str, Any]) -> None:
    found = made(given)
    assert found
    for each in found:
        assert all(each[name] is not None for name in REQUIRED)
        assert (each["class_uid"], each["category_uid"]) == (6003, 6)
        assert each["type_uid"] == each["class_uid"] * 100 + each["activity_id"]
        assert each["activity_id"] in {0, 1, 2, 3, 4, 99}
        assert each["severity_id"] in range(7)
        assert each["metadata"]["version"]
        assert each["metadata"]["product"]["vendor_name"]
        assert each["api"]["operation"]
        assert each["actor"].keys() & {"process", "user", "app_name"}
        assert each["src_endpoint"]["name"]


def test_a_turn_names_its_model() -> None:
    (turned,) = (each for each in made(FULL) if each["metadata"]["log_name"] == "turns")
    assert turned["ai_model"]["model_name"] == "claude-sonnet"
    assert turned["ai_model"]["ai_provider"]
    # stop_reason_id 99 is "Other": then the source's own word stands beside it.
    assert (turned["stop_reason_id"], turned["stop_reason"]) == (99, "end_turn")


def test_verdicts() -> None:
    (denied,) = made(envelope(verdict="deny", method="DELETE"))
    assert (denied["action_id"], denied["disposition_id"], denied["status_id"]) == (2, 2, 2)
    assert denied["activity_id"] == 4
    (passed,) = made(envelope(method="GET"))
    assert (passed["action_id"], passed["disposition_id"], passed["status_id"]) == (1, 1, 1)
    assert passed["time"] == 1767323045000
