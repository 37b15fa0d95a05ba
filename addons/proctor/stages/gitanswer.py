"""Answers of git servers, as the stages on the way back ask for them."""

from collections.abc import Callable
from typing import Final

from proctor.errors import ClientError, ProctorError, UpstreamError
from proctor.model import Finding
from proctor.record import Receipt
from proctor.redaction.handling import Rewritten

MOST: Final = 64 * 2**20
"""Bytes of an answer without a pack."""


class GitAnswer:
    """What is common to them: nothing of them is redacted, since a changed pack would be none.

    Attributes:
        whole: Whether it is looked at as a whole.
        late: Its head waits, too.
        encoding: Its `Content-Encoding`.
        findings: What was found in it.
        receipt: None: it is no text.
    """

    whole = False
    late = False

    def __init__(self, encoding: str = "") -> None:
        self.encoding = encoding
        self.findings: tuple[Finding, ...] = ()
        self.receipt: Receipt | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return True

    @property
    def more(self) -> bool:
        """Whether `released` has more to give at once."""
        return False

    def released(self) -> Rewritten:
        """What may go on by now."""
        return Rewritten()

    def ping(self) -> bytes:
        """What keeps a waiting client patient."""
        return b""

    def broken(self, error: ProctorError) -> bytes | None:  # noqa: ARG002 - as others have it
        """How the client is told; None: it is cut off."""
        return None

    def feed(self, data: bytes) -> Rewritten:
        """Take the next bytes."""
        raise NotImplementedError

    def finish(self) -> Rewritten:
        """No more bytes come."""
        raise NotImplementedError


class Collected(GitAnswer):
    """An answer that is small, and is changed before it goes on.

    Args:
        change: Makes what the client gets; ClientError where it cannot be read.
        encoding: As above.
        record: What is kept; None for what the client gets.
    """

    def __init__(
        self,
        change: Callable[[bytes], bytes],
        encoding: str = "",
        *,
        record: bytes | None = None,
    ) -> None:
        super().__init__(encoding)
        self._record = record
        self._change = change
        self._body = bytearray()

    def feed(self, data: bytes) -> Rewritten:
        """Take the next bytes.

        Raises:
            UpstreamError: `git-answer`: too many.
        """
        self._body += data
        if len(self._body) > MOST:
            raise UpstreamError(
                "git-answer",
                "The git server's answer cannot be read",
                expected=f"at most {MOST} bytes",
            )
        return Rewritten()

    def finish(self) -> Rewritten:
        """All of it, changed.

        Raises:
            UpstreamError: `git-answer`: it cannot be read.
        """
        try:
            body = self._change(bytes(self._body))
        except ClientError as error:
            raise UpstreamError(
                "git-answer", "The git server's answer cannot be read", got=error.got
            ) from None
        return Rewritten(body, body if self._record is None else self._record)
