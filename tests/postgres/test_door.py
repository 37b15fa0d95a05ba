"""Clients, one a turn."""

import asyncio
import socket

import pytest

from proctor.postgres.door import Door


class Guest(asyncio.Protocol):
    """Says who it is, and goes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hi")
        transport.close()


def listening() -> socket.socket:
    opened = socket.socket()
    opened.bind(("127.0.0.1", 0))
    opened.listen(64)
    return opened


async def said(address: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    found = await reader.read()
    writer.close()
    return found


def test_two_doors_share_what_comes() -> None:
    async def run() -> None:
        opened = listening()
        address = opened.getsockname()
        doors = [Door(opened.dup(), Guest), Door(opened, Guest)]
        assert await asyncio.gather(*(said(address) for _ in range(20))) == [b"hi"] * 20
        for door in doors:
            door.close()
        with pytest.raises(ConnectionRefusedError):
            await said(address)

    asyncio.run(run())


class Full(socket.socket):
    """Holds no more at first."""

    tries = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.tries += 1
        if self.tries == 1:
            raise OSError(24, "Too many open files")
        return super().accept()


def test_a_full_process_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor.postgres.door._REST", 0.01)

    async def run() -> None:
        opened = Full()
        opened.bind(("127.0.0.1", 0))
        opened.listen(64)
        door = Door(opened, Guest)
        assert await said(opened.getsockname()) == b"hi"
        door.close()

    asyncio.run(run())
