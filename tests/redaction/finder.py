"""A detector for tests of what stands around one: words that look like addresses and keys."""

import re
from collections.abc import Sequence

from proctor.redaction.model import API_KEY, Budget, Leaf, RedactionError, Spot

_WANTED = re.compile(r"(?P<mail>[a-z]+@[a-z.]+[a-z])|(?P<key>KEY-[0-9A-F\n]{4,}(?<!\n))")


class Finder:
    """`model.Detector`: e-mail addresses, and keys such as KEY-0F0F, which may have line ends."""

    version = "1"
    detectors = ("proctor:mail", "proctor:key")

    def scan(self, text: str, budget: Budget) -> tuple[Spot, ...]:
        if "BROKEN" in text:
            raise RedactionError("redaction-detector", "A recognizer failed")
        return tuple(
            Spot(match.start(), match.end(), "EMAIL_ADDRESS", "proctor:mail", 0.5, match[0])
            if match["mail"]
            else Spot(match.start(), match.end(), API_KEY, "proctor:key", 1.0, match[0])
            for match in _WANTED.finditer(text)
        )

    def examine(self, leaves: Sequence[Leaf], budget: Budget) -> dict[int, tuple[Spot, ...]]:
        found = {index: self.scan(leaf.text, budget) for index, leaf in enumerate(leaves)}
        return {index: spots for index, spots in found.items() if spots}
