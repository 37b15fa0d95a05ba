"""What mitmproxy's chain sees of us: it holds the options, and turns away what is not ours."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mitmproxy import ctx, exceptions
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from proctor.arriving.warming import warm_beside
from proctor.runtime.mitm import ProctorServer
from proctor.runtime.modes import ProctorMode, handlers

if TYPE_CHECKING:
    from proctor.runtime.gateway import Gateway

logger = logging.getLogger(__name__)


def settings_for(gateway: "Gateway") -> dict[str, Any]:
    """Mitmproxy's options for a gateway; `ProctorAddon` holds them there."""
    return {
        "mode": [
            f"proctor:{listener.name}@{listener.listen.host}:{listener.listen.port}"
            for listener in gateway.config.listeners
        ],
        "connection_strategy": "lazy",
        "body_size_limit": str(gateway.config.limits.body),
        "stream_large_bodies": None,
        "store_streamed_bodies": False,
        "validate_inbound_headers": True,
        "rawtcp": False,
        "websocket": False,
        "tcp_timeout": int(gateway.config.limits.idle),
        "server": True,
    }


class Wall:
    """Turns away what does not come through a listener of ours.

    A replay, or the open proxy that mitmproxy starts before it loads a script: these run through
    mitmproxy's own handlers, which know no stages.
    """

    name = "proctor_wall"

    def client_connected(self, client: Client) -> None:
        """Take no connection on anybody else's listener."""
        if client not in handlers:
            client.error = "proctor: this is no listener of proctor.yaml"

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """Dial nothing for anybody else."""
        if data.client not in handlers:
            data.server.error = "proctor: this did not come through a listener of proctor.yaml"


class ProctorAddon:
    """Holds mitmproxy's options where the gateway needs them, and says when it is ready."""

    name = "proctor"

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._held = settings_for(gateway)
        self.on_ready: Callable[[dict[str, str]], None] | None = None

    def configure(self, updated: set[str]) -> None:
        """Refuse any change to what keeps traffic on our listeners and unstreamed."""
        for name in updated & self._held.keys():
            got = getattr(ctx.options, name)
            if got != self._held[name]:
                raise exceptions.OptionsError(
                    f"proctor: option {name} is held at {self._held[name]!r}; change proctor.yaml"
                )

    def running(self) -> None:
        """Every listener is open: take traffic."""
        addresses = listening()
        missing = [name for name in self._gateway.listener_names if name not in addresses]
        if missing:
            logger.error(
                "listeners that are not open: %s",
                ", ".join(missing),
                extra={"event": "listener.missing"},
            )
            return
        self._gateway.opened(addresses)
        # What is looked for in what comes in takes seconds to compile, beside the first requests.
        warm_beside(self._gateway.config)
        if self.on_ready:
            self.on_ready(addresses)

    def done(self) -> None:
        """The addon is taken out, or mitmproxy ends: nothing passes any more."""
        self._gateway.shut()


def listening() -> dict[str, str]:
    """Where our listeners really are: name → `host:port`."""
    server = ctx.master.addons.get("proxyserver")
    found: dict[str, str] = {}
    if isinstance(server, Proxyserver):
        for instance in server.servers:
            if isinstance(instance, ProctorServer) and instance.listen_addrs:
                host, port = instance.listen_addrs[0][:2]
                mode = instance.mode
                if isinstance(mode, ProctorMode):
                    found[mode.data] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return found
