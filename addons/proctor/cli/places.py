"""Where clients reach an installation, from its proctor.yaml."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from proctor.egress.targets import Target, of_destination, of_route
from proctor.errors import ConfigurationError
from proctor.settings import Listener
from proctor.units import Address, Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An MCP server.

    Attributes:
        name: As rules call it.
        url: Where the client asks.
        direct: It is a listener's own path, so the token goes along with each request.
    """

    name: str
    url: str
    direct: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where clients can go.

    Attributes:
        proxy: The forward listener.
        model: URL of a reverse listener, or of a route, that speaks anthropic.
        proxied_model: URL of a model behind the forward listener, which puts the credential in.
        apis: URLs of reverse listeners and routes that speak http.
        servers: MCP servers, one of each name.
        direct: Host and port of each reverse listener: clients ask it without the proxy.
    """

    proxy: Origin | None = None
    model: str | None = None
    proxied_model: str | None = None
    apis: tuple[str, ...] = ()
    servers: tuple[Server, ...] = ()
    direct: tuple[str, ...] = ()


def find_places(listeners: Sequence[Listener], host: str | None = None) -> Places:
    """Where these listeners let clients go.

    Args:
        listeners: Of proctor.yaml. Of several forward ones the first counts.
        host: The name by which clients reach this machine; None for the one they listen on.

    Raises:
        ConfigurationError: A listener's address is not one that a client could be told.
    """
    reverse = [(each, _origin(each, host)) for each in listeners if each.kind == "reverse"]
    offered = [offer for listener, origin in reverse for offer in _offered(listener, str(origin))]
    forward = next((each for each in listeners if each.kind == "forward"), None)
    # A pattern's hosts and paths are many, so no client can be pointed at one.
    reached = [
        _Offer(
            speaks=target.speaks,
            name=target.name,
            url=str(Origin(scheme=target.scheme, host=str(target.host), port=target.port)),
            path=target.path.text.removesuffix("/**"),
            injected=target.credential is not None,
        )
        for target in _targets(forward)
        if target.host.exact
    ]
    return Places(
        proxy=_origin(forward, host) if forward else None,
        model=_first(each.url for each in offered if each.speaks == "anthropic"),
        proxied_model=_first(
            each.url for each in reached if each.speaks == "anthropic" and each.injected
        ),
        apis=tuple(each.url for each in offered if each.speaks == "http"),
        servers=tuple(_servers(offered, reached)),
        direct=tuple(dict.fromkeys(_authority(origin) for _, origin in reverse)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """Something that is behind a listener."""

    speaks: str
    name: str
    url: str
    path: str = ""
    injected: bool = False


def _offered(listener: Listener, origin: str) -> Iterator[_Offer]:
    """What a reverse listener leads to."""
    if not listener.routes and listener.speaks:
        yield _Offer(speaks=listener.speaks, name=listener.name, url=origin)
    for route in listener.routes:
        if speaks := route.speaks or listener.speaks:
            name = of_route(listener.name, route, speaks=speaks, via=None).name
            yield _Offer(speaks=speaks, name=name, url=origin + route.path)


def _targets(listener: Listener | None) -> list[Target]:
    if listener is None:
        return []
    return [of_destination(listener.name, each, via=None) for each in listener.destinations]


def _servers(offered: Iterable[_Offer], reached: Iterable[_Offer]) -> Iterator[Server]:
    """The MCP servers; of one name the first, and a listener's own before one by the proxy."""
    seen = set[str]()
    for direct, offers in ((True, offered), (False, reached)):
        for each in offers:
            pattern = not direct and (not each.path or "*" in each.path)
            if each.speaks == "mcp" and each.name not in seen and not pattern:
                seen.add(each.name)
                yield Server(name=each.name, url=each.url + each.path, direct=direct)


def _origin(listener: Listener, host: str | None) -> Origin:
    listen = listener.listen
    name = host or listen.host
    if listen.port == 0 or _is_everywhere(name):
        raise ConfigurationError(
            code="listener-unreachable",
            message=f"{listener.name} has no address that a client could be told",
            got=str(listen),
            expected="an address and a port of its own",
            hint="Say --host where it listens on every address; set its port in proctor.yaml.",
        )
    return Origin(scheme="https" if listener.tls else "http", host=name, port=listen.port)


def _is_everywhere(host: str) -> bool:
    """Whether it stands for all addresses of a machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _authority(origin: Origin) -> str:
    return str(Address(host=origin.host, port=origin.port))


def _first(urls: Iterator[str]) -> str | None:
    return next(urls, None)
