"""All signs of one text, and its score."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from proctor.arriving import encoded, folding, markup, patterns
from proctor.arriving.markup import Region
from proctor.arriving.patterns import Match
from proctor.arriving.readers import CALLS, beckoned
from proctor.arriving.signs import Sign, combined

MAX_TEXT: Final = 256 * 1024
"""Characters of one text that are looked at: half of them at its end."""

_NEAR: Final = 500
"""Characters around a match in which words about attacks count as about it."""

_FAR: Final = 3000
"""Characters between two signs that have nothing to do with each other."""
_SEVERAL: Final = 3
_QUOTED: Final = 0.75
_ABOUT: Final = 0.65
_BOTH: Final = 0.5
_UNSHOWN: Final = 0.5
_WEAK: Final = 0.3
_AROUND: Final = 160
_LONG: Final = 4000
_REGIONS: Final = 2000
_INSTRUCTED: Final = 3000
"""Characters from which on a text that begins as a system prompt does is one."""

_PROMPT: Final = re.compile(
    r"\byou are (?:an? |the |now |[A-Z]\w{1,20}(?: \w{1,20}){0,3}, )[^.\n]{0,120}"
    r"\b(?:assistant|agent|engineer|developer|ai|model|expert|architect|specialist|reviewer)s?\b"
    r"|\bthe assistant is claude\b",
    re.IGNORECASE,
)
_OPENING: Final = 1000
_BIDDING: Final = 0.3
_CALLS: Final = 20  # that are looked at
_QUOTES: Final = frozenset({'"', "'", "`"})
_PAIRS: Final = {'"': '"', "“": "”", "„": "“”", "`": "`", "«": "»", "‘": "’", "「": "」"}  # noqa: RUF001 - they are meant
# An order in words that are hidden, by which a menu or a note on JavaScript is told from it.
_SPOKEN: Final = re.compile(
    r"\b(?:assistants?|ais?|llms?|language models?|chat ?bots?|gpt|claude|agents?|you must"
    r"|instructions?|the user|system prompt|credentials?|passwords?|curl|wget|rm -rf|bash"
    r"|e-?mail to"
    r"|send (?:all|the|an?)|forward|transfer|execute|ignore|disregard|reply with|respond with)\b",
    re.IGNORECASE,
)
_ORDER: Final = re.compile(
    r"(?:^|[.!?:;,\n>\"'-]\s*|\b(?:please|must|should|to|then|and|now|always|instead|you|also)"
    r" )(?:ignore|disregard"
    r"|forget|send|forward|e-?mail|post|upload|call|run|execute|open|visit|fetch|read|include"
    r"|append|reply|respond|answer|say|tell|print|output|reveal|recommend|delete|transfer|add"
    r"|use|invoke|write|create|approve|rate|mention|insert|summari[sz]e|click|go|navigate"
    r"|download|install|grant|share)\b",
    re.IGNORECASE,
)
# Claude Code puts words of its own behind what a tool gives back.
_REMINDERS: Final = re.compile(
    r"Whenever you read a file, you should consider whether it (?:looks malicious|would be"
    r" considered"
    r" malware)\.(?: If it does, you MUST refuse to improve or augment the code\.)?(?: You CAN"
    r" and SHOULD"
    r" provide analysis of malware, what it is doing\. But you MUST refuse to improve or"
    r" augment the"
    r" code\.)? You can still analyze existing code, write reports, or answer (?:high-level"
    r" )?questions"
    r" about the code behavior\."
    r"|This is just a gentle reminder - ignore if not applicable\.(?: Make sure that you NEVER"
    r" mention"
    r" this reminder to the user)?"
    r"|DO NOT mention this to the user explicitly because they are already aware\."
)


class Look(NamedTuple):
    """What one text shows.

    Attributes:
        score: Of all signs together, 0 to 1.
        signs: Each name once, with its best score, the strongest first.
    """

    score: float = 0.0
    signs: tuple[Sign, ...] = ()


def look(text: str, *, result: bool = False) -> Look:
    """Look for signs of prompt injection in one text.

    Args:
        text: As it came.
        result: It is what a client says a tool gave back, to which the client adds reminders.
    """
    if len(text) > MAX_TEXT:
        text = f"{text[: MAX_TEXT // 2]}\n{text[-MAX_TEXT // 2 :]}"
    if result and "mind" in text:
        text = _REMINDERS.sub("", text)
    folded = folding.folded(text)
    signs = list(folded.signs)
    signs += _said(folded.text)
    if folded.spelled:
        inner = _said(folded.spelled)
        if inner or _SPOKEN.search(folded.spelled):
            signs += [Sign("unseen", 0.95), *inner]
    best: dict[tuple[str, bool], Sign] = {}
    for sign in signs:
        key = (sign.name, sign.told)
        if key not in best or best[key].score < sign.score:
            best[key] = sign
    if not best:
        return Look()
    ordered = sorted(best.values(), key=lambda sign: (sign.told, -sign.score))
    named: dict[str, Sign] = {}
    for sign in ordered:
        named.setdefault(sign.name, sign)
    return Look(combined(best.values()), tuple(sorted(named.values(), key=lambda s: -s.score)))


def _said(text: str, *, deeper: bool = True) -> list[Sign]:
    """Signs of what is said, as it stands and decoded."""
    page = markup.read(text)
    found = [*patterns.orders(page.text)]
    marks = patterns.marks(text)
    signs: list[Sign] = []
    if found or marks:
        topics = patterns.topics(page.text)
        prompt = _is_prompt(text)
        same = page.text is text
        raw = page if same else markup.Read(text)
        placed = [(match, _weighed(match, page, topics, prompt=prompt)) for match in found]
        marked = [
            (match, _weighed(match, raw, topics, placed=same, prompt=prompt)) for match in marks
        ]
        signs += _strongest([*placed, *marked] if same else placed)
        if not same:
            signs += [sign for _, sign in marked]
        signs += _beckoned(page.text, [*placed, *marked] if same else placed)
    signs += _hidden(page)
    if deeper:
        plain = {(sign.name, sign.score) for sign in signs}
        for inner in encoded.decoded(page.text):
            deep = _said(inner, deeper=False)
            # A whole text that was respelled says most of it again.
            score = combined(Sign(s.name, s.score) for s in deep if (s.name, s.score) not in plain)
            if score >= _WEAK:
                told = _everywhere(patterns.topics(page.text))
                signs.append(Sign("encoded", round(1 - (1 - score) * _UNSHOWN, 3), told))
    return signs


def _beckoned(text: str, placed: list[tuple[Match, Sign]]) -> Iterable[Sign]:
    """An order with something at stake, where a call on the model stands before it."""
    calls = [each for each in placed if each[1].name in CALLS and each[0].score >= _WEAK][:_CALLS]
    weighed = [sign for match, sign in calls if beckoned(text, match.end)]
    if weighed:
        told = all(sign.told for sign in weighed)
        yield Sign("bidding", _BIDDING * (_ABOUT if told else 1), told)


def _strongest(placed: list[tuple[Match, Sign]]) -> list[Sign]:
    """Of a text in which signs stand far from each other, those that stand together and say most.

    What is ordered is ordered in one place; a long text has a weak sign here and there.
    """
    placed.sort(key=lambda each: each[0].start)
    groups: list[list[Sign]] = []
    end = -_FAR
    for match, sign in placed:
        if match.start - end >= _FAR:
            groups.append([])
        groups[-1].append(sign)
        end = max(end, match.end)
    return max(groups, key=combined, default=[])


def _weighed(
    match: Match,
    page: markup.Read,
    topics: Sequence[Match],
    *,
    placed: bool = True,
    prompt: bool = False,
) -> Sign:
    """A match as it counts: more where it is hidden, less where it is quoted or spoken about."""
    about = prompt or _spoken_about(match, topics, placed=placed)
    region = _inside(page.hidden, match) if placed else None
    if region and not (about and _written_out(page.text, region)):
        return Sign(match.sign, round(1 - (1 - match.score) * _UNSHOWN, 3))
    quoted = _inside(page.quoted, match) is not None or _in_quotes(page.text, match)
    factor = _BOTH if about and quoted else _ABOUT if about else _QUOTED if quoted else 1.0
    return Sign(match.sign, round(match.score * factor, 3), factor < 1.0)


def _hidden(page: markup.Read) -> Iterable[Sign]:
    """Words that are not shown and give an order, whatever it is."""
    for region in page.hidden[:_REGIONS]:
        said = page.text[region.start : min(region.end, region.start + _LONG)]
        if _written_out(page.text, region):
            continue
        if _ORDER.search(said) and _SPOKEN.search(said):
            several = len(set(map(str.lower, _SPOKEN.findall(said)))) > 1
            base = 0.55 if region.kind == "hidden" else 0.45
            yield Sign("hidden", base + 0.15 * several if several else base - 0.15)


def _written_out(text: str, region: Region) -> bool:
    """Whether marks stand in quotation, as in source code that has a page in it."""
    return region.kind == "comment" and text[max(0, region.start - 1) : region.start] in _QUOTES


def _inside(regions: Sequence[Region], match: Match) -> Region | None:
    index = bisect_right(regions, match.start, key=lambda region: region.start) - 1
    return regions[index] if index >= 0 and match.start < regions[index].end else None


def _spoken_about(match: Match, topics: Sequence[Match], *, placed: bool) -> bool:
    """Whether the text is about attacks: here, or as a whole."""
    outside = [each for each in topics if each.end <= match.start or each.start >= match.end]
    if _everywhere(outside):
        return True
    return placed and any(match.start - _NEAR < each.start < match.end + _NEAR for each in outside)


def _everywhere(topics: Sequence[Match]) -> bool:
    """Whether a text as a whole is about attacks."""
    return len({each.sign for each in topics}) >= _SEVERAL


def _is_prompt(text: str) -> bool:
    """Whether a text is a system prompt, as they are published: long, and it says so at once."""
    return len(text) >= _INSTRUCTED and bool(_PROMPT.search(text, 0, _OPENING))


def _in_quotes(text: str, match: Match) -> bool:
    """Whether it stands in quotation marks, or in a block of code."""
    before = text[max(0, match.start - _AROUND) : match.start + 2]
    after = text[match.end - 1 : match.end + 2 * _AROUND]
    before = before.replace('"""', "   ")
    for opening, closing in _PAIRS.items():
        if opening in before and any(each in after for each in closing):
            last = before.rfind(opening)
            if opening not in closing:
                if not any(each in before[last + 1 :] for each in closing):
                    return True
            elif before.count(opening) % 2 and "\n\n" not in before[last:]:
                return True
    return text.count("```", 0, match.start) % 2 == 1 if "```" in text else False
