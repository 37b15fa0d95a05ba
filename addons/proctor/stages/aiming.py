"""Where does it go? A request is pointed at its target before anything else is asked.

What goes nowhere is refused by admission, once it is known who asks: strangers learn nothing of
where one may go.
"""

from dataclasses import dataclass, field
from functools import lru_cache

from mitmproxy import http
from mitmproxy.net.http import url

from proctor.egress.hosts import parse_authority, parse_host
from proctor.egress.modelhosts import is_model_host
from proctor.egress.paths import ambiguous
from proctor.egress.targets import Target, Targets, Via
from proctor.errors import ClientError, ProctorError, RefusedError
from proctor.model import Principal
from proctor.runtime.door import Site
from proctor.stages.exchange import Exchange

METADATA = "/.well-known/oauth-protected-resource"
"""Where clients look for who lets them in (RFC 9728 3)."""

ELSEWHERE = 421
"""Misdirected Request (RFC 9110 15.5.20)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """What a client was let into by CONNECT; identity is bound to its connection.

    Attributes:
        principal: Who asked for it.
        token: What proved it, asked about again at each request.
        address: Host and port.
        opaque: Nobody reads what passes.
        via: The company's own proxy on the way.
    """

    principal: Principal
    token: str = field(repr=False)
    address: tuple[str, int]
    opaque: bool
    via: Via | None


def aim(
    flow: http.HTTPFlow, exchange: Exchange, targets: Targets, tunnel: Tunnel | None, site: Site
) -> None:
    """Point a request at where it goes, or note why it goes nowhere."""
    try:
        if flow.request.method == "CONNECT":
            return
        if site.forward:
            target = _destination(flow, targets, tunnel)
        else:
            named = _as_asked(flow.request, tls=site.tls)
            target = _behind(flow, targets)
            exchange.resource = named if target.speaks in {"mcp", "git"} else ""
    except ProctorError as error:
        exchange.astray = error
        return
    exchange.target = target
    exchange.at = (flow.request.host, flow.request.port)
    if target.via:
        flow.server_conn.via = target.via
    _name_host(flow.request, target.scheme)


def discovered(flow: http.HTTPFlow, targets: Targets, *, tls: bool) -> str:
    """The address of the MCP server that a request asks to know about (RFC 9728 3.1), or ""."""
    request = flow.request
    path = request.path.partition("?")[0]
    if request.method != "GET" or not path.startswith(METADATA):
        return ""
    path = path.removeprefix(METADATA) or "/"
    target = targets.on_path(path)
    if target is None or target.speaks != "mcp":
        return ""
    return _origin(request, tls=tls) + path.rstrip("/")


def metadata_of(resource: str) -> str:
    """Where what is told of an MCP server is found (RFC 9728 3.1)."""
    scheme, _, rest = resource.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}{METADATA}{slash}{path}" if resource else ""


def _as_asked(request: http.Request, *, tls: bool) -> str:
    return _origin(request, tls=tls) + request.path.partition("?")[0]


def _origin(request: http.Request, *, tls: bool) -> str:
    """Scheme and host as the client wrote them; of a host that nobody can read, nothing."""
    scheme = "https" if tls else "http"
    try:
        host, port = parse_authority(
            request.authority or request.host_header or "", 443 if tls else 80
        )
    except ClientError:
        return f"{scheme}://proctor.invalid"
    return f"{scheme}://{authority(scheme, host, port)}"


def _behind(flow: http.HTTPFlow, targets: Targets) -> Target:
    """What a reverse listener has behind it on this path."""
    data = flow.request.data
    path = data.path.decode("latin-1")
    bare = path.partition("?")[0]
    target = targets.on_path(bare)
    if target is None:
        raise ClientError(
            "route-unknown",
            "Nothing is behind this listener on this path",
            hint="proctor.yaml names its `routes`.",
            status=404,
        )
    if target.base is not None:
        _plain(bare)
        data.path = target.upstream_path(path).encode("latin-1")
    data.host, data.port = str(target.host), target.port
    data.scheme = target.scheme.encode()
    return target


def _destination(flow: http.HTTPFlow, targets: Targets, tunnel: Tunnel | None) -> Target:
    """Where a proxy's client wants to go, if it may go there at all."""
    data = flow.request.data
    tls = data.scheme == b"https"
    if tunnel:
        host, port = tunnel.address
        named = flow.request.authority or flow.request.host_header or ""
        if parse_authority(named, 443 if tls else 80) != (host, port):
            raise ClientError(
                "host-mismatch",
                "The request names another host than the tunnel that it came through",
                expected=authority("https" if tls else "http", host, port),
                status=ELSEWHERE,
            )
    else:
        host, port = parse_host(data.host), data.port
    data.host, data.port = host, port
    path = data.path.decode("latin-1").partition("?")[0]
    _plain(path)
    target = Targets.choose(reachable(targets, host, port), path, tls=tls)
    if target is None or target.speaks == "tunnel":
        raise unknown(host, port)
    return target


def reachable(targets: Targets, host: str, port: int) -> list[Target]:
    """The targets of a host and port.

    Raises:
        RefusedError: There is none.
    """
    found = targets.at(host, port)
    if is_model_host(host):
        found = [item for item in found if item.speaks == "anthropic"]
    if not found:
        raise unknown(host, port)
    return found


def unknown(host: str, port: int) -> RefusedError:
    """What is said of a place where nobody may go."""
    return RefusedError(
        "destination-unknown",
        "No destination of this listener is meant for that",
        got=f"{host}, port {port}"[:300],
        hint="Whoever runs proctor can name it in `destinations`.",
        rule_id="destinations",
    )


def _plain(path: str) -> None:
    if ambiguous(path):
        raise ClientError(
            "path-ambiguous",
            "The path could be read in two ways",
            expected="a path without dot segments (RFC 3986 3.3), also when it is decoded",
        )


def _name_host(request: http.Request, scheme: str) -> None:
    """Name the upstream as the host that is asked, without the scheme's own port (RFC 9110 7.2)."""
    data = request.data
    host = authority(scheme, data.host, data.port).encode()
    fields = [field for field in data.headers.fields if field[0].lower() != b"host"]
    if data.http_version == b"HTTP/2.0":
        data.authority = host
    else:
        data.authority = b""
        fields.insert(0, (b"Host", host))
    data.headers.fields = tuple(fields)


@lru_cache(maxsize=1024)
def authority(scheme: str, host: str, port: int) -> str:
    """Host and port as a URL has them, without the scheme's own port (RFC 3986 3.2)."""
    return url.hostport(scheme, f"[{host}]" if ":" in host else host, port)
