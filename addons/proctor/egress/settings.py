"""What proctor.yaml may say of where clients may go: destinations and routes."""

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from proctor.egress.hosts import HostPattern
from proctor.egress.modelhosts import is_model_host
from proctor.egress.paths import PathPattern
from proctor.fields import FilePath, Name, Settings, problem
from proctor.policy.calls import SERVER
from proctor.units import Origin, is_loopback, parse_origin

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network
type Speaks = Literal["anthropic", "git", "http", "mcp"]

STDIO = "stdio"
"""What rules call the way in of MCP servers that `proctor mcp` runs."""

CLIENT = "client"
"""Stands for a credential's name where the client's own may pass."""


def _host(value: object) -> object:
    if isinstance(value, HostPattern):
        return value
    return HostPattern.parse(value if isinstance(value, str) else "")


def _path(value: object) -> object:
    if isinstance(value, PathPattern):
        return value
    return PathPattern.parse(value if isinstance(value, str) else "")


def _network(value: object) -> object:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    try:
        return ipaddress.ip_network(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("an address or a network, such as 10.1.2.3 or 10.0.0.0/8") from None


type Host = Annotated[HostPattern, BeforeValidator(_host)]
type Path = Annotated[PathPattern, BeforeValidator(_path)]
type Port = Annotated[int, Field(ge=1, le=65535)]
type NetworkText = Annotated[Network, BeforeValidator(_network)]


class UpstreamTlsSettings(Settings):
    """How an upstream is trusted (`ca`), and proctor by it (`cert` with `key`)."""

    ca: FilePath | None = None
    cert: FilePath | None = None
    key: FilePath | None = None

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise problem("wrong-value", "`cert` and `key` come together or not at all")
        return self


class GitScanSettings(Settings):
    """What is looked for in files.

    Attributes:
        fetch: In those that are fetched: `secrets`, or `off`.
        push: In those that are pushed.
    """

    fetch: Literal["secrets", "off"] = "secrets"
    push: Literal["secrets", "off"] = "secrets"


class GitSettings(Settings):
    """What holds for a git server.

    Attributes:
        secret_paths: Files that no fetch brings, as in a `.gitignore`: `**/.env`, `secrets/**`.
        scan: What is looked for in files.
    """

    secret_paths: tuple[Annotated[str, Field(min_length=1, max_length=500)], ...] = ()
    scan: GitScanSettings = GitScanSettings()


class OpenApiSettings(Settings):
    """What an API says of itself.

    Attributes:
        spec: Its OpenAPI description, 3.0 or 3.1, YAML or JSON.
        strict: What the description does not allow is denied, whatever the rules say.
    """

    spec: FilePath
    strict: bool = False


class DestinationSettings(Settings):
    """Where clients of a forward listener may go; whatever none names is refused.

    Attributes:
        host: A name, an address, or `*.` and a name for what is beneath it.
        port: 443; 80 where it is spoken to in the clear.
        path: `/v1/**` and what it covers; without `*` the path itself and what is beneath it.
        name: What an MCP server is called in rules; the host's first label where it is not given.
        speaks: The protocol that is read; `tunnel` is passed through unread.
        credential: Put in for the client, whose own is taken out; `client`: its own may pass.
        plaintext: It is spoken to without TLS.
        upstream_tls: Trust and client certificate.
        addresses: Networks that are not public and that the name may stand for.
        openapi: What the API says of itself.
        websocket: WebSockets may be opened there; each message is then an action of its own.
        git: What holds for a git server.
        trusted: What comes from there is as good as the user's own words: see `action.tainted`.
    """

    host: Host
    port: Port | None = None
    path: Path = Field(default="/**", validate_default=True)
    name: Name | None = None
    speaks: Speaks | Literal["tunnel"] = "http"
    credential: Name | None = None
    plaintext: bool = False
    upstream_tls: UpstreamTlsSettings | None = None
    addresses: tuple[NetworkText, ...] = ()
    openapi: OpenApiSettings | None = None
    websocket: bool = False
    git: GitSettings | None = None
    trusted: bool = False

    @property
    def server(self) -> str:
        """What an MCP server here is called."""
        return self.name or self.host.host.partition(".")[0]

    @property
    def at(self) -> tuple[str, int]:
        """Host and port, as written."""
        return str(self.host), self.port or (80 if self.plaintext else 443)

    @model_validator(mode="after")
    def _sides(self) -> Self:
        if self.plaintext and self.upstream_tls is not None:
            raise problem(
                "wrong-value", "`upstream_tls` does nothing without TLS", key="upstream_tls"
            )
        if self.speaks == "tunnel":
            for key in ("credential", "openapi", "upstream_tls"):
                if getattr(self, key) is not None:
                    raise problem(
                        "wrong-value", f"Nothing is read in a tunnel, so no `{key}`", key=key
                    )
            if self.plaintext or self.path.text != "/**":
                key = "plaintext" if self.plaintext else "path"
                raise problem("wrong-value", f"Nothing is read in a tunnel, so no `{key}`", key=key)
        if self.host.exact and self.speaks != "anthropic" and is_model_host(str(self.host)):
            raise problem(
                "model-host",
                f"{self.host} serves a model, and its tool calls would pass unjudged",
                key="speaks",
                expected="speaks: anthropic, or no such destination",
            )
        _openapi_on_http(self.speaks, self.openapi)
        websocket_on_http(self.speaks, websocket=self.websocket)
        git_on_git(self.speaks, self.git)
        _named(self.speaks, self.server)
        return self


class Upstream(Settings):
    """An upstream with a path: `https://mcp.internal/mcp`."""

    origin: Origin
    path: str


def parse_upstream(value: object) -> object:
    """`https://host`, `https://host:8443/base`.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(value, Upstream):
        return value
    expected = "an address such as https://host or https://host:8443/base"
    scheme, _, rest = (value if isinstance(value, str) else "").partition("://")
    authority, slash, path = rest.partition("/")
    try:
        origin = parse_origin(f"{scheme}://{authority}")
    except ValueError:
        raise ValueError(expected) from None
    path = (slash + path).rstrip("/")
    if path:
        PathPattern.parse(path)
    if any(mark in path for mark in "*?#"):
        raise ValueError(expected)
    return Upstream(origin=origin, path=path)


class RouteSettings(Settings):
    """One upstream of several behind a reverse listener, told apart by path.

    Attributes:
        path: Where it begins at the listener: itself and what is beneath it.
        upstream: Scheme, host, port, and the path that stands in place of `path` there.
        name: What an MCP server is called in rules; the path's last part where it is not given.
        speaks: The protocol that is read; the listener's where it is not given.
        credential: Put in for the client, whose own is taken out.
        upstream_plaintext: The upstream may be on another machine and without TLS.
        upstream_tls: Trust and client certificate towards it.
        openapi: What the API says of itself.
        websocket: WebSockets may be opened there; each message is then an action of its own.
        git: What holds for a git server.
        trusted: What comes from there is as good as the user's own words; None: all but MCP is.
    """

    path: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)+$", max_length=200)]
    upstream: Annotated[Upstream, BeforeValidator(parse_upstream)]
    name: Name | None = None
    speaks: Speaks | None = None
    credential: Name | None = None
    upstream_plaintext: bool = False
    upstream_tls: UpstreamTlsSettings | None = None
    openapi: OpenApiSettings | None = None
    websocket: bool = False
    git: GitSettings | None = None
    trusted: bool | None = None

    @property
    def server(self) -> str:
        """What an MCP server here is called."""
        return self.name or self.path.rpartition("/")[2].lower()

    @model_validator(mode="after")
    def _sides(self) -> Self:
        check_upstream(self.upstream.origin, self.upstream_tls, plaintext=self.upstream_plaintext)
        if self.speaks:
            websocket_on_http(self.speaks, websocket=self.websocket)
            git_on_git(self.speaks, self.git)
        return self


def check_upstream(
    origin: Origin, upstream_tls: UpstreamTlsSettings | None, *, plaintext: bool
) -> None:
    """An upstream on another machine is spoken to over TLS, or by somebody's word."""
    if upstream_tls is not None and not origin.tls:
        raise problem(
            "wrong-value",
            "`upstream_tls` does nothing for an http upstream",
            key="upstream_tls",
            hint="Write the upstream as https://…, or take it out.",
        )
    if not (origin.tls or is_loopback(origin.host) or plaintext):
        raise problem(
            "plaintext-upstream",
            f"Conversations and the credential would travel to {origin} in the clear",
            key="upstream",
            expected="https://…",
            hint="Where the way there is safe, say `upstream_plaintext: true`.",
        )


class StdioSettings(Settings):
    """An MCP server that `proctor mcp` runs, on standard input and output.

    Attributes:
        name: What it is called in rules.
        credentials: What `proctor mcp --credential` may put into its environment.
        trusted: What comes from it is as good as the user's own words.
    """

    name: Name
    credentials: tuple[Name, ...] = ()
    trusted: bool = False

    @model_validator(mode="after")
    def _server(self) -> Self:
        _named("mcp", self.name)
        return self


def _openapi_on_http(speaks: str | None, openapi: OpenApiSettings | None) -> None:
    if openapi is not None and speaks != "http":
        raise problem(
            "wrong-value",
            "An OpenAPI description is about `speaks: http`",
            key="openapi",
        )


def websocket_on_http(speaks: str | None, *, websocket: bool) -> None:
    """Of other protocols nobody knows what they would say over a WebSocket."""
    if websocket and speaks != "http":
        raise problem("wrong-value", "A WebSocket is opened by `speaks: http`", key="websocket")


def git_on_git(speaks: str | None, git: GitSettings | None) -> None:
    """What holds for a git server is said of one."""
    if git is not None and speaks != "git":
        raise problem("wrong-value", "`git` is about `speaks: git`", key="git")


def _named(speaks: str | None, server: str) -> None:
    if speaks in {"mcp", None} and not SERVER.fullmatch(server):
        raise problem(
            "wrong-value",
            f"{server!r} cannot be an MCP server's name: rules call its tools mcp__server__tool",
            key="name",
            expected="letters, digits, - and single _ between them",
        )
