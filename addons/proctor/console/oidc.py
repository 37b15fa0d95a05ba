"""The console as a client of its issuer: OpenID Connect Core 1.0, 3.1, with PKCE (RFC 7636, S256).

Authlib words the requests and reads the issuer's answer; they travel by `identity.fetch`, whose
limits Authlib's own client does not have, and the ID token is verified as strictly as any other.
Nothing the issuer gives is kept: neither ID, access nor refresh token.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode

from authlib.common.security import generate_token  # type: ignore[import-untyped]  # no types
from authlib.oauth2.client import OAuth2Client  # type: ignore[import-untyped]  # no types
from authlib.oauth2.rfc6749.parameters import (  # type: ignore[import-untyped]  # no types
    prepare_token_request,
)

from proctor.approval.model import Reviewer, Via
from proctor.console.house import House
from proctor.console.idtoken import Expected, verify
from proctor.errors import UpstreamError
from proctor.identity.fetch import Fetch, FetchError, Form, Reply
from proctor.identity.groups import groups, human, lookup
from proctor.identity.introspection import Secret
from proctor.identity.jose import strict_object
from proctor.identity.jwks import RemoteKeys
from proctor.identity.metadata import addresses, ask, is_secure, parse_metadata
from proctor.identity.refreshed import Refreshed, Timing
from proctor.identity.refusals import refuse, shown, unreachable, unusable
from proctor.settings import IssuerSettings

_MAX_DOCUMENT = 256 * 1024
_MAX_ANSWER = 128 * 1024
_MAX_NAME = 200
_OK = 200
_CLIENT_FAULT = (400, 401, 403)


class Asks(Fetch, Protocol):
    """A Fetch that also shows an access token; `HttpFetch` is one."""

    async def bearer(self, url: str, token: str, *, limit: int, ca: Any = None) -> Reply:
        """GET `url` with an access token; see Fetch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where the issuer does what (OpenID Connect Discovery 1.0, 3)."""

    authorization: str
    token: str
    userinfo: str | None
    end_session: str | None
    by_post: bool
    names_itself: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One sign-in under way; only its browser may finish it.

    Attributes:
        state: RFC 6749, 4.1.1.
        nonce: Core 3.1.2.1.
        verifier: RFC 7636, 4.1.
        url: Where the browser goes.
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    url: str = field(repr=False)


class SignIn:
    """Signs people in at `console.issuer`."""

    def __init__(
        self,
        house: House,
        issuer: IssuerSettings,
        *,
        fetch: Asks,
        secret: Secret,
        monotonic: Callable[[], float],
    ) -> None:
        """Nothing is asked yet; `house.settings.client_id` is not None.

        Args:
            house: The console's.
            issuer: Whose people.
            fetch: Asks it.
            secret: Reads the client's secret.
            monotonic: Seconds that never step.
        """
        if house.settings.client_id is None:
            raise ValueError("no client_id")
        self._house = house
        self._issuer = issuer
        self._client_id = house.settings.client_id
        self._fetch = fetch
        self._secret = secret
        self._keys = RemoteKeys(issuer, fetch=fetch, monotonic=monotonic, timing=Timing())
        self._endpoints = Refreshed(
            self._discover, name=issuer.issuer, monotonic=monotonic, timing=Timing()
        )
        self.redirect_uri = f"{house.address}/login/callback"

    @property
    def issuer(self) -> str:
        """Its name."""
        return self._issuer.issuer

    async def begin(self, *, again: bool) -> Attempt:
        """The request that a browser takes to the issuer.

        Args:
            again: The person proves who they are once more, whatever the issuer remembers.

        Raises:
            UpstreamError: The issuer cannot be asked.
        """
        settings = self._house.settings
        endpoints = await self._endpoints.get()
        client = OAuth2Client(
            None,
            client_id=self._client_id,
            scope=" ".join(dict.fromkeys(("openid", "profile", *settings.scopes))),
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
        )
        state, nonce, verifier = generate_token(43), generate_token(43), generate_token(64)
        url, _ = client.create_authorization_url(
            endpoints.authorization,
            state=state,
            code_verifier=verifier,
            nonce=nonce,
            max_age=str(int(settings.max_age)),
            acr_values=" ".join(settings.acr) or None,
            prompt="login" if again else None,
        )
        return Attempt(state=state, nonce=nonce, verifier=verifier, url=url)

    async def finish(self, answer: Mapping[str, str], nonce: str, verifier: str) -> Reviewer:
        """Who signed in.

        Args:
            answer: What the browser brought back; its `state` has been checked.
            nonce: Of this attempt.
            verifier: Of this attempt.

        Raises:
            AuthenticationError: Nobody; `signin-too-old` where signing in once more helps.
            UpstreamError: The issuer cannot be asked, or answers what cannot be used.
            ConfigurationError: The client's secret cannot be read.
        """
        endpoints = await self._endpoints.get()
        code = self._code(answer, endpoints)
        tokens = await self._redeem(endpoints, code, verifier)
        settings = self._house.settings
        expected = Expected(
            client_id=self._client_id, nonce=nonce, max_age=settings.max_age, acr=settings.acr
        )
        now = self._house.clock().timestamp()
        claims = await verify(tokens.id_token, self._issuer, self._keys, expected, now)
        missing = [
            path
            for path in (self._issuer.groups, self._issuer.human)
            if path is not None and lookup(claims, path) is None
        ]
        if missing and endpoints.userinfo is not None and tokens.access_token:
            claims = {**await self._userinfo(endpoints.userinfo, tokens, claims["sub"]), **claims}
        return self._reviewer(claims)

    async def goodbye(self, after: str) -> str | None:
        """Where the browser ends its session at the issuer, too; None where it has no such place.

        OpenID Connect RP-Initiated Logout 1.0, 2.
        """
        try:
            found = (await self._endpoints.get()).end_session
        except UpstreamError:
            return None
        if found is None:
            return None
        asked = urlencode({"client_id": self._client_id, "post_logout_redirect_uri": after})
        return f"{found}{'&' if '?' in found else '?'}{asked}"

    async def close(self) -> None:
        """Stop what is under way."""
        await self._endpoints.close()
        await self._keys.close()

    def _code(self, answer: Mapping[str, str], endpoints: Endpoints) -> str:
        named = answer.get("iss")  # RFC 9207, 2.4: against answers of another issuer
        if named != self.issuer and (named is not None or endpoints.names_itself):
            raise refuse(
                "signin-issuer",
                "The answer to this sign-in is not the issuer's own",
                got=f"iss {shown(named)}",
                expected=shown(self.issuer),
            )
        if "error" in answer or not answer.get("code"):
            raise refuse(
                "signin-refused",
                "The issuer did not sign you in",
                got=shown(answer.get("error") or "no code"),
                expected="a code",
                hint="Sign in again; if it stays so, ask whoever runs the issuer.",
            )
        return answer["code"]

    async def _redeem(self, endpoints: Endpoints, code: str, verifier: str) -> "_Tokens":
        asked = prepare_token_request(
            "authorization_code",
            code=code,
            redirect_uri=self.redirect_uri,
            code_verifier=verifier,
        )
        fields = dict(parse_qsl(asked))
        source, secret = self._house.settings.client_secret, None
        if source is not None:
            secret = await self._secret(source)
        if secret is None or endpoints.by_post:
            fields["client_id"] = self._client_id
        if secret is not None and endpoints.by_post:
            fields["client_secret"], secret = secret, None
        form = Form(fields=fields, client_id=self._client_id, client_secret=secret)
        try:
            reply = await self._fetch(
                endpoints.token, limit=_MAX_ANSWER, ca=self._issuer.ca, form=form
            )
        except FetchError as error:
            raise unreachable(self.issuer, got=str(error)) from None
        return self._tokens(reply)

    def _tokens(self, reply: Reply) -> "_Tokens":
        if reply.status in _CLIENT_FAULT:  # RFC 6749, 5.2
            raise refuse(
                "signin-refused",
                "The issuer does not take the code of this sign-in",
                got=f"status {reply.status}, error {shown(_error(reply))}",
                expected="an ID token",
                hint="Sign in again; if it stays so, check `console` in proctor.yaml: client_id,"
                " client_secret, and the redirect address at the issuer.",
            )
        answer = self._object(reply, "the code of a sign-in")
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str):
            raise unusable(
                self.issuer,
                got="an answer without id_token",
                expected="id_token",
                hint="The console's client must be allowed the scope openid.",
            )
        return _Tokens(
            id_token=id_token, access_token=access_token if isinstance(access_token, str) else ""
        )

    async def _userinfo(self, url: str, tokens: "_Tokens", subject: str) -> dict[str, Any]:
        token = tokens.access_token
        if not token.isascii() or not token.isprintable() or " " in token:
            raise unusable(self.issuer, got="an access token that is none", expected="RFC 6750")
        try:
            reply = await self._fetch.bearer(url, token, limit=_MAX_ANSWER, ca=self._issuer.ca)
        except FetchError as error:
            raise unreachable(self.issuer, got=str(error)) from None
        found = self._object(reply, "its userinfo")
        if found.get("sub") != subject:  # Core 5.3.4: or it must not be used
            raise unusable(self.issuer, got="userinfo of another person", expected="the same sub")
        return found

    def _object(self, reply: Reply, what: str) -> dict[str, Any]:
        if reply.status != _OK:
            raise unreachable(self.issuer, got=f"status {reply.status} for {what}")
        try:
            return strict_object(reply.body)
        except ValueError as error:
            raise unusable(self.issuer, got=f"an answer with {error}", expected="JSON") from None

    def _reviewer(self, claims: Mapping[str, Any]) -> Reviewer:
        named = tuple(groups(claims, self._issuer.groups))
        words = (claims.get(name) for name in ("name", "preferred_username"))
        name = next((word for word in words if isinstance(word, str) and word.isprintable()), "")
        return Reviewer(
            issuer=self.issuer,
            subject=claims["sub"],
            human=human(claims, self._issuer.human),
            name=name[:_MAX_NAME] or claims["sub"],
            groups=named,
            roles=self._house.roles.of(named),
            signed_in_at=datetime.fromtimestamp(claims["auth_time"], UTC),
            via=Via.CONSOLE,
        )

    async def _discover(self) -> Endpoints:
        issuer = self.issuer
        status, raw = await ask(
            self._fetch,
            addresses(issuer)[0],
            issuer=issuer,
            ca=self._issuer.ca,
            limit=_MAX_DOCUMENT,
        )
        if status != _OK:
            raise unreachable(issuer, got=f"status {status} for its description")
        parse_metadata(raw, issuer)  # it is this issuer's own
        return read_endpoints(strict_object(raw), issuer)


def read_endpoints(document: Mapping[str, Any], issuer: str) -> Endpoints:
    """Where the issuer does what.

    Raises:
        UpstreamError: `issuer-invalid`: something is missing, or not https.
    """

    def address(name: str) -> str | None:
        value = document.get(name)
        if value is None or (isinstance(value, str) and is_secure(value, issuer)):
            return value
        raise unusable(issuer, got=f"a {name} that is not https", expected="https")

    authorization, token = address("authorization_endpoint"), address("token_endpoint")
    if authorization is None or token is None or "#" in authorization:
        raise unusable(
            issuer,
            got="a description without authorization_endpoint and token_endpoint",
            expected="both",
        )
    ways = document.get("token_endpoint_auth_methods_supported")
    return Endpoints(
        authorization=authorization,
        token=token,
        userinfo=address("userinfo_endpoint"),
        end_session=address("end_session_endpoint"),
        # Discovery 3: client_secret_basic where nothing is said.
        by_post=isinstance(ways, list)
        and "client_secret_post" in ways
        and "client_secret_basic" not in ways,
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tokens:
    id_token: str = field(repr=False)
    access_token: str = field(repr=False)


def _error(reply: Reply) -> object:
    try:
        return strict_object(reply.body).get("error")
    except ValueError:
        return None
