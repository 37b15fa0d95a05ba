"""What proctor.yaml may say, as frozen models; `config.load` reads a file into them."""

import re
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)

from proctor.approval.settings import ApprovalSettings, NotifierSettings, RolesSettings
from proctor.budgets.settings import BudgetSettings, PriceSettings
from proctor.credentials.settings import CredentialSettings
from proctor.egress.constraints import CaSettings
from proctor.egress.settings import (
    DestinationSettings,
    GitSettings,
    OpenApiSettings,
    RouteSettings,
    Speaks,
    StdioSettings,
    UpstreamTlsSettings,
    check_upstream,
    git_on_git,
    websocket_on_http,
)
from proctor.evidence.retention import RetentionSettings
from proctor.evidence.settings import AnchorSettings, CheckpointSettings
from proctor.export.settings import ExportSettings
from proctor.fields import (
    AT_LEAST_ONE,
    Bytes,
    FilePath,
    IssuerName,
    ListenAddress,
    Name,
    ProxyOrigin,
    Seconds,
    SecretSource,
    SecureUrl,
    Settings,
    TlsSettings,
    UpstreamOrigin,
    problem,
    require_tls,
)
from proctor.novelty.settings import NoveltySettings
from proctor.postgres.settings import PostgresListener
from proctor.redaction.settings import RedactionSettings
from proctor.units import Address, parse_origin, parse_size

SCHEMA_VERSION = 1

_PERCENT = re.compile(r"(\d{1,2}(?:\.\d{1,3})?) ?%", re.ASCII)
_GIB = 2**30
_MIB = 2**20

type Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
"""Signatures only: with a shared key (HS256 …) every verifier could also issue."""


class ServerTlsSettings(Settings):
    """The console's own certificate."""

    cert: FilePath
    key: FilePath


def _kind(value: object) -> object:
    if not isinstance(value, str) or value not in {"reverse", "forward"}:
        raise ValueError("reverse, forward or postgres")
    return value


class Listener(Settings):
    """One place where clients come in, over HTTP.

    Attributes:
        name: As rules, records and metrics call it.
        kind: `reverse`: upstreams behind one address. `forward`: clients use it as their proxy.
        listen: Where; off loopback it has `tls`, or says `plaintext: true`.
        tls: Certificate and key shown to clients.
        plaintext: Clients off this machine may speak in the clear, since something in front of
            this listener does TLS.
        upstream: Scheme, host and port; the client's path is kept.
        upstream_plaintext: The upstream may be on another machine and without TLS.
        upstream_tls: Trust and client certificate towards the upstream.
        routes: Several upstreams instead, told apart by path.
        destinations: Where clients of a forward listener may go.
        via: The company's own proxy on the way out.
        speaks: The protocol that is read.
        credential: Put in for the client, whose own is taken out.
        openapi: What the API says of itself.
        websocket: WebSockets may be opened there; each message is then an action of its own.
        git: What holds for a git server.
        trusted: What comes from there is as good as the user's own words; None: all but MCP is.
    """

    name: Name
    kind: Annotated[Literal["reverse", "forward"], BeforeValidator(_kind)]
    listen: ListenAddress
    tls: TlsSettings | None = None
    plaintext: bool = False
    upstream: UpstreamOrigin | None = None
    upstream_plaintext: bool = False
    upstream_tls: UpstreamTlsSettings | None = None
    routes: tuple[RouteSettings, ...] = ()
    destinations: tuple[DestinationSettings, ...] = ()
    via: ProxyOrigin | None = None
    speaks: Speaks | None = None
    credential: Name | None = None
    openapi: OpenApiSettings | None = None
    websocket: bool = False
    git: GitSettings | None = None
    trusted: bool | None = None

    @model_validator(mode="after")
    def _sides(self) -> Self:
        require_tls(self.listen, has_tls=self.tls is not None, plaintext=self.plaintext)
        if self.kind == "forward":
            self._forward()
        else:
            self._reverse()
        return self

    def _forward(self) -> None:
        for key in (
            *("upstream", "upstream_tls", "routes", "speaks", "credential", "openapi"),
            *("websocket", "git", "trusted"),
        ):
            if getattr(self, key):
                raise problem(
                    "wrong-value",
                    f"A forward listener has no `{key}`",
                    key=key,
                    hint="Say it of its `destinations`.",
                )
        if not self.destinations:
            raise problem("missing-key", "`destinations` is missing: clients could go nowhere")

    def _reverse(self) -> None:
        if self.destinations:
            raise problem(
                "wrong-value",
                "`destinations` are a forward listener's",
                key="destinations",
                hint="Several upstreams of a reverse listener are `routes`.",
            )
        if (self.upstream is None) == (not self.routes):
            raise problem(
                "missing-key" if self.upstream is None else "wrong-value",
                "A reverse listener has an `upstream`, or `routes` to several",
                key="" if self.upstream is None else "routes",
            )
        if self.upstream is None:
            for key in ("upstream_tls", "credential", "openapi", "websocket", "git", "trusted"):
                if getattr(self, key):
                    raise problem("wrong-value", f"Say `{key}` of each of the `routes`", key=key)
            if self.speaks is None and any(route.speaks is None for route in self.routes):
                raise problem("missing-key", "`speaks` is missing")
            for route in self.routes:
                websocket_on_http(route.speaks or self.speaks, websocket=route.websocket)
                git_on_git(route.speaks or self.speaks, route.git)
            return
        if self.speaks is None:
            raise problem("missing-key", "`speaks` is missing")
        websocket_on_http(self.speaks, websocket=self.websocket)
        git_on_git(self.speaks, self.git)
        check_upstream(self.upstream, self.upstream_tls, plaintext=self.upstream_plaintext)


def _listener(
    value: object, _handler: ValidatorFunctionWrapHandler, info: ValidationInfo
) -> Listener | PostgresListener:
    """By its kind alone, so that what is wrong is said of that kind."""
    if isinstance(value, Listener | PostgresListener):
        return value
    postgres = isinstance(value, dict) and value.get("kind") == "postgres"
    model = PostgresListener if postgres else Listener
    return model.model_validate(value, context=info.context)


AnyListener = Annotated[Listener | PostgresListener, WrapValidator(_listener)]


class Introspection(Settings):
    """Opaque tokens are asked about at the issuer (RFC 7662).

    Attributes:
        endpoint: Its URL; None takes it from the issuer's discovery document.
        client_id: Who proctor is to the issuer.
        client_secret: Its secret.
        cache: How long an answer holds, seconds.
    """

    endpoint: SecureUrl | None = None
    client_id: str = Field(min_length=1, max_length=256)
    client_secret: SecretSource
    cache: Seconds = 30.0


class IssuerSettings(Settings):
    """One issuer whose tokens are taken.

    Attributes:
        issuer: `iss`, exact; `local` for keys made by `proctor token --local`.
        audience: `aud`, exact.
        algorithms: Signatures taken from it.
        groups: Path to the claim that lists groups; None for none.
        human: Path to the claim that names the person behind a bot.
        typ: Header `typ` values taken (RFC 8725, 3.11).
        max_lifetime: Longest `exp` - `iat`, seconds.
        leeway: Clocks may differ by so much, seconds.
        jwks_uri: Where its keys are; None asks the discovery document.
        ca: Certificates by which its TLS is trusted; None for the system's.
        introspection: For opaque tokens.
    """

    issuer: IssuerName
    audience: str = Field(min_length=1, max_length=512)
    algorithms: Annotated[tuple[Algorithm, ...], AT_LEAST_ONE] = ("RS256", "ES256")
    groups: str | None = Field(default=None, min_length=1, max_length=512)
    human: str | None = Field(default=None, min_length=1, max_length=512)
    typ: Annotated[tuple[str, ...], AT_LEAST_ONE] = ("JWT", "at+jwt", "application/at+jwt")
    max_lifetime: Seconds = 86400.0
    leeway: Annotated[float, Field(ge=0, le=300)] = 60.0
    jwks_uri: SecureUrl | None = None
    ca: FilePath | None = None
    introspection: Introspection | None = None

    @model_validator(mode="after")
    def _local(self) -> Self:
        if self.issuer == "local":
            for key in ("jwks_uri", "ca", "introspection"):
                if getattr(self, key) is not None:
                    raise problem(
                        "wrong-value", f"The local issuer has its keys here, no `{key}`", key=key
                    )
        return self


class Identity(Settings):
    """Whose tokens are taken."""

    issuers: Annotated[tuple[IssuerSettings, ...], AT_LEAST_ONE]


class AuditSettings(Settings):
    """The record: where it is kept, how it is signed, and for how long.

    Attributes:
        path: Its folder.
        checkpoints: When they are signed.
        anchors: Where checkpoints are kept out of reach of whoever could rewrite the record.
        anchor_every: The shortest time between two that go there, seconds.
        retention: For how long what is kept; nothing said: for ever.
    """

    path: FilePath = Field(default="recordings/", validate_default=True)
    checkpoints: CheckpointSettings = CheckpointSettings()
    anchors: tuple[AnchorSettings, ...] = ()
    anchor_every: Annotated[Seconds, Field(ge=1, le=86400)] = 60.0
    retention: RetentionSettings = RetentionSettings()


class Threshold(Settings):
    """A level of free space; below either of the two it is reached.

    Attributes:
        fraction: Of the whole file system, 0 to 1.
        size: Bytes.
    """

    fraction: float = 0.0
    size: int = 0


def _threshold(value: object) -> object:
    if isinstance(value, Threshold):
        return value
    fraction, size = 0.0, 0
    for part in value if isinstance(value, tuple) and value else (value,):
        match = _PERCENT.fullmatch(part) if isinstance(part, str) else None
        try:
            if match:
                fraction = float(match[1]) / 100
            else:
                size = parse_size(part if isinstance(part, str | int) else "")
        except ValueError:
            raise ValueError("10%, 2GiB, or both as [10%, 2GiB]") from None
    return Threshold(fraction=fraction, size=size)


type FreeSpace = Annotated[Threshold, BeforeValidator(_threshold)]


class DiskSettings(Settings):
    """When too little space is left for the record: `10%`, `2GiB`, or `[10%, 2GiB]`."""

    warn: FreeSpace = Threshold(fraction=0.10, size=2 * _GIB)
    critical: FreeSpace = Threshold(fraction=0.02, size=256 * _MIB)

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.critical.fraction > self.warn.fraction or self.critical.size > self.warn.size:
            raise problem(
                "wrong-value",
                "`critical` lies below `warn`, in percent and in size",
                key="critical",
            )
        return self


class Limits(Settings):
    """Bounds on what clients may take.

    Attributes:
        body: Largest request body, bytes.
        drain: How long open exchanges may go on after SIGTERM, seconds.
        head: How long a client may take to send a request's head, seconds.
        idle: How long a client's connection may lie idle, seconds.
        connections: Clients connected at once, on one listener.
        message: Largest message of a WebSocket, bytes; as much may wait for one that is judged.
        pack: Largest pack of git, bytes, pushed or fetched.
        disk: When too little space is left for the record.
    """

    body: Bytes = 64 * _MIB
    drain: Seconds = 30.0
    head: Seconds = 30.0
    idle: Seconds = 600.0
    connections: int = Field(default=4096, ge=1, le=1_000_000)
    message: Annotated[Bytes, Field(ge=1)] = _MIB
    pack: Annotated[Bytes, Field(ge=1)] = 2048 * _MIB
    disk: DiskSettings = DiskSettings()


class ConsoleSettings(Settings):
    """The reviewer's page, the API of the command line, /healthz, /readyz and /metrics.

    Attributes:
        listen: Where; off loopback it has `tls`, or says `plaintext: true`.
        tls: Certificate and key.
        plaintext: Other machines may ask in the clear.
        url: The address by which people reach it, where that is another one; the issuer sends them
            back to it, and notifications point at it.
        audience: What a token for the console is for; never an agent's.
        issuer: Who people sign in with; one of `identity.issuers`. None: nobody can decide.
        client_id: Who the console is to that issuer.
        client_secret: Its secret; None where PKCE alone is asked for (RFC 7636).
        scopes: Asked for on top of `openid` and `profile`.
        acr: Classes of authentication that are good enough (OpenID Connect Core 2); empty for any.
        max_age: How long a sign-in lets its person decide, seconds.
        idle: After this long without a click a session ends, seconds.
    """

    listen: ListenAddress = Address(host="127.0.0.1", port=9090)
    tls: ServerTlsSettings | None = None
    plaintext: bool = False
    url: SecureUrl | None = None
    audience: str = Field(default="proctor-console", min_length=1, max_length=512)
    issuer: IssuerName | None = None
    client_id: str | None = Field(default=None, min_length=1, max_length=256)
    client_secret: SecretSource | None = None
    scopes: tuple[str, ...] = ()
    acr: tuple[str, ...] = ()
    max_age: Seconds = 28800.0
    idle: Seconds = 3600.0

    @field_validator("url", mode="before")
    @classmethod
    def _whole_site(cls, value: object) -> object:
        """The console has a host of its own: its cookies and paths begin at `/`."""
        if value is None:
            return None
        try:
            origin = parse_origin(value if isinstance(value, str) else "")
        except ValueError:
            origin = None
        if origin is None or not (origin.tls or origin.loopback):
            raise ValueError(
                "https://host or https://host:8443 (http on loopback only), with no user, path,"
                " query or fragment"
            )
        return value

    @model_validator(mode="after")
    def _sides(self) -> Self:
        require_tls(self.listen, has_tls=self.tls is not None, plaintext=self.plaintext)
        if (self.issuer is None) != (self.client_id is None) and self.issuer != "local":
            raise problem(
                "wrong-value",
                "`issuer` and `client_id` come together or not at all",
                key="issuer" if self.issuer else "client_id",
            )
        return self


class Config(Settings):
    """A whole proctor.yaml; every path is absolute.

    Attributes:
        schema_version: Of the file.
        doors: Where clients come in, in the order of the file; `listeners` there.
        stdio: MCP servers that `proctor mcp` runs.
        identity: Whose tokens are taken.
        credentials: What is put in for clients.
        ca: The authority that signs for hosts behind forward listeners.
        rules: The folder of rules.
        observe: Rules only say what they would have done, and default-deny is suspended;
            admission never is.
        redaction: What is taken out.
        audit: Where the record is kept.
        limits: Bounds.
        console: Health and figures.
        state: What proctor itself keeps, such as the local issuer's keys; 0700.
        roles: Who may do what to proctor itself.
        approvals: Where what is held is kept.
        notifications: Who is told of what is held.
        exports: Where the record goes, all the time.
        novelty: How what is usual at databases is learned.
        budgets: How much may be used.
        prices: What models cost, for budgets of `cost`; of several that fit a name the first.
    """

    schema_version: int
    doors: Annotated[tuple[AnyListener, ...], AT_LEAST_ONE] = Field(alias="listeners")
    stdio: tuple[StdioSettings, ...] = ()
    identity: Identity
    credentials: tuple[CredentialSettings, ...] = ()
    ca: CaSettings = CaSettings()
    rules: FilePath = Field(default="rules/", validate_default=True)
    observe: bool = False
    # validated, so that its path, too, is taken from the file's folder
    redaction: RedactionSettings = RedactionSettings()
    audit: AuditSettings = Field(default={}, validate_default=True)
    limits: Limits = Limits()
    console: ConsoleSettings = ConsoleSettings()
    roles: RolesSettings = RolesSettings()
    approvals: ApprovalSettings = Field(default={}, validate_default=True)
    notifications: tuple[NotifierSettings, ...] = ()
    exports: tuple[ExportSettings, ...] = ()
    novelty: NoveltySettings = NoveltySettings()
    budgets: tuple[BudgetSettings, ...] = ()
    prices: tuple[PriceSettings, ...] = ()
    state: FilePath = Field(default=".proctor/", validate_default=True)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Those of `doors` that speak HTTP."""
        return tuple(each for each in self.doors if isinstance(each, Listener))

    @property
    def postgres(self) -> tuple[PostgresListener, ...]:
        """Those of `doors` that speak PostgreSQL's protocol."""
        return tuple(each for each in self.doors if isinstance(each, PostgresListener))
