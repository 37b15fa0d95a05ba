"""Plans, from what a server is said to have."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ConfigurationError
from proctor.postgres.hardening.model import (
    PUBLIC,
    Column,
    Default,
    Membership,
    Right,
    Role,
    Seen,
    Table,
    Wanted,
)
from proctor.postgres.hardening.planning import PASSWORD, items, plan
from proctor.postgres.masking.model import Method, Sensitive
from proctor.postgres.side import identifier

EMAIL = Sensitive(schema="public", table="users", column="email")
WANTED = Wanted(listener="orders", database="shop", role="app", schema="masked", columns=(EMAIL,))
TEXT = ("pg_catalog", "text")
USERS = Table(
    oid=1,
    schema="public",
    name="users",
    kind="r",
    owner="owner",
    row_security=False,
    rights=(Right(grantor="owner", grantee="app", privileges=("INSERT", "SELECT")),),
    columns=(
        Column(name="id", type=TEXT, readable=True),
        Column(name="email", type=TEXT, readable=True),
    ),
    writes=("INSERT",),
    sensitive={"email": EMAIL},
)
SEEN = Seen(
    version=16,
    me="postgres",
    superuser=True,
    role=Role(name="app", powers=(), login=True, path=None, usual='"$user", public'),
    tables=(USERS,),
    memberships=(),
    compensations=(),
    defaults=(),
    schemas={"public": True},
    taken=frozenset(),
)


def sql(seen: Seen, wanted: Wanted = WANTED) -> str:
    return ";\n".join(text for step in plan(seen, wanted).steps for text in step.sql)


def test_every_step_can_be_undone() -> None:
    made = plan(SEEN, WANTED)
    assert all(step.sql and step.undo for step in made.steps)
    assert made.undo[0].startswith('ALTER ROLE "app" IN DATABASE "shop" RESET')


def test_a_role_that_is_made_has_no_password_in_the_plan() -> None:
    text = sql(replace(SEEN, role=None))
    assert f'CREATE ROLE "app" LOGIN PASSWORD {PASSWORD} NOSUPERUSER' in text
    assert "NOLOGIN" in sql(replace(SEEN, role=None), replace(WANTED, login=False))


def test_memberships_by_version() -> None:
    group = Membership(
        role="g", grantor="dba", options=("ADMIN TRUE", "INHERIT FALSE"), reaches="g", behind=("g",)
    )
    new = plan(replace(SEEN, memberships=(group,)), WANTED)
    assert new.steps[0].sql == ('REVOKE "g" FROM "app" GRANTED BY "dba"',)
    assert new.steps[0].undo == (
        'GRANT "g" TO "app" WITH ADMIN TRUE, INHERIT FALSE GRANTED BY "dba"',
    )
    old = plan(replace(SEEN, version=15, memberships=(group,)), WANTED)
    assert old.steps[0].undo == ('GRANT "g" TO "app" WITH ADMIN OPTION',)
    harmless = plan(replace(SEEN, memberships=(replace(group, reaches=""),)), WANTED)
    assert harmless == plan(SEEN, WANTED)


def test_default_rights() -> None:
    right = Right(grantor="owner", grantee=PUBLIC, privileges=("SELECT",), grantable=())
    other = replace(right, grantee="someone")
    made = plan(
        replace(
            SEEN,
            defaults=(
                Default(owner="owner", schema="public", right=right),
                Default(owner="owner", schema="", right=other),
            ),
        ),
        WANTED,
    )
    found = [text for step in made.steps for text in step.sql if "DEFAULT" in text]
    revoke = "REVOKE SELECT ON TABLES FROM PUBLIC"
    assert found == [f'ALTER DEFAULT PRIVILEGES FOR ROLE "owner" IN SCHEMA "public" {revoke}']


def test_no_table_to_read_is_no_view() -> None:
    closed = replace(
        USERS, rights=(), columns=tuple(replace(each, readable=False) for each in USERS.columns)
    )
    made = plan(replace(SEEN, tables=(closed,)), WANTED)
    assert made.steps == ()
    assert made.warnings


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (replace(SEEN, me="app"), "harden-role"),
        (replace(SEEN, tables=(replace(USERS, owner="app"),)), "harden-role"),
        (replace(SEEN, taken=frozenset({"users"})), "harden-schema"),
    ],
)
def test_what_cannot_be(seen: Seen, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        plan(seen, WANTED)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ('"$user", public', ("$user", "public")),
        ('Public,"Odd ""one", x', ("public", 'Odd "one', "x")),
        ("", ()),
        ('""', ()),
        ("a;DROP", ("a;drop",)),
        ("a; DROP TABLE users", ()),
    ],
)
def test_search_paths(path: str, found: tuple[str, ...]) -> None:
    assert items(path) == found


@given(st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1), max_size=5))
def test_a_quoted_path_comes_back(names: list[str]) -> None:
    assert items(", ".join(map(identifier, names))) == tuple(names)


@given(st.text())
def test_whatever_a_role_has_set_stays_inside_quotes(path: str) -> None:
    """A role sets its own search path, which then stands in what an admin runs."""
    role = Role(name="app", powers=(), login=True, path=path.replace("\0", ""), usual="public")
    last = plan(replace(SEEN, role=role), WANTED).steps[-1].sql[0]
    inside = last.partition("TO ")[2]
    rest = inside
    while rest:
        assert rest[0] == '"'
        at = 1
        while rest[at] != '"' or rest[at + 1 : at + 2] == '"':
            at += 2 if rest[at] == '"' else 1
        rest = rest[at + 1 :].removeprefix(", ")


def test_a_view_that_the_wire_would_refuse() -> None:
    hashed = replace(EMAIL, method=Method.HASH)
    seen = replace(SEEN, tables=(replace(USERS, sensitive={"email": hashed}),))

    def told(**more: Any) -> bool:
        made = plan(seen, replace(WANTED, **more))
        return any("masked.users unless" in each for each in made.warnings)

    assert told(wire=True)
    assert not told()
    assert not told(wire=True, trusted=frozenset({"masked.users"}))


def test_a_session_role_is_told_of_the_path() -> None:
    made = plan(SEEN, replace(WANTED, login=False))
    assert any("session_role" in each for each in made.warnings)
    assert "search_path" not in sql(SEEN, replace(WANTED, login=False))
