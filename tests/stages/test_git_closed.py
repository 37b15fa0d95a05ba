"""Whatever goes wrong with a push, nothing of it reaches the git server."""

import contextlib
import gzip
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from proctor.git.packreading import Order
from proctor.git.packreport import PackError, PackLimits, PackReport
from proctor.git.packs import Packs
from proctor.git.room import GitRoom
from proctor.protocols.git.pktline import FLUSH, pkt
from proctor.stages.suite import ORDER
from tests.support.live import Live
from tests.support.origin import Origin
from tests.support.stand import Stand, house, listener, running

A, ZERO = "a" * 40, "0" * 40
HEAD = pkt(f"{ZERO} {A} refs/heads/main".encode() + b"\0report-status side-band-64k") + FLUSH
PACK = b"PACK" + bytes(300_000)
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/x-git-receive-pack-result\r\n"
    b"content-length: 4\r\n\r\n0000"
)
MOST = 400_000


class Reader(Packs):
    """Says of every pack what a test wants."""

    def __init__(self) -> None:
        super().__init__(None)
        self.fails: BaseException | None = None
        self.orders: list[Order] = []
        self.first: Callable[[Order], None] = lambda _order: None

    async def read(self, order: Order) -> PackReport:
        self.orders.append(order)
        self.first(order)
        if self.fails:
            raise self.fails
        return PackReport(objects=1, bytes=1, inflated=1, tags={A: A}, names="n")


@dataclass
class World:
    stand: Stand
    origin: Origin
    reader: Reader
    folder: Path

    def live(self) -> AbstractContextManager[Live]:
        return running(self.stand, "git")

    def nothing(self) -> None:
        """Nothing has reached the server, and nothing is left on disk."""
        assert self.origin.received == b""
        assert list(self.folder.glob("*.pack")) == []


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    reader = Reader()
    with Origin(ANSWER) as origin:
        stand = house(listener(origin.port, name="git", speaks="git"))
        room = GitRoom(tmp_path, reader, limits=PackLimits(), most=MOST)
        stand.suite._git = room
        yield World(stand, origin, reader, room.folder)


def push(body: bytes = HEAD + PACK, *headers: str, length: int | None = None) -> bytes:
    lines = [
        "POST /team/app.git/git-receive-pack HTTP/1.1",
        "host: proxy",
        "authorization: Bearer a",
        "content-type: application/x-git-receive-pack-request",
        f"content-length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_a_push_arrives_as_it_was_sent(world: World) -> None:
    with world.live() as live:
        said = live.request("git", push())
        assert b" 200 " in said
        assert said.endswith(b"\r\n0000\r\n0\r\n\r\n")
        zipped = live.request("git", push(gzip.compress(HEAD + PACK), "content-encoding: gzip"))
        assert b" 200 " in zipped
    assert world.origin.wait_requests(2)
    for each in world.origin.requests:
        assert each.partition(b"\r\n\r\n")[2] == HEAD + PACK
        assert f"content-length: {len(HEAD + PACK)}".encode() in each.lower()
        assert b"content-encoding" not in each.lower()
    assert list(world.folder.glob("*.pack")) == []


STAGES = [each.__name__ for each in ORDER if hasattr(each, "request")]


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_that_throws(world: World, name: str) -> None:
    found = (each for each in world.stand.suite.stages_in_order if type(each).__name__ == name)

    def fail(_flow: object) -> None:
        raise RuntimeError("on purpose")

    next(found).request = fail
    with world.live() as live:
        said = live.request("git", push())
    assert b"ng refs/heads/main" in said or b" 503 " in said
    world.nothing()


def test_a_stage_that_throws_at_the_head(world: World) -> None:
    stage = next(
        each for each in world.stand.suite.stages_in_order if type(each).__name__ == "Inspection"
    )

    def fail(_flow: object) -> None:
        raise RuntimeError("on purpose")

    stage.requestheaders = fail
    with world.live() as live:
        live.request("git", push())
    world.nothing()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("on purpose"),
        PackError("git-pack-unreadable", "No pack"),
        MemoryError(),
        OSError(28, "full"),
    ],
)
def test_a_reader_that_fails(world: World, error: BaseException) -> None:
    world.reader.fails = error
    with world.live() as live:
        said = live.request("git", push())
    assert b"ng refs/heads/main" in said
    world.nothing()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"PACK",
        HEAD,
        HEAD[:-1],
        HEAD + b"x" * MOST,
        pkt(b"push-cert\0x") + FLUSH,
        pkt(f"{ZERO} {A} HEAD\0report-status".encode()) + FLUSH + PACK,
        gzip.compress(HEAD + PACK),
    ],
)
def test_what_is_no_push(world: World, body: bytes) -> None:
    with world.live() as live:
        said = live.request("git", push(body))
    assert b"proctor: " in said
    assert world.reader.orders == []
    world.nothing()


def test_a_push_that_is_cut_off(world: World) -> None:
    with world.live() as live:
        with socket.create_connection(("127.0.0.1", live.ports["git"]), 30) as client:
            client.sendall(push(HEAD + PACK[:1000], length=len(HEAD + PACK)))
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
        assert world.reader.orders == []
    world.nothing()


def test_a_file_that_changes_after_it_was_read(world: World) -> None:
    def cut(order: Order) -> None:
        os.truncate(order.path, 1000)

    world.reader.first = cut
    with world.live() as live, pytest.raises((OSError, AssertionError)):
        assert live.request("git", push())
    assert world.origin.requests == []  # the server has no whole request


def test_a_large_body_elsewhere_still_has_a_limit(world: World) -> None:
    with world.live() as live:
        data = push().replace(b"git-receive-pack HTTP", b"git-upload-pack HTTP")
        said = live.request("git", data.replace(b"content-length: ", b"content-length: 9999"))
    assert b" 413 " in said
    world.nothing()


def test_a_refused_push_that_does_not_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor.runtime.spooling.PATIENCE", 10_000)
    with world.live() as live:
        with socket.create_connection(("127.0.0.1", live.ports["git"]), 30) as client:
            client.sendall(push(b"PACK" + bytes(MOST)))
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(10) == b""
    world.nothing()
