"""How notifiers are spoken to: HTTPS with limits on size and time, no proxy and no redirects.

An address may be a secret (Slack's and Teams' are). It stands in no error, and httpx, which logs
every request with its address, is made to log the origin only.
"""

import asyncio
import email.utils
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import certifi
import httpx
import orjson

from proctor import __version__
from proctor.errors import ConfigurationError
from proctor.units import parse_origin

SECONDS = 10.0
"""For a request and its answer."""

MOST_BYTES = 64 * 1024
"""Of an answer that is read."""

_STEP = 5.0
_LONGEST_PAUSE = 3600.0
_OK = range(200, 300)
# RFC 9110, 15.5: the message itself is at fault, so it will not be taken later either.
_FINAL = frozenset({400, 413, 415, 422})


@dataclass(slots=True, eq=False)
class DeliveryError(Exception):
    """A message was not taken.

    Attributes:
        code: Why, such as `status-503`; nothing of what was sent or answered.
        final: It will not be taken later either.
        after: The other side asks to wait so many seconds; None if it does not say.
    """

    code: str
    final: bool = False
    after: float | None = None

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back with a status from 200 to 299."""

    status: int
    body: bytes = field(default=b"", repr=False)

    def json(self) -> Any:
        """The body, parsed.

        Raises:
            DeliveryError: It is no JSON.
        """
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise DeliveryError("answer-unreadable") from None


class _OriginOnly(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                f"{arg.scheme}://{arg.netloc.decode('ascii')}"
                if isinstance(arg, httpx.URL)
                else arg
                for arg in record.args
            )
        return True


_ORIGIN_ONLY = _OriginOnly()


def make_client(trust: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """A client that keeps to what this file promises.

    Args:
        trust: Whose certificates are believed; None for the usual ones.
    """
    logging.getLogger("httpx").addFilter(_ORIGIN_ONLY)
    return httpx.AsyncClient(
        verify=trust or ssl.create_default_context(cafile=certifi.where()),
        trust_env=False,  # the host's HTTP_PROXY and .netrc are none of ours
        follow_redirects=False,
        timeout=_STEP,
    )


def checked_url(text: str, name: str) -> httpx.URL:
    """An address that messages may be sent to.

    Args:
        text: The address; never in the error.
        name: The notifier's.

    Raises:
        ConfigurationError: `wrong-value`.
    """
    scheme, _, rest = text.partition("://")
    authority = rest.partition("/")[0].partition("?")[0]
    try:
        origin = parse_origin(f"{scheme}://{authority}")
        if (origin.tls or origin.loopback) and not any(mark in text for mark in " #\\"):
            return httpx.URL(text)
    except (ValueError, httpx.InvalidURL):
        pass
    raise ConfigurationError(
        code="wrong-value",
        message=f"The url of the notification {name!r} cannot be used",
        got="something else",
        expected="an https URL (http on loopback only) without user or fragment",
    )


class Wire:
    """Sends requests, one client for all."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        clock: Callable[[], datetime],
        seconds: float = SECONDS,
    ) -> None:
        """No connection is made yet.

        Args:
            client: Such as `make_client` makes; closed by `close`.
            clock: The time, UTC.
            seconds: For a request and its answer.
        """
        self._client = client
        self._clock = clock
        self._seconds = seconds

    async def send(
        self,
        method: str,
        url: httpx.URL,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        read: bool = False,
    ) -> Answer:
        """Send one request.

        Args:
            method: Such as POST.
            url: Where to, as `checked_url` gave it.
            body: JSON, or None.
            headers: More headers.
            read: The answer's body is wanted; otherwise its status is enough.

        Raises:
            DeliveryError: No answer within the limits, or one that says no.
        """
        sent = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",  # a small answer must not become a large one
            "User-Agent": f"proctor/{__version__}",
            **({} if body is None else {"Content-Type": "application/json"}),
            **(headers or {}),
        }
        try:
            async with asyncio.timeout(self._seconds):
                request = self._client.build_request(method, url, content=body, headers=sent)
                return await self._ask(request, read=read)
        except TimeoutError:
            raise DeliveryError("timeout") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            # Its text may hold the address; its type says enough.
            raise DeliveryError(type(error).__name__) from None

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _ask(self, request: httpx.Request, *, read: bool) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            if response.status_code not in _OK:
                raise DeliveryError(
                    f"status-{response.status_code}",
                    final=response.status_code in _FINAL,
                    after=self._pause(response.headers.get("retry-after", "")),
                )
            body = bytearray()
            if read:
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise DeliveryError("answer-too-large")
            return Answer(status=response.status_code, body=bytes(body))
        finally:
            await response.aclose()

    def _pause(self, text: str) -> float | None:
        """Retry-After: seconds, or a date (RFC 9110, 10.2.3)."""
        if text.isascii() and text.isdigit():
            return min(float(text[:9]), _LONGEST_PAUSE)
        try:
            then = email.utils.parsedate_to_datetime(text)
        except ValueError:
            return None
        if then.tzinfo is None:  # "-0000"; HTTP knows GMT only
            then = then.replace(tzinfo=UTC)
        seconds = (then - self._clock()).total_seconds()
        return min(max(seconds, 0.0), _LONGEST_PAUSE)
