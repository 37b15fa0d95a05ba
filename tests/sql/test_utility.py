"""Verbs, and what statements change, name and endanger."""

import pytest

from proctor.sql.statement import Change, Copy, Reference
from tests.support.sqlnames import statement


@pytest.mark.parametrize(
    ("text", "verbs"),
    [
        ("VALUES (1)", "SELECT"),
        ("SELECT 1 INTO t", "CREATE SELECT"),
        ("CREATE TABLE t AS SELECT 1", "CREATE SELECT"),
        ("CREATE TABLE t AS EXECUTE p", "CREATE EXECUTE"),
        ("CREATE MATERIALIZED VIEW t AS SELECT 1", "CREATE SELECT"),
        ("CREATE SCHEMA s CREATE TABLE t (a int) GRANT SELECT ON t TO bob", "CREATE GRANT"),
        ("WITH x AS (DELETE FROM a), y AS (INSERT INTO b TABLE c) SELECT 1",
         "SELECT DELETE INSERT"),
        ("EXPLAIN DELETE FROM a", "EXPLAIN"),
        ("EXPLAIN ANALYZE DELETE FROM a", "EXPLAIN DELETE"),
        ("EXPLAIN (ANALYZE, COSTS OFF) DELETE FROM a", "EXPLAIN DELETE"),
        ("EXPLAIN (ANALYZE FALSE) DELETE FROM a", "EXPLAIN"),
        ("EXPLAIN (ANALYZE 0) DELETE FROM a", "EXPLAIN"),
        ("EXPLAIN (ANALYZE off, ANALYZE 'ON') DELETE FROM a", "EXPLAIN DELETE"),
        ("EXPLAIN (VERBOSE) WITH x AS (DELETE FROM a) SELECT 1", "EXPLAIN"),
        ("PREPARE p AS INSERT INTO a VALUES ($1)", "PREPARE INSERT"),
        ("EXECUTE p(1)", "EXECUTE"),
        ("DECLARE c CURSOR FOR SELECT 1", "DECLARE SELECT"),
        ("COPY (DELETE FROM a RETURNING *) TO STDOUT", "COPY DELETE"),
        ("BEGIN", "BEGIN"), ("START TRANSACTION", "BEGIN"), ("END", "COMMIT"),
        ("ABORT", "ROLLBACK"), ("ROLLBACK TO s", "ROLLBACK"), ("SAVEPOINT s", "SAVEPOINT"),
        ("RELEASE s", "RELEASE"), ("PREPARE TRANSACTION 'x'", "PREPARE"),
        ("SET a = 1", "SET"), ("RESET ALL", "RESET"), ("SHOW a", "SHOW"),
        ("GRANT a TO b", "GRANT"), ("REVOKE SELECT ON a FROM b", "REVOKE"),
        ("VACUUM", "VACUUM"), ("ANALYZE", "ANALYZE"), ("FETCH c", "FETCH"), ("MOVE c", "MOVE"),
        ("DO $$x$$", "DO"), ("CALL f()", "CALL"), ("LOAD 'x'", "LOAD"), ("NOTIFY a", "NOTIFY"),
        ("IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c", "IMPORT"),
        ("SECURITY LABEL ON TABLE a IS 'x'", "SECURITY"),
        ("ALTER SYSTEM SET a = 1", "ALTER"), ("COMMENT ON TABLE a IS 'x'", "COMMENT"),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC DELETE FROM a; END", "CREATE"),
        ("CREATE RULE r AS ON INSERT TO a DO DELETE FROM b", "CREATE"),
    ],
)  # fmt: skip
def test_verbs(text: str, verbs: str) -> None:
    assert statement(text).verbs == tuple(verbs.split())


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1", "SHOW a", "BEGIN", "COMMIT", "SET a = 1", "EXPLAIN DELETE FROM a",
        "COPY a TO STDOUT", "COPY (SELECT 1) TO STDOUT", "FETCH c", "CLOSE c", "LISTEN a",
        "DECLARE c CURSOR FOR SELECT 1", "PREPARE p AS SELECT 1", "EXPLAIN ANALYZE SELECT 1",
    ],
)  # fmt: skip
def test_read_only(text: str) -> None:
    assert statement(text).read_only


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 FROM a FOR UPDATE", "SELECT (SELECT 1 FROM a FOR SHARE)", "SELECT 1 INTO t",
        "WITH x AS (DELETE FROM a) SELECT 1", "EXPLAIN ANALYZE DELETE FROM a", "LOCK a",
        "COPY a FROM STDIN", "COPY a TO '/x'", "COPY a TO PROGRAM 'x'", "NOTIFY a",
        "COPY (DELETE FROM a RETURNING *) TO STDOUT", "PREPARE p AS DELETE FROM a", "EXECUTE p",
        "CREATE TABLE a ()", "DO 'x'", "CALL f()", "VACUUM", "GRANT a TO b",
        "CREATE RULE r AS ON INSERT TO a DO NOTHING", "PREPARE TRANSACTION 'x'",
        "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
    ],
)  # fmt: skip
def test_not_read_only(text: str) -> None:
    assert not statement(text).read_only


@pytest.mark.parametrize(
    ("text", "changes", "settings", "dangerous"),
    [
        ("SET search_path = a, b", "search_path setting", "search_path", ""),
        ("SET LOCAL work_mem = 1", "setting", "work_mem", ""),
        ("SET ROLE bob", "role setting", "role", ""),
        ("SET SESSION AUTHORIZATION bob", "role setting", "session_authorization",
         "session authorization"),
        ("SET NAMES 'latin1'", "encoding setting", "client_encoding", ""),
        ("RESET search_path", "search_path setting", "search_path", ""),
        ("RESET ALL", "encoding role search_path setting", "*",
         "backslash_quote standard_conforming_strings"),
        ("SET standard_conforming_strings = off", "setting", "standard_conforming_strings",
         "standard_conforming_strings"),
        ("SET standard_conforming_strings = on", "setting", "standard_conforming_strings", ""),
        ("SET standard_conforming_strings = true", "setting", "standard_conforming_strings", ""),
        ("RESET standard_conforming_strings", "setting", "standard_conforming_strings",
         "standard_conforming_strings"),
        ("SET Standard_Conforming_Strings TO DEFAULT", "setting", "standard_conforming_strings",
         "standard_conforming_strings"),
        ("SELECT set_config('Search_Path', 'x', false)", "search_path setting", "search_path", ""),
        ("SELECT set_config('standard_conforming_strings', 'of'||'f', true)", "setting",
         "standard_conforming_strings", "standard_conforming_strings"),
        ("SELECT pg_catalog.set_config(a, b, false) FROM t", "encoding role search_path setting",
         "*", "backslash_quote standard_conforming_strings"),
        ("UPDATE pg_settings SET setting = 'x' WHERE name = 'search_path'",
         "encoding role search_path setting", "*", "backslash_quote standard_conforming_strings"),
        ("WITH a AS (UPDATE pg_catalog.pg_settings s SET setting = 'x' RETURNING 1) TABLE a",
         "encoding role search_path setting", "*", "backslash_quote standard_conforming_strings"),
        ("SELECT setting FROM pg_settings FOR UPDATE", "", "", ""),
        ("SET TRANSACTION READ ONLY", "transaction", "", ""),
        ("BEGIN", "transaction", "", ""),
        ("PREPARE TRANSACTION 'x'", "transaction", "", "prepared transaction"),
        ("CREATE TEMP TABLE t ()", "catalog temp", "", ""),
        ("CREATE TABLE pg_temp.t ()", "catalog temp", "", ""),
        ("SELECT 1 INTO TEMP t", "catalog temp", "", ""),
        ("CREATE TEMP VIEW v AS SELECT 1", "catalog temp", "", ""),
        ("DISCARD TEMP", "temp", "", ""),
        ("PREPARE p AS SELECT 1", "prepared", "", ""),
        ("CLOSE ALL", "cursor", "", ""),
        ("DO 'x'", "unknown", "", "do"),
        ("LOAD 'x'", "unknown", "", "load"),
        ("CALL f()", "unknown", "", ""),
        ("ALTER ROLE bob SET search_path = x", "catalog", "", "role"),
        ("CREATE FUNCTION f() RETURNS int SET search_path = x RETURN 1", "catalog", "", ""),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'x'", "catalog", "", "function body"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE C AS 'x', 'y'", "catalog", "",
         "c function function body"),
        ("CREATE FUNCTION f() RETURNS int SECURITY DEFINER RETURN 1", "catalog", "",
         "security definer"),
        ("ALTER FUNCTION f() SECURITY DEFINER", "catalog", "", "security definer"),
        ("ALTER FUNCTION f() SECURITY INVOKER", "catalog", "", ""),
        ("CREATE RULE r AS ON INSERT TO a DO NOTHING", "catalog", "", "rule"),
        ("COPY a FROM PROGRAM 'x'", "", "", "copy program"),
        ("COPY a TO '/etc/x'", "", "", "copy file"),
        ("COPY a TO STDOUT", "", "", ""),
        ("ALTER SYSTEM SET a = 1", "catalog", "", "alter system"),
        ("CREATE EXTENSION dblink", "catalog", "", "extension"),
        ("CREATE SERVER s FOREIGN DATA WRAPPER w", "catalog", "", "foreign data"),
        ("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", "catalog", "", "replication"),
    ],
)  # fmt: skip
def test_what_is_changed(text: str, changes: str, settings: str, dangerous: str) -> None:
    one = statement(text)
    assert sorted(one.changes) == changes.split()
    assert one.settings == tuple(settings.split())
    assert " ".join(sorted(one.dangerous)) == dangerous


def test_discard_all_forgets_everything() -> None:
    one = statement("DISCARD ALL")
    assert one.changes >= {Change.PREPARED, Change.CURSOR, Change.TEMP, Change.ROLE}
    assert (one.settings, one.deallocates, one.closes) == (("*",), "*", "*")


def test_names_of_statements_and_cursors() -> None:
    assert statement("PREPARE p AS SELECT 1").prepares == "p"
    assert statement("EXECUTE P").executes == "p"
    assert statement("EXPLAIN EXECUTE p").executes == "p"
    assert statement("CREATE TABLE t AS EXECUTE p").executes == "p"
    assert statement("DEALLOCATE p").deallocates == "p"
    assert statement("DEALLOCATE ALL").deallocates == "*"
    assert statement('DECLARE "C" CURSOR FOR SELECT 1').declares == "C"
    assert statement("FETCH ALL FROM c").fetches == "c"
    assert statement("MOVE c").fetches == "c"
    assert statement("CLOSE c").closes == "c"
    assert statement("CLOSE ALL").closes == "*"


def test_copies() -> None:
    assert statement("COPY s.a FROM PROGRAM 'x'").copies == Copy(
        outgoing=False,
        program=True,
        file=True,
        relation=Reference("", "s", "a", written=True, does="I"),
        query=False,
    )
    assert statement("COPY (SELECT 1) TO STDOUT").copies == Copy(
        outgoing=True, program=False, file=False, relation=None, query=True
    )
    assert statement("SELECT 1").copies is None


@pytest.mark.parametrize(
    ("options", "format_"),
    [
        ("", "text"),
        ("(HEADER)", "text"),
        ("(HEADER, FORMAT csv)", "csv"),
        ("CSV QUOTE '~'", "csv"),
        ("BINARY", "binary"),
        ("(FORMAT 'CSV')", "CSV"),
    ],
)
def test_the_format_of_copies(options: str, format_: str) -> None:
    copies = statement(f"COPY t TO STDOUT {options}").copies
    assert copies
    assert copies.format == format_
