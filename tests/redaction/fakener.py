"""Stands in for the process with a language model: a text says what becomes of it."""

import os
import re
import resource
import signal
import sys
import threading
from pathlib import Path

# It is run isolated, and told the real paths later.
sys.path.insert(0, str(Path(__file__).parents[2] / "addons"))

from proctor.redaction.nermodel import Find, serve

_NAMES = re.compile(r"(?P<PERSON>Jane Roe|Roe)|(?P<GPE>Berlin)|(?P<DATE>Monday)")
_slowly: list[str] = []


def load(model: str) -> Find:
    if model == "broken":
        raise ValueError(model)
    if model == "never":
        signal.pause()
    return find


def find(text: str) -> list[tuple[int, int, str]]:  # noqa: PLR0911 - a table
    if "CRASH" in text:
        os._exit(3)
    if "HANG" in text:
        signal.pause()
    if "SLOW" in text:
        _slowly.append(text)
        threading.Event().wait(0.5)
    if "FLOOD" in text:
        return [(0, 1, "x" * 4_000_000)]
    if "LIE" in text:
        return [(0, len(text) + 1, "PERSON")]
    if "LIMITS" in text:
        limits = (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)
        return [(0, 1, repr([resource.getrlimit(limit) for limit in limits]))]
    if "ASKED" in text:
        return [(0, 1, str(len(_slowly)))]
    if "PATHS" in text:
        return [(0, 1, os.pathsep.join(sys.path))]
    if "SURROUNDINGS" in text:
        return [(0, 1, repr((sys.argv[1:], sorted(os.environ), os.getpid())))]
    return [(*match.span(), str(match.lastgroup)) for match in _NAMES.finditer(text)]


if __name__ == "__main__":
    serve(load)
