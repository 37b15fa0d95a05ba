"""What a Connection and its Session know of each other."""

import asyncio

from proctor.postgres.connection import Connection
from proctor.postgres.reception import Reception
from proctor.postgres.settings import Server
from proctor.postgres.shared import House
from proctor.postgres.upstream import Target
from proctor.postgres.wires import Arrival, Login, Session, Sessions, Wires
from tests.postgres.relaying import admit, signing


class Nobody(Sessions):
    def open(self, arrival: Arrival, wires: Wires) -> Session:
        raise NotImplementedError


def test_a_secret_shows_nowhere() -> None:
    assert "hidden" not in repr(Login(user="alice", password="hidden"))


def test_a_connection_is_what_a_session_is_given() -> None:
    async def go() -> None:
        house = House(
            sessions=Nobody(),
            recall=lambda _token: None,
            admit=admit,
            sign=signing("postgres"),
            target=Target(server=Server(host="127.0.0.1", port=1)),
            reception=Reception[Connection](1),
        )
        wires: Wires = Connection(house)
        # Without a server, and with nobody there, all of it is quiet.
        wires.to_server(b"x")
        wires.pause_client()
        wires.resume_client()
        wires.pause_server()
        wires.resume_server()
        wires.finish(b"x")
        wires.to_client(b"x")

    asyncio.run(go())
