"""`proctor postgres`: sensitive columns kept back by a database server's own rights."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proctor.cli.common import (
    CONFIG,
    ConfigOption,
    FormatOption,
    OutputFormat,
    render,
    visible,
)
from proctor.config import load
from proctor.settings import Config

if TYPE_CHECKING:
    from proctor.postgres.hardening.admin import Admin
    from proctor.postgres.hardening.applying import Shown
    from proctor.postgres.hardening.model import Wanted
    from proctor.postgres.settings import PostgresListener

STEPS = ("number", "what", "sql", "undo")
WAYS = ("kind", "object", "how", "mend", "sure", "columns")

ListenerArgument = Annotated[
    str, typer.Argument(metavar="LISTENER", help="Of kind postgres, with `masking.columns`.")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(help="Which; left out, the listener's `database`.", show_default=False),
]
RoleOption = Annotated[
    str | None,
    typer.Option(
        help="From whom the columns are kept; left out, the role the listener signs in as. Made"
        " where there is none.",
        show_default=False,
    ),
]
SchemaOption = Annotated[str, typer.Option(help="Where the masked views go.")]
AdminOption = Annotated[
    str | None,
    typer.Option(
        help="Who changes it: a role at the listener's server, a credential's name, or a URL such"
        " as postgresql:///shop?host=/run/postgresql&user=postgres. The password is PGPASSWORD, or"
        " in the file PGPASSFILE, or asked for.",
        show_default=False,
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Ask nothing.")]

postgres = typer.Typer(
    help="Sensitive columns, kept back by a database server's own rights.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@postgres.command()
def harden(  # noqa: PLR0913 - one for each option
    listener: ListenerArgument,
    *,
    admin: AdminOption = None,
    database: DatabaseOption = None,
    role: RoleOption = None,
    schema: SchemaOption = "masked",
    apply: Annotated[bool, typer.Option("--apply", help="Do it.")] = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """Keep sensitive columns from a role: shown first, done with --apply.

    Rights on the tables become rights on the other columns, and masked views come first in the
    role's search path. All of it is one transaction, and `undo` takes it back. Where a plan is in
    force, it is taken back and made anew.

    \b
    proctor postgres harden orders --admin shop_owner
    proctor postgres harden orders --admin shop_owner --apply
    """  # noqa: D301 - \b keeps typer from joining the lines
    from proctor.postgres.hardening import applying  # noqa: PLC0415 - others do without
    from proctor.postgres.hardening.planning import PASSWORD  # noqa: PLC0415 - the same
    from proctor.postgres.hardening.stored import Plans  # noqa: PLC0415 - the same

    settings = load(config)
    place = _listener(settings, listener)
    wanted = _wanted(settings, place, database, role, schema)
    who, plans = _admin(settings, place, admin), Plans(settings.state)
    if apply and not yes and not sys.stdin.isatty():
        raise typer.BadParameter("needed where nobody can be asked", param_hint="--yes")

    async def look() -> "Shown":
        async with _asked(place, who, wanted) as connection:
            return await applying.show(connection, wanted, plans)

    shown = asyncio.run(look())
    _show(shown, wanted, output)
    if not apply:
        if shown.plan.steps:
            typer.echo("Nothing was changed; --apply does it.", err=True)
        return
    if not yes:
        typer.confirm("Apply it?", abort=True, err=True)
    secret = _password_of(settings, place, wanted)

    async def do(told: Callable[[str], None]) -> None:
        async with _asked(place, who, wanted) as connection:
            await applying.apply(
                connection,
                wanted,
                plans,
                shown=shown,
                password=secret,
                now=datetime.now(UTC),
                told=told,
            )

    with _told() as told:
        asyncio.run(do(told))
    if secret is None and any(PASSWORD in sql for each in shown.plan.steps for sql in each.sql):
        typer.echo(f"{visible(wanted.role)} has no password yet, and cannot sign in.", err=True)
    typer.echo(
        f"Applied. {visible(str(plans.path(wanted)))} says how to undo it: keep it. Now see"
        f" `proctor postgres inventory {visible(listener)}`.",
        err=True,
    )


@postgres.command()
def inventory(  # noqa: PLR0913 - one for each option
    listener: ListenerArgument,
    *,
    admin: AdminOption = None,
    database: DatabaseOption = None,
    role: RoleOption = None,
    schema: SchemaOption = "masked",
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """List ways by which a role could still reach a sensitive column.

    Rights and memberships, views and functions that act with their owner's rights, copies, foreign
    tables, extensions. Nothing is changed; without --admin the listener's own credential asks.
    Exit status 1 if there is one. `masking.trusted` names those that somebody has looked at.

    \b
    proctor postgres inventory orders
    """  # noqa: D301 - as above
    from proctor.postgres.hardening import inventory as listing  # noqa: PLC0415 - others do without

    settings = load(config)
    place = _listener(settings, listener)
    wanted = _wanted(settings, place, database, role, schema)
    who = _admin(settings, place, admin or place.credential or place.credential_names[0])

    async def look() -> list[dict[str, Any]]:
        async with _asked(place, who, wanted) as connection:
            return [asdict(each) for each in await listing.inventory(connection, wanted)]

    rows = asyncio.run(look())
    render([_way(each, output) for each in rows], WAYS[:5] if _table(output) else WAYS, output)
    sure = sum(each["sure"] for each in rows)
    if not rows:
        typer.echo(
            f"No way is left for {visible(wanted.role)} that the catalog tells of.", err=True
        )
        return
    typer.echo(f"{sure} ways, and {len(rows) - sure} that somebody has to look at.", err=True)
    raise typer.Exit(1)


@postgres.command()
def undo(  # noqa: PLR0913 - one for each option
    listener: ListenerArgument,
    *,
    admin: AdminOption = None,
    database: DatabaseOption = None,
    role: RoleOption = None,
    show: Annotated[bool, typer.Option("--show", help="Show what would be run, and end.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also where the server was changed since.")
    ] = False,
    yes: YesOption = False,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """Take back what `harden` has done.

    In one transaction: all is as it was before, the order of rights included. What was changed
    since is not overwritten, unless with --force.

    \b
    proctor postgres undo orders --show
    proctor postgres undo orders --admin shop_owner
    """  # noqa: D301 - as above
    from dataclasses import replace  # noqa: PLC0415 - the others do without

    from proctor.postgres.hardening import applying  # noqa: PLC0415 - the same
    from proctor.postgres.hardening.stored import Plans  # noqa: PLC0415 - the same

    settings = load(config)
    place = _listener(settings, listener, columns=False)
    wanted, plans = _wanted(settings, place, database, role, ""), Plans(settings.state)
    applied = plans.load(wanted)
    if applied is None:
        typer.echo("There is nothing to undo.", err=True)
        return
    wanted = replace(wanted, schema=applied.schema)
    if show:
        rows = [{"number": at, "sql": sql} for at, sql in enumerate(applied.undo, 1)]
        render(rows, ("number", "sql"), output)
        return
    who = _admin(settings, place, admin)
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("needed where nobody can be asked", param_hint="--yes")
        typer.echo(
            f"{visible(wanted.role)} reads again what it could before {applied.at}.", err=True
        )
        typer.confirm("Go on?", abort=True, err=True)

    async def do() -> bool:
        async with _asked(place, who, wanted) as connection:
            return await applying.undo(connection, wanted, plans, force=force)

    done = asyncio.run(do())
    typer.echo("All is as it was." if done else "It had never come to be.", err=True)


def _listener(settings: Config, name: str, *, columns: bool = True) -> "PostgresListener":
    found = next((each for each in settings.postgres if each.name == name), None)
    if found is None:
        known = ", ".join(each.name for each in settings.postgres) or "none"
        raise typer.BadParameter(f"there are: {known}", param_hint="LISTENER")
    if columns and (found.masking is None or not found.masking.columns):
        raise typer.BadParameter("it has no `masking.columns`", param_hint="LISTENER")
    return found


def _wanted(
    settings: Config,
    listener: "PostgresListener",
    database: str | None,
    role: str | None,
    schema: str,
) -> "Wanted":
    from proctor.postgres.hardening.asking import roles, wanted  # noqa: PLC0415 - late, as above

    name = database or listener.database
    if name is None:
        raise typer.BadParameter("the listener serves all, so name one", param_hint="--database")
    candidates = roles(listener, settings.credentials)
    if role is None and len(candidates) != 1:
        raise typer.BadParameter(f"one of {', '.join(candidates)}", param_hint="--role")
    return wanted(listener, database=name, role=role or candidates[0], schema=schema)


def _admin(settings: Config, listener: "PostgresListener", given: str | None) -> "Admin":
    from proctor.credentials.secrets import read_secret  # noqa: PLC0415 - late, as above
    from proctor.postgres.hardening.admin import Admin, url_of  # noqa: PLC0415 - the same

    if given is None:
        raise typer.BadParameter(
            f"who owns the tables behind {listener.name}, or a superuser", param_hint="--admin"
        )
    if "://" in given:
        return url_of(given)
    known = {each.name: each for each in settings.credentials}
    item = known.get(given)
    if item is not None and item.user is not None and item.password is not None:
        secret = asyncio.run(read_secret(item.password, f"the credential {given!r}"))
        return Admin(user=item.user, password=secret.value)
    if sys.stdin.isatty() and not {"PGPASSWORD", "PGPASSFILE"} & set(os.environ):
        said = f"Password of {visible(given)} (none: as libpq finds one)"
        asked = typer.prompt(said, default="", show_default=False, hide_input=True, err=True)
        return Admin(user=given, password=asked or None)
    return Admin(user=given)


def _password_of(settings: Config, listener: "PostgresListener", wanted: "Wanted") -> str | None:
    """Of the credential that signs in as the role, for one that is made."""
    from proctor.credentials.secrets import read_secret  # noqa: PLC0415 - late, as above

    for each in settings.credentials:
        if each.name in listener.credential_names and each.user == wanted.role and each.password:
            found = asyncio.run(read_secret(each.password, f"the credential {each.name!r}"))
            return found.value
    return None


@asynccontextmanager
async def _asked(
    listener: "PostgresListener", admin: "Admin", wanted: "Wanted"
) -> AsyncIterator[Any]:
    from proctor.postgres.hardening.admin import connected  # noqa: PLC0415 - late, as above
    from proctor.postgres.tls import Contexts  # noqa: PLC0415 - the same

    async with connected(listener, admin, wanted.database, Contexts()) as connection:
        yield connection


def _show(shown: "Shown", wanted: "Wanted", output: OutputFormat | None) -> None:
    plan = shown.plan
    if output is None and sys.stdout.isatty():
        _read_out(shown)
    else:
        _listed(shown, output)
    if shown.replaces:
        typer.echo(f"It takes the place of what was applied {shown.replaces}.", err=True)
    for each in plan.warnings:
        typer.secho("warning", fg=typer.colors.YELLOW, bold=True, err=True, nl=False)
        typer.echo(f" {visible(each)}", err=True)
    if not plan.steps:
        typer.echo(f"{visible(wanted.role)} reaches nothing of it as it is.", err=True)


def _read_out(shown: "Shown") -> None:
    """For people: what, and the SQL below it."""
    from rich.padding import Padding  # noqa: PLC0415 - a pipe does without

    from proctor.cli.screen import code, plain, put, screen  # noqa: PLC0415 - the same

    console = screen(sys.stdout)
    for at, step in enumerate(shown.plan.steps, 1):
        # A name with a line end in it is not to look like another step.
        what = step.what.replace("\n", "\\n")
        put(console, plain(f"{at}. {what}", "bold"))
        for sql in step.sql:
            put(console, Padding(code(f"{sql};", "postgresql"), (0, 0, 0, 3)))


def _listed(shown: "Shown", output: OutputFormat | None) -> None:
    plan = shown.plan
    rows = [
        {
            "number": at,
            "what": step.what,
            "sql": ";\n".join(step.sql) if _table(output) else list(step.sql),
            "undo": list(step.undo),
        }
        for at, step in enumerate(plan.steps, 1)
    ]
    render(rows, STEPS[:3] if _table(output) else STEPS, output)


def _table(output: OutputFormat | None) -> bool:
    return output is OutputFormat.TABLE or (output is None and sys.stdout.isatty())


def _way(row: Mapping[str, Any], output: OutputFormat | None) -> dict[str, Any]:
    if not _table(output):
        return {**row, "kind": str(row["kind"])}
    return {**row, "kind": str(row["kind"]), "sure": "yes" if row["sure"] else "look"}


@contextmanager
def _told() -> Iterator[Callable[[str], None]]:
    """Shows what is under way where somebody looks."""
    from rich.console import Console  # noqa: PLC0415 - a hundred ms that a pipe does without
    from rich.text import Text  # noqa: PLC0415 - the same

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("applying …") as status:
        yield lambda what: status.update(Text(f"{visible(what)} …"))
