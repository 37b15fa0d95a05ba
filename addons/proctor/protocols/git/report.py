"""What we say to a git client in its own words (gitprotocol-pack, gitprotocol-common).

A push is answered by a report: `unpack ok`, and a line for each ref. git shows
`! [remote rejected] main -> main (denied by rule …)`; beside it, on side-band 2, lines that it
shows as `remote: …`. Where there is no report yet, a line that begins with `ERR` ends everything:
`fatal: remote error: …`.
"""

import re
from collections.abc import Iterable
from typing import Final

from proctor.protocols.git.pktline import FLUSH, MAX_DATA, pkt
from proctor.protocols.git.push import Command, Push

KEEPALIVE: Final = pkt(b"\1")
"""Nothing, on the band of the report, as git's own server says it while it works."""

PROGRESS: Final = 2
FATAL: Final = 3
_DATA: Final = 1
_ROOM: Final = MAX_DATA - 1
_MAX_WORDS: Final = 1000
# Controls of C0 and C1, and marks that turn the direction of text: they could forge a terminal.
_NOT_SHOWN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def words(text: str, most: int = _MAX_WORDS) -> bytes:
    """One line of ours, without what could forge a terminal."""
    line = _NOT_SHOWN.sub(" ", text).strip()
    return (line if len(line) <= most else line[: most - 1] + "…").encode("utf-8", "replace")


def band(number: int, data: bytes) -> bytes:
    """Data on a side-band, in as many lines as it takes."""
    head = bytes([number])
    return b"".join(pkt(head + data[at : at + _ROOM]) for at in range(0, len(data), _ROOM))


def progress(text: str) -> bytes:
    """What git shows as `remote: …`."""
    return band(PROGRESS, words(f"proctor: {text}") + b"\n")


def refused(push: Push, reason: str, said: Iterable[str]) -> bytes:
    """The answer to a push of which nothing is done.

    Args:
        push: What was asked.
        reason: Stands behind each ref; short.
        said: Lines for whoever pushes.
    """
    report = b""
    if push.reports:
        lines = [b"unpack ok\n", *(_no(each, reason) for each in push.commands)]
        report = b"".join(map(pkt, lines)) + FLUSH
    if not push.side_band:
        return report
    shown = b"".join(map(progress, said))
    if not report:
        return shown + band(FATAL, words(f"proctor: {reason}") + b"\n") + FLUSH
    return shown + band(_DATA, report) + FLUSH


def _no(command: Command, reason: str) -> bytes:
    return b"ng " + command.ref + b" " + words(reason, 300) + b"\n"


def error(text: str) -> bytes:
    """What ends an exchange wherever a line is expected: git says `fatal: remote error: …`."""
    return pkt(b"ERR " + words(f"proctor: {text}") + b"\n")


def refused_refs(service: str, text: str) -> bytes:
    """The answer to `info/refs` that is none (gitprotocol-http, smart server response)."""
    return pkt(f"# service={service}\n".encode()) + FLUSH + error(text) + FLUSH
