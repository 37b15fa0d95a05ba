"""TLS on both sides, HTTP/2, IPv6 and the company's own proxy, through a live listener."""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from proctor.egress.settings import UpstreamTlsSettings
from proctor.fields import TlsSettings
from proctor.testing.tls import Files, make
from proctor.units import Origin as Address
from tests.support.h2origin import H2Origin, whole
from tests.support.h2wire import H2Wire
from tests.support.origin import Origin
from tests.support.stand import ANSWER, OK, REAL_KEY, house, listener, post, running

BODY = b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}'


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make(tmp_path_factory.mktemp("other-tls"))


def shown(files: Files, client_ca: Path | None = None) -> TlsSettings:
    return TlsSettings.model_construct(cert=files.cert, key=files.key, client_ca=client_ca)


def trusted(files: Files) -> UpstreamTlsSettings:
    return UpstreamTlsSettings.model_construct(ca=files.ca, cert=None, key=None)


def ask(port: int, verify: ssl.SSLContext, *, http2: bool = False) -> httpx.Response:
    with httpx.Client(verify=verify, http2=http2, trust_env=False, timeout=30) as client:
        return client.post(
            f"https://localhost:{port}/v1/messages",
            content=BODY,
            headers={"authorization": "Bearer a", "content-type": "application/json"},
        )


@pytest.mark.parametrize("http2", [False, True])
def test_tls_on_both_sides(files: Files, http2: bool) -> None:  # noqa: FBT001 - a parameter
    with Origin(OK, tls=files.server_context()) as origin:
        this = house(
            listener(origin.port, tls=shown(files), upstream="https", upstream_tls=trusted(files))
        )
        with running(this) as proxy:
            got = ask(proxy.ports["claude"], files.client_context(), http2=http2)
    assert got.status_code == 200
    assert got.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert got.content == ANSWER
    assert len(origin.requests) == 1


@pytest.mark.parametrize("length", [True, False])
def test_an_http2_body_is_never_a_second_request(files: Files, length: bool) -> None:  # noqa: FBT001 - a parameter
    """A body without content-length, sent on to HTTP/1, is not read as a request of its own."""
    hidden = b"POST /v1/files HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"

    def pieces() -> Iterator[bytes]:
        yield b'{"model":"m","max_tokens":1,"messages":[],"x":"'
        yield hidden.replace(b"\r\n", b"\\r\\n") + b'"}'

    with Origin(OK) as origin:
        this = house(listener(origin.port, tls=shown(files)))
        with (
            running(this) as proxy,
            httpx.Client(
                verify=files.client_context(),
                http2=True,
                http1=False,
                trust_env=False,
                timeout=30,
            ) as client,
        ):
            got = client.post(
                f"https://localhost:{proxy.ports['claude']}/v1/messages",
                content=b"".join(pieces()) if length else pieces(),
                headers={"authorization": "Bearer a"},
            )
    assert got.status_code == 200
    (request,) = origin.requests
    assert len(re.findall(rb"(?i)\r\n(?:content-length|transfer-encoding):", request)) == 1
    assert request.endswith(b'"}')


def test_an_upstream_nobody_vouches_for_gets_nothing(files: Files, strangers: Files) -> None:
    with Origin(OK, tls=strangers.server_context()) as origin:
        this = house(listener(origin.port, upstream="https", upstream_tls=trusted(files)))
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert REAL_KEY not in origin.received
    assert origin.requests == []


def test_an_upstream_with_another_name_gets_nothing(files: Files) -> None:
    with Origin(OK, tls=files.server_context()) as origin:
        settings = listener(origin.port, upstream="https", upstream_tls=trusted(files))
        # The same server, asked for by a name that its certificate does not have.
        other = settings.model_copy(
            update={"upstream": Address(scheme="https", host="127.0.0.2", port=origin.port)}
        )
        this = house(other)
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert origin.requests == []


def test_clients_must_show_a_certificate_where_one_is_wanted(
    files: Files, strangers: Files
) -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port, tls=shown(files, client_ca=files.ca)))
        with running(this) as proxy:
            port = proxy.ports["claude"]
            with pytest.raises(httpx.HTTPError):
                ask(port, files.client_context())
            wrong = files.client_context()
            wrong.load_cert_chain(strangers.cert, strangers.key)
            with pytest.raises(httpx.HTTPError):
                ask(port, wrong)
            right = files.client_context()
            right.load_cert_chain(files.cert, files.key)
            assert ask(port, right).status_code == 200
    assert len(origin.requests) == 1


def test_plain_http_on_a_tls_listener_gets_nowhere(files: Files) -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port, tls=shown(files)))
        with running(this) as proxy:
            assert b"200 OK" not in proxy.request("claude", post())
    assert origin.connections == 0


def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    first = make(tmp_path / "tls")
    with Origin(OK) as origin:
        this = house(listener(origin.port, tls=shown(first)))
        with running(this) as proxy:
            port = proxy.ports["claude"]
            assert ask(port, first.client_context()).status_code == 200
            second = make(tmp_path / "tls")
            assert ask(port, second.client_context()).status_code == 200


class Proxy:
    """The company's own proxy: it only knows CONNECT."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.seen = b""
        self._open: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for each in (self._socket, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        self.heads.append(head)
        connection.sendall(self.answer)
        if b" 200 " not in self.answer:
            connection.close()
            return
        host, _, port = head.split(b" ")[1].rpartition(b":")
        there = socket.create_connection((host.decode(), int(port)))
        self._open.append(there)
        threading.Thread(target=self._copy, args=(there, connection), daemon=True).start()
        self._copy(connection, there, keep=True)

    def _copy(self, source: socket.socket, sink: socket.socket, *, keep: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if keep:
                    self.seen += data
                sink.sendall(data)
        sink.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_company_s_own_proxy_is_used(files: Files, scheme: str) -> None:
    tls = files.server_context() if scheme == "https" else None
    company = Proxy()
    with Origin(OK, tls=tls) as origin:
        this = house(
            listener(
                origin.port,
                upstream=scheme,
                upstream_tls=trusted(files) if tls else None,
                via=Address(scheme="http", host="127.0.0.1", port=company.port),
            )
        )
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    company.close()
    assert answer.endswith(ANSWER)
    assert company.heads[0].startswith(b"CONNECT 127.0.0.1:%d " % origin.port)
    assert (REAL_KEY in company.seen) == (scheme == "http")


def test_a_proxy_that_refuses_is_a_clear_refusal() -> None:
    company = Proxy(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    with Origin(OK) as origin:
        via = Address(scheme="http", host="127.0.0.1", port=company.port)
        this = house(listener(origin.port, via=via))
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    company.close()
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b'"type": "error"' in answer
    assert origin.connections == 0


def test_trailers_of_an_answer_do_not_pass(files: Files) -> None:
    """Nobody looks at them, whether or not anything is taken out of answers."""
    answers = whole(b'{"a": 1}', trailers=((b"x-trailer", b"1"),))
    with H2Origin(answers, files.server_context()) as origin:
        this = house(
            listener(
                origin.port,
                speaks="http",
                tls=shown(files),
                upstream="https",
                upstream_tls=trusted(files),
            )
        )
        with running(this) as proxy:
            plain = socket.create_connection(("127.0.0.1", proxy.ports["claude"]), 30)
            context = files.client_context()
            context.set_alpn_protocols(["h2"])
            with context.wrap_socket(plain, server_hostname="localhost") as wrapped:
                client = H2Wire(wrapped)
                start = [(":method", "GET"), (":scheme", "https"), (":authority", "a")]
                status = client.ask([*start, (":path", "/"), ("authorization", "Bearer a")])
    assert (status, client.bodies, client.trailers) == (200, {1: b'{"a": 1}'}, [])
