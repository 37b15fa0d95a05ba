"""One message of a conversation that has no headers and no type: read, looked at, and written anew.

What is text and JSON is looked at as JSON. What is binary is looked at as bytes, one letter each,
or as UTF-8 where it is that; nobody knows how to write it anew, so nothing is taken out of it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from proctor.errors import RefusedError
from proctor.model import Finding, Principal, Session
from proctor.redaction.across import NAMES, Across, Said
from proctor.redaction.model import Direction, Method, RedactionError
from proctor.redaction.redactor import Look, Piece
from proctor.redaction.screen import Screen
from proctor.redaction.structure.charset import LATIN1, UTF8
from proctor.redaction.structure.codec import verbatim
from proctor.redaction.structure.jsondoc import add_any_json
from proctor.redaction.structure.jsonwalk import add_text
from proctor.redaction.structure.layout import BODY, Layout, Place
from proctor.redaction.treatment import passes

PIECES: Final = "SECRET_PIECES"
"""Entity type of a secret that came in pieces."""

DETECTOR: Final = "proctor:pieces/messages"
"""Who has found that."""

WHERE: Final = "message"
"""Location of what stands in a message that is no JSON."""

_INDEX: Final = re.compile(r"\[\d+\]")
_RULE: Final = "redaction"


@dataclass(slots=True, kw_only=True)
class Looked:
    """A message that was looked at.

    Attributes:
        screen: That did.
        direction: Which way it goes.
        text: It is text.
        data: As it came.
        look: What was seen in it.
        said: Its texts.
        pieces: What it completes.
        arriving: Signs of what comes with it, which stop nothing by themselves.
    """

    screen: Screen
    direction: Direction
    text: bool
    data: bytes = field(repr=False)
    look: Look = field(repr=False)
    said: tuple[Said, ...] = field(repr=False)
    document: Layout = field(repr=False)
    pieces: tuple[Finding, ...] = ()
    arriving: tuple[Finding, ...] = ()

    def findings(self, redact: Mapping[str, str]) -> tuple[Finding, ...]:
        """What rules and the record are told.

        Args:
            redact: What matching rules say of findings.
        """
        seen = self.screen.findings(self.look, redact, self.direction)
        return (*seen, *self.pieces, *self.arriving)

    def taken_out(
        self, redact: Mapping[str, str], principal: Principal, session: Session | None
    ) -> tuple[bytes, bytes]:
        """As it goes on, and as it may be kept.

        Raises:
            RefusedError: Something blocks it.
            RedactionError: It could not be done.
        """
        if self.pieces:
            first = self.pieces[0]
            raise RefusedError(
                "redaction-pieces",
                "This message completes a secret that came in pieces",
                got=f"{first.type} at {first.location}",
                expected="no secret, whole or in pieces",
                hint="What was sent before has passed: have that secret changed.",
                rule_id=_RULE,
            )
        out = self.screen.take_out(self.look, redact, principal, session, self.direction)
        sent, record = out.sent[0], out.record[0]
        if not self.text and sent != self.data:
            raise RefusedError(
                "redaction-blocked",
                "This holds something that must not pass, and a binary message cannot be changed",
                got=next(iter({found.type for found in self.findings(redact)}), ""),
                rule_id=_RULE,
            )
        return sent, record

    def kept(self, redact: Mapping[str, str], principal: Principal) -> bytes:
        """As it may be kept where it does not go on; b"" where it may not.

        Where it completes a secret, its own part of that is not found by itself.
        """
        if self.pieces:
            return b""
        try:
            return self.screen.mask(self.look, redact, principal, self.direction)[0]
        except RedactionError:
            return b""


async def look_at(
    screen: Screen,
    direction: Direction,
    across: Across,
    *,
    text: bool,
    data: bytes,
) -> Looked:
    """Look at a message, by itself and after what has passed.

    Args:
        screen: Of the listener.
        direction: Which way it goes.
        across: What its side has said before.
        text: It is text.
        data: Its bytes.

    Raises:
        RedactionError: It could not be looked at whole.
    """
    document = _read(data, text=text)
    look = await screen.look((Piece(data, lambda _raw: document, b""),))
    said = tuple(_texts(document))
    pieces = tuple(_completed(screen, direction, across, said))
    return Looked(
        screen=screen,
        direction=direction,
        text=text,
        data=data,
        look=look,
        said=said,
        document=document,
        pieces=pieces,
    )


def texts_of(data: bytes, *, text: bool) -> tuple[Said, ...]:
    """The texts of a message as it has passed."""
    return tuple(_texts(_read(data, text=text)))


def _read(data: bytes, *, text: bool) -> Layout:
    if not text:
        try:
            return _plain(Layout(data.decode("utf-8"), UTF8))
        except UnicodeDecodeError:
            return _plain(Layout(data.decode("latin-1"), LATIN1))
    layout = Layout(data.decode("utf-8"), UTF8)
    return layout if add_any_json(layout, BODY) else _plain(layout)


def _plain(layout: Layout) -> Layout:
    whole = layout.text(BODY)
    add_text(layout, whole, WHERE, "", BODY, 0, len(whole), verbatim, (), Place.HERE)
    return layout


def _texts(document: Layout) -> Iterator[Said]:
    alone = len(document.leaves) == 1
    for leaf, path in zip(document.leaves, document.paths, strict=True):
        if leaf.text:
            yield Said(_INDEX.sub("[]", leaf.location) if path or alone else NAMES, leaf.text)


def _completed(
    screen: Screen, direction: Direction, across: Across, said: tuple[Said, ...]
) -> Iterator[Finding]:
    redactor = screen.parts.redactor
    treatment = screen.parts.treatments.on(screen.listener, {})
    for spot, at, messages in across.completed(said, screen.parts.budget()):
        place = at or WHERE
        method = treatment.method(spot.type, direction)
        digest = redactor.digest(spot.type, spot.value)
        if method is None or passes(method):
            continue
        if redactor.allowed(spot.detector, digest, place):
            continue
        yield Finding(
            type=PIECES,
            location=f"{place} ({spot.type} in {messages} messages)",
            direction=direction.value,
            score=spot.score,
            detector=DETECTOR,
            action=Method.BLOCK.value,
            digest=digest,
        )
        return  # it is stopped for this one
