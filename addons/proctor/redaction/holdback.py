"""How far a text that is still growing is settled: what follows cannot change what is found in it.

A cut stands behind white space, so that no unbroken token is cut, and before whatever at the end of
the text may still become something that reaches over white space: groups of digits, an assignment
or a sentence whose value is not complete, a private key, an encoding wrapped over several lines.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from proctor.redaction.recognizers.plausible import wordiness

# White space, and the scripts that are written without it: their letters are no part of a token.
# Full-width letters and digits (U+FF01 to U+FF5E) are.
_BREAK: Final = (
    r"\s\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u31a0-\u31ff"
    r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_break = re.compile(rf"[{_BREAK}]")
# In a long token without white space, such as minified JSON, these are places to cut, too.
_soft = re.compile(r"""["'<>(){}\[\],;|`]""")
SOFT: Final = 512
"""Characters of a token from which it may be cut at a bracket or the like."""
_SOFT_KEPT: Final = 256

_TAIL: Final = 320  # `key = value`, at most 300 characters
_DIGITS: Final = 48
_digit = re.compile(r"\d")
# A card, an account or a telephone number: 41 characters of digits and what separates them.
_digits = re.compile(
    r"[+(]{0,2}\d[\d\s.,\-+()/_\u2010-\u2015\u2212\ufe58\ufe63\uff0d\uff10-\uff19]{0,41}"
    r"(?:(?:[Ee]xt?[a-z]{0,6}|[Xx]|\#)[\s.:]{0,2}\d{0,7})?\Z"
)
# ISO 13616: two letters, two digits, at most 30 more, in groups.
_iban = re.compile(r"\b[A-Za-z]{2}\d{2}(?:[ \-]?[A-Za-z0-9]{1,4}){0,9}[ \-]?\Z")
# Bytes written one by one: `0x41, 0x42`, `41:42`, `41 42`.
_hexes = re.compile(r"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[\s,;:\-]{1,3}){3,}(?:0?x?[0-9A-Fa-f]{0,2})\Z")

# Where a name may begin. A sieve: the pattern below decides.
_NAMES: Final = (
    "pass", "pwd", "pw", "pin", "secret", "kennwort", "credential", "contrase", "senha",
    "wachtwoord", "парол", "密码", "key", "salt", "token", "seed", "recovery", "mnemonic",
)  # fmt: skip
_NAME: Final = (
    r"(?:pass[\s_-]?(?:word|wort|wd|phrase|code)?s?|pwd|(?<![a-z])pw|(?<![a-z])pin|secret|kennwort"
    r"|credentials?|contrase\w{1,3}|senha|wachtwoord|парол\w|密码)"
)
_VALUE: Final = r"""(?:"[^"\n]{0,300}|'[^'\n]{0,300}|`[^`\n]{0,300}|[^\s"'`<][^\n<]{0,300})?"""
# What follows the name, with a value that has not ended: no quote closed, no line ended.
_ASSIGNED: Final = (
    rf"""[\w.\-]{{0,40}}["'`\])]{{0,3}}\s{{0,4}}(?:(?:[:=>]{{1,3}}|\uff1a)\s{{0,8}}{_VALUE})?\Z"""
)
# `--password "…`.
_FLAG: Final = r"""[\w\-]{0,20}\s{1,4}["'`][^"'`\n]{0,300}\Z"""
# `the password for the server is …`, up to the sentence's end.
_PROSE: Final = (
    r"\b(?:\s{1,4}\w{1,20}){0,4}?\s{1,4}"
    r"(?:is|was|ist|war|lautet|est|es|são|é|are|be|to|as)\b(?:[^\n.!?]|[.!?](?=\S)){0,100}\Z"
)
# A quoted value with white space in it, such as WordPress's salts: `'AUTH_KEY', '… …`.
_QUOTED: Final = (
    r"""(?:key|salt|token)["'`\])]{0,3}\s{0,4}(?:[:=>]{1,3}|,)\s{0,8}"""
    r"""(?P<quote>["'`])(?:(?!(?P=quote))[^\n]){0,300}\Z"""
)
# BIP 39: twelve to 24 words.
_WORDS: Final = (
    r"(?:seed|recovery|mnemonic|secret)[ _-]?(?:phrase|words|seed)?[\"']?[ ]{0,2}"
    r"(?:[:=]|is|->)?[ ]{0,2}[\"'`]?\s?(?:[a-z]{3,8}[ ]{1,2}){0,24}[a-z]{0,8}\Z"
)
_open_name = re.compile(
    f"{_NAME}(?:{_ASSIGNED}|{_FLAG}|{_PROSE})|{_QUOTED}|{_WORDS}", re.IGNORECASE
)
_open_flag = re.compile(r"""(?<=\s)-[A-Za-z]\s{1,4}["'`][^"'`\n]{0,300}\Z""")

_PRINTS: Final = ("echo ", "printf ", "Write-Output ")
# A line that is handed to a program which reads a password: `echo … | sudo -S`.
_piped = re.compile(
    r"""(?:echo|printf|Write-Output) (?:-\w{1,8}\s|["']?%s["']?\s){0,3}\\{0,2}"""
    r"""(?:"[^"\n]{0,300}"?|'[^'\n]{0,300}'?|[^\s"'|;<>]{0,300})\s?(?:\|[^\n|]{0,200})?\Z"""
)
# A table's cell, which is one with the bar behind it.
_cell = re.compile(r"^[ \t]{0,8}\|(?:[^|\n]{0,200}\|){0,20}(?P<open>[^|\n]{0,200})\Z", re.MULTILINE)
# What is only named by the words that follow: `use … as the password`, `… is the API key`.
_NAMED_LATER: Final = 130
"""Characters of a line, from a token on, in which they may come."""
_unnamed = re.compile(r"""(?<![^\s"'`*])(?=\S{0,100}\d)[^\s"'`*]{6,}""")
_mixed = re.compile(r"(?=.*[a-z])(?=.*[A-Z!#$%&*?@])[^(){}\[\]=<>;\\/:]+\Z")
_random = re.compile(r"(?=.*\d.*\d)(?=.*[g-zG-Z])[A-Za-z0-9_+/.~=,;:!?)-]{20,}\Z")
_PRONOUNCED: Final = 0.5

KEY_CAP: Final = 64 * 1024
"""Characters of a private key or a wrapped encoding that are waited for."""
# RFC 7468 section 2, PGP and OpenSSH likewise; PuTTY's format has no end mark but its last line.
_KEYS: Final = (
    (re.compile(r"-----BEGIN[A-Z0-9 ]{0,60}PRIVATE KEY[A-Z ]{0,20}-----"),
     re.compile(r"-----END[A-Z0-9 ]{0,60}-----")),
    (re.compile(r"PuTTY-User-Key-File-\d"),
     re.compile(r"Private-(?:MAC|Hash): {0,4}[0-9a-f]{40,64}(?=[^0-9a-f])")),
)  # fmt: skip
_begin = re.compile(r"-----BEGIN[A-Z0-9 ]{0,80}-{0,5}\Z")
# A mark without this much of a key after it is only spoken of.
_UNDECIDED: Final = 400
_material = re.compile(r"[A-Za-z0-9+/=]{16}")
_encoded_line = re.compile(r"[ \t]*[A-Za-z0-9+/_\-]{32,}={0,2}[ \t]*\r?")
_encoded_part = re.compile(r"[ \t]*[A-Za-z0-9+/_=\-]*[ \t]*\r?")
_encoded_lines = re.compile(
    r"(?:[ \t]*[A-Za-z0-9+/_\-]{32,}={0,2}[ \t]*\r?\n)+[ \t]*[A-Za-z0-9+/_=\-]*[ \t]*\r?\Z"
)

SENTENCE: Final = 400
"""Characters of a sentence that are waited for."""
_ended = re.compile(r"""[.!?:…]["'”’)\]*_]{0,3}\s|\n""")  # noqa: RUF001 - people's own punctuation


def token_start(text: str, end: int, lowest: int = 0) -> int:
    """Where the unbroken token that reaches to `end` begins; `end` where there is none."""
    # Read backwards, so that only the token itself is looked at.
    found = _break.search(text[lowest:end][::-1])
    return end - found.start() if found else lowest


def token_end(text: str, start: int) -> int:
    """Where the unbroken token at `start` ends; -1 where it may go on."""
    found = _break.search(text, start)
    return found.start() if found else -1


def soften(text: str, word: int) -> int:
    """A later place to cut a long token, 256 characters before the end; else `word` itself."""
    if len(text) - word <= SOFT:
        return word
    found = _soft.search(text[word : len(text) - _SOFT_KEPT][::-1])
    return len(text) - _SOFT_KEPT - found.start() if found else word


def open_key(text: str, start: int) -> int:
    """Where a private key begins that has no end yet, at `start` or later; -1 for none."""
    for begins, ends in _KEYS:
        at = start
        ended = True  # what has no end has none further on
        while found := begins.search(text, at):
            end = ends.search(text, found.end()) if ended else None
            ended = end is not None
            if end is not None:
                at = end.end()
            elif _is_key(text, found.end()):
                return found.start()
            else:
                at = found.end()
    found = _begin.search(text, max(start, len(text) - 96))
    return found.start() if found else -1


def key_material(text: str, start: int) -> bool:
    """Whether a key, and not only its mark, stands at `start`."""
    return _material.search(text, start, start + _UNDECIDED) is not None


def key_end(text: str, start: int) -> int:
    """Where the private key that goes on at `start` ends; -1 where it does not yet."""
    found = [end.end() for _, ends in _KEYS if (end := ends.search(text, start))]
    return min(found, default=-1)


def settled(text: str, start: int, word: int) -> int:
    """Up to where the text is settled.

    Args:
        text: What was let go before, as context, and what is waiting.
        start: Where the waiting text begins.
        word: Where the token begins that reaches to the text's end (`token_start`, `soften`).

    Returns:
        From `start` up to `word`.
    """
    cut = word
    key = open_key(text, start)
    if key >= 0:
        cut = min(cut, key)
    for found in (*_open_tails(text, start), *_open_lines(text, start)):
        if found < cut:
            cut = token_start(text, found, start) if found > start else start
    return min(cut, _wrapped(text, start, cut))


def sentence(text: str, start: int, cut: int) -> int:
    """Where the sentence begins that is not complete at `cut`; `cut` where it grows too long.

    A language model knows a name by the whole sentence.
    """
    ends = [found.end() for found in _ended.finditer(text, start, cut)]
    if ends:
        return ends[-1]
    return start if cut - start < SENTENCE else cut


def _is_key(text: str, at: int) -> bool:
    return len(text) - at < _UNDECIDED or key_material(text, at)


def _open_tails(text: str, start: int) -> Iterator[int]:
    """Where things begin that reach to the text's end and may go on."""
    size = len(text)
    lowest = max(start, size - _DIGITS)
    if _digit.search(text, lowest):
        for pattern in (_digits, _iban, _hexes):
            if found := pattern.search(text, lowest):
                yield found.start()
    # The name may have been let go, so it is looked for there, too.
    tail = text[-_TAIL:]
    named = _named(tail)
    if named >= 0:
        yield max(start, size - len(tail) + named)
    if " -" in tail and (found := _open_flag.search(tail)):
        yield max(start, size - len(tail) + found.start())


def _open_lines(text: str, start: int) -> Iterator[int]:
    """Where something begins that the rest of its line may say is a secret."""
    tail = text[-_TAIL:]
    offset = len(text) - len(tail)
    for word in _PRINTS:
        at = tail.find(word)
        while at >= 0:
            if _piped.match(tail, at):
                yield max(start, offset + at)
            at = tail.find(word, at + 1)
    if "|" in tail and (found := _cell.search(tail)):
        yield max(start, offset + found.start("open"))
    line = max(start, len(text) - _NAMED_LATER, text.rfind("\n", start) + 1)
    if _digit.search(text, line):
        for found in _unnamed.finditer(text, line):
            if _is_unnamed(found[0]):
                yield found.start()
                return


def _is_unnamed(token: str) -> bool:
    """Whether a token looks like a secret, should a word behind it say so."""
    if _random.match(token):
        return True
    return _mixed.match(token) is not None and wordiness(token) < _PRONOUNCED


def _named(tail: str) -> int:
    """Where the first name begins that has an open value; -1 for none."""
    folded = tail.lower()
    if len(folded) != len(tail):  # a few letters become two
        found = _open_name.search(tail)
        return found.start() if found else -1
    best = -1
    for name in _NAMES:
        at = folded.find(name)
        while at >= 0 and (best < 0 or at < best):
            if _open_name.match(tail, at):
                best = at
            at = folded.find(name, at + 1)
    return best


def _wrapped(text: str, start: int, cut: int) -> int:
    """Before lines of base64 or hex at the end, since the next line may belong to them."""
    line = text.rfind("\n", start, len(text)) + 1
    if line <= start or not _encoded_part.fullmatch(text, line):
        return cut
    if _encoded_lines.match(text, start):
        return start
    while line > start:
        before = text.rfind("\n", start, line - 1) + 1 or start
        if not _encoded_line.fullmatch(text, before, line - 1):
            break
        line = before
        cut = min(cut, line)
    return cut


class Phrases:
    """Known texts that white space breaks; the start of one is held until the rest has come.

    Args:
        known: Words of deny lists, values that must not pass; those without a break are left out.
        limit: How many are kept; later ones are refused.
    """

    def __init__(self, known: Iterable[str] = (), *, limit: int = 10_000) -> None:
        self._starts: dict[int, set[str]] = {}
        self._left = limit
        for text in known:
            self.add(text)

    def add(self, text: str) -> None:
        """Know one more."""
        breaks = [found.end() for found in _break.finditer(text)]
        if not breaks or self._left <= 0:
            return
        self._left -= 1
        for end in breaks:
            if end < len(text):
                self._starts.setdefault(end, set()).add(text[:end].lower())

    def begin(self, text: str, start: int, word: int) -> int:
        """Where the first of them may begin that reaches up to `word`; `word` where none does."""
        if not self._starts:
            return word
        low = text[max(start, word - max(self._starts)) : word].lower()
        fits = [
            length
            for length, starts in self._starts.items()
            if length <= len(low) and low[len(low) - length :] in starts
        ]
        return word - max(fits, default=0)
