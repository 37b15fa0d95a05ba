"""International bank account numbers (ISO 13616-1), in capitals or not.

Presidio's own recognizer takes a word in capitals behind the number for a part of it and then
finds nothing; here the country says how long the number is. Its table of formats is used.
"""

import re
import string
from typing import Final, override

from presidio_analyzer.predefined_recognizers.generic.iban_patterns import regex_per_country

from proctor.redaction.prefilter import Trigger
from proctor.redaction.recognizers.gated import Gated, Match

_LONGEST: Final = 2 * 34  # ISO 13616-1, section 5: up to 34 characters, here with separators
_FORMATS: Final = {country: re.compile(form) for country, form in regex_per_country.items()}
_NUMBERS: Final = {ord(letter): str(int(letter, 36)) for letter in string.ascii_uppercase}
_START: Final = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{2}[0-9]{2}(?:[ .-]?[0-9A-Za-z]){11,30}")


class Ibans(Gated):
    """Account numbers, whole or in groups."""

    def __init__(self) -> None:
        super().__init__(
            "Ibans",
            entity="IBAN_CODE",
            detector="proctor:iban",
            triggers=(
                Trigger(
                    expression=r"(?:^|[^0-9A-Za-z])[A-Za-z]{2}[0-9]{2}(?:[ .-]?[0-9A-Za-z]){11}",
                    before=28,
                    after=_LONGEST,
                ),
            ),
        )

    @override
    def look(self, text: str, start: int, end: int, seconds: float) -> list[Match]:
        """Account numbers that lie in the window."""
        found: list[Match] = []
        while first := _START.search(text, start, end):
            size = _size(first.group())
            if size and not text[first.start() + size : first.start() + size + 1].isalnum():
                found.append((first.start(), first.start() + size, self.MAX_SCORE))
                start = first.start() + size
            else:
                start = first.start() + 4
        return found


def _size(candidate: str) -> int:
    """Characters of the account number that the candidate starts with; 0 where there is none."""
    compact = _compact(candidate).upper()
    form = _FORMATS.get(compact[:2])
    match = form.match(compact) if form else None
    if not match or not _checks(match.group()):
        return 0
    size = match.end()
    while missing := match.end() - len(_compact(candidate[:size])):
        size += missing  # separators took their places
    return size


def _compact(written: str) -> str:
    """Without its separators."""
    return written.replace(" ", "").replace(".", "").replace("-", "")


def _checks(iban: str) -> bool:
    """ISO 7064, MOD 97-10, over the number with its first four characters moved to the end."""
    account = iban[4:] if iban[4:].isdigit() else iban[4:].translate(_NUMBERS)
    return int(account + _NUMBERS[ord(iban[0])] + _NUMBERS[ord(iban[1])] + iban[2:4]) % 97 == 1
