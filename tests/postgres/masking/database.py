"""A database with sensitive columns, and a side connection to it, for tests of masking."""

import functools

from proctor.postgres.masking.model import Method, Sensitive
from proctor.postgres.side import Side, Target
from tests.postgres.server import PASSWORDS, SUPERUSER, Server

SETUP = """
GRANT ALL ON SCHEMA public TO PUBLIC;
CREATE TABLE users(
  id int PRIMARY KEY, name text, email text UNIQUE, ssn varchar(11), born date, tags text[]);
INSERT INTO users VALUES (1, 'Al', 'al@planted.test', '123-45-6789', '2000-01-01', '{a}');
CREATE TABLE orders(id int, user_id int REFERENCES users(id), total numeric);
CREATE TABLE teams(id int PRIMARY KEY, lead int UNIQUE);
ALTER TABLE users ADD COLUMN team int REFERENCES teams(id) ON DELETE SET NULL;
CREATE VIEW v_users AS SELECT id, email AS mail FROM users;
CREATE VIEW v_again AS SELECT mail AS post, id FROM v_users;
CREATE VIEW v_where AS SELECT id FROM users WHERE email LIKE 'a%';
CREATE VIEW v_lower AS SELECT id, lower(email) AS l FROM users;
CREATE VIEW v_safe AS SELECT id, left(email, 1) AS initial FROM users;
CREATE VIEW v_orders AS SELECT * FROM orders;
CREATE VIEW v_activity AS SELECT query FROM pg_stat_activity;
CREATE MATERIALIZED VIEW m_users AS SELECT email, name FROM users;
CREATE TABLE events(id int, email text) PARTITION BY RANGE (id);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
CREATE TABLE people(a int);
CREATE TABLE staff(email text) INHERITS (people);
CREATE TABLE folk(email text);
CREATE TABLE folk_child(b int) INHERITS (folk);
CREATE FUNCTION mails() RETURNS text LANGUAGE sql AS 'SELECT email FROM users LIMIT 1';
CREATE FUNCTION rows_of() RETURNS SETOF users LANGUAGE sql SECURITY DEFINER
  AS 'SELECT * FROM users';
CREATE VIEW v_function AS SELECT mails() AS l;
CREATE TABLE log(id int);
CREATE RULE also AS ON INSERT TO log DO ALSO SELECT email FROM users;
CREATE TABLE noted(id int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN RAISE NOTICE ''%'', (SELECT email FROM users LIMIT 1); RETURN NEW; END';
CREATE TRIGGER note BEFORE INSERT ON noted FOR EACH ROW EXECUTE FUNCTION note();
CREATE TABLE "wéird :t" (":varno" int, "a ""b"" {c} (d) \\e" text, ":expr" text, "<>" text);
"""


def sensitive(table: str, column: str, method: str = "null", **more: object) -> Sensitive:
    made = Sensitive(schema="public", table=table, column=column, method=Method(method))
    return Sensitive(**{**{name: getattr(made, name) for name in _NAMES}, **more})


_NAMES = ("schema", "table", "column", "method", "value", "restore", "entity")

SENSITIVE = (
    sensitive("users", "email", "surrogate", restore=True),
    sensitive("users", "ssn"),
    sensitive("events", "email"),
    sensitive("staff", "email"),
    sensitive("folk_child", "email"),
    sensitive("wéird :t", 'a "b" {c} (d) \\e'),
    sensitive("nowhere", "email"),
)


@functools.cache
def database(server: Server) -> str:
    """The name of a database, one for all tests that only read it."""
    return server.fresh(SETUP)


def side(server: Server, name: str, user: str = SUPERUSER) -> Side:
    async def target() -> Target:
        return Target(
            host=server.host,
            port=server.port,
            database=name,
            user=user,
            password=PASSWORDS[user],
        )

    return Side(target)
