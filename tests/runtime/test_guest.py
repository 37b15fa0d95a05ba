"""A server in a loop of ours."""

import asyncio
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from proctor.errors import ConfigurationError
from proctor.runtime.guest import guest
from proctor.runtime.health import listen
from proctor.runtime.tasks import spawn
from proctor.settings import ServerTlsSettings
from proctor.testing import tls
from proctor.units import parse_address


async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_it_says_when_it_is_up_and_ends_when_told(tmp_path: Path) -> None:
    made = tls.make(tmp_path)

    async def main() -> httpx.Response:
        files = ServerTlsSettings(cert=made.cert, key=made.key)
        server = guest(answer, what="test", tls=files, clients=5, grace=1)
        opened = listen(parse_address("127.0.0.1:0"))
        task = spawn(server.serve(sockets=[opened]), name="guest")
        async with asyncio.timeout(30):
            await server.up.wait()
            async with httpx.AsyncClient(
                verify=made.client_context(), trust_env=False, timeout=30
            ) as client:
                found = await client.get(f"https://localhost:{opened.getsockname()[1]}/")
            server.should_exit = True
            await task
        opened.close()
        return found

    found = asyncio.run(main())
    assert found.status_code == 204
    assert "server" not in found.headers


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    one, other = tls.make(tmp_path / "one"), tls.make(tmp_path / "other")
    for files in (
        ServerTlsSettings(cert=one.cert, key=other.key),
        ServerTlsSettings(cert=tmp_path / "no.pem", key=one.key),
    ):
        with pytest.raises(ConfigurationError) as caught:
            guest(answer, what="witness", tls=files, clients=5, grace=1)
        assert caught.value.code == "tls-files"
        assert "witness's TLS files" in caught.value.message
