"""What git servers say to whoever runs git: read for signs, and kept, while it passes."""

import json
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from mitmproxy import http

from proctor.errors import ProctorError
from proctor.model import Finding
from proctor.protocols.git.routes import RECEIVE, GitRoute, content_type
from proctor.protocols.git.said import PushSaid, Said
from proctor.redaction.handling import Rewritten
from proctor.redaction.model import Method
from proctor.stages.exchange import Exchange
from proctor.stages.gitanswer import GitAnswer

if TYPE_CHECKING:
    from proctor.stages.suite import Suite


class Hearing:
    """Hands what is said to whoever looks for signs of prompt injection, and to the record.

    Args:
        suite: All the stages.
        exchange: Which gets what looks.
        said: What comes.
    """

    def __init__(self, suite: "Suite", exchange: Exchange, said: Said) -> None:
        self._suite = suite
        self._exchange = exchange
        self._said = said
        exchange.arriving = self._watch = suite.arrivals.listen(exchange, "text/plain")

    def heard(self) -> None:
        """Something may have come."""
        if new := self._said.take():
            self._watch.feed(new)

    def summary(self, more: Mapping[str, object]) -> tuple[bytes, tuple[Finding, ...]]:
        """What is kept, redacted, and what was found in it; the client gets it as it is.

        Args:
            more: What else is kept.
        """
        said = {"said": self._said.text, "said_bytes": self._said.size} if self._said.size else {}
        exchange, screen = self._exchange, self._suite.screen(self._exchange.listener)
        whole = json.dumps({**more, **said}).encode()
        if not said or screen is None or exchange.principal is None or exchange.ruling is None:
            return whole, ()
        answering = screen.answer(
            content_type="application/json",
            encoding="",
            redact=exchange.ruling.redact,
            principal=exchange.principal,
            session=exchange.session,
            judge=None,
        )
        try:
            answering.body(whole)
            kept = answering.result().record
        except ProctorError:
            kept = json.dumps({**more, "said_bytes": self._said.size}).encode()
        passed = (replace(found, action=Method.DETECT.value) for found in answering.findings)
        return kept, tuple(passed)


class PushAnswer(GitAnswer):
    """The answer to a push: it passes as it comes.

    Args:
        suite: All the stages.
        exchange: The push.
        side_band: The client asked for bands.
        encoding: Of the answer.
    """

    def __init__(
        self, suite: "Suite", exchange: Exchange, encoding: str, *, side_band: bool
    ) -> None:
        super().__init__(encoding)
        self._read = PushSaid(side_band=side_band)
        self._hearing = Hearing(suite, exchange, self._read.said)

    def feed(self, data: bytes) -> Rewritten:
        """Take the next bytes."""
        self._read.feed(data)
        self._hearing.heard()
        return Rewritten(data)

    def finish(self) -> Rewritten:
        """No more bytes come."""
        self._read.finish()
        self._hearing.heard()
        kept, self.findings = self._hearing.summary({})
        return Rewritten(b"", kept)


def push_answer(suite: "Suite", flow: http.HTTPFlow, exchange: Exchange) -> PushAnswer | None:
    """What reads the answer to a push; None for every other, and where it is none of git's."""
    git, response = exchange.git, flow.response
    if git is None or git.asked.route is not GitRoute.PUSH or response is None:
        return None
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code != HTTPStatus.OK or kind != content_type(RECEIVE, "result"):
        return None
    encoding = response.headers.get("content-encoding", "")
    return PushAnswer(
        suite, exchange, encoding, side_band=git.push is not None and git.push.side_band
    )
