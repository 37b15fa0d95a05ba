"""An answer that begins while its request still waits, so that the client hears of that.

Belongs to mitm.py. The head that was sent then stands; what comes for it later is fitted to it.
"""

from collections.abc import Iterator

from mitmproxy.proxy.layers.http import (
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._base import HttpEvent
from mitmproxy.proxy.layers.http._events import ErrorCode

from proctor.runtime.door import Refusal


class Beginning:
    """One such answer.

    Args:
        said: How it began.
    """

    def __init__(self, said: Refusal) -> None:
        self._type = _type(said)
        self._foreign = False

    def rest(self, event: HttpEvent, words: Refusal | None) -> Iterator[HttpEvent]:
        """What of an event still goes to the client.

        Args:
            event: Meant for it.
            words: What it is told where its exchange was stopped.
        """
        stream_id = event.stream_id
        match event:
            case ResponseHeaders():
                kind = event.response.headers.get("content-type", "")
                # Another kind of answer would be read as what began.
                self._foreign = event.response.status_code != 200 or kind != self._type  # noqa: PLR2004
            case ResponseData():
                if not self._foreign:
                    yield event
            case ResponseEndOfMessage():
                if self._foreign:
                    yield _broken(stream_id)
                else:
                    yield event
            case ResponseProtocolError():
                if words and _type(words) == self._type:
                    yield ResponseData(stream_id, words.body)
                    yield ResponseEndOfMessage(stream_id)
                else:
                    yield event
            case _:
                yield event


def _broken(stream_id: int) -> ResponseProtocolError:
    text = "The upstream answered with something else."
    return ResponseProtocolError(stream_id, text, ErrorCode.GENERIC_SERVER_ERROR)


def _type(said: Refusal) -> str:
    return next((v.decode() for n, v in said.headers if n.lower() == b"content-type"), "")
