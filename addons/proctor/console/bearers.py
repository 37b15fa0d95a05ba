"""Tokens of the issuer, for the console's own audience: how a program of a person's decides.

The agent's tokens have another audience, and prove nothing here. Neither does one that does not say
when its person last signed in: a machine's token never does.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from proctor.approval.model import Reviewer, Via
from proctor.console.house import House
from proctor.console.idtoken import read_acr, read_auth_time
from proctor.errors import AuthenticationError, ConfigurationError
from proctor.identity.authenticator import Authenticator
from proctor.identity.fetch import Fetch
from proctor.identity.jose import is_jws, load_object, parse_jws
from proctor.identity.local import FILE, LOCAL
from proctor.identity.refusals import refuse
from proctor.settings import IssuerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What a token says.

    Attributes:
        reviewer: Who.
        ends_at: The token's end, or the sign-in's if that is earlier.
    """

    reviewer: Reviewer
    ends_at: datetime


class Bearers:
    """Turns tokens of `console.issuer` into reviewers; under `--dev` those of `local`, too."""

    def __init__(self, house: House, *, fetch: Fetch) -> None:
        """Nothing is asked of anyone yet.

        Raises:
            ConfigurationError: An agent's token would be one for the console.
        """
        self._house = house
        issuers = []
        if house.issuer is not None and house.issuer.issuer != LOCAL:
            if house.issuer.audience == house.settings.audience:
                raise ConfigurationError(
                    code="console-audience",
                    message="An agent's token would be good for the console, too",
                    got=f"the same audience for the issuer {house.issuer.issuer}",
                    expected="another one under `console: audience`",
                )
            changed = {"audience": house.settings.audience, "introspection": None}
            issuers.append(house.issuer.model_copy(update=changed))
        if house.dev:
            issuers.append(IssuerSettings(issuer=LOCAL, audience=house.settings.audience))
        self._known = frozenset(settings.issuer for settings in issuers)
        self._authenticator = Authenticator(
            issuers,
            fetch=fetch,
            clock=lambda: house.clock().timestamp(),
            local_keys=house.state / FILE,
        )

    async def reviewer(self, token: str) -> Signed:
        """Who a token proves, and until when.

        Raises:
            AuthenticationError: Nobody who may decide anything.
            UpstreamError: The issuer's keys cannot be had.
        """
        claims = _claims(token)
        issuer = claims.get("iss")
        if issuer == LOCAL and not self._house.dev:
            raise refuse(
                "signin-local",
                "The local issuer decides nothing here: who can read its key can be anyone",
                got='a token of the issuer "local"',
                expected="a sign-in at `console.issuer`",
                hint="For trying proctor out, `proctor run --dev` lets it decide.",
            )
        if issuer not in self._known:
            raise refuse(
                "token-issuer",
                "The token is not from the issuer that people sign in with",
                got="another issuer, or none",
                expected=" or ".join(sorted(self._known)) or "`console.issuer` in proctor.yaml",
                hint="Run `proctor login`.",
            )
        try:
            principal = await self._authenticator.authenticate(token)
        except AuthenticationError as error:
            if error.code == "token-audience":
                raise _not_for_people(error.got, self._house.settings.audience) from None
            raise
        settings = self._house.settings
        leeway = self._house.issuer.leeway if self._house.issuer else 0.0
        if issuer == LOCAL:
            claims = {"auth_time": claims["iat"], **claims}
        else:
            read_acr(claims, settings.acr)
        signed_in_at = read_auth_time(
            claims, self._house.clock().timestamp(), max_age=settings.max_age, leeway=leeway
        )
        name = claims.get("name")
        last = min(principal.expires_at + leeway, signed_in_at + settings.max_age)
        return Signed(
            reviewer=Reviewer(
                issuer=principal.issuer,
                subject=principal.subject,
                human=principal.human,
                name=name if isinstance(name, str) and name.isprintable() else principal.subject,
                groups=principal.groups,
                roles=self._house.roles.of(principal.groups),
                signed_in_at=datetime.fromtimestamp(signed_in_at, UTC),
                via=Via.TOKEN,
            ),
            ends_at=datetime.fromtimestamp(last, UTC),
        )

    def holds(self, signed: Signed) -> bool:
        """Whether what was found before holds still."""
        return self._house.clock() < signed.ends_at

    async def close(self) -> None:
        """Stop what is under way."""
        await self._authenticator.close()


def _claims(token: str) -> dict[str, Any]:
    """What a token says of itself; believed only once `authenticate` has verified the same bytes.

    Raises:
        AuthenticationError: It cannot be read.
    """
    if not is_jws(token):
        raise refuse(
            "token-malformed",
            "The token cannot be read",
            got="an opaque token",
            expected="a signed JWT, or the token of `proctor login`",
        )
    return load_object(parse_jws(token).payload, "payload")


def _not_for_people(got: str, audience: str) -> AuthenticationError:
    return refuse(
        "token-audience",
        "The token is not for the console: an agent's token decides nothing",
        got=got,
        expected=f'"{audience}" alone',
        hint="Run `proctor login`, or ask the issuer for a token with this audience.",
    )
