"""Both ways of walking JSON: in Python and, where it was built, compiled."""

from importlib import import_module
from typing import Any, Final

from proctor.redaction.structure.walking import Walk


def _ways() -> list[Any]:
    try:
        return [Walk, import_module("proctor.redaction.structure._walk").Walk]
    except ImportError:
        return [Walk]


WAYS: Final = _ways()
NAMES: Final = ["python", "compiled"][: len(WAYS)]
