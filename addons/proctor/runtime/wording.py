"""What is told of a failure on the wire: in our words, and never what the other side sent."""

import re
from typing import Final

from mitmproxy.proxy.layers.http._events import ErrorCode

MESSAGES: Final = {
    ErrorCode.REQUEST_TOO_LARGE: "The request is larger than limits.body in proctor.yaml allows.",
    ErrorCode.RESPONSE_TOO_LARGE: "The answer is larger than limits.body in proctor.yaml allows.",
    ErrorCode.REQUEST_VALIDATION_FAILED: "The request could be read in two ways (RFC 9112 6.3).",
    ErrorCode.RESPONSE_VALIDATION_FAILED: "The answer could be read in two ways (RFC 9112 6.3).",
}
"""mitmproxy's words are for people who run mitmproxy."""

# Where a library quotes what it got, as Python writes text or bytes; not an apostrophe.
_QUOTED: Final = re.compile(r"[\s:({\[]*(?<![A-Za-z])b?['\"].*", re.DOTALL)


def told(message: str) -> str:
    """A library's message up to where it quotes the other side: nobody looked at that."""
    return _QUOTED.sub("", message, count=1)
