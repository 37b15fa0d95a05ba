"""Starts mitmproxy's master around a gateway: our own trimmed one, or one with a user interface."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitmproxy import exceptions, options
from mitmproxy.addons import core, errorcheck, proxyserver
from mitmproxy.master import Master

from proctor.cli.console import Place, place_of
from proctor.errors import ConfigurationError
from proctor.runtime.addon import ProctorAddon, Wall, settings_for
from proctor.runtime.commands import Commands
from proctor.runtime.logs import leave_terminal
from proctor.runtime.quick import quicken

if TYPE_CHECKING:
    from proctor.runtime.gateway import Gateway

logger = logging.getLogger(__name__)

UIS = ("none", "console", "web")
UI_PORT = 8081
"""Where mitmweb listens if nobody says otherwise; mitmproxy's own choice."""


def make_master(gateway: "Gateway", ui: str = "none", ui_port: int = 0) -> Master:
    """A master with the gateway's listeners, not yet running; needs a running loop.

    Args:
        gateway: What stands behind the listeners.
        ui: `none` for the sidecar, `console` for mitmproxy, `web` for mitmweb.
        ui_port: Where mitmweb listens on loopback.

    Raises:
        ConfigurationError: mitmproxy does not take the listeners as they are.
    """
    chosen = options.Options()
    # mitmproxy keeps keys of its own there, though no listener of ours uses them.
    chosen.update(confdir=str(gateway.config.state / "mitmproxy"))
    master: Master
    if ui == "console":
        from mitmproxy.tools.console.master import ConsoleMaster  # noqa: PLC0415 - slow to import

        master = ConsoleMaster(chosen)
        leave_terminal()
    elif ui == "web":
        from mitmproxy.tools.web.master import WebMaster  # noqa: PLC0415 - slow to import

        # Our own log is enough, and nobody asked for a browser with the token in its arguments.
        master = WebMaster(chosen, with_termlog=False)
        chosen.update(web_open_browser=False, web_port=ui_port)
    else:
        master = Master(chosen)
        master.addons.add(core.Core(), proxyserver.Proxyserver(), errorcheck.ErrorCheck())
    master.addons.add(Wall())
    try:
        chosen.update(**settings_for(gateway))
    except exceptions.OptionsError as error:
        # Two listeners on port 0, for one: mitmproxy takes every address but once.
        raise ConfigurationError(
            "start-failed", "The listeners cannot be opened", got=str(error)
        ) from error
    master.addons.add(ProctorAddon(gateway), Commands(lambda: _place(gateway)))
    return master


def _place(gateway: "Gateway") -> Place:
    """The console as people at this machine reach it, who have signed in with `proctor login`."""
    settings = gateway.config.console
    if settings.url or settings.listen.port:
        return place_of(gateway.config)
    cert = settings.tls.cert if settings.tls else None
    return Place(url=f"{'https' if cert else 'http'}://{gateway.console}", ca=cert)


async def run(
    gateway: "Gateway", ui: str = "none", ready: Any = None, *, ui_port: int = UI_PORT
) -> None:
    """Run until SIGTERM or SIGINT, then drain.

    Args:
        gateway: Not yet started.
        ui: As for `make_master`.
        ready: Called with {listener: "host:port"} once every listener takes traffic.
        ui_port: As for `make_master`.

    Raises:
        ConfigurationError: Something is missing or in use.
    """
    quicken()
    # It misses an addon that our listeners do without, and says what `ready` says better.
    logging.getLogger("mitmproxy.addons.proxyserver").setLevel(logging.ERROR)
    await gateway.start()
    try:
        master = make_master(gateway, ui, ui_port)
        if ui == "web":
            # For the person at the terminal alone: whoever has this address sees conversations.
            address = master.addons.get("webauth").web_url
            sys.stdout.write(f"The live view: {address}\n")
            sys.stdout.flush()
        await _serve(gateway, master, ready, in_terminal=ui == "console")
    finally:
        await gateway.stop()


async def _serve(gateway: "Gateway", master: Master, ready: Any, *, in_terminal: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, gateway.drain, master)
    if in_terminal:
        # A terminal that goes away says so by SIGHUP, and nobody is left to press a key. Not by the
        # loop's own handler: urwid reads at the terminal's end for ever, and the loop stands still.
        def hung_up(_number: int, _frame: object) -> None:
            _unread_terminal()
            loop.call_soon_threadsafe(gateway.drain, master)

        signal.signal(signal.SIGHUP, hung_up)
    else:
        loop.add_signal_handler(signal.SIGHUP, gateway.reload)
    addon = master.addons.get("proctor")
    addon.on_ready = ready
    try:
        await master.run()
    except SystemExit as error:
        # errorcheck ends the process when anything logged an error while starting.
        if error.code:
            raise ConfigurationError(
                "start-failed",
                "A listener could not be opened",
                hint="The log says which, and why.",
            ) from error
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)


def _unread_terminal() -> None:
    """Have standard input be a pipe in which nothing comes, so that reading it ends (EAGAIN)."""
    reader, _ = os.pipe()
    os.set_blocking(reader, False)
    os.dup2(reader, sys.stdin.fileno())


def load_gateway(file: Path, *, dev: bool = False) -> "Gateway":
    """The gateway a proctor.yaml describes.

    Args:
        file: The configuration.
        dev: Tokens of the local issuer may decide what is held.
    """
    from proctor.config import load  # noqa: PLC0415 - the command line asks for help without it
    from proctor.runtime.gateway import Gateway  # noqa: PLC0415 - the same

    return Gateway(load(file), file, dev=dev)
