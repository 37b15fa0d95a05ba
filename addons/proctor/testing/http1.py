"""HTTP/1.1 as a plain origin reads it: every request it would execute is one it counts.

Deliberately naive and exact (RFC 9112): a body is read only where Content-Length or chunked says
so. Bytes that a proxy forgot to frame are thus read as a second request, as by a real origin.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it arrived.

    Attributes:
        connection: Number of the connection it came on, from 1.
        method: As sent.
        target: Path and query as sent.
        headers: Names in lower case, in the order sent.
        body: Without its framing.
        head_bytes: Size of request line and headers.
    """

    connection: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    head_bytes: int

    def header(self, name: str) -> str | None:
        """The first value of a header, by its name in lower case."""
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


async def read_request(reader: asyncio.StreamReader, connection: int) -> Received | None:
    """The next request of a connection, or None at its end.

    Raises:
        ValueError: What came is no HTTP/1.1 request.
        asyncio.IncompleteReadError: The connection ended inside one.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if ended.partial:
            raise
        return None
    request_line, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _version = request_line.split(" ")
    headers: list[tuple[str, str]] = []
    for line in lines:
        name, _, value = line.partition(":")
        headers.append((name.lower(), value.strip()))
    fields = dict(headers)
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunked(reader)
    else:
        body = await reader.readexactly(int(fields.get("content-length", "0")))
    return Received(
        connection=connection,
        method=method,
        target=target,
        headers=tuple(headers),
        body=body,
        head_bytes=len(head),
    )


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return b"".join(parts)


def response_head(status: int, headers: dict[str, str]) -> bytes:
    """Status line and headers, ready to send."""
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; an empty one ends it."""
    return b"%x\r\n%s\r\n" % (len(data), data)
