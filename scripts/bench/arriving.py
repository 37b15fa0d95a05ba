"""What looking at what comes in costs, and how often it is wrong.

Harmless texts are documentation: that of this repository, and what the machine has in
/usr/share/doc and beside its Python packages. The attacks are those of the tests, so their share
says only that nothing was lost.
"""

import gzip
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

from figures import Figure, percentile
from lab import Lab

from proctor.arriving.bodies import Text, signs
from proctor.arriving.looking import look
from tests.arriving.cases import attacks

REPOSITORY = Path(__file__).parents[2]
_FILES = 600
_SIZE = 10 * 1024
_LARGEST = 400_000  # bytes of a file


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """Texts of 10 KB one by one, then all that is there."""
    lab.compiled()
    texts = list(harmless(max(60, int(_FILES * scale))))
    pieces = [text[:_SIZE] for text in texts if len(text) >= _SIZE][: max(50, 100 * rounds)]
    spent = []
    for piece in pieces:
        start = time.thread_time()
        signs([Text("body", piece)])
        spent.append((time.thread_time() - start) * 1e3)
    yield Figure(
        what="signs of prompt injection in a 10 KB text, p50",
        value=percentile(spent, 50),
        unit="ms",
        goal=1,
        note=f"CPU; p99 {percentile(spent, 99):.2f} ms, {len(spent)} texts",
    )
    scores = [look(text).score for text in texts]
    odd = sum(score >= 0.5 for score in scores)
    yield Figure(
        what="harmless texts that are suspicious (0.5 or more)",
        value=100 * odd / len(scores),
        unit="%",
        goal=1,
        note=f"{odd} of {len(scores)}; {sum(s >= 0.8 for s in scores)} of 0.8 or more",
    )
    found = [look(text).score >= 0.5 for _, text in attacks()]
    yield Figure(
        what="attacks of the tests that are suspicious",
        value=100 * sum(found) / len(found),
        unit="%",
        goal=85,
        least=True,
        note=f"of {len(found)}, in {len({way for way, _ in attacks()})} ways in",
    )


def harmless(most: int) -> Iterator[str]:
    """Documentation, the same files in every run."""
    packages = Path(sysconfig.get_paths()["purelib"])
    found = sorted(REPOSITORY.glob("docs/*.md"))
    found += sorted(packages.glob("*/METADATA"))[: most // 3]
    found += sorted(Path("/usr/share/doc").glob("*/*"))
    count = 0
    for path in found:
        if count >= most:
            return
        if not path.is_file() or not 200 < path.stat().st_size < _LARGEST:
            continue
        raw = path.read_bytes()
        try:
            raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
        except (OSError, EOFError):
            continue
        if b"\0" not in raw[:4096]:
            count += 1
            yield raw.decode("utf-8", "replace")
