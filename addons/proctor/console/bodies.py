"""What programs send: one JSON object, of known names and types, each name once."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from proctor.console.problems import refused
from proctor.errors import ClientError
from proctor.identity.jose import strict_object
from proctor.units import parse_duration

_LONGEST = timedelta(days=366)


def read_object(raw: bytes, names: Mapping[str, type]) -> dict[str, Any]:
    """The members of a body; those that are null or missing are left out.

    Args:
        raw: The body; empty for none.
        names: What may stand in it, and its type.

    Raises:
        ClientError: `body-invalid`; nothing of the body is in it.
    """
    if not raw:
        return {}
    try:
        found = strict_object(raw)
    except ValueError as error:
        raise invalid(str(error), "one JSON object") from None
    if unknown := [name for name in found if name not in names]:
        raise invalid(f"{len(unknown)} unknown names", " or ".join(names) or "none")
    kept = {name: value for name, value in found.items() if value is not None}
    for name, value in kept.items():
        if type(value) is not names[name]:  # bool is an int to isinstance
            raise invalid(f"{name} of another type", f"{name}: {_WORDS[names[name]]}")
    return kept


def read_duration(text: str, name: str) -> timedelta:
    """A duration such as `1h`.

    Raises:
        ClientError: `body-invalid`.
    """
    try:
        found = timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        raise invalid(f"a {name} that is no time", "such as 30m, 2h or 7d") from None
    if found > _LONGEST:
        raise invalid(f"a {name} of more than a year", "such as 30m, 2h or 7d")
    return found


def invalid(got: str, expected: str) -> ClientError:
    """A body that cannot be read."""
    return refused(400, "body-invalid", "The request cannot be read", got=got, expected=expected)


_WORDS = {str: "a text", bool: "true or false", int: "a whole number"}
