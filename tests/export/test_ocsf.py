"""OCSF: what the published schema asks for.

Names, types and requirements are those of events/base_event.json, events/application/
{api_activity,datastore_activity}.json, profiles/{ai_operation,security_control}.json, and the
objects below, in
https://github.com/ocsf/ocsf-schema at 1.9.0-dev (a5cfc68e).
"""

from typing import Any

import pytest

from proctor.export import ocsf
from proctor.export.events import VIEWS, events
from tests.export.stocked import FOUND
from tests.export.test_events import HEAD, envelope
from tests.support.envelopes import decision, turn

# For each class or object: the attributes that we use and their types, those it requires (with !),
# and those of which it has at least one.
SCHEMA: dict[str, tuple[str, set[str]]] = {
    "api_activity": (
        ("metadata!:metadata time!:int category_uid!:int category_name:str class_uid!:int"
        " class_name:str activity_id!:int activity_name:str type_uid!:int severity_id!:int"
        " status_id:int status_detail:str message:str action_id:int disposition_id:int"
        " actor!:actor api!:api src_endpoint!:network_endpoint dst_endpoint:network_endpoint"
        " ai_model:ai_model message_context:message_context unmapped:object"),
        set(),
    ),
    "datastore_activity": (
        ("metadata!:metadata time!:int category_uid!:int category_name:str class_uid!:int"
        " class_name:str activity_id!:int activity_name:str type_uid!:int severity_id!:int"
        " status_id:int status_detail:str message:str action_id:int disposition_id:int"
        " duration:int actor!:actor src_endpoint!:network_endpoint"
        " dst_endpoint:network_endpoint database:database table:table query_info:query_info"
        " type_id:int unmapped:object"),
        {"database", "databucket", "table"},
    ),
    "database": ("name:str type:str type_id!:int uid:str", {"name", "uid"}),
    "table": ("name:str uid:str", {"name", "uid"}),
    "query_info": ("query_string!:str uid:str bytes:int", set()),
    "metadata": (
        ("version!:str product!:product uid:str profiles:str[] log_name:str sequence:int"
        " correlation_uid:str"), set(),
    ),
    "product": ("name:str vendor_name:str version:str", {"name", "uid"}),
    "actor": ("user:user app_name:str", {"process", "user", "session", "app_name", "app_uid"}),
    "user": ("uid:str name:str groups:group[]", {"account", "name", "uid"}),
    "group": ("name:str", {"name", "uid"}),
    "api": ("operation!:str service:service request:request", set()),
    "service": ("name:str", {"name", "uid"}),
    "request": ("uid!:str", set()),
    "network_endpoint": ("name:str hostname:str port:int", {"ip", "uid", "name", "hostname"}),
    "ai_model": ("name!:str ai_provider!:str", set()),
    "message_context": (
        "uid:str service:service prompt_tokens:int completion_tokens:int total_tokens:int",
        {"application", "service"},
    ),
}  # fmt: skip
DATASTORE = {2: "Update", 4: "Query", 5: "Write", 6: "Create", 7: "Delete"}
# Names that have to be the captions of their ids, unless these are 99.
CAPTIONS = {1: "Create", 2: "Read", 3: "Update", 4: "Delete"}
PROFILES = {"ai_operation": {"ai_model", "message_context"},
            "security_control": {"action_id", "disposition_id"}}  # fmt: skip


def check(name: str, given: dict[str, Any]) -> None:
    """That an object is as the schema has it: no other names, the types, and what is required."""
    told, least = SCHEMA[name]
    known = dict(word.split(":") for word in told.split())
    types = {key.rstrip("!"): kind for key, kind in known.items()}
    assert given.keys() >= {key[:-1] for key in known if key.endswith("!")}, name
    assert not least or given.keys() & least, name
    for key, value in given.items():
        assert key in types, f"{name} has no {key}"
        kind = types[key]
        values = value if kind.endswith("[]") else [value]
        assert isinstance(values, list), key
        for each in values:
            _one(f"{name}.{key}", kind.removesuffix("[]"), each)


def _one(place: str, kind: str, value: Any) -> None:
    if kind == "int":
        assert type(value) is int, place
    elif kind == "str":
        assert type(value) is str, place
    else:
        assert type(value) is dict, place
        if kind != "object":
            check(kind, value)


TOOL = {"id": "t", "source": "mcp", "name": "n", "input": None, "verdict": "hold", "rule_id": "r"}
FULL = envelope(turn=turn(), tools=[TOOL], findings=[FOUND], decisions=[decision("deny")])


def made(given: dict[str, Any]) -> list[dict[str, Any]]:
    return [ocsf.record(event) for event in events("st", given, frozenset(VIEWS))]


NOBODY: dict[str, Any] = {
    "principal": None,
    "subject": None,
    "session_id": None,
    "flow_id": None,
    "client": None,
}
EVENT = {**HEAD, "kind": "event", "event_kind": "stop", "detail": {}}
SAID = {"n": 3, "database": "shop", "verbs": ["SELECT"], "tables": ["public.orders"]}
KINDS = {
    "flow": FULL,
    "bare flow": envelope(host="", port=0, method="CONNECT", status=None, **NOBODY),
    "refused": envelope(verdict="deny", method="DELETE", principal=None),
    "failed": envelope(error="it broke off", method="PATCH", reason=None),
    "turn that was cut": envelope(turn=turn(), session_id=None),
    "approval": envelope("approval"),
    "event": EVENT,
    "event of nobody's": {**EVENT, **NOBODY},
    "of a later version": {**HEAD, "kind": "something.new"},
}


@pytest.mark.parametrize("given", KINDS.values(), ids=KINDS.keys())
def test_every_kind_is_as_the_schema_has_it(given: dict[str, Any]) -> None:
    found = made(given)
    assert found
    for each in found:
        check("api_activity", each)
        assert (each["class_uid"], each["category_uid"]) == (6003, 6)
        assert each["type_uid"] == each["class_uid"] * 100 + each["activity_id"]
        activity = each["activity_id"]
        assert each["activity_name"] == CAPTIONS.get(activity, each["activity_name"])
        assert activity in {*CAPTIONS, 99}
        assert each["severity_id"] in range(1, 7)
        for profile, names in PROFILES.items():
            assert profile in each["metadata"]["profiles"] or not each.keys() & names


def test_every_view_is_among_them() -> None:
    seen = {each["metadata"]["log_name"] for given in KINDS.values() for each in made(given)}
    assert seen | {"statements"} == set(VIEWS)


@pytest.mark.parametrize(
    ("given", "activity"),
    [
        (SAID, 4),
        (SAID | {"verbs": ["DROP"], "tables": []}, 7),
        (SAID | {"verbs": ["WITH", "DELETE"], "tables": ["a", "b"], "error": "42703: no"}, 99),
        (SAID | {"verbs": [], "rows": None, "duration_ms": None, **NOBODY}, 99),
    ],
    ids=["select", "drop", "several", "nothing known"],
)
def test_a_statement_is_datastore_activity(given: dict[str, Any], activity: int) -> None:
    ended = envelope("statement.end", **({"duration_ms": 12.6, "response_bytes": 9} | given))
    for texts in ({}, {"sql": "SELECT 1", "parameters": None}, {"sql": None}):
        (event,) = events("st", ended, frozenset(VIEWS))
        found = ocsf.record(event, texts)
        check("datastore_activity", found)
        assert (found["class_uid"], found["type_uid"]) == (6005, 600500 + activity)
        assert found["activity_id"] == activity
        assert found["activity_name"] == DATASTORE.get(activity, found["activity_name"])
        assert ("query_info" in found) == (texts.get("sql") is not None)
        assert found["database"]["name"] == "shop"


def test_a_turn_names_its_model() -> None:
    (turned,) = (each for each in made(FULL) if each["metadata"]["log_name"] == "turns")
    assert turned["ai_model"] == {"name": "claude-sonnet", "ai_provider": "Anthropic"}
    context = turned["message_context"]
    assert context["total_tokens"] == context["prompt_tokens"] + context["completion_tokens"]
    assert turned["unmapped"]["stop_reason"] == "end_turn"  # the schema has no place for it


def test_verdicts() -> None:
    (denied,) = made(envelope(verdict="deny", method="DELETE"))
    assert (denied["action_id"], denied["disposition_id"], denied["status_id"]) == (2, 2, 2)
    assert denied["activity_id"] == 4
    (passed,) = made(envelope(method="GET"))
    assert (passed["action_id"], passed["disposition_id"], passed["status_id"]) == (1, 1, 1)
    assert passed["time"] == 1767323045000
