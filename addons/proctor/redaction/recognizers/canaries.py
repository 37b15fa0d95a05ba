"""Canaries, wherever a text holds one."""

import re
from pathlib import Path
from typing import Any, Final, override

from presidio_analyzer import EntityRecognizer, RecognizerResult

from proctor.canary.file import read
from proctor.canary.marks import Finder, Marker
from proctor.errors import ConfigurationError
from proctor.redaction.model import CANARY
from proctor.redaction.recognizers.results import Hit, failed, results

DETECTOR: Final = "proctor:canary/"
"""Before the canary's name."""

_NAME: Final = "Canaries"
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/=_.@~-]")
_LONGEST: Final = 512


class CanaryRecognizer(EntityRecognizer):
    """Finds canaries, as their file is now.

    Args:
        path: The file; it need not be there.
        key: `RedactionKeys.digest`.

    Raises:
        ConfigurationError: The file cannot be used.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._marker = Marker(key)
        self._stamp = self._now()
        self._finder = self._made()
        super().__init__([CANARY], name=_NAME, version="canaries-1")

    @property
    def loaded(self) -> str:
        """Changes whenever the file does.

        Raises:
            RedactionError: It changed and cannot be used any more.
        """
        try:
            stamp = self._now()
            if stamp != self._stamp:
                self._finder, self._stamp = self._made(), stamp
        except ConfigurationError as error:
            raise failed(_NAME, f"{error.code} in {error.where}") from None
        return self._stamp

    @override
    def load(self) -> None:
        """Nothing is loaded later."""

    @override
    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        """Canaries in the text.

        Args:
            text: As its reader sees it.
            entities: Types asked for; empty means all.
            nlp_artifacts: Not needed.
        """
        hits: list[Hit] = []
        for start, end, name in self._finder.find(text):
            low, high = start, end
            while low > 0 and start - low < _LONGEST and _TOKEN.match(text[low - 1]):
                low -= 1
            while high < len(text) and high - end < _LONGEST and _TOKEN.match(text[high]):
                high += 1
            hits.append((low, high, CANARY, DETECTOR + name, 1.0))
        return results(self, _NAME, hits, entities) if hits else []

    def _made(self) -> Finder:
        canaries = read(self._path)
        return Finder(self._marker, {mark: one.id for one in canaries for mark in one.marks})

    def _now(self) -> str:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return ""
        except OSError:
            return "?"
        return f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"
