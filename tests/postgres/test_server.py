"""The servers that other tests stand on."""

import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import psycopg.errors
import pytest

from tests.postgres.pgbouncer import pooled
from tests.postgres.server import ORDERS_APP, PASSWORDS, SUPERUSER, Server

_REPOSITORY = Path(__file__).parents[2]


def test_is_the_version_asked_for(every_postgres: Server) -> None:
    ((version,),) = every_postgres.execute("SHOW server_version")
    assert version.startswith(every_postgres.version)


@pytest.mark.parametrize("user", [*PASSWORDS])
def test_every_role_signs_in_over_tls(postgres15: Server, user: str) -> None:
    own = {"sslmode": "verify-full", "sslrootcert": str(postgres15.tls.ca)}
    if user == "orders_cert":
        own |= {"sslcert": str(postgres15.tls.cert), "sslkey": str(postgres15.tls.key)}
    with psycopg.connect(postgres15.dsn(user, **own)) as connection:
        row = connection.execute(
            "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        )
        assert row.fetchone() == (user, True)


@pytest.mark.parametrize("user", [SUPERUSER, ORDERS_APP, "orders_md5", "orders_cleartext"])
def test_a_wrong_password_is_refused(every_postgres: Server, user: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(every_postgres.dsn(user, password="wrong"))


@pytest.mark.parametrize("user", ["orders_tls", "orders_cert"])
def test_some_roles_must_use_tls(postgres15: Server, user: str) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres15.dsn(user))


def test_a_fresh_database_is_another(postgres: Server) -> None:
    first, second = postgres.fresh("CREATE TABLE here (n int)"), postgres.fresh()
    assert postgres.execute("SELECT count(*) FROM here", database=first) == [(0,)]
    with pytest.raises(psycopg.errors.UndefinedTable):
        postgres.execute("SELECT count(*) FROM here", database=second)


def test_the_weak_role_is_weak(postgres: Server) -> None:
    database = postgres.fresh("CREATE TABLE secret (n int)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        postgres.execute("SELECT * FROM secret", database=database, user=ORDERS_APP)


@pytest.mark.usefixtures("postgres")
def test_the_server_ends_when_the_process_is_killed() -> None:
    script = """if True:
        import os, signal
        from tests.postgres import server
        own = server.shared(server.newest())
        print(own.folder, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=_REPOSITORY,
        env={"PYTHONPATH": f"{_REPOSITORY / 'addons'}:{_REPOSITORY}", "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=300,
    )
    folder = Path(done.stdout.strip())
    for _ in range(200):
        if not folder.exists():
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"{folder} is still there")


def test_pgbouncer_passes_sessions_on(postgres15: Server) -> None:
    with pooled(postgres15) as pool:
        with psycopg.connect(postgres15.dsn(ORDERS_APP, port=pool.port)) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (ORDERS_APP,)
