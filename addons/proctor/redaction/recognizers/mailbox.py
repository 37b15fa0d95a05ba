"""E-mail addresses (RFC 5321), out of code as well as out of prose.

Presidio's own expression takes `email='` for a part of the address, misses `to/jane@…` and a
company's own domains, and finds nothing in `jane@….com.bak`. Its way of telling a domain from
other words with a dot is kept: the public suffix list.
"""

import re
from functools import lru_cache
from typing import Final, override

import tldextract.tldextract

from proctor.redaction.prefilter import Trigger
from proctor.redaction.recognizers.gated import Gated, Match
from proctor.redaction.recognizers.harmless import email

# tldextract would fetch the list on its first use, in the middle of somebody's request; its own
# copy does. Presidio's recognizers use the same extractor.
_SUFFIXES: Final = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
tldextract.tldextract.TLD_EXTRACTOR = _SUFFIXES

_PRIVATE: Final = frozenset(
    # RFC 6762, section 3 and appendix G; ICANN set .internal aside in 2024
    ("local", "internal", "intranet", "private", "corp", "home", "lan")
)
_LOCAL: Final = 64  # octets before the @: RFC 5321, section 4.5.3.1.1
_DOMAIN: Final = re.compile(
    # RFC 1035, section 2.3.4: labels of up to 63 octets, 255 in all
    "(?=[\\w.\u0300-\u036f-]{4,255})"
    "\\w[\\w\u0300-\u036f-]{0,62}(?:\\.\\w[\\w\u0300-\u036f-]{0,62}){1,9}"
)
# With accents that are characters of their own.
_NAME_BACKWARDS: Final = re.compile("[\\w.+\u0300-\u036f-]*")
_ELIDED: Final = re.compile(r"(?<!\w)[odlODL]'$")  # o'brien; more would take in code
_PART: Final = re.compile(r"[.\-_][^.\-_]*$")


class Mailboxes(Gated):
    """E-mail addresses at domains that exist, by their suffix."""

    def __init__(self) -> None:
        super().__init__(
            "Mailboxes",
            entity="EMAIL_ADDRESS",
            detector="proctor:email",
            triggers=(
                Trigger(
                    expression=r'[^\x00-\x20"(),:;<>@\[\\\]]@[^\x00-\x2f:-@]',
                    before=2,
                    after=256,
                ),
            ),
        )

    @override
    def load(self) -> None:
        """Read the list of suffixes, so that the first address does not wait for it."""
        _SUFFIXES("example.com")

    @override
    def look(self, text: str, start: int, end: int, seconds: float) -> list[Match]:
        """Addresses that lie in the window."""
        found: list[Match] = []
        at = text.find("@", start, end)
        while at >= 0:
            domain = _DOMAIN.match(text, at + 1)
            size = _known(domain.group().lower()) if domain else 0
            first = _first(text, at) if size else at
            after = at + 1 + size
            if first < at and email(text, first, after):
                found.append((first, after, self.MAX_SCORE))
            at = text.find("@", at + 1, end)
        return found


def _first(text: str, at: int) -> int:
    """Where the mailbox's name starts; `at` where there is none."""
    name = _NAME_BACKWARDS.match(text[max(0, at - _LOCAL) : at][::-1])
    first = at - (name.end() if name else 0)
    while first < at and text[first] in ".+-":
        first += 1
    if first < at and _ELIDED.search(text[max(0, first - 3) : first]):
        return first - 2
    return first


@lru_cache(maxsize=4096)
def _known(domain: str) -> int:
    """Characters of the domain at the start of this; less where a file's ending follows it."""
    while "." in domain:
        if domain.rpartition(".")[2] in _PRIVATE or _SUFFIXES(domain).fqdn:
            return len(domain)
        cut = _PART.search(domain)
        domain = domain[: cut.start()] if cut else ""
    return 0
