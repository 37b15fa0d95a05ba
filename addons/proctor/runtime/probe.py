"""Does redaction find anything? What `proctor doctor` tries."""

import time
from collections.abc import Iterator
from typing import Final

from proctor.config import Config
from proctor.errors import ProctorError
from proctor.redaction.assembly import COMPILED, load_detector
from proctor.redaction.model import PRIVATE_KEY, Budget
from proctor.redaction.treatment import Treatments
from proctor.runtime.checkup import Finding, State, failed

PROBE: Final = "RSA " + "PRIVATE KEY"


def redaction(config: Config) -> Iterator[Finding]:
    """Is everything there that finds what must not pass, and does it find anything?"""
    check = "redaction"
    treatments = Treatments(config.redaction)
    off = [one.name for one in config.listeners if not treatments.on(one.name).types]
    for name in off:
        yield Finding(
            check=check,
            state=State.WARN,
            what=f"Nothing is taken out on the listener {name}, and its record holds everything",
            mend="Take `profile: none` out of `redaction`.",
        )
    if len(off) == len(config.listeners):
        return
    try:
        detector = load_detector(
            config.redaction, cache=config.redaction.cache or config.state / COMPILED
        )
        budget = Budget(config.redaction.budget, config.redaction.max_hits, time.monotonic)
        spots = detector.scan(f"-----BEGIN {PROBE}-----\n{'M' * 64}\n-----END {PROBE}-----", budget)
    except ProctorError as error:
        yield failed(check, error)
        return
    if [spot.type for spot in spots] == [PRIVATE_KEY]:
        known = len(detector.detectors)
        yield Finding(check=check, state=State.OK, what=f"{known} detectors look at what passes")
    else:
        yield Finding(
            check=check,
            state=State.FAIL,
            what="A private key made for this test was not found",
            mend="Install proctor anew; `pip check` says what does not fit together.",
        )
