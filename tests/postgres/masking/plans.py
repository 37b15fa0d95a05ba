"""Statements, and what becomes of them where columns are masked."""

TOKEN = "EMAIL_ADDRESS_bcdfghjklmnpqrst"
OTHER = "EMAIL_ADDRESS_bcdfghjklmnpqrsv"

# Statement → which columns are masked.
PASSES = {
    "SELECT 1": (),
    "SELECT id, email FROM users": (0, 1),
    "SELECT * FROM users": (0, 0, 1, 1, 0, 0, 0),
    "TABLE users": (0, 0, 1, 1, 0, 0, 0),
    "SELECT email AS x FROM users u(a, b, email) WHERE a = 1": (1,),
    'SELECT u.email AS ":varno", id AS "}{)(" FROM users u': (1, 0),
    "SELECT (u).email, u.id FROM users u": (1, 0),
    "SELECT /* x */ email FROM users -- comment": (1,),
    "WITH c AS (SELECT email e, id FROM users) SELECT e FROM c WHERE id = 1": (1,),
    "WITH c AS MATERIALIZED (TABLE users) SELECT (c).email FROM c": (1,),
    "SELECT q.e FROM (SELECT email e FROM users) q JOIN orders ON true": (1,),
    "SELECT j.email FROM (users u JOIN orders o ON u.id = o.user_id) j": (1,),
    "SELECT a.email, b.id FROM users a LEFT JOIN orders b ON b.user_id = a.id": (1, 0),
    "SELECT * FROM users NATURAL JOIN (SELECT 1 AS id) q": (0, 0, 1, 1, 0, 0, 0),
    "SELECT u.id, l.x FROM users u, LATERAL (SELECT u.email AS x) l": (0, 1),
    "SELECT (SELECT email FROM users WHERE id = 1), 2": (1, 0),
    "SELECT email::text, ssn::text, ssn::varchar(3) FROM users": (1, 1, 1),
    'SELECT email COLLATE "C" FROM users': (1,),
    "SELECT email FROM users ORDER BY id LIMIT 3": (1,),
    "SELECT email FROM users FOR UPDATE": (1,),
    "SELECT email FROM users WHERE id = $1": (1,),
    "SELECT email FROM users WHERE id = $1 AND name = $2 LIMIT $3": (1,),
    "SELECT id FROM users WHERE EXISTS (SELECT email FROM users)": (),
    "SELECT count(*) FROM users": (),
    "SELECT name, count(*) FROM users GROUP BY name ORDER BY 2": (),
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n FROM t": (),
    "SELECT post FROM v_again": (1,),
    "SELECT mail, id FROM v_users WHERE id = 1 ORDER BY id": (1, 0),
    "SELECT email FROM m_users": (1,),
    "SELECT * FROM v_orders": (),
    "SELECT * FROM v_safe": (),
    "SELECT * FROM events": (0, 1),
    "SELECT * FROM events_1": (0, 1),
    "SELECT email FROM folk": (1,),
    "SELECT email, b FROM folk_child": (1, 0),
    "SELECT * FROM people": (),
    "SELECT * FROM staff": (0, 1),
    'SELECT ":varno", * FROM "wéird :t"': (0, 0, 1, 0, 0),
    "INSERT INTO users(id, email) VALUES (9, 'q@x') RETURNING id, email": (0, 1),
    "INSERT INTO users(id, email) VALUES (1, 'z')"
    " ON CONFLICT (id) DO UPDATE SET email = excluded.email": (),
    "UPDATE users SET email = 'x' WHERE id = 1 RETURNING *": (0, 0, 1, 1, 0, 0, 0),
    "UPDATE users SET name = o.total FROM orders o WHERE o.id = users.id RETURNING email": (1,),
    "DELETE FROM users WHERE id = 3 RETURNING email": (1,),
    "WITH d AS (DELETE FROM users WHERE id = 3 RETURNING email e) SELECT e FROM d": (1,),
    "MERGE INTO users u USING orders o ON u.id = o.id WHEN MATCHED THEN UPDATE SET name = 'x'": (),
    f"SELECT id FROM users WHERE email = '{TOKEN}'": (),  # noqa: S608 - the tests' own words
    "SELECT id FROM users WHERE email = $1 AND id = $2": (),
    "EXPLAIN SELECT email FROM users": (),
    "EXPLAIN (ANALYZE, VERBOSE) SELECT email FROM users": (),
    "DECLARE c CURSOR FOR SELECT email FROM users": (1,),
    "PREPARE p(int) AS SELECT email FROM users WHERE id = $1": (1,),
    "COPY users(id, name) TO STDOUT": (),
    "COPY (SELECT id FROM users) TO STDOUT": (),
    "COPY users FROM STDIN": (),
    "CREATE TABLE t2 AS SELECT id, name FROM users": (),
    "CREATE TEMP TABLE t2 (id int)": (),
    "CREATE VIEW vv AS SELECT id FROM users": (),
    "BEGIN": (),
    "COMMIT": (),
    "DROP TABLE users": (),
    "TRUNCATE users": (),
    "ALTER TABLE users ADD COLUMN z int DEFAULT 3": (),
    "ALTER TABLE orders ALTER COLUMN total TYPE int USING round(total)": (),
    "CREATE INDEX ON users(name) INCLUDE (id)": (),
    "CREATE TABLE events_2 PARTITION OF noted FOR VALUES FROM (10) TO (20)": (),
    "CLUSTER": (),
    "CLUSTER noted": (),
    "SHOW ALL": (),
    "SET search_path = public": (),
    "MOVE 1 FROM c": (),
}

MASKED = f"""
SELECT lower(email) FROM users
SELECT email || '' FROM users
SELECT email::int FROM users
SELECT email::name FROM users
SELECT born, ssn::date FROM users
SELECT CASE WHEN email IS NULL THEN 1 END FROM users
SELECT coalesce(email, '') FROM users
SELECT nullif(email, 'a') FROM users
SELECT email IS NULL FROM users
SELECT (ARRAY[email])[1] FROM users
SELECT ROW(email) FROM users
SELECT format('%s', email) FROM users
SELECT jsonb_build_object('a', email) FROM users
SELECT row_to_json(u) FROM users u
SELECT to_jsonb(u.*) FROM users u
SELECT (u.*)::text FROM users u
SELECT u FROM users u
SELECT users FROM users
SELECT (SELECT u) FROM users u
SELECT array_agg(u) FROM users u
SELECT q FROM (SELECT * FROM users) q
SELECT r FROM (SELECT u AS r FROM users u) s
SELECT j FROM (users u JOIN orders o ON u.id = o.id) j
WITH c AS (SELECT * FROM users) SELECT row_to_json(c) FROM c
SELECT ARRAY(SELECT email FROM users)
SELECT string_agg(email, ',') FROM users
SELECT max(email) FROM users
SELECT first_value(email) OVER () FROM users
SELECT count(*) OVER (PARTITION BY email) FROM users
SELECT count(*) FILTER (WHERE email > 'a') FROM users
SELECT id, email FROM users WINDOW w AS (ORDER BY email)
SELECT id FROM users WHERE email = 'a'
SELECT id FROM users WHERE email LIKE 'a%'
SELECT id FROM users WHERE email IS NOT NULL
SELECT id FROM users WHERE (email, 1) = ('a', 1)
SELECT id FROM users WHERE email = ANY ($1)
SELECT id FROM users WHERE ssn = '{TOKEN}'
SELECT id FROM users WHERE id = (SELECT count(*) FROM users WHERE email < 'm')
SELECT id FROM users WHERE 'a' IN (SELECT email FROM users)
SELECT 1 FROM users HAVING max(email) > 'm'
SELECT id FROM users ORDER BY email
SELECT email FROM users ORDER BY 1
SELECT DISTINCT email FROM users
SELECT DISTINCT ON (email) id FROM users
SELECT email, count(*) FROM users GROUP BY email
SELECT id FROM users GROUP BY id, email
SELECT grouping(email) FROM users GROUP BY ROLLUP (email)
SELECT email FROM users LIMIT (SELECT length(email) FROM users LIMIT 1)
SELECT email FROM users UNION ALL SELECT 'a'
SELECT 'a' UNION SELECT email FROM users
SELECT a.e FROM (SELECT email e FROM users UNION SELECT 'x') a
SELECT email FROM users INTERSECT SELECT 'guess'
WITH RECURSIVE t AS (SELECT email FROM users UNION ALL SELECT email FROM t) SELECT * FROM t
SELECT * FROM users u JOIN users v USING (email)
SELECT * FROM users u JOIN users v ON u.email = v.email
SELECT * FROM users u, LATERAL (VALUES (u.email)) v(x)
SELECT * FROM unnest(ARRAY(SELECT email FROM users))
SELECT * FROM users u, LATERAL regexp_split_to_table(u.email, '') c
VALUES ((SELECT email FROM users))
SELECT * FROM users TABLESAMPLE bernoulli (length((SELECT email FROM users LIMIT 1)))
CREATE TABLE t2 AS SELECT * FROM users
SELECT email INTO t3 FROM users
CREATE VIEW vx AS SELECT * FROM users
CREATE MATERIALIZED VIEW mx AS SELECT email FROM users
INSERT INTO orders(total) SELECT length(email) FROM users
INSERT INTO users(id, name) SELECT id, email FROM users
INSERT INTO users(id, email) VALUES (1, 'a') ON CONFLICT (email) DO NOTHING
UPDATE users SET name = email
UPDATE orders SET total = length(email) FROM users
DELETE FROM users WHERE email > 'x'
MERGE INTO users u USING orders o ON u.email < 'a' WHEN MATCHED THEN DELETE
COPY users TO STDOUT
COPY users(email) TO STDOUT
COPY (SELECT email FROM users) TO STDOUT
EXPLAIN ANALYZE SELECT lower(email) FROM users
DECLARE c CURSOR FOR SELECT lower(email) FROM users
PREPARE p AS SELECT id FROM users WHERE email = 'x'
SELECT post FROM v_again ORDER BY post
SELECT upper(email) FROM m_users
SELECT max(email) FROM events_1
SELECT max(email) FROM folk
""".strip().splitlines()  # noqa: S608 - the tests' own words

CLOSED = """
SELECT * FROM v_where
SELECT id FROM v_lower
SELECT * FROM v_function
SELECT * FROM v_activity
SELECT mails()
SELECT * FROM rows_of()
SELECT id FROM orders WHERE mails() > 'm'
INSERT INTO log VALUES (1)
SELECT * FROM pg_stats
SELECT * FROM pg_catalog.pg_statistic
SELECT * FROM pg_stat_activity
SELECT * FROM pg_prepared_statements
SELECT * FROM pg_cursors
SELECT query_to_xml('SELECT 1', true, true, '')
SELECT lo_get(1)
SELECT current_query()
SELECT * FROM pg_backend_memory_contexts
SELECT * FROM ts_stat('SELECT 1')
DO $$BEGIN END$$
CALL x()
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'
CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION note()
CREATE RULE r AS ON INSERT TO orders DO ALSO SELECT 1
CREATE POLICY p ON orders USING (true)
CREATE EXTENSION dblink
CREATE STATISTICS s ON email, name FROM users
CREATE TABLE t2 AS EXECUTE p
EXPLAIN ANALYZE EXECUTE p
LISTEN a
ALTER TABLE users RENAME COLUMN email TO e
ALTER TABLE users RENAME TO u2
ALTER TABLE users SET SCHEMA pg_temp
ALTER TABLE users ALTER COLUMN email TYPE int USING length(email)
ALTER TABLE users ADD CHECK (email > 'm')
ALTER TABLE users ADD COLUMN l text GENERATED ALWAYS AS (lower(email)) STORED
ALTER TABLE events DETACH PARTITION events_1
ALTER VIEW v_safe RENAME TO v_other
ALTER SCHEMA public RENAME TO p
CREATE INDEX ON users (email)
CREATE INDEX ON users (id) INCLUDE (email)
CLUSTER users USING users_pkey
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20)
ALTER TABLE noted ATTACH PARTITION events DEFAULT
CREATE INDEX ON users (lower(email))
CREATE INDEX ON users (id) WHERE email > 'm'
""".strip().splitlines()

UNRESOLVED = f"""
SELECT nothing FROM users
SELECT * FROM nothing
SELECT nothing(1)
SELECT FROM WHERE
SELECT 1; SELECT 2
SELECT '{TOKEN}', id FROM users WHERE email = '{TOKEN}'
SELECT id FROM users WHERE email = E'{TOKEN}'
SELECT id FROM users WHERE email = $1 OR name = $1
EXPLAIN SELECT id FROM users WHERE email = '{TOKEN}'
PREPARE p(text) AS SELECT id FROM users WHERE email = $1
CREATE TABLE t2 AS SELECT id FROM users WHERE email = '{TOKEN}'
COPY (SELECT id FROM users WHERE email = '{TOKEN}') TO STDOUT
""".strip().splitlines()  # noqa: S608 - the tests' own words
