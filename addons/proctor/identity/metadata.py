"""An issuer's own description: OIDC Discovery 1.0, and RFC 8414 where that is not served."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from proctor.errors import UpstreamError
from proctor.identity.fetch import Fetch, FetchError
from proctor.identity.jose import strict_object
from proctor.identity.refusals import shown, unreachable, unusable
from proctor.units import is_loopback

_MAX_DOCUMENT = 256 * 1024
_OK = 200
_MISSING = (400, 403, 404, 405)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Where an issuer answers what."""

    jwks_uri: str | None
    introspection_endpoint: str | None


def is_secure(url: str, issuer: str) -> bool:
    """Whether a URL may be asked on an issuer's behalf.

    https always; http only where the issuer itself is http on loopback, so that no document from
    outside can point at what listens on this machine.
    """
    try:
        parts, own = urlsplit(url), urlsplit(issuer)
        host, own_host, _ = parts.hostname or "", own.hostname or "", (parts.port, own.port)
    except ValueError:
        return False
    if not url.isascii() or not url.isprintable() or not host or "@" in parts.netloc:
        return False
    if parts.scheme == "https":
        return True
    local = own.scheme == "http" and is_loopback(own_host)
    return parts.scheme == "http" and is_loopback(host) and local


def addresses(issuer: str) -> tuple[str, str]:
    """Where the description is: OIDC Discovery 4.1 appends, RFC 8414, 3.1 inserts."""
    base = issuer.rstrip("/")
    parts = urlsplit(base)
    return (
        f"{base}/.well-known/openid-configuration",
        f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path}",
    )


def parse_metadata(raw: bytes, issuer: str) -> Metadata:
    """Read a description.

    Raises:
        UpstreamError: `issuer-invalid`: it is no JSON object, is another issuer's, or names an
            address that must not be asked.
    """
    try:
        document = strict_object(raw)
    except ValueError as error:
        raise unusable(issuer, got=f"a description with {error}", expected="JSON") from None
    # OIDC Discovery 4.3, RFC 8414, 3.3: identical, or the document must not be used.
    if document.get("issuer") != issuer:
        raise unusable(
            issuer,
            got=f"a description of {shown(document.get('issuer'))}",
            expected=f'"{issuer}", exactly',
            hint="Write `issuer` in proctor.yaml as the issuer itself writes it, to the last /.",
        )
    return Metadata(
        jwks_uri=_address(document.get("jwks_uri"), issuer, "jwks_uri"),
        introspection_endpoint=_address(
            document.get("introspection_endpoint"), issuer, "introspection_endpoint"
        ),
    )


async def discover(fetch: Fetch, issuer: str, ca: Path | None) -> Metadata:
    """Ask an issuer for its description.

    Raises:
        UpstreamError: `issuer-unreachable` or `issuer-invalid`.
    """
    status = 0
    for url in addresses(issuer):
        status, body = await ask(fetch, url, issuer=issuer, ca=ca, limit=_MAX_DOCUMENT)
        if status == _OK:
            return parse_metadata(body, issuer)
        if status not in _MISSING:
            break
    raise unreachable(
        issuer,
        got=f"status {status} for its description",
        hint="Check `issuer` in proctor.yaml, or name the keys' address as `jwks_uri`.",
    )


async def ask(
    fetch: Fetch, url: str, *, issuer: str, ca: Path | None, limit: int
) -> tuple[int, bytes]:
    """GET `url` on an issuer's behalf.

    Raises:
        UpstreamError: `issuer-unreachable`.
    """
    try:
        reply = await fetch(url, ca=ca, limit=limit)
    except FetchError as error:
        raise unreachable(issuer, got=str(error)) from None
    return reply.status, reply.body


def _address(value: object, issuer: str, name: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and is_secure(value, issuer):
        return value
    raise _insecure(issuer, name)


def _insecure(issuer: str, name: str) -> UpstreamError:
    return unusable(issuer, got=f"a {name} that is not https", expected="https")
