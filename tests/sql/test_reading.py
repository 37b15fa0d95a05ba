"""What is written: names, calls, conditions, and what passes for a common table expression."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.sql.reading import read
from proctor.sql.statement import Call, CallKind, Place, Reference, SqlError, Use
from tests.support.sqlnames import statement


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("SELECT 1", ""),
        ("TABLE users", "users"),
        (
            'SELECT * FROM Users, "Users", public.a, shop.public.b',
            "users Users public.a shop.public.b",
        ),
        (
            "SELECT (SELECT 1 FROM a) FROM b WHERE EXISTS (TABLE c) ORDER BY (SELECT 1 FROM d)",
            "b d a c",
        ),
        ("SELECT 1 FROM a JOIN LATERAL (SELECT 1 FROM b) x ON (SELECT true FROM c)", "a b c"),
        ("SELECT * FROM ONLY a TABLESAMPLE system(1)", "a"),
        ("INSERT INTO a SELECT * FROM b ON CONFLICT DO UPDATE SET x = (SELECT 1 FROM c)", "a b c"),
        ("UPDATE a SET x = y FROM b RETURNING (SELECT 1 FROM c)", "a b c"),
        ("DELETE FROM a USING b WHERE x IN (TABLE c)", "a c b"),
        ("MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE", "a b"),
        ("COPY a TO STDOUT", "a"),
        ("COPY (SELECT 1 FROM a) TO STDOUT", "a"),
        ("TRUNCATE a, b", "a b"),
        ("LOCK TABLE a, b", "a b"),
        ("DROP TABLE a, s.b", "a s.b"),
        ("DROP VIEW a", "a"),
        ("DROP INDEX s.i", "s.i"),
        ("DROP FUNCTION f(int)", ""),
        ("DROP TRIGGER t ON a", "a"),
        ("CREATE TABLE a (LIKE b, c int REFERENCES d) INHERITS (e)", "a b d e"),
        ("CREATE TABLE a PARTITION OF b FOR VALUES IN (1)", "a b"),
        ("CREATE VIEW v AS SELECT * FROM a", "v a"),
        ("SELECT * INTO n FROM a", "a n"),
        ("CREATE INDEX ON a (lower(x))", "a"),
        ("ALTER TABLE a RENAME TO b", "a"),
        ("COMMENT ON COLUMN s.a.x IS 'y'", "s.a"),
        ("GRANT SELECT ON a, b TO bob", "a b"),
        ("ANALYZE a(x), b", "a b"),
        ("REFRESH MATERIALIZED VIEW m", "m"),
        ("CLUSTER a", "a"),
        ("EXPLAIN SELECT * FROM a", "a"),
        ("PREPARE p AS SELECT * FROM a", "a"),
        ("DECLARE c CURSOR FOR SELECT * FROM a", "a"),
        ("SELECT 's.A'::regclass, to_regclass('b'), nextval('c'), '1'::int", "s.a b c"),
        ("SELECT has_table_privilege('bob', 'a', 'SELECT')", "a"),
        ("SELECT 1 FROM a FOR UPDATE OF u", "a"),
        ("CREATE RULE r AS ON INSERT TO a DO INSTEAD DELETE FROM b", "a b"),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 FROM a; END", "a"),
        # Common table expressions.
        ("WITH x AS (SELECT 1 FROM a) SELECT * FROM x, public.x", "a public.x"),
        ("WITH x AS (TABLE x) TABLE x", "x"),
        ("WITH RECURSIVE x AS (TABLE x) TABLE x", ""),
        ("WITH y AS (TABLE x), x AS (SELECT 1) TABLE y", "x"),
        ("WITH RECURSIVE y AS (TABLE x), x AS (SELECT 1) TABLE y", ""),
        ("SELECT * FROM (WITH x AS (SELECT 1) TABLE x) q, x", "x"),
        ("WITH x AS (SELECT 1) SELECT (SELECT 1 FROM x)", ""),
        ("WITH x AS (SELECT 1) INSERT INTO x TABLE x", "x"),
        ("WITH x AS (SELECT 1) UPDATE x SET a = 1 FROM x", "x"),
        ("WITH x AS (SELECT 1) DELETE FROM x", "x"),
        ("WITH x AS (SELECT 1) MERGE INTO x USING x ON true WHEN MATCHED THEN DELETE", "x"),
        ("(WITH x AS (SELECT 1) TABLE x) UNION TABLE x", "x"),
        ("TABLE a UNION ALL TABLE b UNION TABLE c", "c b a"),
    ],
)
def test_every_relation_is_named(text: str, tables: str) -> None:
    assert [str(one) for one in statement(text).references] == tables.split()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("INSERT INTO a SELECT * FROM b", "a"),
        ("UPDATE a SET x = 1 FROM b", "a"),
        ("COPY a FROM STDIN", "a"),
        ("COPY a TO STDOUT", ""),
        ("TRUNCATE a", "a"),
        ("CREATE TABLE a (x int REFERENCES b)", "a"),
        ("CREATE VIEW v AS TABLE a", "v"),
        ("SELECT * INTO n FROM a", "n"),
        ("ALTER TABLE a ADD FOREIGN KEY (x) REFERENCES b", "a"),
        ("LOCK a", ""),
        ("WITH d AS (DELETE FROM a) SELECT * FROM b", "a"),
    ],
)
def test_targets_are_told_from_what_is_read(text: str, written: str) -> None:
    assert [one.name for one in statement(text).references if one.written] == written.split()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('SELECT * FROM "Or.ders"', "Or.ders"),
        ('SELECT * FROM "a""b"', 'a"b'),
        ("SELECT * FROM ÄBC", "Äbc"),
        ('SELECT * FROM U&"us\\0065rs"', "users"),
        ("SELECT * FROM U&\"us!0065rs\" UESCAPE '!'", "users"),
        ("SELECT * FROM " + "a" * 70, "a" * 63),
        ("SELECT * FROM " + "é" * 40, "é" * 31),
        ("SELECT /* a /* b */ c */ * FROM/**/users--x", "users"),
        (r"SELECT E'\' FROM a --' FROM users", "users"),
        (r"SELECT '\' FROM users --'", "users"),
        ("SELECT $a$ FROM a $b$ $a$ FROM users", "users"),
        ("SELECT ' FROM a '' ' FROM users", "users"),
        ("SELECT 'a'\n' FROM a' FROM users", "users"),
        ("SELECT $1FROM users", "users"),
        ("SELECT a ? 'FROM a' FROM users", "users"),
    ],
)
def test_lexing_is_postgresqls(text: str, name: str) -> None:
    assert statement(text).references == (Reference("", "", name),)


def calls(text: str) -> list[tuple[str, str]]:
    return [(one.kind.value, str(one)) for one in statement(text).calls]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT lower(a), s.f(), x.s.f()", [("function", "lower"), ("function", "s.f")]),
        ("SELECT * FROM generate_series(1, 2), ROWS FROM (f(), g())",
         [("function", "generate_series"), ("function", "f"), ("function", "g")]),
        ("SELECT sum(f(a)) FILTER (WHERE g()) OVER (ORDER BY h())",
         [("function", "sum"), ("function", "f"), ("function", "g"), ("function", "h")]),
        ("SELECT u.fullname", [("attribute", "fullname")]),
        ("SELECT (f('/etc/passwd')).pg_read_file",
         [("attribute", "pg_read_file"), ("function", "f")]),
        ("SELECT u.*", []),
        ("SELECT a OPERATOR(app.===) b, c @@@ d",
         [("operator", "operator app.==="), ("operator", "operator @@@")]),
        ("SELECT a BETWEEN 1 AND 2",
         [("operator", f"operator {name}") for name in (">=", "<=", "<", ">")]),
        ("SELECT a IN (SELECT 1)", [("operator", "operator =")]),
        ("SELECT a <> ALL (SELECT 1)", [("operator", "operator <>")]),
        ("SELECT CASE a WHEN 1 THEN 2 END", [("operator", "operator =")]),
        ("SELECT 1 FROM a JOIN b USING (c)", [("operator", "operator =")]),
        ("SELECT 1 FROM a NATURAL JOIN b", [("operator", "operator =")]),
        ("SELECT 1 FROM a ORDER BY b USING <<<", [("operator", "operator <<<")]),
        ("SELECT a LIKE 'x'", [("operator", "operator ~~")]),
        ("SELECT CAST(a AS int), COALESCE(a, b), CURRENT_USER, GREATEST(a)", []),
        ("SELECT EXTRACT(year FROM a)", [("function", "pg_catalog.extract")]),
        ("SELECT OVERLAY(a PLACING b FROM 1)", [("function", "pg_catalog.overlay")]),
        ("SELECT JSON_SCALAR(1)", [("syntax", "json_scalar")]),
        ("SELECT 1 FROM a TABLESAMPLE app.mine(1)", [("function", "app.mine")]),
        ("CALL s.p(f())", [("function", "s.p"), ("function", "f")]),
        ("CREATE TRIGGER t AFTER INSERT ON a EXECUTE FUNCTION s.f()", [("function", "s.f")]),
        ("ALTER TABLE a ADD b int DEFAULT f()", [("function", "f")]),
    ],
)  # fmt: skip
def test_every_call_is_named(text: str, expected: list[tuple[str, str]]) -> None:
    assert calls(text) == expected


def test_columns_as_written() -> None:
    uses = statement("SELECT u.email, *, lower(o.x) FROM users u WHERE y = 1").uses
    assert uses == (
        Use(("u", "email"), star=False, place=Place.OUTPUT),
        Use((), star=True, place=Place.OUTPUT),
        Use(("o", "x"), star=False, place=Place.ELSEWHERE),
        Use(("y",), star=False, place=Place.ELSEWHERE),
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("DELETE FROM a", False),
        ("DELETE FROM a WHERE true", False),
        ("DELETE FROM a WHERE 1 = 1", False),
        ("DELETE FROM a WHERE id = 1", True),
        ("DELETE FROM a WHERE CURRENT OF c", True),
        ("UPDATE a SET b = c", False),
        ("UPDATE a SET b = c WHERE id > $1", True),
        ("MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DELETE", True),
        ("MERGE INTO a USING b ON true WHEN MATCHED THEN DELETE", False),
        ("WITH x AS (DELETE FROM a) SELECT * FROM x WHERE y = 1", False),
        ("WITH x AS (DELETE FROM a WHERE z = 1) UPDATE b SET c = 1 WHERE d = 1", True),
        ("EXPLAIN ANALYZE DELETE FROM a", False),
        ("SELECT * FROM a", False),
        ("SELECT * FROM a WHERE b = 1", True),
    ],
)
def test_has_where(text: str, *, where: bool) -> None:
    assert statement(text).has_where is where


def test_statements_keep_their_own_text() -> None:
    script = read("SELECT 'é;' ; ;\n DELETE FROM a -- end\n; SHOW x")
    assert [one.text for one in script.statements] == [
        "SELECT 'é;'",
        "DELETE FROM a -- end",
        "SHOW x",
    ]
    assert script.fingerprint
    assert read(" ; -- nothing").statements == ()
    assert read("").fingerprint == ""


def test_parameters_are_counted() -> None:
    assert statement("SELECT $2, $1 FROM a LIMIT $7").parameters == 7


def test_long_chains_are_read() -> None:
    assert statement("SELECT a" + " || a" * 400).calls == (Call("", "||", CallKind.OPERATOR),)
    assert len(statement(" UNION ALL ".join(["SELECT 1 FROM a"] * 900)).references) == 1


def test_an_unknown_node_or_field_makes_it_opaque(monkeypatch: pytest.MonkeyPatch) -> None:
    from proctor.sql import reading  # noqa: PLC0415  # patched here

    def parse(_text: str) -> tuple[object, bytes, str]:
        target = {"ResTarget": {"val": {"NewExpr": {}}, "newField": 1}}
        tree = {"stmts": [{"stmt": {"SelectStmt": {"targetList": [target, {}]}}}]}
        return tree, b"SELECT new", "f"

    monkeypatch.setattr(reading, "parse", parse)
    one = statement("SELECT new")
    assert one.opaque == (
        "node NewExpr",
        "field ResTarget.newField",
    )
    assert one.dangerous == one.opaque
    assert not one.read_only


@given(
    st.sampled_from(
        [
            "WITH x AS (DELETE FROM a WHERE b = 'c' RETURNING *) SELECT $1, u.f, (u).g FROM x u",
            "CREATE FUNCTION f() LANGUAGE sql AS $$SELECT 1$$; SET a = 'b'; DROP TABLE c",
            "COPY (VALUES (1, U&'\\0041')) TO PROGRAM 'x'",
        ]
    ).flatmap(lambda text: st.integers(0, len(text)).map(lambda at: text[:at]))
)
def test_a_text_cut_anywhere_is_read_or_refused(text: str) -> None:
    with suppress(SqlError):
        for one in read(text).statements:
            assert one.verbs
            assert one.text in text
