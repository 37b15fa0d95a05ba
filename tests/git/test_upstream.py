"""A git server that is asked for what a push builds upon, and servers that are none."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from mitmproxy import http

from proctor.errors import UpstreamError
from proctor.git import upstream
from proctor.git.packreading import Order, Reading
from proctor.git.upstream import Upstream, Wanted, Where
from proctor.protocols.git.pktline import FLUSH, pkt
from proctor.runtime.tls import Trusted
from proctor.testing import tls
from proctor.testing.http1 import Received
from proctor.testing.service import Answer
from tests.support.gitserver import GitServer, git
from tests.support.web import Web, answer

OFFER = "application/x-git-upload-pack-advertisement"
RESULT = "application/x-git-upload-pack-result"
CAPABLE = pkt(b"version 2\n") + pkt(b"fetch=shallow filter\n") + FLUSH
PACKFILE = pkt(b"packfile\n")


def where(web: Web, path: str = "/a.git", **more: object) -> Where:
    said = {"scheme": "http", "host": "localhost", "port": web.port, "hosts": ("127.0.0.1",)}
    return Where(path=path, **(said | more))  # type: ignore[arg-type]  # as each test wants it


def fetched(at: Where, wanted: Wanted, folder: Path) -> bytes:
    async def run() -> bytes:
        async with Upstream(at, folder).pack(wanted) as path:
            found = path.read_bytes()
        assert not list(folder.glob("base-*"))  # noqa: ASYNC240 - of a test
        return found

    try:
        return asyncio.run(run())
    finally:
        assert not list(folder.glob("base-*"))


def test_trees_of_a_commit(tmp_path: Path) -> None:
    server = GitServer(tmp_path / "served")
    bare = server.make("a")
    git(bare, "config", "uploadpack.allowFilter", "true")
    tip = git(bare, "rev-parse", "main")

    def put(request: http.Request) -> None:
        request.headers["x-key"] = "k"

    files = tls.make(tmp_path / "tls")
    with Web(server, tls=files.server_context()) as web:
        at = where(web, scheme="https", files=Trusted(ca=files.ca), put=put)
        (tmp_path / "packs").mkdir()
        wanted = Wanted(wants=[tip], filter="blob:none", depth=1)
        pack = tmp_path / "pack"
        pack.write_bytes(fetched(at, wanted, tmp_path / "packs"))
        report = Reading(Order(path=pack, detect=False)).report()
        assert ([each.id for each in report.commits], report.objects) == ([tip], 2)
        graph = Wanted(wants=[tip], haves=[git(bare, "rev-parse", "main~2")], filter="tree:0")
        pack.write_bytes(fetched(at, graph, tmp_path / "packs"))
        assert Reading(Order(path=pack, detect=False)).report().objects == 2
        assert all(each.header("x-key") == "k" for each in web.requests)
        assert all(each.header("git-protocol") == "version=2" for each in web.requests)
        with pytest.raises(UpstreamError):
            fetched(at, Wanted(wants=["f" * 40]), tmp_path / "packs")


def site(said: Answer, offer: bytes = CAPABLE) -> Callable[[Received], Answer]:
    return lambda request: said if request.method == "POST" else answer(200, offer, OFFER)


@pytest.mark.parametrize(
    "said",
    [
        answer(404, b"", RESULT),
        answer(200, b"<html>", "text/html"),
        answer(200, b"", RESULT),
        answer(200, PACKFILE + pkt(b"\1PACK"), RESULT),
        answer(200, PACKFILE + pkt(b"\3gone") + FLUSH, RESULT),
        answer(200, pkt(b"ERR not our ref"), RESULT),
        answer(200, FLUSH, RESULT),
        answer(200, b"zzzz", RESULT),
        answer(200, PACKFILE + pkt(b"\1" + b"x" * 60_000) * 20 + FLUSH, RESULT),
    ],
)
def test_what_is_no_answer(tmp_path: Path, said: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "MOST", 10**6)
    with Web(site(said)) as web, pytest.raises(UpstreamError) as caught:
        fetched(where(web), Wanted(wants=["a" * 40]), tmp_path)
    assert caught.value.code == "git-answer"


def test_a_server_of_old_and_none_at_all(tmp_path: Path) -> None:
    good = answer(200, PACKFILE + pkt(b"\2words") + pkt(b"\1PACK") + FLUSH, RESULT)
    with Web(site(good, pkt(b"# service=git-upload-pack\n") + FLUSH)) as web:
        with pytest.raises(UpstreamError, match="cannot be read"):
            fetched(where(web), Wanted(wants=["a" * 40]), tmp_path)
        assert [each.method for each in web.requests] == ["GET"]
    with pytest.raises(UpstreamError):
        fetched(where(web), Wanted(wants=["a" * 40]), tmp_path)
    with Web(site(good, pkt(b"version 2\n") + pkt(b"fetch\n") + FLUSH)) as plain:
        found = fetched(where(plain), Wanted(wants=["a" * 40], filter="tree:0"), tmp_path)
        assert found == b"PACK"
        assert b"filter" not in plain.requests[-1].body
