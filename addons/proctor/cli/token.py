"""`proctor token --local`: a token of the local issuer, for trying out on one's own machine."""

import time
from pathlib import Path
from typing import Annotated

import typer

from proctor.cli.common import CONFIG, ConfigOption
from proctor.config import Config, load
from proctor.errors import ConfigurationError
from proctor.identity.claims import MAX_SUBJECT
from proctor.identity.groups import MAX_NAME
from proctor.identity.local import FILE, LOCAL, make
from proctor.units import parse_duration

_WARNING = """\
WARNING: this token is made here and proves nothing about anyone. Local tokens are for trying
proctor out on your own machine: whoever can read {keys}
can be anybody, in any group. Where it matters, take `local` out of the issuers in proctor.yaml
and use your own identity provider."""


def token(  # noqa: PLR0913 - one for each option
    *,
    subject: Annotated[
        str, typer.Option("--subject", "-s", help="Who the token is for.", show_default=False)
    ],
    local: Annotated[
        bool,
        typer.Option(
            "--local", help="Have the local issuer make it; other issuers make their own."
        ),
    ] = False,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", "-g", help="A group of theirs; give it again for more."),
    ] = None,
    ttl: Annotated[str, typer.Option(help="How long it lives, at most 24h.")] = "1h",
    audience: Annotated[
        str | None,
        typer.Option(help="What it is for; the local issuer's audience in proctor.yaml if left."),
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Make a short-lived token for trying proctor out, and the keys for it if there are none.

    The token alone goes to standard output: export ANTHROPIC_AUTH_TOKEN=$(proctor token --local …)
    """
    if not local:
        raise typer.BadParameter(
            "only the local issuer makes tokens here; add --local, or get a token from your own"
            " identity provider",
            param_hint="--local",
        )
    lifetime = _lifetime(ttl)
    _check_names(subject, group or [])
    settings = load(config)
    keys = settings.state / FILE
    own = _audience(settings, config)
    issuer = make(keys)
    made = issuer.issue(
        subject=subject, groups=group or [], audience=audience or own, ttl=lifetime, now=time.time()
    )
    typer.secho(_WARNING.format(keys=keys), fg=typer.colors.YELLOW, bold=True, err=True)
    typer.echo(made)


def _lifetime(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"expected {error}", param_hint="--ttl") from None


def _check_names(subject: str, groups: list[str]) -> None:
    """What the gateway would not take is not issued."""
    for option, name, longest in (
        ("--subject", subject, MAX_SUBJECT),
        *(("--group", group, MAX_NAME) for group in groups),
    ):
        if not name.strip() or not name.isprintable() or len(name) > longest:
            raise typer.BadParameter(
                f"expected 1 to {longest} printable characters", param_hint=option
            )


def _audience(settings: Config, file: Path) -> str:
    for issuer in settings.identity.issuers:
        if issuer.issuer == LOCAL:
            return issuer.audience
    raise ConfigurationError(
        code="local-issuer-missing",
        message="The local issuer is not trusted here, so nothing would take its tokens",
        expected="`- issuer: local` under `identity.issuers`",
        hint="Add it for trying out, or get a token from your identity provider.",
        where=str(file),
    )
