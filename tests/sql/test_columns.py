"""Where a name is looked up, and what counts as used when it means nothing."""

import pytest

from proctor.sql.columns import ColumnResolver
from proctor.sql.scopes import Item, Output, Rows, Scope, relation_rows
from tests.support.sqlnames import names, relation

USERS = relation("users", "id", "email")
ITEM = Item("u", relation_rows(USERS), USERS, aliased=True)
BARE = Item("users", relation_rows(USERS), USERS)
FUNCTION = Item("f", Rows(known=False))
GONE = Item("gone", Rows(known=False), unknown=frozenset({"public.gone.*"}))
EMAIL = frozenset({"public.users.email"})
ALL = frozenset({"public.users.id", "public.users.email"})


@pytest.mark.parametrize(
    ("path", "items", "base", "elsewhere"),
    [
        (("email",), (ITEM,), EMAIL, set()),
        (("u", "email"), (ITEM,), EMAIL, set()),
        (("users", "email"), (BARE,), EMAIL, set()),
        (("public", "users", "email"), (BARE,), EMAIL, set()),
        (("shop", "public", "users", "email"), (BARE,), EMAIL, set()),
        # An alias hides the name, another schema or database is another relation.
        (("users", "email"), (ITEM,), set(), ALL),
        (("public", "users", "email"), (ITEM,), set(), ALL),
        (("app", "users", "email"), (BARE,), set(), ALL),
        (("other", "public", "users", "email"), (BARE,), set(), ALL),
        # Whole rows, and names that mean nothing.
        (("u",), (ITEM,), set(), ALL),
        (("u", "nope"), (ITEM,), set(), ALL),
        (("nope",), (ITEM,), set(), ALL),
        # What is known has no such column: the function does, or what is gone did.
        (("value",), (ITEM, FUNCTION), set(), set()),
        (("value",), (ITEM, GONE), set(), {"public.gone.*"}),
        (("f",), (ITEM, FUNCTION), set(), set()),
        (("ctid",), (ITEM,), set(), set()),
        (("u", "ctid"), (ITEM,), set(), set()),
    ],
)
def test_lookup(
    path: tuple[str, ...], items: tuple[Item, ...], base: set[str], elsewhere: set[str]
) -> None:
    resolver = ColumnResolver(names())
    assert resolver.lookup(path, Scope(items)).base == base
    assert resolver.elsewhere == elsewhere


def test_the_inner_query_comes_first() -> None:
    inner = Item("q", Rows((Output("email"),)))
    resolver = ColumnResolver(names())
    assert resolver.lookup(("email",), Scope((inner,), Scope((ITEM,)))).base == frozenset()
    assert resolver.lookup(("id",), Scope((inner,), Scope((ITEM,)))).base == {"public.users.id"}


def test_names_that_may_be_functions_are_kept() -> None:
    resolver = ColumnResolver(names())
    resolver.lookup(("u", "fullname"), Scope((ITEM,)))
    assert resolver.attributes == {"fullname"}
    assert resolver.whole == {"public.users"}


def test_stars() -> None:
    resolver = ColumnResolver(names())
    assert resolver.stars(("u",), Scope((ITEM,))).base() == ALL
    assert not resolver.stars(("x",), Scope((ITEM,))).known
    assert resolver.elsewhere == ALL
