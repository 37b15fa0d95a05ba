"""Where a body is cut for storage, so that what is sent again is stored once.

Each turn brings the whole conversation, yet seldom the same bytes: clients move the marker of their
prompt cache (`cache_control`) to the last messages, and write a message of one text as a block
while it bears a marker, as a plain string later. The cuts stand where such changes begin and end.
They are about storage only: whatever they are, the parts make the body.
"""

import re
from typing import Final

# Where clients put the marker of their prompt cache: last in an element's last block, before what
# closes the element, `}]}` for a message and `}` for a tool.
_MARKER: Final = re.compile(rb',\s*"cache_control"\s*:\s*\{[^{}]*\}\s*\Z')
_MARKER_SIZE: Final = 128
_CLOSING: Final = re.compile(rb'\}\s*\](?:\s*,\s*"role"\s*:\s*"[a-z]+")?\s*\}\Z')
_CLOSING_SIZE: Final = 64
# A message of one text is sent as a block while it bears a marker, as a plain string later.
_PLAIN: Final = re.compile(rb'"content"\s*:\s*"')
_BLOCK: Final = re.compile(rb'"text"\s*:\s*"')
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_LONG: Final = 1024


def text_cuts(content: object, raw: bytes) -> tuple[int, ...]:
    """Around the one long text that may be all of a message, which then is shared in both forms."""
    if len(raw) < _LONG:
        return ()
    match content:
        case str():
            name = _PLAIN.search(raw)
        case [{"type": "text"}]:
            name = _BLOCK.search(raw)
        case _:
            return ()
    text = _STRING.match(raw, name.end() - 1) if name else None
    return text.span() if text and len(text[0]) >= _LONG else ()


def element_cuts(raw: bytes) -> tuple[int, ...]:
    """Before what closes the element, and around a cache marker that stands there.

    The closing goes with the next element, so that a marker comes and goes as a block of its own
    and each element is still one block, numbered in order.
    """
    last = len(raw) - 1
    brace = raw.rfind(b"}", max(0, last - _CLOSING_SIZE), last)
    closing = brace if brace >= 0 and _CLOSING.match(raw, brace) else last
    before = max(0, closing - _MARKER_SIZE)
    if raw.find(b"cache_control", before, closing) >= 0:
        marker = _MARKER.search(raw, before, closing)
        if marker:
            return (marker.start(), closing)
    return (closing,)
