"""A small `Handling`: secrets are masked, personal data becomes surrogates, mail comes back.

It is a `Judge`, too, who lets every call pass.
"""

from collections.abc import Mapping

from proctor.protocols.anthropic.calls import Call, Outcome, Pass
from proctor.redaction.handling import Path, Rewritten, Text
from proctor.redaction.model import SECRETS, Change, Spot
from proctor.redaction.stream import Taken, TextStream
from proctor.redaction.structure.jsondoc import read_json
from proctor.redaction.surrogates import TOKEN
from tests.redaction.planted import SmallDetector, budget

JANE = "EMAIL_ADDRESS_" + "bcdfghjklmnpqrst"
ROE = "PERSON_" + "tsrqpnmlkjhgfdcb"
BACK = {JANE: 'jane "j" roe@corp-mail.io', ROE: "Jane Roe"}


class Small:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, bool]] = []
        self.asked: list[tuple[str, str]] = []
        self.calls: list[Call] = []
        self.looked: list[str] = []
        self.types: frozenset[str] = frozenset()
        self.detector = SmallDetector()

    def stream(self) -> TextStream:
        return TextStream(self.detector, budget_for=budget)

    def swap(self, taken: Taken, location: str, *, signed: bool) -> Text:
        spot = taken.spot
        self.found.append((spot.type, location, signed))
        return Text(taken.text if signed else put(spot), put(spot))

    def restore(self, text: str) -> str:
        return back(text, None)

    def document(
        self,
        raw: bytes,
        location: str,
        *,
        exempt: Mapping[Path, str],
        signed: bool = False,
        restore: frozenset[str] | None = None,
    ) -> Rewritten:
        document = read_json(raw, prefix=location, exempt=exempt)
        record: dict[int, list[Change]] = {}
        client: dict[int, list[Change]] = {}
        for index, leaf in enumerate(document.leaves):
            self.looked.append(leaf.location)
            for spot in self.detector.scan(leaf.text, budget()):
                self.found.append((spot.type, leaf.location, signed))
                change = Change(spot.start, spot.end, put(spot))
                record.setdefault(index, []).append(change)
                client.setdefault(index, []).append(change)
            for token in TOKEN.finditer(leaf.text):
                value = back(token[0], restore)
                if value != token[0]:
                    client.setdefault(index, []).append(Change(*token.span(), value))
        return Rewritten(raw if signed else document.splice(client), document.splice(record))

    def restored(self, name: str, arguments: str) -> frozenset[str]:
        self.asked.append((name, arguments))
        return self.types

    def judge(self, call: Call) -> Outcome | None:
        self.calls.append(call)
        return Pass()


def put(spot: Spot) -> str:
    return f"<{spot.type}>" if spot.type in SECRETS else f"{spot.type}_{'z' * 16}"


def back(text: str, types: frozenset[str] | None) -> str:
    for token, value in BACK.items():
        if types is None or token.rpartition("_")[0] in types:
            text = text.replace(token, value)
    return text
