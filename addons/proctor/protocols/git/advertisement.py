"""What a server says of itself before a push: its refs, and what it can do (gitprotocol-pack).

What we could not read is taken out of that, so that no client asks for it: a push certificate is
signed over what we may have to refuse, and a pack that leaves out what it is based on cannot be
read alone, which `no-thin` keeps clients from.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from proctor.errors import ClientError, UpstreamError
from proctor.protocols.git.pktline import FLUSH, Line, Lines, Mark, pkt
from proctor.protocols.git.routes import RECEIVE

KEPT: Final = frozenset(
    {
        *(b"report-status", b"report-status-v2", b"side-band-64k", b"delete-refs", b"atomic"),
        *(b"ofs-delta", b"push-options", b"object-format", b"agent", b"quiet", b"session-id"),
    }
)
"""Capabilities that are left in; what is not here is unknown to us."""

MAX_REFS: Final = 200_000
_SERVICE: Final = b"# service=" + RECEIVE.encode()
_NO_REFS: Final = b"capabilities^{}"
_EXTRA: Final = b".have"
_REF: Final = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}) ([^\0 ]+)")


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What was said.

    Attributes:
        refs: Names and what they point at, hex.
        body: The same for the client, with less that it can ask for.
        error: The server's own words where it says no instead; "" where it does not.
    """

    refs: Mapping[bytes, str]
    body: bytes = field(repr=False)
    error: str = ""


def read_advertisement(body: bytes) -> Advertisement:
    """Read the answer to `info/refs?service=git-receive-pack`.

    Raises:
        UpstreamError: `git-answer`: it is none.
    """
    try:
        return _read(body)
    except ClientError as error:
        raise unreadable(error.got) from None


def _read(body: bytes) -> Advertisement:
    lines = Lines()
    lines.feed(body)
    first, flush = lines.next(), lines.next()
    if not (first and flush and first.text == _SERVICE and flush.mark is Mark.FLUSH):
        raise unreadable("no word of the service")
    out = [pkt(_SERVICE + b"\n"), FLUSH]
    refs: dict[bytes, str] = {}
    said = False
    while (line := lines.next()) is not None:
        if line.mark is Mark.FLUSH:
            if lines.rest() or not said:
                raise unreadable("more after its end, or nothing before it")
            return Advertisement(refs, b"".join((*out, FLUSH)))
        if line.mark is not Mark.DATA:
            raise unreadable("a mark that is not in it")
        if not said and line.text.startswith(b"ERR "):
            return Advertisement({}, body, line.text[4:].decode("utf-8", "backslashreplace"))
        if not said and line.text == b"version 1":
            out.append(pkt(line.data))
            continue
        out.append(pkt(_ref(line, refs, first=not said)))
        said = True
        if len(refs) > MAX_REFS:
            raise unreadable(f"more than {MAX_REFS} refs")
    raise unreadable("no end")


def _ref(line: Line, refs: dict[bytes, str], *, first: bool) -> bytes:
    """Note a ref; returns the line as the client gets it."""
    said, mark, capabilities = line.text.partition(b"\0")
    if bool(mark) is not first:
        raise unreadable("capabilities in another line than the first")
    if not first and said.startswith(b"shallow "):
        return line.data
    found = _REF.fullmatch(said)
    if found is None:
        raise unreadable("a line that is no ref")
    name = found[2]
    if name not in {_NO_REFS, _EXTRA}:
        refs[name] = found[1].decode()
    if not first:
        return line.data
    kept = [each for each in capabilities.split() if each.partition(b"=")[0] in KEPT]
    return said + b"\0" + b" ".join([*kept, b"no-thin"]) + b"\n"


def unreadable(got: str) -> UpstreamError:
    """What is said of an answer that is not what was asked for."""
    return UpstreamError(
        "git-answer",
        "The git server's answer cannot be read",
        got=got,
        expected="smart HTTP (gitprotocol-http)",
        hint="The dumb protocol is not passed on: it sends files that nobody reads.",
    )
