"""Where events go: a file, or somebody who is posted to."""

import asyncio
import json
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import httpx

from proctor.approval.notify.channel import Look
from proctor.approval.notify.wire import DeliveryError, Wire, make_client
from proctor.errors import ConfigurationError
from proctor.export.files import Rotated
from proctor.export.settings import ExportSettings

NDJSON = "application/x-ndjson"
JSON = "application/json"


class Sink(Protocol):
    """Takes lines."""

    async def check(self) -> None:
        """Read what it needs.

        Raises:
            ConfigurationError: A secret is missing, or a certificate cannot be read.
        """
        ...

    async def send(self, lines: Sequence[bytes]) -> None:
        """Hand over lines, each without its end; they are there when this returns.

        Raises:
            DeliveryError: They were not taken.
            ConfigurationError: A secret cannot be read just now.
        """
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


class FileSink:
    """Appends to a file."""

    def __init__(self, settings: ExportSettings, path: Path) -> None:
        """Nothing is opened yet."""
        self._file = Rotated(path, limit=settings.rotate, keep=settings.keep)

    async def check(self) -> None:
        """See Sink: a file that cannot be written now may be later."""

    async def send(self, lines: Sequence[bytes]) -> None:
        """See Sink."""
        data = b"".join(line + b"\n" for line in lines)
        try:
            await asyncio.to_thread(self._file.append, data)
        except OSError as error:
            raise DeliveryError(f"file-{(error.strerror or 'failed').lower()}") from None

    async def close(self) -> None:
        """See Sink."""


class HttpSink:
    """Posts lines: as NDJSON, or as one OTLP message (`join` makes it)."""

    def __init__(  # noqa: PLR0913 - a port for each thing outside
        self,
        settings: ExportSettings,
        url: str,
        look: Look,
        *,
        clock: Callable[[], datetime],
        join: Callable[[Sequence[bytes]], bytes] | None = None,
        client: Callable[[], httpx.AsyncClient] = make_client,
    ) -> None:
        """No connection is made yet.

        Args:
            settings: The sink's.
            url: Where to.
            look: Reads secrets.
            clock: The time, UTC.
            join: Makes one JSON message of lines; its answer has to be JSON as well.
            client: Makes the HTTP client.
        """
        self._settings = settings
        self._url = httpx.URL(url)
        self._look = look
        self._join = join
        self._clock = clock
        self._make = client
        self._wire: Wire | None = None

    async def check(self) -> None:
        """See Sink."""
        await self._headers()
        await self._connected()

    async def send(self, lines: Sequence[bytes]) -> None:
        """See Sink."""
        wire = await self._connected()
        headers = await self._headers()
        if self._join is None:
            body = b"".join(line + b"\n" for line in lines)
            await wire.send("POST", self._url, body=body, headers=headers)
            return
        body = self._join(lines)
        answer = await wire.send("POST", self._url, body=body, headers=headers, read=True)
        # Whoever answers 200 with something else is no collector, and has kept nothing.
        if answer.body and not isinstance(answer.json(), dict):
            raise DeliveryError("answer-unreadable")

    async def close(self) -> None:
        """See Sink."""
        if self._wire is not None:
            await self._wire.close()
            self._wire = None

    async def _connected(self) -> Wire:
        if self._wire is None:
            made = self._make if self._settings.ca is None else self._trusting(self._settings.ca)
            self._wire = Wire(made(), clock=self._clock, seconds=30.0)
        return self._wire

    def _trusting(self, ca: Path) -> Callable[[], httpx.AsyncClient]:
        try:
            context = ssl.create_default_context(cafile=ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                "tls-files",
                f"The `ca` of the export {self._settings.name!r} cannot be used",
                got=type(error).__name__,
                expected="certificates in PEM",
            ) from None
        return lambda: make_client(context)

    async def _headers(self) -> dict[str, str]:
        kind = JSON if self._join else NDJSON
        headers = {"Content-Type": kind}
        given = self._settings.header
        if given is not None:
            name = f"the header of the export {self._settings.name!r}"
            headers[given.name] = await self._look(given.value, name)
        return headers


def line(value: object) -> bytes:
    """One line of NDJSON (RFC 8259), without its end."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
