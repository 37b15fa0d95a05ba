"""`proctor run`: the gateway, as a sidecar or with mitmproxy's or mitmweb's live view."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from proctor.runtime.logs import LogFormat, configure_logs


class Ui(StrEnum):
    """What a person sees."""

    NONE = "none"
    CONSOLE = "console"
    WEB = "web"


def run(
    *,
    config: Annotated[Path, typer.Option(help="The configuration.", show_default=True)] = Path(
        "proctor.yaml"
    ),
    ui: Annotated[
        Ui, typer.Option(help="console: mitmproxy's live view; web: mitmweb's.")
    ] = Ui.NONE,
    ui_port: Annotated[
        int, typer.Option(help="Port of mitmweb's live view, on loopback.", min=1, max=65535)
    ] = 8081,
    dev: Annotated[
        bool,
        typer.Option(
            "--dev", help="For one's own machine: tokens of the local issuer may decide, too."
        ),
    ] = False,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(help="Left out: text for a person in a terminal, else JSON lines."),
    ] = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; then let open exchanges finish.

    SIGHUP reads the rules again. The log goes to standard error, one JSON object a line.
    """
    # Imported here, so that other commands start without mitmproxy.
    from proctor.runtime import launcher  # noqa: PLC0415 - said above

    configure_logs(log_format)
    gateway = launcher.load_gateway(config, dev=dev)
    asyncio.run(launcher.run(gateway, ui.value, ui_port=ui_port))
