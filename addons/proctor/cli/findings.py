"""`proctor findings`: what was found, and which of it is harmless."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from pydantic import ValidationError

from proctor.audit import find
from proctor.audit.reader import opened
from proctor.cli.common import CONFIG, ConfigOption, FormatOption, OutputFormat, render, user
from proctor.config import load
from proctor.errors import ClientError, ConfigurationError
from proctor.redaction import exceptions
from proctor.redaction.exceptions import DETECTOR, DIGEST, FILE, LONGEST, Allowance
from proctor.settings import Config
from proctor.units import parse_duration

FOUND = (
    "ts", "session_id", "subject", "entity_type", "direction", "location", "detector", "action",
    "digest", "flow_id",
)  # fmt: skip
ALLOWED = ("id", "detector", "digest", "path", "state", "expires", "by", "created", "reason")

findings = typer.Typer(
    help="What was found in traffic, and which of it is harmless.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@findings.command("list")
def list_(  # noqa: PLR0913 - one for each option
    *,
    session: Annotated[
        str | None, typer.Option(help="Only of this session, by the beginning of its name.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--type", help="Only of this type, such as EMAIL_ADDRESS.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what was found after this long ago: 24h, 7d.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 100,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """List findings from the record, the newest first; never a value.

    Equal values have equal digests, wherever they were found.
    """
    after = None if since is None else datetime.now(UTC) - _span(since, "--since")
    settings = load(config)
    with opened(settings.audit.path) as reader:
        rows = (
            list(find.findings(reader, session=session, kind=kind, since=after, limit=limit))
            if reader
            else []
        )
    render(rows, FOUND, output)
    if not rows:
        typer.echo("Nothing of the kind is on record.", err=True)


@findings.command()
def allow(  # noqa: PLR0913 - one for each option
    *,
    detector: Annotated[
        str, typer.Option(help="Whose findings, such as betterleaks:generic-api-key.")
    ],
    reason: Annotated[str, typer.Option(help="Why it is harmless.")],
    digest: Annotated[
        str, typer.Option(help="Of the value, as `proctor findings list` shows it.")
    ] = "",
    path: Annotated[
        str, typer.Option(help="Place of the finding; [*] stands for any number.")
    ] = "",
    lasts: Annotated[
        str, typer.Option("--for", help=f"How long, at most {LONGEST.days}d.")
    ] = "30d",
    config: ConfigOption = CONFIG,
) -> None:
    """Call a finding harmless: this detector's, with this digest or at this place, for a time.

    A running gateway takes it up within a second and records it as an event. Until there is a
    console to ask an admin, whoever may write proctor's state folder decides; it is open to
    proctor's own user only, which an agent must never run as.
    """
    if not DETECTOR.fullmatch(detector):
        raise typer.BadParameter(
            "the name of one detector, such as betterleaks:generic-api-key; a type is too broad",
            param_hint="--detector",
        )
    if not digest and not path:
        raise typer.BadParameter("name what is harmless", param_hint="--digest, --path")
    if digest and not DIGEST.fullmatch(digest):
        raise typer.BadParameter("a whole digest, as listed", param_hint="--digest")
    length = _span(lasts, "--for")
    if length > LONGEST:
        raise typer.BadParameter(f"at most {LONGEST.days}d", param_hint="--for")
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        item = Allowance(
            detector=detector,
            digest=digest,
            path=path,
            reason=reason,
            by=user(),
            created=now,
            expires=now + length,
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = "--reason" if "reason" in first["loc"] else "--path"
        raise typer.BadParameter(first["msg"], param_hint=where) from None
    settings = load(config)
    try:
        exceptions.add(settings.state / FILE, item, now)
    except OSError as error:
        raise _unwritable(settings, error) from None
    typer.echo(f"{item.id} allowed until {item.expires:%Y-%m-%d %H:%M} UTC.")


@findings.command()
def disallow(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="As `proctor findings allowed` shows it.")
    ],
    *,
    config: ConfigOption = CONFIG,
) -> None:
    """Take an exception away before it ends."""
    settings = load(config)
    try:
        gone = exceptions.remove(settings.state / FILE, identifier)
    except OSError as error:
        raise _unwritable(settings, error) from None
    if gone is None:
        raise ClientError(
            code="exception-unknown",
            message="There is no such exception",
            got=repr(identifier)[:40],
            hint="`proctor findings allowed` lists them.",
            status=404,
        )
    typer.echo(f"{gone.id} is no longer allowed.")


@findings.command()
def allowed(*, config: ConfigOption = CONFIG, output: FormatOption = None) -> None:
    """List what was called harmless, by whom, why and until when."""
    now = datetime.now(UTC)
    items = exceptions.load(load(config).state / FILE).items
    rows = [
        {**item.as_json(), "state": "in force" if now < item.expires else "ended"} for item in items
    ]
    render(rows, ALLOWED, output)
    if not rows and output is not OutputFormat.JSON:
        typer.echo("Nothing was called harmless.", err=True)


def _span(text: str, option: str) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"expected {error}", param_hint=option) from None


def _unwritable(settings: Config, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        code="exceptions-unwritable",
        message="The exceptions cannot be written",
        got=error.strerror or type(error).__name__,
        expected="a state folder that is this user's",
        hint="Run this as proctor's own user.",
        where=str(settings.state / FILE),
    )
