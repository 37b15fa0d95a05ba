"""What looking costs in one process: fresh, dense and ordinary text; and how well it finds."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import detection
import secrets_corpus
import secrets_quality
from figures import Figure, median, percentile, spread
from lab import ROOT, Lab

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngine

SIZE = 100 * detection.KB
_PLAIN = 10 * detection.KB  # for Presidio as it comes, which is a thousand times slower
_DEVELOPMENT = ROOT.parent / "shared" / "data" / "secrets" / "dev.jsonl"


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """The detector alone, without a gateway."""
    del lab
    pieces = max(3, int(4 * rounds * scale))
    _times(detection.scan, [*detection.mixed(20_000, 3)[2:], "a first text, to load it all"])
    yield _fresh("code", 5, detection.code(SIZE, pieces))
    yield _fresh("mixed", 15, detection.mixed(SIZE, pieces))
    yield _dense(pieces)
    yield _table(pieces)
    yield _ordinary(scale)


def quality(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """Secrets found whole, and what only looks like one."""
    del lab, rounds, scale
    corpora = [("kinds of secrets_corpus.py", secrets_corpus.generate())]
    if _DEVELOPMENT.exists():
        corpora.insert(0, ("development set", secrets_quality.read(_DEVELOPMENT)))
    for name, cases in corpora:
        found = secrets_quality.measure(cases, detection.scan)
        details = {
            "missed": sorted(case.kind for case in found.missed),
            "hit": sorted(case.kind for case in found.hit),
            "broad": sorted(case.kind for case in found.broad),
        }
        yield Figure(
            what=f"{name}: whole secret found",
            value=found.found,
            unit="%",
            goal=98,
            least=True,
            note=f"{len(found.missed)} of {found.positives} missed, far too much taken with "
            f"{len(found.broad)}",
            details=details,
        )
        yield Figure(
            what=f"{name}: look-alikes hit",
            value=found.false,
            unit="%",
            goal=3,
            note=f"{len(found.hit)} of {found.lookalikes}",
        )


def _fresh(what: str, goal: float, texts: Sequence[str]) -> Figure:
    """Texts that were never seen; each is looked at once."""
    times = _times(detection.scan, texts)
    return Figure(
        what=f"fresh 100 KB, {what}, p50",
        value=median(times),
        unit="ms",
        goal=goal,
        note=f"{spread(times)}, p95 {percentile(times, 95):.1f}; {len(times)} texts",
        details={"ms": times},
    )


def _dense(pieces: int) -> Figure:
    texts = detection.dense(SIZE, pieces)
    times = _times(detection.scan, texts)
    hits = sum(len(detection.scan(text)) for text in texts[:3]) / 3
    plain = _plain_presidio()
    sample = detection.dense(_PLAIN, 1)[0]
    (slow,) = _times(lambda text: plain.analyze(text, "en"), [sample])
    ours = SIZE / median(times) / 1000
    theirs = _PLAIN / slow / 1000
    return Figure(
        what="throughput, text dense with hits",
        value=ours,
        unit="MB/s",
        goal=15,
        least=True,
        note=f"{hits:.0f} findings in 100 KB; Presidio as it comes, without NLP: {theirs:.2f} MB/s",
        details={"ms": times, "presidio_ms": slow, "presidio_bytes": _PLAIN},
    )


def _table(pieces: int) -> Figure:
    texts = detection.table(SIZE, max(3, pieces // 4))
    times = _times(detection.scan, texts)
    hits = len(detection.scan(texts[0]))
    return Figure(
        what="throughput, nothing but findings",
        value=SIZE / median(times) / 1000,
        unit="MB/s",
        note=f"{hits} findings in 100 KB, {median(times) * 1000 / hits:.1f} µs each",
        details={"ms": times},
    )


def _ordinary(scale: float) -> Figure:
    """Hits in the standard library, people's real addresses in its headers included."""
    texts = detection.library()
    texts = texts[:: max(1, int(1 / scale))]
    types: Counter[str] = Counter()
    start = time.perf_counter()
    for text in texts:
        types.update(f"{spot.type} {spot.detector}" for spot in detection.scan(text))
    seconds = time.perf_counter() - start
    size = sum(map(len, texts)) / 1e6
    named = Counter({kind.split()[0]: 0 for kind in types})
    for kind, number in types.items():
        named[kind.split()[0]] += number
    return Figure(
        what="hits per MB of ordinary source",
        value=types.total() / size,
        unit="",
        goal=5,
        note=f"{size:.1f} MB, {size / seconds:.0f} MB/s; "
        + " ".join(f"{kind} {number}" for kind, number in named.most_common(4)),
        details={"types": types, "mb": size},
    )


def _times(work: Callable[[str], object], texts: Sequence[str]) -> list[float]:
    times = []
    for text in texts:
        start = time.perf_counter()
        work(text)
        times.append((time.perf_counter() - start) * 1e3)
    return times


def _plain_presidio() -> "AnalyzerEngine":
    """AnalyzerEngine with the registry it comes with and an NLP engine that does nothing."""
    from presidio_analyzer import AnalyzerEngine  # noqa: PLC0415 - slow to import

    return AnalyzerEngine(nlp_engine=_no_nlp(), supported_languages=["en"])


def _no_nlp() -> "NlpEngine":
    from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine  # noqa: PLC0415 - the same
    from spacy.tokens import Doc  # noqa: PLC0415 - the same
    from spacy.vocab import Vocab  # noqa: PLC0415 - the same

    class NoNlp(NlpEngine):
        """Knows no language, and no words."""

        def load(self) -> None:
            """Nothing to load."""

        def is_loaded(self) -> bool:
            """Always."""
            return True

        def process_text(self, text: str, language: str) -> NlpArtifacts:
            """No tokens, no entities."""
            del text
            return NlpArtifacts([], Doc(Vocab()), [], [], self, language)

        def process_batch(
            self,
            texts: Iterable[str],
            language: str,
            batch_size: int = 1,
            n_process: int = 1,
            **_: Any,
        ) -> Iterator[tuple[str, NlpArtifacts]]:
            """One after the other."""
            del batch_size, n_process
            return ((text, self.process_text(text, language)) for text in texts)

        def is_stopword(self, word: str, language: str) -> bool:
            """None is."""
            del word, language
            return False

        def is_punct(self, word: str, language: str) -> bool:
            """None is."""
            del word, language
            return False

        def get_supported_entities(self) -> list[str]:
            """None."""
            return []

        def get_supported_languages(self) -> list[str]:
            """English, as the registry wants one."""
            return ["en"]

    return NoNlp()
