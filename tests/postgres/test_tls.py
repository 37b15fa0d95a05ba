"""TLS by memory, against Python's own, and contexts by their files."""

import os
import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ConfigurationError
from proctor.postgres.tls import Contexts, Tls, client_failed, upstream_failed
from proctor.protocols.postgres.entrance import ALPN
from proctor.testing import tls


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tls.Files:
    return tls.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def pair(files: tls.Files) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    contexts = Contexts()
    return contexts.served(files.cert, files.key), contexts.trusted(files.ca)


def shaken(pair: tuple[ssl.SSLContext, ssl.SSLContext], name: str = "localhost") -> tuple[Tls, Tls]:
    server, client = Tls(pair[0]), Tls(pair[1], name)
    client.shake()
    while not (server.ready and client.ready):
        server.receive(client.outgoing())
        client.receive(server.outgoing())
    return server, client


def test_both_sides_agree(pair: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = shaken(pair)
    assert server.protocol == client.protocol == ALPN
    assert client.certificate is not None
    client.encrypt(b"ping")
    assert server.receive(client.outgoing()) == b"ping"
    assert not server.over
    client.close()
    assert server.receive(client.outgoing()) == b""
    assert server.over


@given(size=st.integers(0, 70_000), cut=st.floats(0, 1))
def test_every_cut_gives_the_same(
    pair: tuple[ssl.SSLContext, ssl.SSLContext], size: int, cut: float
) -> None:
    server, client = shaken(pair)
    data = os.urandom(size)
    client.encrypt(data)
    wire = client.outgoing()
    at = int(len(wire) * cut)
    assert server.receive(wire[:at]) + server.receive(wire[at:]) == data


def test_a_name_that_is_not_in_the_certificate_is_refused(
    pair: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError) as raised:
        shaken(pair, "db.internal")
    said = upstream_failed(raised.value, "db.internal:5432")
    assert "mismatch" in said.got


def test_an_address_is_a_name(pair: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    shaken(pair, "127.0.0.1")


def test_what_is_no_tls_is_refused(pair: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with pytest.raises(ssl.SSLError) as raised:
        Tls(pair[0]).receive(b"Q\0\0\0\x0dselect 1\0")
    assert client_failed(raised.value).code == "tls-handshake"


def test_old_versions_are_not_spoken(files: tls.Files) -> None:
    contexts = Contexts()
    for context in (contexts.served(files.cert, files.key), contexts.trusted(files.ca)):
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION


def test_a_context_is_made_again_when_its_files_change(tmp_path: Path) -> None:
    files, contexts = tls.make(tmp_path), Contexts()
    first = contexts.served(files.cert, files.key, files.ca)
    assert first.verify_mode is ssl.CERT_REQUIRED
    assert contexts.served(files.cert, files.key, files.ca) is first
    tls.make(tmp_path)
    os.utime(files.cert, ns=(1, 1))
    assert contexts.served(files.cert, files.key, files.ca) is not first


@pytest.mark.parametrize("missing", ["ca", "cert"])
def test_files_that_cannot_be_used_are_named(tmp_path: Path, missing: str) -> None:
    files, contexts = tls.make(tmp_path), Contexts()
    getattr(files, missing).write_text("nothing")
    with pytest.raises(ConfigurationError) as raised:
        contexts.served(files.cert, files.key, files.ca)
    assert raised.value.code == "tls-files"
    assert f"{missing}.pem" in raised.value.got


def test_the_systems_authorities_where_none_are_named(files: tls.Files) -> None:
    context = Contexts().trusted(cert=files.cert, key=files.key)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.hostname_checks_common_name
