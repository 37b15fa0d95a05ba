"""One answer on its way back: how it is looked at, and what came of it."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, Protocol

from proctor.errors import InternalError, ProctorError
from proctor.model import Finding
from proctor.protocols.anthropic.calls import Judge
from proctor.protocols.anthropic.rewrite import AnswerRewriter
from proctor.protocols.anthropic.rewritejson import JsonRewriter
from proctor.record import Receipt
from proctor.redaction.cutting import MEDIA
from proctor.redaction.handling import Handling, Rewritten
from proctor.redaction.lines import BodyStream
from proctor.redaction.model import Document, RedactionError
from proctor.redaction.structure.body import read_body
from proctor.redaction.structure.headers import read_headers
from proctor.redaction.structure.media import is_binary, parse_media

_STREAMS: Final = re.compile(
    r"text/(?:event-stream|plain)|application/(?:(?:x-)?ndjson|(?:x-)?jsonl(?:ines)?|json-seq"
    r"|stream\+json|octet-stream)|(?:image|audio|video|font)/.*|"
    # Packages and repositories, which may be larger than what is kept in memory.
    r"|binary/octet-stream|.*\+(?:zip|gzip|zstd)|application/(?:x-git-.*|(?:x-)?(?:zip|gzip|g?tar"
    r"|bzip2?|xz|zstd|7z-compressed|compressed(?:-tar)?|rpm|deb|executable|msdownload"
    r"|iso9660-image|apple-diskimage|redhat-package-manager)|java-archive|wasm|pdf"
    r"|vnd\.(?:debian\.binary-package|android\.package-archive|git-lfs"
    r"|docker\.image\.rootfs\..*|oci\.image\.layer\..*))"
)
_ENOUGH: Final = 16
"""Bytes at its beginning by which a binary is told from text."""

_EVENTS: Final = "text/event-stream"
_JSON: Final = "application/json"


class Work(Handling, Protocol):
    """Does the work on one answer: `Answer`, or `Passing` where nothing is looked at.

    Attributes:
        findings: What was found, each once.
        looked: Characters that were looked at.
        skipped: Bytes that were not, by reason.
    """

    findings: dict[tuple[str, str, str], Finding]
    looked: int
    skipped: dict[str, int]

    def body(self, document: Document) -> Rewritten:
        """A whole document, redacted."""
        ...


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


class Messages(_Rewriter, Protocol):
    """Takes an answer apart into messages, some of which may wait for a human."""

    @property
    def waiting(self) -> tuple[Any, ...]:
        """What is not decided, in order."""
        ...

    @property
    def idle(self) -> bool:
        """Whether nothing is kept back."""
        ...

    def settle(self, number: int, outcome: Any) -> None:
        """Say what becomes of one that waits."""
        ...

    def released(self) -> Rewritten:
        """What may go now."""
        ...

    def ping(self) -> bytes:
        """What keeps a waiting client patient."""
        ...


class Answering:
    """Looks at one answer, streamed or whole, and has the tool calls in it judged.

    Args:
        answer: Does the work, and remembers what was found.
        content_type: Of the answer.
        encoding: Its `Content-Encoding`; what is fed is decoded.
        judge: Says what becomes of tool calls; None where it is no answer of the model's.
        media: Whether binaries pass.
        detectors: Names of the recognizers, for the receipt.
        clock: Monotonic, seconds.
        messages: Makes what takes the answer apart where that is neither one document nor the
            model's; given what looks at one message of it, JSON.
    """

    def __init__(  # noqa: PLR0913 - what an answer is known by
        self,
        answer: Work,
        *,
        content_type: str,
        encoding: str,
        judge: Judge | None,
        media: bool,
        detectors: tuple[str, ...],
        clock: Callable[[], float],
        messages: Callable[[Callable[[bytes], Rewritten]], Messages] | None = None,
    ) -> None:
        kind = content_type.partition(";")[0].strip().lower()
        self.encoding = encoding
        self.whole = not _STREAMS.fullmatch(kind)
        """It is looked at once it is complete."""
        self._answer = answer
        self._content_type = content_type
        self._judge = judge
        self._readable = judge is None or kind in (_EVENTS, _JSON)
        self._media = media
        self._detectors = detectors
        self._clock = clock
        self._seconds = 0.0
        self._failure = ""
        self._passed = 0
        self._first = b""
        self._rewriter: _Rewriter | None = None
        self._events: AnswerRewriter | Messages | None = None
        self._json: JsonRewriter | None = None
        self._out: Rewritten | None = None
        if judge and kind == _EVENTS:
            self._rewriter = self._events = AnswerRewriter(answer, judge, clock=clock)
        elif messages:
            self.whole = False
            self._rewriter = self._events = messages(self.message)
        # A proxy on the way says HTML; what it says is no answer of the model's.
        self._model = judge is not None and not kind.startswith("text/")

    def check(self, status: int) -> None:
        """See that the tool calls of a model's answer can be judged.

        Args:
            status: Of the answer; what is no success, no client takes for an answer.

        Raises:
            RedactionError: `answer-unknown`: it is neither JSON nor events.
        """
        if not self._readable and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise RedactionError(
                "answer-unknown",
                "The model's answer is of a kind whose tool calls cannot be judged",
                expected=f"Content-Type {_JSON} or {_EVENTS}",
            )

    def feed(self, data: bytes) -> Rewritten:
        """Take the next bytes of a stream.

        Raises:
            RedactionError: They cannot be looked at.
        """
        if not data:
            return Rewritten()
        if self._rewriter is None:
            data, self._first = self._first + data, b""
            if len(data) < _ENOUGH and not parse_media(self._content_type).textual:
                self._first = data
                return Rewritten()
            self._rewriter = self._chosen(data)
        return self._timed(lambda: self._rewriter.feed(data) if self._rewriter else Rewritten())

    def finish(self) -> Rewritten:
        """The rest of a stream, at its end."""
        first, self._first = self._first, b""
        if first:
            self._rewriter = self._chosen(first)
        return self._timed(
            lambda: (
                (self._rewriter.feed(first) if first else Rewritten()) + self._rewriter.finish()
                if self._rewriter
                else Rewritten()
            )
        )

    def broken(self, error: ProctorError) -> bytes | None:
        """How the client is told in the midst of a stream; None where it must be cut off."""
        self._failure = error.code
        return self._rewriter.broken(error) if self._rewriter else None

    def message(self, data: bytes) -> Rewritten:
        """One message of an answer, JSON, redacted."""
        return self._answer.body(read_body(data, _JSON))

    def body(self, data: bytes) -> None:
        """Take a whole body; this may be done in another thread. Then `ask`, then `result`.

        Raises:
            RedactionError: It cannot be looked at.
            RefusedError: Something in it blocks it.
            ClientError: It cannot be read.
        """
        self._timed(lambda: self._body(data))

    def ask(self) -> None:
        """Have the tool calls of a whole body judged.

        Raises:
            RedactionError: Too many wait for humans.
        """
        if self._json:
            self._json.ask()

    def result(self) -> Rewritten:
        """The whole body as it may go, once nothing waits.

        Raises:
            InternalError: `call-waits`: a tool call in it is not decided; `no-body`.
        """
        if self._json:
            return self._json.result()
        if self._out is None:
            raise InternalError("no-body", "An answer is to go on before it was looked at")
        return self._out

    @property
    def waiting(self) -> tuple[Any, ...]:
        """The tool calls, or questions, that are not decided, in order."""
        calls = self._events or self._json
        return calls.waiting if calls else ()

    @property
    def idle(self) -> bool:
        """Whether nothing of a stream is kept back for a tool call that waits."""
        return self._events is None or self._events.idle

    def settle(self, number: int, outcome: Any) -> None:
        """Say what becomes of a tool call, or question, that waits; `released` then has more.

        Raises:
            InternalError: `call-not-waiting`: there is none of this number, or it was decided.
        """
        calls = self._events or self._json
        if calls is None:
            raise InternalError("call-not-waiting", "A tool call was decided where there is none")
        calls.settle(number, outcome)

    def released(self) -> Rewritten:
        """What of a stream may go now."""
        return self._events.released() if self._events else Rewritten()

    def ping(self) -> bytes:
        """What keeps a waiting client patient; b"" where it need not, or heard something lately."""
        return self._events.ping() if self._events else b""

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
        if self._judge and self._model:
            self._json = JsonRewriter(data, self._answer, self._judge)
        else:
            self._out = self._answer.body(read_body(data, self._content_type))
        return Rewritten()

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
