"""Conditions whose answers are remembered by the values they read.

Most conditions read a host, a method, a listener: the same ones with every request. To ask the
expression again costs ten times as much as to look its answer up.
"""

from typing import Any, Final

from proctor.model import Case
from proctor.policy.expression import Expression
from proctor.policy.values import MAX_REMEMBERED, View, getter, is_plain

MAX_ANSWERS: Final = 1024
"""Of one condition; then they are forgotten, all at once."""

_FLAT: Final = frozenset({"http.headers", "http.query", "findings"})
"""Beside plain fields: maps from text to text, and records whose fields have one type each."""


class Remembered:
    """One condition.

    Args:
        condition: All of whose fields can be a key; see `worth`.
    """

    def __init__(self, condition: Expression) -> None:
        self._condition = condition
        self._getters = tuple(getter(field) for field in sorted(condition.fields))
        self._answers: dict[tuple[Any, ...], bool] = {}

    @staticmethod
    def worth(condition: Expression) -> bool:
        """Whether the answers of a condition can be remembered."""
        return all(
            field in _FLAT or (not field.startswith("now") and is_plain(field))
            for field in condition.fields
        )

    def holds(self, view: View) -> bool:
        """Whether the condition holds.

        Raises:
            EvaluationError: It failed; that is not remembered.
        """
        key = self._key(view.case)
        if key is None:
            return self._condition.evaluate(view.context)
        known = self._answers.get(key)
        if known is None:
            known = self._condition.evaluate(view.context)
            if len(self._answers) >= MAX_ANSWERS:
                self._answers.clear()
            self._answers[key] = known
        return known

    def _key(self, case: Case) -> tuple[Any, ...] | None:
        size = 0
        found: list[Any] = []
        for get in self._getters:
            value = get(case)
            if isinstance(value, dict):
                value = tuple(value.items())
                size += sum(len(name) + len(text) for name, text in value)
            elif isinstance(value, list | tuple):
                value = tuple(
                    tuple(each.values()) if isinstance(each, dict) else each for each in value
                )
                size += 64 * len(value) + sum(len(each) for each in value if isinstance(each, str))
            elif isinstance(value, str):
                size += len(value)
            if size > MAX_REMEMBERED:
                return None
            found.append(value)
        return tuple(found)
