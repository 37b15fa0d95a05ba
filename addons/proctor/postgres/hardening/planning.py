"""From what a server has to statements that keep sensitive columns from a role."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from proctor.errors import ConfigurationError
from proctor.postgres.hardening.acl import grant, revoke, taking
from proctor.postgres.hardening.model import (
    PUBLIC,
    Compensation,
    Membership,
    Plan,
    Right,
    Role,
    Seen,
    Step,
    Table,
    Wanted,
    several,
)
from proctor.postgres.hardening.views import KEY, View, names, qualified, view
from proctor.postgres.side import identifier

PASSWORD: Final = "'…'"  # noqa: S105 - it is none
"""Stands in a plan where the password's verifier goes."""

MARK: Final = "proctor: masked"
"""The comment on what proctor has made."""

_OPTIONS_FROM: Final = 16  # the first version whose memberships have INHERIT and SET
_NEVER: Final = ("SELECT", "REFERENCES", "TRIGGER")
# An item of a search path, as varlena.c's SplitIdentifierString reads it.
_ITEM: Final = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^\s",]+))\s*(?:,|$)')


def plan(seen: Seen, wanted: Wanted) -> Plan:
    """What is to be done.

    Args:
        seen: What the server has.
        wanted: What is asked for.

    Raises:
        ConfigurationError: `harden-role`, `harden-schema`: it cannot be done so.
    """
    _possible(seen, wanted)
    warnings: list[str] = []
    steps = [
        *_role(seen, wanted),
        *_memberships(seen, wanted, warnings),
        *_rights(seen, wanted, warnings),
        *_defaults(seen, wanted),
        *_views(seen, wanted, warnings),
    ]
    return Plan(steps=tuple(steps), warnings=tuple(warnings))


def _possible(seen: Seen, wanted: Wanted) -> None:
    owned = [table for table in seen.tables if table.owner == wanted.role]
    if owned:
        raise ConfigurationError(
            "harden-role",
            f"{wanted.role} owns {owned[0].schema}.{owned[0].name}, and an owner can give itself"
            " every right",
            expected="a role that owns none of the tables",
            hint="Name one with --role, which may be new, and give the listener its credential.",
        )
    if wanted.role == seen.me:
        raise ConfigurationError(
            "harden-role",
            f"{wanted.role} cannot take rights from itself",
            expected="--admin with the tables' owner, or a superuser",
        )
    taken = {KEY, *(name for name in _names(seen, wanted).values())} & seen.taken
    if taken:
        raise ConfigurationError(
            "harden-schema",
            f"The schema {wanted.schema} has a {min(taken)} already",
            hint="Name another schema with --schema.",
        )


def _role(seen: Seen, wanted: Wanted) -> Iterator[Step]:
    name = identifier(wanted.role)
    if seen.role is None:
        login = f"LOGIN PASSWORD {PASSWORD}" if wanted.login else "NOLOGIN"
        weak = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
        yield Step(
            what=f"Make the role {wanted.role}, which can do nothing by itself",
            sql=(f"CREATE ROLE {name} {login} {weak}",),
            undo=(f"DROP ROLE {name}",),
        )
    elif seen.role.powers:
        powers = seen.role.powers
        yield Step(
            what=f"Take {several(powers)} from {wanted.role}",
            sql=(f"ALTER ROLE {name} {' '.join(f'NO{each}' for each in powers)}",),
            undo=(f"ALTER ROLE {name} {' '.join(powers)}",),
        )


def _memberships(seen: Seen, wanted: Wanted, warnings: list[str]) -> Iterator[Step]:
    far = [each for each in seen.memberships if each.reaches]
    for each in far:
        why = f" ({each.reaches})" if each.reaches != each.role else ""
        given, taken = _membership(each, wanted.role, seen.version)
        yield Step(
            what=f"{wanted.role} is no longer a member of {each.role}, which reaches"
            f" sensitive columns{why}",
            sql=(taken,),
            undo=(given,),
        )
    if not far:
        return
    for kind, schema, privileges, objects in _together(seen.compensations):
        on = f"{kind} {', '.join(_object(each) for each in objects)}"
        what = several(each.name or each.schema for each in objects[:5])
        more = f" and {len(objects) - 5} more" if len(objects) > 5 else ""  # noqa: PLR2004 - named
        inside = f" in {schema}" if kind != "SCHEMA" else ""
        yield Step(
            what=f"{wanted.role} keeps {several(privileges)} on {what}{more}{inside}",
            sql=(grant(privileges, on, wanted.role),),
            undo=(revoke(privileges, on, wanted.role),),
        )
    warnings.append(
        f"{wanted.role} loses what {several(each.role for each in far)} may do beside reading and"
        " writing tables: functions, single columns, roles behind it. Grant it what is missed."
    )


def _membership(each: Membership, role: str, version: int) -> tuple[str, str]:
    """What makes it, and what ends it."""
    group, member = identifier(each.role), identifier(role)
    if version < _OPTIONS_FROM:
        admin = " WITH ADMIN OPTION" if "ADMIN TRUE" in each.options else ""
        return f"GRANT {group} TO {member}{admin}", f"REVOKE {group} FROM {member}"
    by = f" GRANTED BY {identifier(each.grantor)}"
    return (
        f"GRANT {group} TO {member} WITH {', '.join(each.options)}{by}",
        f"REVOKE {group} FROM {member}{by}",
    )


def _together(
    compensations: Sequence[Compensation],
) -> Iterator[tuple[str, str, tuple[str, ...], list[Compensation]]]:
    found: dict[tuple[str, str, tuple[str, ...]], list[Compensation]] = {}
    for each in compensations:
        schema = each.schema if each.kind != "SCHEMA" else ""
        found.setdefault((each.kind, schema, each.privileges), []).append(each)
    for (kind, schema, privileges), objects in found.items():
        yield kind, schema, privileges, objects


def _object(each: Compensation) -> str:
    schema = identifier(each.schema)
    return f"{schema}.{identifier(each.name)}" if each.name else schema


def _rights(seen: Seen, wanted: Wanted, warnings: list[str]) -> Iterator[Step]:
    for table in seen.tables:
        name = f"{table.schema}.{table.name}"
        for grantee in (wanted.role, PUBLIC):
            away, back = _closed(table, grantee)
            if not away:
                continue
            whom = grantee or "everybody"
            yield Step(what=f"{whom} may no longer read all of {name}", sql=away, undo=back)
            if grantee == PUBLIC:
                warnings.append(
                    f"{name} is open to everybody now: whoever reads {several(table.sensitive)}"
                    " by that alone no longer can, other roles included."
                )
            yield from _opened(table, grantee, seen.role)
        yield from _kept(table, wanted.role, seen)


def _closed(table: Table, grantee: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What takes from a role what shows sensitive columns, and gives it back."""
    on = f"TABLE {qualified(table)}"
    taken = [(each, _those(each)) for each in table.rights if each.grantee == grantee]
    pairs = [taking(table.rights, [each for each in taken if each[1]], on, table.owner)]
    for column in table.columns:
        if column.name in table.sensitive:
            single = [(each, _those(each)) for each in column.rights if each.grantee == grantee]
            single = [each for each in single if each[1]]
            pairs.append(taking(column.rights, single, on, table.owner, column=column.name))
    away = tuple(sql for pair in pairs for sql in pair[0])
    back = tuple(sql for pair in pairs for sql in pair[1])
    return away, back


def _those(right: Right) -> tuple[str, ...]:
    return tuple(name for name in right.privileges if name in _NEVER)


def _opened(table: Table, grantee: str, role: Role | None) -> Iterator[Step]:
    """Where a role has read the whole, it reads the other columns."""
    had = any(each.grantee == grantee and "SELECT" in each.privileges for each in table.rights)
    if had and (grantee == PUBLIC or role is not None):
        yield from _columns(table, grantee, [each.name for each in table.columns])


def _kept(table: Table, role: str, seen: Seen) -> Iterator[Step]:
    """What a membership gave beside the sensitive columns; of a new role, the other columns."""
    direct = {name for each in table.rights if each.grantee == role for name in each.privileges}
    if seen.role is None:
        yield from _columns(table, role, [each.name for each in table.columns])
    elif "SELECT" not in direct and any(each.reaches for each in seen.memberships):
        yield from _columns(table, role, [each.name for each in table.readable])
    if seen.role is None or any(each.reaches for each in seen.memberships):
        writes = [name for name in table.writes if name not in direct]
        if writes:
            on = f"TABLE {qualified(table)}"
            yield Step(
                what=f"{role} keeps {several(writes)} on {table.schema}.{table.name}",
                sql=(grant(writes, on, role),),
                undo=(revoke(writes, on, role),),
            )
    if not seen.schemas.get(table.schema, False) and (seen.role is None):
        on = f"SCHEMA {identifier(table.schema)}"
        sql, undo = grant(("USAGE",), on, role), revoke(("USAGE",), on, role)
        yield Step(what=f"{role} finds tables in {table.schema}", sql=(sql,), undo=(undo,))


def _columns(table: Table, grantee: str, candidates: Sequence[str]) -> Iterator[Step]:
    own = {
        column.name
        for column in table.columns
        for each in column.rights
        if each.grantee == grantee and "SELECT" in each.privileges
    }
    open_ = [name for name in candidates if name not in table.sensitive and name not in own]
    if open_:
        on = f"TABLE {qualified(table)}"
        yield Step(
            what=f"{grantee or 'everybody'} reads {several(open_)} of {table.schema}.{table.name}",
            sql=(grant(("SELECT",), on, grantee, columns=open_),),
            undo=(revoke(("SELECT",), on, grantee, columns=open_),),
        )


def _defaults(seen: Seen, wanted: Wanted) -> Iterator[Step]:
    """A table that is made anew, or a new partition, is not to be open again by itself."""
    for each in seen.defaults:
        if each.right.grantee not in {wanted.role, PUBLIC}:
            continue
        taken = _those(each.right)
        if not taken:
            continue
        whom = each.right.grantee or "everybody"
        inside = f" IN SCHEMA {identifier(each.schema)}" if each.schema else ""
        head = f"ALTER DEFAULT PRIVILEGES FOR ROLE {identifier(each.owner)}{inside}"
        back: list[str] = []
        for name in taken:
            handed = " WITH GRANT OPTION" if name in each.right.grantable else ""
            back.append(f"{head} {grant((name,), 'TABLES', each.right.grantee)}{handed}")
        yield Step(
            what=f"Tables that {each.owner} makes{f' in {each.schema}' if each.schema else ''} are"
            f" not {whom}'s to read by themselves",
            sql=(f"{head} {revoke(taken, 'TABLES', each.right.grantee)}",),
            undo=tuple(back),
        )


def _viewed(seen: Seen) -> list[Table]:
    return [each for each in seen.tables if seen.role is None or each.readable]


def _names(seen: Seen, wanted: Wanted) -> dict[int, str]:
    usual = seen.role.path or seen.role.usual if seen.role else '"$user", public'
    path = [wanted.role if name == "$user" else name for name in items(usual)]
    return names(_viewed(seen), path)


def _views(seen: Seen, wanted: Wanted, warnings: list[str]) -> Iterator[Step]:
    tables = _viewed(seen)
    if not tables:
        warnings.append(f"{wanted.role} reads none of these tables, so there are no masked views.")
        return
    schema = identifier(wanted.schema)
    on = f"SCHEMA {schema}"
    if wanted.schema not in seen.schemas:
        yield Step(
            what=f"Make the schema {wanted.schema} for masked views",
            sql=(f"CREATE SCHEMA {schema}", f"COMMENT ON SCHEMA {schema} IS '{MARK}'"),
            undo=(f"DROP SCHEMA {schema}",),
        )
    if not seen.schemas.get(wanted.schema, False):
        sql, undo = grant(("USAGE",), on, wanted.role), revoke(("USAGE",), on, wanted.role)
        yield Step(what=f"{wanted.role} finds what is in it", sql=(sql,), undo=(undo,))
    called = _names(seen, wanted)
    made = [(table, view(_as_new(table, seen), wanted.schema, seen.version)) for table in tables]
    owners = sorted({table.owner for table, each in made if each and each.keyed})
    if owners:
        yield _key(wanted, owners, seen.me)
    if not seen.superuser:
        for owner in sorted({table.owner for table in tables} - {seen.me}):
            sql, undo = grant(("CREATE",), on, owner), revoke(("CREATE",), on, owner)
            usage, unused = grant(("USAGE",), on, owner), revoke(("USAGE",), on, owner)
            what = f"{owner} may own views there"
            yield Step(what=what, sql=(sql, usage), undo=(unused, undo))
    for table, each in made:
        if each is None:
            warnings.append(
                f"{table.schema}.{table.name} has row security, which a masked view would pass by,"
                " so there is none: columns that are not sensitive are read from the table itself."
            )
        else:
            yield _view(table, each, called[table.oid], wanted)
            warnings += _lost(table, each, called[table.oid], wanted)
    if wanted.login:
        yield _path(seen, wanted)
    else:
        warnings.append(
            f"{wanted.role} does not sign in itself: say `schemas: [{wanted.schema}, …]` in the"
            " listener's `session_role`, so that the views are found first."
        )


def _view(table: Table, each: View, called: str, wanted: Wanted) -> Step:
    full = f"{identifier(wanted.schema)}.{identifier(called)}"
    by = "its own rights" if each.invoker else f"the rights of {table.owner}"
    return Step(
        what=f"{wanted.schema}.{called} shows {table.schema}.{table.name} with"
        f" {several(table.sensitive)} masked, by {by}",
        sql=(
            f"CREATE VIEW {full} WITH ({each.options}) AS {each.sql}",
            f"COMMENT ON VIEW {full} IS '{MARK}'",
            f"ALTER VIEW {full} OWNER TO {identifier(table.owner)}",
            grant(("SELECT", *table.writes), f"TABLE {full}", wanted.role),
        ),
        undo=(f"DROP VIEW {full}",),
    )


def _lost(table: Table, each: View, called: str, wanted: Wanted) -> Iterator[str]:
    """What somebody may not expect of a view."""
    name = f"{table.schema}.{table.name}"
    why = " where row security is on" if table.row_security else ""
    for column, method in each.lost:
        yield f"{name}.{column} is NULL there: no view makes `{method}` of it{why}."
    full = f"{wanted.schema}.{called}"
    if wanted.wire and not each.invoker and full not in wanted.trusted:
        yield f"proctor masks these columns, too: it refuses {full} unless that is `trusted`."
    if called != table.name:
        yield f"{name} is shown as {wanted.schema}.{called}: another has its name."


def _as_new(table: Table, seen: Seen) -> Table:
    """Of a new role's: all columns are shown."""
    if seen.role is not None:
        return table
    columns = tuple(replace(each, readable=True) for each in table.columns)
    return replace(table, columns=columns)


def _key(wanted: Wanted, owners: Sequence[str], me: str) -> Step:
    full = f"{identifier(wanted.schema)}.{KEY}"
    random = "convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')"
    readers = [grant(("SELECT",), f"TABLE {full}", owner) for owner in owners if owner != me]
    return Step(
        what="A key for hashes, made by the server, which only the views' owners read",
        sql=(f"CREATE TABLE {full} AS SELECT sha256({random}) AS key", *readers),
        undo=(f"DROP TABLE {full}",),
    )


def _path(seen: Seen, wanted: Wanted) -> Step:
    role = f"{identifier(wanted.role)} IN DATABASE {identifier(wanted.database)}"
    old = seen.role.path if seen.role else None
    usual = seen.role.usual if seen.role else '"$user", public'
    before = [name for name in items(old or usual) if name != wanted.schema]
    path = ", ".join(map(identifier, (wanted.schema, *before)))
    if old is None:
        undo = f"ALTER ROLE {role} RESET search_path"
    else:
        written = ", ".join(map(identifier, items(old))) or "''"
        undo = f"ALTER ROLE {role} SET search_path TO {written}"
    return Step(
        what=f"{wanted.role} finds the views before the tables",
        sql=(f"ALTER ROLE {role} SET search_path TO {path}",),
        undo=(undo,),
    )


def items(path: str) -> tuple[str, ...]:
    """The schemas of a search path as a setting has it: roles set their own, so it is read anew."""
    found: list[str] = []
    at = 0
    while at < len(path):
        match = _ITEM.match(path, at)
        if match is None:
            break
        quoted, plain = match.groups()
        name = quoted.replace('""', '"') if quoted is not None else plain.lower()
        if name:
            found.append(name)
        at = match.end()
    return tuple(found)
