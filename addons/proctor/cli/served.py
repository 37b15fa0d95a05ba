"""`proctor replay --serve`: where the recording is served, and what is told meanwhile."""

import secrets
import shlex
import sys

import typer

from proctor.cli.common import visible
from proctor.cli.screen import several
from proctor.replay.recorded import Recording
from proctor.replay.server import OnDivergence, Server, Told
from proctor.units import Address


async def serve_again(
    recording: Recording, address: Address, on_divergence: OnDivergence, command: list[str]
) -> int:
    """Answer from a recording until Ctrl-C, or until the command has ended.

    Args:
        recording: What is served.
        address: Where.
        on_divergence: What a client gets that goes another way.
        command: Run against it; empty for none.

    Returns:
        The exit status: the command's, or 0; 1 where a command ended well and asked nothing.
    """
    # Imported here, so that watching starts without a server.
    from proctor.replay import serving  # noqa: PLC0415 - said above

    token = f"replay-{secrets.token_urlsafe(24)}"
    server = Server(recording, token=token, on_divergence=on_divergence, tell=_tell)
    _say(f"{several(len(recording.turns), 'turn')} of session {recording.session} to be served")
    for turn, why in recording.left_out.items():
        _say(f"turn {turn} cannot be served: {why}")
    if not address.loopback:
        _say("warning: whoever reaches this address and has the token can read the session")
    status = 0
    async with serving.served(server, address) as url:
        variables = serving.variables(url, token)
        if command:
            status = await serving.run(command, variables)
        else:
            for name in ("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"):
                typer.echo(f"export {name}={shlex.quote(variables[name])}")
            sys.stdout.flush()
            _say("Ctrl-C ends it")
            await serving.interrupted()
    _sum_up(server)
    if command and not server.figures.requests:
        _say(
            "nothing asked the replay: do settings of the command's own name another address, such"
            " as ANTHROPIC_BASE_URL under `env` in a settings.json of Claude Code?"
        )
        status = status or 1
    return status


def _tell(told: Told) -> None:
    if told.match is None:
        _say(f"request {told.number}: nothing of its kind is recorded")
        return
    match, turn = told.match, told.match.recorded.turn
    parts = [f"request {told.number}: turn {turn}{' again' if match.again else ''}"]
    if match.besides:
        parts.append(f"other {', '.join(match.besides)} than recorded")
    if told.framed:
        converted = told.framed == "converted"
        parts.append(f"{'put into' if converted else 'not in'} the manner asked for")
    _say("; ".join(parts))
    if found := match.divergence:
        _say(f"  parts from turn {found.turn} in message {found.message}:")
        _say(f"  - recorded: {_one_line(found.recorded)}")
        _say(f"  + asked:    {_one_line(found.asked)}")


def _one_line(text: str) -> str:
    return text.replace("\n", "\\n") or "(no such message)"


def _sum_up(server: Server) -> None:
    figures, unused = server.figures, server.script.unused
    told = [several(figures.requests, "request")]
    if figures.failed:
        told.append(f"{figures.failed} not answered")
    if figures.first and figures.first.match and (found := figures.first.match.divergence):
        told.append(
            f"{figures.diverged} diverged, first request {figures.first.number}"
            f" in message {found.message} (turn {found.turn})"
        )
    else:
        told.append("none diverged")
    if unused:
        told.append(f"not asked for: {', '.join(map(str, unused))}")
    _say("; ".join(told))


def _say(text: str) -> None:
    typer.echo(f"proctor: {visible(text)}", err=True)
