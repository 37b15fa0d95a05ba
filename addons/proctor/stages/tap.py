"""Reads an answer while it passes.

Every byte goes on unchanged; of a body of known length the last byte stays back until the record
of the answer is durable.
"""

from proctor.protocols.anthropic.response import AnswerReader
from proctor.protocols.decoding import BodyDecoder
from proctor.record import ContentStream, Reply, ToolCall


class Tap:
    """One answer's bytes, on their way.

    Args:
        encoding: `Content-Encoding` of the answer.
        reader: Makes a turn of it, or None where it is no model's answer.
        content: Keeps it, or None where only metadata is recorded.
        keep_last: Keep the last byte back; the layer sends `tail` when the record is durable.
    """

    def __init__(
        self,
        *,
        encoding: str,
        reader: AnswerReader | None,
        content: ContentStream | None,
        keep_last: bool = False,
    ) -> None:
        self.size = 0
        self.error: str | None = None
        self.tail = b""
        self._decoder = BodyDecoder(encoding)
        self._reader = reader
        self._content = content
        self._keep_last = keep_last

    def __call__(self, data: bytes) -> bytes | list[bytes]:
        """Take the next bytes off the wire; returns what goes on. Empty means the end."""
        if not data:
            return []  # b"" would end a chunked body here and now
        self.read(data)
        if not self._keep_last:
            return data
        data = self.tail + data
        self.tail = data[-1:]
        return [data[:-1]] if len(data) > 1 else []

    def read(self, data: bytes) -> bytes:
        """Look at bytes without passing them on; returns them decoded."""
        self.size += len(data)
        plain = self._decoder.feed(data)
        if plain:
            if self._reader:
                self._reader.feed(plain)
            if self._content:
                self._content.feed(plain)
        return plain

    def finish(self) -> tuple[Reply | None, str]:
        """The turn, and what of the answer was read: `full`, or what was not and why."""
        coverage = self._decoder.coverage
        if self._reader is None:
            return None, coverage
        answer = self._reader.finish()
        if coverage == "full":
            coverage = answer.coverage
        if answer.cut and coverage == "full":
            coverage = "cut: the answer ended before its end"
        if answer.error:
            self.error = f"the upstream answered {answer.error.type or 'an error'}"
        reply = Reply(
            model=answer.model,
            stop_reason=answer.stop_reason or None,
            output=answer.text,
            input_tokens=answer.usage.input_tokens,
            output_tokens=answer.usage.output_tokens,
            cache_read_tokens=answer.usage.cache_read_tokens,
            cache_write_tokens=answer.usage.cache_write_tokens,
            tools=tuple(
                ToolCall(
                    id=use.id,
                    name=use.name,
                    input=use.input_text.encode("utf-8", "surrogatepass"),
                )
                for use in answer.tool_uses
            ),
        )
        return reply, coverage

    @property
    def content(self) -> ContentStream | None:
        """Where the bytes were kept."""
        return self._content
