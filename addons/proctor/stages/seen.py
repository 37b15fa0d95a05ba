"""What rules could see of a request, as the record may hold it.

The flow holds what may be seen once redaction is done, so everything is taken from there, or from
the action where nothing was taken out of the request.
"""

import re
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from typing import Final

from mitmproxy import http

from proctor.model import LlmFields
from proctor.protocols.anthropic.request import MessagesRequest
from proctor.record import Seen
from proctor.redaction.screen import NAMING
from proctor.stages.exchange import Exchange, names
from proctor.stages.inspection import COUNTING, class_of
from proctor.stages.search import ordinary

_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]{1,60}")
_SECRET: Final = re.compile(
    r"auth|cookie|credential|csrf|key|otp|passw|secret|session|sig|token|websocket|xsrf"
)
"""In names of headers that hold a credential, or could: no detector tells all of them by value."""


def seen_of(
    flow: http.HTTPFlow,
    exchange: Exchange,
    *,
    looked: Collection[str] | None,
    cut: bool = False,
    message: MessagesRequest | None = None,
) -> Seen | None:
    """What may be kept of what rules saw; None where they saw nothing.

    Args:
        flow: Redacted.
        exchange: As it was judged.
        looked: Headers that were looked at; None where nobody looks: what could be a credential
            under a name of its own is then left out. What is called like one always is.
        cut: Something was taken out.
        message: The redacted request to the model, where it is one.
    """
    if not exchange.actions:
        return None
    action = exchange.actions[0]
    fields, llm = action.http, action.llm
    if fields is None:
        return None
    headers = names(flow.request.data.headers.fields) if cut else fields.headers
    message = message or exchange.message
    plain = not cut
    return Seen(
        size=action.size,
        headers={name: value if _shown(name, looked) else None for name, value in headers.items()},
        content_type=fields.content_type if _kept_type(fields.content_type) else None,
        operation=fields.operation if plain or not fields.operation else None,
        violations=fields.violations if plain or not fields.violations else None,
        credential=fields.credential,
        llm=_said(llm, message, flow.request) if llm and cut else llm,
        server=action.mcp.server if action.mcp else "",
        folder=message.folder if message else "",
        cut=cut,
    )


def _shown(name: str, looked: Collection[str] | None) -> bool:
    told = ordinary(name) if looked is None else name in looked
    return told and (name in NAMING or not _secret(name))


@lru_cache(maxsize=1024)
def _secret(name: str) -> bool:
    return bool(_SECRET.search(name))


def _kept_type(content_type: str) -> bool:
    return not content_type or bool(_TYPE.fullmatch(content_type))


def _said(
    llm: LlmFields, message: MessagesRequest | None, request: http.Request
) -> LlmFields | None:
    """The same of the redacted request."""
    if message is None:
        return None
    name = llm.request_class
    return replace(
        llm,
        model=message.model,
        tools=message.tools,
        features=message.features,
        request_class=name if name == COUNTING else class_of(request),
    )
