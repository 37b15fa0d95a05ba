"""Ways that are left, at real servers."""

from dataclasses import replace
from pathlib import Path

import pytest

from proctor.postgres.hardening.inventory import Kind, Way, inventory
from proctor.postgres.hardening.model import Wanted
from proctor.postgres.masking.model import Sensitive
from tests.postgres.hardening.shop import BY_EVERYBODY, BY_MEMBERSHIP, PASSWORD, Shop, shop
from tests.postgres.server import Server

WAYS = """
CREATE VIEW contacts AS SELECT id, email FROM users; ALTER VIEW contacts OWNER TO {owner};
CREATE VIEW names AS SELECT id, name FROM users;
CREATE VIEW mails AS SELECT email AS mail FROM contacts;
CREATE VIEW secret AS SELECT email FROM users;
CREATE MATERIALIZED VIEW kept AS SELECT email FROM users;
CREATE FUNCTION get_mail(int) RETURNS text LANGUAGE sql SECURITY DEFINER
  AS 'SELECT email FROM users WHERE id = $1';
CREATE FUNCTION quiet() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
  BEGIN EXECUTE 'SEL' || 'ECT 1'; RETURN ''; END $$;
CREATE FUNCTION own() RETURNS text LANGUAGE sql AS 'SELECT email FROM users LIMIT 1';
CREATE FUNCTION withheld() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT 1::text';
REVOKE EXECUTE ON FUNCTION withheld() FROM PUBLIC;
CREATE TABLE log (old text);
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN INSERT INTO log VALUES (old.email); RETURN new; END $$;
CREATE TRIGGER keeping BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION keep();
CREATE RULE copying AS ON INSERT TO orders DO ALSO INSERT INTO log SELECT email FROM users;
GRANT SELECT ON contacts, names, mails, kept TO {app};
GRANT SELECT, INSERT ON orders TO {app};
GRANT SELECT (id, name) ON users TO {app};
"""


def ways(found: Shop, wanted: Wanted | None = None, *, user: str = "") -> list[Way]:
    return found.asked(lambda each: inventory(each, wanted or found.wanted), user=user or found.app)


def named(found: list[Way]) -> set[tuple[str, str]]:
    return {(each.kind.value, each.object) for each in found}


def test_what_acts_with_anothers_rights(every_postgres: Server, tmp_path: Path) -> None:
    found = shop(every_postgres, tmp_path, WAYS)
    listed = ways(found)
    assert named(listed) == {
        ("view", "public.contacts"),
        ("view", "public.mails"),
        ("copy", "public.kept"),
        ("function", "public.get_mail(integer)"),
        ("function", "public.quiet()"),
        ("trigger", "keeping on public.users"),
        ("rule", "copying on public.orders"),
    }
    by_object = {each.object: each for each in listed}
    assert by_object["public.mails"].columns == ("public.users.email",)
    assert "email and users" in by_object["public.get_mail(integer)"].how
    assert not by_object["public.quiet()"].sure
    assert [each.sure for each in listed] == sorted((each.sure for each in listed), reverse=True)
    # Each that is sure does give the value.
    for sql in (
        "SELECT * FROM contacts",
        "SELECT * FROM mails",
        "SELECT * FROM kept",
        "SELECT get_mail(1)",
    ):
        assert "ann.lee" in str(found.tried(sql)), sql


def test_what_somebody_has_looked_at(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path, WAYS)
    trusted = frozenset({"public.contacts", "public.get_mail", "public.keep", "public.kept"})
    left = named(ways(found, replace(found.wanted, trusted=trusted)))
    assert not {("view", "public.contacts"), ("trigger", "keeping on public.users")} & left
    assert ("view", "public.mails") in left  # it is another


def test_a_view_by_the_readers_rights_is_none(postgres15: Server, tmp_path: Path) -> None:
    found = shop(
        postgres15,
        tmp_path,
        WAYS + "ALTER VIEW contacts SET (security_invoker = on);"
        " ALTER VIEW mails SET (security_invoker = true);",
    )
    assert "view" not in {kind for kind, _ in named(ways(found))}
    assert str(found.tried("SELECT * FROM mails")).startswith("42501 ")


def test_after_hardening_nothing_is_left(every_postgres: Server, tmp_path: Path) -> None:
    found = shop(every_postgres, tmp_path)
    assert named(ways(found)) == {
        ("right", "public.users.email"),
        ("right", "public.users.ssn"),
    }
    found.apply()
    assert ways(found) == []
    assert ways(found, user="postgres") == []
    found.execute("CREATE VIEW over AS SELECT * FROM masked.users; GRANT SELECT ON over TO {app}")
    assert ways(found) == []


def test_a_column_that_came_later(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)
    found.apply()
    found.execute("ALTER TABLE users ADD phone text")
    assert named(ways(found)) == {("new", "public.users.phone")}
    assert str(found.tried("SELECT phone FROM public.users")).startswith("42501 ")


def test_rights_by_others(postgres16: Server, tmp_path: Path) -> None:
    found = shop(postgres16, tmp_path, BY_MEMBERSHIP)
    (email, _) = ways(found)
    assert email.kind is Kind.RIGHT
    found.execute("GRANT {owner}, pg_read_all_data TO {app}")
    found.execute("ALTER ROLE {app} NOINHERIT CREATEROLE")
    assert {
        ("role", found.app),
        ("member", "pg_read_all_data"),
        ("owner", "public.users"),
    } <= named(ways(found))


def test_everybodys(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path, BY_EVERYBODY)
    assert {each.how for each in ways(found)} == {"everybody may select it"}


def test_noinherit_is_no_wall(postgres18: Server, tmp_path: Path) -> None:
    """SET ROLE is all it takes."""
    found = shop(
        postgres18,
        tmp_path,
        "GRANT SELECT ON users TO {readers}; GRANT {readers} TO {app} WITH INHERIT FALSE;",
    )
    assert str(found.tried("SELECT email FROM users")).startswith("42501 ")
    assert "ann.lee" in str(found.tried("SET ROLE {readers}; SELECT email FROM users"))
    assert "can become readers" in ways(found)[0].how
    found.apply()
    assert ways(found) == []


def test_other_servers_and_languages(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path, "CREATE SCHEMA tools;")
    extensions = {row[0] for row in found.execute("SELECT name FROM pg_available_extensions")}
    if not {"dblink", "postgres_fdw"} <= extensions:
        pytest.skip("postgresql-contrib is missing")
    found.execute(
        "CREATE EXTENSION dblink SCHEMA tools; CREATE EXTENSION postgres_fdw SCHEMA tools;"
        " CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;"
        " CREATE USER MAPPING FOR PUBLIC SERVER far;"
        " CREATE FOREIGN TABLE distant (email text) SERVER far;"
        " GRANT SELECT ON distant TO {app}; GRANT USAGE ON FOREIGN SERVER far TO {app}"
    )
    assert {
        ("extension", "dblink"),
        ("extension", "postgres_fdw"),
        ("foreign", "public.distant"),
        ("foreign", "far"),
    } <= named(ways(found))


def test_nobody_to_keep_it_from(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)
    assert ways(found, replace(found.wanted, role="nobody there"), user="postgres") == []


def test_a_role_with_no_reach(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path, "SELECT 1;")
    other = replace(
        found.wanted, columns=(Sensitive(schema="public", table="orders", column="who"),)
    )
    assert ways(found, other) == []
    assert PASSWORD not in str(ways(found))
