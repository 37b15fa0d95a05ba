"""The demo's database: a real PostgreSQL behind proctor, psql before it, where both are there."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from clients import Lines, Say

from proctor.testing import gateway
from proctor.testing.ports import free_ports

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.postgres import server  # noqa: E402 - the path comes first

MAIL = "ada@orchard-mail.com"
TABLES = f"""
CREATE TABLE customers (id int PRIMARY KEY, email text);
INSERT INTO customers VALUES (1, '{MAIL}');
CREATE TABLE old_orders AS SELECT n AS id FROM generate_series(1, 400) n;
ALTER TABLE customers OWNER TO {server.ORDERS_APP};
ALTER TABLE old_orders OWNER TO {server.ORDERS_APP};
"""  # noqa: S608 - ours
LISTENER = """\
  - name: shop
    kind: postgres
    listen: 127.0.0.1:{port}
    upstream: 127.0.0.1:{to}
    credential: shop
    masking: {{tier: wire, columns: [{{table: public.customers, column: email, with: partial}}]}}
"""
CREDENTIAL = f"  - {{name: shop, user: {server.ORDERS_APP}, password: {{env: SHOP_PASSWORD}}}}\n"
RULES = """\
rules:
  - {id: asks-the-shop, on: sql.statement, then: allow}
  - id: drops-tables
    on: sql.statement
    when: '"DROP" in sql.verbs'
    then: hold
    approval: {from: [reviewers], wait: 60s, ttl: 10m}
    reason: What is dropped does not come back.
"""
ON_RECORD = "select sql, verdict, rule_id, rows, masked_columns from statements order by ts, seq"


@contextlib.contextmanager
def serving() -> Iterator[server.Server | None]:
    """Run PostgreSQL until the block ends; None where it is not installed."""
    try:
        version = server.newest()
    except server.MissingError:
        yield None
        return
    with server.running(version) as found:
        yield found


def lead_in(house: Path, behind: server.Server) -> int:
    """Write the listener, its credential and its rules; the port that clients use."""
    (port,) = free_ports(1)
    config = house / "proctor.yaml"
    text = config.read_text()
    listener = LISTENER.format(port=port, to=behind.port)
    text = text.replace("\nidentity:", f"\n{listener}\nidentity:", 1)
    config.write_text(text.replace("\nrules: rules/", f"{CREDENTIAL}\nrules: rules/", 1))
    (house / "rules/shop.yaml").write_text(RULES)
    return port


def environment() -> dict[str, str]:
    """What the gateway alone knows."""
    return {"SHOP_PASSWORD": server.PASSWORDS[server.ORDERS_APP]}


def visits(
    behind: server.Server,
    login: tuple[int, str],
    house: Path,
    say: Say,
    decided: Callable[[Callable[[str], Lines], str], str],
) -> dict[str, bool]:
    """Alice's agent reads with psql, and drops a table once bob has said yes.

    Args:
        behind: The server.
        login: The port where proctor listens, and alice's token instead of a password.
        house: Where proctor.yaml is.
        say: Shows a line.
        decided: Runs something that is held, has bob allow it, and returns what was said.

    Returns:
        What was checked, and whether it was as it should be.
    """
    database = behind.fresh(TABLES)
    port, token = login

    def psql(sql: str) -> Lines:
        done = subprocess.run(
            [
                *(behind.bin / "psql", "-X", "-w", "-c", sql),
                f"host=127.0.0.1 port={port} user=alice dbname={database} sslmode=disable",
            ],
            env={"PATH": os.environ["PATH"], "PGPASSWORD": token, "PSQL_PAGER": ""},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return [("tool", (done.stdout + done.stderr).strip())]

    asked = "SELECT * FROM customers"
    say("you", asked)
    ((_, seen),) = psql(asked)
    say("tool", seen)
    told = decided(psql, "DROP TABLE old_orders")
    gone = behind.execute("SELECT to_regclass('public.old_orders') IS NULL", database=database)
    done = gateway.command("query", ON_RECORD, "--format", "json", cwd=house)
    done.check_returncode()
    return {
        "psql saw a row of the database, and the address in it masked": (
            "(1 row)" in seen and MAIL not in seen
        ),
        "a DROP TABLE waited for a second person, and ran then": (
            gone == [(True,)] and "DROP TABLE" in told
        ),
        "both statements are on record, without the address": (
            asked in done.stdout and "drops-tables" in done.stdout and MAIL not in done.stdout
        ),
    }
