"""Parameters, as each style writes them."""

from typing import Any

import pytest

from proctor.errors import ConfigurationError
from proctor.protocols.openapi.parameters import Parameter, read_parameter
from proctor.protocols.openapi.schemas import Collector, Schemas
from tests.protocols.openapi.described import source

NUMBERS = {"type": "array", "items": {"type": "integer"}}
POINT = {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}}


def made(schema: object, place: str = "query", **said: Any) -> tuple[Schemas, Parameter]:
    raw = {"name": "p", "in": place, "schema": schema, **said}
    collector = Collector(source({"parameter": raw}), old=False)
    parameter = read_parameter(source({}), collector, raw, ("parameter",))
    assert parameter is not None
    collector.compile()
    return collector.schemas, parameter


def check(fields: list[tuple[str, str]], schema: object, place: str = "query", **said: Any) -> str:
    schemas, parameter = made(schema, place, **said)
    return "; ".join(parameter.check(schemas, fields))


@pytest.mark.parametrize(
    ("schema", "said", "fields"),
    [
        ({"type": "integer"}, {}, [("p", "5")]),
        ({"type": "integer"}, {}, [("other", "x")]),
        ({"type": "boolean"}, {"allowEmptyValue": True}, [("p", "")]),
        (NUMBERS, {}, [("p", "1"), ("p", "2")]),
        (NUMBERS, {}, [("p", "1")]),
        (NUMBERS, {"explode": False}, [("p", "1,2,3")]),
        (NUMBERS, {"explode": False}, [("p", "1")]),
        (NUMBERS, {"style": "spaceDelimited", "explode": False}, [("p", "1 2")]),
        (NUMBERS, {"style": "pipeDelimited"}, [("p", "1|2")]),
        (NUMBERS, {"style": "deepObject"}, [("p[]", "1"), ("p[]", "2")]),
        (NUMBERS, {"style": "deepObject"}, [("p[0]", "1"), ("p[1]", "2")]),
        (POINT, {}, [("x", "1"), ("y", "2")]),
        (POINT, {"explode": False}, [("p", "x,1,y,2")]),
        (POINT, {"style": "deepObject"}, [("p[x]", "1")]),
        ({"type": "string", "pattern": ","}, {"explode": False}, [("p", "a,b")]),
        ({"anyOf": [POINT, {"type": "integer"}]}, {"style": "deepObject"}, [("p", "5")]),
        ({"anyOf": [POINT, {"type": "integer"}]}, {"style": "deepObject"}, [("p[x]", "5")]),
    ],
)
def test_what_fits(schema: object, said: dict[str, Any], fields: list[tuple[str, str]]) -> None:
    assert check(fields, schema, **said) == ""


@pytest.mark.parametrize(
    ("schema", "said", "fields", "line"),
    [
        ({"type": "integer"}, {}, [("p", "x")], "query.p: expected an integer"),
        ({"type": "integer"}, {}, [("p", "1"), ("p", "2")], "query.p: expected an integer"),
        ({"type": "boolean"}, {}, [("p", "")], "query.p: expected true or false"),
        ({}, {"required": True}, [], "query.p: missing"),
        (POINT, {"required": True}, [("z", "1")], "query.p: missing"),
        (NUMBERS, {}, [("p", "1"), ("p", "x")], "query.p[1]: expected an integer"),
        (NUMBERS, {"explode": False}, [("p", "1,x")], "query.p[1]: expected an integer"),
        (NUMBERS, {"style": "deepObject"}, [("p[]", "x")], "query.p[0]: expected an integer"),
        (POINT, {}, [("x", "a")], "query.p.x: expected an integer"),
        (POINT, {"explode": False}, [("p", "x,a")], "query.p.x: expected an integer"),
        (POINT, {"style": "deepObject"}, [("p[x]", "a")], "query.p.x: expected an integer"),
        (POINT, {"style": "deepObject"}, [("p[x]", "1"), ("p", "1")],
         "query.p: expected an object"),
    ],
)  # fmt: skip
def test_what_does_not(
    schema: object, said: dict[str, Any], fields: list[tuple[str, str]], line: str
) -> None:
    assert check(fields, schema, **said) == line


def test_paths_and_headers() -> None:
    for place in ("path", "header"):
        assert check([("p", "5")], {"type": "integer"}, place) == ""
        assert check([("p", "1,2")], NUMBERS, place) == ""
        assert check([("p", "1,x")], NUMBERS, place) == f"{place}.p[1]: expected an integer"
        assert check([("p", "x,1,y,2")], POINT, place) == ""
        assert check([("p", "x=1,y=a")], POINT, place, explode=True) == (
            f"{place}.p.y: expected an integer"
        )
    assert check([], {}, "path") == "path.p: missing"
    assert check([("x-p", "1")], {"type": "integer"}, "header", name="X-P") == ""


def test_json_in_a_parameter() -> None:
    raw = {"name": "p", "in": "query", "content": {"application/json": {"schema": POINT}}}
    collector = Collector(source(raw), old=False)
    parameter = read_parameter(source(raw), collector, raw, ())
    assert parameter is not None
    collector.compile()
    for text, lines in (
        ('{"x": 1}', ()),
        ('{"x": "a"}', ("query.p.x: expected an integer",)),
        ('{"x": 1, "x": 2}', ("query.p: expected JSON",)),
        ("[" * 100_000, ("query.p: expected JSON",)),
    ):
        assert parameter.check(collector.schemas, [("p", text)]) == lines
    assert parameter.check(collector.schemas, [("p", "1")] * 2) == ("query.p: expected one value",)


def test_what_is_not_looked_at() -> None:
    collector = Collector(source({}), old=False)
    for raw in (
        {"name": "a", "in": "cookie"},
        {"name": "Authorization", "in": "header"},
        {"name": "ACCEPT", "in": "header"},
    ):
        assert read_parameter(source({}), collector, raw, ()) is None


@pytest.mark.parametrize(
    "raw",
    [
        1,
        {},
        {"name": "a"},
        {"in": "query"},
        {"name": 1, "in": "query"},
        {"name": "a", "in": "body"},
    ],
)
def test_no_parameter(raw: object) -> None:
    with pytest.raises(ConfigurationError):
        read_parameter(source({}), Collector(source({}), old=False), raw, ())


def test_which_names_are_its_own() -> None:
    names = ("p", "x", "p[a]", "q")
    assert made({})[1].owns(names) == {"p"}
    assert made(POINT)[1].owns(names) == {"p", "x", "y"}
    assert made(POINT, style="deepObject")[1].owns(names) == {"p", "p[a]"}
    anything = {"type": "object", "additionalProperties": True}
    assert made(anything)[1].owns(names) == set(names)
