"""Which columns come out of queries of every kind, and which are used on the way."""

import pytest

from proctor.sql.names import Names
from proctor.sql.statement import SqlError
from tests.support.sqlnames import names, relation, resolved

U = "public.users."
O = "public.orders."  # noqa: E741  # orders


def full(short: str) -> frozenset[str]:
    """In full, what is short for columns of users and orders: u.email o.id."""
    tables = {"u": U, "o": O}
    return frozenset(tables[one[0]] + one[2:] for one in short.split())


def shown(text: str, known: Names | None = None) -> list[str]:
    """Outputs, shortened; "?" at the end where ordinals are not known."""
    found = resolved(text, known)
    outputs = [
        " ".join(sorted(one.replace(U, "u.").replace(O, "o.") for one in output))
        for output in found.outputs
    ]
    return outputs + ([] if found.outputs_known else ["?"])


@pytest.mark.parametrize(
    ("text", "outputs", "elsewhere"),
    [
        ("SELECT * FROM users", "u.id,u.email,u.name", ""),
        ("TABLE users", "u.id,u.email,u.name", ""),
        ("SELECT u.*, 1, o.total FROM users u, orders o", "u.id,u.email,u.name,,o.total", ""),
        ("SELECT (u).* FROM users u", "u.id,u.email,u.name", ""),
        ("SELECT b, c FROM users AS u(a, b, c)", "u.email,u.name", ""),
        ("SELECT public.users.email FROM public.users", "u.email", ""),
        ("SELECT email FROM users WHERE id = 1", "u.email", "u.id"),
        ("SELECT email FROM users ORDER BY 1", "u.email", "u.email"),
        ("SELECT email AS id FROM users ORDER BY id", "u.email", "u.email"),
        ("SELECT email AS x FROM users ORDER BY lower(name)", "u.email", "u.name"),
        ("SELECT * FROM users ORDER BY 2", "u.id,u.email,u.name", "u.email"),
        ("SELECT email AS x, count(*) FROM users GROUP BY x", "u.email,", "u.email"),
        ("SELECT name AS email FROM users GROUP BY email", "u.name", "u.email u.name"),
        ("SELECT 1 FROM users GROUP BY ROLLUP (email, (id, name))", "", "u.id u.email u.name"),
        ("SELECT 1 FROM users GROUP BY GROUPING SETS ((email), ())", "", "u.email"),
        ("SELECT DISTINCT email FROM users", "u.email", "u.email"),
        ("SELECT DISTINCT ON (id) email FROM users", "u.email", "u.id"),
        ("SELECT id FROM users HAVING max(email) > ''", "u.id", "u.email"),
        ("SELECT id FROM users LIMIT (SELECT max(total) FROM orders)", "u.id", "o.total"),
        ("SELECT 1 FROM users WINDOW w AS (ORDER BY email)", "", "u.email"),
        # Joins.
        ("SELECT * FROM users JOIN orders USING (id)", "o.id u.id,u.email,u.name,o.user_id,o.total",
         "u.id o.id"),
        ("SELECT * FROM users NATURAL JOIN orders", "o.id u.id,u.email,u.name,o.user_id,o.total",
         "u.id o.id"),
        ("SELECT id FROM users JOIN orders USING (id)", "o.id u.id", "u.id o.id"),
        ("SELECT j.email FROM (users u JOIN orders o ON u.id = o.user_id) j", "u.email",
         "u.id o.user_id"),
        ("SELECT j.b FROM (users u CROSS JOIN orders o) AS j(a, b)", "u.email", ""),
        ("SELECT k.id FROM users JOIN orders USING (id) AS k", "o.id u.id", "u.id o.id"),
        ("SELECT j FROM (users u CROSS JOIN orders o) j", "",
         "u.id u.email u.name o.id o.user_id o.total"),
        # Subqueries: what is passed on is shown, what is not is neither.
        ("SELECT e FROM (SELECT email AS e, name FROM users) q", "u.email", ""),
        ("SELECT q.* FROM (SELECT * FROM users) q(a)", "u.id,u.email,u.name", ""),
        ("SELECT id FROM (SELECT * FROM users) q WHERE email = ''", "u.id", "u.email"),
        ("SELECT lower(e) FROM (SELECT email AS e FROM users) q", "", "u.email"),
        ("SELECT z FROM users u, LATERAL (SELECT u.email AS z) q", "u.email", ""),
        ("SELECT q.x FROM users u, LATERAL (SELECT lower(email) AS x) q", "", "u.email"),
        ("SELECT id FROM orders o WHERE EXISTS (SELECT * FROM users u WHERE u.id = o.user_id)",
         "o.id", "u.id o.user_id"),
        # Without LATERAL a sibling is not seen: email is the outer query's.
        ("SELECT (SELECT x FROM (SELECT email AS x) q, users LIMIT 1) FROM users u", "", "u.email"),
        ("SELECT 1 FROM users WHERE EXISTS (SELECT 1 FROM orders e, (SELECT email) q)", "", ""),
        ("SELECT c FROM users u, unnest(string_to_array(email, '')) c", "", "u.email"),
        ("SELECT g FROM generate_series(1, 2) g", "", ""),
        ("SELECT email, generate_series FROM users, generate_series(1, 2)", "u.email,", ""),
        ("WITH RECURSIVE r AS (TABLE users UNION ALL TABLE r) SELECT email FROM r", "u.email", ""),
        ("WITH RECURSIVE r(a, b) AS (SELECT id, '' FROM users UNION SELECT 1, a FROM r) TABLE r",
         "u.id,u.id", "u.id"),
        ("SELECT value, email FROM users, json_each(name::json)", ",u.email", "u.name"),
        ("SELECT column1 FROM (VALUES (1), (2)) v", "", ""),
        ("SELECT v.e FROM users u, LATERAL (VALUES (u.email)) v(e)", "", "u.email"),
        ("SELECT x FROM users, XMLTABLE('/' PASSING email COLUMNS x text)", "", "u.email"),
        ("SELECT id FROM users TABLESAMPLE system (10)", "u.id", ""),
        # Sets.
        ("SELECT id FROM users UNION ALL SELECT user_id FROM orders", "o.user_id u.id", ""),
        ("SELECT id FROM users UNION SELECT total FROM orders", "o.total u.id", "u.id o.total"),
        ("SELECT id FROM users EXCEPT ALL SELECT id FROM orders", "o.id u.id", "u.id o.id"),
        ("SELECT email AS e FROM users UNION ALL SELECT '' ORDER BY e", "u.email", "u.email"),
        ("SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT id FROM users", "u.id", ""),
        # Common table expressions.
        ("WITH x AS (SELECT email AS m FROM users) SELECT m FROM x", "u.email", ""),
        ("WITH x(a, b) AS (TABLE users) SELECT b FROM x y", "u.email", ""),
        ("WITH users AS (SELECT 1 AS email) SELECT email FROM users", "", ""),
        ("WITH users AS (SELECT 1 AS email) SELECT email FROM public.users", "u.email", ""),
        ("WITH x AS (SELECT 1 AS id) SELECT (WITH y AS (TABLE x) SELECT id FROM y)", "", ""),
        (("WITH RECURSIVE r(a, b) AS (SELECT id, ''::text FROM users UNION ALL"
         " SELECT a, u.email FROM r JOIN users u ON u.id = a) SELECT b FROM r"), "u.email", "u.id"),
        ("WITH RECURSIVE y AS (TABLE x), x AS (SELECT email FROM users) TABLE y", "u.email", ""),
        (("WITH RECURSIVE r(a) AS (SELECT email FROM users UNION ALL SELECT a FROM r)"
         " CYCLE a SET c USING p SELECT p FROM r"), "", "u.email"),
        ("WITH d AS (DELETE FROM users RETURNING email) SELECT email FROM d", "u.email", ""),
        # Changing data.
        ("INSERT INTO users (id, email) VALUES (1, 'x')", None, ""),
        ("INSERT INTO orders SELECT id, id, email FROM users", None, "u.id u.email"),
        ("INSERT INTO users VALUES (1) RETURNING email, lower(name)", "u.email,", "u.name"),
        (("INSERT INTO users VALUES (1) ON CONFLICT (email) DO UPDATE SET name = excluded.email"
         " WHERE users.id = 1 RETURNING *"), "u.id,u.email,u.name", "u.email u.id"),
        ("UPDATE users SET name = email WHERE id = 1 RETURNING *", "u.id,u.email,u.name",
         "u.email u.id"),
        ("UPDATE users u SET (name, email) = (SELECT total, user_id FROM orders)", None,
         "o.total o.user_id"),
        ("UPDATE users SET name = '' FROM orders o WHERE o.user_id = users.id RETURNING o.*",
         "o.id,o.user_id,o.total", "o.user_id u.id"),
        ("DELETE FROM users u USING orders o WHERE o.user_id = u.id RETURNING *",
         "u.id,u.email,u.name,o.id,o.user_id,o.total", "o.user_id u.id"),
        ("UPDATE users SET id = 1 RETURNING old.email, new.name, old.*",
         "u.email,u.name,u.id,u.email,u.name", ""),
        ("UPDATE users SET id = 1 RETURNING WITH (OLD AS o) o.email", "u.email", ""),
        (("MERGE INTO users u USING orders o ON u.id = o.user_id WHEN MATCHED AND o.total > 1"
         " THEN UPDATE SET name = o.id WHEN NOT MATCHED THEN INSERT (id) VALUES (o.id)"
         " RETURNING u.email, *"), "u.email,o.id,o.user_id,o.total,u.id,u.email,u.name",
         "u.id o.user_id o.total o.id"),
        # Statements around queries.
        ("PREPARE p AS SELECT email FROM users", "u.email", ""),
        ("DECLARE c CURSOR FOR SELECT email FROM users", "u.email", ""),
        ("EXPLAIN SELECT email FROM users WHERE id = 1", None, "u.id"),
        ("EXPLAIN ANALYZE DELETE FROM users WHERE id = 1 RETURNING email", None, "u.id"),
        ("CREATE TABLE t AS SELECT email FROM users", None, "u.email"),
        ("SELECT email INTO t FROM users", None, "u.email"),
        ("CREATE VIEW w AS SELECT email FROM users", None, "u.email"),
        ("CREATE SCHEMA s CREATE VIEW w AS SELECT email FROM users", None, "u.email"),
        ("COPY users TO STDOUT", "u.id,u.email,u.name", ""),
        ("COPY users (email) TO STDOUT", "u.email", ""),
        ("COPY (SELECT email FROM users) TO STDOUT", "u.email", ""),
        ("COPY users FROM STDIN WHERE id > 1", None, "u.id"),
        # Definitions.
        ("ALTER TABLE users ADD x text GENERATED ALWAYS AS (lower(email)) STORED", None, "u.email"),
        ("ALTER TABLE users RENAME email TO e", None, "u.email"),
        ("ALTER TABLE users DROP email", None, "u.email"),
        ("CREATE INDEX ON users (email, lower(name)) WHERE id > 1", None, "u.email u.name u.id"),
        ("CREATE STATISTICS s ON email, name FROM users", None, "u.email u.name"),
        ("GRANT SELECT (email) ON users TO bob", None, "u.email"),
        ("CREATE POLICY p ON users USING (email = '')", None, "u.email"),
        ("CREATE TABLE t (a int CHECK (a > 0), b int REFERENCES users (id))", None, "u.id"),
        (("CREATE TRIGGER t BEFORE UPDATE OF email ON users FOR EACH ROW"
         " WHEN (old.name <> new.name) EXECUTE FUNCTION lower()"), None, "u.email u.name"),
        ("CREATE RULE r AS ON UPDATE TO users DO ALSO INSERT INTO orders VALUES (old.id)", None,
         "u.id"),
        ("DROP TABLE users", None, ""),
        ("CREATE FUNCTION f() RETURNS text BEGIN ATOMIC SELECT email FROM users; END", None,
         "u.email"),
    ],
)  # fmt: skip
def test_what_is_shown_and_what_is_used(text: str, outputs: str | None, elsewhere: str) -> None:
    assert shown(text) == ([] if outputs is None else outputs.split(","))
    assert resolved(text).elsewhere == full(elsewhere)


@pytest.mark.parametrize(
    ("text", "assigned"),
    [
        ("INSERT INTO users (email) VALUES ('x')", "u.email"),
        ("INSERT INTO users VALUES (1)", "u.id u.email u.name"),
        (
            "INSERT INTO users (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = ''",
            "u.id u.name",
        ),
        ("UPDATE users SET (email, name) = ('', ''), id = 1", "u.email u.name u.id"),
        ("COPY users (email) FROM STDIN", "u.email"),
        ("COPY users FROM STDIN", "u.id u.email u.name"),
        ("WITH x AS (UPDATE users SET email = '') SELECT 1", "u.email"),
        ("SELECT email FROM users", ""),
    ],
)
def test_what_is_assigned(text: str, assigned: str) -> None:
    assert resolved(text).assigned == full(assigned)


@pytest.mark.parametrize(
    ("text", "elsewhere"),
    [
        ("SELECT * FROM gone", {"public.gone.*"}),
        ("SELECT gone.* FROM gone", {"public.gone.*"}),
        ("SELECT x FROM gone", {"public.gone.*"}),
        ("SELECT gone FROM gone", {"public.gone.*"}),
        ("SELECT gone.x FROM s.gone", {"s.gone.*"}),
        ("SELECT email FROM users NATURAL JOIN gone",
         {"public.gone.*", U + "id", U + "email", U + "name"}),
    ],
)  # fmt: skip
def test_what_is_not_known_counts_as_all_of_it(text: str, elsewhere: set[str]) -> None:
    assert resolved(text).elsewhere == elsewhere


def test_shadowing_goes_by_level() -> None:
    # orders has no email, so the name is the outer query's; a sibling's would be another.
    found = resolved("SELECT (SELECT email FROM orders LIMIT 1) FROM users")
    assert found.elsewhere == {U + "email"}
    with_email = names(relation("mails", "email"))
    found = resolved("SELECT (SELECT email FROM mails LIMIT 1) FROM users", with_email)
    assert found.elsewhere == {"public.mails.email"}
    found = resolved(
        "SELECT 1 FROM users u WHERE 'x' = (SELECT q.e FROM (SELECT email AS e) q, mails)",
        with_email,
    )
    assert found.elsewhere == {U + "email"}
    found = resolved(
        "SELECT 1 FROM users WHERE EXISTS"
        " (SELECT 1 FROM mails, (orders o JOIN orders p ON email > ''))",
        with_email,
    )
    assert found.elsewhere == {U + "email"}


def test_recursion_inside_recursion_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "SELECT email FROM users"
    for at in range(4):
        text = f"WITH RECURSIVE r{at} AS ({text} UNION ALL TABLE r{at}) TABLE r{at}"
    assert resolved(text).outputs == (frozenset({U + "email"}),)
    monkeypatch.setattr("proctor.sql.queries._MOST_QUERIES", 50)
    with pytest.raises(SqlError, match="too many"):
        resolved(text)
