"""The words of redaction, shared by detectors, structures, operators and streams."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from proctor.errors import InternalError


class Direction(StrEnum):
    """Which way a value was going."""

    REQUEST = "request"
    RESPONSE = "response"


class Method(StrEnum):
    """What is done with a finding, the mildest first.

    Attributes:
        DETECT: Nothing but a report; the value passes, and the record masks it.
        SURROGATE: A stable word in its place, which is turned back on the way back.
        HASH: A keyed digest in its place.
        MASK: A placeholder that names the type.
        BLOCK: The exchange is refused.
    """

    DETECT = "detect"
    SURROGATE = "surrogate"
    HASH = "hash"
    MASK = "mask"
    BLOCK = "block"


STRICTNESS = {method: rank for rank, method in enumerate(Method)}
"""Where several methods are named for one finding, the one with the highest rank is taken."""


def strictest(choices: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """What several rules say of findings, by type: the strictest where they differ."""
    found: dict[str, str] = {}
    for choice in choices:
        for name, method in choice.items():
            known = found.get(name)
            if known is None or STRICTNESS[Method(method)] > STRICTNESS[Method(known)]:
                found[name] = method
    return found


PRIVATE_KEY = "PRIVATE_KEY"
PASSWORD = "PASSWORD"  # noqa: S105 - the name of a type
API_KEY = "API_KEY"
SECRET = "SECRET"  # noqa: S105 - the name of a type
KNOWN_VALUE = "KNOWN_VALUE"
CONFIGURED_FIELD = "CONFIGURED_FIELD"
SECRET_PIECES = "SECRET_PIECES"  # noqa: S105 - the name of a type
CANARY = "CANARY"
SECRET_PATH = "SECRET_PATH"  # noqa: S105
"""A file at a path that is marked secret; found in fetches of git's alone."""

SECRETS = frozenset(
    {
        *(PRIVATE_KEY, PASSWORD, API_KEY, SECRET, KNOWN_VALUE, CONFIGURED_FIELD),
        *(SECRET_PIECES, CANARY),
    }
)
"""Types that give access. They are masked by default and never turned back."""


class Spot(NamedTuple):
    """Something found in a text.

    Attributes:
        start: First character, in the text that was looked at.
        end: Character after the last.
        type: Entity type, such as `EMAIL_ADDRESS`.
        detector: Who found it, such as `betterleaks:github-pat`.
        score: 0 to 1.
        value: What was found, decoded: the same secret has the same value in every spelling.
    """

    start: int
    end: int
    type: str
    detector: str
    score: float
    value: str

    def __repr__(self) -> str:
        return f"Spot({self.start}, {self.end}, {self.type!r}, {self.detector!r}, {self.score})"


class Leaf(NamedTuple):
    """A stretch of text in a body, as whoever receives the body would read it.

    Attributes:
        text: Decoded from the body's own escapes.
        location: Where it stands, such as `messages[2].content[0].text` or `query.token`; names
            that could themselves be values are shortened.
        key: The nearest name before it: a member, a column, a parameter; "" where there is none.
    """

    text: str
    location: str
    key: str = ""

    def __repr__(self) -> str:
        return f"Leaf({self.location!r})"


@dataclass(frozen=True, slots=True)
class Change:
    """Characters `start` to `end` of a leaf's text give way to `text`."""

    start: int
    end: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Bytes that were not looked at, and why: `image`, `signed`, `binary` and the like."""

    reason: str
    size: int
    location: str = ""


class Document(Protocol):
    """A body that has been read; its leaves stand in the body's order."""

    @property
    def leaves(self) -> Sequence[Leaf]:
        """Every text in it."""
        ...

    @property
    def skipped(self) -> Sequence[Skipped]:
        """What was not looked at."""
        ...

    def splice(self, changes: Mapping[int, Sequence[Change]]) -> bytes:
        """The body with these changes; all other bytes are what they were.

        Args:
            changes: By index into `leaves`; sorted and not overlapping.
        """
        ...


@dataclass(slots=True, eq=False)
class RedactionError(InternalError):
    """Something could not be looked at whole, so it may not pass.

    Its status is that of a rule's refusal: asking again changes nothing, and clients that take 5xx
    for a passing trouble would. Its code is one of `redaction-budget`, `redaction-hits`,
    `redaction-size`, `redaction-decoder`, `redaction-detector`, `redaction-media`,
    `redaction-vault`. It never holds a value, nor has a cause that does.
    """

    status: int = 451


class Budget:
    """Time and hits that one exchange may cost.

    Args:
        seconds: Of `clock`.
        hits: Findings, raw ones included, after which looking stops.
        clock: Monotonic, seconds.
    """

    def __init__(self, seconds: float, hits: int, clock: Callable[[], float]) -> None:
        self._until = clock() + seconds
        self._hits = hits
        self._clock = clock

    @property
    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._until - self._clock())

    def check(self) -> None:
        """RedactionError `redaction-budget` where the time is up; call it between pieces."""
        if self._clock() > self._until:
            raise RedactionError(
                "redaction-budget",
                "Looking for secrets took too long, so nothing was let through",
                hint="Send less at once, or raise redaction.budget.",
            )

    def spend(self, hits: int) -> None:
        """Count hits; RedactionError `redaction-hits` where there are too many."""
        self._hits -= hits
        if self._hits < 0:
            raise RedactionError(
                "redaction-hits",
                "More was found than can be handled, so nothing was let through",
                hint="Send less at once, or raise redaction.max_hits.",
            )


class Analyzer(Protocol):
    """Finds things in one plain text."""

    @property
    def version(self) -> str:
        """Digest of all that its answers depend on."""
        ...

    @property
    def detectors(self) -> tuple[str, ...]:
        """Names of the recognizers that run."""
        ...

    def analyze(self, text: str, budget: Budget) -> list[Spot]:
        """Everything found in the text as it stands, in any order; spots may overlap.

        Raises:
            RedactionError: The text could not be looked at whole.
        """
        ...


class Detector(Protocol):
    """Finds things in texts, also where they are encoded once."""

    @property
    def version(self) -> str:
        """Digest of all that its answers depend on."""
        ...

    @property
    def detectors(self) -> tuple[str, ...]:
        """Names of the recognizers that run."""
        ...

    def scan(self, text: str, budget: Budget) -> tuple[Spot, ...]:
        """What is found in one text: sorted, not overlapping.

        Raises:
            RedactionError: The text could not be looked at whole.
        """
        ...

    def examine(self, leaves: Sequence[Leaf], budget: Budget) -> dict[int, tuple[Spot, ...]]:
        """What is found in the leaves of one body, by their index; names stand as context.

        Raises:
            RedactionError: Some leaf could not be looked at whole.
        """
        ...
