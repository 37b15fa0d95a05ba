"""Python's own TLS client against an OpenSSL context, in memory, and on loopback for others."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence

from OpenSSL import SSL

from proctor.runtime.tls import accept


def shake(
    context: SSL.Context, host: str, trusted: bytes, protocols: Sequence[str] = ()
) -> ssl.SSLObject:
    """The client's side of a finished handshake; `trusted` is PEM.

    Raises:
        ssl.SSLCertVerificationError: The client does not take the certificate.
    """
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ours.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    ours.load_verify_locations(cadata=trusted.decode())
    if protocols:
        ours.set_alpn_protocols(list(protocols))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(incoming, outgoing, server_hostname=host)
    server = accept(context)
    for _ in range(5):
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        if outgoing.pending:
            server.bio_write(outgoing.read())
        with contextlib.suppress(SSL.WantReadError):
            server.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            incoming.write(server.bio_read(65536))
    client.do_handshake()
    return client


@contextlib.contextmanager
def serving(context: SSL.Context) -> Iterator[int]:
    """A port of 127.0.0.1 that answers every HTTP/1.1 request with `hello`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = threading.Thread(target=_serve, args=(listener, context), daemon=True)
        worker.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            worker.join()


def _serve(listener: socket.socket, context: SSL.Context) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:  # the test is over
            return
        with plain, contextlib.suppress(SSL.Error, OSError):
            plain.settimeout(None)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TEN_SECONDS)
            client = SSL.Connection(context, plain)
            client.set_accept_state()
            client.do_handshake()
            client.recv(65536)
            client.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"
            )
            client.shutdown()


_TEN_SECONDS = (10).to_bytes(8, "little") + bytes(8)
"""A `struct timeval`: nobody keeps the thread for ever."""
