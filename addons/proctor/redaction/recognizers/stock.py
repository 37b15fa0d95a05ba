"""Presidio's recognizers as they run here: which of them, on what triggers, less what is harmless.

The default set is small on purpose: URLs, dates, licences and passports are found a thousand times
in a megabyte of source. Every other pattern recognizer of Presidio's can be switched on by the
name of its entity.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, override

import presidio_analyzer.predefined_recognizers  # noqa: F401 - its classes are looked up below
from presidio_analyzer import Pattern, PatternRecognizer
from presidio_analyzer.predefined_recognizers import (
    CryptoRecognizer,
    IpRecognizer,
    MacAddressRecognizer,
    UsItinRecognizer,
    UsSsnRecognizer,
)

from proctor.redaction.prefilter import Trigger
from proctor.redaction.recognizers import harmless
from proctor.redaction.recognizers.cards import Cards
from proctor.redaction.recognizers.gated import Gated, Patterns
from proctor.redaction.recognizers.iban import Ibans
from proctor.redaction.recognizers.mailbox import Mailboxes
from proctor.redaction.recognizers.phone import NamedPhones, Phones


def _crypto() -> Gated:
    patterns = [
        Pattern(
            "address",
            # Presidio's, but not within a longer word: base64 is full of those
            r"(?<![0-9A-Za-z])(?:(?i:bc1)[0-9A-Za-z]{25,87}|[13][1-9A-HJ-NP-Za-km-z]{25,34})"
            r"(?![0-9A-Za-z])",
            0.5,
        )
    ]
    return Patterns(
        CryptoRecognizer(patterns=patterns),
        detector="presidio:CryptoRecognizer",
        triggers=(
            Trigger(
                expression=r"(?:^|[^0-9A-Za-z])(?:bc1|BC1|[13])[0-9A-Za-z]{25}",
                before=30,
                after=70,
            ),
        ),
    )


def _ssn() -> Gated:
    strong = [pattern for pattern in UsSsnRecognizer.PATTERNS if pattern.score >= _STRONG]
    return Patterns(
        UsSsnRecognizer(patterns=strong),
        detector="presidio:UsSsnRecognizer",
        triggers=(Trigger(expression="[0-9]{3}[- .][0-9]{2}[- .][0-9]{4}", before=12, after=2),),
        keep=harmless.ssn,
    )


def _named(recognizer: PatternRecognizer, detector: str, words: str) -> Gated:
    """For numbers that mean something only with a word before them: the word is the trigger."""
    named = rf"(?:^|[^A-Za-z])(?:{words})[^A-Za-z0-9]{{0,3}}(?:[^0-9\n]{{0,24}}[^0-9A-Za-z\n])?"
    before = re.compile(named + r"\Z", re.IGNORECASE)

    def keep(text: str, start: int, _end: int) -> bool:
        return before.search(text[max(0, start - _NAMED) : start]) is not None

    return Patterns(
        recognizer,
        detector=detector,
        triggers=(
            Trigger(expression=f"{named}[0-9]", before=1, after=_LONGEST_NUMBER, caseless=True),
        ),
        keep=keep,
    )


def _named_ssn() -> Gated:
    patterns = [
        Pattern(pattern.name, pattern.regex, _STRONG) for pattern in UsSsnRecognizer.PATTERNS
    ]
    return _named(
        UsSsnRecognizer(patterns=patterns, name="NamedSsn"),
        "presidio:UsSsnRecognizer",
        "ssns?|social[ _-]?security|soc[ .]{1,2}sec",
    )


def _named_itin() -> Gated:
    patterns = [
        Pattern(pattern.name, pattern.regex, _STRONG) for pattern in UsItinRecognizer.PATTERNS
    ]
    return _named(
        UsItinRecognizer(patterns=patterns),
        "presidio:UsItinRecognizer",
        "itins?|tins?|tax[ _-]?(?:payer|id)|individual[ _-]taxpayer",
    )


def _mac() -> Gated:
    pair, four = "[0-9A-Fa-f]{2}", "[0-9A-Fa-f]{4}"
    return Patterns(
        MacAddressRecognizer(),
        detector="presidio:MacAddressRecognizer",
        triggers=(
            Trigger(
                expression=rf"{pair}[:-]{pair}[:-]{pair}[:-]{pair}[:-]{pair}[:-]{pair}",
                before=18,
                after=3,
            ),
            Trigger(expression=rf"{four}\.{four}\.{four}", before=15, after=3),
        ),
        keep=harmless.mac,
    )


class _Addresses(IpRecognizer):
    """Presidio's, less its check: `harmless.ip` reads the address anyway."""

    @override
    def invalidate_result(self, pattern_text: str) -> bool:
        """Nothing is invalid here."""
        return False


def _ipv4() -> Gated:
    patterns = [pattern for pattern in IpRecognizer.PATTERNS if pattern.name == "IPv4"]
    return Patterns(
        _Addresses(patterns=patterns, name="IpV4"),
        detector="presidio:IpRecognizer",
        triggers=(Trigger(expression=r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]", before=14, after=6),),
        keep=harmless.ip,
    )


def _ipv6() -> Gated:
    patterns = [
        pattern
        for pattern in IpRecognizer.PATTERNS
        if pattern.name in {"IPv6", "IPv4_mapped", "IPv4_embedded"}
    ]
    return Patterns(
        _Addresses(patterns=patterns, name="IpV6"),
        detector="presidio:IpRecognizer",
        triggers=(
            Trigger(
                expression="(?:[23][0-9a-f]{3}|f[cd][0-9a-f]{2}|fe[89ab][0-9a-f]):[0-9a-f:]",
                before=8,
                after=64,
                caseless=True,
            ),
            # An IPv4 address at its end
            Trigger(expression=r":[0-9]{1,3}\.[0-9]{1,3}\.[0-9]", before=48, after=12),
        ),
        keep=harmless.ip,
    )


_NAMED: Final = 64
"""Characters before a number in which the word for it stands."""

_LONGEST_NUMBER: Final = 12  # characters, with what follows

_STRONG: Final = 0.5
"""Score from which a finding counts by itself."""

_DEFAULTS: Final[tuple[tuple[str, tuple[Callable[[], Gated], ...]], ...]] = (
    ("EMAIL_ADDRESS", (Mailboxes,)),
    ("CREDIT_CARD", (Cards,)),
    ("US_SSN", (_ssn, _named_ssn)),
    ("US_ITIN", (_named_itin,)),
    ("IBAN_CODE", (Ibans,)),
    ("CRYPTO", (_crypto,)),
    ("PHONE_NUMBER", (Phones, NamedPhones)),
    ("MAC_ADDRESS", (_mac,)),
    ("IP_ADDRESS", (_ipv4, _ipv6)),
)
DEFAULT_ENTITIES: Final = frozenset(entity for entity, _ in _DEFAULTS)
"""What is looked for where nothing else is said."""


def stock_entities() -> frozenset[str]:
    """Every entity that can be switched on by name."""
    return DEFAULT_ENTITIES | _others().keys()


def stock_classes() -> frozenset[str]:
    """Names of Presidio's pattern recognizers."""
    return frozenset(kind.__name__ for kind in _pattern_recognizers())


def stock_recognizers(entities: frozenset[str]) -> Iterator[Gated]:
    """The recognizers for these entities, in a fixed order.

    Args:
        entities: A subset of `stock_entities()`.
    """
    defaults = dict(_DEFAULTS)
    for entity in sorted(entities):
        if entity in defaults:
            for make in defaults[entity]:
                yield make()
            continue
        for kind in _others()[entity]:
            # Presidio takes a recognizer only for its own language; numbers have none.
            recognizer = kind(supported_language="en")  # type: ignore[call-arg]  # each has its own entity
            yield Patterns(recognizer, detector=f"presidio:{kind.__name__}")


@lru_cache(maxsize=1)
def _others() -> dict[str, list[type[PatternRecognizer]]]:
    found: dict[str, list[type[PatternRecognizer]]] = {}
    for kind in _pattern_recognizers():
        entity = inspect.signature(kind).parameters["supported_entity"].default
        if entity not in DEFAULT_ENTITIES:
            found.setdefault(entity, []).append(kind)
    return found


def _pattern_recognizers() -> list[type[PatternRecognizer]]:
    return [
        kind
        for kind in PatternRecognizer.__subclasses__()
        if kind.__module__.startswith("presidio_analyzer.predefined_recognizers.")
    ]
