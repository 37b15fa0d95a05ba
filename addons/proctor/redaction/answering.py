"""One answer on its way back: how it is looked at, and what came of it."""

import re
from collections.abc import Callable
from typing import Final, Protocol

from proctor.errors import ProctorError
from proctor.model import Finding
from proctor.protocols.anthropic.rewrite import AnswerRewriter
from proctor.protocols.anthropic.rewritejson import rewrite_json
from proctor.record import Receipt
from proctor.redaction.answers import Answer
from proctor.redaction.cutting import MEDIA
from proctor.redaction.handling import Rewritten
from proctor.redaction.lines import BodyStream
from proctor.redaction.model import RedactionError
from proctor.redaction.structure.body import read_body
from proctor.redaction.structure.headers import read_headers
from proctor.redaction.structure.media import is_binary, parse_media

_STREAMS: Final = re.compile(
    r"text/(?:event-stream|plain)|application/(?:(?:x-)?ndjson|(?:x-)?jsonl(?:ines)?|json-seq"
    r"|stream\+json|octet-stream)|(?:image|audio|video|font)/.*|"
)


class _Rewriter(Protocol):
    def feed(self, data: bytes) -> Rewritten:
        """Take the next bytes."""
        ...

    def finish(self) -> Rewritten:
        """What was held back."""
        ...

    def broken(self, error: ProctorError) -> bytes | None:
        """How the client is told."""
        ...


class Answering:
    """Looks at one answer, streamed or whole.

    Args:
        answer: Does the work, and remembers what was found.
        content_type: Of the answer.
        encoding: Its `Content-Encoding`; what is fed is decoded.
        model: It is the model's answer to a request for one.
        media: Whether binaries pass.
        detectors: Names of the recognizers, for the receipt.
        clock: Monotonic, seconds.
    """

    def __init__(  # noqa: PLR0913 - what an answer is known by
        self,
        answer: Answer,
        *,
        content_type: str,
        encoding: str,
        model: bool,
        media: bool,
        detectors: tuple[str, ...],
        clock: Callable[[], float],
    ) -> None:
        kind = content_type.partition(";")[0].strip().lower()
        self.encoding = encoding
        self.whole = not _STREAMS.fullmatch(kind)
        """It is looked at once it is complete."""
        self._answer = answer
        self._content_type = content_type
        self._model = model and not kind.startswith("text/")  # a proxy on the way says HTML
        self._media = media
        self._detectors = detectors
        self._clock = clock
        self._seconds = 0.0
        self._failure = ""
        self._passed = 0
        self._rewriter: _Rewriter | None = None
        if model and kind == "text/event-stream":
            self._rewriter = AnswerRewriter(answer, clock=clock)

    def feed(self, data: bytes) -> Rewritten:
        """Take the next bytes of a stream.

        Raises:
            RedactionError: They cannot be looked at.
        """
        if not data:
            return Rewritten()
        if self._rewriter is None:
            self._rewriter = self._chosen(data)
        return self._timed(lambda: self._rewriter.feed(data) if self._rewriter else Rewritten())

    def finish(self) -> Rewritten:
        """The rest of a stream, at its end."""
        return self._timed(lambda: self._rewriter.finish() if self._rewriter else Rewritten())

    def broken(self, error: ProctorError) -> bytes | None:
        """How the client is told in the midst of a stream; None where it must be cut off."""
        self._failure = error.code
        return self._rewriter.broken(error) if self._rewriter else None

    def body(self, data: bytes) -> Rewritten:
        """A whole body.

        Raises:
            RedactionError: It cannot be looked at.
            RefusedError: Something in it blocks it.
            ClientError: It is no answer of the model's.
        """
        return self._timed(lambda: self._body(data))

    def header(self, name: bytes, value: bytes) -> bytes:
        """A header's value, changed.

        Raises:
            RedactionError: It cannot be looked at.
            RefusedError: Something in it blocks it.
        """
        named = name.decode("latin-1").lower()
        return self._answer.body(read_headers([(named, value)], [named])).record if value else value

    def failed(self, error: ProctorError) -> None:
        """It could not be looked at."""
        self._failure = error.code

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far."""
        return tuple(self._answer.findings.values())

    @property
    def receipt(self) -> Receipt:
        """How much was looked at so far."""
        skipped = dict(self._answer.skipped)
        if self._passed:
            skipped["binary"] = skipped.get("binary", 0) + self._passed
        return Receipt(
            looked=self._answer.looked,
            skipped=tuple(sorted(skipped.items())),
            detectors=self._detectors,
            seconds=self._seconds,
            failure=self._failure,
        )

    def _body(self, data: bytes) -> Rewritten:
        if self._model:
            return rewrite_json(data, self._answer)
        return self._answer.body(read_body(data, self._content_type))

    def _chosen(self, first: bytes) -> _Rewriter:
        """By its first bytes: what is called an image and is none is text."""
        if is_binary(first, parse_media(self._content_type)):
            self._take_media()
            return _Untouched(self)
        return BodyStream(self._answer, self._content_type)

    def _take_media(self) -> None:
        if not self._media:
            raise RedactionError(
                "redaction-media",
                "Images and other binaries cannot be looked at, and this listener takes none",
                expected="text, or redaction.media: pass",
            )

    def _timed(self, work: Callable[[], Rewritten]) -> Rewritten:
        start = self._clock()
        try:
            out = work()
        finally:
            self._seconds += self._clock() - start
        if not MEDIA.isdisjoint(self._answer.skipped):
            self._take_media()
        return out

    def pass_on(self, size: int) -> None:
        """Count bytes that were not looked at."""
        self._passed += size


class _Untouched:
    """Passes a body that is not looked at, and counts it."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    def feed(self, data: bytes) -> Rewritten:
        self._answering.pass_on(len(data))
        return Rewritten(data, data)

    def finish(self) -> Rewritten:
        return Rewritten()

    def broken(self, _error: ProctorError) -> None:
        """Nothing is said in the midst of a binary."""
