"""Server-sent events, parsed as bytes arrive.

WHATWG HTML, section 9.2.5 (parsing) and 9.2.6 (interpreting an event stream): lines end with CR LF,
LF or CR; a byte order mark at the start is dropped; several `data` lines are joined with LF; a
blank line dispatches; what stands after the last blank line when the stream ends is discarded.
"""

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One dispatched event.

    Attributes:
        type: The `event` field, `message` where none was given.
        data: The `data` lines; bytes that are not UTF-8 are replaced, as browsers do.
        id: The last `id` the stream has named, this event's or an earlier one's.
    """

    type: str
    data: str
    id: str = ""


class EventStream:
    """Turns bytes into events, whatever the chunks they come in.

    Args:
        max_event: Bytes of data lines that one event may have. A larger one is dropped and
            counted, and the stream goes on: memory stays bounded.

    Attributes:
        oversized: Events dropped for their size.
    """

    def __init__(self, *, max_event: int = 8 * 2**20) -> None:
        self.oversized = 0
        self._max_event = max_event
        self._first = True  # the first line may begin with a byte order mark
        self._after_cr = False  # a LF that follows ends no line of its own
        self._partial = bytearray()  # a line whose end has not come
        self._data: list[bytes] = []
        self._size = 0  # bytes of `_data`, one more for each line
        self._type = b""
        self._id = b""
        self._over = False  # the current event is too large

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes; returns the events they complete."""
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        events: list[Event] = []
        if not data:
            return events
        lines = data.splitlines()  # of bytes: at CR LF, LF and CR, nothing else
        rest = b""
        if data.endswith(b"\r"):
            self._after_cr = True
        elif not data.endswith(b"\n"):
            rest = lines.pop()
        for line in lines:
            event = self._line(line)
            if event is not None:
                events.append(event)
        if rest:
            self._keep(rest)
        return events

    def _line(self, line: bytes) -> Event | None:
        if self._partial:
            line = bytes(self._partial) + line
            self._partial.clear()
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        self._field(line)
        return None

    def _keep(self, rest: bytes) -> None:
        self._partial += rest
        if len(self._partial) > self._max_event:
            self._over = True
            # Stands for a line that is not blank; a colon makes it a comment.
            self._partial = bytearray(b":")

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._size += len(value) + 1
            if self._size > self._max_event:
                self._over = True
                self._data.clear()
            else:
                self._data.append(value)
        elif name == b"event":
            self._type = value
        elif name == b"id" and b"\0" not in value:
            self._id = value

    def _dispatch(self) -> Event | None:
        data, kind = self._data, self._type
        self._data, self._type, self._size = [], b"", 0
        if self._over:
            self._over = False
            self.oversized += 1
            return None
        if not data:
            return None
        return Event(
            kind.decode(errors="replace") or "message",
            b"\n".join(data).decode(errors="replace"),
            self._id.decode(errors="replace"),
        )


@dataclass(frozen=True, slots=True)
class RawEvent:
    """The bytes up to and with one blank line.

    Attributes:
        raw: As they came.
        event: What they dispatch, or None: comments, a retry time, a blank line too many.
    """

    raw: bytes = field(repr=False)
    event: Event | None = field(repr=False)


class RawEventStream:
    """As EventStream, with the bytes of each event, for those who change some and pass the rest.

    A byte order mark at the start is left out, as it could hide the name of the first field.
    """

    def __init__(self) -> None:
        self._raw = bytearray()
        self._in_line = False  # the last line's end has not come
        self._cr = b""  # a CR whose LF may still come
        self._last = b""  # the byte before what comes next
        self._first = True
        self._events = EventStream(max_event=2**62)  # whoever feeds watches `pending`

    @property
    def pending(self) -> int:
        """Bytes of the event that has not ended."""
        return len(self._raw) + len(self._cr)

    def feed(self, data: bytes) -> list[RawEvent]:
        """Take the next bytes; returns the events they complete."""
        events: list[RawEvent] = []
        if not data:
            return events
        data = self._cr + data
        # Where lines end with CR alone, nothing is waited for.
        before = data[-2:-1] or self._last
        self._last = data[-1:]
        self._cr = b"\r" if data.endswith(b"\r") and before != b"\r" else b""
        for line in data.removesuffix(self._cr).splitlines(keepends=True):
            blank = not self._in_line and line in _ENDS
            self._raw += line
            self._in_line = not line.endswith((b"\n", b"\r"))
            if blank:
                events.append(self._event())
        return events

    def _event(self) -> RawEvent:
        raw = bytes(self._raw)
        self._raw.clear()
        if self._first:
            self._first = False
            raw = raw.removeprefix(_BOM)
        dispatched = self._events.feed(raw)
        return RawEvent(raw, dispatched[0] if dispatched else None)


_ENDS: Final = (b"\n", b"\r", b"\r\n")


def other_lines(raw: bytes) -> list[bytes]:
    """The lines of one event, with their ends, that are no data."""
    return [line for line in raw.splitlines(keepends=True) if not _is_data(line)]


def with_data(raw: bytes, data: str) -> bytes:
    """One event with other data; its other lines stay, before it.

    Args:
        raw: The event's bytes.
        data: Its new data; half surrogate pairs must have been escaped.
    """
    others = other_lines(raw)
    lines = [b"data: " + line + b"\n" for line in re.split(rb"\r\n|\r|\n", data.encode())]
    return b"".join([*others[:-1], *lines, b"\n"])


def _is_data(line: bytes) -> bool:
    return line.rstrip(b"\r\n").partition(b":")[0] == b"data"
