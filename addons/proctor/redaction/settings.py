"""What `redaction:` in proctor.yaml may say, as frozen models."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, InstanceOf

from proctor.errors import ConfigurationError
from proctor.fields import Bytes, FilePath, Name, Seconds, Settings, nearest
from proctor.redaction.model import SECRETS, Direction, Method
from proctor.redaction.presidio import PresidioOperator, operator
from proctor.redaction.surrogates import MAX_TYPE, TYPE

type Profile = Literal["default", "strict", "secrets", "none"]

type Choice = Method | PresidioOperator | Literal["off"]
"""What is done with findings of a type; `off`: nobody looks for it."""

NAMES = frozenset({"PERSON", "LOCATION"})
"""What only a language model finds: see `ner`."""

_MIB = 2**20
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")  # RFC 9110, 5.6.2
_MODEL = re.compile(r"[a-z][a-z0-9_]{0,99}")
_FIELD = re.compile(r"\$.{1,511}")
_DIRECTIONS = frozenset(Direction)
_METHODS = frozenset(Method)
_MAX_ALLOWED = 4096


@dataclass(frozen=True, slots=True)
class Choices:
    """A type's choice for each direction; None where the next to be asked decides."""

    request: Choice | None = None
    response: Choice | None = None

    def of(self, direction: Direction) -> Choice | None:
        """The choice for this direction."""
        return self.request if direction is Direction.REQUEST else self.response


def _entity(value: object) -> object:
    if not isinstance(value, str) or not TYPE.fullmatch(value):
        raise ValueError(f"a type such as EMAIL_ADDRESS: A-Z, 0-9 and _, at most {MAX_TYPE}")
    return value


def _choice(value: object) -> Choice:
    if isinstance(value, Mapping):
        return operator(value)
    if value == "off":
        return "off"
    if isinstance(value, str) and value in _METHODS:
        return Method(value)
    raise ValueError(f"one of {', '.join((*Method, 'off'))}, or {{operator: …}}")


def _choices(value: object) -> object:
    if isinstance(value, Choices):
        return value
    if isinstance(value, Mapping) and "operator" not in value:
        if not value or not _DIRECTIONS.issuperset(value):
            raise ValueError("{request: …, response: …}, one of the two, or {operator: …}")
        return Choices(**{str(key): _choice(item) for key, item in value.items()})
    choice = _choice(value)
    return Choices(choice, choice)


def _header(value: object) -> object:
    if not isinstance(value, str) or not _HEADER.fullmatch(value):
        raise ValueError("the name of a header, such as referer")
    return value.lower()


def _allowed(value: object) -> object:
    if isinstance(value, re.Pattern):
        return value
    if isinstance(value, Mapping) and set(value) == {"regex"}:
        text = value["regex"]
        try:
            if isinstance(text, str) and 0 < len(text) <= _MAX_ALLOWED:
                return re.compile(text)
        except (re.error, OverflowError, RecursionError):
            pass
        raise ValueError("a regular expression that Python's re takes")
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ALLOWED:
        raise ValueError("a text, or {regex: …}")
    return value


def _matching(pattern: re.Pattern[str], expected: str) -> BeforeValidator:
    def validate(value: object) -> object:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(expected)
        return value

    return BeforeValidator(validate)


type EntityType = Annotated[str, BeforeValidator(_entity)]
type Entities = Mapping[EntityType, Annotated[InstanceOf[Choices], BeforeValidator(_choices)]]
type Header = Annotated[str, BeforeValidator(_header)]
type Allowed = Annotated[str | re.Pattern[str], BeforeValidator(_allowed)]
type FieldPath = Annotated[str, _matching(_FIELD, "a path such as $..password")]
type ModelName = Annotated[str, _matching(_MODEL, "a package such as en_core_web_sm")]
type Word = Annotated[str, Field(min_length=1, max_length=_MAX_ALLOWED)]


class NerSettings(Settings):
    """Names and places, found by a spaCy model in prose; needs the extra `proctor[ner]`.

    Attributes:
        model: The model's package, installed beside proctor.
        budget: Of one exchange, seconds, besides `redaction.budget`; past it the exchange is
            refused, and goes on where it stopped when it is sent again.
    """

    model: ModelName
    budget: Seconds = 5.0


class VaultSettings(Settings):
    """Where values are kept whose surrogates can be turned back.

    Attributes:
        retention: How long after a session's last use, seconds.
        max_entries: Values, each counted once for every session that uses it.
    """

    retention: Seconds = 30 * 86400.0
    max_entries: int = Field(default=1_000_000, ge=10_000, le=100_000_000)


class ListenerRedaction(Settings):
    """What is different on one listener.

    Attributes:
        profile: In place of the common one; None for that.
        entities: Before the common ones.
    """

    profile: Profile | None = None
    entities: Entities = Field(default={})


class RedactionSettings(Settings):
    """What is taken out, and how.

    Attributes:
        profile: What is looked for and done where nothing below says it. `default`: secrets are
            masked, personal data gets surrogates. `strict`: a secret in a new message blocks it,
            and more kinds of personal data are looked for. `secrets`: no personal data. `none`:
            nothing at all.
        entities: By type: a method, `off`, one of Presidio's operators, or `{request, response}`.
        listeners: What is different on some.
        fields: Paths whose values are secrets (a subset of RFC 9535).
        deny: Words that must not pass, by the type they are reported as.
        allow: Values that are harmless, or `{regex: …}` for whole values.
        recognizers: A file of recognizers, in Presidio's own YAML.
        known_values: Files of secrets that must never pass, one a line.
        headers: Request headers that are looked at. Those by default hold a mail address and a
            URL (RFC 9110, 10.1.2 and 10.1.3); others are between client and upstream.
        thinking: What happens where a signed thinking block holds something.
        media: What happens to images and other binaries.
        ner: Names and places; None for not at all.
        budget: Time that looking may take for one exchange, seconds.
        max_hits: Raw findings of one exchange.
        max_size: Text that is looked at for one exchange, bytes.
        restore: Types turned back in the model's text; None for all but secrets.
        cache: Folder for compiled rules, which nobody else may write to; None for one in `state`.
        vault: Where surrogates' values are kept.
    """

    profile: Profile = "default"
    entities: Entities = Field(default={})
    listeners: Mapping[Name, ListenerRedaction] = Field(default={})
    fields: tuple[FieldPath, ...] = ()
    deny: Mapping[EntityType, tuple[Word, ...]] = Field(default={})
    allow: tuple[Allowed, ...] = ()
    recognizers: FilePath | None = None
    known_values: tuple[FilePath, ...] = ()
    headers: tuple[Header, ...] = ("from", "referer")
    thinking: Literal["pass", "refuse"] = "pass"
    media: Literal["pass", "refuse"] = "pass"
    ner: NerSettings | None = None
    budget: Seconds = 2.0
    max_hits: int = Field(default=10_000, ge=1, le=1_000_000)
    max_size: Bytes = 32 * _MIB  # what the Messages API takes at most
    restore: tuple[EntityType, ...] | None = None
    cache: FilePath | None = None
    vault: VaultSettings = VaultSettings()


def check_entities(
    settings: RedactionSettings,
    known: frozenset[str],
    where: Callable[..., str] = lambda *path: ".".join(path),
) -> None:
    """Refuse names of types that nothing finds.

    Args:
        settings: As read.
        known: Every type that some recognizer finds, users' own among them; the types of deny
            lists, and of secrets, need not be named.
        where: Makes `file:line` of a path of keys.

    Raises:
        ConfigurationError: `unknown-name`, with names that are near.
    """
    known = known | SECRETS | frozenset(settings.deny)
    paths: list[tuple[str, ...]] = [("redaction", "entities", name) for name in settings.entities]
    for listener, changes in settings.listeners.items():
        paths += [
            ("redaction", "listeners", listener, "entities", name) for name in changes.entities
        ]
    paths += [("redaction", "restore", name) for name in settings.restore or ()]
    for path in paths:
        name = path[-1]
        if name not in known:
            parts = set(name.split("_"))
            near = {word for word in known if parts & set(word.split("_"))}
            raise ConfigurationError(
                code="unknown-name",
                message=f"Nothing finds a type called {name!r}",
                hint="Names and places need `redaction.ner`."
                if name in NAMES
                else nearest(name, near or known),
                where=where(*path),
            )
