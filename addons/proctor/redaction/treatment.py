"""What is done with a finding: asked of the rules first, then the listener, all, the profile.

| profile | secrets | personal data |
|---|---|---|
| default | mask | surrogate |
| strict | block in what is new in a request, else mask | surrogate, more types |
| secrets | mask | - |
| none | - | - |

Blocking because of something in the history would end a session for good: there it is masked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from proctor.redaction.model import SECRETS, Direction, Method
from proctor.redaction.presidio import PresidioOperator
from proctor.redaction.settings import NAMES, Choice, Choices, Profile, RedactionSettings

PERSONAL = frozenset(
    {
        "CREDIT_CARD",
        "CRYPTO",
        "EMAIL_ADDRESS",
        "IBAN_CODE",
        "IP_ADDRESS",
        "MAC_ADDRESS",
        "PHONE_NUMBER",
        "US_ITIN",
        "US_SSN",
    }
)
"""Personal data that can be told from ordinary text."""

WIDER = PERSONAL | {"MEDICAL_LICENSE", "UK_NHS", "US_PASSPORT"}
"""With those that are now and then mistaken.

Not URL, DATE_TIME, US_DRIVER_LICENSE and US_BANK_NUMBER: in source code they are found hundreds or
thousands of times in a megabyte, and nothing could be worked on. Who needs them names them.
"""

type Chosen = Method | PresidioOperator


def passes(chosen: Chosen) -> bool:
    """Whether the value goes on as it is."""
    return chosen.keeps if isinstance(chosen, PresidioOperator) else chosen is Method.DETECT


def name_of(chosen: Chosen) -> str:
    """What the record calls it."""
    return chosen.name if isinstance(chosen, PresidioOperator) else chosen.value


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done with the findings of one exchange."""

    _table: Mapping[tuple[str, Direction], Chosen]
    _redact: Mapping[str, Method]

    @property
    def types(self) -> frozenset[str]:
        """Every type that something is done with; empty where redaction is off."""
        return frozenset(name for name, _ in self._table) | frozenset(self._redact)

    def method(self, entity: str, direction: Direction, *, history: bool = False) -> Chosen | None:
        """What is done with a finding.

        Args:
            entity: Its type.
            direction: Which way it goes.
            history: It was sent before, and is sent again with the conversation.

        Returns:
            None for nothing: the type is off, and a finding of it is none.
        """
        chosen = self._redact.get(entity) or self._table.get((entity, direction))
        return Method.MASK if history and chosen is Method.BLOCK else chosen


class Treatments:
    """The treatments that settings ask for, by listener.

    Args:
        settings: As read.
        added: Types that users' own recognizers find: personal data, unless said otherwise.
    """

    def __init__(self, settings: RedactionSettings, added: frozenset[str] = frozenset()) -> None:
        personal = (added | frozenset(settings.deny)) - SECRETS
        if settings.ner is not None:
            personal |= NAMES
        self.restored = None if settings.restore is None else frozenset(settings.restore)
        """Types turned back in text; None for all but secrets."""
        self._common = _table(settings.profile, personal, settings.entities)
        self._listeners = {
            name: _table(
                changes.profile or settings.profile, personal, settings.entities, changes.entities
            )
            for name, changes in settings.listeners.items()
        }

    def on(self, listener: str, redact: Mapping[str, str] | None = None) -> Treatment:
        """The treatment of one exchange.

        Args:
            listener: Its name.
            redact: What matching rules say, by type; the strictest where they differ.

        Raises:
            ValueError: A rule names a method that there is not.
        """
        rules = {name: Method(method) for name, method in (redact or {}).items()}
        return Treatment(self._listeners.get(listener, self._common), rules)

    @property
    def types(self) -> frozenset[str]:
        """Every type that is looked for on some listener; rules may name more."""
        tables = (self._common, *self._listeners.values())
        return frozenset(name for table in tables for name, _ in table)


def _table(
    profile: Profile, added: frozenset[str], *layers: Mapping[str, Choices]
) -> dict[tuple[str, Direction], Chosen]:
    """One choice for each type and direction; later layers win."""
    table: dict[tuple[str, Direction], Choice] = {}
    for name, choices in _profile(profile, added):
        for direction in Direction:
            table[name, direction] = choices.of(direction) or "off"
    for layer in layers:
        for name, choices in layer.items():
            for direction in Direction:
                choice = choices.of(direction)
                if choice is not None:
                    table[name, direction] = choice
    return {key: choice for key, choice in table.items() if choice != "off"}


def _profile(profile: Profile, added: frozenset[str]) -> Iterator[tuple[str, Choices]]:
    if profile == "none":
        return
    first = Method.BLOCK if profile == "strict" else Method.MASK
    for name in SECRETS:
        yield name, Choices(first, Method.MASK)
    builtin = {"default": PERSONAL, "strict": WIDER, "secrets": frozenset[str]()}[profile]
    for name in builtin | added:
        yield name, Choices(Method.SURROGATE, Method.SURROGATE)
