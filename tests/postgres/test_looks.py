"""What doctor says of a listener's server."""

import asyncio
from pathlib import Path

import pytest

from proctor.config import load
from proctor.postgres.looks import servers
from proctor.runtime.checkup import Finding, State
from tests.postgres.server import PASSWORDS, Server
from tests.support.databases import LISTENER, configuration


def look(folder: Path, port: int, user: str, password: str | None) -> Finding:
    file = configuration(folder, f"{LISTENER.replace('5432', str(port))}, database: postgres")
    file.write_text(file.read_text().replace("orders_app", user))
    environment = {} if password is None else {"DB_PASSWORD": password}

    async def run() -> list[Finding]:
        return [await each for each in servers(load(file), environment)]

    found, rights = asyncio.run(run())
    assert rights.check == f"{found.check} rights"
    return rights if rights.state is State.FAIL else found


@pytest.mark.parametrize(
    ("user", "state", "words"),
    [("orders_app", State.OK, "takes it"), ("postgres", State.FAIL, "has SUPERUSER")],
)
def test_a_role(tmp_path: Path, postgres15: Server, user: str, state: State, words: str) -> None:
    found = look(tmp_path, postgres15.port, user, PASSWORDS[user])
    assert (found.state, words in found.what) == (state, True)


def test_a_wrong_password(tmp_path: Path, postgres15: Server) -> None:
    found = look(tmp_path, postgres15.port, "orders_app", "wrong")
    assert found.state is State.FAIL
    assert "wrong" not in found.what


def test_no_password(tmp_path: Path) -> None:
    assert look(tmp_path, 1, "orders_app", None).state is State.WARN


def test_nobody_there(tmp_path: Path) -> None:
    assert look(tmp_path, 1, "orders_app", "x").state is State.FAIL
