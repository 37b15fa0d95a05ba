"""Whatever goes wrong with a fetch, nothing of its pack reaches the client, or stays on disk."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from proctor.git.packreading import Order
from proctor.git.packreport import PackError, PackLimits, PackReport
from proctor.git.packs import Packs
from proctor.git.room import GitRoom
from proctor.model import Finding
from proctor.protocols.git.answers import FetchAnswer
from proctor.protocols.git.pktline import DELIM, FLUSH, pkt
from proctor.stages import githeld
from tests.support.live import Live
from tests.support.origin import Origin
from tests.support.stand import Stand, house, listener, running

A = "a" * 40
ASKED = pkt(b"command=fetch") + DELIM + pkt(f"want {A}\n".encode()) + pkt(b"done\n") + FLUSH
OLDER = pkt(f"want {A} side-band-64k\n".encode()) + FLUSH + pkt(b"done\n")
BARE = pkt(f"want {A}\n".encode()) + FLUSH + pkt(b"done\n")
PACK = b"PACK" + bytes(range(256)) * 2000
BANDS = pkt(b"\2Counting\n") + b"".join(
    pkt(b"\1" + PACK[start : start + 60_000]) for start in range(0, len(PACK), 60_000)
)
ANSWER = pkt(b"packfile\n") + BANDS + FLUSH
MOST = 1_000_000
MARKED = Finding(type="SECRET_PATH", location="config/.env", direction="response", score=1.0)


class Reader(Packs):
    """Says of every pack what a test wants."""

    def __init__(self) -> None:
        super().__init__(None)
        self.findings: tuple[Finding, ...] = ()
        self.fails: BaseException | None = None
        self.seen: list[bytes] = []
        self.waits = 0.0

    async def read(self, order: Order) -> PackReport:
        self.seen.append(order.path.read_bytes())
        await asyncio.sleep(self.waits)
        if self.fails:
            raise self.fails
        return PackReport(objects=1, bytes=1, inflated=1, tags={}, findings=self.findings)


@dataclass
class World:
    stand: Stand
    origin: Origin
    reader: Reader
    folder: Path

    def live(self) -> AbstractContextManager[Live]:
        return running(self.stand, "git")

    def answers(self, body: bytes, kind: str = "result", *, length: int | None = None) -> None:
        """What the server says from now on."""
        size = len(body) if length is None else length
        self.origin.answer = (
            f"HTTP/1.1 200 OK\r\ncontent-type: application/x-git-upload-pack-{kind}\r\n"
            f"content-length: {size}\r\n\r\n"
        ).encode() + body

    def empty(self, within: float = 30) -> bool:
        """Whether nothing is left on disk, soon."""
        until = time.monotonic() + within
        while list(self.folder.glob("*.pack")):
            if time.monotonic() > until:
                return False
        return True


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    reader = Reader()
    with Origin() as origin:
        stand = house(listener(origin.port, name="git", speaks="git"))
        room = GitRoom(tmp_path, reader, limits=PackLimits(), most=MOST)
        stand.suite._git = room
        found = World(stand, origin, reader, room.folder)
        found.answers(ANSWER)
        yield found


def fetch(body: bytes = ASKED, *, version: int = 2) -> bytes:
    lines = [
        "POST /team/app.git/git-upload-pack HTTP/1.1",
        "host: proxy",
        "authorization: Bearer a",
        "content-type: application/x-git-upload-pack-request",
        *([f"git-protocol: version={version}"] if version else []),
        f"content-length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def body_of(said: bytes) -> bytes:
    """Of a chunked answer."""
    head, _, rest = said.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head.lower()
    out = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if not int(size, 16):
            return out
        out, rest = out + rest[: int(size, 16)], rest[int(size, 16) + 2 :]


def pack_of(answer: bytes, version: int = 2) -> bytes:
    """What a client unpacks."""
    kept = bytearray()
    reader = FetchAnswer(kept.extend, version=version)
    reader.feed(answer)
    reader.finish()
    return bytes(kept)


@pytest.mark.parametrize(
    ("asked", "lead", "version"),
    [
        (ASKED, pkt(b"packfile\n"), 2),
        (OLDER, pkt(b"NAK\n"), 0),
    ],
    ids=["v2", "v0"],
)
def test_a_pack_arrives_as_it_was_sent(
    world: World, asked: bytes, lead: bytes, version: int
) -> None:
    world.answers(lead + BANDS + FLUSH)
    with world.live() as live:
        said = body_of(live.request("git", fetch(asked, version=version)))
    assert said.startswith(lead + pkt(b"\2Counting\n"))
    assert pack_of(said, version) == PACK
    assert world.reader.seen == [PACK]
    assert world.empty()


def test_a_pack_without_bands(world: World) -> None:
    world.answers(pkt(b"NAK\n") + PACK)
    with world.live() as live:
        said = body_of(live.request("git", fetch(BARE, version=0)))
        assert said == pkt(b"NAK\n") + PACK
        world.reader.findings = (MARKED,)
        said = body_of(live.request("git", fetch(BARE, version=0)))
    assert said == pkt(b"ERR proctor: config/.env is marked secret (rule secret-path)")
    assert world.empty()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("on purpose"),
        PackError("git-pack-unreadable", "No pack"),
        MemoryError(),
        OSError(28, "full"),
    ],
    ids=["defect", "unreadable", "memory", "disk"],
)
def test_a_reader_that_fails(world: World, error: BaseException) -> None:
    world.reader.fails = error
    with world.live() as live:
        said = body_of(live.request("git", fetch()))
    assert said.startswith(b"00")
    assert said[4:].startswith(b"ERR proctor: ")
    assert PACK[:50] not in said
    assert b"on purpose" not in said
    assert world.empty()


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER[:-4],
        ANSWER[:-5],
        ANSWER + pkt(b"more"),
        pkt(b"packfile\n") + FLUSH,
        pkt(b"packfile-uris\n") + pkt(b"x") + FLUSH,
        pkt(b"packfile\n") + pkt(b"\1" + PACK[:9]) + pkt(b"\7"),
        b"<html>a login page</html>",
        pkt(b"packfile\n") + BANDS * 3 + FLUSH,
    ],
    ids=["no-end", "cut", "more", "empty", "elsewhere", "band", "html", "large"],
)
def test_an_answer_that_is_none(world: World, answer: bytes) -> None:
    world.answers(answer)
    with world.live() as live:
        said = live.request("git", fetch())
    assert b"ERR proctor: " in said
    assert PACK[:50] not in said
    assert b"login" not in said
    assert world.empty()


def test_another_type_is_no_answer(world: World) -> None:
    world.answers(ANSWER, "advertisement")
    with world.live() as live:
        said = live.request("git", fetch())
    assert b"proctor: " in said
    assert PACK[:50] not in said


def test_what_takes_long_shows_its_progress(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(githeld, "PATIENCE", 0.02)
    monkeypatch.setattr("proctor.stages.gitfetch.PATIENCE", 0.02)
    monkeypatch.setattr("proctor.stages.gitfetch.PING", 0.05)
    world.reader.waits = 0.4
    world.reader.findings = (MARKED,)
    with world.live() as live:
        said = body_of(live.request("git", fetch()))
        assert said.startswith(pkt(b"packfile\n") + pkt(b"\2Counting\n") + b"0005\1")
        end = pkt(b"\3proctor: config/.env is marked secret (rule secret-path)\n") + FLUSH
        assert said.endswith(end)
        assert PACK[:50] not in said
        world.reader.findings = ()
        assert pack_of(body_of(live.request("git", fetch()))) == PACK
    assert world.empty()


def _hang_up(client: socket.socket, world: World) -> None:
    until = time.monotonic() + 30
    while not world.reader.seen and time.monotonic() < until:
        pass
    client.close()


def _read_a_little(client: socket.socket, _world: World) -> None:
    assert client.recv(100)
    client.close()


@pytest.mark.parametrize("leave", [_hang_up, _read_a_little], ids=["waiting", "reading"])
def test_a_client_that_goes_away(
    world: World, leave: Callable[[socket.socket, World], None]
) -> None:
    world.reader.waits = 0.2 if leave is _hang_up else 0
    with world.live() as live:
        client = socket.create_connection(("127.0.0.1", live.ports["git"]), 30)
        client.sendall(fetch())
        leave(client, world)
        assert world.empty()


def test_a_server_that_stalls_or_goes_away(world: World) -> None:
    world.answers(ANSWER[:100_000], length=len(ANSWER))
    with world.live() as live:
        client = socket.create_connection(("127.0.0.1", live.ports["git"]), 30)
        client.sendall(fetch())
        assert world.origin.wait_requests(1)
        assert client.recv(65536).endswith(b"\r\n\r\n")  # the head, and nothing behind it
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(100)
        client.close()
        assert world.empty()
    assert world.reader.seen == []


def test_refs_are_asked_without_what_cannot_be_read(world: World) -> None:
    offer = b"".join(
        [
            pkt(b"# service=git-upload-pack\n") + FLUSH + pkt(b"version 2\n"),
            pkt(b"fetch=shallow packfile-uris\n") + pkt(b"bundle-uri\n") + FLUSH,
        ]
    )
    world.answers(offer, "advertisement")
    asked = fetch(b"").replace(
        b"POST /team/app.git/git-upload-pack",
        b"GET /team/app.git/info/refs?service=git-upload-pack",
    )
    with world.live() as live:
        said = body_of(live.request("git", asked))
        assert said.endswith(pkt(b"version 2\n") + pkt(b"fetch=shallow\n") + FLUSH)
        world.answers(pkt(f"{A} refs/heads/main\n".encode()) + FLUSH)
        listing = pkt(b"command=ls-refs") + FLUSH
        assert pkt(f"{A} refs/heads/main\n".encode()) in live.request("git", fetch(listing))
        world.answers(ANSWER)
        body_of(live.request("git", fetch()))
    asked_for = world.stand.rules.cases[-1].action.git
    assert asked_for is not None
    assert asked_for.refs == ("refs/heads/main",)
