"""`proctor explain`: which rules speak about an action, and why."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from proctor.audit.origins import origins
from proctor.cli.common import (
    CONFIG,
    ConfigOption,
    FormatOption,
    OutputFormat,
    render,
    visible,
)
from proctor.config import load
from proctor.model import Action, Allow, Case, verdict_name
from proctor.policy.describe import case_of
from proctor.policy.engine import Policy, load_policy
from proctor.policy.explain import Explanation
from proctor.policy.explain import explain as ask
from proctor.policy.vouched import vouched
from proctor.runtime.features import features_of
from proctor.settings import Config
from proctor.yamlfile import MAX_BYTES, parse, read

COLUMNS = ("rule", "then", "outcome", "why", "where")
HINT = "name an action: --action FILE, or - for standard input; --flow ID; or --sql TEXT"


def explain(  # noqa: PLR0913 - one for each option
    *,
    action: Annotated[
        str | None, typer.Option("--action", help="A description, YAML or JSON; - to read it here.")
    ] = None,
    flow: Annotated[
        str | None, typer.Option("--flow", help="A recorded exchange, by its flow_id.")
    ] = None,
    sql: Annotated[
        str | None, typer.Option("--sql", help="SQL; tables without a schema are in `public`.")
    ] = None,
    listener: Annotated[
        str | None, typer.Option(help="With --sql: which; the only one if left out.")
    ] = None,
    database: Annotated[str, typer.Option(help="With --sql: the database.")] = "",
    group: Annotated[
        list[str] | None, typer.Option(help="With --sql: one of the person's groups; repeatable.")
    ] = None,
    config: ConfigOption = CONFIG,
    output: FormatOption = None,
) -> None:
    """Show what each rule says of an action, described, recorded or in SQL, and what follows.

    A description has the names that rules see: `action: {kind: llm.request}`,
    `llm: {model: claude-x}`, `principal: {groups: [ci]}`. Exit status 0: allowed. 1: not.
    """
    if [action, flow, sql].count(None) != 2:  # noqa: PLR2004 - one of the three
        raise typer.BadParameter(HINT, param_hint="--action, --flow, --sql")
    if sql is None and (listener or database or group):
        raise typer.BadParameter("they go with --sql", param_hint="--listener, --database, --group")
    settings = load(config)
    policy = load_policy(settings.rules, features=features_of(settings), observe=settings.observe)
    output = output or (OutputFormat.TABLE if sys.stdout.isatty() else OutputFormat.JSON)
    if action is not None:
        shown = [_shown(policy, _described(action))]
    elif sql is not None:
        name = _listener(settings, listener)
        shown = _said(policy, sql, listener=name, database=database, groups=group or ())
    else:
        shown = _recorded(policy, settings.audit.path, flow or "")
    if output is OutputFormat.JSON:
        told = [_as_json(*each) | _where(settings, each[0].action) for each in shown]
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for explanation, then in shown:
            render(_rows(explanation), COLUMNS, output)
            lines = [*_summary(explanation, then), *_from(settings, explanation.action)]
            typer.echo(visible("\n".join(lines)), err=output is OutputFormat.CSV)
    passes = all(isinstance(each.decision.verdict, Allow) and not each.open for each, _ in shown)
    raise typer.Exit(0 if passes else 1)


type Then = Mapping[str, str]
"""What was said when it was recorded; empty for a description."""


def _shown(
    policy: Policy, case: Case, hidden: Mapping[str, str] | None = None, then: Then | None = None
) -> tuple[Explanation, Then]:
    return ask(policy, case, hidden), then or {}


def _described(action: str) -> Case:
    if action == "-":
        document = parse(sys.stdin.buffer.read(MAX_BYTES + 1), name="standard input")
    else:
        document = read(Path(action))
    return case_of(document, datetime.now(UTC))


def _said(
    policy: Policy, sql: str, *, listener: str, database: str, groups: Sequence[str]
) -> list[tuple[Explanation, Then]]:
    # Not at the top: it loads PostgreSQL's parser.
    from proctor.policy.sqlcase import HIDDEN, cases_of_sql  # noqa: PLC0415

    cases = cases_of_sql(
        sql, listener=listener, database=database, groups=groups, now=datetime.now(UTC)
    )
    if not cases:
        raise typer.BadParameter("there is no statement in it", param_hint="--sql")
    return [_shown(policy, case, HIDDEN) for case in cases]


def _listener(settings: Config, name: str | None) -> str:
    """The listener that is meant."""
    known = [each.name for each in settings.postgres]
    if name is None and len(known) == 1:
        return known[0]
    if name not in known:
        expected = f"one of {', '.join(known)}" if known else "there is none of `kind: postgres`"
        raise typer.BadParameter(expected, param_hint="--listener")
    return name


def _recorded(policy: Policy, recordings: Path, flow: str) -> list[tuple[Explanation, Then]]:
    from proctor.policy.recordedrows import recorded_cases  # noqa: PLC0415 - DuckDB only where needed

    return [
        _shown(
            policy,
            found.case,
            found.hidden,
            {
                "kind": found.case.action.kind.value,
                "verdict": found.verdict,
                "rule_id": found.rule_id,
                "policy_version": found.policy_version,
            },
        )
        for found in recorded_cases(recordings, flow)
    ]


def _rows(explanation: Explanation) -> list[dict[str, object]]:
    return [
        {
            "rule": step.rule.id,
            "then": f"{step.rule.then}{' (observe)' if step.rule.observe else ''}",
            "outcome": step.outcome.value,
            "why": step.why,
            "where": step.rule.where,
        }
        for step in explanation.steps
    ]


def _as_json(explanation: Explanation, then: Then) -> dict[str, Any]:
    decision = explanation.decision
    return {
        "verdict": verdict_name(decision.verdict),
        "rule_id": decision.verdict.rule_id,
        "reason": decision.verdict.reason,
        "mode": decision.mode,
        "record": decision.record.value,
        "redact": dict(decision.redact),
        "restore": sorted(decision.restore),
        "policy_version": decision.policy_version,
        "open": list(explanation.open),
        "recorded": dict(then) or None,
        "rules": _rows(explanation),
    }


def _summary(explanation: Explanation, then: Then) -> list[str]:
    decision = explanation.decision
    verdict = decision.verdict
    passed = " (global observe lets it pass)" if decision.mode == "observe" else ""
    reason = f": {verdict.reason}" if verdict.reason else ""
    lines = [f"{verdict_name(verdict).upper()} by {verdict.rule_id}{passed}{reason}"]
    if decision.redact:
        methods = ", ".join(f"{name}: {method}" for name, method in sorted(decision.redact.items()))
        lines.append(f"Findings: {methods}.")
    if decision.restore:
        lines.append(f"Put back into the tool's input: {', '.join(sorted(decision.restore))}.")
    if explanation.open:
        lines.append(f"Open, since the record does not say: {', '.join(explanation.open)}.")
    if then:
        same = (
            "the same rules" if then["policy_version"] == decision.policy_version else "other rules"
        )
        lines.append(f"Recorded: {then['verdict']} by {then['rule_id']}, under {same}.")
    return lines


def _where(settings: Config, action: Action) -> dict[str, Any]:
    """Whether what it brings is trusted, and what of it came from what is not."""
    came = origins([{"origins": action.origins}])
    return {
        "listener": action.listener,
        "trusted": vouched(settings, action),
        "tainted": action.tainted,
        "came": [each.words for each in came],
    }


def _from(settings: Config, action: Action) -> list[str]:
    told = _where(settings, action)
    lines: list[str] = []
    if told["trusted"] is not None:
        how = "is trusted" if told["trusted"] else "is not trusted (`trusted: false`)"
        lines.append(f"What comes back through {action.listener} {how}.")
    if action.tainted:
        lines += [f"Tainted: {words}" for words in told["came"]] or [
            "Tainted: nothing is on record of where its values came from."
        ]
    return lines
