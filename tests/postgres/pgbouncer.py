"""PgBouncer before a server, pooling by session: what proctor is measured and compared with."""

import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgres.server import (
    PASSWORDS,
    MissingError,
    Server,
    account,
    as_account,
    free_port,
    give,
)

_PATIENCE = 200  # looks, a twentieth of a second apart
_CONFIG = """\
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = session
max_client_conn = 2000
default_pool_size = 1200
ignore_startup_parameters = extra_float_digits,options,application_name,client_encoding
log_connections = 0
log_disconnections = 0
logfile = {folder}/log
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Where it listens, and its process."""

    host: str
    port: int
    pid: int


@contextmanager
def pooled(server: Server) -> Iterator[Pooled]:
    """PgBouncer for as long as the block lasts; roles and passwords are the server's.

    Raises:
        MissingError: It is not installed.
    """
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise MissingError("PgBouncer is missing: run scripts/setup-postgres")
    folder = Path(tempfile.mkdtemp(prefix="proctor-pgbouncer-"))
    port = free_port()
    text = _CONFIG.format(host=server.host, port=server.port, own=port, folder=folder)
    (folder / "pgbouncer.ini").write_text(text)
    users = "".join(f'"{user}" "{password}"\n' for user, password in PASSWORDS.items())
    (folder / "users").write_text(users)
    give(folder, account())
    process = subprocess.Popen(
        as_account(account(), program, "--quiet", str(folder / "pgbouncer.ini")),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port, process, folder / "log")
        yield Pooled(host="127.0.0.1", port=port, pid=process.pid)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(_PATIENCE):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None:
                break
            threading.Event().wait(0.05)
        else:
            return
    raise RuntimeError(f"PgBouncer did not come up:\n{log.read_text()[-2000:]}")
