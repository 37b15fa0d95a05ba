"""`proctor check`: is the configuration right, and do all rules matter?"""

import sys
from pathlib import Path

import typer

from proctor.cli.common import CONFIG, ConfigOption, FormatOption, OutputFormat, render
from proctor.config import Config, load
from proctor.egress.targets import targets_of
from proctor.errors import ConfigurationError
from proctor.fields import nearest
from proctor.model import ActionKind
from proctor.policy.engine import read_folder, rule_files
from proctor.policy.review import review
from proctor.redaction.ner import find_model
from proctor.runtime.features import features_of

COLUMNS = ("severity", "where", "message", "got", "expected", "hint", "code")

_KINDS = {
    "anthropic": (ActionKind.LLM_REQUEST,),
    "git": (ActionKind.GIT_FETCH, ActionKind.GIT_PUSH),
    "http": (ActionKind.HTTP_REQUEST,),
    "mcp": (ActionKind.MCP_CALL,),
    "tunnel": (ActionKind.HTTP_REQUEST,),
}

type Row = dict[str, object]


def check(*, config: ConfigOption = CONFIG, output: FormatOption = None) -> None:
    """Check proctor.yaml and the rules, and name every rule that can never match.

    Exit status 0: nothing found. 1: warnings. 2: something is wrong, and proctor would not start.
    """
    rows, checked = _findings(config)
    output = output or (OutputFormat.TABLE if sys.stdout.isatty() else OutputFormat.JSON)
    if rows or output is not OutputFormat.TABLE:
        shown = COLUMNS if output is not OutputFormat.TABLE else _used(rows)
        render(rows, shown, output)
    found = {row["severity"] for row in rows}
    quiet = "" if found & {"error", "warning"} else ": nothing is wrong"
    typer.secho(f"Checked {checked}{quiet}.", err=True)
    raise typer.Exit(2 if "error" in found else 1 if "warning" in found else 0)


def _findings(config: Path) -> tuple[list[Row], str]:
    """Everything found, and what was looked at."""
    try:
        settings = load(config)
    except ConfigurationError as error:
        return [_error(error)], f"{config}; the rules not yet"
    rules, _, errors = read_folder(settings.rules, features_of(settings))
    rows = [_error(error) for error in errors]
    if settings.redaction.ner:
        try:
            find_model(settings.redaction.ner.model, "redaction.ner.model")
        except ConfigurationError as error:
            rows.append(_error(error))
    if not errors:
        rows += [
            {"severity": remark.severity, "where": remark.where, "message": remark.message}
            for remark in review(rules, _kinds(settings), observe=settings.observe)
        ]
        rows += _retention(config, settings, [rule.id for rule in rules])
    return (
        rows,
        f"{config}, and {len(rules)} rules in {_count_files(settings.rules)} in {settings.rules}",
    )


def _kinds(settings: Config) -> frozenset[ActionKind]:
    """What the listeners make of their traffic."""
    found = {
        kind
        for listener in settings.listeners
        for target in targets_of(listener)
        for kind in _KINDS[target.speaks]
    }
    if settings.postgres:
        found.add(ActionKind.SQL_STATEMENT)
    if any(target.websocket for listener in settings.listeners for target in targets_of(listener)):
        found.add(ActionKind.WS_MESSAGE)
    return frozenset(found)


def _retention(config: Path, settings: Config, known: list[str]) -> list[Row]:
    """Ages of rules that there are not; the record may still hold what they decided once."""
    return [
        {
            "severity": "warning",
            "where": str(config),
            "message": "`audit.retention.rules` names a rule that there is not",
            "got": name,
            "expected": "the id of a rule, or of one that was there and left records",
            "hint": nearest(name, known),
        }
        for name in settings.audit.retention.rules
        if name not in known
    ]


def _count_files(path: Path) -> str:
    try:
        count = len(rule_files(path))
    except ConfigurationError:
        return "no files"
    return f"{count} file{'s' if count != 1 else ''}"


def _error(error: ConfigurationError) -> Row:
    return {
        "severity": "error",
        "where": error.where,
        "message": error.message,
        "got": error.got,
        "expected": error.expected,
        "hint": error.hint,
        "code": error.code,
    }


def _used(rows: list[Row]) -> tuple[str, ...]:
    """The columns that hold anything, so that a table stays narrow."""
    return tuple(column for column in COLUMNS if any(row.get(column) for row in rows))
