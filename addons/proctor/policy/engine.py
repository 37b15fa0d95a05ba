"""The rules in force, and what they say of a Case.

Deny beats hold beats allow, whatever the order of files; every matching hold must be met; what no
rule allows is denied. A condition that fails denies. Rules in `mode: observe` are asked like all
others, and what they would have done is noted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

from proctor.errors import ConfigurationError
from proctor.model import (
    ActionKind,
    Allow,
    ApprovalTerms,
    Case,
    Decision,
    Deny,
    Hold,
    Observation,
    RecordMode,
    Verdict,
    verdict_name,
)
from proctor.policy.calls import call_of
from proctor.policy.expression import EvaluationError, Expression
from proctor.policy.features import Features
from proctor.policy.match import matches_any
from proctor.policy.partial import Foresight
from proctor.policy.remembered import Remembered
from proctor.policy.rulefile import read_rules
from proctor.policy.rules import Rule
from proctor.policy.values import Plan, View
from proctor.redaction.model import strictest
from proctor.yamlfile import read

DEFAULT = "default"
"""`rule_id` where no rule spoke."""

MAX_FILES = 200
MAX_KNOWN = 1024
"""Cases whose answers are remembered, until the rules change."""

_PASSING = frozenset(
    {
        *("principal.token_age", "session.turns", "session.exposed", "session.suspicious"),
        *("action.tainted", "findings", "novelty", "budget", "now"),
    }
)

MAX_TARGET = 200
"""Characters of an action's target that stand in a reason."""


class Outcome(StrEnum):
    """Whether a rule speaks about a Case, and if not, what kept it."""

    MATCHED = "matched"
    KIND = "kind"
    MATCH = "match"
    WHEN = "when"
    UNLESS = "unless"
    FAILED = "failed"
    UNKNOWN = "unknown"


type Spoken = tuple[Rule, Outcome, str]


class Policy:
    """One immutable set of rules."""

    def __init__(
        self, rules: Sequence[Rule], *, version: str, features: Features, observe: bool = False
    ) -> None:
        self.version = version
        self.rules = tuple(rules)
        self.features = features
        self.observe = observe
        self._by_kind = {
            kind: tuple(rule for rule in rules if kind in rule.on) for kind in ActionKind
        }
        self._plans = {kind: _plan(spoken) for kind, spoken in self._by_kind.items()}
        self._known: dict[tuple[Any, ...], list[Spoken]] = {}
        self._foresight: dict[ActionKind, Foresight] = {}
        self._remembered = {
            id(condition): Remembered(condition)
            for rule in self.rules
            for condition in (rule.when, rule.unless)
            if condition and Remembered.worth(condition)
        }

    def decide(self, case: Case) -> Decision:
        """What the rules say; never raises, and an expression that fails denies."""
        return self.weigh(case, self.ask(case))

    def steady(self, kind: ActionKind) -> bool:
        """Whether the same action gets the same answer as long as the rules stay as they are.

        That is so where no rule about it reads the time, what was found, or what was done before.
        """
        plan = self._plans[kind]
        return not plan.zones and all(
            _PASSING.isdisjoint({name, room}) for name, room, *_ in plan.fields
        )

    def reads(self, kind: ActionKind, prefix: str) -> bool:
        """Whether some rule about such actions reads a field that begins so."""
        return any(name.startswith(prefix) for name, *_ in self._plans[kind].fields)

    def may(self, case: Case) -> bool:
        """Whether any such action could pass or be held, whatever its arguments, time and findings.

        For lists of tools: what is never let through need not be shown. In doubt it is shown, since
        `decide` is asked at each call.

        Args:
            case: An action like it, such as an `mcp.call` of `tools/call` with server and tool.
        """
        if self.observe:
            return True
        kind = case.action.kind
        if kind not in self._foresight:
            self._foresight[kind] = Foresight(self._by_kind[kind])
        return self._foresight[kind].may(case)

    def ask(self, case: Case, hidden: Mapping[str, str] | None = None) -> list[Spoken]:
        """Ask every rule of this kind.

        Args:
            case: The case.
            hidden: Fields that are not known, and why.
        """
        kind = case.action.kind
        plan = self._plans[kind]
        key = plan.key(case) if hidden is None else None
        if key is not None and (answers := self._known.get((kind, *key))) is not None:
            return answers
        view = View(case, plan, hidden)
        known = {} if hidden else self._remembered
        answers = [(rule, *_judge(rule, view, hidden, known)) for rule in self._by_kind[kind]]
        if key is not None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[kind, *key] = answers
        return answers

    def weigh(self, case: Case, answers: Iterable[Spoken]) -> Decision:
        """The decision that follows from the rules' answers."""
        denies: list[Deny] = []
        holds: list[Rule] = []
        allows: list[Rule] = []
        observed: list[Observation] = []
        records: set[RecordMode] = set()
        redact: list[Mapping[str, str]] = []
        for rule, outcome, detail in answers:
            if outcome is Outcome.FAILED:
                reason = f"The rule could not be evaluated: {detail}."
                if rule.observe:
                    observed.append(Observation(rule_id=rule.id, verdict="deny", reason=reason))
                else:
                    denies.append(Deny(rule_id=rule.id, reason=reason))
            elif outcome is not Outcome.MATCHED:
                continue
            elif rule.observe:
                observed.append(Observation(rule_id=rule.id, verdict=rule.then, reason=rule.reason))
            else:
                if rule.record:
                    records.add(rule.record)
                redact.append(rule.redact)
                if rule.then == "deny":
                    appeal = (rule.terms,) if rule.appeal and rule.terms else ()
                    denies.append(
                        Deny(
                            rule_id=rule.id,
                            reason=_reason(rule, case),
                            appeal=appeal,
                            terminate=rule.terminate,
                        )
                    )
                else:
                    (holds if rule.then == "hold" else allows).append(rule)
        restore = frozenset[str]().union(*(rule.restore for rule in allows if not denies))
        verdict = self._verdict(case, denies, holds, allows)
        mode = "enforce"
        if self.observe and not isinstance(verdict, Allow):
            observed.append(
                Observation(
                    rule_id=verdict.rule_id, verdict=verdict_name(verdict), reason=verdict.reason
                )
            )
            verdict = Allow(rule_id=verdict.rule_id, reason=verdict.reason)
            mode = "observe"
        return Decision(
            verdict=verdict,
            record=RecordMode.METADATA if records == {RecordMode.METADATA} else RecordMode.FULL,
            policy_version=self.version,
            mode=mode,
            observed=tuple(observed),
            redact=strictest(redact),
            restore=restore,
        )

    def _verdict(
        self, case: Case, denies: list[Deny], holds: list[Rule], allows: list[Rule]
    ) -> Verdict:
        if denies:
            # An appeal has to meet all of them; where one cannot be appealed, none can.
            appeal = [deny.appeal for deny in denies]
            return replace(
                denies[0],
                appeal=tuple(chain(*appeal)) if all(appeal) else (),
                terminate=any(deny.terminate for deny in denies),
            )
        if holds:
            return Hold(
                rule_id=holds[0].id,
                reason=_reason(holds[0], case),
                terms=tuple(rule.terms or ApprovalTerms(from_groups=()) for rule in holds),
            )
        if allows:
            return Allow(rule_id=allows[0].id, reason=allows[0].reason)
        action = case.action
        target = action.target.partition("?")[0][:MAX_TARGET]  # a query can hold secrets
        what = f"{action.kind.value} ({target})" if target else action.kind.value
        return Deny(rule_id=DEFAULT, reason=f"No rule allows {what}.")


def load_policy(path: Path, *, features: Features, observe: bool = False) -> Policy:
    """Read all rule files of a folder.

    Args:
        path: The folder; its `*.yaml` are read in the order of their names, no folders below it.
        features: What can be enforced.
        observe: Global observe: nothing is denied or held, and default-deny is suspended.

    Raises:
        ConfigurationError: The first thing that is wrong, with file and line.
    """
    rules, version, errors = read_folder(path, features)
    if errors:
        raise errors[0]
    return Policy(rules, version=version, features=features, observe=observe)


def read_folder(path: Path, features: Features) -> tuple[list[Rule], str, list[ConfigurationError]]:
    """The rules of a folder, their version, and everything that is wrong with them."""
    rules: dict[str, Rule] = {}
    errors: list[ConfigurationError] = []
    state = sha256(b"proctor rules v1\n")
    try:
        files = rule_files(path)
    except ConfigurationError as error:
        return [], "", [error]
    for file in files:
        try:
            document = read(file)
        except ConfigurationError as error:
            errors.append(error)
            continue
        name = file.name.encode("utf-8", "surrogateescape")
        state.update(b"%d:%s%d:" % (len(name), name, len(document.raw)))
        state.update(document.raw)
        for found in read_rules(document, features):
            if isinstance(found, ConfigurationError):
                errors.append(found)
            elif found.id in rules:
                errors.append(_twice(found, rules[found.id]))
            else:
                rules[found.id] = found
    return list(rules.values()), f"sha256:{state.hexdigest()}", errors


def rule_files(path: Path) -> list[Path]:
    """The rule files of a folder, in the order of their names.

    Raises:
        ConfigurationError: There is none, or one would be overlooked.
    """
    try:
        names = sorted(each for each in path.iterdir() if not each.name.startswith("."))
    except OSError as error:
        raise ConfigurationError(
            code="rules-missing",
            message="The folder of rules cannot be read",
            got=error.strerror or type(error).__name__,
            where=str(path),
        ) from None
    for each in names:
        if each.suffix.lower() in {".yml", ".yaml"} and each.suffix != ".yaml":
            raise ConfigurationError(
                code="rules-overlooked",
                message="This file would not be read",
                expected="a name that ends in .yaml",
                where=str(each),
            )
    files = [each for each in names if each.suffix == ".yaml"]
    if not 0 < len(files) <= MAX_FILES:
        raise ConfigurationError(
            code="rules-missing",
            message="The folder holds no rules" if not files else "Too many rule files",
            expected=f"1 to {MAX_FILES} files *.yaml",
            hint="Without rules nothing is allowed. `proctor init` writes some.",
            where=str(path),
        )
    return files


def _twice(rule: Rule, first: Rule) -> ConfigurationError:
    return ConfigurationError(
        code="rule-invalid",
        message=f"The id {rule.id!r} stands twice",
        got=f"the first in {first.where}",
        expected="another id",
        where=rule.where,
    )


def _plan(rules: Iterable[Rule]) -> Plan:
    fields: set[str] = set()
    zones: set[str] = set()
    patterns = False
    for rule in rules:
        patterns = patterns or bool(rule.match)
        for condition in (rule.when, rule.unless):
            if condition:
                fields |= condition.fields
                if any(field.startswith("now.") for field in condition.fields):
                    zones.add(condition.zone)
    return Plan(fields, zones, patterns=patterns)


def _judge(
    rule: Rule,
    view: View,
    hidden: Mapping[str, str] | None,
    remembered: Mapping[int, Remembered],
) -> tuple[Outcome, str]:
    """Whether a rule speaks; `hidden` are fields whose lack is no failure but ignorance."""
    step = Outcome.MATCH
    try:
        if rule.match and not _matches(rule, view.case, hidden):
            return step, ""
        step = Outcome.WHEN
        if rule.when and not _holds(rule.when, view, remembered):
            return step, ""
        step = Outcome.UNLESS
        if rule.unless and _holds(rule.unless, view, remembered):
            return step, ""
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the answer is no
        return _failure(rule, view, step, error, hidden or {})
    return Outcome.MATCHED, ""


def _holds(condition: Expression, view: View, remembered: Mapping[int, Remembered]) -> bool:
    known = remembered.get(id(condition))
    return known.holds(view) if known else condition.evaluate(view.context)


def _matches(rule: Rule, case: Case, hidden: Mapping[str, str] | None) -> bool:
    if hidden and not hidden.keys().isdisjoint({"tool.name", "tool.hosts", "tool.paths"}):
        raise EvaluationError("the tool call is not known")
    tool = call_of(case.action)
    if tool is None:
        return False
    if case.action.mcp and not tool.name:
        raise EvaluationError("the tool has no name that a pattern could name")
    return matches_any(rule.match, tool, every=rule.then == "allow")


def _failure(
    rule: Rule, view: View, step: Outcome, error: Exception, hidden: Mapping[str, str]
) -> tuple[Outcome, str]:
    lacking = {field: why for field, why in view.missing.items() if field in rule.reads()}
    if rule.match and step is Outcome.MATCH:
        lacking |= {field: why for field, why in hidden.items() if field.startswith("tool.")}
    unknown = [field for field in lacking if field in hidden]
    if unknown:
        return Outcome.UNKNOWN, f"{', '.join(unknown)} {hidden[unknown[0]]}"
    what = str(error) if isinstance(error, EvaluationError) else type(error).__name__
    for field, why in lacking.items():
        what = f"{field} {why}"
    return Outcome.FAILED, f"in `{step}`, {what}"


def _reason(rule: Rule, case: Case) -> str:
    return rule.reason or f"The rule {rule.id} does not let {case.action.kind.value} pass."
