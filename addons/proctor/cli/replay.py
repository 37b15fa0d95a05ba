"""`proctor replay`: a recorded session again: watched, served or sent."""

import asyncio
import json
import os
import re
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from proctor.audit import find
from proctor.audit.conversation import Conversation, conversation
from proctor.audit.reader import opened
from proctor.cli import film as screenplay
from proctor.cli.common import CONFIG, ConfigOption, OutputFormat, visible
from proctor.cli.console import ConsoleOption, console_at
from proctor.cli.resend import send
from proctor.cli.screen import WIDTH, screen
from proctor.cli.served import serve_again
from proctor.config import load
from proctor.errors import ConfigurationError
from proctor.replay import cast
from proctor.replay.film import Event, film
from proctor.replay.recorded import read, watched_only
from proctor.replay.server import OnDivergence
from proctor.units import Address, parse_address
from proctor.yamlfile import read_bytes

_MAX_CA = 32 * 1024
_LOOPBACK = "127.0.0.1:0"
_TURNS = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", re.ASCII)


def replay(  # noqa: PLR0913 - one for each option
    session: Annotated[
        str,
        typer.Argument(help="A session_id, or its beginning; `last`: the newest."),
    ] = find.LAST,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- COMMAND …]",
            help="With --serve: run this against the recording, and end with its status.",
            show_default=False,
        ),
    ] = None,
    *,
    principal: Annotated[
        str | None, typer.Option(help="Whose, where several have a session of that name.")
    ] = None,
    speed: Annotated[float, typer.Option(min=1, max=100, help="How much faster than it was.")] = 1,
    pauses: Annotated[
        bool, typer.Option("--pauses", help="Keep pauses; else each lasts 2 s at most.")
    ] = False,
    to_cast: Annotated[
        Path | None,
        typer.Option("--cast", help="Write an asciicast v3 to this file, for asciinema."),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Answer a client from the recording, without upstream.")
    ] = False,
    listen: Annotated[
        str | None,
        typer.Option(
            help="With --serve: where. Others than this machine only if said here;"
            f" left out, {_LOOPBACK}.",
            show_default=False,
        ),
    ] = None,
    on_divergence: Annotated[
        OnDivergence,
        typer.Option(
            help="With --serve: what a client gets that asks for something else: the nearest"
            " recorded answer, or an error."
        ),
    ] = OnDivergence.ANSWER,
    resend: Annotated[
        bool,
        typer.Option(
            "--send", help="Have the gateway send the recorded requests again, once approved."
        ),
    ] = False,
    to: Annotated[
        str | None,
        typer.Option(
            help="With --send: a listener, by name: its upstream gets them, with its credential;"
            " or a URL: https, or http on this machine."
        ),
    ] = None,
    through: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="With --send: what was asked of an API through this listener; left out, the"
            " requests to the model.",
            show_default=False,
        ),
    ] = None,
    credential: Annotated[
        str | None,
        typer.Option(
            help="With --to URL: put this in, where proctor.yaml sends it there already; left out,"
            " nothing.",
            show_default=False,
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(help="With --to URL: PEM of the authorities to trust, instead of the public."),
    ] = None,
    turns: Annotated[
        str | None, typer.Option(help="With --send: only these, such as 3 or 3-7.")
    ] = None,
    betas: Annotated[
        str, typer.Option(help="With --send: `anthropic-beta`, which is not on record.")
    ] = "",
    reason: Annotated[str, typer.Option(help="With --send: why, for whoever decides.")] = "",
    console: ConsoleOption = None,
    width: Annotated[int | None, typer.Option(min=40, max=1000, help="Columns to use.")] = None,
    config: ConfigOption = CONFIG,
    output: Annotated[
        OutputFormat | None,
        typer.Option("--format", help="json: the events with their times, at once."),
    ] = None,
) -> None:
    """Play a recorded session as it was, serve it to a client, or send its requests again.

    Watching: space pauses, q ends. SQL is played statement by statement, and is for watching only:
    it is neither served nor sent again. Where the output is no terminal, all of it comes at once.

    Serving: the client gets the recorded answers, byte for byte, and no upstream is asked. Run it
    in the same folder as then, for tools do run again:

      proctor replay 3f2a --serve -- claude -p "the same words"

    Sending: another human approves exactly these requests first; answers are then compared.

      proctor replay 3f2a --send --to claude --turns 3-7 --reason "Is the new model as good?"

      proctor replay 3f2a --send --to https://staging.internal/api --ca corp.pem --from tickets
    """
    _fit(serve=serve, command=command, listen=listen, to_cast=to_cast, output=output)
    if resend or to or turns or through or credential or ca:
        first, last = _range(turns)
        if not (resend and to) or serve or to_cast:
            raise typer.BadParameter(
                "go together, and without the others", param_hint="--send, --to"
            )
        asked = {"session": session, "principal": principal, "to": to, "first": first, "last": last,
                 "betas": betas, "reason": reason, "from": through, "credential": credential,
                 "ca": _authorities(ca)}  # fmt: skip
        with console_at(console, config) as api:
            done = send(api, asked, output)
        raise typer.Exit(0 if done else 1)
    settings = load(config)
    with opened(settings.audit.path) as reader:
        if reader is None:
            raise find.empty()
        with _reading():
            talk = conversation(reader, find.find(reader, session, principal))
        if not serve:
            _watch(talk, speed=speed, pauses=pauses, to_cast=to_cast, width=width, output=output)
            return
        with _reading():
            recording = read(talk)
    if said := watched_only(talk):
        typer.echo(said, err=True)
    address = _address(listen)
    raise typer.Exit(asyncio.run(serve_again(recording, address, on_divergence, command or [])))


def _fit(
    *,
    serve: bool,
    command: list[str] | None,
    listen: str | None,
    to_cast: Path | None,
    output: OutputFormat | None,
) -> None:
    if output is OutputFormat.CSV:
        raise typer.BadParameter("a film is no table; take json", param_hint="--format")
    if serve and (to_cast or output):
        raise typer.BadParameter("for watching only", param_hint="--cast, --format")
    if not serve and (command or listen):
        raise typer.BadParameter("add --serve", param_hint="--listen, COMMAND")


def _authorities(path: Path | None) -> str | None:
    if path is None:
        return None
    raw = read_bytes(path, _MAX_CA + 1)
    if len(raw) > _MAX_CA or not raw.isascii() or b"PRIVATE KEY" in raw:
        raise typer.BadParameter(
            f"expected certificates in PEM, {_MAX_CA // 1024} KiB at most", param_hint="--ca"
        )
    return raw.decode()


def _range(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    found = _TURNS.fullmatch(text)
    if not found:
        raise typer.BadParameter("expected a turn or a range, such as 3-7", param_hint="--turns")
    return int(found[1]), int(found[2] or found[1])


def _address(text: str | None) -> Address:
    try:
        return parse_address(text or _LOOPBACK)
    except ValueError as error:
        raise typer.BadParameter(f"expected {error}", param_hint="--listen") from None


def _watch(  # noqa: PLR0913 - one for each option
    talk: Conversation,
    *,
    speed: float,
    pauses: bool,
    to_cast: Path | None,
    width: int | None,
    output: OutputFormat | None,
) -> None:
    with _reading():
        events = film(talk, pauses=pauses)
    if output is OutputFormat.JSON:
        told = {
            "session": talk.totals.session_id,
            "seconds": max(event.until for event in events),
            "events": [asdict(event) for event in events],
        }
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
        return
    if to_cast:
        _write_cast(talk, events, to_cast, speed=speed, columns=width or WIDTH)
        return
    console = screen(sys.stdout, width)
    if not console.is_terminal:
        screenplay.at_once(events, console)
        return
    with screenplay.keys() as wait:
        screenplay.play(events, console, wait, speed=speed)


def _reading() -> AbstractContextManager[object]:
    """Tells somebody who looks that a long session is being read."""
    console = screen(sys.stderr)
    return console.status("Reading the session …") if console.is_terminal else nullcontext()


def _write_cast(
    talk: Conversation, events: list[Event], path: Path, *, speed: float, columns: int
) -> None:
    shown = ((at / speed, text) for at, text in screenplay.drawn(events, columns))
    name = visible(talk.totals.session_id or "a session")
    try:
        # For its owner only: what was said in a session is in it.
        with open(path, "x", encoding="utf-8", opener=_private) as file:
            file.writelines(
                cast.lines(shown, title=name, columns=columns, at=talk.totals.started_at)
            )
    except OSError as error:
        raise ConfigurationError(
            "replay-cast",
            "The film cannot be written",
            got=error.strerror or type(error).__name__,
            expected="a new file in a folder that can be written",
            where=str(path),
        ) from None
    typer.echo(f"Written: {visible(str(path))}", err=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
