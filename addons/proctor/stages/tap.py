"""Reads an answer while it passes.

Without a rewriter every byte goes on unchanged, and of a body of known length the last byte stays
back until the record of the answer is durable. With one, the client and the record each get what
it gives them, and the length is not known beforehand.
"""

from collections.abc import Iterable
from typing import Protocol

from proctor.credentials.echo import Echo
from proctor.errors import ProctorError
from proctor.protocols.anthropic.response import AnswerReader
from proctor.protocols.decoding import BodyDecoder
from proctor.record import ContentStream, Reply, ToolCall, ToolResult
from proctor.redaction.cutting import undecodable
from proctor.redaction.handling import Rewritten as Both


class ToolGate(Protocol):
    """Judges the model's tool calls."""

    def start(self) -> None:
        """Ask humans about what was judged since."""
        ...

    def stop(self) -> None:
        """Nothing more of the answer goes on, so nobody is to be asked any more."""
        ...

    def calls(self, seen: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
        """All calls of the answer, given those that went on."""
        ...


class Result(Protocol):
    """Takes out of an answer what a tool call gave back."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes, as they are kept."""
        ...

    def finish(self) -> Iterable[ToolResult]:
        """What it gave back."""
        ...


class Watch(Protocol):
    """Takes what comes in, to look at it later."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes, decoded."""
        ...


class Rewritten(Protocol):
    """Bytes for the client, and the same for the record."""

    @property
    def client(self) -> bytes:
        """What goes on."""
        ...

    @property
    def record(self) -> bytes:
        """What is kept."""
        ...


class Rewriter(Protocol):
    """Takes out of one answer's decoded bytes what must not pass, or raises ProctorError."""

    def feed(self, data: bytes) -> Rewritten:
        """Take the next bytes."""
        ...

    def finish(self) -> Rewritten:
        """No more bytes: what was held back."""
        ...

    def broken(self, error: ProctorError) -> bytes | None:
        """How the client is told in the midst of an answer; None where it must be cut off."""
        ...

    def released(self) -> Rewritten:
        """What may go on since something that waited was decided."""
        ...

    def ping(self) -> bytes:
        """What a waiting client hears; nothing where it has heard something lately."""
        ...

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be decided."""
        ...


LARGE = 4096
"""Bytes at once that are read only when the next come: a tool call's input comes on as a whole."""


class Tap:
    """One answer's bytes, on their way.

    Args:
        encoding: `Content-Encoding` of the answer.
        reader: Makes a turn of it, or None where it is no model's answer.
        content: Keeps it, or None where only metadata is recorded.
        keep_last: Keep the last byte back; the layer sends `tail` when the record is durable.
        rewriter: Changes what passes, or None where nothing is to be changed.
        tools: The gate of the model's tool calls; None where it is no model's answer.
        result: Reads what a tool call over MCP gave back; None where it is no answer to one.
        late: Nothing passes before the end, so that there is time for the head, too.
        watch: Takes what comes, to look at it at the end; None where nobody does.
        echo: Puts out credentials of ours that come back; None where there are none.

    Attributes:
        size: Bytes that came.
        error: What went wrong, or None.
        failed: Why nothing more passes, or None.
        tail: The byte kept back.
        late: As given.
    """

    def __init__(  # noqa: PLR0913 - what an answer is read with
        self,
        *,
        encoding: str,
        reader: AnswerReader | None,
        content: ContentStream | None,
        keep_last: bool = False,
        rewriter: Rewriter | None = None,
        tools: ToolGate | None = None,
        result: Result | None = None,
        late: bool = False,
        watch: Watch | None = None,
        echo: Echo | None = None,
    ) -> None:
        self._echo = echo
        self._watch = watch
        self.late = late
        self.size = 0
        self.error: str | None = None
        self.failed: ProctorError | None = None
        self.tail = b""
        self._decoder = BodyDecoder(encoding)
        self._reader = reader
        self._unread = b""
        self._content = content
        self._keep_last = keep_last
        self._rewriter = rewriter
        self._tools = tools
        self._result = result
        self._ended = False

    def __call__(self, data: bytes) -> bytes | list[bytes]:
        """Take the next bytes off the wire; returns what goes on. Empty means the end.

        Raises:
            ProctorError: The answer cannot be made safe, and must be cut off here.
        """
        if self._rewriter:
            passed = self._rewrite(self._rewriter, data) if data else self.end()
            return [passed] if passed else []
        if not data:
            return []  # b"" would end a chunked body here and now
        return self._passed(self._echo.feed(data) if self._echo else data) or []

    def _passed(self, data: bytes) -> bytes:
        """What goes on as it is, but for its last byte where that has to wait."""
        if not data:
            return b""
        self.read(data)
        if not self._keep_last:
            return data
        data = self.tail + data
        self.tail = data[-1:]
        return data[:-1]

    def end(self) -> bytes:
        """No more bytes come; returns what was held back. Something in it may wait for a human.

        Raises:
            ProctorError: As above.
        """
        if self._ended:
            return b""
        self._ended = True
        if self._rewriter:
            return self._rewrite(self._rewriter, b"")
        return self._passed(self._echo.finish()) if self._echo else b""

    def read(self, data: bytes) -> bytes:
        """Look at bytes without passing them on; returns them decoded."""
        self.size += len(data)
        plain = self._decoder.feed(data)
        if self._watch:
            self._watch.feed(plain)
        self._keep(plain)
        return plain

    def _rewrite(self, rewriter: Rewriter, data: bytes) -> bytes:
        if self.failed:
            return b""
        self.size += len(data)
        try:
            out = rewriter.feed(self._decoded(data)) if data else self._last(rewriter)
        except ProctorError as error:
            self._fail(error)
            said = rewriter.broken(error)
            if said is None:
                raise
            self._keep(said)
            return said
        self._keep(out.record)
        if self._tools:
            self._tools.start()
        return out.client

    def _last(self, rewriter: Rewriter) -> Rewritten:
        rest = self._echo.finish() if self._echo else b""
        if not rest:
            return rewriter.finish()
        if self._watch:
            self._watch.feed(rest)
        first, last = rewriter.feed(rest), rewriter.finish()
        return Both(first.client + last.client, first.record + last.record)

    @property
    def waits(self) -> bool:
        """Whether something of the answer waits for a human, so that it cannot end yet."""
        return self._rewriter is not None and self.failed is None and not self._rewriter.idle

    def released(self) -> bytes:
        """What may go on since it was last asked: what was decided, or a ping.

        Raises:
            ProctorError: The answer cannot be made safe, and must be cut off here.
        """
        if self._rewriter is None or self.failed:
            return b""
        try:
            out = self._rewriter.released()
        except ProctorError as error:
            self._fail(error)
            raise
        self._keep(out.record)
        return out.client or self._rewriter.ping()

    @property
    def silent(self) -> bool:
        """Whether not even the head may go on while something waits."""
        return self.late and getattr(self._rewriter, "late", False)

    @property
    def more(self) -> bool:
        """Whether `released` has more to give as soon as that has left."""
        rewriter = self._rewriter
        return rewriter is not None and not self.failed and getattr(rewriter, "more", False)

    def cut(self, error: ProctorError) -> bytes:
        """Nothing more passes; returns how the client is told."""
        if self.failed:
            return b""
        self._fail(error)
        said = self._rewriter.broken(error) if self._rewriter else None
        self._keep(said or b"")
        return said or b""

    def _fail(self, error: ProctorError) -> None:
        self.failed = error
        self.error = str(error)
        if self._tools:
            self._tools.stop()

    def _decoded(self, data: bytes) -> bytes:
        plain = self._decoder.feed(data)
        if self._decoder.coverage != "full":
            raise undecodable(self._decoder.coverage)
        if self._echo:
            plain = self._echo.feed(plain)
        if self._watch:
            self._watch.feed(plain)
        return plain

    def _keep(self, plain: bytes) -> None:
        if plain:
            if self._reader:
                self._read_up()
                self._unread = plain
                if len(plain) < LARGE:
                    self._read_up()
            if self._content:
                self._content.feed(plain)
            if self._result:
                self._result.feed(plain)

    @property
    def results(self) -> tuple[ToolResult, ...]:
        """What a tool call over MCP gave back; asked once, at the end."""
        return tuple(self._result.finish()) if self._result else ()

    def _read_up(self) -> None:
        """Read what was put off, so that a client need not wait for what only the record wants."""
        if self._reader and self._unread:
            plain, self._unread = self._unread, b""
            self._reader.feed(plain)

    def finish(self) -> tuple[Reply | None, str]:
        """The turn, and what of the answer was read: `full`, or what was not and why."""
        coverage = self._decoder.coverage
        if self._reader is None:
            return None, coverage
        self._read_up()
        answer = self._reader.finish()
        if coverage == "full":
            coverage = answer.coverage
        if answer.cut and coverage == "full":
            coverage = "cut: the answer ended before its end"
        if answer.error and not self.failed:
            self.error = f"the upstream answered {answer.error.type or 'an error'}"
        calls = tuple(
            ToolCall(
                id=use.id, name=use.name, input=use.input_text.encode("utf-8", "surrogatepass")
            )
            for use in answer.tool_uses
        )
        reply = Reply(
            model=answer.model,
            stop_reason=answer.stop_reason or None,
            output=answer.text,
            input_tokens=answer.usage.input_tokens,
            output_tokens=answer.usage.output_tokens,
            cache_read_tokens=answer.usage.cache_read_tokens,
            cache_write_tokens=answer.usage.cache_write_tokens,
            tools=self._tools.calls(calls) if self._tools else calls,
        )
        return reply, coverage

    @property
    def content(self) -> ContentStream | None:
        """Where the bytes were kept."""
        return self._content
