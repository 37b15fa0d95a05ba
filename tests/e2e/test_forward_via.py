"""A forward listener behind the company's own proxy, which is a stock mitmdump."""

import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from proctor.testing import tls
from proctor.testing.ports import free_ports
from tests.support.forward import Wire, code
from tests.support.held import eventually
from tests.support.outward import Outward, Plan, outward
from tests.support.web import Web

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MITMDUMP = "from mitmproxy.tools.main import mitmdump; mitmdump()"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Its port, and what it has seen: a line for each tunnel and request."""
    folder = tmp_path_factory.mktemp("company")
    (port,) = free_ports(1)
    seen = folder / "seen"
    seen.touch()
    (folder / "told.py").write_text(
        "def note(flow):\n"
        f"    with open({str(seen)!r}, 'a') as told:\n"
        "        print(flow.request.method, flow.request.pretty_host, file=told)\n"
        "http_connect = request = note\n"
    )
    options = ("-q", "-p", str(port), "--set", f"confdir={folder}", "--set", "ignore_hosts=.*")
    process = subprocess.Popen(
        [sys.executable, "-c", MITMDUMP, *options, "-s", str(folder / "told.py")],
        stdin=subprocess.DEVNULL,
    )

    def up() -> bool | None:
        try:
            Wire(f"127.0.0.1:{port}").socket.close()
        except ConnectionRefusedError:
            return None
        return True

    try:
        eventually(up)
        yield port, seen
    finally:
        process.terminate()
        process.wait(30)


def test_all_goes_through_it_and_only_what_may(company: tuple[int, Path], tmp_path: Path) -> None:
    port, seen = company
    files = tls.make(tmp_path / "tls")
    with Web(tls=files.server_context()) as web, Web() as plain:
        trust = {"upstream_tls": {"ca": str(files.ca)}}
        destinations = [
            {"host": "localhost", "port": web.port, **trust},
            {"host": "localhost", "port": plain.port, "plaintext": True},
            {"host": "127.0.0.1", "port": web.port, "speaks": "tunnel"},
        ]
        listener = {
            "name": "egress",
            "kind": "forward",
            "listen": "127.0.0.1:0",
            "destinations": destinations,
            "via": f"http://127.0.0.1:{port}",
        }
        with outward(tmp_path / "home", Plan(destinations=[], listeners=[listener])) as out:
            _asked(out, web, plain, files.ca)
    told = seen.read_text().splitlines()
    assert told
    assert {line.split()[1] for line in told} <= {"localhost", "127.0.0.1"}


def _asked(out: Outward, web: Web, plain: Web, upstream_ca: Path) -> None:
    context = ssl.create_default_context(cafile=str(out.ca))
    with httpx.Client(
        proxy=out.proxy(), verify=context, trust_env=False, http2=True, timeout=30
    ) as client:
        assert client.get(f"{web.url}/tls").json()["target"] == "/tls"
        assert client.get(f"{plain.url}/plain").json()["target"] == "/plain"
        for away in ("http://169.254.169.254/", "http://0xa9fea9fe/", "http://127.1/"):
            assert client.get(away).json()["code"] == "destination-unknown"
    with Wire(out.address) as wire:
        answer = wire.connect(f"127.0.0.1:{web.port}", token=out.token())
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        wire.wrap(upstream_ca, "localhost")
        assert b" 200 " in wire.say("GET /opaque HTTP/1.1", "host: localhost")
    with Wire(out.address) as wire:
        assert code(wire.connect("169.254.169.254:80", token=out.token())) == "destination-unknown"
