"""Plans applied to real servers, every way to a sensitive column before and after, and undone."""

from dataclasses import replace
from pathlib import Path

import pytest

from proctor.errors import ClientError, ConfigurationError, InternalError
from proctor.postgres.hardening.stored import Plans
from proctor.postgres.masking.model import Method, Sensitive
from tests.postgres.hardening.shop import (
    BY_EVERYBODY,
    BY_MEMBERSHIP,
    DIRECT,
    EMAIL,
    PASSWORD,
    SSN,
    Shop,
    shop,
)
from tests.postgres.server import Server

# By channel; before, those in SHOW give the value away as it is.
CHANNELS = {
    "column": "SELECT email FROM public.users",
    "star": "SELECT * FROM public.users",
    "where": "SELECT id FROM public.users WHERE email LIKE 'ann.lee@%'",
    "order": "SELECT id FROM public.users ORDER BY email",
    "row": "SELECT row_to_json(u) FROM public.users u",
    "composite": "SELECT (u).email FROM public.users u",
    "text": "SELECT u::text FROM public.users u",
    "explain": "EXPLAIN ANALYZE SELECT 1 FROM public.users WHERE email = 'x'",
    "xml": "SELECT query_to_xml('SELECT email FROM public.users', true, false, '')",
    "table xml": "SELECT table_to_xml('public.users'::regclass, true, false, '')",
    "do": "DO $$ BEGIN RAISE NOTICE '%', (SELECT email FROM public.users WHERE id = 1); END $$",
    "cast": "SELECT email::int FROM public.users",
    "returning": "UPDATE public.users SET name = name WHERE id = 1 RETURNING email",
    "self": "UPDATE public.users SET name = email WHERE id = 1",
    "from": "UPDATE public.orders o SET who = 1 FROM public.users u WHERE u.email = 'x'",
    "locks": "SELECT * FROM public.users FOR UPDATE",
    "cursor": "DECLARE c CURSOR WITH HOLD FOR SELECT email FROM public.users; FETCH ALL FROM c",
    "function": "CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql AS"
    " 'SELECT email FROM public.users WHERE id = 1'; SELECT pg_temp.f()",
    "view": "CREATE TEMP VIEW v AS SELECT email FROM public.users; SELECT * FROM v",
    "into": "CREATE TEMP TABLE t AS SELECT email FROM public.users; SELECT * FROM t",
    "reset": "RESET ROLE; SELECT email FROM public.users",
}

SHOW = (
    "column",
    "star",
    "row",
    "composite",
    "text",
    "do",
    "cast",
    "cursor",
    "view",
    "into",
)


@pytest.mark.parametrize("way", [DIRECT, BY_MEMBERSHIP], ids=["own", "group"])
def test_no_channel_is_left_and_undo_restores_it(
    every_postgres: Server, tmp_path: Path, way: str
) -> None:
    channels(shop(every_postgres, tmp_path, way))


def test_what_is_open_to_everybody(postgres15: Server, tmp_path: Path) -> None:
    channels(shop(postgres15, tmp_path, BY_EVERYBODY))


def channels(found: Shop) -> None:
    """Before, after, and as before again."""
    before = found.dumped()
    for name in SHOW:
        assert EMAIL in str(found.tried(CHANNELS[name])), name
    assert EMAIL in found.copied()
    assert found.tried("SELECT count(*) FROM pg_stats WHERE attname = 'email'") == [(1,)]
    found.apply()
    for name, sql in CHANNELS.items():
        said = str(found.tried(sql))
        # The wheel's servers have no libxml.
        assert said.startswith(("42501 ", "0A000 unsupported XML")), (name, said)
        assert EMAIL not in said, name
    assert found.copied() == "42501"
    assert found.tried("SELECT count(*) FROM pg_stats WHERE attname IN ('email', 'ssn')") == [(0,)]
    assert found.tried("SELECT id, name FROM public.users ORDER BY id")[0] == (1, "Ann")
    assert found.tried("SELECT who FROM orders") == [(1,)]
    rows = found.tried("SELECT email, ssn, name, id FROM users ORDER BY id")
    assert isinstance(rows, list)
    ann, bob = rows
    assert (ann[0], ann[2:], bob[0]) == ("a***@***.com", ("Ann", 1), None)
    assert len(str(ann[1])) == 32
    assert SSN not in str(found.tried("SELECT * FROM users"))
    assert found.undo()
    assert found.dumped() == before
    assert EMAIL in str(found.tried(CHANNELS["star"]))
    assert not found.plans.path(found.wanted).exists()
    assert not found.undo()


def test_a_mask_leaks_by_no_error_and_no_plan(postgres15: Server, tmp_path: Path) -> None:
    """A view's conditions come before the caller's (security_barrier)."""
    found = shop(postgres15, tmp_path)
    found.apply()
    asked = (
        "CREATE FUNCTION pg_temp.leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS $$"
        " BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$;"
        " SELECT id FROM users WHERE pg_temp.leak(email)"
    )
    said = str(found.tried(asked))
    assert "seen a***@***.com" in said
    assert EMAIL not in said
    assert EMAIL not in str(found.tried("EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM users"))
    assert str(found.tried("SELECT key FROM masked.proctor_key")).startswith("42501 ")
    assert EMAIL not in str(
        found.tried("INSERT INTO public.users (id, name, email) VALUES (1, 'x', 'y')")
    )
    assert SSN not in str(found.tried("UPDATE public.users SET id = NULL WHERE id = 1"))


def test_writing_goes_on_through_the_view(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)
    found.apply()
    assert found.tried("INSERT INTO users (id, name) VALUES (3, 'Cy')") == []
    assert found.tried("UPDATE users SET name = 'Cyn' WHERE id = 3 RETURNING name, email") == [
        ("Cyn", None)
    ]
    assert str(found.tried("UPDATE users SET email = 'x'")).startswith("0A000 ")
    assert str(found.tried("DELETE FROM users")).startswith("42501 ")


def test_a_role_is_made_that_is_weak(every_postgres: Server, tmp_path: Path) -> None:
    found = shop(every_postgres, tmp_path)
    found.execute("DROP OWNED BY {app}; DROP ROLE {app}")
    applied = found.apply()
    assert EMAIL not in str(found.tried("SELECT * FROM users"))
    assert len(found.tried("SELECT id, name, email FROM users")) == 2
    assert str(found.tried("SELECT email FROM public.users")).startswith("42501 ")
    assert found.tried(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles"
        " WHERE rolname = current_user"
    ) == [(False,) * 5]
    assert PASSWORD not in every_postgres.log()
    assert PASSWORD not in found.plans.path(found.wanted).read_text()
    assert PASSWORD not in repr(applied)
    assert "SCRAM-SHA-256$" not in found.plans.path(found.wanted).read_text()
    assert found.undo()
    assert found.execute("SELECT 1 FROM pg_roles WHERE rolname = '{app}'") == []


def test_powers_are_taken_and_given_back(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path, DIRECT + "ALTER ROLE {app} SUPERUSER CREATEROLE BYPASSRLS;")
    found.apply()
    assert str(found.tried("SELECT email FROM public.users")).startswith("42501 ")
    assert found.undo()
    assert found.tried("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(True,)]


def test_partitions_children_and_parents(postgres16: Server, tmp_path: Path) -> None:
    found = shop(
        postgres16,
        tmp_path,
        """CREATE TABLE people (id int, email text) PARTITION BY RANGE (id);
        CREATE TABLE people_1 PARTITION OF people FOR VALUES FROM (0) TO (10);
        CREATE TABLE people_2 PARTITION OF people FOR VALUES FROM (10) TO (20);
        INSERT INTO people VALUES (1, 'p1@example.com'), (11, 'p2@example.com');
        CREATE TABLE base (email text); CREATE TABLE derived (id int) INHERITS (base);
        INSERT INTO derived VALUES ('d@example.com', 1);
        GRANT SELECT ON people, people_1, base, derived TO {app};
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {app};""",
    )
    wanted = replace(
        found.wanted,
        columns=(
            Sensitive(
                schema="public", table="people", column="email", method=Method.FIXED, value="hidden"
            ),
            Sensitive(schema="public", table="derived", column="email"),
        ),
    )
    before = found.dumped()
    found = replace(found, wanted=wanted)
    found.apply()
    for table in ("people", "people_1", "people_2", "base", "derived"):
        said = str(found.tried(f"SELECT email FROM public.{table}"))  # noqa: S608 - ours
        assert said.startswith("42501 "), table
    assert set(found.tried("SELECT email FROM people")) == {("hidden",)}
    assert found.tried("SELECT email FROM people_1") == [("hidden",)]
    assert found.tried("SELECT email FROM base") == [(None,)]
    # A partition made later is closed by itself, since the default right is gone.
    found.execute("CREATE TABLE people_3 PARTITION OF people FOR VALUES FROM (20) TO (30)")
    assert str(found.tried("SELECT * FROM public.people_3")).startswith("42501 ")
    found.execute("DROP TABLE people_3")
    assert found.undo()
    assert found.dumped() == before


def test_row_security_holds_in_the_view(every_postgres: Server, tmp_path: Path) -> None:
    found = shop(
        every_postgres,
        tmp_path,
        DIRECT + "ALTER TABLE users ENABLE ROW LEVEL SECURITY;"
        " CREATE POLICY own ON users FOR SELECT TO {app} USING (id = 2);",
    )
    shown = found.shown()
    assert any("row security" in each for each in shown.plan.warnings)
    found.apply()
    assert found.tried("SELECT id, email FROM users") == [(2, None)]


def test_order_of_rights_comes_back(postgres15: Server, tmp_path: Path) -> None:
    found = shop(
        postgres15,
        tmp_path,
        "GRANT SELECT ON users TO {auditors}; GRANT SELECT ON users TO {app};"
        " GRANT SELECT, INSERT ON users TO {readers}; GRANT SELECT (email) ON users TO {app};"
        " GRANT SELECT (email) ON users TO {auditors};",
    )
    before = found.dumped()
    found.apply()
    assert found.dumped() != before
    found.undo()
    assert found.dumped() == before


def test_a_right_handed_on_by_another(postgres15: Server, tmp_path: Path) -> None:
    found = shop(
        postgres15,
        tmp_path,
        "GRANT SELECT ON users TO {readers} WITH GRANT OPTION; SET ROLE {readers};"
        " GRANT SELECT ON users TO {app}; RESET ROLE; GRANT SELECT ON users TO {auditors};",
    )
    before = found.dumped()
    found.apply()
    assert str(found.tried("SELECT email FROM public.users")).startswith("42501 ")
    found.undo()
    assert sorted(found.dumped().splitlines()) == sorted(before.splitlines())


def test_again_with_another_column(postgres15: Server, tmp_path: Path) -> None:
    """The plan in force is taken back and made anew, in one transaction."""
    found = shop(postgres15, tmp_path)
    before = found.dumped()
    found.apply()
    more = replace(
        found.wanted,
        columns=(*found.wanted.columns, Sensitive(schema="public", table="users", column="name")),
    )
    assert found.shown(more).replaces == "2031-05-06T07:08:09+00:00"
    found.apply(more)
    assert str(found.tried("SELECT name FROM public.users")).startswith("42501 ")
    assert found.tried("SELECT DISTINCT name FROM users") == [(None,)]
    assert replace(found, wanted=more).undo()
    assert found.dumped() == before


def test_showing_changes_nothing(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)
    before = found.dumped()
    assert found.shown().plan.steps
    assert found.dumped() == before
    assert not found.plans.path(found.wanted).exists()


def test_as_the_owner_who_is_no_superuser(postgres18: Server, tmp_path: Path) -> None:
    found = shop(postgres18, tmp_path)
    found.execute(f"ALTER ROLE {{owner}} LOGIN CREATEROLE PASSWORD '{PASSWORD}'")
    found.execute("DROP OWNED BY {app}; DROP ROLE {app}")
    found.execute(f"GRANT CREATE ON DATABASE {found.database} TO {{owner}}")
    found.apply(user=found.owner)
    assert found.tried("SELECT email FROM users WHERE id = 1") == [("a***@***.com",)]


def test_all_of_it_or_nothing(postgres15: Server, tmp_path: Path) -> None:
    """Somebody who may not do the last of it has done none of it."""
    found = shop(postgres15, tmp_path)
    before = found.dumped()
    found.execute(f"ALTER ROLE {{owner}} LOGIN PASSWORD '{PASSWORD}'")
    with pytest.raises(ClientError) as caught:
        found.apply(user=found.owner)  # it may not make a schema
    assert caught.value.code == "harden-refused"
    assert "42501" in caught.value.got
    assert found.dumped() == before
    assert not found.plans.path(found.wanted).exists()


def test_what_changed_since_is_not_overwritten(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)
    before = found.dumped()
    found.apply()
    found.execute("GRANT DELETE ON users TO {app}")
    with pytest.raises(ClientError) as caught:
        found.undo()
    assert (caught.value.code, "public.users" in caught.value.got) == ("harden-changed", True)
    with pytest.raises(ClientError):
        found.shown()
    assert found.undo(force=True)
    found.execute("REVOKE DELETE ON users FROM {app}")
    assert found.dumped() == before


def test_undone_though_the_columns_are_no_longer_configured(
    postgres15: Server, tmp_path: Path
) -> None:
    found = shop(postgres15, tmp_path)
    before = found.dumped()
    found.apply()
    assert replace(found, wanted=replace(found.wanted, columns=(), schema="")).undo()
    assert found.dumped() == before


def test_undone_by_force_though_a_table_is_gone(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)
    found.apply()
    found.execute("DROP TABLE users CASCADE")
    with pytest.raises(ClientError) as caught:
        found.undo()
    assert caught.value.code == "harden-changed"
    assert found.undo(force=True)
    assert found.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'masked'") == []


def test_another_plan_than_the_one_shown(
    postgres15: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = shop(postgres15, tmp_path)
    shown = found.shown()
    found.execute("GRANT SELECT ON users TO PUBLIC")
    monkeypatch.setattr("proctor.postgres.hardening.applying.show", _given(shown))
    with pytest.raises(ClientError) as caught:
        found.apply()
    assert caught.value.code == "harden-changed"
    assert EMAIL in str(found.tried("SELECT email FROM public.users"))


def _given(shown: object) -> object:
    async def show(*_: object) -> object:
        return shown

    return show


def test_a_commit_that_never_was(postgres15: Server, tmp_path: Path) -> None:
    """The file is written first; where the server then took nothing, there is nothing to undo."""
    found = shop(postgres15, tmp_path)
    applied = found.apply()
    found.undo()
    Plans(found.folder).keep(found.wanted, applied)
    assert not found.undo()
    assert not found.plans.path(found.wanted).exists()


def test_an_owner_is_no_role_to_keep_anything_from(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path, DIRECT + "ALTER TABLE users OWNER TO {app};")
    with pytest.raises(ConfigurationError) as caught:
        found.shown()
    assert caught.value.code == "harden-role"


def test_no_such_column(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)
    wrong = replace(
        found.wanted, columns=(Sensitive(schema="public", table="users", column="mail"),)
    )
    with pytest.raises(ConfigurationError) as caught:
        found.shown(wrong)
    assert caught.value.code == "harden-column"


def test_a_schema_that_has_one_of_the_names(postgres15: Server, tmp_path: Path) -> None:
    found = shop(
        postgres15, tmp_path, DIRECT + "CREATE SCHEMA masked; CREATE TABLE masked.users ();"
    )
    with pytest.raises(ConfigurationError) as caught:
        found.shown()
    assert caught.value.code == "harden-schema"


def test_a_way_that_is_left_undoes_all(
    postgres15: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should planning miss one, the check at the end does not."""
    found = shop(postgres15, tmp_path, BY_EVERYBODY)
    monkeypatch.setattr("proctor.postgres.hardening.planning.PUBLIC", "nobody")
    with pytest.raises(InternalError) as caught:
        found.apply()
    assert caught.value.code == "harden-open"
    assert EMAIL in str(found.tried("SELECT email FROM public.users"))


def test_names_that_need_quotes(postgres15: Server, tmp_path: Path) -> None:
    found = shop(
        postgres15,
        tmp_path,
        """CREATE SCHEMA "We""ird"; CREATE TABLE "We""ird"."Us'ers; --" ("E mail" text, "id$" int);
        INSERT INTO "We""ird"."Us'ers; --" VALUES ('weird@example.com', 1);
        GRANT USAGE ON SCHEMA "We""ird" TO {app};
        GRANT SELECT ON "We""ird"."Us'ers; --" TO {app};""",
    )
    column = Sensitive(
        schema='We"ird', table="Us'ers; --", column="E mail", method=Method.FIXED, value="it's \\ x"
    )
    before = found.dumped()
    found = replace(found, wanted=replace(found.wanted, columns=(column,), schema='Ma"sk'))
    found.apply()
    assert found.tried("""SELECT "E mail", "id$" FROM "Us'ers; --" """) == [("it's \\ x", 1)]
    found.undo()
    assert found.dumped() == before


def test_a_search_path_that_was_set(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)
    path = f"ALTER ROLE {{app}} IN DATABASE {found.database} SET search_path"
    found.execute(f"""{path} = '$user', 'Odd "one', public""")
    found.apply()
    assert found.tried("SHOW search_path") == [('masked, "$user", "Odd ""one", public',)]
    found.undo()
    assert found.tried("SHOW search_path") == [('"$user", "Odd ""one", public',)]
