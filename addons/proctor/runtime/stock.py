"""The suite as a script of stock mitmproxy's: see addons/suite.py.

mitmproxy loads the script again when it changes. The gateway is kept here, in a module that it does
not load again, so that there is one for the whole life of the process.
"""

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import Any

from mitmproxy import ctx, exceptions
from mitmproxy.addonmanager import Loader

from proctor.errors import ConfigurationError, ProctorError
from proctor.runtime.addon import ProctorAddon, Wall, settings_for
from proctor.runtime.gateway import Gateway
from proctor.runtime.launcher import load_gateway
from proctor.runtime.tasks import spawn

logger = logging.getLogger(__name__)

OPTION = "proctor_config"

_gateways: dict[str, Gateway] = {}
"""At most one: by the path it was loaded from."""


class Stock:
    """What the script hands to mitmproxy."""

    name = "proctor_stock"

    def load(self, loader: Loader) -> None:
        """Add the option that names proctor.yaml, and shut what mitmproxy has opened already."""
        # By the time a script is loaded mitmproxy's default, an open forward proxy, is on its way.
        if not ctx.master.addons.get(Wall.name):
            ctx.master.addons.add(Wall())
        loader.add_option(OPTION, str, "", "proctor: the proctor.yaml that says what may pass.")

    def configure(self, updated: set[str]) -> None:
        """Load the configuration once, and open nothing before it stands."""
        if OPTION not in updated:
            return
        path = getattr(ctx.options, OPTION)
        if path in _gateways:
            return
        if _gateways or not path:
            raise exceptions.OptionsError(
                f"{OPTION}: got {path!r}, expected a proctor.yaml, named once at the start"
            )
        try:
            _gateways[path] = load_gateway(Path(path))
        except ProctorError as error:
            raise exceptions.OptionsError(f"{OPTION}: {error}") from error
        ctx.options.update(mode=[])

    def running(self) -> None:
        """Start the gateway, or take traffic again after the script has come back."""
        gateway = _gateways.get(getattr(ctx.options, OPTION))
        if gateway is None:
            logger.error("%s is not set: expected --set %s=proctor.yaml", OPTION, OPTION)
        elif gateway.started:
            gateway.suite.accepting = True
            logger.warning("the script is back, traffic is taken again")
        else:
            spawn(_start(gateway), name="start")

    def done(self) -> None:
        """The script is taken out, or is about to be loaded again: refuse everything."""
        for gateway in _gateways.values():
            gateway.shut()


class Closer:
    """Ends the gateway with mitmproxy; stands in the chain by itself, not with the script."""

    name = "proctor_closer"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def done(self) -> None:
        """Let what is open finish, flush and close."""
        await self._gateway.settle()
        await self._gateway.stop()


class Failed:
    """Ends the process with a status that says so; last in the chain, so that all else ends."""

    name = "proctor_failed"

    def done(self) -> None:
        """Raise what mitmproxy lets through."""
        sys.exit(1)


async def _start(gateway: Gateway) -> None:
    try:
        await _open(gateway)
    except ProctorError as error:
        logger.error("%s", error, extra={"event": "start.failed"})  # noqa: TRY400 - said in full
    except Exception:
        logger.exception("the start failed", extra={"event": "start.failed"})
    else:
        return
    ctx.master.addons.add(Failed())
    ctx.master.shutdown()


async def _open(gateway: Gateway) -> None:
    master = ctx.master
    await gateway.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, gateway.reload)
    addon = ProctorAddon(gateway)
    master.options.update(**settings_for(gateway))
    master.addons.add(addon, Closer(gateway))
    server: Any = master.addons.get("proxyserver")
    await server.setup_servers()
    addon.running()
    if not gateway.suite.accepting:
        raise ConfigurationError(
            "start-failed",
            "A listener could not be opened",
            hint="The log says which, and why.",
        )
