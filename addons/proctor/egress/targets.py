"""Where a request may go: every upstream, route and destination of a listener as one Target.

Which of several destinations holds is settled by how closely each names what is asked for, never
by the order of the file: an exact host before a pattern, then the longer pattern, then the longer
path.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from proctor.egress.hosts import HostPattern
from proctor.egress.paths import PathPattern, choose
from proctor.egress.settings import (
    CLIENT,
    DestinationSettings,
    GitSettings,
    Network,
    OpenApiSettings,
    RouteSettings,
    UpstreamTlsSettings,
)
from proctor.runtime.tls import Trusted
from proctor.settings import Listener
from proctor.units import Origin

type Via = tuple[Literal["http", "https"], tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests may go, and what holds there.

    Attributes:
        listener: Name of the listener it is behind.
        name: What an MCP server is called.
        speaks: The protocol that is read.
        host: What hosts it stands for; of a reverse listener its upstream's.
        port: The upstream's.
        tls: The upstream speaks TLS.
        path: What paths it stands for, as the client writes them.
        base: The path that stands in place of the route's at the upstream; None leaves it.
        credential: Put in for the client; None for none.
        own: The client's own credential may pass.
        files: How the upstream is trusted, and what is shown to it.
        addresses: Networks that are not public and may be dialled.
        named: The operator has named the upstream itself, so its address is not questioned.
        via: The company's own proxy on the way there.
        openapi: What the API says of itself.
        websocket: WebSockets may be opened there.
        git: What holds for a git server.
        trusted: Somebody vouches for what comes from there.
    """

    listener: str
    name: str
    speaks: Literal["anthropic", "git", "http", "mcp", "tunnel"]
    host: HostPattern
    port: int
    tls: bool
    path: PathPattern
    base: str | None = None
    credential: str | None = None
    own: bool = False
    files: Trusted = field(default_factory=Trusted)
    addresses: tuple[Network, ...] = ()
    named: bool = False
    via: Via | None = None
    openapi: OpenApiSettings | None = None
    websocket: bool = False
    git: GitSettings = field(default_factory=GitSettings)
    trusted: bool = False

    @property
    def scheme(self) -> Literal["http", "https"]:
        """Of the upstream."""
        return "https" if self.tls else "http"

    @property
    def trust(self) -> tuple[object, ...]:
        """What a connection rests on: two of one host and port must agree in it."""
        return self.tls, self.files, self.addresses, self.speaks == "tunnel"

    def upstream_path(self, path: str) -> str:
        """The path at the upstream of a path at the listener, with its query."""
        if self.base is None:
            return path
        bare, mark, query = path.partition("?")
        return (self.base + self.path.rest(bare) or "/") + mark + query


ANYWHERE = PathPattern.parse("/**")


class Targets:
    """All the targets of one listener."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self._targets = sorted(
            targets, key=lambda item: (item.host.specificity, item.path.specificity), reverse=True
        )

    def __iter__(self) -> Iterator[Target]:
        return iter(self._targets)

    @property
    def first(self) -> tuple[str, int]:
        """Host and port of one of them."""
        target = self._targets[0]
        return str(target.host), target.port

    def speak(self, protocol: str) -> bool:
        """Whether all of them speak this."""
        return all(item.speaks == protocol for item in self._targets)

    def at(self, host: str, port: int) -> list[Target]:
        """The targets of a host and port; of the closest name only."""
        found = [item for item in self._targets if item.port == port and item.host.matches(host)]
        return [item for item in found if item.host == found[0].host]

    @staticmethod
    def choose(targets: Sequence[Target], path: str, *, tls: bool) -> Target | None:
        """The closest of some targets for a path without its query, or None."""
        return choose(path, [item for item in targets if item.tls == tls], lambda item: item.path)

    def on_path(self, path: str) -> Target | None:
        """The target of a reverse listener's path without its query, or None."""
        if len(self._targets) == 1 and self._targets[0].path is ANYWHERE:
            return self._targets[0]
        return choose(path, self._targets, lambda item: item.path)


def targets_of(listener: Listener) -> Targets:
    """All the targets of a listener."""
    via: Via | None = None
    if listener.via:
        scheme: Literal["http", "https"] = "https" if listener.via.tls else "http"
        via = (scheme, (listener.via.host, listener.via.port))
    if listener.upstream and listener.speaks:
        return Targets(
            [
                of_upstream(
                    listener.name,
                    listener.upstream,
                    speaks=listener.speaks,
                    credential=listener.credential,
                    tls=listener.upstream_tls,
                    via=via,
                    openapi=listener.openapi,
                    websocket=listener.websocket,
                    git=listener.git,
                    trusted=listener.trusted,
                )
            ]
        )
    return Targets(
        [
            *(
                of_route(listener.name, route, speaks=listener.speaks or "http", via=via)
                for route in listener.routes
            ),
            *(of_destination(listener.name, item, via=via) for item in listener.destinations),
        ]
    )


def of_upstream(  # noqa: PLR0913 - a listener's settings
    listener: str,
    origin: Origin,
    *,
    speaks: Literal["anthropic", "git", "http", "mcp"],
    credential: str | None,
    tls: UpstreamTlsSettings | None,
    via: Via | None,
    openapi: OpenApiSettings | None,
    websocket: bool = False,
    git: GitSettings | None = None,
    trusted: bool | None = None,
) -> Target:
    """The one target of a reverse listener with an `upstream`."""
    return Target(
        listener=listener,
        name=listener,
        speaks=speaks,
        host=HostPattern.parse(origin.host),
        port=origin.port,
        tls=origin.tls,
        path=ANYWHERE,
        credential=credential,
        files=_files(tls),
        named=True,
        via=via,
        openapi=openapi,
        websocket=websocket,
        git=git or GitSettings(),
        trusted=speaks != "mcp" if trusted is None else trusted,
    )


def of_route(
    listener: str,
    route: RouteSettings,
    *,
    speaks: Literal["anthropic", "git", "http", "mcp"],
    via: Via | None,
) -> Target:
    """The target of a route."""
    origin = route.upstream.origin
    return Target(
        listener=listener,
        name=route.server,
        speaks=route.speaks or speaks,
        host=HostPattern.parse(origin.host),
        port=origin.port,
        tls=origin.tls,
        path=PathPattern.parse(route.path),
        base=route.upstream.path,
        credential=route.credential,
        files=_files(route.upstream_tls),
        named=True,
        via=via,
        openapi=route.openapi,
        websocket=route.websocket,
        git=route.git or GitSettings(),
        trusted=((route.speaks or speaks) != "mcp" if route.trusted is None else route.trusted),
    )


def of_destination(listener: str, item: DestinationSettings, *, via: Via | None) -> Target:
    """The target of a destination."""
    own = item.credential == CLIENT
    _, port = item.at
    return Target(
        listener=listener,
        name=item.server,
        speaks=item.speaks,
        host=item.host,
        port=port,
        tls=not item.plaintext,
        path=item.path,
        credential=None if own else item.credential,
        own=own,
        files=_files(item.upstream_tls),
        addresses=item.addresses,
        via=via,
        openapi=item.openapi,
        websocket=item.websocket,
        git=item.git or GitSettings(),
        trusted=item.trusted,
    )


def _files(tls: UpstreamTlsSettings | None) -> Trusted:
    return Trusted(ca=tls.ca, cert=tls.cert, key=tls.key) if tls else Trusted()
