"""GRANT and REVOKE, so that what was comes back as it was, its order included.

A right that is taken away wholly and given again stands at the end of the list, and pg_dump writes
lists in their order. So what stood behind it is taken and given again, too.
"""

from collections.abc import Iterator, Sequence

from proctor.postgres.hardening.model import PUBLIC, Right
from proctor.postgres.side import identifier


def who(role: str) -> str:
    """A role as GRANT takes it."""
    return identifier(role) if role != PUBLIC else "PUBLIC"


def grant(privileges: Sequence[str], on: str, to: str, *, columns: Sequence[str] = ()) -> str:
    """One statement.

    Args:
        privileges: Such as SELECT.
        on: Such as `TABLE "public"."users"`.
        to: The role; PUBLIC for everybody.
        columns: On them alone.
    """
    return f"GRANT {_listed(privileges, columns)} ON {on} TO {who(to)}"


def revoke(privileges: Sequence[str], on: str, of: str, *, columns: Sequence[str] = ()) -> str:
    """One statement; see `grant`."""
    return f"REVOKE {_listed(privileges, columns)} ON {on} FROM {who(of)}"


def taking(
    rights: Sequence[Right],
    taken: Sequence[tuple[Right, Sequence[str]]],
    on: str,
    owner: str,
    *,
    column: str = "",
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What takes privileges away, and what gives them back.

    Args:
        rights: All there are, in order.
        taken: Of which what is taken.
        on: Of what, as GRANT names it.
        owner: Of that.
        column: Of one alone; "" for the whole.
    """
    columns = (column,) if column else ()
    away: list[str] = []
    back: list[str] = []
    gone = [right for right, names in taken if set(names) == set(right.privileges)]
    for right, names in taken:
        away += _by(right.grantor, owner, revoke(names, on, right.grantee, columns=columns))
        if right not in gone:
            back += _given(right, names, on, owner, columns)
    if gone:
        behind = rights[rights.index(gone[0]) :]
        stay = [right for right in behind if right not in gone and right.grantee != owner]
        if any(right.grantable or right.grantor != owner for right in stay):
            stay = []  # others' rights may hang on these: their order is not worth that
        back += [revoke(right.privileges, on, right.grantee, columns=columns) for right in stay]
        for right in behind:
            if right in gone or right in stay:
                back += _given(right, right.privileges, on, owner, columns)
    return tuple(away), tuple(back)


def _given(
    right: Right, names: Sequence[str], on: str, owner: str, columns: Sequence[str]
) -> Iterator[str]:
    plain = [name for name in names if name not in right.grantable]
    handed = [name for name in names if name in right.grantable]
    if plain:
        yield from _by(right.grantor, owner, grant(plain, on, right.grantee, columns=columns))
    if handed:
        text = grant(handed, on, right.grantee, columns=columns)
        yield from _by(right.grantor, owner, f"{text} WITH GRANT OPTION")


def _by(grantor: str, owner: str, sql: str) -> Iterator[str]:
    """A statement run as who gave the right: a superuser acts as the owner otherwise."""
    if grantor == owner:
        yield sql
    else:
        yield f"SET LOCAL ROLE {identifier(grantor)}"
        yield sql
        yield "SET LOCAL ROLE NONE"


def _listed(privileges: Sequence[str], columns: Sequence[str]) -> str:
    inside = f" ({', '.join(map(identifier, columns))})" if columns else ""
    return ", ".join(f"{name}{inside}" for name in privileges)
