"""Does redaction find anything? What `proctor doctor` tries."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from proctor.canary.file import NAME as CANARIES
from proctor.config import Config
from proctor.errors import ProctorError
from proctor.redaction.assembly import load_detector
from proctor.redaction.compiled import folder_of
from proctor.redaction.keys import FILE as KEY
from proctor.redaction.keys import load_keys
from proctor.redaction.model import PRIVATE_KEY, Budget
from proctor.redaction.treatment import Treatments
from proctor.runtime.checkup import Finding, State, failed

PROBE: Final = "RSA " + "PRIVATE KEY"


def _key(state: Path) -> bytes:
    """That of digests; where there is none yet, no canary was made under one."""
    return load_keys(state).digest if (state / KEY).exists() else b"\0" * 32


def redaction(config: Config) -> Iterator[Finding]:
    """Is everything there that finds what must not pass, and does it find anything?"""
    check = "redaction"
    treatments = Treatments(config.redaction)
    off = [one.name for one in config.doors if not treatments.on(one.name).types]
    for name in off:
        yield Finding(
            check=check,
            state=State.WARN,
            what=f"Nothing is taken out on the listener {name}, and its record holds everything",
            mend="Take `profile: none` out of `redaction`.",
        )
    if len(off) == len(config.doors):
        return
    try:
        detector = load_detector(
            config.redaction,
            cache=folder_of(config.redaction, config.state),
            canaries=(config.state / CANARIES, _key(config.state)),
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
