"""What doctor says of a listener's rights."""

import asyncio
from pathlib import Path

import pytest

from proctor.config import load
from proctor.postgres.weakness import weakness
from proctor.runtime.checkup import Finding, State
from tests.postgres.hardening.shop import BY_MEMBERSHIP, DIRECT, PASSWORD, Shop, shop
from tests.postgres.server import Server
from tests.support.databases import LISTENER, configuration

COLUMNS = "columns: [{table: public.users, column: email, with: partial}]"


def look(found: Shop, folder: Path, more: str, *, password: str = PASSWORD) -> Finding:
    place = LISTENER.replace("5432", str(found.server.port))
    file = configuration(folder, f"{place}{more.replace('DB', found.database)}")
    file.write_text(file.read_text().replace("orders_app", found.app))
    config = load(file)
    (listener,), (item,) = config.postgres, config.credentials
    return asyncio.run(weakness(listener, item, password, "check"))


@pytest.mark.parametrize(
    ("sql", "more", "state", "words"),
    [
        (DIRECT, "", State.OK, "is weak"),
        ("ALTER ROLE {app} SUPERUSER;", "", State.FAIL, "has SUPERUSER"),
        ("ALTER ROLE {app} CREATEROLE REPLICATION;", "", State.WARN, "CREATEROLE and REPLICATION"),
        ("GRANT pg_read_server_files TO {app};", "", State.WARN, "pg_read_server_files"),
        (DIRECT, f", database: DB, masking: {{{COLUMNS}}}", State.OK, "is weak"),
        (
            "ALTER TABLE users OWNER TO {app};",
            f", database: DB, masking: {{{COLUMNS}}}",
            State.WARN,
            "owns it",
        ),
        (
            DIRECT,
            f", database: DB, masking: {{tier: server, {COLUMNS}}}",
            State.FAIL,
            "`tier: server` is not in force: public.users.email: app_DB may select it",
        ),
        (
            BY_MEMBERSHIP,
            f", database: DB, masking: {{tier: server, {COLUMNS}}}",
            State.FAIL,
            "not in force",
        ),
        (
            "CREATE VIEW v AS SELECT * FROM users; GRANT SELECT ON v TO {app};",
            f", database: DB, masking: {{tier: server, {COLUMNS}}}",
            State.WARN,
            "such as public.v",
        ),
        (DIRECT, f", masking: {{tier: server, {COLUMNS}}}", State.WARN, "serves all databases"),
        (
            DIRECT,
            ", database: DB, masking: {tier: server, columns: [{table: public.no, column: e}]}",
            State.FAIL,
            "has no column public.no.e",
        ),
        (DIRECT, ", session_role: {member_of: [readers_DB]}", State.FAIL, "cannot make roles"),
        (
            "ALTER ROLE {app} CREATEROLE; GRANT {readers} TO {app} WITH ADMIN OPTION;",
            ", session_role: {member_of: [readers_DB]}",
            State.OK,
            "is weak",
        ),
    ],
)
def test_a_role(
    postgres16: Server, tmp_path: Path, sql: str, more: str, state: State, words: str
) -> None:
    found = shop(postgres16, tmp_path, sql)
    said = look(found, tmp_path, more)
    assert said.state is state, said
    assert words.replace("DB", found.database) in said.what
    assert bool(said.mend) == (state is not State.OK)


def test_admin_on_the_group(postgres16: Server, tmp_path: Path) -> None:
    found = shop(postgres16, tmp_path, "ALTER ROLE {app} CREATEROLE; GRANT {readers} TO {app};")
    said = look(found, tmp_path, ", session_role: {member_of: [readers_DB]}")
    assert said.state is State.FAIL
    assert "WITH ADMIN OPTION" in said.mend


def test_hardened(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)
    found.apply()
    more = f", database: DB, masking: {{tier: server, {COLUMNS}}}"
    assert look(found, tmp_path, more).state is State.OK


def test_nobody_to_ask(postgres15: Server, tmp_path: Path) -> None:
    found = shop(postgres15, tmp_path)
    said = look(found, tmp_path, "", password="wrong-one")
    assert said.state is State.WARN
    assert "wrong-one" not in said.what
