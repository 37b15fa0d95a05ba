"""Requests held against a run, with the detectors that ship."""

import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

from proctor.leaving.gathered import places_of
from proctor.leaving.watch import Hit, Watch, host_place
from proctor.redaction.assembly import load_detector
from proctor.redaction.cutting import Message, cut_http
from proctor.redaction.model import SECRETS, Budget, Detector, Spot
from proctor.redaction.redactor import Redactor
from proctor.redaction.settings import RedactionSettings

WHO = "https://idp.example#alice"
AWS = "AKIA" + "Q3EGR7XZ5LBN2WPT"
GITHUB = "ghp_" + "R8kT2vLq9XwZ4mNc7BfYh3JdSaPe6Ug0Ko1T"
PASSWORD = "Tr0ub4dor-" + "Vx93kQ"


@lru_cache(1)
def detector() -> Detector:
    return load_detector(RedactionSettings())


def budget() -> Budget:
    return Budget(20, 100_000, time.monotonic)


def known(watch: Watch, *values: str) -> None:
    for value in values:
        spot = Spot(0, len(value), "PASSWORD", "test", 1.0, value)
        watch.learn(WHO, spot, f"digest of {len(value)}", "a tool's result")


def look(
    watch: Watch,
    target: str = "/",
    *,
    body: bytes = b"",
    kind: str = "",
    headers: Mapping[str, str] | None = None,
    host: str = "api.example",
) -> tuple[bool, Sequence[Hit]]:
    """Whether search finds a secret in it, and what the run's memory says."""
    fields = tuple((n.encode(), v.encode()) for n, v in (headers or {}).items())
    cut = cut_http(Message(target.encode(), fields, body), frozenset(headers or {}), kind, "")
    seen = Redactor(detector(), digest=lambda type_, value: f"{type_} {value}").look(
        cut.pieces, budget()
    )
    searched = any(found.type in SECRETS for sight in seen.sights for found in sight.found)
    documents = ((n, piece.read(piece.raw).leaves) for n, piece in enumerate(seen.pieces))
    places = [*places_of(documents), *host_place(host)]
    return searched, watch.trace(WHO, host, places, detector(), budget())
