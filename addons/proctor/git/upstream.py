"""Asks a git server for commits and trees that a push builds upon, over protocol version 2.

It is asked as the pusher's own requests would be: at the addresses that were looked at, with the
credential that is put in. Only what the server has already is asked for, and no file's content
where it can leave that out. Bounded in time and bytes; a failure counts as "not known".
"""

import contextlib
import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import certifi
import httpx
from mitmproxy import http

from proctor import __version__
from proctor.errors import ClientError
from proctor.protocols.git.advertisement import unreadable
from proctor.protocols.git.pktline import DELIM, FLUSH, Lines, Mark, pkt
from proctor.protocols.git.routes import UPLOAD, content_type
from proctor.runtime.tls import Trusted

MOST: Final = 64 * 2**20
"""Bytes of one answer."""

PATIENCE: Final = 20.0
"""Seconds that the server may be silent."""

_AGENT: Final = b"agent=proctor/" + __version__.encode()
_DATA: Final = 1
_FATAL: Final = 3
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A repository, and the way there.

    Attributes:
        scheme: `http` or `https`.
        host: The server's name.
        port: Its port.
        path: Of the repository there, as the pusher's request has it, without a slash at its end.
        hosts: Addresses to dial, in the order to try.
        files: How it is trusted, and what is shown to it.
        via: The company's own proxy, as a URL; "" for none.
        put: Puts the credential in.
        algorithm: `sha1` or `sha256`.
    """

    scheme: str
    host: str
    port: int
    path: str
    hosts: tuple[str, ...]
    files: Trusted = field(default_factory=Trusted)
    via: str = ""
    put: Callable[[http.Request], None] = field(repr=False, default=lambda _request: None)
    algorithm: str = "sha1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Attributes:
        wants: Commits, hex.
        haves: Commits that are known, with all before them.
        filter: What is left out, such as `blob:none`; "" for nothing.
        depth: So many commits deep; 0 for all.
    """

    wants: Sequence[str]
    haves: Sequence[str] = ()
    filter: str = ""
    depth: int = 0


class Upstream:
    """One repository's server, for one push.

    Args:
        where: The repository.
        folder: Where answers are kept.
    """

    def __init__(self, where: Where, folder: Path) -> None:
        self._where = where
        self._folder = folder
        self._filters: bool | None = None

    @contextlib.asynccontextmanager
    async def pack(self, wanted: Wanted) -> AsyncIterator[Path]:
        """A file with the pack that the server sends; it is gone at the block's end.

        Raises:
            UpstreamError: `git-answer`: it sends none, or too much.
        """
        handle, name = tempfile.mkstemp(prefix="base-", suffix=".pack", dir=self._folder)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                try:
                    await self._fetch(wanted, file)
                except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError) as error:
                    raise unreadable(type(error).__name__) from None
                except ClientError as error:
                    raise unreadable(error.got or error.code) from None
            yield path
        finally:
            os.unlink(name)  # noqa: PTH108 - as quick as it gets, and in no thread

    async def _fetch(self, wanted: Wanted, file: IO[bytes]) -> None:
        where = self._where
        verify = _context(where.files) if where.scheme == "https" else False
        async with httpx.AsyncClient(
            verify=verify, timeout=PATIENCE, trust_env=False, proxy=where.via or None
        ) as client:
            if self._filters is None:
                self._filters = await self._look(client)
            body = b"".join(_request(wanted, where.algorithm, filters=self._filters))
            request = self._request(client, "POST", f"/{UPLOAD}", body)
            response = await client.send(request, stream=True)
            try:
                reader = _PackReader(file)
                _checked(response, content_type(UPLOAD, "result"))
                size = 0
                async for data in response.aiter_raw():
                    size += len(data)
                    if size > MOST:
                        raise unreadable(f"more than {MOST} bytes")
                    reader.feed(data)
                reader.end()
            finally:
                await response.aclose()

    async def _look(self, client: httpx.AsyncClient) -> bool:
        """Whether the server leaves out what it is asked to; it must speak version 2."""
        request = self._request(client, "GET", f"/info/refs?service={UPLOAD}")
        response = await client.send(request)
        _checked(response, content_type(UPLOAD, "advertisement"))
        lines = Lines()
        lines.feed(response.content)
        said: list[bytes] = []
        while (line := lines.next()) is not None:
            said.append(line.text)
        if b"version 2" not in said:
            raise unreadable("a server that does not speak protocol version 2")
        fetch = next((each for each in said if each.partition(b"=")[0] == b"fetch"), b"")
        return b"filter" in fetch.partition(b"=")[2].split()

    def _request(
        self, client: httpx.AsyncClient, method: str, rest: str, body: bytes = b""
    ) -> httpx.Request:
        where = self._where
        address = where.host if where.via else where.hosts[0]
        ready = http.Request.make(
            method,
            f"{where.scheme}://{_netloc(where.host, where.port, where.scheme)}/",
            body,
            (
                (b"host", _netloc(where.host, where.port, where.scheme).encode()),
                (b"user-agent", b"git/2 (proctor)"),
                (b"git-protocol", b"version=2"),
                (b"accept-encoding", b"identity"),
                *([(b"content-type", content_type(UPLOAD, "request").encode())] if body else []),
            ),
        )
        ready.data.path = f"{where.path}{rest}".encode("latin-1")
        where.put(ready)
        url = httpx.URL(f"{where.scheme}://{_netloc(address, where.port, where.scheme)}")
        return client.build_request(
            method,
            url.copy_with(raw_path=ready.data.path),
            headers=list(ready.headers.fields),
            content=body or None,
            # The name that its certificate has to be for (RFC 9110, 4.3.4).
            extensions={"sni_hostname": where.host} if where.scheme == "https" else {},
        )


class _PackReader:
    """Takes a pack out of an answer's lines."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lines = Lines()
        self._packed = False
        self._ended = False

    def feed(self, data: bytes) -> None:
        self._lines.feed(data)
        while (line := self._lines.next()) is not None:
            if line.mark is not Mark.DATA:
                self._ended = self._packed and line.mark is Mark.FLUSH
            elif not self._packed:
                if line.text.startswith(b"ERR "):
                    raise unreadable("an error of the server's")
                self._packed = line.text == b"packfile"
            elif line.data[0] == _DATA:
                self._file.write(line.data[1:])
            elif line.data[0] == _FATAL:
                raise unreadable("an error of the server's")

    def end(self) -> None:
        if not self._ended:
            raise unreadable("no end")


def _request(wanted: Wanted, algorithm: str, *, filters: bool) -> Iterator[bytes]:
    """The body (gitprotocol-v2, fetch)."""
    yield pkt(b"command=fetch\n")
    yield pkt(_AGENT + b"\n")
    yield pkt(b"object-format=" + algorithm.encode() + b"\n")
    yield DELIM
    yield pkt(b"no-progress\n")
    yield pkt(b"ofs-delta\n")
    if wanted.filter and filters:
        yield pkt(f"filter {wanted.filter}\n".encode())
    if wanted.depth:
        yield pkt(f"deepen {wanted.depth}\n".encode())
    for each in wanted.wants:
        yield pkt(f"want {each}\n".encode())
    for each in wanted.haves:
        yield pkt(f"have {each}\n".encode())
    yield pkt(b"done\n")
    yield FLUSH


def _checked(response: httpx.Response, kind: str) -> None:
    got = response.headers.get("content-type", "").partition(";")[0].strip()
    if response.status_code != _OK or got != kind:
        raise unreadable(f"status {response.status_code}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise unreadable("an answer that is compressed")


def _netloc(host: str, port: int, scheme: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == (443 if scheme == "https" else 80) else f"{name}:{port}"


def _context(files: Trusted) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(files.ca) if files.ca else certifi.where())
    if files.cert:
        context.load_cert_chain(files.cert, files.key or files.cert)
    return context
