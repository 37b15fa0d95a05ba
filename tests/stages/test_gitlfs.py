"""Git LFS at the upstream's side: what is not known, or fails, does not arrive."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from proctor.git.packreport import PackLimits
from proctor.git.room import GitRoom
from tests.stages.test_gitfetch import MARKED, Reader, World, body_of
from tests.support.origin import Origin
from tests.support.stand import house, listener, running

DATA = b"an object of some bytes"
OID = sha256(DATA).hexdigest()
BATCH = "/team/app.git/info/lfs/objects/batch"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    reader = Reader()
    with Origin() as origin:
        stand = house(listener(origin.port, name="git", speaks="git"))
        room = GitRoom(tmp_path, reader, limits=PackLimits(), most=1000)
        stand.suite._git = room
        yield World(stand, origin, reader, room.folder)


def request(method: str, path: str, body: bytes = b"") -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "host: 127.0.0.1",
        "authorization: Bearer a",
        "content-type: application/vnd.git-lfs+json",
        f"content-length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def batch(operation: str, size: int = len(DATA)) -> bytes:
    said = {"operation": operation, "objects": [{"oid": OID, "size": size}]}
    return request("POST", BATCH, json.dumps(said).encode())


def links(world: World, action: str, path: str = "/store/x?a=b") -> None:
    """What the server says where its objects are."""
    href = f"http://127.0.0.1:{world.origin.port}{path}"
    item = {"oid": OID, "size": len(DATA), "actions": {action: {"href": href}}}
    answers(world, json.dumps({"objects": [item]}).encode())


def answers(world: World, body: bytes, status: str = "200 OK") -> None:
    head = f"HTTP/1.1 {status}\r\ncontent-type: text/x\r\ncontent-length: {len(body)}\r\n\r\n"
    world.origin.answer = head.encode() + body


def test_an_upload_is_what_was_announced_and_looked_at(world: World) -> None:
    with running(world.stand, "git") as live:
        links(world, "upload")
        said = body_of(live.request("git", batch("upload")))
        assert b"http://127.0.0.1/store/x?a=b" in said  # the client comes back to us
        answers(world, b"")
        assert b" 200 " in live.request("git", request("PUT", "/store/x?a=b", DATA))
        assert world.origin.wait_requests(2)
        assert world.origin.requests[-1].endswith(b"\r\n\r\n" + DATA)
        assert world.reader.seen == [DATA]
        for wrong in (DATA[:-1], DATA.upper(), DATA + b"x"):
            said = live.request("git", request("PUT", "/store/x?a=b", wrong))
            assert b"not the one that the batch API was asked about" in said
        world.reader.fails = RuntimeError("on purpose")
        assert b" 503 " in live.request("git", request("PUT", "/store/x?a=b", DATA))
        world.reader.fails = None
        world.reader.findings = (MARKED,)
        assert b"rule redaction" in live.request("git", request("PUT", "/store/x?a=b", DATA))
    assert len(world.origin.requests) == 2
    assert world.empty()


def test_a_download_is_what_was_announced_and_looked_at(world: World) -> None:
    with running(world.stand, "git") as live:
        links(world, "download")
        body_of(live.request("git", batch("download")))
        answers(world, DATA)
        get = request("GET", "/store/x?a=b")
        assert body_of(live.request("git", get)) == DATA
        world.reader.findings = (MARKED,)
        said = live.request("git", get)
        assert said.startswith(b"HTTP/1.1 451 ")
        assert "marked secret" in json.loads(body_of(said))["message"]
        world.reader.findings = ()
        world.reader.fails = RuntimeError("on purpose")
        said = live.request("git", get)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert DATA not in said
        answers(world, DATA.upper())
        said = live.request("git", get)
        assert said.startswith(b"HTTP/1.1 502 ")
        assert DATA.upper() not in said
        answers(world, b"", "302 Found")
        assert b"proctor: " in live.request("git", get)
    assert world.empty()


@pytest.mark.parametrize(
    "asked",
    [
        request("GET", "/store/x?a=b"),
        request("PUT", "/store/x?a=b", DATA),
        request("GET", "/team/app.git/info/lfs/objects/" + OID),
        request("POST", BATCH, b"{}"),
        request("POST", BATCH, b'{"operation": "upload", "transfers": ["tus"]}'),
        request("GET", "/team/app.git/objects/info/packs"),
    ],
    ids=["get", "put", "own", "empty", "transfer", "dumb"],
)
def test_what_nobody_was_told_of_does_not_leave(world: World, asked: bytes) -> None:
    with running(world.stand, "git") as live:
        said = live.request("git", asked)
    assert b"proctor: " in said
    assert world.origin.received == b""


def test_an_object_larger_than_may_be(world: World) -> None:
    with running(world.stand, "git") as live:
        href = f"http://127.0.0.1:{world.origin.port}/store/x"
        item = {"oid": OID, "actions": {"upload": {"href": href}}}
        answers(world, json.dumps({"objects": [item]}).encode())
        body_of(live.request("git", batch("upload", 2000)))
        said = live.request("git", request("PUT", "/store/x", b"x" * 2000))
    assert b"limits.pack" in said
    assert len(world.origin.requests) == 1


def test_an_address_elsewhere_is_not_told(world: World) -> None:
    with running(world.stand, "git") as live:
        item = {"oid": OID, "actions": {"download": {"href": "http://elsewhere.example/x"}}}
        answers(world, json.dumps({"objects": [item]}).encode())
        said = body_of(live.request("git", batch("download")))
    assert b"elsewhere.example" not in said
    assert b"no destination" in said
