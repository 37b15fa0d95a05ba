"""Finds orders in a text: one pass of Hyperscan says where, Python's `re` then looks there only."""

import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from proctor.arriving.demands import DEMANDS
from proctor.arriving.errands import ERRANDS
from proctor.arriving.foreign import FOREIGN
from proctor.arriving.orders import ORDERS
from proctor.arriving.pretexts import PRETEXTS
from proctor.arriving.readers import READERS
from proctor.arriving.summons import SUMMONS
from proctor.arriving.tongues import LESSER, LESSER_SCORE, SCORE, TONGUES
from proctor.redaction.model import RedactionError
from proctor.redaction.prefilter import Prefilter, Trigger

PATTERNS: Final = (*ORDERS, *ERRANDS, *PRETEXTS, *DEMANDS, *SUMMONS, *READERS)
"""All of them, in English."""

_BEFORE: Final = 700
"""Characters that the longest match may have."""

_AFTER: Final = 40  # what a match goes on with beyond the first place where it may end
_WORD: Final = 40  # bytes of the rest of a word
_AFTER_WORD: Final = 160
_LESS: Final = 4096  # characters that are looked at of a text that hits everywhere
_MANY: Final = 40
"""Matches of one pattern that are told; a text needs no more to be suspicious."""

_CLASS: Final = re.compile(r"\[([^\]\\]*[^\x00-\x7f][^\]]*)\]")
_GAP: Final = re.compile(r"(?:\.|\\w|\[\\w\\s\])\{\d+,(\d+)\}")
_RUN: Final = re.compile(r"\\w[*+]")
_WIDE: Final = 10  # characters of a gap that may be compiled as one of any length
_WIDEST: Final = 3  # bytes of a letter, but for rare ones: RFC 3629

# Words of those who write about prompt injection; each counts once.
_ABOUT: Final = (
    r"\bprompt.inject",
    r"\bindirect.{0,10}inject",
    r"\binjection (?:attack|attempt|payload|test|vector|technique)",
    r"\binjected (?:instruction|prompt|text|content|command)",
    r"\bjail ?break(?:ing|s)?\b",
    r"\badversarial",
    r"(?<![@.-])\battack(?:er)?s?\b(?!\.\w|-\w|@)",
    r"\bmalicious (?:instruction|prompt|user|actor|input|content|text|page|command|tool)",
    r"\bred.?team",
    r"\bguard ?rails?\b",
    r"\bowasp\b",
    r"\bvulnerab",
    r"\bthreat model",
    r"\bexploit",
    r"\bpayload",
    r"\bmitigat",
    (
        r"프롬프트 ?(?:인젝션|주입)|プロンプト ?インジェクション|提示词?注入|промпт-?инъекци"
        r"|инъекци. промпт|inyecci.{1,3}n de prompts?|inje.{1,4}o de prompts?"
        r"|injection de prompts?"
    ),
)


class Match(NamedTuple):
    """One place where something is said that has a sign."""

    sign: str
    score: float
    start: int
    end: int


class _Known(NamedTuple):
    sign: str
    score: float
    expression: re.Pattern[str]


class _Finder:
    """A set of expressions that are looked for together.

    Args:
        known: By name.
        trigger: Makes of an expression what Hyperscan looks for: more, never less.
        cache: Of `Prefilter`.
    """

    def __init__(
        self, known: dict[str, _Known], trigger: Callable[[str], Trigger], cache: Path | None
    ) -> None:
        self._known = known
        self._prefilter = Prefilter(
            {name: [trigger(each.expression.pattern)] for name, each in known.items()}, cache
        )

    def find(self, text: str) -> Iterator[Match]:
        """All matches, in the order of the expressions."""
        for name, windows in self._prefilter.scan(text).items():
            sign, score, expression = self._known[name]
            count = 0
            for start, end in windows:
                for found in expression.finditer(text, start, end):
                    yield Match(sign, score, *found.span())
                    count += 1
                    if count == _MANY:
                        break
                if count == _MANY:
                    break


def _whole(expression: str) -> Trigger:
    return Trigger(expression=expression, before=_BEFORE, after=_AFTER, caseless=True)


def _in_bytes(expression: str, *, short: bool = False) -> Trigger:
    """Hyperscan counts bytes here, so that letters have no case and no edge; a gap is wider.

    Args:
        expression: In small letters.
        short: Up to the second gap is enough, and sooner compiled.
    """
    expression = ".{0,".join(expression.split(".{0,")[:2]) if short else expression
    found = _CLASS.sub(lambda one: f"(?:{'|'.join(one[1])})", expression.replace(r"\b", ""))
    # Any number is compiled in a fifth of the time of up to so many.
    found = _RUN.sub(f".{{0,{_WORD}}}", _GAP.sub(_widened, found))
    after = _BEFORE if short else _AFTER_WORD
    return Trigger(expression=found, before=_BEFORE, after=after)


def _widened(gap: re.Match[str]) -> str:
    """A gap of any length, but at the end, where it would never stop to hit."""
    if int(gap[1]) >= _WIDE and gap.end() < len(gap.string):
        return ".*"
    return f".{{0,{_WIDEST * int(gap[1])}}}"


def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.IGNORECASE | re.DOTALL | re.MULTILINE)


def _english(cache: Path | None) -> _Finder:
    return _Finder(_numbered(raw=False), _whole, cache)


def _marks(cache: Path | None) -> _Finder:
    return _Finder(_numbered(raw=True), _whole, cache)


def _numbered(*, raw: bool) -> dict[str, _Known]:
    return {
        f"{each.sign}:{n}": _Known(each.sign, each.score, _compiled(each.expression))
        for n, each in enumerate(PATTERNS)
        if each.raw == raw
    }


def _tongues(cache: Path | None) -> _Finder:
    known = {
        f"{n}": _Known("tongue", SCORE if n < len(TONGUES) else LESSER_SCORE, _compiled(each))
        for n, each in enumerate((*TONGUES, *LESSER))
    }
    return _Finder(known, _in_bytes, cache)


def _foreign(cache: Path | None) -> _Finder:
    known = {
        f"{n}": _Known(s, score, _compiled(each)) for n, (s, score, each) in enumerate(FOREIGN)
    }
    return _Finder(known, partial(_in_bytes, short=True), cache)


def _about(cache: Path | None) -> _Finder:
    known = {f"{n}": _Known(f"{n}", 0.0, _compiled(each)) for n, each in enumerate(_ABOUT)}
    return _Finder(known, _whole, cache)


_MAKERS: Final = {
    "english": _english,
    "marks": _marks,
    "tongues": _tongues,
    "foreign": _foreign,
    "about": _about,
}
_FINDERS: Final[dict[str, _Finder]] = {}
_WARMING: Final = threading.Lock()


def warm(cache: Path | None = None) -> None:
    """Make all there is ready, once for a process; in a thread of its own.

    Args:
        cache: Where it is kept once it is compiled, which takes a quarter of a minute; nobody else
            may be able to write there.
    """
    with _WARMING:
        for name, make in _MAKERS.items():
            if name not in _FINDERS:
                _FINDERS[name] = make(cache)


def is_warm() -> bool:
    """Whether that is done."""
    return len(_FINDERS) == len(_MAKERS)


def _finder(name: str) -> _Finder:
    found = _FINDERS.get(name)
    if found is None:
        warm()
        found = _FINDERS[name]
    return found


def orders(text: str) -> tuple[Match, ...]:
    """What is said to the model in a text as a reader gets it."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = text
    found = tuple(_safe(_finder("english"), text))
    english = [(each.start, each.end) for each in found if each.sign == "override"]
    return found + tuple(
        each
        for each in (*_safe(_finder("tongues"), lower), *_safe(_finder("foreign"), lower))
        if not any(start < each.end and each.start < end for start, end in english)
    )


def marks(text: str) -> tuple[Match, ...]:
    """Marks and links in a text as it came."""
    return tuple(_safe(_finder("marks"), text))


def topics(text: str) -> tuple[Match, ...]:
    """Where a text speaks about attacks on models; `sign` tells the words apart."""
    return tuple(_safe(_finder("about"), text))


def _safe(finder: _Finder, text: str) -> Iterator[Match]:
    """A text that hits everywhere was made to: its beginning is looked at."""
    try:
        yield from finder.find(text)
    except RedactionError:
        yield from finder.find(text[:_LESS])
