"""A request, cut into pieces that are looked at one by one, and put together again.

Of a request to the model each message, tool and system block is a piece of its own, since it comes
again with every turn. Of any other request the target, chosen headers and the body are.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Final, NamedTuple

from proctor.protocols.anthropic.exempt import exempt
from proctor.protocols.anthropic.request import MessagesRequest, Stretch
from proctor.protocols.decoding import BodyDecoder
from proctor.redaction.model import Document, RedactionError
from proctor.redaction.redactor import Piece
from proctor.redaction.structure.body import read_body
from proctor.redaction.structure.headers import read_headers
from proctor.redaction.structure.jsondoc import read_json
from proctor.redaction.structure.layout import Path, distinct
from proctor.redaction.structure.url import read_url

MEDIA: Final = frozenset({"image", "document", "binary"})
"""Reasons for which bytes are not looked at, that `redaction.media` is about."""

SIGNED: Final = "signed"

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_WORDS: Final = frozenset({"thinking", "content"})  # that a signature stands beside

_ABOUT_BYTES: Final = frozenset(
    {b"content-encoding", b"content-md5", b"digest", b"content-digest", b"repr-digest"}
)  # RFC 9110 section 8.4, RFC 9530

type Fields = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """The parts of a request that can hold something.

    Attributes:
        target: Path and query, as sent.
        fields: Headers.
        content: The body, as sent.
    """

    target: bytes = field(repr=False)
    fields: Fields = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Cut:
    """Pieces, and how they become a message again.

    Attributes:
        pieces: In order.
        whole: Makes a message of as many parts as there are pieces.
    """

    pieces: tuple[Piece, ...]
    whole: Callable[[Sequence[bytes]], Message] = field(repr=False)


def cut_model(message: Message, headers: frozenset[str], read: MessagesRequest) -> Cut:
    """Cut a request to the model, whose target says nothing.

    Args:
        message: As sent.
        headers: Names of headers that are looked at, lower case.
        read: What the body says.
    """
    body = message.content
    chosen = _chosen(message.fields, headers)
    return Cut(
        pieces=(
            *(read_field(*message.fields[index]) for index in chosen),
            *(_piece(body, stretch) for stretch in read.stretches),
        ),
        whole=partial(_whole_model, message, chosen, read.stretches),
    )


def cut_http(message: Message, headers: frozenset[str], media_type: str, encoding: str) -> Cut:
    """Cut any other request.

    Args:
        message: As sent.
        headers: Names of headers that are looked at, lower case.
        media_type: `Content-Type`.
        encoding: `Content-Encoding`.

    Raises:
        RedactionError: The body cannot be decoded.
    """
    content = decoded(message.content, encoding)
    chosen = _chosen(message.fields, headers)
    pieces = [Piece(message.target, read_url, _name(b"target", message.target))]
    pieces += [read_field(*message.fields[index]) for index in chosen]
    if content:
        named = media_type.encode("utf-8", "surrogateescape")
        read = partial(read_body, content_type=media_type)
        pieces.append(Piece(content, read, _name(b"body", named, content)))
    return Cut(tuple(pieces), partial(_whole_http, message, chosen, content))


def decoded(content: bytes, encoding: str) -> bytes:
    """A body without its codings.

    Raises:
        RedactionError: It cannot be decoded, or decodes to too much.
    """
    decoder = BodyDecoder(encoding)
    plain = decoder.feed(content)
    if decoder.coverage != "full":
        raise undecodable(decoder.coverage)
    return plain


def undecodable(coverage: str) -> RedactionError:
    """The error for a body whose coding cannot be taken off."""
    return RedactionError(
        "redaction-decoder",
        "The body cannot be decoded, so nobody could look at it",
        got=coverage,
        expected="gzip, deflate, br, zstd or no content coding",
    )


def _piece(body: bytes, stretch: Stretch) -> Piece:
    raw = body[stretch.start : stretch.end]
    if not stretch.location:
        raw = b"{%b}" % raw
        return Piece(raw, read_json, _name(b"member", raw))
    place = _place(stretch.location)
    return Piece(
        raw, place.read, stretch.digest + place.name, stretch.history, place.said, place.signed
    )


class _Place(NamedTuple):
    """What is the same for all that ever stood at one place."""

    name: bytes
    said: bool
    read: Callable[[bytes], Document]
    signed: Callable[[bytes], frozenset[Path]]


@lru_cache(4096)
def _place(location: str) -> _Place:
    member, _, index = location[:-1].partition("[")
    base: Path = (member, int(index))
    return _Place(
        name=location.encode(),
        said=member == "messages",
        read=partial(_read_element, location=location, base=base),
        signed=partial(_signed, base=base),
    )


def _read_element(raw: bytes, *, location: str, base: Path) -> Document:
    """Signed words have a leaf, since they are looked at; what signs them has none."""
    found = exempt(json.loads(raw))
    spared = {p: why for p, why in found.items() if why != SIGNED or p[-1] not in _WORDS}
    return read_json(raw, prefix=location, base=base, exempt=spared)


def _signed(raw: bytes, *, base: Path) -> frozenset[Path]:
    found = exempt(json.loads(raw)).items()
    return frozenset((*base, *p) for p, why in found if why == SIGNED and p[-1] in _WORDS)


def _whole_model(
    message: Message,
    chosen: Sequence[int],
    stretches: Sequence[Stretch],
    parts: Sequence[bytes],
) -> Message:
    fields = _with(message.fields, chosen, parts)
    body, at = message.content, 0
    out: list[bytes] = []
    for stretch, part in zip(
        stretches, _distinct(body, stretches, parts[len(chosen) :]), strict=True
    ):
        out += (body[at : stretch.start], part)
        at = stretch.end
    out.append(body[at:])
    return Message(message.target, fields, b"".join(out))


def _distinct(body: bytes, stretches: Sequence[Stretch], parts: Sequence[bytes]) -> Sequence[bytes]:
    """As within one document: names that would become the same get a number (RFC 8259, 4)."""
    inner = [
        part if each.location else part[1:-1] for each, part in zip(stretches, parts, strict=True)
    ]
    names = {
        index: (_literal(body[each.start : each.end]), _literal(inner[index]))
        for index, each in enumerate(stretches)
        if not each.location
    }
    changed = [index for index, (before, after) in names.items() if before != after]
    if not changed:
        return inner
    taken = {json.loads(before) for before, after in names.values() if before == after}
    made = [json.loads(names[index][1]) for index in changed]
    for index, name, unique in zip(changed, made, distinct(made, taken), strict=True):
        if unique != name:
            cut = len(names[index][1]) - 1  # its quote
            inner[index] = inner[index][:cut] + unique[len(name) :].encode() + inner[index][cut:]
    return inner


def _literal(member: bytes) -> bytes:
    """A member's name, in its quotes."""
    found = _STRING.match(member)
    if found is None:
        raise RedactionError("redaction-decoder", "A member of the request has no name")
    return found[0]


def _chosen(fields: Fields, headers: frozenset[str]) -> tuple[int, ...]:
    return tuple(
        index
        for index, (name, value) in enumerate(fields)
        if value and name.decode("latin-1").lower() in headers
    )


def _with(fields: Fields, chosen: Sequence[int], parts: Sequence[bytes]) -> Fields:
    changed = list(fields)
    for index, part in zip(chosen, parts, strict=False):
        changed[index] = (changed[index][0], part)
    return tuple(changed)


def read_field(name: bytes, value: bytes) -> Piece:
    """The piece for a header, or another name and its value."""
    named = name.decode("latin-1").lower()

    def read(raw: bytes) -> Document:
        return read_headers([(named, raw)], [named])

    return Piece(value, read, _name(b"header", name, value))


def _whole_http(
    message: Message, chosen: Sequence[int], content: bytes, parts: Sequence[bytes]
) -> Message:
    fields = _with(message.fields, chosen, parts[1:])
    body = parts[-1] if content else b""
    if body == content:
        return Message(parts[0], fields, message.content)
    # It goes on without the coding it came in, and without digests of what it was.
    plain = tuple(item for item in fields if item[0].lower() not in _ABOUT_BYTES)
    return Message(parts[0], plain, body)


def _name(*parts: bytes) -> bytes:
    state = blake2b(digest_size=32)
    for part in parts:
        state.update(b"%d:" % len(part))
        state.update(part)
    return state.digest()
