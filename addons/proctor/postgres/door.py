"""A listening socket that several processes take clients from."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final

from proctor.runtime.tasks import spawn

logger = logging.getLogger(__name__)

_REST: Final = 1.0  # seconds, where the process or the machine can hold no more connections


class Door:
    """Takes one client a turn of the event loop.

    A server of asyncio's or uvloop's takes all that wait at once, so that of several processes the
    first to wake gets nearly all; so the busier one comes back later.

    Args:
        opened: Listens already; closed with this.
        guest: Makes a protocol for a client.
    """

    def __init__(self, opened: socket.socket, guest: Callable[[], asyncio.Protocol]) -> None:
        self._socket = opened
        self._guest = guest
        self._loop = asyncio.get_running_loop()
        self._resting: asyncio.TimerHandle | None = None
        opened.setblocking(False)  # noqa: FBT003 - takes it so only
        self._loop.add_reader(opened, self._come)

    def close(self) -> None:
        """Take nobody any more."""
        if self._resting:
            self._resting.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _come(self) -> None:
        try:
            taken, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process was quicker, or the client has gone
        except OSError:
            logger.exception("no client can be taken", extra={"event": "postgres.full"})
            self._loop.remove_reader(self._socket)
            self._resting = self._loop.call_later(
                _REST, self._loop.add_reader, self._socket, self._come
            )
            return
        taken.setblocking(False)  # noqa: FBT003 - the same
        spawn(self._loop.connect_accepted_socket(self._guest, taken), name="client")
