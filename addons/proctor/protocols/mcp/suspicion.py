"""Signs that a tool's definition is more than a description.

The model reads names, descriptions and schemas as it reads its own instructions, so a description
can order what no user asked for ("tool poisoning"). Signs are plain patterns, each with what it
means. They miss what is worded otherwise, or in another language: what protects is the digest
(`definitions`), which a change cannot pass unseen.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from proctor.protocols.mcp.definitions import JOINERS, SELECTORS, unseen, visible

SUSPICIOUS: Final = 0.5
"""From this score on, a sign alone is reason enough to ask a human."""

_MAX_TEXT: Final = 20_000  # characters of one tool; of 870 real ones none had more
_MAX_LOOKED: Final = 50_000  # characters that patterns are run over
_MAX_SHOWN: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Something in a definition that a person should look at.

    Attributes:
        name: Stable name of the pattern.
        place: Where it stands, such as `inputSchema.properties.note.description`.
        explanation: What it may mean.
        score: 0 to 1.
    """

    name: str
    place: str
    explanation: str
    score: float


def suspicious(
    tool: Mapping[str, Any], elsewhere: Collection[str] = frozenset()
) -> tuple[Sign, ...]:
    """Signs that a definition is more than a description. None of them is proof, nor their lack.

    Args:
        tool: The definition.
        elsewhere: Names of other servers' tools, without those that its own server has, too.
    """
    signs: dict[tuple[str, str], Sign] = {}
    size = 0
    for place, text in _texts(tool, ""):
        size += len(text)
        for name, explanation, score in _found(text[:_MAX_LOOKED], named=place == "name"):
            signs.setdefault(
                (name, place), Sign(name=name, place=place, explanation=explanation, score=score)
            )
        if size > _MAX_LOOKED:
            break
    if size > _MAX_TEXT:
        signs["too-long", ""] = Sign(
            name="too-long",
            place="",
            explanation=f"It has more than {_MAX_TEXT} characters, which nobody reads.",
            score=0.5,
        )
    for sign in _shadows(tool, elsewhere):
        signs[sign.name, sign.place] = sign
    return tuple(signs.values())


# Instructions to the model. Each is a pattern in running text, blanks folded, in any case; it is
# tried where one of the words stands that it cannot do without.
_ORDERS: Final[tuple[tuple[str, str, float, tuple[str, ...], str], ...]] = (
    (
        "override",
        "It tells the model to forget what it was told.",
        0.9,
        ("ignore", "disregard", "forget", "override", "bypass"),
        (
            r"\b(?:ignore|disregard|forget|override|bypass)\b[^.]{0,30}\b(?:previous|prior|above"
            r"|earlier|preceding|system|safety|other|your|all)\b[^.]{0,20}\b(?:instruction"
            r"|prompt|rule|guideline|directive|polic)"
        ),
    ),
    (
        "secrecy",
        "It tells the model to keep something from the user.",
        0.9,
        (
            "tell",
            "inform",
            "mention",
            "reveal",
            "disclos",
            "notify",
            "alert",
            "report",
            "from the",
            "without",
        ),
        (
            r"\b(?:do not|don'?t|never|must not|without|avoid|no need to)\W+(?:ever )?(?:tell"
            r"|inform|mention|reveal|disclos|notify|alert|report)\w*\b[^.]{0,60}\b(?:user|human"
            r"|person|anyone|operator|developer)|\bdo(?: no|n'?)t\W+mention (?:that|this|it)\b"
            r"|\b(?:hide|conceal|keep)\b[^.]{0,40}\bfrom the (?:user|human|operator)"
            r"|\bwithout (?:the )?(?:user|human)(?:'?s)? (?:knowledge|knowing|noticing"
            r"|being told)"
        ),
    ),
    (
        "secrets",
        "It speaks of files that hold keys and passwords.",
        0.9,
        (
            ".ssh/",
            "id_rsa",
            "id_ed25519",
            "id_ecdsa",
            ".aws/",
            "/etc/",
            ".netrc",
            "mcp.json",
            "claude_desktop",
            ".git-cred",
            ".kube/",
            ".env",
        ),
        (
            r"\.ssh/|\bid_(?:rsa|ed25519|ecdsa)\b|\.aws/credentials|(?<!\.\.)/etc/(?:passwd"
            r"|shadow)\b|\.netrc\b|\.(?:cursor|claude|vscode)/mcp\.json|claude_desktop_config"
            r"|\.git-credentials|\.kube/config|\b(?:read|open|cat|send|include"
            r"""|contents? of)\b[^.]{0,40}[\s`'\"/]\.env\b"""
        ),
    ),
    (
        "errand",
        "It makes another action a condition of its own use.",
        0.6,
        ("using", "calling", "invoking", "running", "you use", "you call"),
        (
            r"\b(?:before|after|prior to|when(?:ever)?) (?:using|calling|invoking|running"
            r"|you (?:use|call)) (?:this|any|every|all"
            r"|other)(?: other)?(?: tools?)?\b[^.]{0,60}\b(?:read|open|cat|send|fetch|upload"
            r"|post|forward|collect|email) "
        ),
    ),
    (
        "always-first",
        "It wants to be run at every turn, whatever the user asks.",
        0.3,
        ("first", "before", "every"),
        (
            r"\b(?:must|always|should)\b[^.]{0,40}\b(?:call|use|invoke|run)\w* (?:this"
            r"|it)(?: tool)?[^.]{0,20}\b(?:first|before (?:any|every|all)|(?:on|at|in"
            r"|for) every)"
        ),
    ),
    (
        "exfiltration",
        "It tells the model to send something to an address.",
        0.8,
        ("http", "@"),
        (
            r"\b(?:send|post|upload|forward|transmit|exfiltrat|leak|e-?mail|bcc"
            r"|copy)\w*\b[^.]{0,80}\b(?:conversation|chat|history|context|system prompt|secrets?"
            r"|credentials?|passwords?|tokens?|api keys?|environment variables?|file contents?"
            r"|all (?:the )?(?:data|files|messages))\b[^.]{0,60}(?:https?://"
            r"|\bto [\w.+-]+@[\w-]+\.\w)"
        ),
    ),
    (
        "tag",
        "It has marks that set words off as an instruction.",
        0.7,
        ("<", "[sys", "[inst", "[/inst"),
        (
            r"</?(?:important|system|instructions?|hidden|override|assistant|sys)\b[^>]{0,80}>"
            r"|\[(?:system|inst|/inst)\]|<\|(?:im_start|im_end|system|user|assistant)\|>"
        ),
    ),
    (
        "role",
        "It gives the model another role, or claims to be its operator.",
        0.7,
        ("you are now", "system", "act as"),
        (
            r"\byou are now (?:a|an|in|the|my)\b|\b(?:new|updated) system (?:prompt"
            r"|instructions?)\b|\bact as (?:if you|an? unrestricted|dan)\b|(?:^"
            r"|[\r\n.])\s{0,8}system(?: (?:prompt|message|note))?\s{0,8}:\s"
        ),
    ),
    (
        "redirect",
        "It changes what goes into other tools.",
        0.8,
        ("recipient", "must", "should"),
        (
            r"\b(?:change|replace|set|rewrite|modify)\b[^.]{0,40}\brecipients?\b[^.]{0,40}\bto\b"
            r"|\b(?:all|any|every) (?:emails?|messages?|payments?"
            r"|requests?)\b[^.]{0,40}\b(?:must|should)\b[^.]{0,40}\b(?:to|via"
            r"|through) (?:[\w.+-]+@|https?://)"
        ),
    ),
)
_COMPILED: Final = tuple(
    (name, explanation, score, words, re.compile(pattern, re.IGNORECASE))
    for name, explanation, score, words, pattern in _ORDERS
)
_BLANKS: Final = re.compile(r"[\s_*`]+")
_CONTROLS: Final = re.compile(r"[^\t\n\r\x20-\x7e]")
_COMMENT: Final = re.compile(r"<!--.{0,2000}", re.DOTALL)
_HIDDEN: Final = re.compile(
    r"(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0\b)"
    r"|\]\(data:|<(?:script|iframe|img)\b",
    re.IGNORECASE,
)
_PADDING: Final = re.compile(r"[ \t\u00a0]{200,}|(?:\r?\n[ \t]*){25,}")
_SHORT: Final = 20
_RUN: Final = re.compile(r"[A-Za-z0-9+/]{120}")
_BLOB: Final = re.compile(r"(?<![\w+/=])(?=[\w+/]*[0-9])(?=[\w+/]*[A-Z])[A-Za-z0-9+/]{120,}={0,2}")
_NAME: Final = re.compile(r"[A-Za-z0-9_./-]{1,128}")
_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_TAGS: Final = range(0xE0000, 0xE0080)


def _found(text: str, *, named: bool) -> Iterator[tuple[str, str, float]]:
    """Name, explanation and score of what one text shows."""
    yield from _unseen_signs(text)
    if named and not _NAME.fullmatch(text):
        yield (
            "odd-name",
            "Its name has characters that MCP does not allow in one, so it may look like another.",
            0.6,
        )
    if "<!--" in text and (found := _COMMENT.search(text)):
        inside = len(found[0].partition("-->")[0])
        yield (
            "comment",
            f"It has a comment of {inside} characters, which a page would not show.",
            0.5,
        )
    if any(mark in text for mark in ":<]") and _HIDDEN.search(text):
        yield "hidden-markup", "It has markup that hides text or loads something.", 0.6
    if len(text) > _SHORT and _PADDING.search(text):
        yield "padding", "It has much empty space, behind which text is easily overlooked.", 0.6
    if len(text) > _SHORT and _RUN.search(text) and _BLOB.search(text):
        yield "blob", "It has a long run of letters and digits, as encoded text has.", 0.5
    # What was written around invisible characters is to be found all the same.
    flat = _BLANKS.sub(" ", _folded(text))
    both = f"{text}\n{flat}".lower()
    for name, explanation, score, words, pattern in _COMPILED:
        if any(word in both for word in words) and (pattern.search(text) or pattern.search(flat)):
            yield name, explanation, score


def _unseen_signs(text: str) -> Iterator[tuple[str, str, float]]:
    if _plain(text):
        return
    codes = [ord(char) for char in text if not char.isascii()]
    if any(code in _TAGS or code in SELECTORS for code in codes):
        yield "tag-characters", "It has invisible characters that can spell a hidden text.", 1.0
    if any(char in _BIDI for char in text):
        yield "bidi", "It has marks that change the direction of text, so it reads otherwise.", 0.6
    if any(unseen(char) and char not in _BIDI and ord(char) not in _TAGS for char in text):
        yield "zero-width", "It has characters that cannot be seen.", 0.5


def _plain(text: str) -> bool:
    """Whether there is nothing in it but letters, signs and blanks of ASCII."""
    return text.isascii() and not _CONTROLS.search(text)


def _folded(text: str) -> str:
    """Compatibility forms as plain letters, invisible characters out; tags as what they spell."""
    if _plain(text):
        return text
    plain = "".join(
        chr(ord(char) - 0xE0000) if ord(char) in _TAGS else char
        for char in text
        if ord(char) in _TAGS or not (unseen(char) or char in JOINERS)
    )
    return unicodedata.normalize("NFKC", plain)


def _shadows(tool: Mapping[str, Any], elsewhere: Collection[str]) -> Iterator[Sign]:
    """A tool that takes the place of another server's, or tells how that one is to be used."""
    name = tool.get("name")
    if isinstance(name, str) and name in elsewhere:
        yield Sign(
            name="same-name",
            place="name",
            explanation="A tool of another server has this name.",
            score=0.3,
        )
    description = tool.get("description")
    words = set(re.findall(r"[\w./-]{1,128}", description)) if isinstance(description, str) else ()
    # A plain word such as `search` is no mention; one made of several is.
    others = (other for other in elsewhere if other != name and re.search(r"[a-z0-9][_A-Z]", other))
    if any(other in words for other in others):
        yield Sign(
            name="shadows",
            place="description",
            explanation="It speaks of another server's tool by name.",
            score=0.6,
        )


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """All texts that the model may see, names of parameters among them, and where each stands."""
    pending: list[tuple[str, Any]] = [(place, value)]
    while pending:
        where, found = pending.pop()
        if isinstance(found, str):
            yield where, found
        elif isinstance(found, list):
            pending.extend((f"{where}[{i}]", each) for i, each in enumerate(found))
        elif isinstance(found, dict):
            for key, each in found.items():
                inner = f"{where}.{_shown(key)}" if where else _shown(key)
                if inner not in {"icons", "_meta"}:
                    yield f"{inner} (its name)", key
                    pending.append((inner, each))


def _shown(key: str) -> str:
    return visible(key)[:_MAX_SHOWN]
