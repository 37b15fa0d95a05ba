"""Messages out of frames, and frames for messages (RFC 6455 5), bounded while they arrive."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, cast

from wsproto.frame_protocol import CloseReason, Frame, FrameProtocol, Opcode, ParseFailed

NO_STATUS: Final = 1005
"""A Close frame without a code (RFC 6455 7.1.5)."""

AWAY: Final = 1001
"""What the other side is told where one has gone, or is not to be heard any longer."""

PROTOCOL_ERROR: Final = 1002
INVALID: Final = 1007
VIOLATION: Final = 1008
TOO_BIG: Final = 1009
BROKEN: Final = 1011

MAX_FRAGMENTS: Final = 10_000
"""Frames of one message; empty ones would else cost time and no memory."""

_MAX_WORDS: Final = 123  # bytes of a Close frame's reason, RFC 6455 5.5


@dataclass(frozen=True, slots=True)
class Message:
    """One message, whole.

    Attributes:
        text: It is text, in UTF-8; else binary.
        data: Its bytes.
    """

    text: bool
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a Pong with the same payload (RFC 6455 5.5.2)."""

    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Close:
    """A side says that it sends nothing more; its words are not kept."""

    code: int


type Heard = Message | Ping | Close


class FrameError(Exception):
    """A side does not keep to the protocol.

    Attributes:
        code: To close with (RFC 6455 7.4.1).
        words: In our words: a library's may quote what was sent.
    """

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


class Wire:
    """One of the two sides: reads its frames, and writes frames for it.

    Args:
        client: We speak to it as its client: what it sends is not masked, what we send is (5.3).
        limit: Bytes of a message.
    """

    def __init__(self, *, client: bool, limit: int) -> None:
        self._frames = FrameProtocol(client=client, extensions=[])
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._count = 0
        self._over = False

    def feed(self, data: bytes) -> None:
        """Take bytes; `heard` then has what they say."""
        if not self._over:
            self._frames.receive_bytes(data)

    def heard(self) -> Iterator[Heard]:
        """What was said. One may stop asking at any time, and go on later.

        Raises:
            FrameError: It is no WebSocket message, or too long a one.
        """
        try:
            for frame in self._frames.received_frames():
                said = self._taken(frame)
                if said is not None:
                    yield said
        except ParseFailed as error:
            self._over = True
            raise _failed(error) from None
        except FrameError:
            self._over = True
            raise

    def message(self, message: Message) -> bytes:
        """A message as one frame."""
        payload = message.data.decode() if message.text else message.data
        return bytes(self._frames.send_data(payload, fin=True))

    def ping(self) -> bytes:
        """A Ping of ours, which says nothing."""
        return bytes(self._frames.ping())

    def pong(self, ping: Ping) -> bytes:
        """The answer to a Ping."""
        return bytes(self._frames.pong(ping.payload))

    def close(self, code: int, words: str = "") -> bytes:
        """A Close frame; of the words as many as it can hold."""
        if code == NO_STATUS:
            return bytes(self._frames.close())
        return bytes(self._frames.close(code, words or None))

    def _taken(self, frame: Frame) -> Heard | None:
        match frame.opcode:
            case Opcode.PING:
                return Ping(bytes(_raw(frame)))
            case Opcode.PONG:
                return None
            case Opcode.CLOSE:
                self._over = True
                code, _words = cast("tuple[int, str]", frame.payload)
                return Close(int(code))
            case _:
                return self._assembled(frame)

    def _assembled(self, frame: Frame) -> Message | None:
        part = _raw(frame)
        self._size += len(part)
        self._count += frame.frame_finished
        if self._size > self._limit:
            raise FrameError(TOO_BIG, f"a message may have {self._limit} bytes")
        if self._count > MAX_FRAGMENTS:
            raise FrameError(VIOLATION, f"a message may have {MAX_FRAGMENTS} frames")
        if part:
            self._parts.append(part)
        if not frame.message_finished:
            return None
        data = b"".join(self._parts)
        self._parts, self._size, self._count = [], 0, 0
        return Message(text=isinstance(frame.payload, str), data=data)


def shortened(words: str) -> str:
    """As much of some words as a Close frame can hold, on one line."""
    plain = " ".join(words.split())
    raw = plain.encode("utf-8", "replace")
    if len(raw) <= _MAX_WORDS:
        return plain
    return raw[: _MAX_WORDS - 3].decode("utf-8", "ignore") + "\N{HORIZONTAL ELLIPSIS}"


def _raw(frame: Frame) -> bytes:
    payload = frame.payload
    return payload.encode() if isinstance(payload, str) else bytes(cast("bytes", payload))


def _failed(error: ParseFailed) -> FrameError:
    if error.code == CloseReason.INVALID_FRAME_PAYLOAD_DATA:
        return FrameError(INVALID, "text that is not UTF-8")
    return FrameError(PROTOCOL_ERROR, "frames that are not as RFC 6455 5 has them")
