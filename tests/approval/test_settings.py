"""`roles`, `approvals` and `notifications`."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from proctor.approval.model import Role
from proctor.approval.settings import ApprovalSettings, NotifierSettings, RolesSettings

BASE = Path("/base")


def made[T](kind: type[T], data: object) -> T:
    return TypeAdapter(kind).validate_python(data, context={"base": BASE})


def wrong(kind: type, data: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        made(kind, data)
    return [error["type"] for error in caught.value.errors()]


def test_roles_come_by_groups() -> None:
    roles = made(RolesSettings, {"reviewer": {"groups": ("a",)}, "admin": {"groups": ("a", "b")}})
    assert roles.of(("a",)) == {Role.REVIEWER, Role.ADMIN}
    assert roles.of(("b",)) == {Role.ADMIN}
    assert roles.of(("c",)) == frozenset()
    assert RolesSettings().of(("a",)) == frozenset()


@pytest.mark.parametrize("data", [{"boss": {"groups": ("a",)}}, {"reviewer": {"groups": ()}}])
def test_roles_that_are_none(data: dict[str, Any]) -> None:
    assert wrong(RolesSettings, data)


@pytest.mark.parametrize(
    ("store", "path"),
    [
        ("sqlite:///recordings/a.db", BASE / "recordings/a.db"),
        ("sqlite:////var/a.db", Path("/var/a.db")),
    ],
)
def test_where_the_store_is(store: str, path: Path) -> None:
    assert made(ApprovalSettings, {"store": store}).store == path


def test_the_store_by_default() -> None:
    assert made(ApprovalSettings, {}).store == BASE / "recordings/approvals.db"


@pytest.mark.parametrize(
    ("store", "code"),
    [
        ("postgresql://db/x", "not-available"),
        ("sqlite:///", "value_error"),
        ("approvals.db", "value_error"),
        (3, "value_error"),
    ],
)
def test_stores_that_are_none(store: object, code: str) -> None:
    assert wrong(ApprovalSettings, {"store": store}) == [code]


SLACK = {"name": "ops", "kind": "slack", "url": {"env": "URL"}}


@pytest.mark.parametrize(
    "data",
    [
        SLACK,
        SLACK | {"secret": {"env": "SECRET"}, "users": {"U1": "alice"}, "on": ("pending",)},
        SLACK | {"kind": "teams", "groups": ("dba",)},
        SLACK | {"kind": "webhook", "secret": {"env": "SECRET"}},
        SLACK | {"kind": "jira", "secret": {"env": "SECRET"}, "project": "OPS", "user": "bot"},
    ],
)
def test_notifications(data: dict[str, Any]) -> None:
    assert made(NotifierSettings, data).name == "ops"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (SLACK | {"users": {"U1": "alice"}}, "wrong-value"),
        (SLACK | {"kind": "webhook"}, "missing-key"),
        (SLACK | {"kind": "jira", "secret": {"env": "SECRET"}}, "missing-key"),
        (SLACK | {"kind": "teams", "users": {"U1": "a"}, "secret": {"env": "S"}}, "wrong-value"),
        (SLACK | {"on": ()}, "value_error"),
        (SLACK | {"url": "https://hooks.example"}, "secret-source"),
        (SLACK | {"kind": "pager"}, "literal_error"),
    ],
)
def test_notifications_that_are_none(data: dict[str, Any], code: str) -> None:
    assert wrong(NotifierSettings, data) == [code]
