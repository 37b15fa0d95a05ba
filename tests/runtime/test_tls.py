"""Contexts from files. What they do on the wire is in tests/stages/test_transport.py."""

import contextlib
import os
from pathlib import Path

import pytest
from OpenSSL import SSL

from proctor.errors import ConfigurationError
from proctor.runtime.tls import Contexts, Served, Trusted, accept, connect
from proctor.testing.tls import make


def test_a_context_is_made_once_until_a_file_changes(tmp_path: Path) -> None:
    files = make(tmp_path)
    contexts = Contexts()
    served = Served(cert=files.cert, key=files.key)
    first = contexts.served(served)
    assert contexts.served(served) is first
    os.utime(files.cert, ns=(1, 1))
    assert contexts.served(served) is not first


def test_files_that_do_not_fit_are_an_error_that_names_them(tmp_path: Path) -> None:
    one, two = make(tmp_path / "1"), make(tmp_path / "2")
    with pytest.raises(ConfigurationError, match="fitting the certificate") as error:
        Contexts().served(Served(cert=one.cert, key=two.key))
    assert str(two.key) in str(error.value)
    with pytest.raises(ConfigurationError):
        Contexts().trusted(Trusted(ca=tmp_path / "absent.pem"))


def test_a_client_without_a_certificate_is_the_upstream_s_to_refuse(tmp_path: Path) -> None:
    files = make(tmp_path)
    contexts = Contexts()
    server = accept(contexts.served(Served(cert=files.cert, key=files.key, client_ca=files.ca)))
    client = connect(contexts.trusted(Trusted(ca=files.ca)), "localhost", (b"http/1.1",))
    with pytest.raises(SSL.Error):
        _shake(client, server)


@pytest.mark.parametrize(
    ("name", "fits"), [("localhost", True), ("127.0.0.1", True), ("other.example", False)]
)
def test_the_name_is_verified(tmp_path: Path, name: str, fits: bool) -> None:  # noqa: FBT001 - a parameter
    files = make(tmp_path)
    contexts = Contexts()
    server = accept(contexts.served(Served(cert=files.cert, key=files.key)))
    client = connect(contexts.trusted(Trusted(ca=files.ca)), name, (b"h2", b"http/1.1"))
    if not fits:
        with pytest.raises(SSL.Error):
            _shake(client, server)
        return
    _shake(client, server)
    assert client.get_alpn_proto_negotiated() == b"h2"


def _shake(client: SSL.Connection, server: SSL.Connection) -> None:
    """Carry bytes to and fro until both are content."""
    for _ in range(10):
        waiting = 0
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                waiting += 1
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))
        if not waiting:
            return
    raise AssertionError("no handshake")
