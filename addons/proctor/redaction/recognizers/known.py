"""Secrets that are known beforehand, found in every form in which they may be written.

A file lists them; they are matched as they stand and as JSON, URLs, HTML, base64 and hex write
them. Base64 has three forms, by where in a group of three bytes the value begins; of each the
characters that depend on the value alone are matched (RFC 4648 section 4).
"""

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, override

from ahocorasick_rs import AhoCorasick
from presidio_analyzer import EntityRecognizer, RecognizerResult

from proctor.errors import ConfigurationError
from proctor.redaction.model import KNOWN_VALUE
from proctor.redaction.recognizers.results import Hit, failed, results

LEAST: Final = 6
"""Characters a known value must have: anything shorter is everywhere."""

_NAME: Final = "KnownValues"
_LARGEST: Final = 4 * 2**20
_PAIR: Final = re.compile(r"(?:export\s+)?[A-Za-z_][\w.-]*\s*=\s*(?P<value>.*)\Z")
_VARIABLE: Final = re.compile(r"(?:export\s+)?[A-Z_][A-Z0-9_]*\s*=[^=]")
_HALVES: Final = re.compile("[\ud800-\udfff]")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]")


@dataclass(frozen=True, slots=True)
class _Form:
    """One spelling; `left` and `right` say that a neighbouring character holds some of its bits."""

    text: str
    left: bool = False
    right: bool = False


@dataclass(frozen=True, slots=True)
class _Loaded:
    stamp: tuple[tuple[int, int, int], ...]
    forms: tuple[_Form, ...]
    automaton: AhoCorasick
    version: str


def _forms(value: str) -> Iterator[_Form]:
    raw = value.encode("utf-8", "surrogatepass")
    plain = json.dumps(value)[1:-1]
    percent = urllib.parse.quote(raw, safe="")
    entities = html.escape(value)
    spellings = {
        value,
        plain,
        json.dumps(value, ensure_ascii=False)[1:-1],
        plain.replace("/", "\\/"),
        json.dumps(plain)[1:-1],
        percent,
        re.sub("%..", lambda match: match.group().lower(), percent),
        urllib.parse.quote(raw),
        urllib.parse.quote_plus(raw),
        re.sub("%..", lambda match: match.group().lower(), urllib.parse.quote_plus(raw)),
        urllib.parse.quote(raw, safe="!$&'()*+,;=:@/?~"),
        entities,
        html.escape(value, quote=False),
        entities.replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        raw.hex(),
        raw.hex().upper(),
    }
    yield from (_Form(spelling) for spelling in spellings)
    for offset in range(3):
        code = base64.b64encode(bytes(offset) + raw).decode()
        first, bits = -(-offset * 8 // 6), (offset + len(raw)) * 8
        core = code[first : bits // 6]
        for spelling in {core, core.translate(str.maketrans("+/", "-_"))}:
            yield _Form(spelling, left=offset > 0, right=bits % 6 > 0)


class KnownValues:
    """Values from files, read again whenever a file changes.

    Args:
        paths: Text files with one value a line, or `NAME=value` as in `.env`; `#` begins a comment.

    Raises:
        ConfigurationError: A file cannot be read, or a line is too short to be looked for.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._loaded = self._load(self._stamp())

    def __repr__(self) -> str:
        return f"KnownValues({len(self._paths)} files)"

    @property
    def version(self) -> str:
        """Changes whenever a file does; says nothing about the values."""
        return self._current().version

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every form of every value, as the files are now."""
        return tuple(form.text for form in self._current().forms)

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Where a known value stands, in any form; spans may overlap.

        Raises:
            RedactionError: A file changed and cannot be read any more.
        """
        loaded = self._current()
        if not text.isascii():
            text = _HALVES.sub("\ufffd", text)
        for index, start, end in loaded.automaton.find_matches_as_indexes(text, overlapping=True):
            form = loaded.forms[index]
            left = form.left and start > 0 and _BASE64.match(text[start - 1])
            right = form.right and end < len(text) and _BASE64.match(text[end])
            yield start - bool(left), end + bool(right)

    def _current(self) -> _Loaded:
        try:
            stamp = self._stamp()
            if stamp != self._loaded.stamp:
                self._loaded = self._load(stamp)
        except ConfigurationError as error:
            raise failed(_NAME, f"{error.code} in {error.where}") from None
        return self._loaded

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        stamp = []
        for path in self._paths:
            try:
                status = path.stat()
            except OSError:
                raise _unreadable(path) from None
            stamp.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(stamp)

    def _load(self, stamp: tuple[tuple[int, int, int], ...]) -> _Loaded:
        forms: dict[str, _Form] = {}
        for path in self._paths:
            for value in _values(path):
                forms.update((form.text, form) for form in _forms(value) if form.text not in forms)
        listed = tuple(forms.values())
        return _Loaded(
            stamp=stamp,
            forms=listed,
            automaton=AhoCorasick([form.text for form in listed]),
            version=blake2b(repr((self._paths, stamp)).encode(), digest_size=16).hexdigest(),
        )


def _unreadable(path: Path) -> ConfigurationError:
    return ConfigurationError(
        "known-values-file",
        "The file of known values cannot be read",
        expected=f"UTF-8 text, at most {_LARGEST} bytes",
        where=str(path),
    )


def _values(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        lines = data.decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        # The cause would quote what the file holds.
        raise _unreadable(path) from None
    if len(data) > _LARGEST:
        raise _unreadable(path)
    for number, line in enumerate(lines, 1):
        value = line.strip()
        if not value or value.startswith("#"):
            continue
        pair = _PAIR.match(value)
        if pair:
            inner = pair["value"].strip()
            if len(inner) >= 2 and inner[0] == inner[-1] and inner[0] in "\"'":  # noqa: PLR2004 - two quotes
                inner = inner[1:-1]
            # A port or a flag among them is no secret.
            if len(inner) >= LEAST:
                yield inner
            # Unless it reads as a variable, the line may be one value with "=" in it.
            if not _VARIABLE.match(value):
                yield value
        elif len(value) >= LEAST:
            yield value
        else:
            raise ConfigurationError(
                "known-values-short",
                "A known value is too short to be looked for",
                got=f"{len(value)} characters",
                expected=f"at least {LEAST}",
                where=f"{path}:{number}",
            )


class KnownValuesRecognizer(EntityRecognizer):
    """Finds known values.

    Args:
        known: Where they come from.
    """

    def __init__(self, known: KnownValues) -> None:
        self._known = known
        super().__init__([KNOWN_VALUE], name=_NAME, version=known.version)

    @property
    def loaded(self) -> str:
        """The version of the values as they are now.

        Raises:
            RedactionError: A file changed and cannot be read any more.
        """
        return self._known.version

    @override
    def load(self) -> None:
        """Nothing is loaded later."""

    @override
    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        """Known values in the text.

        Args:
            text: As its reader sees it.
            entities: Types asked for; empty means all.
            nlp_artifacts: Not needed.

        Raises:
            RedactionError: A file changed and cannot be read any more.
        """
        hits: list[Hit] = [
            (start, end, KNOWN_VALUE, "proctor:known-value", 1.0)
            for start, end in self._known.find(text)
        ]
        return results(self, _NAME, hits, entities)
