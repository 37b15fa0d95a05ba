"""Columns in expressions are used; plain ones, fields and casts in the output list are shown."""

import pytest

from tests.support.sqlnames import resolved

ID, EMAIL, NAME = (f"public.users.{column}" for column in ("id", "email", "name"))
ALL = {ID, EMAIL, NAME}


@pytest.mark.parametrize(
    ("expression", "shown", "used"),
    [
        ("email", {EMAIL}, set()),
        ("email::text::bytea", {EMAIL}, set()),
        ("(u).email", {EMAIL}, set()),
        ("(((u).email))", {EMAIL}, set()),
        ("(u).email::text", {EMAIL}, set()),
        ("lower(email)", set(), {EMAIL}),
        ("email || ''", set(), {EMAIL}),
        ("-id + 1 - id", set(), {ID}),
        ("email COLLATE x", set(), {EMAIL}),
        ("(email)[1]", set(), {EMAIL}),
        ("(email).x", set(), {EMAIL}),
        ("ARRAY[email]", set(), {EMAIL}),
        ("ROW(email)", set(), {EMAIL}),
        ("ROW(u.*)", set(), ALL),
        ("row_to_json(u)", set(), ALL),
        ("row_to_json(u.*)", set(), ALL),
        ("u", set(), ALL),
        ("(u)::text", set(), ALL),
        ("u IS NULL", set(), ALL),
        ("email(u)", set(), ALL),
        ("u.no_such", set(), ALL),
        ("CASE WHEN email = 'x' THEN 1 END", set(), {EMAIL}),
        ("COALESCE(email, name)", set(), {EMAIL, NAME}),
        ("count(*)", set(), set()),
        ("count(*) FILTER (WHERE email = '')", set(), {EMAIL}),
        ("count(*) OVER (PARTITION BY email ORDER BY name)", set(), {EMAIL, NAME}),
        ("count(*) OVER (w)", set(), set()),
        ("EXISTS (SELECT email FROM users)", set(), set()),
        ("EXISTS (SELECT 1 FROM orders WHERE email = '')", set(), {EMAIL}),
        ("(SELECT email)", set(), {EMAIL}),
        ("ARRAY(SELECT email FROM users)", set(), {EMAIL}),
        ("id IN (SELECT id FROM orders)", set(), {ID, "public.orders.id"}),
        ("(email, id) = (SELECT '', 1)", set(), {EMAIL, ID}),
        ("JSON_OBJECT('a': email)", set(), {EMAIL}),
        ("xmlelement(name a, email)", set(), {EMAIL}),
        ("email IS JSON", set(), {EMAIL}),
        ("$1", set(), set()),
    ],
)
def test_shown_or_used(expression: str, shown: set[str], used: set[str]) -> None:
    found = resolved(f"SELECT {expression} FROM users u")  # noqa: S608  # made up here
    assert found.outputs == (frozenset(shown),)
    assert found.elsewhere == used
    assert set(found.columns) >= shown | used


def test_casts_are_told() -> None:
    found = resolved("SELECT email::text, name FROM users")
    assert found.cast == {EMAIL}
    assert resolved("SELECT q.e FROM (SELECT email::bytea AS e FROM users) q").cast == {EMAIL}
