"""How issuers are asked: HTTPS with limits on size and time, no proxy and no redirects."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote_plus

import certifi
import httpx

_TOTAL = 10.0
_STEP = 5.0


class FetchError(Exception):
    """No answer within the limits. The text says why, and nothing of what was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An issuer's answer."""

    status: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What is posted to an issuer, in a client's name (RFC 6749, 2.3.1).

    Without a secret the client does not authenticate, and `fields` say who it is (RFC 6749, 3.2.1).
    """

    fields: Mapping[str, str] = field(repr=False)
    client_id: str
    client_secret: str | None = field(default=None, repr=False)


class Fetch(Protocol):
    """Asks an issuer something."""

    async def __call__(
        self, url: str, *, limit: int, ca: Path | None = None, form: Form | None = None
    ) -> Reply:
        """GET `url`, or POST `form` to it.

        Args:
            url: Where.
            limit: Most bytes of an answer.
            ca: The only CA to be trusted; None for the usual ones.
            form: What to post.

        Raises:
            FetchError: No answer, or one that is too large.
        """
        ...


class HttpFetch:
    """Fetch over httpx; connections are kept for the next question."""

    def __init__(self, *, total: float = _TOTAL, step: float = _STEP) -> None:
        """No connection is made yet.

        Args:
            total: Seconds for a whole answer.
            step: Seconds for each of connecting, sending and receiving.
        """
        self._total = total
        self._step = step
        self._clients: dict[Path | None, httpx.AsyncClient] = {}

    async def __call__(
        self, url: str, *, limit: int, ca: Path | None = None, form: Form | None = None
    ) -> Reply:
        """See Fetch."""
        return await self._within(url, limit, ca, form, None)

    async def bearer(self, url: str, token: str, *, limit: int, ca: Path | None = None) -> Reply:
        """GET `url` with an access token (RFC 6750, 2.1); see Fetch."""
        return await self._within(url, limit, ca, None, token)

    async def close(self) -> None:
        """Close all connections."""
        clients = list(self._clients.values())
        self._clients.clear()
        for client in clients:
            await client.aclose()

    async def _within(
        self, url: str, limit: int, ca: Path | None, form: Form | None, token: str | None
    ) -> Reply:
        try:
            async with asyncio.timeout(self._total):
                return await self._ask(self._client(ca), url, limit, form, token)
        except TimeoutError:
            raise FetchError(f"no whole answer within {self._total:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            # Its text may hold what was sent; its type says enough. ValueError: no name of a host.
            raise FetchError(f"{type(error).__name__}{_cause(error)}") from None

    async def _ask(
        self,
        client: httpx.AsyncClient,
        url: str,
        limit: int,
        form: Form | None,
        token: str | None,
    ) -> Reply:
        # Not compressed: a small answer must not become a large one.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if form is None:
            request = client.build_request("GET", url, headers=headers)
        else:
            request = client.build_request("POST", url, headers=headers, data=dict(form.fields))
        auth = None
        if form is not None and form.client_secret is not None:
            # RFC 6749, 2.3.1: both halves are form-encoded before they are joined.
            auth = httpx.BasicAuth(quote_plus(form.client_id), quote_plus(form.client_secret))
        response = await client.send(request, auth=auth, stream=True)
        try:
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise FetchError("a compressed answer, which was not asked for")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > limit:
                    raise FetchError(f"an answer of more than {limit} bytes")
            return Reply(status=response.status_code, body=bytes(body))
        finally:
            await response.aclose()

    def _client(self, ca: Path | None) -> httpx.AsyncClient:
        client = self._clients.get(ca)
        if client is None:
            try:
                verify = ssl.create_default_context(cafile=ca or certifi.where())
            except (OSError, ssl.SSLError):
                raise FetchError("a CA file that cannot be read") from None
            client = httpx.AsyncClient(
                verify=verify,
                trust_env=False,  # the host's HTTP_PROXY and .netrc are none of ours
                follow_redirects=False,  # another address is another issuer
                timeout=self._step,
            )
            self._clients[ca] = client
        return client


def _cause(error: Exception) -> str:
    text = str(error)
    for known in ("CERTIFICATE_VERIFY_FAILED", "Name or service not known", "refused"):
        if known in text:
            return f" ({known.replace('_', ' ').lower()})"
    return ""
