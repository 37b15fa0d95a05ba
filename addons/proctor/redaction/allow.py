"""Values that are known to be harmless: examples, addresses of one's own."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from proctor.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class AllowList:
    """Values that pass, matched as a whole and decoded.

    Attributes:
        values: Literal ones.
        patterns: Regular expressions.
    """

    values: frozenset[str] = frozenset()
    patterns: tuple[re.Pattern[str], ...] = field(default=())

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Self:
        """Read them as they stand in the settings: `/…/` is a regular expression.

        Raises:
            ConfigurationError: An expression cannot be read, or would allow nothing at all.
        """
        values: set[str] = set()
        patterns: list[re.Pattern[str]] = []
        for entry in entries:
            if len(entry) > 2 and entry.startswith("/") and entry.endswith("/"):  # noqa: PLR2004  # two slashes
                patterns.append(_compiled(entry[1:-1]))
            else:
                values.add(entry)
        return cls(frozenset(values), tuple(patterns))

    @property
    def version(self) -> str:
        """All that its answers depend on."""
        return repr((sorted(self.values), sorted(pattern.pattern for pattern in self.patterns)))

    def allows(self, value: str) -> bool:
        """Whether the value may pass."""
        return value in self.values or any(pattern.fullmatch(value) for pattern in self.patterns)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ConfigurationError(
            "redaction-allow",
            "An entry of redaction.allow is no regular expression",
            got=f"/{pattern}/, {error.msg} at {error.pos}",
            expected="a literal value, or a Python regular expression between slashes",
        ) from None
