"""Answers of plain HTTP that are redacted while they pass: events, JSON lines, text.

Each event and each line is a document of its own; other text is one text. What is not text is not
for this.
"""

import codecs
import re
from typing import Final, Protocol

from proctor.errors import ClientError, ProctorError
from proctor.protocols.sse import RawEventStream, with_data
from proctor.redaction.handling import Handling, Rewritten, Words, joined, whole_text
from proctor.redaction.model import RedactionError

_JSON_LINES: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines",
     "application/jsonlines", "application/json-seq", "application/stream+json"}
)  # fmt: skip
_charset = re.compile(r";\s*charset\s*=\s*\"?([\w.:\-]{1,40})", re.IGNORECASE)
_BOMS: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BOM_SIZE: Final = 2
# Without a state, and none whose decoder is a danger.
_charsets = re.compile(r"utf-8|utf-16-[bl]e|ascii|iso8859-\d{1,2}|cp125\d|koi8-[ru]").fullmatch
_opens = re.compile(r"\s*[\[{\"]").match
# RFC 7464 section 2.2: a record separator stands before each text.
_edges = re.compile(rb"([\x1e \t\r\n]*)(.*?)([ \t\r\n]*)\Z", re.DOTALL)
_LINE: Final = 16 * 2**20  # bytes


class _Kind(Protocol):
    def feed(self, data: bytes) -> Rewritten:
        """Take the next bytes."""
        ...

    def finish(self) -> Rewritten:
        """The rest."""
        ...


class BodyStream:
    """Redacts one body; feed it decoded bytes.

    Args:
        handling: Does the work on texts and documents.
        content_type: Of the answer, with its charset.
        max_line: Bytes that one event or line may have.

    Raises:
        RedactionError: `redaction-decoder` for a charset that is not known here.
    """

    def __init__(self, handling: Handling, content_type: str, *, max_line: int = _LINE) -> None:
        kind = content_type.partition(";")[0].strip().lower()
        named = _charset.search(content_type)
        self._kind: _Kind
        if kind == "text/event-stream":
            self._kind = _Events(handling, max_line)
        elif kind in _JSON_LINES:
            self._kind = _Lines(handling, max_line)
        else:
            self._kind = _Text(handling, named[1] if named else "utf-8")

    def feed(self, data: bytes) -> Rewritten:
        """Take the next bytes.

        Raises:
            RedactionError: They cannot be looked at.
        """
        return self._kind.feed(data)

    def finish(self) -> Rewritten:
        """The rest, at the body's end. Errors as of `feed`."""
        return self._kind.finish()

    def broken(self, _error: ProctorError) -> None:
        """There is no word for it: the connection is cut off."""


class _Text:
    """One text. Bytes that are none in its charset stay what they are, and are looked at."""

    def __init__(self, handling: Handling, charset: str) -> None:
        self._charset = _known(charset)
        self._words = Words(handling, "body")
        self._first = b""
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> Rewritten:
        return self._out(data, final=False)

    def finish(self) -> Rewritten:
        return self._out(b"", final=True)

    def _out(self, data: bytes, *, final: bool) -> Rewritten:
        if self._decoder is None:
            data = self._first = self._first + data
            if len(data) < _BOM_SIZE and not final:
                return Rewritten()
            # WHATWG Encoding, section 6: a mark goes before what is declared.
            self._charset = _BOMS.get(data[:_BOM_SIZE], self._charset)
            self._decoder = codecs.lookup(self._charset).incrementaldecoder("surrogateescape")
        try:
            text = self._words.feed(self._decoder.decode(data, final))
            client, record = text.client, text.record
            if final:
                rest = self._words.finish()
                client, record = client + rest.client, record + rest.record
            return Rewritten(self._encoded(client), self._encoded(record))
        except UnicodeError:
            raise _unreadable() from None

    def _encoded(self, text: str) -> bytes:
        return text.encode(self._charset, "surrogateescape")


class _Lines:
    """Lines that are JSON; one that is not is a text."""

    def __init__(self, handling: Handling, max_line: int) -> None:
        self._handling = handling
        self._max_line = max_line
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Rewritten:
        *lines, rest = data.split(b"\n")
        parts: list[Rewritten] = []
        for line in lines:
            self._waiting += line
            parts.append(self._line(b"\n"))
        self._waiting += rest
        _bound(len(self._waiting), self._max_line)
        return joined(parts)

    def finish(self) -> Rewritten:
        return self._line(b"")

    def _line(self, end: bytes) -> Rewritten:
        line = bytes(self._waiting)
        self._waiting.clear()
        _bound(len(line), self._max_line)
        return document_or_text(self._handling, line, "line") + Rewritten(end, end)


class _Events:
    """Events, each a document where its data is JSON, else a text."""

    def __init__(self, handling: Handling, max_line: int) -> None:
        self._handling = handling
        self._max_line = max_line
        self._events = RawEventStream()

    def feed(self, data: bytes) -> Rewritten:
        parts: list[Rewritten] = []
        for event in self._events.feed(data):
            _bound(len(event.raw), self._max_line)
            lines = lines_looked_at(self._handling, event.raw)
            if event.event is not None:
                came = event.event.data.encode()
                new = document_or_text(self._handling, came, "event")
                lines = Rewritten(
                    _put(lines.client, came, new.client), _put(lines.record, came, new.record)
                )
            parts.append(lines)
        _bound(self._events.pending, self._max_line)
        return joined(parts)

    def finish(self) -> Rewritten:
        """WHATWG HTML, section 9.2.6: what stands after the last blank line is no event."""
        return Rewritten()


def document_or_text(handling: Handling, raw: bytes, location: str) -> Rewritten:
    """One line or event, UTF-8: as a JSON document where it is one, else as a text."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise _unreadable() from None
    if _opens(text.lstrip("\x1e")):
        before, middle, after = _edges.match(raw).groups()  # type: ignore[union-attr]  # always matches
        try:
            out = handling.document(middle, location, exempt={})
        except ClientError:
            pass  # no JSON, or ambiguous: a text like any other
        else:
            return Rewritten(before + out.client + after, before + out.record + after)
    new = whole_text(handling, text, location)
    return Rewritten(new.client.encode(), new.record.encode())


def lines_looked_at(handling: Handling, raw: bytes) -> Rewritten:
    """An event whose lines besides its data are redacted: comments, ids, names of events."""
    client: list[bytes] = []
    record: list[bytes] = []
    for line in raw.splitlines(keepends=True):
        words = line.rstrip(b"\r\n")
        out = Rewritten(words, words)
        if words and words.partition(b":")[0] != b"data":
            try:
                new = whole_text(handling, words.decode(), "event")
            except UnicodeDecodeError:
                raise _unreadable() from None
            out = Rewritten(new.client.encode(), new.record.encode())
        client.append(out.client + line[len(words) :])
        record.append(out.record + line[len(words) :])
    return Rewritten(b"".join(client), b"".join(record))


def _known(charset: str) -> str:
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        name = ""
    name = "utf-16-be" if name == "utf-16" else name  # RFC 2781 section 4.3
    if not _charsets(name):
        raise RedactionError(
            "redaction-decoder",
            "The answer's charset is not known here, so it was not passed on",
            expected="UTF-8, UTF-16 or a charset of one byte",
        )
    return name


def _put(raw: bytes, came: bytes, new: bytes) -> bytes:
    return raw if new == came else with_data(raw, new.decode())


def _bound(size: int, most: int) -> None:
    if size > most:
        raise RedactionError(
            "redaction-size",
            "A line of the answer is too large to be looked at, so it was cut off",
            got=f"more than {most} bytes",
        )


def _unreadable() -> RedactionError:
    return RedactionError(
        "redaction-decoder", "The answer is no text in its charset, so it was cut off"
    )
