"""How well secrets are found: whole values, too much with them, and what only looks like one.

    python scripts/bench/secrets_quality.py [CORPUS.jsonl] [--seed N] [--variants N] [--texts]

A corpus holds one JSON object a line: name, text, secret (as it stands in the text, or null), and
perhaps kind. Without one, it is made by secrets_corpus.py.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import detection
import secrets_corpus
from secrets_corpus import Case

from proctor.redaction.model import SECRETS, Spot

type Scan = Callable[[str], Iterable[Spot]]
"""Everything found in a text, sorted or not, overlapping or not."""

TOO_MUCH = 3
"""A secret's spots may be this many times as long as the secret."""


@dataclass(slots=True, kw_only=True)
class Quality:
    """What became of a corpus.

    Attributes:
        positives: Texts with a secret.
        lookalikes: Texts without.
        missed: Those whose secret was not covered whole.
        partly: Those of them where some of it was covered.
        broad: Found, with far too much around it.
        hit: Look-alikes in which a secret was seen.
        detectors: Who saw it, by the look-alike's name.
    """

    positives: int = 0
    lookalikes: int = 0
    missed: list[Case] = field(default_factory=list[Case])
    partly: list[Case] = field(default_factory=list[Case])
    broad: list[Case] = field(default_factory=list[Case])
    hit: list[Case] = field(default_factory=list[Case])
    detectors: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @property
    def found(self) -> float:
        """Percent of secrets covered whole."""
        return 100 * (1 - len(self.missed) / max(1, self.positives))

    @property
    def false(self) -> float:
        """Percent of look-alikes that were hit."""
        return 100 * len(self.hit) / max(1, self.lookalikes)


def measure(cases: Iterable[Case], scan: Scan) -> Quality:
    """Look at every text once."""
    quality = Quality()
    for case in cases:
        spots = [spot for spot in scan(case.text) if spot.type in SECRETS]
        if case.secret is None:
            quality.lookalikes += 1
            if spots:
                quality.hit.append(case)
                quality.detectors[case.name] = sorted({spot.detector for spot in spots})
            continue
        quality.positives += 1
        start = case.text.index(case.secret)
        end = start + len(case.secret)
        touching = [spot for spot in spots if spot.start < end and start < spot.end]
        covered = {at for spot in touching for at in range(spot.start, spot.end)}
        if not covered.issuperset(range(start, end)):
            quality.missed.append(case)
            if covered:
                quality.partly.append(case)
        elif len(covered) > TOO_MUCH * len(case.secret):
            quality.broad.append(case)
    return quality


def read(path: Path) -> list[Case]:
    """A corpus from a file; a case without a kind is of the kind its name says."""
    cases = []
    for line in path.read_text(encoding="utf-8").splitlines():
        given = json.loads(line)
        kind = given.get("kind", given["name"])
        cases.append(
            Case(name=given["name"], kind=kind, text=given["text"], secret=given["secret"])
        )
    return cases


def main(arguments: list[str]) -> None:
    """Print the figures, then the kinds that went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus", nargs="?", type=Path, help="default: made by secrets_corpus.py")
    parser.add_argument("--seed", type=int, default=secrets_corpus.SEED)
    parser.add_argument("--variants", type=int, default=secrets_corpus.VARIANTS)
    parser.add_argument("--texts", action="store_true", help="print the texts too")
    given = parser.parse_args(arguments)
    cases = (
        read(given.corpus) if given.corpus else secrets_corpus.generate(given.seed, given.variants)
    )
    quality = measure(cases, detection.scan)
    print(f"whole secret found  {quality.found:.1f} % of {quality.positives}")
    print(f"far too much taken  {len(quality.broad)}")
    print(f"look-alikes hit     {quality.false:.1f} % of {quality.lookalikes}")
    whole = [case for case in quality.missed if case not in quality.partly]
    _show("missed", whole, texts=given.texts)
    _show("found in part", quality.partly, texts=given.texts)
    _show("far too much", quality.broad, texts=given.texts)
    _show("look-alike hit", quality.hit, texts=given.texts, who=quality.detectors)


def _show(
    what: str, cases: Sequence[Case], *, texts: bool, who: dict[str, list[str]] | None = None
) -> None:
    for case in cases:
        names = f" by {', '.join(who[case.name])}" if who else ""
        print(f"{what}: {case.kind}{names}" + (f"\n    {case.text!r}" if texts else ""))


if __name__ == "__main__":
    main(sys.argv[1:])
