"""The gateway's side of its PostgreSQL listeners: sockets, worker processes, and what ends them.

The gateway binds the addresses and keeps them; workers take clients from there. One that dies is
started again, and meanwhile others, or the backlog, have what comes.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from proctor.config import Config, build
from proctor.errors import ConfigurationError, ProctorError
from proctor.postgres import control
from proctor.postgres.child import Child
from proctor.postgres.figures import Totals
from proctor.postgres.settings import PostgresListener
from proctor.runtime.health import listen
from proctor.runtime.tasks import spawn, stop
from proctor.units import Address
from proctor.yamlfile import read

logger = logging.getLogger(__name__)

PATIENCE: Final = 60.0
"""Seconds for a worker to come up; what looks for personal data takes some."""

SILENCE: Final = 60.0
"""Seconds without a word until a worker is taken for stuck: it tells figures every second."""

_BACKLOG: Final = 512
_FIRST_WAIT: Final = 0.2  # seconds before a worker is started again …
_LONGEST_WAIT: Final = 10.0  # … doubled each time, up to this
_STEADY: Final = 60.0  # seconds of life after which the first wait holds again
_ENDING: Final = 15.0  # seconds for a worker to close its record


class Workers:
    """All the workers of a gateway.

    Attributes:
        totals: What they have counted.
        addresses: By listener, `host:port` as it really is; once started.
    """

    def __init__(
        self, config: Config, file: Path, *, note: Callable[[str, dict[str, object]], None]
    ) -> None:
        """Nothing is opened yet.

        Args:
            config: As loaded.
            file: Where it was loaded from.
            note: Puts an event on record.
        """
        self.totals = Totals([each.name for each in config.postgres])
        self.addresses: dict[str, str] = {}
        self._config = config
        self._file = file.absolute()
        self._note = note
        self._begin = b""
        self._sockets: dict[str, socket.socket] = {}
        self._workers: list[_Worker] = []
        self._opened = False

    async def start(self) -> None:
        """Bind the addresses, and start the workers; they take nobody before `open`.

        Raises:
            ConfigurationError: An address cannot be had, or a worker cannot start.
        """
        listeners = self._config.postgres
        if not listeners:
            return
        self._begin = control.line("begin", config=self._text())
        for listener in listeners:
            opened = listen(listener.listen, backlog=_BACKLOG)
            self._sockets[listener.name] = opened
            host, port = opened.getsockname()[:2]
            self.addresses[listener.name] = str(Address(host=host, port=port))
        self._workers = [
            _Worker(self, number, [each for each in listeners if each.workers > number])
            for number in range(max(each.workers for each in listeners))
        ]
        await asyncio.gather(*(each.start() for each in self._workers))

    def _text(self) -> str:
        """The configuration as it was loaded: a worker that is started later has the same."""
        document = read(self._file)
        if build(document, self._file.parent) != self._config:
            raise ConfigurationError(
                "config-changed",
                "The configuration was changed while the gateway started",
                hint="Start it again.",
                where=str(self._file),
            )
        return document.raw.decode("utf-8-sig")

    def open(self) -> None:
        """Take clients."""
        self._opened = True
        self._tell(control.line("open"))

    def lacking(self) -> list[str]:
        """What keeps clients out."""
        ready = self._opened and all(each.ready for each in self._workers)
        return [] if ready or not self._workers else ["postgres"]

    def reload(self) -> None:
        """Have the rules read again."""
        self._tell(control.line("reload"))

    async def drain(self, seconds: float) -> None:
        """Take nobody new, and wait for what runs.

        Args:
            seconds: How long at most.
        """
        for opened in self._sockets.values():
            opened.close()
        self._tell(control.line("drain", seconds=seconds))
        waiting = [spawn(each.drained.wait(), name="worker drains") for each in self._workers]
        if waiting:
            await asyncio.wait(waiting, timeout=seconds)
            await stop(*waiting)

    async def stop(self) -> None:
        """End all of them, and have what they acknowledged on disk."""
        for opened in self._sockets.values():
            opened.close()
        await asyncio.gather(*(each.stop() for each in self._workers))

    def _tell(self, line: bytes, besides: "_Worker | None" = None) -> None:
        for each in self._workers:
            if each is not besides:
                each.tell(line)

    # What a worker needs of us.

    def sockets(self, listeners: list[PostgresListener]) -> dict[str, int]:
        """Handles by listener."""
        return {each.name: self._sockets[each.name].fileno() for each in listeners}

    @property
    def beginning(self) -> tuple[bytes, Path, Config, bool]:
        """What a worker is told first, the configuration, and whether clients are taken."""
        return self._begin, self._file, self._config, self._opened

    def cancel(self, message: Mapping[str, object], of: "_Worker") -> None:
        """A client's wish to cancel came to a worker that has not its connection."""
        self._tell(control.cancelling(*control.cancelled(message)), besides=of)

    def died(self, number: int, status: int) -> None:
        """A worker has ended, unasked."""
        self.totals.gone(number)
        self.totals.restarted()
        self._note("postgres.worker", {"worker": number, "status": status})


class _Worker:
    """One worker, started again and again."""

    def __init__(self, house: Workers, number: int, listeners: list[PostgresListener]) -> None:
        self.ready = False
        self.drained = asyncio.Event()
        self._house = house
        self._number = number
        self._listeners = listeners
        self._child: Child | None = None
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, and wait until it is ready.

        Raises:
            ConfigurationError: It said why it cannot be, or it said nothing.
        """
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = spawn(self._run(first), name=f"worker {self._number}")
        try:
            async with asyncio.timeout(PATIENCE):
                await first
        except TimeoutError:
            raise _unstarted("no sign of it") from None

    async def stop(self) -> None:
        self._ending.set()
        if self._child and self._task:
            self._child.close_input()
            await asyncio.wait({self._task}, timeout=_ENDING)
        await stop(self._task)

    def tell(self, line: bytes) -> None:
        if self._child and self.ready:
            self._child.write(line)

    async def _run(self, first: asyncio.Future[None]) -> None:
        loop, wait = asyncio.get_running_loop(), _FIRST_WAIT
        while not self._ending.is_set():
            began = loop.time()
            try:
                status = await self._live(first)
            except Exception as error:  # whatever it is, another is started
                if not first.done():
                    ours = isinstance(error, ProctorError)
                    first.set_exception(error if ours else _unstarted(type(error).__name__))
                    return
                logger.exception("a worker is of no use", extra={"event": "postgres.worker"})
                status = 1
            finally:
                self.ready = False
                self._child = None
            if self._ending.is_set():
                self._house.totals.gone(self._number)
                self.drained.set()
                return
            if not first.done():
                first.set_exception(_unstarted(_named(status)))
                return
            self._house.died(self._number, status)
            wait = _FIRST_WAIT if loop.time() - began > _STEADY else wait
            logger.error(
                "a worker of the PostgreSQL listeners ended (%s), and its connections with it",
                _named(status),
                extra={"event": "postgres.worker", "worker": self._number, "again_in": wait},
            )
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    async def _live(self, first: asyncio.Future[None]) -> int:
        """One life of it; its exit status."""
        begin, file, config, _ = self._house.beginning
        handles = self._house.sockets(self._listeners)
        self._child = child = await Child.start(self._number, file, config, handles)
        child.write(begin)
        try:
            messages = child.messages()
            while message := await asyncio.wait_for(anext(messages, None), SILENCE):
                self._heard(message, first)
        except BaseException:
            child.kill()
            await child.ended()
            raise
        return await child.ended()

    def _heard(self, message: control.Message, first: asyncio.Future[None]) -> None:
        match message["kind"]:
            case "ready":
                self.ready = True
                if self._house.beginning[-1]:
                    self.tell(control.line("open"))
                if not first.done():
                    first.set_result(None)
            case "failed":
                code, text, got, expected, hint, where = control.told(
                    message, "code", "message", "got", "expected", "hint", "where"
                )
                raise ConfigurationError(
                    code, text, got=got, expected=expected, hint=hint, where=where
                )
            case "figures":
                self._house.totals.add(self._number, message["listeners"])
            case "cancel":
                self._house.cancel(message, self)
            case "drained":
                self.drained.set()
                self._ending.set()
            case _:
                pass


def _unstarted(got: str) -> ConfigurationError:
    return ConfigurationError(
        "worker-unstarted",
        "A worker of the PostgreSQL listeners did not come up",
        got=got,
        hint="The log says why.",
    )


def _named(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"
