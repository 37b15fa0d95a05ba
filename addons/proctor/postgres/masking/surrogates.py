"""Surrogates in a statement turned back into what they stand for, where a plan allows it."""

from collections.abc import Sequence
from typing import Final

from proctor.errors import RefusedError
from proctor.postgres.masking.model import Restores
from proctor.postgres.masking.shape import tokens
from proctor.redaction.restore import Restorer

_MAX: Final = 256  # bytes of a surrogate, and more


def restore_text(text: str, restores: Restores, restorer: Restorer) -> str:
    """A statement's text with values for the surrogates that are compared with a column.

    Args:
        text: As it was planned.
        restores: Of the plan.
        restorer: Knows the principal's surrogates.

    Raises:
        RefusedError: Code `sql-masked`: one of them is none of this principal's.
    """
    if not restores.literals:
        return text
    wanted = {f"'{word}'" for word in restores.literals}
    parts: list[str] = []
    done = 0
    for token in tokens(text):
        if not token.parameter and token.text in wanted:
            value = _value(token.text[1:-1], restorer).replace("'", "''")
            parts += (text[done : token.start], f"'{value}'")
            done = token.end
    return "".join((*parts, text[done:]))


def restore_parameters(
    values: Sequence[bytes | None], restores: Restores, restorer: Restorer, *, encoding: str
) -> list[bytes | None]:
    """What Bind hands over, with values for the surrogates that are compared with a column.

    Args:
        values: Of all parameters; of text types, whose two formats are the same.
        restores: Of the plan.
        restorer: Knows the principal's surrogates.
        encoding: Python's name for the client's.

    Raises:
        RefusedError: Code `sql-masked`: one of them is no surrogate of this principal's.
    """
    found = list(values)
    for number in restores.parameters:
        value = found[number - 1] if number <= len(found) else None
        if value is None:
            continue
        try:
            text = value.decode(encoding) if len(value) <= _MAX else ""
            found[number - 1] = _value(text, restorer).encode(encoding)
        except UnicodeError:
            raise _none() from None
    return found


def _value(token: str, restorer: Restorer) -> str:
    changes = restorer.changes(token)
    if len(changes) != 1 or (changes[0].start, changes[0].end) != (0, len(token)):
        raise _none()
    return changes[0].text


def _none() -> RefusedError:
    return RefusedError(
        "sql-masked",
        "A masked column may only be compared with a surrogate that was seen for one of its values",
        got="another value, or a surrogate of somebody else's",
        expected="one surrogate, exactly as it was shown",
    )
