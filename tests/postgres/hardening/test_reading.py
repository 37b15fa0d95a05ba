"""What a server has."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from proctor.postgres.hardening.model import PUBLIC, Right, Seen
from proctor.postgres.hardening.reading import family, opened, read, rights
from proctor.postgres.masking.model import Sensitive
from tests.postgres.hardening.shop import BY_MEMBERSHIP, Shop, shop
from tests.postgres.server import Server


def seen(found: Shop) -> Seen:
    return found.asked(lambda each: read(each, found.wanted))


def test_rights_in_their_order() -> None:
    text = '[["o","a","SELECT",false],["o","","INSERT",true],["o","a","DELETE",false]]'
    assert rights(text) == (
        Right(grantor="o", grantee="a", privileges=("DELETE", "SELECT")),
        Right(grantor="o", grantee=PUBLIC, privileges=("INSERT",), grantable=("INSERT",)),
    )
    assert rights(None) == ()


@given(st.sets(st.tuples(st.text(), st.text(), st.text(), st.booleans())))
def test_every_right_is_there(given_: set[tuple[str, str, str, bool]]) -> None:
    clean = [
        each for each in given_ if all(part.isprintable() for part in each if isinstance(part, str))
    ]
    found = rights(orjson.dumps(clean).decode())
    assert {(each.grantor, each.grantee) for each in found} == {
        (grantor, grantee) for grantor, grantee, _, _ in clean
    }


def test_a_role_by_membership(every_postgres: Server, tmp_path: Path) -> None:
    found = shop(every_postgres, tmp_path, BY_MEMBERSHIP)
    said = seen(found)
    assert said.version == int(every_postgres.version)
    (users,) = said.tables
    assert {each.name for each in users.readable} == {"id", "name", "email", "ssn", "code"}
    assert users.writes == ("UPDATE",)
    (member,) = said.memberships
    assert member.reaches == member.role == f"readers_{found.database}"
    assert ("ADMIN FALSE" in member.options) is True
    assert ("SET TRUE" in member.options) == (said.version >= 16)
    assert [(each.name, each.privileges) for each in said.compensations] == [
        ("orders", ("SELECT",))
    ]


def test_a_membership_that_reaches_nothing_by_itself(
    every_postgres: Server, tmp_path: Path
) -> None:
    """Everybody may read the table: that is no fault of the group's."""
    found = shop(
        every_postgres,
        tmp_path,
        "GRANT SELECT ON users TO PUBLIC; GRANT SELECT ON orders TO {readers};"
        " GRANT {readers} TO {app}; GRANT SELECT (ssn) ON users TO {auditors};"
        " GRANT {auditors} TO {readers};",
    )
    (member,) = seen(found).memberships
    assert member.reaches == f"auditors_{found.database}"
    found.execute("REVOKE {auditors} FROM {readers}")
    (member,) = seen(found).memberships
    assert member.reaches == ""
    found.apply()
    assert str(found.tried("SELECT email FROM public.users")).startswith("42501 ")
    assert found.tried("SELECT who FROM orders") == [(1,)]
    assert len(seen(found).memberships) == 1


def test_types_under_domains(postgres15: Server, tmp_path: Path) -> None:
    found = shop(
        postgres15,
        tmp_path,
        "CREATE DOMAIN inner_mail AS varchar(80); CREATE DOMAIN mail AS inner_mail NOT NULL;"
        " CREATE TABLE t (m mail, kind int[]); GRANT SELECT ON t TO {app};",
    )
    column = Sensitive(schema="public", table="t", column="m")
    found = replace(found, wanted=replace(found.wanted, columns=(column,)))
    (table,) = seen(found).tables
    assert [each.type for each in table.columns] == [
        ("pg_catalog", "varchar"),
        ("pg_catalog", "_int4"),
    ]
    found.execute("INSERT INTO t VALUES ('x')")
    found.apply()
    assert found.tried("SELECT m, kind FROM t") == [(None, None)]


def test_what_is_open(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)

    async def ask(connection: Any) -> tuple[str, str] | None:
        tables = await family(connection, found.wanted.columns)
        return await opened(connection, found.app, tables)

    assert found.asked(ask) == ("public.users.email", found.app)
    found.apply()
    assert found.asked(ask) is None
