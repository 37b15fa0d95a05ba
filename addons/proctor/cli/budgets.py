"""`proctor budgets`: who has used how much of what."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from proctor.budgets.file import NAME, BudgetFile
from proctor.budgets.listing import standings
from proctor.budgets.model import Level
from proctor.cli.common import CONFIG, ConfigOption, FormatOption, render, visible
from proctor.config import load
from proctor.settings import Config

COLUMNS = ("budget", "who", "of", "used", "limit", "share", "standing", "then", "until")

budgets = typer.Typer(
    help="How much may be used, and who has used how much of it.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@budgets.callback()
def _budgets(context: typer.Context) -> None:
    """How much may be used, and who has used how much of it; by itself, `list`.

    \b
    proctor budgets
    proctor budgets list --over
    """  # noqa: D301 - \b keeps typer from joining the lines
    if context.invoked_subcommand is None:
        list_()


@budgets.command("list")
def list_(
    who: Annotated[
        str | None,
        typer.Argument(
            metavar="[WHO]",
            help="issuer#subject, a group, or issuer#subject SESSION; left out, everybody.",
            show_default=False,
        ),
    ] = None,
    *,
    over: Annotated[
        bool, typer.Option("--over", help="Only what is used up; exit status 1 if nothing is.")
    ] = False,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """List who has used how much, in the hour, day, month or session that goes on.

    What gateways counted in the last second may be missing.

    \b
    proctor budgets list
    proctor budgets list "https://idp.example#alice" --format csv
    """  # noqa: D301 - as above
    loaded = load(config)
    with _file(loaded) as file:
        found = standings(loaded.budgets, file, datetime.now(UTC))
    rows = [
        {
            "budget": each.budget.name,
            "who": each.pot.who,
            "of": each.budget.of,
            "used": round(each.used, 4),
            "limit": each.budget.limit,
            "share": round(each.share, 3),
            "standing": each.level.value,
            "then": each.budget.then,
            "until": each.until,
        }
        for each in found
        if who in {None, each.pot.who, each.pot.principal}
        and (not over or each.level is Level.OVER)
    ]
    render(rows, COLUMNS, output)
    if not loaded.budgets:
        typer.echo("There are none: see `budgets` in docs/budgets.md.", err=True)
    elif not rows:
        typer.echo("Nothing is used up." if over else "Nothing is used yet.", err=True)
    if over and not rows:
        raise typer.Exit(1)


@budgets.command()
def reset(
    budget: Annotated[str, typer.Argument(help="Its name, as in proctor.yaml.")],
    who: Annotated[str, typer.Argument(metavar="WHO", help="As `list` shows it.")],
    *,
    config: ConfigOption = CONFIG,
) -> None:
    """Have somebody begin anew; gateways that run know of it within a second.

    \b
    proctor budgets reset daily-tokens "https://idp.example#alice"
    """  # noqa: D301 - as above
    with _file(load(config)) as file:
        gone = file.reset(budget, {who})
    if not gone:
        typer.echo(f"Nothing is used of {visible(budget)} by {visible(who)}.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{visible(who)} begins {visible(budget)} anew.")


@contextlib.contextmanager
def _file(config: Config) -> Iterator[BudgetFile]:
    with contextlib.closing(BudgetFile(config.state / NAME)) as file:
        yield file
