# ruff: noqa: RUF001 - people's own punctuation
"""Which parts of a text are natural language, so that a language model can make something of them.

Most of what an agent sends is code, logs, JSON and paths. A language model takes a thousand times
as long as all else and finds people in variable names, so it is shown prose only. What is one
depends on a paragraph alone: the same text gives the same answer, whatever it stands next to.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

LONGEST: Final = 2048
"""Characters of a paragraph; a longer one is cut between sentences, or between words."""

_WORDS: Final = 3
"""Of a line by which it is a sentence; shorter ones belong to those next to them."""

_PLAIN: Final = 0.6  # share of words without signs of code
_FAR: Final = 2  # empty lines, over which nothing joins

# A name before a value, as JSON and redaction.batches write it; list, quotation and comment marks.
_LEAD: Final = re.compile(
    r'[ \t]{0,64}(?:"[^"\n]{1,96}"[ ]{0,2}:[ ]{0,2}["\'`])?'
    r"(?:(?:[-*+•>|#]|//|--|\d{1,3}[.)]|\[[ x]\])[ \t]{1,8}){0,3}"
)
_LINE: Final = re.compile(r"[^\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_WORD: Final = re.compile(r"\S+")
# A word as people write it, with marks and quotes around it; not snake_case, calls(), pa/ths, $x.
_NATURAL: Final = re.compile(
    r"[\"'“”„‘’«»‹›¡¿*_(\[]{0,3}"
    r"[^\W\d_]{1,40}(?:[-'’–.&/][^\W\d_]{1,40}){0,3}"
    r"(?:['’]s?)?[\"'“”‘’«»‹›*_)\].,;:!?…]{0,4}"
)
_CAMEL: Final = re.compile(r"[a-z][A-Z]")
# A time stamp or a level, as a log's line begins.
_LOG: Final = re.compile(
    r"\W{0,2}(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
    r"|\[?(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b[\]:]?)"
)
# What statements begin with, end with or hold, and sentences hardly ever.
_CODE: Final = re.compile(
    r"[{};\\]\s*\Z|=>|->|[=!<>]=|\w\(\)|\w[)\]]? ?[+*/-]?= ?[\w\"'({\[]"
    r"|\A\s*(?:[@$]\w|[<{}\[\]]|(?:raise|return) [\w.]+\()"
    r"|\A\s*(?:import|from) [\w.]+(?: import .*)?\Z"
    r"|\A\s*(?:assert|class|const|def|elif|else|enum|export|fn|for|func|if|include|let|package|private"
    r"|public|struct|try|using|var|while|with)\b.*[({:;=]\s*\Z"
)
_SENTENCE: Final = re.compile(r"[.!?…][\"'”’)\]]{0,2}\s")


class _Kind(Enum):
    PROSE = auto()
    SHORT = auto()
    OTHER = auto()


def paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Where the text is natural language: first character and the one after the last, in order.

    A paragraph ends at an empty line, unless what stands on its other side is but a word or two,
    such as a greeting or a name below a letter.
    """
    start = end = -1
    proof = False  # that there is a sentence in it
    last = _Kind.OTHER
    for first, after, gap in _lines(text):
        kind = _kind(text[first:after])
        joins = start >= 0 and gap <= (1 if _Kind.SHORT in {kind, last} else 0)
        full = after - start > LONGEST
        if kind is _Kind.OTHER or not joins or full:
            if proof:
                yield start, end
            # What is left of a full one belongs to it, be it short.
            start, proof = -1, proof and joins and kind is not _Kind.OTHER
        if kind is not _Kind.OTHER:
            start = first if start < 0 else start
            end = after
            proof = proof or kind is _Kind.PROSE
        last = kind
    if proof:
        yield start, end


def _lines(text: str) -> Iterator[tuple[int, int, int]]:
    """Lines with anything in them, and how many empty ones stand before; long ones in parts."""
    before = 0
    for line in _LINE.finditer(text):
        first, after = line.span()
        if line[0].isspace():
            continue
        gap = max(0, text.count("\n", before, first) - 1)
        if text.find("\x1e", before, first) >= 0:
            gap = _FAR  # another leaf: see redaction.batches
        before = after
        while after - first > LONGEST:
            cut = _cut(text, first, after)
            yield first, cut, gap
            first, gap = cut, _FAR
        yield first, after, gap


def _cut(text: str, first: int, after: int) -> int:
    # The last two are about as long, for of a word or two nobody sees what they are.
    last = first + min(LONGEST, (after - first) // 2 + 1)
    middle = (first + last) // 2
    sentence = _SENTENCE.search(text, middle, last)
    if sentence:
        return sentence.end()
    space = text.rfind(" ", middle, last)
    return space + 1 if space > 0 else last


def _kind(line: str) -> _Kind:
    lead = _LEAD.match(line)
    rest = line[lead.end() :] if lead else line
    if _LOG.match(rest) or _CODE.search(rest):
        return _Kind.OTHER
    words = _WORD.findall(rest)
    natural = [word for word in words if _NATURAL.fullmatch(word) and not _CAMEL.search(word)]
    if not words or len(natural) < _PLAIN * len(words):
        return _Kind.OTHER
    return _Kind.PROSE if len(natural) >= _WORDS else _Kind.SHORT
