"""What looking at a request costs, and how much of a harmless day it takes for an attempt.

In one process, without a wire: search and tracing on requests of 10 KB, with twenty secrets known
to the run, each request one that was never seen. The day is `benign`'s; that the rules stop little
of the rest is `stopped`'s figure.
"""

import random
import string
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from benign import Sent, day, ten_kilobytes
from figures import Figure, percentile
from lab import Lab

from proctor.leaving.gathered import Place, places_of
from proctor.leaving.watch import GENERIC, Hit, Watch, host_place
from proctor.redaction.assembly import load_detector
from proctor.redaction.cutting import Message, cut_http
from proctor.redaction.model import SECRETS, Budget, Detector, Spot
from proctor.redaction.redactor import Look, Redactor
from proctor.redaction.settings import RedactionSettings

REQUESTS = 400
KNOWN = 20
_WHO = "https://idp.example#alice"
_DENIED = frozenset({"API_KEY", "PRIVATE_KEY", "KNOWN_VALUE", "SECRET_PIECES", "CANARY"})
_UNSEARCHED = frozenset({"user-agent", "accept", "referer", "if-none-match", "etag", "origin"})


class Inspected:
    """Search and tracing as the stages have them.

    Args:
        detector: The one that ships.
    """

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.redactor = Redactor(detector, digest=lambda kind, value: f"{kind} {value}")
        self.watch = Watch()

    def known(self, count: int) -> None:
        """Have the run know some secrets."""
        chosen = random.Random(8)  # noqa: S311 - the same in every run
        for number in range(count):
            value = "".join(chosen.choices(string.ascii_letters + string.digits, k=40))
            spot = Spot(0, 40, "API_KEY", "bench", 1.0, value)
            self.watch.learn(_WHO, spot, f"known {number}", "a tool's result")

    def look(self, sent: Sent) -> tuple[Look, Sequence[Hit]]:
        """What is found in a request."""
        fields = tuple((n.encode(), v.encode()) for n, v in sent.headers.items())
        chosen = frozenset(sent.headers) - _UNSEARCHED
        kind = sent.headers.get("content-type", "")
        cut = cut_http(Message(sent.target.encode(), fields, sent.body), chosen, kind, "")
        budget = Budget(5, 100_000, time.monotonic)
        look = self.redactor.look(cut.pieces, budget, keep=True)
        documents = ((number, look.document(number).leaves) for number in range(len(cut.pieces)))
        places = [*places_of(documents), *host_place(sent.host)]
        seen = {place.location for place in places}
        places += (
            Place(-1, -1, value, f"header.{name}", "")
            for name, value in sent.headers.items()
            if f"header.{name}" not in seen and name in _UNSEARCHED
        )
        hits = self.watch.trace(_WHO, sent.host, places, self.detector, budget)
        for opened in look.opened.values():  # as the stage learns
            for spot in (spot for spots in opened.spots.values() for spot in spots):
                if spot.type in SECRETS and not GENERIC.search(spot.detector):
                    self.watch.learn(_WHO, spot, spot.value, "an earlier request")
        return look, hits


def measure(_lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """Requests of 10 KB one by one, then a day."""
    inspected = Inspected(load_detector(RedactionSettings()))
    inspected.known(KNOWN)
    count = max(50, int(REQUESTS * rounds * scale))
    walls, cpus = [], []
    for sent in ten_kilobytes(count + 20):
        wall, cpu = time.perf_counter(), time.thread_time()
        inspected.look(sent)
        cpus.append((time.thread_time() - cpu) * 1e3)
        walls.append((time.perf_counter() - wall) * 1e3)
    walls, cpus = walls[20:], cpus[20:]
    yield Figure(
        what="inspection added to a 10 KB request, all detectors, p50",
        value=percentile(walls, 50),
        unit="ms",
        note=f"CPU {percentile(cpus, 50):.2f} ms; never seen before, {KNOWN} secrets known",
    )
    yield Figure(
        what="inspection added to a 10 KB request, all detectors, p99",
        value=percentile(walls, 99),
        unit="ms",
        goal=3,
        note=f"CPU {percentile(cpus, 99):.2f} ms",
    )
    count, stopped = stops(inspected)
    share = 100 * sum(stopped.values()) / count
    yield Figure(
        what="benign requests of an agent's day in which something is taken for a secret leaving",
        value=share,
        unit="%",
        goal=2,
        note=f"of {count}: {', '.join(f'{kind} {n}' for kind, n in stopped.items()) or 'none'}",
    )


def stops(inspected: Inspected) -> tuple[int, Counter[str]]:
    """How many requests a day has, and which of them carry a finding that rules stop."""
    stopped: Counter[str] = Counter()
    count = 0
    for sent in day():
        count += 1
        look, hits = inspected.look(sent)
        signs = {hit.detector for hit in hits}
        signs |= {
            found.detector
            for sight in look.sights
            for found in sight.found
            if found.type in _DENIED and not found.detector.endswith("assignment")
        }
        if signs:
            stopped[f"{sent.kind} ({', '.join(sorted(signs))})"] += 1
    return count, stopped
