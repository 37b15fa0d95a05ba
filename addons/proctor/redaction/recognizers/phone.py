"""Telephone numbers that are written as such.

Presidio's own recognizer runs a matcher for eight regions over the whole text, which is slow and
takes many a number for a telephone's. Here a number needs a plus sign, the separators that people
use, or a word before it that says what it is.
"""

import re
from typing import Final, override

import phonenumbers

from proctor.redaction.prefilter import Trigger
from proctor.redaction.recognizers.gated import Gated, Match

_REGIONS: Final = ("GB", "DE", "FR", "IT", "NL", "BE", "CH", "AT", "AU", "BR", "JP", "IN", "SE")
"""Where a trunk prefix 0 is dialled, and whose numbers are checked."""

_CODES: Final = frozenset(str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
"""ITU-T E.164, annex D: country codes in use."""

_E164_DIGITS: Final = range(8, 16)  # ITU-T E.164, section 6.1: up to 15 digits

_WORDS: Final = (
    r"(?:tele|cell|smart)?phones?|tel|mobile|mobil|cell|fax|whatsapp|sms|msisdn|call|dial"
    r"|telefon|telefono|teléfono|tél|téléphone|handy|rufnummer|telefonnummer|mobilnummer"
    r"|handynummer|móvil|movil|celular|cellulare|portable|telefoon|телефон|電話|电话"
)
_BETWEEN: Final = r"(?:[_ -]?(?:number|num|no|nr))?[^0-9A-Za-z\n+(]{0,12}"
_DECIMAL: Final = re.compile(r"[0-9]{4,}\.[0-9]+")
"""Not RFC 5733, section 2.5, which writes a dot behind the country code of up to three digits."""

_NO_DIGITS: Final = re.compile("[^0-9]+")
_LEAST: Final = 9  # digits of a number with its trunk prefix
_WEIGHT: Final = 0.75

# A word of its own; not what goes on as a number, a version or a name.
_LEFT: Final = r"(?<![0-9A-Za-z_])(?<![0-9][.:/-])"
_RIGHT: Final = r"(?![0-9A-Za-z_])(?![.:/-][0-9])"

_SHAPE: Final = re.compile(
    r"(?=[+(0-9])(?:"
    r"(?<![0-9A-Za-z_)\]+])(?:\+|(?<![0-9][ .:/-])00 ?(?=[1-9][0-9]{0,2}[ .()/-]))"
    r"(?P<international>[1-9](?:[ ./-]?\(?[0-9]\)?){6,16})(?![0-9A-Za-z_])"
    # The North American plan
    rf"|{_LEFT}(?:1[ .-])?(?:\([2-9][0-9]{{2}}\)[ .-]?|[2-9][0-9]{{2}}[.-]"
    rf"|[2-9][0-9]{{2}} (?=[0-9]{{3}}-))[0-9]{{3}}[ .-][0-9]{{4}}{_RIGHT}"
    # With a trunk prefix: in pairs as in France, with an area code in brackets, or without
    rf"|(?P<national>{_LEFT}(?:0[1-9](?:[ .-][0-9]{{2}}){{4}}"
    r"|\(0[1-9][0-9]{1,4}\)[ -]?[0-9]{3,4}[ -]?[0-9]{3,6}"
    r"|0[1-9][0-9]{1,4}[ /-][0-9]{3,8}(?:[ -][0-9]{2,6}){0,2})"
    rf"{_RIGHT}))"
)
_NORTH_AMERICAN: Final = 11  # digits with the country code
_LAST_GROUP: Final = re.compile("(?:[ ./()-]+|^)[0-9]*[)]?$")
_ROW_BEFORE: Final = re.compile("[0-9] $")
_ROW_AFTER: Final = re.compile(" [0-9]")
_NUMBER: Final = re.compile(r"[0-9](?:[ ./-]? ?[()]?[0-9]){6,14}(?![0-9A-Za-z_])")


_NAMED: Final = re.compile(
    rf"(?<![A-Za-z])(?:{_WORDS}){_BETWEEN}[+(]?(?P<number>{_NUMBER.pattern})", re.IGNORECASE
)


class Phones(Gated):
    """Telephone numbers with a plus sign, or in the usual groups."""

    def __init__(self) -> None:
        shapes = (
            r"\+[1-9](?:[ ./-]?\(?[0-9]\)?){6}",
            r"(?:^|[^0-9A-Za-z])00 ?[1-9][0-9]{0,2}[ .()/-]",
            r"[2-9][0-9]{2}(?:\)[ .-]?|[ .-])[0-9]{3}[ .-][0-9]{4}",
            r"(?:^|[^0-9A-Za-z])0[1-9](?:[ .-][0-9]{2}){4}",
            r"(?:^|[^0-9A-Za-z])0[1-9][0-9]{1,4}[ )/-]{1,2}[0-9]{3}",
        )
        super().__init__(
            "Phones",
            entity="PHONE_NUMBER",
            detector="proctor:phone",
            triggers=[Trigger(expression=shape, before=32, after=32) for shape in shapes],
        )

    @override
    def look(self, text: str, start: int, end: int, seconds: float) -> list[Match]:
        """Numbers that lie in the window."""
        found: list[Match] = []
        for match in _SHAPE.finditer(text, start, end):
            first, after = match.span()
            if match.lastgroup == "international":
                cut = _international(match[1])
                after -= len(match[1]) - cut
                if cut == 0:
                    continue
            if match.lastgroup == "national":
                if _in_row(text, first, after):
                    continue
                after = first + _national(match.group())
                if after == first:
                    continue
            found.append((first, after, _WEIGHT))
        return found


class NamedPhones(Gated):
    """Digits with a word before them that says what they are."""

    def __init__(self) -> None:
        super().__init__(
            "NamedPhones",
            entity="PHONE_NUMBER",
            detector="proctor:phone",
            triggers=(
                Trigger(
                    expression=rf"(?:^|[^A-Za-z])(?:{_WORDS}){_BETWEEN}[+(]?[0-9]",
                    before=1,
                    caseless=True,
                    unicode=True,
                ),
            ),
        )

    @override
    def look(self, text: str, start: int, end: int, seconds: float) -> list[Match]:
        """The number whose first digit is the window; in a plain run, any in the text."""
        if end - start == 1:
            match = _NUMBER.match(text, start)
            return [(*match.span(), _WEIGHT)] if match else []
        return [(*match.span("number"), _WEIGHT) for match in _NAMED.finditer(text, start, end)]


def _international(written: str) -> int:
    """Characters of the number that this starts with, less its plus; 0 where there is none."""
    while written and not _DECIMAL.fullmatch(written):
        digits = _NO_DIGITS.sub("", written)
        if digits.startswith("1"):
            fits = len(digits) == _NORTH_AMERICAN
        else:
            known = digits[:2] in _CODES or digits[:3] in _CODES
            fits = known and len(digits) in _E164_DIGITS
        if fits:
            return len(written)
        # Another number may stand behind it as if it were a part of it.
        written = _LAST_GROUP.sub("", written)
    return 0


def _national(written: str) -> int:
    """Characters of the number that this starts with; 0 where there is none."""
    while sum(character.isdigit() for character in written) >= _LEAST:
        if any(_is_valid(written, region) for region in _REGIONS):
            return len(written)
        # Another number may stand behind it as if it were a part of it.
        written = _LAST_GROUP.sub("", written)
    return 0


def _is_valid(written: str, region: str) -> bool:
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number_for_region(number, region)


def _in_row(text: str, start: int, end: int) -> bool:
    """Whether groups with nothing but spaces between them stand among other such groups."""
    if not text[start:end].replace(" ", "").isdigit():
        return False
    return bool(_ROW_BEFORE.search(text[max(0, start - 2) : start]) or _ROW_AFTER.match(text, end))
