"""What findings about what leaves mean, for people."""

from typing import Final

_MEANINGS: Final = {
    "proctor:known": "a secret that this run has seen before, whole or a good part of it",
    "proctor:pieces": "another part of a secret, most of which has left by now in pieces",
    "proctor:joined": "short values that together are a secret",
}
_ENCODED: Final = "proctor:encoded/"
_CANARY: Final = "proctor:canary/"


def explain(detector: str) -> str:
    """What a detector's finding means; "" where it is none of these.

    Args:
        detector: As the finding names it.
    """
    if detector.startswith(_ENCODED):
        how = detector.removeprefix(_ENCODED).replace("-", " ")
        return f"a secret written so that it does not look like one ({how})"
    if detector.startswith(_CANARY):
        name = detector.removeprefix(_CANARY)
        return f"the canary {name}, planted to notice theft; `proctor canary list` says where"
    return _MEANINGS.get(detector, "")
