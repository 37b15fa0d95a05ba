"""Recognizers of the operator's own, in Presidio's YAML, and lists of words that must not pass.

The file is what Presidio's `RecognizerRegistryProvider` reads, and is read by it; only recognizers
by pattern or deny list are taken: no models, no remote services. Languages mean nothing to a
pattern, so each runs on every text, whatever language it names.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from presidio_analyzer import PatternRecognizer
from presidio_analyzer.recognizer_registry import RecognizerRegistryProvider
from pydantic import ValidationError

from proctor.errors import ConfigurationError
from proctor.redaction.recognizers.gated import Gated, Patterns
from proctor.redaction.recognizers.stock import stock_classes
from proctor.yamlfile import Document, read

_KEYS: Final = frozenset({"recognizers", "global_regex_flags", "supported_languages"})
_ENTRY_KEYS: Final = frozenset(
    (
        "class_name",
        "context",
        "country_code",
        "deny_list",
        "deny_list_score",
        "enabled",
        "name",
        "patterns",
        "score_thresholds",
        "supported_entities",
        "supported_entity",
        "supported_language",
        "supported_languages",
        "type",
    )
)
"""Presidio overlooks others, and with them a misspelt list."""

_FLAGS: Final = 26  # Presidio's: DOTALL, MULTILINE and IGNORECASE of `regex`
_CODE: Final = "redaction-recognizers"


@dataclass(frozen=True, slots=True)
class UsersRecognizers:
    """What the operator added.

    Attributes:
        recognizers: Ready to run.
        entities: What they find.
        digest: Of all that they look for.
    """

    recognizers: tuple[Gated, ...] = ()
    entities: frozenset[str] = frozenset()
    digest: str = ""


def load_users(path: Path | None, deny: Mapping[str, Sequence[str]]) -> UsersRecognizers:
    """Read the operator's recognizers and build those of the deny lists.

    Args:
        path: A file in Presidio's YAML, with `recognizers` at its top.
        deny: Words by the entity type that they are reported as.

    Raises:
        ConfigurationError: The file cannot be read, or something in it is not taken.
    """
    recognizers = [*(_from_file(read(path)) if path else ()), *_from_lists(deny)]
    digest = blake2b(digest_size=16)
    for recognizer in recognizers:
        digest.update(recognizer.definition.encode("utf-8", "surrogatepass") + b"\0")
    return UsersRecognizers(
        recognizers=tuple(recognizers),
        entities=frozenset(r.supported_entities[0] for r in recognizers),
        digest=digest.hexdigest() if recognizers else "",
    )


def _from_lists(deny: Mapping[str, Sequence[str]]) -> Iterator[Gated]:
    for entity, words in deny.items():
        if words:
            inner = PatternRecognizer(
                entity, name=f"deny:{entity}", deny_list=list(words), deny_list_score=1.0
            )
            yield Patterns(inner, detector="users:deny")


def _from_file(file: Document) -> Iterator[Gated]:
    data = file.data
    if not isinstance(data, dict) or not isinstance(data.get("recognizers"), list):
        raise _error(file, (), "The file holds no list of recognizers", "recognizers: [...]")
    unknown = sorted(data.keys() - _KEYS)
    if unknown:
        raise _error(
            file, (unknown[0],), f"{unknown[0]} is not known here", ", ".join(sorted(_KEYS))
        )
    for index, given in enumerate(data["recognizers"]):
        where = ("recognizers", index)
        entry = {"name": given, "type": "predefined"} if isinstance(given, str) else given
        if not isinstance(entry, dict):
            raise _error(file, where, "A recognizer is a mapping", "name, patterns or deny_list")
        _check_kind(file, where, entry)
        for number, inner in enumerate(_made(file, where, data, entry)):
            name: str = inner.name  # type: ignore[has-type]  # Presidio does not annotate it
            yield Patterns(inner, detector=f"users:{name}", name=f"users:{index}.{number}:{name}")


def _check_kind(file: Document, where: tuple[str, int], entry: dict[str, Any]) -> None:
    """Refuse what is neither a pattern nor a deny list before Presidio makes it."""
    unknown = sorted(entry.keys() - _ENTRY_KEYS)
    if unknown:
        raise _error(
            file,
            (*where, unknown[0]),
            f"{unknown[0]} is not known here",
            ", ".join(sorted(_ENTRY_KEYS)),
        )
    if "patterns" in entry or "deny_list" in entry:
        return
    kind = entry.get("class_name", entry.get("name"))
    if kind not in stock_classes():
        raise _error(
            file,
            where,
            "Only recognizers with patterns or a deny list are taken",
            "patterns, deny_list, or the name of one of Presidio's pattern recognizers",
        )


def _made(
    file: Document, where: tuple[str, int], data: dict[str, Any], entry: dict[str, Any]
) -> list[PatternRecognizer]:
    # Presidio drops a recognizer whose language is not among these, without a word.
    configuration = {
        "supported_languages": sorted(_languages(entry)),
        "global_regex_flags": data.get("global_regex_flags", _FLAGS),
        "recognizers": [entry],
    }
    try:
        provider = RecognizerRegistryProvider(registry_configuration=configuration)
        made = [
            recognizer
            for recognizer in provider.create_recognizer_registry().recognizers
            if isinstance(recognizer, PatternRecognizer)
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _error(file, where, f"Presidio does not take it: {_reason(error)}") from None
    if entry.get("enabled", True) and not made:
        raise _error(file, where, "Presidio makes no recognizer of it")
    return made


def _languages(entry: dict[str, Any]) -> set[str]:
    several = entry.get("supported_languages")
    named = [entry.get("supported_language"), *(several if isinstance(several, list) else ())]
    languages = {
        language.get("language") if isinstance(language, dict) else language for language in named
    }
    return {language for language in languages if isinstance(language, str)} or {"en"}


def _reason(error: Exception) -> str:
    """What is wrong, without the value that it is wrong with."""
    cause = error if isinstance(error, ValidationError) else error.__cause__
    if isinstance(cause, ValidationError):
        first = cause.errors(include_input=False, include_url=False)[0]
        place = ".".join(part for part in first["loc"] if isinstance(part, str))
        return f"{place}: {first['msg']}" if place else first["msg"]
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _error(
    file: Document, where: tuple[str | int, ...], message: str, expected: str = ""
) -> ConfigurationError:
    return ConfigurationError(
        code=_CODE, message=message, expected=expected, where=file.where(*where)
    )
