"""`proctor ca`: the authority whose certificates clients of a forward listener see."""

import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated

import typer

from proctor.cli.common import CONFIG, ConfigOption, FormatOption, OutputFormat, render, user
from proctor.config import load
from proctor.egress import bundle, cafile
from proctor.egress.cafile import Authorities
from proctor.egress.certificates import Ca
from proctor.egress.constraints import Constraints
from proctor.errors import ClientError
from proctor.settings import Config

COLUMNS = ("id", "role", "subject", "fingerprint", "not_before", "not_after", "constraints")

_SOON = timedelta(days=90)
_WARNINGS = {
    "--prepare": "This makes the next authority. It signs nothing yet.",
    "--switch": "From now on, clients that do not trust the next authority yet are cut off. The"
    " key of the present one is destroyed: there is no way back.",
    "--drop": "What is dropped is no longer exported; what is old has no key any more, what is"
    " next loses it.",
}

ca = typer.Typer(
    help="The authority whose certificates clients of a forward listener see.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Form(StrEnum):
    """How certificates are written."""

    PEM = "pem"
    DER = "der"
    BUNDLE = "bundle"


@ca.command()
def show(*, config: ConfigOption = CONFIG, output: FormatOption = None) -> None:
    """List the authorities of this installation: which one signs, which is next, which are old."""
    settings = load(config)
    found = cafile.load(cafile.path_in(settings.state))
    if output is None and _terminal(sys.stdout):
        output = OutputFormat.TABLE
    rows = found.rows()
    render(map(_short, rows) if output is OutputFormat.TABLE else rows, COLUMNS, output)
    if found.signs.constraints != Constraints.parse(settings.ca.permitted):
        typer.echo("`ca.permitted` has changed since: rotate for it to take effect.", err=True)
    if found.signs.ends - _now() < _SOON:
        typer.echo("The authority that signs ends soon: rotate.", err=True)


@ca.command()
def export(
    *,
    form: Annotated[
        Form,
        typer.Option(
            "--format", help="pem: our own; der: one of them; bundle: the system's and our own."
        ),
    ] = Form.PEM,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file, which all may read.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Only this authority, by its id.", show_default=False)
    ] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Write the certificates that clients are to trust; never a key. Makes the first authority.

    \b
    NODE_EXTRA_CA_CERTS takes pem; SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE,
    GIT_SSL_CAINFO and PIP_CERT stand for all that a client trusts, so they take bundle.
    """  # noqa: D301 - \b keeps typer from joining the lines
    if form is Form.BUNDLE and only is not None:
        raise typer.BadParameter("a bundle holds all of them", param_hint="--only")
    now = _now()
    cas = [item for item in _authorities(load(config), now).trusted(now) if only in {None, item.id}]
    if not cas:
        raise ClientError(
            "ca-none",
            "There is no such authority that clients could trust",
            hint="`proctor ca show` lists them.",
            status=404,
        )
    data = _written(cas, form)
    if out is not None:
        bundle.write(out, data)
        names = ", ".join(item.id for item in cas)
        typer.echo(f"{out} holds {names}.", err=True)
    elif form is Form.DER and _terminal(sys.stdout):
        raise typer.BadParameter("DER is not for terminals; name a file", param_hint="--out")
    else:
        typer.echo(data, nl=False)


@ca.command()
def rotate(  # noqa: PLR0913 - one for each option
    identifier: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="With --drop: which one; else all old ones.", show_default=False
        ),
    ] = None,
    *,
    prepare: Annotated[bool, typer.Option("--prepare", help="Make the next authority.")] = False,
    switch: Annotated[bool, typer.Option("--switch", help="Let the next authority sign.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Take old authorities out.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Go from one authority to another so that no client loses trust, in three steps.

    \b
    1. --prepare makes the next authority, which signs nothing yet. `proctor ca export` now
       holds both: bring it to every client.
    2. --switch lets the next one sign, once every client has it. The old one stays in exports
       until it ends, and its key is destroyed at once.
    3. --drop takes the old one out. `proctor ca export` again, and bring it to every client.

    Where a key has leaked, take all three at once: clients are cut off until they trust the new
    authority. Running gateways follow within a second, and put each step on record.
    """  # noqa: D301 - \b keeps typer from joining the lines
    chosen = [
        name
        for name, given in (("--prepare", prepare), ("--switch", switch), ("--drop", drop))
        if given
    ]
    if len(chosen) != 1:
        raise typer.BadParameter("name one step", param_hint="--prepare, --switch, --drop")
    if identifier is not None and not drop:
        raise typer.BadParameter("only with --drop", param_hint="ID")
    settings = load(config)
    path, by = cafile.path_in(settings.state), user()
    cafile.load(path)  # says what is wrong before anybody is asked
    if not yes:
        if not _terminal(sys.stdin):
            raise typer.BadParameter("needed where nobody can be asked", param_hint="--yes")
        typer.echo(_WARNINGS[chosen[0]], err=True)
        typer.confirm("Go on?", abort=True, err=True)
    if prepare:
        constraints = Constraints.parse(settings.ca.permitted)
        found = cafile.prepare(path, constraints, now=_now(), by=by)
        after = "is next. Bring `proctor ca export` to every client, then --switch."
        typer.echo(f"{found.cas[1].id} {after}")
    elif switch:
        found = cafile.switch(path, by=by)
        typer.echo(f"{found.signs.id} signs. When nothing needs the old one, --drop it.")
    else:
        found = cafile.drop(path, identifier, by=by)
        typer.echo(f"{', '.join(item.id for item in found.cas)} left. Export again.")


def _authorities(settings: Config, now: datetime) -> Authorities:
    constraints = Constraints.parse(settings.ca.permitted)
    return cafile.create(cafile.path_in(settings.state), constraints, now=now, by=user())


def _written(cas: list[Ca], form: Form) -> bytes:
    if form is Form.BUNDLE:
        return bundle.complete(cas)
    if form is Form.PEM:
        return bundle.own(cas)
    if len(cas) > 1:
        names = ", ".join(item.id for item in cas)
        raise typer.BadParameter(f"DER holds one, say which: {names}", param_hint="--only")
    return bundle.as_der(cas[0])


def _short(row: dict[str, str]) -> dict[str, str]:
    """For a narrow table, which would cut a word that is too long."""
    digits = row["fingerprint"]
    pieces = (digits[start : start + 8] for start in range(0, len(digits), 8))
    days = {key: row[key][:10] for key in ("not_before", "not_after")}
    return {**row, **days, "fingerprint": " ".join(pieces)}


def _terminal(stream: IO[str]) -> bool:
    return stream.isatty()


def _now() -> datetime:
    return datetime.now(UTC)
