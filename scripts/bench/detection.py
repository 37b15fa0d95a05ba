"""The detector of `profile: default`, and texts to measure it with."""

import random
import re
import sysconfig
import time
from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path

import secrets_corpus

from proctor.redaction.model import Budget, Detector, Spot
from proctor.redaction.stream import TextStream

KB = 1000
_PATIENT = 120.0  # seconds: here it is measured how long things take, not cut off
_HITS = 1_000_000


@cache
def detector() -> Detector:
    """As a gateway has it; loading it takes seconds."""
    # Slow to import, and most measurements are of something else.
    from proctor.redaction.analyzer import build_analyzer  # noqa: PLC0415 - see above
    from proctor.redaction.detector import TextDetector  # noqa: PLC0415 - see above
    from proctor.redaction.recognizers.secrets import secret_recognizers  # noqa: PLC0415 - see above

    return TextDetector(build_analyzer(extra=secret_recognizers(None)))


def scan(text: str) -> tuple[Spot, ...]:
    """What is found in a text."""
    return detector().scan(text, budget())


def budget() -> Budget:
    """As good as unbounded."""
    return Budget(_PATIENT, _HITS, time.monotonic)


def stream(replace: Callable[[Spot], str] = lambda spot: f"<{spot.type}>") -> TextStream:
    """A text that is redacted while it comes."""
    return TextStream(detector(), replace, budget_for=budget)


def library() -> list[str]:
    """Ordinary source: Python's own library, file by file, without its tests."""
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(
        path
        for path in root.rglob("*.py")
        if not {"site-packages", "test", "tests", "idlelib"}.intersection(path.parts)
    )
    return [path.read_text(encoding="utf-8", errors="replace") for path in files]


def code(size: int, count: int) -> list[str]:
    """Pieces of source, none of them twice."""
    return _pieces("\n".join(library()), size, count)


def mixed(size: int, count: int) -> list[str]:
    """What an agent reads: source, logs, prose, customers, secrets; a finding a KB or so."""
    rng = random.Random("mixed")  # noqa: S311 - the same text each time
    source = iter(re.split(r"\n\n+", "\n".join(library())))
    cases = [case.text for case in secrets_corpus.generate()]
    parts: list[str] = []
    length = 0
    while length < size * count:
        match rng.choice(_MIXTURE):
            case "source":
                part = "\n\n".join(islice(source, 3))
            case "log":
                part = "\n".join(_log(rng) for _ in range(8))
            case "customers":
                part = "\n".join(_customer(rng) for _ in range(2))
            case "secret":
                part = rng.choice(cases)
            case _:
                part = PROSE
        parts.append(part)
        length += len(part) + 2
    return _pieces("\n\n".join(parts), size, count)


def dense(size: int, count: int) -> list[str]:
    """Customers with a word about each: a finding every 180 characters or so."""
    rng = random.Random("dense")  # noqa: S311 - the same text each time
    lines: list[str] = []
    length = 0
    while length < size * count:
        said = "\n".join(rng.sample(_SAID, 8))
        lines.append(f"{_customer(rng)}\n{said}\n")
        length += len(lines[-1]) + 1
    return _pieces("\n".join(lines), size, count)


def table(size: int, count: int) -> list[str]:
    """Nothing but customers: mail, telephone, card, account and address in each line."""
    rng = random.Random("table")  # noqa: S311 - the same text each time
    lines: list[str] = []
    length = 0
    while length < size * count:
        lines.append(_customer(rng))
        length += len(lines[-1]) + 1
    return _pieces("\n".join(lines), size, count)


PROSE = (
    "The service reads its settings at the start and again when it is told to. Where a rule is "
    "changed while a request is under way, the old rule holds for that request, and the new one "
    "for all that follow. Nobody has to wait for it, and nothing is lost."
)
_MIXTURE = (*("source",) * 5, *("log",) * 3, *("prose",) * 6, "customers", "secret")
_SAID = (
    "She called on Monday about the two parcels that never came, and wants her money back.",
    "The invoice went to the old address; accounts will send it again with the next run.",
    "He asked for a quieter fan and a longer cable, and said the manual was hard to follow.",
    "Nothing was wrong with the motor: the fuse in the plug had gone, as it often does.",
    "They would like to order forty more, if the price is what it was in the spring.",
    "We promised an answer by the end of the week, so somebody has to look into it now.",
    "The second lamp flickers when the lift goes by; the first one has never done that.",
    "Please keep the box until the carrier has fetched it, and note the day on the form.",
    "A friend of hers bought the same one and is happy with it, which is good to hear.",
    "The spare part is on its way from the works and should be here within ten days.",
)


def _pieces(text: str, size: int, count: int) -> list[str]:
    if len(text) < size * count:
        raise ValueError(f"only {len(text)} characters for {count} pieces of {size}")
    return [text[at * size : (at + 1) * size] for at in range(count)]


def _log(rng: random.Random) -> str:
    return (
        f"2026-03-02T10:{rng.randrange(60):02}:{rng.randrange(60):02}.{rng.randrange(1000):03}Z "
        f"INFO http method=GET path=/orders/{rng.randrange(10**6)} status=200 "
        f"trace={rng.randbytes(16).hex()} bytes={rng.randrange(10**5)} ms={rng.randrange(400)}"
    )


def _customer(rng: random.Random) -> str:
    name = f"{rng.choice(_NAMES)}.{rng.choice(_NAMES)}{rng.randrange(1000)}"
    phone = f"+1 212 555 {rng.randrange(10**4):04}"
    address = f"{rng.randrange(20, 200)}.{rng.randrange(1, 255)}.{rng.randrange(255)}.{7}"
    return (
        f"{rng.randrange(10**6)},{name}@falcon.io,{phone},{_card(rng)},{_iban(rng)},{address},"
        f"{rng.choice(('open', 'paid', 'returned'))}"
    )


_NAMES = ("jane", "bob", "alice", "roe", "ada", "max", "mia", "tom")


def _card(rng: random.Random) -> str:
    """ISO/IEC 7812-1: the last digit by Luhn."""
    digits = [4, *(rng.randrange(10) for _ in range(14))]
    total = 0
    for place, digit in enumerate(digits):
        doubled = digit * 2 if place % 2 == 0 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return "".join(map(str, [*digits, -total % 10]))


def _iban(rng: random.Random) -> str:
    """ISO 13616: check digits by mod 97; D, E, 0, 0 stand as 13 14 00."""
    account = "".join(rng.choices("0123456789", k=18))
    return f"DE{98 - int(account + '131400') % 97:02}{account}"
