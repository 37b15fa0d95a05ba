"""Real clients and the installation's own authority: curl, node, openssl, and Python in a process.

Each gets what `proctor ca export` would give it, as a file, the way its documentation says.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from proctor.egress import bundle, cafile
from proctor.egress.authority import Authority
from proctor.egress.certificates import make_leaf
from proctor.egress.constraints import Constraints
from tests.support.handshake import serving

pytestmark = pytest.mark.e2e

HOST = "api.corp.example"
NODE = """
const [port, host] = process.argv.slice(1);
const name = /[a-z]/.test(host) ? host : undefined;
require("https").get({host: "127.0.0.1", port, servername: name,
  checkServerIdentity: (_, cert) => require("tls").checkServerIdentity(host, cert)},
  answer => answer.on("data", data => process.stdout.write(data)))
  .on("error", error => { console.error(error.code); process.exit(1); });
"""
PYTHON = """
import socket, ssl, sys
port, host = sys.argv[1:]
context = ssl.create_default_context()
with socket.create_connection(("127.0.0.1", int(port)), 30) as plain:
    with context.wrap_socket(plain, server_hostname=host) as client:
        client.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
        print(client.recv(4096).decode().rpartition("\\r\\n")[2])
"""

type Client = Callable[[int, str, Path], subprocess.CompletedProcess[str]]


def done(words: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    whole = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **env}
    return subprocess.run(
        words, check=False, capture_output=True, text=True, timeout=300, env=whole
    )


def curl(port: int, host: str, trusted: Path) -> subprocess.CompletedProcess[str]:
    there = [] if host == "127.0.0.1" else ["--resolve", f"{host}:{port}:127.0.0.1"]
    url = f"https://{host}:{port}/"
    return done(
        ["curl", "--silent", "--show-error", "--http1.1", *there, url], CURL_CA_BUNDLE=str(trusted)
    )


def node(port: int, host: str, trusted: Path) -> subprocess.CompletedProcess[str]:
    return done(["node", "-e", NODE, str(port), host], NODE_EXTRA_CA_CERTS=str(trusted))


def python(port: int, host: str, trusted: Path) -> subprocess.CompletedProcess[str]:
    return done([sys.executable, "-c", PYTHON, str(port), host], SSL_CERT_FILE=str(trusted))


CLIENTS = pytest.mark.parametrize("client", [curl, node, python])


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    return tmp_path / "trusted.pem"


def authority(state: Path, *permitted: str) -> Authority:
    ticks = iter(range(1_000_000))  # each look is a second after the one before
    return Authority(
        state, permitted=permitted, report=lambda _: None, ticks=lambda: float(next(ticks))
    )


def export(ours: Authority, file: Path) -> None:
    bundle.write(file, bundle.own(ours.current.trusted(datetime.now(UTC))))


@CLIENTS
@pytest.mark.parametrize("host", [HOST, "127.0.0.1"])
def test_a_client_takes_it(client: Client, host: str, tmp_path: Path, trusted: Path) -> None:
    ours = authority(tmp_path)
    export(ours, trusted)
    with serving(ours.context_for(host)) as port:
        found = client(port, host, trusted)
        assert (found.returncode, found.stdout.strip()) == (0, "hello"), found.stderr


@CLIENTS
def test_a_client_that_does_not_trust_it(client: Client, tmp_path: Path, trusted: Path) -> None:
    (tmp_path / "other").mkdir()
    export(authority(tmp_path / "other"), trusted)
    with serving(authority(tmp_path).context_for(HOST)) as port:
        assert client(port, HOST, trusted).returncode != 0


@CLIENTS
def test_a_bundle_stands_for_all_that_a_client_trusts(
    client: Client, tmp_path: Path, trusted: Path
) -> None:
    ours = authority(tmp_path)
    bundle.write(trusted, bundle.complete(ours.current.cas))
    with serving(ours.context_for(HOST)) as port:
        assert client(port, HOST, trusted).stdout.strip() == "hello"


@CLIENTS
def test_nobody_loses_trust_in_a_rotation(client: Client, tmp_path: Path, trusted: Path) -> None:
    ours, file = authority(tmp_path), cafile.path_in(tmp_path)
    cafile.prepare(file, Constraints(), now=datetime.now(UTC), by="alice")
    ours.refresh()
    export(ours, trusted)
    for switch in (False, True):
        if switch:
            cafile.switch(file, by="alice")
        with serving(ours.context_for(HOST)) as port:
            found = client(port, HOST, trusted)
            assert found.stdout.strip() == "hello", found.stderr
    assert [ca.role.value for ca in ours.current.cas] == ["signs", "old"]


@CLIENTS
@pytest.mark.parametrize(
    ("permitted", "host", "taken"),
    [
        ("corp.example", HOST, True),
        ("corp.example", "api.example", False),
        ("corp.example", "127.0.0.1", False),
        ("127.0.0.0/8", "127.0.0.1", True),
        ("127.0.0.0/8", HOST, False),
        ("10.0.0.0/8", "127.0.0.1", False),
    ],
)
def test_clients_keep_to_the_constraints(
    client: Client,
    permitted: str,
    host: str,
    taken: bool,  # noqa: FBT001 - a parameter
    tmp_path: Path,
    trusted: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the key were stolen: proctor itself would not sign."""
    ours = authority(tmp_path, permitted)
    export(ours, trusted)
    monkeypatch.setattr(Constraints, "permits", lambda *_: True)
    with serving(ours.context_for(host)) as port:
        found = client(port, host, trusted)
        assert (found.returncode == 0) is taken, found.stderr


@pytest.mark.parametrize(
    ("host", "fits"), [(HOST, True), ("api.example", False), ("10.1.2.3", True), ("::1", False)]
)
def test_openssl_verify(host: str, fits: bool, tmp_path: Path, trusted: Path) -> None:  # noqa: FBT001 - a parameter
    ours = authority(tmp_path, "corp.example", "10.0.0.0/8")
    export(ours, trusted)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    leaf = make_leaf(ours.current.signs, host, key, datetime.now(UTC))
    file = tmp_path / "leaf.pem"
    file.write_bytes(leaf.public_bytes(Encoding.PEM))
    words = ["-x509_strict", "-purpose", "sslserver", "-CAfile", str(trusted), str(file)]
    found = done(["openssl", "verify", *words])
    assert (found.returncode == 0) is fits, found.stderr
    if not fits:
        assert "subtree violation" in found.stderr
