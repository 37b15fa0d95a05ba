"""The client's side: our own standard input and output, which nothing else uses."""

import asyncio
import os
from typing import Final

from proctor.errors import ConfigurationError

CHUNK: Final = 64 * 1024
"""Bytes read at once."""


def take() -> tuple[int, int]:
    """Take both for messages: what else reads finds nothing, what else writes goes to the log.

    Returns:
        Handles of the input and of the output.
    """
    given, taken = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return given, taken


class Client:
    """Reads and writes lines. Made by `open`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, given: int, taken: int) -> "Client":
        """Begin to use both.

        Args:
            given: Handle of the input.
            taken: Handle of the output.

        Raises:
            ConfigurationError: `stdio-streams`: they are no pipes.
        """
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        source, sink = os.fdopen(given, "rb", 0), os.fdopen(taken, "wb", 0)
        try:
            await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
            transport, protocol = await loop.connect_write_pipe(
                asyncio.streams.FlowControlMixin, sink
            )
        except (OSError, ValueError):
            source.close()
            sink.close()
            raise ConfigurationError(
                "stdio-streams",
                "Standard input and output cannot be used",
                expected="pipes, as an MCP client makes them",
                hint="Have the client start this command.",
            ) from None
        transport.set_write_buffer_limits(0)  # so that `drain` waits for all of it
        return cls(reader, asyncio.StreamWriter(transport, protocol, None, loop))

    async def read(self) -> bytes:
        """The next bytes; b"" once the client has gone."""
        return await self._reader.read(CHUNK)

    def write(self, line: bytes) -> None:
        """Hand it a line; what comes once it has gone is lost."""
        if not self._writer.is_closing():
            self._writer.write(line)

    async def drain(self) -> None:
        """Wait until it has taken what was written.

        Raises:
            ConnectionError: It has gone.
        """
        await self._writer.drain()

    def close(self) -> None:
        """Nothing more comes."""
        self._writer.close()
