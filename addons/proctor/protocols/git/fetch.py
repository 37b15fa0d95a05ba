"""A fetch, as it is asked for and as it is answered (gitprotocol-v2, gitprotocol-pack).

What a client asks for is read and written anew without what would have blobs come past us or in a
form that cannot be looked at: `thin-pack` rests on objects that are not sent, `packfile-uris` and
`bundle-uri` come from elsewhere. An answer is lines, then a pack in a side band; see `answers`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from proctor.errors import ClientError
from proctor.protocols.git.pktline import DELIM, FLUSH, Line, Lines, Mark, malformed, pkt

MAX_REQUEST: Final = 64 * 2**20
"""Bytes of one request; a client with many commits says which it has."""
MAX_WANTS: Final = 1_000_000

FETCHING: Final = frozenset({b"shallow", b"wait-for-done", b"filter", b"ref-in-want"})
"""What a server may offer of `fetch` (gitprotocol-v2); the rest would come past us."""

V0: Final = frozenset(
    {
        *(b"multi_ack", b"multi_ack_detailed", b"no-done", b"side-band-64k", b"ofs-delta"),
        *(b"shallow", b"deepen-since", b"deepen-not", b"deepen-relative", b"no-progress"),
        *(b"include-tag", b"allow-tip-sha1-in-want", b"allow-reachable-sha1-in-want", b"filter"),
        *(b"agent", b"symref", b"object-format", b"session-id"),
    }
)
"""Capabilities of the older protocol that are left in (gitprotocol-capabilities)."""

_V2: Final = frozenset({b"agent", b"ls-refs", b"server-option", b"object-format", b"session-id"})
_COMMANDS: Final = frozenset({b"fetch", b"ls-refs", b"object-info"})
_OUT: Final = frozenset({b"thin-pack", b"packfile-uris", b"sideband-all"})
_ID: Final = rb"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_WANT: Final = re.compile(rb"want (" + _ID + rb")")
_ARGUMENT: Final = re.compile(
    rb"(?:have|shallow) " + _ID + rb"|done|no-progress|include-tag|ofs-delta|wait-for-done"
    rb"|deepen-relative|deepen \d{1,10}|deepen-(?:since|not) [^\0\n]{1,1000}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """What is asked for.

    Attributes:
        command: `fetch`, `ls-refs` or `object-info`; the older protocol knows `fetch` alone.
        version: 2, or 0 for the older ones.
        wants: Ids, hex.
        refs: Names that are asked for by name.
        depth: Of history, as asked for: `depth 1`, `since …`; "" for all.
        filter: Of objects, such as `blob:none`; "" for none.
        algorithm: `sha1` or `sha256`.
        side_band: The pack comes in a side band.
        done: A pack is expected.
        body: The request as it goes on.
    """

    command: str
    version: int
    wants: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    depth: str = ""
    filter: str = ""
    algorithm: str = "sha1"
    side_band: bool = True
    done: bool = False
    body: bytes = field(default=b"", repr=False)


def read_fetch(body: bytes, *, version: int) -> Fetch:
    """Read the body of `POST …/git-upload-pack`.

    Args:
        body: Not compressed.
        version: 2, or 0 where no version was asked for, or 1.

    Raises:
        ClientError: `git-malformed`.
    """
    if len(body) > MAX_REQUEST:
        raise malformed(f"a request of {len(body)} bytes")
    lines = Lines()
    lines.feed(body)
    read = _read_v2 if version == 2 else _read_v0  # noqa: PLR2004 - the protocol's number
    found = read(_all(lines))
    if lines.rest():
        raise malformed("a request that is cut off")
    return found


def _all(lines: Lines) -> Iterator[Line]:
    while (line := lines.next()) is not None:
        yield line


@dataclass(slots=True)
class _Asked:
    """What is gathered of a request."""

    wants: dict[str, None] = field(default_factory=dict[str, None])
    refs: dict[str, None] = field(default_factory=dict[str, None])
    depth: str = ""
    filter: str = ""
    done: bool = False

    def take(self, text: bytes) -> None:
        """One argument."""
        if found := _WANT.fullmatch(text):
            self.wants[found[1].decode()] = None
        elif text.startswith(b"want-ref "):
            self.refs[_text(text[9:])] = None
        elif text.startswith(b"filter "):
            self.filter = _text(text[7:])[:200]
        elif not _ARGUMENT.fullmatch(text):
            raise malformed("an argument of a fetch that is not known")
        elif text.startswith(b"deepen"):
            self.depth = _text(text.removeprefix(b"deepen").lstrip(b"- "))[:200]
        elif text == b"done":
            self.done = True
        if len(self.wants) + len(self.refs) > MAX_WANTS:
            raise malformed(f"more than {MAX_WANTS} wants")


def _read_v2(lines: Iterator[Line]) -> Fetch:
    first = next(lines, None)
    if first is None or first.mark is not Mark.DATA or not first.text.startswith(b"command="):
        if first is not None and first.mark is Mark.FLUSH:
            return Fetch(command="", version=2, body=FLUSH)
        raise malformed("a request without a command")
    command = first.text[8:]
    if command not in _COMMANDS:
        raise ClientError(
            "git-command",
            "This command of git's is not passed on",
            got=_text(command)[:40],
            expected=" or ".join(sorted(_text(item) for item in _COMMANDS)),
        )
    capabilities, mark = _until(lines, {Mark.DELIM, Mark.FLUSH})
    algorithm = _format(item.rstrip(b"\n") for item in capabilities)
    out, asked = [pkt(first.data), *map(pkt, capabilities)], _Asked()
    if mark is Mark.DELIM:
        arguments, _ = _until(lines, {Mark.FLUSH})
        out.append(DELIM)
        for text in arguments:
            if text.rstrip(b"\n").partition(b" ")[0] in _OUT:
                continue
            if command == b"fetch":
                asked.take(text.removesuffix(b"\n"))
            out.append(pkt(text))
    if next(lines, None) is not None:
        raise malformed("more than one command")
    out.append(FLUSH)
    return _fetch(_text(command), 2, asked, out, algorithm=algorithm, side_band=True)


def _until(lines: Iterator[Line], marks: AbstractSet[Mark]) -> tuple[list[bytes], Mark]:
    """What is said up to one of these marks."""
    said: list[bytes] = []
    for line in lines:
        if line.mark in marks:
            return said, line.mark
        if line.mark is not Mark.DATA:
            break
        said.append(line.data)
    raise malformed("a request without an end, or a mark that is not in it")


def _read_v0(lines: Iterator[Line]) -> Fetch:
    out: list[bytes] = []
    asked, capabilities = _Asked(), frozenset[bytes]()
    for line in lines:
        if line.mark is Mark.FLUSH:
            out.append(FLUSH)
            continue
        if line.mark is not Mark.DATA:
            raise malformed("a mark that is not in a request")
        text = line.text
        if not out:
            want, _, said = text[5:].partition(b" ")
            if not text.startswith(b"want "):
                raise malformed("a request that wants nothing")
            capabilities = frozenset(said.split())
            kept = [item for item in said.split() if item not in _OUT]
            text = b"want " + want
            out.append(pkt(b" ".join([text, *kept]) + b"\n"))
        else:
            out.append(pkt(line.data))
        asked.take(text)
    algorithm = _format(capabilities)
    band = b"side-band-64k" in capabilities
    if b"side-band" in capabilities and not band:
        raise malformed("a side band of small packets, which was not offered")
    return _fetch("fetch", 0, asked, out, algorithm=algorithm, side_band=band)


def _fetch(  # noqa: PLR0913 - what was gathered
    command: str,
    version: int,
    asked: _Asked,
    out: list[bytes],
    *,
    algorithm: str,
    side_band: bool,
) -> Fetch:
    return Fetch(
        command=command,
        version=version,
        wants=tuple(asked.wants),
        refs=tuple(asked.refs),
        depth=asked.depth,
        filter=asked.filter,
        algorithm=algorithm,
        side_band=side_band,
        done=asked.done,
        body=b"".join(out),
    )


def read_offer(body: bytes) -> tuple[bytes, Mapping[str, str]]:
    """The answer to `info/refs?service=git-upload-pack`, with less that can be asked for.

    Returns:
        The answer for the client, and the refs by name, hex, where it tells them (protocols 0, 1).

    Raises:
        ClientError: `git-malformed`.
    """
    lines = Lines()
    lines.feed(body)
    out: list[bytes] = []
    refs: dict[str, str] = {}
    v2 = said = False
    for line in _all(lines):
        if line.mark is not Mark.DATA:
            out.append(FLUSH if line.mark is Mark.FLUSH else DELIM)
            continue
        text = line.text
        if text.startswith((b"# service=", b"version ", b"ERR ")):
            v2 = v2 or text == b"version 2"
            out.append(pkt(line.data))
        elif v2:
            if kept := _offered(text):
                out.append(pkt(kept + b"\n"))
        else:
            ref, mark, capabilities = text.partition(b"\0")
            name, _, path = ref.partition(b" ")
            if re.fullmatch(_ID, name) and len(refs) < MAX_WANTS:
                refs[_text(path)] = name.decode()
            if mark and not said:
                kept = b" ".join(
                    item for item in capabilities.split() if item.partition(b"=")[0] in V0
                )
                ref += b"\0" + kept
            said = True
            out.append(pkt(ref + b"\n"))
    if lines.rest() or not out:
        raise malformed("an answer that is cut off")
    return b"".join(out), refs


def _offered(capability: bytes) -> bytes:
    """A capability of protocol 2 as the client may hear of it."""
    name, mark, value = capability.partition(b"=")
    if name == b"fetch":
        kept = b" ".join(item for item in value.split() if item in FETCHING)
        return b"fetch=" + kept if kept else b"fetch"
    known = name in _V2 or name == b"object-info"
    return name + mark + value if known else b""


def read_refs(body: bytes) -> dict[str, str]:
    """The answer to `ls-refs`: names and ids; what cannot be read is left out."""
    lines = Lines()
    refs: dict[str, str] = {}
    lines.feed(body)
    try:
        for line in _all(lines):
            name, _, rest = line.text.partition(b" ")
            if re.fullmatch(_ID, name) and len(refs) < MAX_WANTS:
                refs[_text(rest.partition(b" ")[0])] = name.decode()
    except ClientError:
        return refs
    return refs


def _format(capabilities: Iterable[bytes]) -> str:
    """Which object format is spoken of; SHA-1 where none is."""
    said = {item.partition(b"=")[2] for item in capabilities if item.startswith(b"object-format=")}
    if not said <= {b"sha1", b"sha256"} or len(said) > 1:
        raise malformed("an object format that is not known")
    return said.pop().decode() if said else "sha1"


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
