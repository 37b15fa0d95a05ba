"""One pass over JSON (RFC 8259), in Python where the compiled one (`_walk.pyx`) was not built.

Every string, every number and every name becomes a leaf; nothing else is built. Both ways pass the
same tests.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]  # the scanner that json.loads uses
from typing import Final, NamedTuple, cast

from proctor.protocols.jsonspan import MAX_DEPTH
from proctor.redaction.model import Change
from proctor.redaction.structure.codec import Codec, Unit, applied, mapped
from proctor.redaction.structure.layout import Layout, Path, Place, Step, bounded, joined, within
from proctor.redaction.structure.names import shown

type Embedded = Callable[[Layout, str, str, str, int, int, int, Codec, Path, Step], None]
"""Adds a text that may be JSON itself; the arguments are those of `Layout.add`."""

_blank = re.compile(r"[ \t\n\r]*").match
_separators = re.compile(r"[ \t\n\r\x1e]*").match  # RFC 7464 section 2.2
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_number = _NUMBER.match
_plain_name = re.compile(r'"([^"\\\x00-\x1f]*+)"[ \t\n\r]*+:[ \t\n\r]*+').match
_plain_member = re.compile(
    r'"([^"\\\x00-\x1f]*+)"[ \t\n\r]*+:[ \t\n\r]*+"([^"\\\x00-\x1f]*+)"'
).match
_whole_number = _NUMBER.fullmatch
_escape = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
_half_pair = re.compile(r"\\u[dD][89a-fA-F]").search
_LITERALS: Final = ("true", "false", "null")
_INEXACT: Final = ("NaN", "Infinity", "-Infinity")  # not JSON, yet many write and read them
_LONG_NUMBER: Final = 300
OPENING: Final = frozenset("{[ \t\n\r")
"""What JSON in a string begins with."""

# `{"name": "DB_PASSWORD", "value": "…"}` names its value beside it.
LABELS: Final = frozenset({"name", "key", "Name", "Key"})
LABELLED: Final = frozenset({"value", "Value"})
MAX_LABEL: Final = 64


class UnreadableError(ValueError):
    """It is not JSON. The message holds nothing of it."""


class _Outer(NamedTuple):
    """What a container stands in, kept while its inside is walked."""

    names: dict[str, int] | None
    where: str
    parent: Path
    key: str
    closing: str
    position: int
    label: str


class Walk:
    """One pass over a text.

    Args:
        layout: What leaves are added to.
        holder: Whose text is walked.
        strict: Refuse what two parsers may read differently.
        exempt: Strings that are not looked at, by path, and why.
        embedded: Adds a text that may be JSON itself.

    Attributes:
        text: What is walked.
        at: The current character.
    """

    def __init__(
        self,
        layout: Layout,
        holder: int,
        *,
        strict: bool,
        exempt: Mapping[Path, str],
        embedded: Embedded,
    ) -> None:
        self.text = layout.text(holder)
        self.at = 0
        self._layout = layout
        self._holder = holder
        self._strict = strict
        self._exempt = exempt
        self._embedded = embedded
        self._halves = strict and halved(self.text)
        self._shown: dict[str, str] = {}
        self._outer: list[_Outer] = []
        # The container around the current value.
        self._names: dict[str, int] | None = None  # None in an array
        self._where = ""  # what locations in it begin with
        self._parent: Path = ()
        self._closing = ""
        self._index = 0
        self._label = ""
        # The current value.
        self._step: Step = Place.HERE
        self._location = ""
        self._key = ""

    def start(self, *, many: bool) -> None:
        """Go to where the first value begins."""
        if self.text.startswith("\ufeff") and not self._strict:
            self.at = 1  # RFC 8259 section 8.1 forbids sending one, and lets it be ignored
        self.blank(many=many)

    def one(self, location: str, parent: Path, step: Step, key: str) -> None:
        """Walk one value with all that is in it."""
        self._location, self._parent, self._step, self._key = location, parent, step, key
        opened = self._value()
        while self._next(opened=opened):
            opened = self._value()

    def blank(self, *, many: bool = False) -> None:
        """Pass over what may stand between tokens."""
        if self.text[self.at : self.at + 1] <= " ":
            match = (_separators if many else _blank)(self.text, self.at)
            self.at = match.end() if match else self.at

    def unexpected(self) -> UnreadableError:
        """The error for what should not stand here."""
        return UnreadableError(f"something else at character {self.at}")

    def _value(self) -> bool:
        """Pass over a value, or into a container; whether it was a container."""
        first = self.text[self.at : self.at + 1]
        if first == '"':
            self._text()
        elif first == "{" or first == "[":  # noqa: PLR1714  # faster than a set
            self._open(first)
            return True
        elif match := _number(self.text, self.at):
            if self._strict and not is_double(match[0]):
                raise UnreadableError("a number too large for a double")
            self._add(match[0], self.at, match.end(), json_number)
            self.at = match.end()
        else:
            self._literal()
        return False

    def _next(self, *, opened: bool) -> bool:
        """Leave the containers that end here, and go to the next value; False if there is none."""
        text = self.text
        while self._outer:
            mark = text[self.at : self.at + 1]
            if mark <= " ":
                self.blank()
                mark = text[self.at : self.at + 1]
            if mark == self._closing:
                self._close()
                opened = False
            elif opened or mark == ",":
                if not opened:
                    self.at += 1
                    if text[self.at : self.at + 1] <= " ":
                        self.blank()
                if self._names is None:
                    self._index += 1
                    self._step = self._index
                    self._location = f"{self._where}[{self._index}]"
                elif self._member(self._names):
                    opened = False
                    continue
                else:
                    self._name(self._names)
                return True
            else:
                raise self.unexpected()
        return False

    def _member(self, names: dict[str, int]) -> bool:
        """Pass over a member that is a plain string, as most are; False where it is none."""
        match = _plain_member(self.text, self.at)
        if match is None or self._halves:
            return False
        name, value = match.groups()
        if value[:1] in OPENING or (self._strict and name in names):
            return False
        if self._exempt and (*self._parent, name) in self._exempt:
            return False
        display = self._shown.get(name)
        if display is None:
            display = self._shown[name] = shown(name)
        label = self._label
        if name in LABELS and len(value) <= MAX_LABEL:
            self._label = value
        key = label if label and name in LABELLED else name
        layout = self._layout
        names[name] = len(layout.leaves)
        layout.member(
            name,
            value,
            self._where + display,
            key,
            self._holder,
            match.start(1),
            match.start(2),
            json_string,
            self._parent,
        )
        self.at = match.end()
        return True

    def _open(self, bracket: str) -> None:
        if len(self._outer) >= MAX_DEPTH:
            raise UnreadableError("arrays and objects nested too deeply")
        self._outer.append(
            _Outer(
                self._names,
                self._where,
                self._parent,
                self._key,
                self._closing,
                self._index,
                self._label,
            )
        )
        self._parent = joined(self._parent, self._step)
        if bracket == "{":
            self._names, self._closing = self._layout.members(), "}"
            self._where, self._label = within(self._location), ""
        else:
            self._names, self._closing, self._index = None, "]", -1
            self._where = bounded(self._location)
        self.at += 1

    def _close(self) -> None:
        (
            self._names,
            self._where,
            self._parent,
            self._key,
            self._closing,
            self._index,
            self._label,
        ) = self._outer.pop()
        self.at += 1

    def _name(self, names: dict[str, int]) -> None:
        """Pass over a member's name and its colon."""
        text, start = self.text, self.at + 1
        if match := _plain_name(text, self.at):  # as nearly all are
            name, end = match[1], match.end(1)
            self.at = match.end()
        else:
            if text[self.at : start] != '"':
                raise self.unexpected()
            name = self._string()
            end = self.at - 1
            self.blank()
            if text[self.at : self.at + 1] != ":":
                raise self.unexpected()
            self.at += 1
            self.blank()
        if self._strict and name in names:
            raise UnreadableError("a name given twice in one object")
        layout = self._layout
        names[name] = len(layout.leaves)
        display = self._shown.get(name)
        if display is None:
            display = self._shown[name] = shown(name)
        location = self._location = self._where + display
        layout.add(
            name,
            location + "#name",
            "",
            self._holder,
            start,
            end,
            json_string,
            self._parent,
            Place.NAME,
        )
        self._step = name
        self._key = self._label if self._label and name in LABELLED else name

    def _text(self) -> None:
        start = self.at + 1
        value = self._string()
        if self._exempt and (reason := self._exempt.get(joined(self._parent, self._step))):
            size = len(self.text[start : self.at - 1].encode())
            self._layout.skip(reason, size, self._location)
        else:
            if self._step in LABELS and len(value) <= MAX_LABEL:
                self._label = value
            self._add(value, start, self.at - 1, json_string)

    def _add(self, value: str, start: int, end: int, codec: Codec) -> None:
        where = (self._location or "body", self._key, self._holder, start, end)
        if value[:1] in OPENING:
            self._embedded(self._layout, value, *where, codec, self._parent, self._step)
        else:
            self._layout.add(value, *where, codec, self._parent, self._step)

    def _string(self) -> str:
        """Pass over a string; what it says."""
        begin = self.at
        try:
            value, self.at = scanstring(self.text, begin + 1, self._strict)
        except json.JSONDecodeError:
            raise UnreadableError(f"a string that is none, at character {begin}") from None
        if self._halves and not encodes(value):
            raise UnreadableError("half of a surrogate pair")  # RFC 8259 section 8.2
        return cast("str", value)

    def _literal(self) -> None:
        size = literal(self.text, self.at, strict=self._strict)
        if not size:
            raise self.unexpected()
        self.at += size


def json_string(raw: str, changes: Sequence[Change]) -> list[Change]:
    """The codec of what stands between the quotes of a string (RFC 8259 section 7)."""
    units = (Unit(match.start(), match.end(), 1) for match in _escape.finditer(raw))
    plain = raw.isascii()
    return mapped(changes, units, lambda new: json.dumps(new, ensure_ascii=plain)[1:-1])


def json_number(raw: str, changes: Sequence[Change]) -> list[Change]:
    """The codec of a number: what is no number after its changes becomes 0."""
    new = applied(raw, changes)
    return [Change(0, len(raw), new if _whole_number(new) else "0")]


def literal(text: str, at: int, *, strict: bool) -> int:
    """How long the literal is that stands there; 0 for none."""
    for each in _LITERALS if strict else (*_LITERALS, *_INEXACT):
        if text.startswith(each, at):
            return len(each)
    return 0


def halved(text: str) -> bool:
    """Whether there may be half of a surrogate pair among its escapes."""
    return _half_pair(text) is not None


def is_double(digits: str) -> bool:
    """Whether a number is within a double: beyond, it is not interoperable (RFC 8259, 6)."""
    if len(digits) < _LONG_NUMBER and "e" not in digits and "E" not in digits:
        return True
    return math.isfinite(float(digits))


def encodes(value: str) -> bool:
    """Whether it has no half of a surrogate pair (RFC 8259, 8.2)."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
