"""A database with a table of people, and roles of its own that may read it in various ways."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from proctor.postgres.hardening import applying
from proctor.postgres.hardening.admin import Admin, connected
from proctor.postgres.hardening.applying import Shown
from proctor.postgres.hardening.model import Wanted
from proctor.postgres.hardening.stored import Applied, Plans
from proctor.postgres.masking.model import Method, Sensitive
from proctor.postgres.settings import PostgresListener
from proctor.postgres.tls import Contexts
from tests.postgres.server import PASSWORDS, SUPERUSER, Server

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
PASSWORD = "weak-password"
EMAIL, SSN = "ann.lee@example.com", "123-45-6789"

_SQL = f"""
CREATE ROLE {{owner}};
CREATE ROLE {{readers}};
CREATE ROLE {{auditors}};
CREATE ROLE {{app}} LOGIN PASSWORD '{PASSWORD}';
CREATE TABLE users (id int PRIMARY KEY, name text, email text, ssn varchar(11), code uuid);
INSERT INTO users VALUES
  (1, 'Ann', '{EMAIL}', '{SSN}', '00000000-0000-4000-8000-000000000001'),
  (2, 'Bob', NULL, '12', NULL);
CREATE TABLE orders (id int PRIMARY KEY, who int);
INSERT INTO orders VALUES (10, 1);
ALTER TABLE users OWNER TO {{owner}};
ALTER TABLE orders OWNER TO {{owner}};
ANALYZE users;
"""  # noqa: S608 - ours

DIRECT = "GRANT SELECT, INSERT, UPDATE ON users TO {app}; GRANT SELECT ON orders TO {app};"
BY_MEMBERSHIP = """GRANT SELECT, UPDATE ON users TO {readers}; GRANT SELECT ON orders TO {readers};
GRANT {readers} TO {app};"""
BY_EVERYBODY = "GRANT SELECT ON users TO PUBLIC; GRANT SELECT ON orders TO PUBLIC;"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """The database, and what is wanted of it."""

    server: Server
    database: str
    folder: Path
    wanted: Wanted

    @property
    def app(self) -> str:
        """The role from which columns are kept."""
        return f"app_{self.database}"

    @property
    def owner(self) -> str:
        """The tables' owner."""
        return f"owner_{self.database}"

    @property
    def plans(self) -> Plans:
        """What was done."""
        return Plans(self.folder)

    def named(self, sql: str) -> str:
        """With the names of this database's roles."""
        kinds = ("app", "owner", "readers", "auditors")
        for kind in kinds:
            sql = sql.replace("{" + kind + "}", f"{kind}_{self.database}")
        return sql

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """As the superuser."""
        return self.server.execute(self.named(sql), database=self.database)

    def tried(self, sql: str) -> list[tuple[Any, ...]] | str:
        """As the role: rows, or the SQLSTATE and whatever else it is told."""
        said: list[str] = []
        dsn = self.server.dsn(self.app, self.database, password=PASSWORD)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.add_notice_handler(lambda each: said.append(str(each.message_primary)))
            try:
                cursor = connection.execute(self.named(sql).encode())
                while cursor.nextset():
                    pass
                rows = cursor.fetchall() if cursor.description else []
            except psycopg.Error as error:
                diagnostic = error.diag
                parts = (diagnostic.message_primary, diagnostic.message_detail, *said)
                return f"{error.sqlstate} {' '.join(str(part) for part in parts)}"
            return [*rows, *((each,) for each in said)]

    def copied(self) -> str:
        """What the role gets by COPY of the table."""
        dsn = self.server.dsn(self.app, self.database, password=PASSWORD)
        with psycopg.connect(dsn, autocommit=True) as connection:
            try:
                with connection.cursor().copy("COPY public.users TO STDOUT") as copy:
                    return b"".join(bytes(each) for each in copy).decode()
            except psycopg.Error as error:
                return str(error.sqlstate)

    def dumped(self) -> str:
        """The schema, as pg_dump writes it; what differs by itself is left out."""
        done = subprocess.run(
            [self.server.bin / "pg_dump", "--schema-only", self.server.dsn(database=self.database)],
            capture_output=True,
            text=True,
            check=True,
        )
        lines = done.stdout.splitlines()
        return "\n".join(each for each in lines if not each.startswith(("\\restrict", "\\unrest")))

    def asked[T](self, work: Callable[[Any], Awaitable[T]], *, user: str = SUPERUSER) -> T:
        """Do something on a connection as somebody else."""
        listener = PostgresListener.model_validate(
            {
                "name": "orders",
                "kind": "postgres",
                "listen": "127.0.0.1:0",
                "upstream": f"127.0.0.1:{self.server.port}",
                "upstream_plaintext": True,
                "credential": "db",
            }
        )
        secret = PASSWORDS.get(user, PASSWORD)

        async def run() -> T:
            admin = Admin(user=user, password=secret)
            async with connected(listener, admin, self.database, Contexts()) as connection:
                return await work(connection)

        return asyncio.run(run())

    def shown(self, wanted: Wanted | None = None) -> Shown:
        """What would be done."""
        found = wanted or self.wanted
        return self.asked(lambda each: applying.show(each, found, self.plans))

    def apply(self, wanted: Wanted | None = None, *, user: str = SUPERUSER) -> Applied:
        """Have it done."""
        found = wanted or self.wanted

        async def work(connection: Any) -> Applied:
            shown = await applying.show(connection, found, self.plans)
            return await applying.apply(
                connection,
                found,
                self.plans,
                shown=shown,
                password=PASSWORD,
                now=NOW,
                told=lambda _: None,
            )

        return self.asked(work, user=user)

    def undo(self, *, force: bool = False) -> bool:
        """Have it taken back."""
        return self.asked(lambda each: applying.undo(each, self.wanted, self.plans, force=force))


def shop(server: Server, folder: Path, sql: str = DIRECT) -> Shop:
    """A new one, with more SQL."""
    database = server.fresh()
    wanted = Wanted(
        listener="orders",
        database=database,
        role=f"app_{database}",
        schema="masked",
        columns=(
            Sensitive(schema="public", table="users", column="email", method=Method.PARTIAL),
            Sensitive(schema="public", table="users", column="ssn", method=Method.HASH),
        ),
    )
    made = Shop(server=server, database=database, folder=folder / "state", wanted=wanted)
    made.execute(_SQL + sql)
    return made


def only(wanted: Wanted, *columns: Sensitive) -> Wanted:
    """With other columns."""
    return replace(wanted, columns=columns)
