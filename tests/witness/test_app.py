"""A witness on the network: its paths, limits, and a real server with a real client."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from proctor.testing import tls
from proctor.tlog.prooffile import MAX_CONSISTENCY
from proctor.witness.app import make_app, serve
from proctor.witness.kept import Kept, name_of
from proctor.witness.watch import LogsWatch
from proctor.witness.witness import Witness
from tests.support.logs import ORIGIN, Log
from tests.witness.test_witness import COSIGNER, make


@pytest.fixture
def log() -> Log:
    return Log().add(8)


@pytest.fixture
def witness(tmp_path: Path, log: Log) -> Iterator[Witness]:
    with Kept(tmp_path / "state", COSIGNER.public) as kept:
        yield make(kept, log)


def client(witness: Witness, **options: float) -> httpx.AsyncClient:
    app = make_app(witness, monotonic=lambda: 0.0, **options)  # type: ignore[arg-type]
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=("10.0.0.1", 1)), base_url="http://witness"
    )


def test_all_paths(witness: Witness, log: Log) -> None:
    async def go() -> None:
        async with client(witness) as http:
            assert (await http.get("/healthz")).text == "ok\n"
            assert (await http.get(f"/checkpoints/{ORIGIN}")).status_code == 404
            assert (await http.get(f"/checkpoints/{ORIGIN}?history")).status_code == 404
            assert (await http.get(f"/{name_of(ORIGIN)}/checkpoint")).status_code == 404
            assert (await http.get("/add-checkpoint")).status_code == 405
            for old, size in ((0, 3), (3, 8)):
                answer = await http.post("/add-checkpoint", content=str(log.request(old, size)))
                assert answer.status_code == 200
                assert answer.text.startswith(f"\u2014 {COSIGNER.name} ")
            conflict = await http.post("/add-checkpoint", content=str(log.request(3, 8)))
            assert (conflict.status_code, conflict.text) == (409, "8\n")
            assert conflict.headers["content-type"] == "text/x.tlog.size"
            latest = (await http.get(f"/checkpoints/{ORIGIN}")).text
            assert latest == (await http.get(f"/{name_of(ORIGIN)}/checkpoint")).text
            assert latest.startswith(log.note().text)
            history = (await http.get(f"/checkpoints/{ORIGIN}?history")).text.splitlines()
            assert [json.loads(line).split("\n")[1] for line in history] == ["3", "8"]
            logs = (await http.get("/checkpoints")).text.splitlines()
            assert [json.loads(line) for line in logs] == [{"origin": ORIGIN, "size": 8}]

    asyncio.run(go())


def test_a_body_that_is_too_large_or_too_slow(witness: Witness) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"old 0\n"
        await asyncio.Event().wait()

    async def go() -> None:
        async with client(witness, seconds=0.01) as http:
            large = await http.post("/add-checkpoint", content=b"x" * (MAX_CONSISTENCY + 1))
            assert (large.status_code, large.text[:16]) == (413, "[body-too-large]")
            late = await http.post("/add-checkpoint", content=slow())
            assert (late.status_code, late.text[:11]) == (408, "[body-slow]")

    asyncio.run(go())


def test_one_address_may_not_ask_too_often(witness: Witness) -> None:
    async def go() -> None:
        async with client(witness, per_minute=2) as http:
            statuses = [(await http.get("/checkpoints")).status_code for _ in range(3)]
            assert statuses == [200, 200, 429]
            assert (await http.get("/healthz")).status_code == 200

    asyncio.run(go())


def test_over_tls_until_told_to_end(witness: Witness, log: Log, tmp_path: Path) -> None:
    files = tls.make(tmp_path / "tls")
    path = tmp_path / "witness.yaml"
    path.write_text(
        f"name: {COSIGNER.name}\nlisten: 127.0.0.1:0\nkey: k.pem\nstate: state\n"
        f"tls: {{cert: {files.cert}, key: {files.key}}}\n"
    )
    watch = LogsWatch(path)

    async def go() -> None:
        found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(serve(watch, witness, found.set_result))
            url = await found
            async with httpx.AsyncClient(
                verify=files.client_context(), trust_env=False, timeout=30
            ) as http:
                answer = await http.post(f"{url}/add-checkpoint", content=str(log.request(0)))
                assert answer.status_code == 200
                assert "server" not in answer.headers
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    asyncio.run(go())
