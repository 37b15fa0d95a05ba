"""Rule files, read and checked: `rules/*.yaml`.

A file holds `rules`, a list, and for all of them `mode` (`enforce` or `observe`) and `timezone`,
the IANA name of the zone in which `now.hour` and `now.weekday` are read (default UTC).
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, NoReturn

from proctor.errors import ConfigurationError
from proctor.model import ActionKind, ApprovalTerms, RecordMode
from proctor.policy.calls import TOOL_KINDS
from proctor.policy.commands import UNREADABLE
from proctor.policy.expression import Expression, compile_condition
from proctor.policy.features import Features
from proctor.policy.fields import fills, nearest
from proctor.policy.match import Pattern, PatternError, parse_pattern
from proctor.policy.nodes import ExpressionError
from proctor.policy.rules import Rule
from proctor.policy.values import time_zone
from proctor.redaction.model import Method
from proctor.redaction.surrogates import TYPE
from proctor.units import parse_duration
from proctor.yamlfile import Document, Key

FILE_KEYS = ("rules", "mode", "timezone")
RULE_KEYS = (
    "id", "on", "when", "unless", "match", "then",
    "approval", "appeal", "terminate", "reason", "mode", "record", "redact", "restore",
)  # fmt: skip
APPROVAL_KEYS = ("from", "count", "wait", "ttl", "reason", "grant")

MAX_RULES = 1000
MAX_COUNT = 10
MAX_REASON = 500
MAX_TYPES = 100
MAX_WAIT = timedelta(minutes=9)
MAX_TTL = timedelta(days=1)
MAX_GRANT = timedelta(days=7)
_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_LACKING = {
    ActionKind.SQL_STATEMENT: (
        "no listener speaks PostgreSQL", "`kind: postgres` among the listeners",
    ),
    ActionKind.WS_MESSAGE: (
        "nothing lets WebSockets through", "`websocket: true` at a destination or a listener",
    ),
}  # fmt: skip


def read_rules(document: Document, features: Features) -> Iterator[Rule | ConfigurationError]:
    """The rules of a file, and an error in the place of each that is wrong."""
    try:
        reader = _File(document, features)
    except ConfigurationError as error:
        yield error
        return
    for index in range(len(reader.items)):
        try:
            yield reader.rule(index)
        except ConfigurationError as error:
            yield error


class _File:
    def __init__(self, document: Document, features: Features) -> None:
        self._document = document
        self._features = features
        data = document.data
        if not isinstance(data, dict) or not isinstance(data.get("rules"), list):
            self._fail((), "The file holds no rules", expected="`rules:` with a list")
        self._keys(data, FILE_KEYS, ())
        self.items: list[Any] = data["rules"]
        if len(self.items) > MAX_RULES:
            self._fail(("rules",), "Too many rules in one file", expected=f"at most {MAX_RULES}")
        self._observe = self._mode(data, ())
        self._zone = data.get("timezone", "UTC")
        if not isinstance(self._zone, str) or time_zone(self._zone) is None:
            self._fail(
                ("timezone",),
                "There is no such time zone on this machine",
                got=_kind(self._zone),
                expected="an IANA name, such as Europe/Berlin",
            )

    def rule(self, index: int) -> Rule:
        """Read one rule, or raise ConfigurationError."""
        at: tuple[Key, ...] = ("rules", index)
        data = self.items[index]
        if not isinstance(data, dict):
            self._fail(at, "A rule is a mapping", got=_kind(data), expected="id, on, then, …")
        self._keys(data, RULE_KEYS, at)
        for key in ("id", "on", "then"):
            if key not in data:
                self._fail(at, f"The rule has no {key!r}", expected="id, on and then")
        identifier = self._id(data["id"], (*at, "id"))
        then = self._choice(data["then"], ("allow", "hold", "deny"), (*at, "then"))
        record = data.get("record")
        if record is not None:
            self._choice(record, tuple(RecordMode), (*at, "record"))
        reason = self._text(data.get("reason", ""), (*at, "reason"))
        appeal = data.get("appeal", False)
        if not isinstance(appeal, bool) or (appeal and then != "deny"):
            self._fail(
                (*at, "appeal"),
                "`appeal` says whether a denial may be appealed",
                got=f"{_kind(appeal)}, then: {then}",
                expected="true or false, with then: deny",
            )
        on = self._kinds(data["on"], (*at, "on"))
        terminate = data.get("terminate", False)
        ends = then == "deny" and on == {ActionKind.SQL_STATEMENT}
        if not isinstance(terminate, bool) or (terminate and not ends):
            self._fail(
                (*at, "terminate"),
                "`terminate` says whether a denied statement ends its connection",
                got=f"{_kind(terminate)}, then: {then}",
                expected="true or false, with on: sql.statement and then: deny",
            )
        rule = Rule(
            id=identifier,
            where=self._document.where(*at),
            on=on,
            then=then,
            when=self._condition(data, "when", at),
            unless=self._condition(data, "unless", at),
            match=self._patterns(data.get("match"), (*at, "match")),
            terms=self._terms(data, identifier, reason, at, asked=then == "hold" or appeal),
            appeal=appeal,
            terminate=terminate,
            reason=reason,
            observe=self._mode(data, at) if "mode" in data else self._observe,
            record=RecordMode(record) if record else None,
            redact=self._redact(data.get("redact", {}), (*at, "redact")),
            restore=self._restore(data.get("restore"), (*at, "restore")),
        )
        self._check(rule, at)
        return rule

    def _check(self, rule: Rule, at: tuple[Key, ...]) -> None:
        """What concerns several keys at once."""
        if rule.match and not rule.on <= TOOL_KINDS:
            self._fail(
                (*at, "match"),
                "`match` is about tool calls: here it can never match",
                got=", ".join(sorted(rule.on)),
                expected="on: llm.tool_use, or mcp.call",
            )
        self._check_servers(rule, at)
        if rule.restore and (not rule.on <= TOOL_KINDS or rule.then != "allow"):
            self._fail(
                (*at, "restore"),
                "`restore` is about tool calls that are allowed",
                got=f"{', '.join(sorted(rule.on))}, {rule.then}",
                expected="on: llm.tool_use, or mcp.call, then: allow",
            )
        if rule.redact and rule.then == "deny":
            self._fail(
                (*at, "redact"),
                "A rule that denies lets nothing pass in which something could be replaced",
                expected="then: allow or hold",
            )
        for key, condition in (("when", rule.when), ("unless", rule.unless)):
            for name in sorted(condition.fields) if condition else ():
                # Of a call, nobody may take "there is none" for "it is not known here".
                enough = all if name.startswith("tool.") and rule.on <= TOOL_KINDS else any
                if not enough(fills(kind, name) for kind in rule.on):
                    lacking = sorted(kind for kind in rule.on if not fills(kind, name))
                    self._fail(
                        (*at, key),
                        f"{name} is always empty for {', '.join(lacking)}",
                        expected="a field that such an action has",
                    )
                if self._features.lacks(name):
                    self._absent((*at, key), f"{name} is always empty: what fills it")
            if condition:
                self._named(condition, "action.listener", self._features.listeners, (*at, key))
                self._named(condition, "mcp.server", self._features.servers, (*at, key))
        if not any(rule.possible(kind) for kind in rule.on):
            key = next((name for name in ("when", "unless") if getattr(rule, name)), "match")
            self._fail((*at, key), "The rule can never match", hint="It contradicts itself.")
        self._check_features(rule, at)

    def _check_servers(self, rule: Rule, at: tuple[Key, ...]) -> None:
        """What names the tools of MCP servers, where a rule is about calls of these alone."""
        if rule.on != {ActionKind.MCP_CALL}:
            return
        for pattern in rule.match:
            if not pattern.server:
                self._fail(
                    (*at, "match"),
                    "This is no tool of an MCP server: here it can never match",
                    got=repr(pattern.source),
                    expected="mcp__server__tool, or on: llm.tool_use",
                )
            self._exists("mcp.server", pattern.server, self._features.servers, (*at, "match"))

    def _named(
        self, condition: Expression, name: str, known: frozenset[str] | None, at: tuple[Key, ...]
    ) -> None:
        for value in sorted(condition.compared_with(*name.split("."))):
            self._exists(name, value, known, at)

    def _exists(
        self, name: str, value: str, known: frozenset[str] | None, at: tuple[Key, ...]
    ) -> None:
        if known is None or value in known:
            return
        what = {"action.listener": "listener", "mcp.server": "MCP server"}[name]
        self._fail(
            at,
            f"There is no {what} {value!r}",
            expected=f"one of {', '.join(sorted(known))}" if known else f"no {what}: there is none",
            hint=nearest(value, known),
        )

    def _check_features(self, rule: Rule, at: tuple[Key, ...]) -> None:
        """Nothing may look guarded that is not."""
        if rule.then == "allow" and any(UNREADABLE in each.source for each in rule.match):
            self._fail(
                (*at, "match"),
                "A rule that allows wants every command to be readable: this can never match",
                expected="then: hold or deny",
            )
        for kind in sorted(rule.on - self._features.kinds):
            lacking, expected = _LACKING[kind]
            self._fail(
                (*at, "on"),
                f"A rule for {kind} can never match: {lacking}",
                expected=f"{expected} in proctor.yaml",
            )

    def _fail(  # noqa: PLR0913 - each is one part of the error
        self, keys: tuple[Key, ...], message: str, *, got: str = "", expected: str = "",
        hint: str = "", code: str = "rule-invalid",
    ) -> NoReturn:  # fmt: skip
        raise ConfigurationError(
            code=code,
            message=message,
            got=got,
            expected=expected,
            hint=hint,
            where=self._document.where(*keys),
        )

    def _absent(self, keys: tuple[Key, ...], what: str, hint: str = "") -> NoReturn:
        self._fail(
            keys, f"{what} is not available in this version", hint=hint, code="not-available"
        )

    def _keys(self, data: Mapping[str, Any], known: tuple[str, ...], at: tuple[Key, ...]) -> None:
        for key in data:
            if key not in known:
                self._fail(
                    (*at, key),
                    f"There is no key {key!r} here",
                    expected=f"one of {', '.join(known)}",
                    hint=nearest(key, known),
                )

    def _choice(self, value: object, known: tuple[str, ...], at: tuple[Key, ...]) -> str:
        if not isinstance(value, str) or value not in known:
            self._fail(
                at,
                "The word is not known",
                got=_kind(value),
                expected=f"one of {', '.join(known)}",
                hint=nearest(value, known) if isinstance(value, str) else "",
            )
        return str(value)

    def _mode(self, data: Mapping[str, Any], at: tuple[Key, ...]) -> bool:
        if "mode" not in data:
            return False
        return self._choice(data["mode"], ("enforce", "observe"), (*at, "mode")) == "observe"

    def _id(self, value: object, at: tuple[Key, ...]) -> str:
        if not isinstance(value, str) or not _ID.fullmatch(value):
            self._fail(
                at,
                "This cannot name a rule",
                got=_kind(value),
                expected="letters, digits, '-', '_' and '.', at most 80",
            )
        if value in {"default", "error"}:
            self._fail(at, f"{value!r} is proctor's own name", expected="another id")
        return value

    def _text(self, value: object, at: tuple[Key, ...]) -> str:
        if not isinstance(value, str) or len(value) > MAX_REASON:
            self._fail(
                at, "This is no reason", got=_kind(value), expected=f"at most {MAX_REASON} letters"
            )
        return " ".join(value.split())

    def _kinds(self, value: object, at: tuple[Key, ...]) -> frozenset[ActionKind]:
        values = value if isinstance(value, list) else [value]
        if not values:
            self._fail(at, "The rule speaks about nothing", expected="a kind of action")
        names = tuple(kind.value for kind in ActionKind)
        return frozenset(ActionKind(self._choice(each, names, at)) for each in values)

    def _condition(
        self, data: Mapping[str, Any], key: str, at: tuple[Key, ...]
    ) -> Expression | None:
        if key not in data:
            return None
        source = data[key]
        if isinstance(source, bool):
            source = "true" if source else "false"
        if not isinstance(source, str):
            self._fail((*at, key), f"`{key}` is a CEL expression", got=_kind(source))
        try:
            return compile_condition(source, zone=self._zone)
        except ExpressionError as error:
            near = source[error.at : error.at + 40].split("\n")[0]
            self._fail(
                (*at, key),
                error.message,
                got=f"{near!r} at character {error.at + 1}" if near else "",
                expected=error.expected,
                hint=error.hint,
                code="expression-invalid",
            )

    def _patterns(self, value: object, at: tuple[Key, ...]) -> tuple[Pattern, ...]:
        if value is None:
            return ()
        values = value if isinstance(value, list) else [value]
        patterns: list[Pattern] = []
        for index, source in enumerate(values):
            here = (*at, index) if isinstance(value, list) else at
            if not isinstance(source, str):
                self._fail(here, "`match` is a pattern", got=_kind(source), expected="Tool(what)")
            try:
                patterns.append(parse_pattern(source))
            except PatternError as error:
                self._fail(here, error.message, got=repr(source), expected=error.expected)
        if not patterns:
            self._fail(at, "`match` is empty", expected="a pattern, or no `match`")
        return tuple(patterns)

    def _terms(
        self,
        data: Mapping[str, Any],
        rule_id: str,
        rule_reason: str,
        at: tuple[Key, ...],
        *,
        asked: bool,
    ) -> ApprovalTerms | None:
        at = (*at, "approval")
        terms = data.get("approval")
        if not asked:
            if terms is not None:
                self._fail(
                    at,
                    "Only a rule that holds asks for approval",
                    expected="then: hold, or then: deny with appeal: true",
                )
            return None
        if not isinstance(terms, dict):
            self._fail(at, "A rule that holds says who may approve", expected="approval: {from: …}")
        self._keys(terms, APPROVAL_KEYS, at)
        groups = terms.get("from")
        if (
            not isinstance(groups, list)
            or not groups
            or not all(isinstance(group, str) and group for group in groups)
        ):
            self._fail((*at, "from"), "Nobody may approve", expected="from: [group, …]")
        count = terms.get("count", 1)
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_COUNT:
            self._fail((*at, "count"), "So many cannot approve", expected=f"1 to {MAX_COUNT}")
        reason = terms.get("reason", "optional")
        self._choice(reason, ("required", "optional"), (*at, "reason"))
        grant = terms.get("grant")
        return ApprovalTerms(
            rule_id=rule_id,
            rule_reason=rule_reason,
            from_groups=tuple(groups),
            count=count,
            wait=self._duration(terms.get("wait", "4m"), MAX_WAIT, (*at, "wait")),
            ttl=self._duration(terms.get("ttl", "30m"), MAX_TTL, (*at, "ttl")),
            reason_required=reason == "required",
            grant=(None if grant is None else self._duration(grant, MAX_GRANT, (*at, "grant"))),
        )

    def _redact(self, value: object, at: tuple[Key, ...]) -> dict[str, Method]:
        if not isinstance(value, dict) or len(value) > MAX_TYPES:
            self._fail(
                at, "`redact` says what is done with each type", got=_kind(value),
                expected=f"{{EMAIL_ADDRESS: mask}}, at most {MAX_TYPES}",
            )  # fmt: skip
        known = self._features.entities
        for name in value:
            if known is not None and self._type(name, (*at, name)) not in known:
                self._fail(
                    (*at, name), f"Nothing looks for {name}",
                    hint=nearest(name, known) or "Switch it on in `redaction.entities`.",
                )  # fmt: skip
        return {
            self._type(name, (*at, name)): Method(self._choice(method, tuple(Method), (*at, name)))
            for name, method in value.items()
        }

    def _restore(self, value: object, at: tuple[Key, ...]) -> frozenset[str]:
        if value is None:
            return frozenset()
        if not isinstance(value, list) or not 0 < len(value) <= MAX_TYPES:
            self._fail(
                at, "`restore` lists types", got=_kind(value),
                expected=f"[EMAIL_ADDRESS, …], at most {MAX_TYPES}",
            )  # fmt: skip
        return frozenset(self._type(each, (*at, index)) for index, each in enumerate(value))

    def _type(self, value: object, at: tuple[Key, ...]) -> str:
        if not isinstance(value, str) or not TYPE.fullmatch(value):
            self._fail(
                at, "This cannot name a type", got=_kind(value), expected="such as EMAIL_ADDRESS"
            )
        return value

    def _duration(self, value: object, most: timedelta, at: tuple[Key, ...]) -> timedelta:
        try:
            span = timedelta(seconds=parse_duration(value if isinstance(value, str) else ""))
        except (ValueError, OverflowError):
            span = timedelta(0)
        if not timedelta(0) < span <= most:
            self._fail(
                at,
                "This is no duration",
                got=_kind(value),
                expected=f"such as 30s or 4m, up to {most}",
            )
        return span


def _kind(value: object) -> str:
    """What was found, briefly."""
    if isinstance(value, str | int | float):
        return repr(value)[:60]
    return {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(value), "a value")
