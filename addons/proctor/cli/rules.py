"""`proctor rules`: rules drafted from what a session did."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from proctor.audit.find import empty, find
from proctor.audit.reader import opened
from proctor.cli.common import CONFIG, ConfigOption, visible
from proctor.config import load
from proctor.errors import ClientError, ConfigurationError
from proctor.policy.backtest import Change, Judge
from proctor.policy.backtestrun import Job, backtest
from proctor.policy.engine import load_policy, rule_files
from proctor.policy.features import Features
from proctor.policy.recorded import Recorded
from proctor.policy.recordedrows import recorded_session
from proctor.policy.suggest import Draft, draft
from proctor.runtime.features import features_of
from proctor.settings import Config
from proctor.units import parse_duration

_FILE = "suggested-by-proctor.yaml"

rules = typer.Typer(
    no_args_is_help=True, help="Rules drafted from what a session did.", rich_markup_mode=None
)


@rules.callback()
def _group() -> None:
    """Rules drafted from what a session did."""


@rules.command()
def suggest(  # noqa: PLR0913 - one for each option
    session: Annotated[
        str | None,
        typer.Argument(help="A session, or the beginning of its name; left out: the last."),
    ] = None,
    *,
    principal: Annotated[
        str | None, typer.Option("--principal", help="Whose, where several have one of that name.")
    ] = None,
    wider: Annotated[
        bool,
        typer.Option(
            "--wider", help="Allow what begins like several commands or paths of the session."
        ),
    ] = False,
    tried: Annotated[
        bool, typer.Option("--tried", help="Also what the session tried and was denied.")
    ] = False,
    since: Annotated[
        str, typer.Option("--since", help="How far back to look for what else would pass.")
    ] = "7d",
    config: ConfigOption = CONFIG,
) -> None:
    r"""Draft the narrowest rules that would have allowed what a session did.

    What comes out is a rule file to read and edit. It was tried: over that session, of which it
    allows everything, and with the rules in force over the rest of the record, for what else it
    would let pass. Exit status 0: done. 1: the record does not hold all that the session did.

    \b
    proctor rules suggest 4f0c2c4e > rules/ci-build.yaml
    """
    settings = load(config)
    with opened(settings.audit.path) as reader:
        if reader is None:
            raise empty()
        target = find(reader, session, principal)
    if target.session_id is None or target.principal is None:
        raise ClientError(
            code="session-unknown",
            message="This is one exchange, and no session",
            expected="a session's name",
            hint="`proctor sessions` lists them.",
            status=404,
        )
    found = recorded_session(settings.audit.path, target.principal, target.session_id)
    done = [each for each in found if tried or each.verdict != "deny"]
    name = target.session_id
    notes: list[str] = []
    with TemporaryDirectory(prefix="proctor-") as made:
        first = draft(done, name, wider=wider)
        uncovered, problem = _uncovered(settings, first, done, Path(made) / "alone")
        if problem:
            notes.append(f"As it stands it cannot be loaded: {problem}.")
        if uncovered > first.left_out:
            notes.append(f"{uncovered - first.left_out} actions are still not allowed by these.")
        if first.actions:
            notes += _elsewhere(settings, first, found, Path(made) / "all", _ago(since))
    text = draft(done, name, wider=wider, notes=notes).text
    typer.echo(visible(text), nl=False)
    if uncovered:
        typer.echo(f"{uncovered} of {len(done)} actions are not covered.", err=True)
    raise typer.Exit(1 if uncovered else 0)


def _uncovered(
    settings: Config, made: Draft, done: Sequence[Recorded], folder: Path
) -> tuple[int, str]:
    """How many actions the draft alone does not allow, and what keeps it from loading."""
    if not made.actions:
        return len(done), ""
    folder.mkdir()
    (folder / _FILE).write_text(made.text, encoding="utf-8")
    judge = Judge(load_policy(folder, features=_anything(settings)))
    problem = ""
    try:
        load_policy(folder, features=features_of(settings))
    except ConfigurationError as error:
        problem = error.message
    return sum(judge.answer(each).verdict != "allow" for each in done), problem


def _anything(settings: Config) -> Features:
    """What rules may name, listeners and servers that are no longer there, too."""
    return replace(features_of(settings), listeners=None, servers=None)


def _elsewhere(
    settings: Config, made: Draft, found: Sequence[Recorded], folder: Path, since: datetime
) -> list[str]:
    """What the draft would let pass besides, put beside the rules in force."""
    folder.mkdir()
    for file in rule_files(settings.rules):
        copyfile(file, folder / file.name)
    (folder / _FILE).write_text(made.text, encoding="utf-8")
    features = _anything(settings)
    job = Job(
        recordings=settings.audit.path,
        rules=folder,
        now=settings.rules,
        features=features,
        features_now=features,
        since=since,
        until=datetime.now(UTC),
    )
    judge = Judge(load_policy(folder, features=features))
    own = sum(
        each.case.now >= since and each.verdict != "allow" and judge.answer(each).verdict == "allow"
        for each in found
    )
    base = replace(job, rules=settings.rules)
    before, after = backtest(base, workers=1), backtest(job, workers=1)
    others = after.changes.get(Change.ALLOWED, 0) - before.changes.get(Change.ALLOWED, 0) - own
    if others <= 0:
        return ["Tried over the record: nothing else that was denied or held would pass."]
    words = f"Tried over the record: {others} actions outside this session would pass as well."
    return [f"{words} `proctor backtest` shows which."]


def _ago(text: str) -> datetime:
    try:
        return datetime.now(UTC) - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"expected {error}", param_hint="--since") from None
