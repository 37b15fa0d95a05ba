"""What a change of rules is allowed to change: the check for a pull request.

A file says which changes are no surprise:

    fail_on: [newly-denied, newly-allowed, could-not-be-told]
    at_most: {newly-held: 20, approvals-per-day: 5}
    except:
      - {rule: egress-writes}
      - {change: newly-denied, principal: https://idp.example#ci, what: Bash(make)}

Everything in `fail_on` is a surprise, however seldom, unless all that an entry of `except` names is
so. What stands in `at_most` is one beyond that number, exceptions not counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from proctor.errors import ConfigurationError
from proctor.policy.backtest import Change
from proctor.policy.backtestreport import Report, Row
from proctor.policy.fields import nearest
from proctor.yamlfile import Document, Key

KEYS: Final = ("fail_on", "at_most", "except")
EXCEPT_KEYS: Final = ("change", "kind", "rule", "before", "principal", "what")
PER_DAY: Final = "approvals-per-day"
CHANGES: Final = tuple(change.value for change in Change if change is not Change.SAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is allowed to change.

    Attributes:
        fail_on: Changes that are a surprise at once.
        at_most: How many of a change are none; `approvals-per-day` counts these.
        exceptions: What is none, by the fields of a row.
    """

    fail_on: frozenset[str] = frozenset()
    at_most: Mapping[str, float] = field(default_factory=dict[str, float])
    exceptions: tuple[Mapping[str, str], ...] = ()

    def surprises(self, report: Report) -> list[str]:
        """What nobody said would change, in words; empty where all is as expected."""
        counted = [row for row in report.rows if not self._excepted(row)]
        found = [_words(row) for row in counted if row.change.value in self.fail_on]
        for name, most in self.at_most.items():
            if name == PER_DAY:
                count = report.load.per_day
            else:
                count = sum(row.count for row in counted if row.change.value == name)
            if count > most:
                found.append(f"{name}: {count:g}, at most {most:g} expected")
        if report.others and (self.fail_on or self.at_most):
            found.append(f"{report.others} more actions change than the report has rows for")
        if report.asks_left_out and PER_DAY in self.at_most:
            found.append(f"{PER_DAY}: more than could be counted")
        return found

    def _excepted(self, row: Row) -> bool:
        said = {
            "change": row.change.value,
            "kind": row.kind,
            "rule": row.rule,
            "before": row.before,
            "principal": row.principal,
            "what": row.what,
        }
        return any(
            all(said[name] == value for name, value in each.items()) for each in self.exceptions
        )


def fail_on(names: Iterable[str]) -> Expected:
    """Every action of these changes is a surprise.

    Raises:
        ValueError: There is no such change.
    """
    found = frozenset(name.strip() for name in names if name.strip())
    if unknown := sorted(found.difference(CHANGES)):
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(CHANGES)}")
    return Expected(fail_on=found)


def read_expected(document: Document) -> Expected:
    """What a file says.

    Raises:
        ConfigurationError: `expected-invalid`.
    """
    return _Reader(document).read()


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document

    def read(self) -> Expected:
        data = self._document.data
        if not isinstance(data, dict):
            self._fail((), "The file says nothing", ", ".join(KEYS))
        self._keys(data, KEYS, ())
        listed = data.get("fail_on", [])
        if not isinstance(listed, list):
            self._fail(("fail_on",), "`fail_on` lists changes", ", ".join(CHANGES))
        for index, each in enumerate(listed):
            self._one(each, CHANGES, ("fail_on", index))
        return Expected(
            fail_on=frozenset(listed),
            at_most=self._at_most(data.get("at_most", {})),
            exceptions=self._exceptions(data.get("except", [])),
        )

    def _at_most(self, data: object) -> dict[str, float]:
        if not isinstance(data, dict):
            self._fail(("at_most",), "`at_most` says how many", "{newly-held: 20}")
        for name, value in data.items():
            self._one(name, (*CHANGES, PER_DAY), ("at_most", name))
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                self._fail(("at_most", name), "This is no number", "0 or more")
        return dict(data)

    def _exceptions(self, data: object) -> tuple[Mapping[str, str], ...]:
        if not isinstance(data, list):
            self._fail(("except",), "`except` is a list", "- {rule: NAME}")
        for index, each in enumerate(data):
            at = ("except", index)
            if not isinstance(each, dict) or not each:
                self._fail(at, "An exception names what it is about", ", ".join(EXCEPT_KEYS))
            self._keys(each, EXCEPT_KEYS, at)
            for name, value in each.items():
                if not isinstance(value, str):
                    self._fail((*at, name), "This is no text", "as the report has it")
        return tuple(data)

    def _keys(self, data: Mapping[Any, Any], known: tuple[str, ...], at: tuple[Key, ...]) -> None:
        for key in data:
            self._one(key, known, (*at, key))

    def _one(self, value: object, known: tuple[str, ...], at: tuple[Key, ...]) -> None:
        if value not in known:
            hint = nearest(value, known) if isinstance(value, str) else ""
            self._fail(at, "The word is not known", f"one of {', '.join(known)}", hint)

    def _fail(self, keys: tuple[Key, ...], message: str, expected: str, hint: str = "") -> NoReturn:
        raise ConfigurationError(
            code="expected-invalid",
            message=message,
            expected=expected,
            hint=hint,
            where=self._document.where(*keys),
        )


def _words(row: Row) -> str:
    rule = f"{row.before} → {row.rule}"
    return (
        f"{row.change.value}: {row.kind} {row.what} of {row.principal}, {row.count} times ({rule})"
    )
