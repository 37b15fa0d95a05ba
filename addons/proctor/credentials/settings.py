"""What `credentials` in proctor.yaml may say: what is put in, and where it comes from."""

import re
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from proctor.fields import (
    FilePath,
    HeaderName,
    Name,
    Scheme,
    SecretSource,
    SecureUrl,
    Settings,
    problem,
)

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - RFC 8693, 3


def _matching(pattern: str, expected: str) -> BeforeValidator:
    compiled = re.compile(pattern)

    def validate(value: object) -> object:
        if not isinstance(value, str) or compiled.fullmatch(value) is None:
            raise ValueError(expected)
        return value

    return BeforeValidator(validate)


# RFC 7617, 2: a colon would end it.
_BASIC_USER = re.compile(r"[!-9;-~]{1,256}")
_MAX_ROLE = 63  # bytes (PostgreSQL, Identifiers and Key Words)


def is_basic_user(name: str) -> bool:
    """Whether a name can stand in HTTP's Basic."""
    return _BASIC_USER.fullmatch(name) is not None


def is_role(name: str) -> bool:
    """Whether a name is whole to PostgreSQL, which would cut a longer one."""
    return 0 < len(name.encode()) <= _MAX_ROLE


def _grant(value: object) -> object:
    try:
        return Grant(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(" or ".join(Grant)) from None


class Kind(StrEnum):
    """What is put in; named for the key that says so."""

    HEADER = "header"
    QUERY = "query"
    BASIC = "user"
    CERTIFICATE = "cert"
    AWS = "aws"
    OAUTH = "oauth"


SINGLE = frozenset({Kind.HEADER, Kind.QUERY, Kind.BASIC})
"""Those whose secret is one text."""


class Grant(StrEnum):
    """How a token is got."""

    CLIENT_CREDENTIALS = "client_credentials"
    TOKEN_EXCHANGE = "token_exchange"  # noqa: S105 - a name


type QueryName = Annotated[
    str, _matching(r"[A-Za-z0-9._~-]{1,128}", "the name of a query parameter, such as api_key")
]
type UserName = Annotated[
    str, _matching(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,256}", "a user's name, without controls")
]
type AwsName = Annotated[
    str, _matching(r"[a-z0-9][a-z0-9-]{0,62}", "as AWS writes it, such as eu-central-1 or s3")
]
# RFC 6749, 3.3
type Scope = Annotated[str, _matching(r"[!#-\[\]-~]{1,256}", "a scope, without spaces and quotes")]
type TokenType = Annotated[
    str, _matching(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]{1,200}", f"a URI, such as {ACCESS_TOKEN}")
]
# RFC 8707, 2
type Resource = Annotated[
    str, _matching(r"[A-Za-z][A-Za-z0-9+.-]*:[!\"$-~]{1,500}", "a URI without fragment")
]
type GrantName = Annotated[Grant, BeforeValidator(_grant)]


class AwsSettings(Settings):
    """Requests are signed with AWS Signature Version 4.

    Attributes:
        region: Such as `eu-central-1`.
        service: As in the scope of a signature, such as `execute-api` or `s3`.
        access_key: Its id.
        secret_key: What signs.
        session_token: Beside temporary keys.
    """

    region: AwsName
    service: AwsName
    access_key: SecretSource
    secret_key: SecretSource
    session_token: SecretSource | None = None


class OAuthSettings(Settings):
    """Tokens from an authorization server.

    Attributes:
        token_endpoint: Where tokens are asked for.
        client_id: Who proctor is there.
        client_secret: Its secret.
        client_auth: How it proves that (RFC 6749, 2.3.1; `private_key` is RFC 7523, 2.2).
        private_key: A PEM file; for `private_key` only.
        key_id: `kid` of that key, where the server asks for one.
        scopes: What is asked for.
        audience: For whom the token shall be (RFC 8693, 2.1).
        resource: Where it shall be used (RFC 8707, 2).
        grant: `client_credentials` (RFC 6749, 4.4), or `token_exchange` (RFC 8693): on behalf of
            the caller, whose own token is shown.
        subject_token_type: What the caller's token is said to be.
        requested_token_type: What is asked for; None leaves it to the server.
        ca: Certificates by which the server's TLS is trusted; None for the system's.
    """

    token_endpoint: SecureUrl
    client_id: str = Field(min_length=1, max_length=512)
    client_secret: SecretSource | None = None
    client_auth: Literal["basic", "post", "private_key"] = "basic"
    private_key: FilePath | None = None
    key_id: str | None = Field(default=None, min_length=1, max_length=256)
    scopes: tuple[Scope, ...] = ()
    audience: str | None = Field(default=None, min_length=1, max_length=512)
    resource: Resource | None = None
    grant: GrantName = Grant.CLIENT_CREDENTIALS
    subject_token_type: TokenType = ACCESS_TOKEN
    requested_token_type: TokenType | None = None
    ca: FilePath | None = None

    @model_validator(mode="after")
    def _client(self) -> Self:
        by_key = self.client_auth == "private_key"
        if by_key != (self.private_key is not None):
            raise problem(
                "wrong-value",
                "`client_auth: private_key` and `private_key` come together or not at all",
                key="client_auth" if by_key else "private_key",
            )
        if by_key and self.client_secret is not None:
            raise problem(
                "wrong-value",
                "The client proves itself by its key, and has no secret",
                key="client_secret",
            )
        if self.key_id is not None and not by_key:
            raise problem("wrong-value", "`key_id` names no key here", key="key_id")
        exchange = self.grant is Grant.TOKEN_EXCHANGE
        if not (exchange or by_key or self.client_secret):
            raise problem(
                "missing-key",
                "`client_secret` is missing: who asks in its own name has to prove it",
                key="client_secret",
            )
        if not exchange:
            for key in ("subject_token_type", "requested_token_type"):
                if key in self.model_fields_set:
                    raise problem(
                        "wrong-value", f"`{key}` is for `grant: token_exchange` only", key=key
                    )
        return self


_PARTNERS = {
    Kind.HEADER: "value",
    Kind.QUERY: "value",
    Kind.BASIC: "password",
    Kind.CERTIFICATE: "key",
}


class CredentialSettings(Settings):
    """A credential put in on the way to an upstream; of one kind.

    Attributes:
        name: As listeners call it.
        header: Lower case, such as `x-api-key` or `authorization`; with `value`.
        scheme: Stands before the value (RFC 9110, 11.4); `Bearer` where the header is
            `authorization`.
        query: Name of a query parameter; with `value`.
        value: Where the secret comes from.
        user: For HTTP's Basic (RFC 7617), or a role of PostgreSQL's; with `password`.
        password: Where that comes from.
        cert: A client's certificate for TLS, a PEM file; with `key`.
        key: Its key, a PEM file.
        aws: Requests are signed.
        oauth: Tokens are asked for.
    """

    name: Name
    header: HeaderName | None = None
    scheme: Scheme | None = None
    query: QueryName | None = None
    value: SecretSource | None = None
    user: UserName | None = None
    password: SecretSource | None = None
    cert: FilePath | None = None
    key: FilePath | None = None
    aws: AwsSettings | None = None
    oauth: OAuthSettings | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [kind for kind in Kind if getattr(self, kind.value) is not None]
        if len(kinds) > 1:
            named = " and ".join(f"`{kind.value}`" for kind in kinds)
            raise problem(
                "wrong-value",
                f"A credential is of one kind, and this one has {named}",
                key=kinds[1].value,
                hint="Make two of it, each with a name of its own.",
            )
        if not kinds:
            raise problem(
                "missing-key",
                "A credential says what is put in",
                expected="`header` and `value`, `query` and `value`, `user` and `password`, `cert`"
                " and `key`, `aws`, or `oauth`",
            )
        kind = kinds[0]
        partner = _PARTNERS.get(kind)
        if partner is not None and getattr(self, partner) is None:
            raise problem(
                "missing-key", f"`{partner}` is missing beside `{kind.value}`", key=partner
            )
        fits = {partner, "scheme"} if kind is Kind.HEADER else {partner}
        for key in ("scheme", "value", "password", "key"):
            if key not in fits and getattr(self, key) is not None:
                raise problem("wrong-value", f"`{key}` does nothing beside `{kind.value}`", key=key)
        return self

    @property
    def kind(self) -> Kind:
        """Which of the kinds it is."""
        return next(kind for kind in Kind if getattr(self, kind.value) is not None)

    @property
    def prefix(self) -> str:
        """What stands before the secret in the header."""
        scheme = self.scheme or ("Bearer" if self.header == "authorization" else None)
        return f"{scheme} " if scheme else ""

    @property
    def secrets(self) -> tuple[SecretSource, ...]:
        """Of its sources those that nobody else may read; the id of a key of AWS's is none."""
        public = self.aws.access_key if self.aws else None
        return tuple(source for source in self.sources if source != public)

    @property
    def sources(self) -> tuple[SecretSource, ...]:
        """Where its secrets come from: one, or of `aws` two or three, in the order of its keys."""
        found = [self.value, self.password]
        if self.aws is not None:
            found += [self.aws.access_key, self.aws.secret_key, self.aws.session_token]
        if self.oauth is not None:
            found.append(self.oauth.client_secret)
        return tuple(source for source in found if source is not None)
