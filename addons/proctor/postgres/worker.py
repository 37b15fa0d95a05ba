"""A worker process: `python -m proctor.postgres.worker`, started by a gateway, ends with it."""

import argparse
import asyncio
import gc
import logging
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proctor.config import Config, build
from proctor.errors import ConfigurationError, InternalError, ProctorError
from proctor.postgres import control
from proctor.postgres.assembly import Rooms
from proctor.postgres.serving import Make, Serving
from proctor.runtime.logs import LogFormat, configure_logs
from proctor.runtime.tasks import spawn, stop
from proctor.stdio import streams
from proctor.yamlfile import parse

logger = logging.getLogger(__name__)

TELL: Final = 1.0
"""Seconds between two times that figures are told."""

FAILED: Final = 2
"""Exit status where it could not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a worker was started for.

    Attributes:
        config: The configuration's file, for what is said of it.
        number: Which of the gateway's workers it is.
        handles: Of listening sockets, by listener.
    """

    config: Path
    number: int
    handles: Mapping[str, int]


class Worker:
    """One process's work.

    Args:
        asked: What it was started for.
        channel: To and from the gateway.
        make: Makes the insides of connections.
    """

    def __init__(self, asked: Asked, channel: streams.Client, make: Make) -> None:
        self._asked = asked
        self._make = make
        self._channel = channel
        self._closing = AsyncExitStack()
        self._stopped = asyncio.Event()

    async def run(self) -> int:
        """Until the gateway goes or asks for an end; the exit status."""
        messages = self._messages()
        first = await anext(messages, None)
        if first is None or first["kind"] != "begin":
            return FAILED
        try:
            rooms, serving = await self._open(str(first["config"]))
        except ProctorError as error:
            self._failed(error)
            await self._closing.aclose()
            await self._channel.drain()
            return FAILED
        self._channel.write(control.line("ready"))
        heard = spawn(self._hear(messages, rooms, serving), name="gateway")
        told = spawn(self._tell(serving), name="figures")
        stopped = spawn(self._stopped.wait(), name="stopped")
        try:
            await asyncio.wait({heard, told, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await stop(heard, told, stopped)
            await self._closing.aclose()
        return 0 if self._stopped.is_set() else 1

    async def _open(self, text: str) -> tuple[Rooms, Serving]:
        file = self._asked.config
        config = build(parse(text.encode(), name=str(file)), file.parent)
        _check(config, self._asked.handles)
        rooms = Rooms(config, list(self._asked.handles), self._asked.number)
        self._closing.push_async_callback(rooms.close)
        served = await rooms.open()
        serving = Serving(config, served, make=self._make, stranger=self._stranger)
        self._closing.push_async_callback(serving.close)
        rooms.on_kill.append(serving.kill)
        # What is there by now stays; to look through it time and again costs.
        gc.collect()
        gc.freeze()
        return rooms, serving

    async def _hear(
        self, messages: AsyncIterator[control.Message], rooms: Rooms, serving: Serving
    ) -> None:
        """What the gateway says, until it has gone."""
        async for message in messages:
            match message["kind"]:
                case "open":
                    serving.open(
                        {name: socket.socket(fileno=each) for name, each in self._handles()}
                    )
                case "reload":
                    rooms.reload()
                case "cancel":
                    await serving.cancel(*control.cancelled(message))
                case "drain":
                    await serving.drain(float(message["seconds"]))
                    self._channel.write(control.line("figures", listeners=serving.figures()))
                    self._channel.write(control.line("drained"))
                case other:
                    raise InternalError("worker-channel", f"A worker does not know {other}")
        self._stopped.set()

    def _handles(self) -> list[tuple[str, int]]:
        return list(self._asked.handles.items())

    async def _tell(self, serving: Serving) -> None:
        while True:
            await asyncio.sleep(TELL)
            self._channel.write(control.line("figures", listeners=serving.figures()))

    def _stranger(self, pid: int, secret: bytes) -> None:
        self._channel.write(control.cancelling(pid, secret))

    async def _messages(self) -> AsyncIterator[control.Message]:
        reader = control.Reader()
        while data := await self._channel.read():
            for message in reader.feed(data):
                yield message

    def _failed(self, error: ProctorError) -> None:
        where = error.where if isinstance(error, ConfigurationError) else ""
        self._channel.write(
            control.line(
                "failed",
                code=error.code,
                message=error.message,
                got=error.got,
                expected=error.expected,
                hint=error.hint,
                where=where,
            )
        )


def _check(config: Config, handles: Mapping[str, int]) -> None:
    missing = set(handles) - {each.name for each in config.postgres}
    if missing:
        raise InternalError("worker-channel", f"No listener is called {min(missing)!r}")


def parse_arguments(given: Sequence[str]) -> Asked:
    """What stands on the command line."""
    parser = argparse.ArgumentParser(prog="proctor.postgres.worker", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--listener", action="append", required=True, metavar="NAME=HANDLE")
    found = parser.parse_args(given)
    pairs = [each.partition("=") for each in found.listener]
    return Asked(
        config=found.config,
        number=found.number,
        handles={name: int(handle) for name, _, handle in pairs},
    )


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Uvloop where it is installed, since half of a statement's cost is the loop's."""
    try:
        import uvloop  # noqa: PLC0415 - there may be none
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _work(asked: Asked, given: int, taken: int, make: Make) -> int:
    # A terminal's and a service manager's signals go to all; the gateway says when to end.
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, _unheard, number)
    return await Worker(asked, await streams.Client.open(given, taken), make).run()


def _unheard(number: int) -> None:
    logger.info("%s is the gateway's", signal.Signals(number).name, extra={"event": "signal"})


def main(make: Make) -> None:
    """Work until the gateway goes.

    Args:
        make: Makes the insides of connections.
    """
    given, taken = streams.take()
    configure_logs(LogFormat.JSON)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # two a client, and there may be many
    asked = parse_arguments(sys.argv[1:])
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        status = runner.run(_work(asked, given, taken, make))
    sys.exit(status)


if __name__ == "__main__":
    from proctor.postgres.sessions import Sessions

    main(Sessions)
