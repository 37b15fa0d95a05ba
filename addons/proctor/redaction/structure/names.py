"""Names in locations: what people are told of where something stood must not itself be a value."""

import re
from typing import Final

_PLAIN: Final = re.compile(r"[\w$.:/-]{1,40}")
# Six digits, or sixteen letters and digits in a row: numbers, keys and tokens.
_VALUE: Final = re.compile(r"(?:\d\D{0,39}){6}|(?=[A-Za-z]{0,39}\d)[A-Za-z0-9]{16}")
_LONGEST: Final = 40


def shown(name: str) -> str:
    """The name, or `*` where it looks like a value."""
    return name if _PLAIN.fullmatch(name) and not _VALUE.search(name) else "*"


def like_value(name: str) -> bool:
    """Whether a name, blanks apart, looks like a value."""
    return len(name) > _LONGEST or "@" in name or _VALUE.search(name) is not None
