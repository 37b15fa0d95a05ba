"""Reads packs in a process of its own, for the gateway: its loop and its memory stay free.

What is read was written by others, and may be made to take all memory and time there is. The
process reads messages from standard input, and ends when that does: first how to look at blobs, or
nothing; then orders, one after the other, each answered by a message on standard output.
"""

import json
import os
import pickle
import resource
import struct
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

from proctor.errors import ProctorError
from proctor.git.blobs import BlobScanner
from proctor.git.packreading import Order, Reading
from proctor.git.packreport import PackLimits
from proctor.redaction.assembly import load_detector
from proctor.redaction.settings import RedactionSettings

MEMORY: Final = 6 * 2**30
"""Bytes of addresses that the process may have; a pack may be mapped twice."""
MOST: Final = 256 * 2**20
"""Bytes of one message."""

_NICE: Final = 5
_LENGTH: Final = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Setup:
    """How blobs are looked at.

    Attributes:
        settings: What is looked for.
        cache: Where compiled rules are kept.
        key: For digests.
        canaries: Their file; None where there are none.
    """

    settings: RedactionSettings
    cache: Path | None
    key: bytes
    canaries: Path | None = None

    def __repr__(self) -> str:
        return "Setup()"


def packed(message: bytes) -> bytes:
    """A message with its length before it."""
    return _LENGTH.pack(len(message)) + message


def length_of(head: bytes) -> int:
    """Of a message, by its head.

    Raises:
        ValueError: It is more than any message has.
    """
    (length,) = _LENGTH.unpack(head)
    if length > MOST:
        raise ValueError("longer than any message")
    return int(length)


HEAD: Final = _LENGTH.size


def order_json(order: Order) -> bytes:
    """An order, as `read_order` reads it."""
    return json.dumps(asdict(order), default=str).encode()


def read_order(message: bytes) -> Order:
    """What `order_json` wrote."""
    said: dict[str, Any] = json.loads(message)
    said["path"] = Path(said["path"])
    said["bases"] = tuple(Path(item) for item in said["bases"])
    said["limits"] = PackLimits(**said["limits"])
    said["between"] = tuple((one, other) for one, other in said["between"])
    said["secret_paths"] = tuple(said["secret_paths"])
    said["places"] = Path(said["places"]) if said["places"] else None
    return Order(**said)


def answer(message: bytes, scanner: BlobScanner | None) -> dict[str, Any]:
    """What is said to an order; never what stands in a pack."""
    try:
        order = read_order(message)
        if scanner:
            scanner.scanned = scanner.skipped = 0
        elif order.detect:
            return {"broken": "no detector"}
        return {"report": Reading(order, scanner).report().as_json()}
    except ProctorError as error:
        told = {name: getattr(error, name) for name in ("code", "message", "got", "expected")}
        return {"failed": {**told, "hint": error.hint}}
    except Exception as error:  # noqa: BLE001 - its text may hold what is in the pack
        return {"broken": type(error).__name__}


def scanner_of(message: bytes) -> BlobScanner | None:
    """Looks at blobs as the gateway has it; None where it does not want that."""
    if not message:
        return None
    setup: Setup = pickle.loads(message)  # noqa: S301 - of the gateway, which started this
    canaries = (setup.canaries, setup.key) if setup.canaries else None
    detector = load_detector(setup.settings, cache=setup.cache, canaries=canaries)
    return BlobScanner(detector, setup.settings, key=setup.key, clock=time.monotonic)


def main() -> None:
    """Do what standard input says, until it ends."""
    os.nice(_NICE)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    setup = _next(source)
    if setup is None:
        return
    scanner = scanner_of(setup)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    while (message := _next(source)) is not None:
        sink.write(packed(json.dumps(answer(message, scanner)).encode()))
        sink.flush()


def _next(source: IO[bytes]) -> bytes | None:
    head = source.read(HEAD)
    return source.read(length_of(head)) if len(head) == HEAD else None


if __name__ == "__main__":
    main()
