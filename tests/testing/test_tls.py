"""Certificates that a strict client takes."""

import ssl
import stat
from pathlib import Path

import anthropic
import pytest

from proctor.testing import tls
from proctor.testing.standin import KEY, StandIn, serving


def test_a_client_that_trusts_the_authority_gets_through(tmp_path: Path) -> None:
    files = tls.make(tmp_path / "tls")
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    with serving(StandIn(), tls=files.server_context()) as standin:
        assert standin.url.startswith("https://")
        http = anthropic.DefaultHttpxClient(verify=files.client_context())
        with anthropic.Anthropic(base_url=standin.url, api_key=KEY, http_client=http) as client:
            assert client.models.list().data


def test_expired_ones_are_refused(tmp_path: Path) -> None:
    files = tls.make(tmp_path, days=-1.0)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = files.client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    server_in = ssl.MemoryBIO()
    server = files.server_context().wrap_bio(server_in, incoming, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    server_in.write(outgoing.read())
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        client.do_handshake()
