"""Paths: the more concrete wins, and what can be read in two ways leads nowhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.protocols.openapi.routing import MAX_PATH, Router, parse_template

PATHS = (
    "/",
    "/users",
    "/users/",
    "/users/me",
    "/users/{id}",
    "/users/{id}/keys",
    "/users/{id}/{part}",
    "/users/export",
    "/{kind}/{id}",
    "/files/{name}.json",
    "/files/{name}",
    "/compare/{base}...{head}",
    "/caf%C3%A9",
    "/Upper/{x}",
)


def router() -> Router[str]:
    made: Router[str] = Router()
    for path in PATHS:
        assert made.add("GET", parse_template(path), path)
    assert made.add("DELETE", parse_template("/users/{name}"), "delete")
    return made


ROUTER = router()


@pytest.mark.parametrize(
    ("path", "target", "values"),
    [
        ("/", "/", {}),
        ("/users", "/users", {}),
        ("/users/", "/users/", {}),
        ("/users/me", "/users/me", {}),
        ("/users/%6De", "/users/me", {}),
        ("/users/7", "/users/{id}", {"id": "7"}),
        ("/users/a%20b", "/users/{id}", {"id": "a b"}),
        ("/users/7/keys", "/users/{id}/keys", {"id": "7"}),
        ("/users/7/x", "/users/{id}/{part}", {"id": "7", "part": "x"}),
        ("/users/me/keys", "/users/{id}/keys", {"id": "me"}),
        ("/groups/7", "/{kind}/{id}", {"kind": "groups", "id": "7"}),
        ("/files/a.json", "/files/{name}.json", {"name": "a"}),
        ("/files/.json", "/files/{name}", {"name": ".json"}),
        ("/compare/a...b...c", "/compare/{base}...{head}", {"base": "a", "head": "b...c"}),
        ("/compare/main...x%2Fy", "/compare/{base}...{head}", {"base": "main", "head": "x/y"}),
        ("/compare/...b", "/{kind}/{id}", {"kind": "compare", "id": "...b"}),
        ("/compare/a...", "/{kind}/{id}", {"kind": "compare", "id": "a..."}),
        ("/caf%c3%a9", "/caf%C3%A9", {}),
        ("/Upper/x", "/Upper/{x}", {"x": "x"}),
    ],
)
def test_paths(path: str, target: str, values: dict[str, str]) -> None:
    assert ROUTER.find("GET", path) == (target, values)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "users",
        "*",
        "//",
        "/users//",
        "/users//keys",
        "/nowhere",
        "/users/7/keys/8",
        "/users/%ff",
        "/users/a%00",
        "/users/" + "a" * MAX_PATH,
        # It would lead up.
        "/users/.",
        "/users/..",
        "/users/../users",
        "/users/%2e%2e",
        "/users/a%2F..",
        "/users/..%5Cme",
        "/users/..;x=1",
        # Another operation, once `%2F` is decoded, `;…` dropped, or capitals made small.
        "/users/7%2Fkeys",
        "/users/7%5ckeys",
        "/users/me;x=1",
        "/users/ME",
        "/users/EXPORT",
        "/users%2Fme",
        "/USERS/7",
        "/upper/x",
        "/files/a.JSON",
    ],
)
def test_paths_that_lead_nowhere(path: str) -> None:
    assert ROUTER.find("GET", path) is None


def test_methods() -> None:
    assert ROUTER.find("DELETE", "/users/7") == ("delete", {"name": "7"})
    assert ROUTER.find("DELETE", "/users/me") is None  # the concrete path has no such method
    assert ROUTER.find("delete", "/users/7") is None
    assert ROUTER.find("POST", "/users/7") is None


def test_a_slash_in_a_value_is_one_where_nothing_else_answers() -> None:
    made: Router[int] = Router()
    made.add("GET", parse_template("/projects/{id}"), 1)
    assert made.find("GET", "/projects/group%2Fproject") == (1, {"id": "group/project"})
    assert made.find("GET", "/projects/a;v=1") == (1, {"id": "a;v=1"})
    made.add("GET", parse_template("/projects/{id}/{x}"), 2)
    assert made.find("GET", "/projects/group%2Fproject") is None


def test_the_same_requests() -> None:
    made: Router[int] = Router()
    assert made.add("GET", parse_template("/a/{x}"), 1)
    assert not made.add("GET", parse_template("/a/{y}"), 2)
    assert made.add("PUT", parse_template("/a/{y}"), 3)
    assert made.find("PUT", "/a/b") == (3, {"y": "b"})


@pytest.mark.parametrize(
    "path", ["", "a", "/{", "/{}", "/a}", "/{a}{a}", "/{a}/{a}", "/a?b", "/#a"]
)
def test_templates_that_are_none(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|braces|variable"):
        parse_template(path)


def test_many_variables_cost_no_more() -> None:
    made: Router[int] = Router()
    made.add("GET", parse_template("/" + "-".join(f"{{v{i}}}" for i in range(40)) + "!"), 1)
    assert made.find("GET", "/" + "-" * 4000) is None
    for count in range(30):
        made.add("GET", parse_template("".join(f"/{{v{i}}}" for i in range(count)) + "/end"), count)
    assert made.find("GET", "/a" * 30) is None


@given(st.lists(st.sampled_from(["users", "me", "7", "", ".", "%2F", ";x", "A"]), max_size=5))
def test_any_path(segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    found = ROUTER.find("GET", path)
    if found is not None:
        template = parse_template(found[0])
        assert tuple(found[1]) == template.names
        assert len(template.segments) == path.count("/")


@given(st.text())
def test_any_text(path: str) -> None:
    found = ROUTER.find("GET", f"/users/{path}")
    assert found is None or found[0].startswith(("/users", "/{kind}"))


@given(st.text())
def test_any_template(path: str) -> None:
    try:
        template = parse_template(f"/{path}")
    except ValueError:
        return
    assert len(template.segments) == path.count("/") + 1
