"""What a gateway and its workers tell each other: one JSON object a line, over pipes.

    gateway → worker    begin, open, reload, cancel, drain; the end of the pipe: stop
    worker → gateway    ready, failed, figures, cancel, drained

Nothing secret passes but the keys by which clients cancel (54.2.8), which are good for that alone.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from proctor.errors import InternalError
from proctor.stdio.lines import Lines, TooLong

MAX_LINE: Final = 4 * 2**20
"""Bytes of one message; a proctor.yaml may have 1 MiB."""

KINDS: Final = frozenset(
    {
        *("begin", "open", "reload", "cancel", "drain"),
        *("ready", "failed", "figures", "drained"),
    }
)

_PID: Final = 2**31
_MAX_SECRET: Final = 256  # bytes (protocol 3.2, CancelRequest)

type Message = dict[str, Any]


def line(kind: str, **fields: object) -> bytes:
    """A message as a line."""
    return json.dumps({"kind": kind, **fields}, separators=(",", ":")).encode() + b"\n"


class Reader:
    """Cuts a pipe into messages."""

    def __init__(self) -> None:
        self._lines = Lines(MAX_LINE)

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take the next bytes; gives the messages that they end.

        Raises:
            InternalError: `worker-channel`: it is none.
        """
        for each in self._lines.feed(data):
            yield _message(each)


def _message(raw: bytes | TooLong) -> Message:
    try:
        found = None if isinstance(raw, TooLong) else json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("kind") not in KINDS:
        raise InternalError("worker-channel", "The gateway and a worker do not understand another")
    return found


def cancelling(pid: int, secret: bytes) -> bytes:
    """Somebody wants a statement cancelled whose connection is not here."""
    return line("cancel", pid=pid, secret=secret.hex())


def cancelled(message: Mapping[str, Any]) -> tuple[int, bytes]:
    """Process and secret of such a message.

    Raises:
        InternalError: `worker-channel`.
    """
    pid, secret = message.get("pid"), message.get("secret")
    try:
        if isinstance(pid, int) and isinstance(secret, str) and -_PID <= pid < _PID:
            key = bytes.fromhex(secret)
            if len(key) <= _MAX_SECRET:
                return pid, key
    except ValueError:
        pass
    raise InternalError("worker-channel", "A cancel request of a worker's cannot be read")


def told(message: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """Texts of a message by their names; "" where there is none."""
    return tuple(str(message.get(name) or "") for name in names)


type Send = Callable[[bytes], None]
