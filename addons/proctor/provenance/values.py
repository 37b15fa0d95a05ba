"""Values in a text that could become an argument of an action.

Addresses, hosts, accounts, paths, commands, identifiers, long numbers: what is copied rather than
worded. Each is written in one way, so that case, percent signs and quotes around it do not matter.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

MAX_TEXT: Final = 256 * 1024  # characters
MAX_VALUES: Final = 4000
"""Values of one text."""

# Whatever has no blank in it is looked at by itself; words of letters alone are passed over.
_APART: Final = str.maketrans(dict.fromkeys("\"'<>(){}[],;|\\`", " "))
_LONGEST: Final = 1100  # characters of one that are looked at together
_NAME: Final = 10  # characters that an identifier has at least
_VALUE: Final = re.compile(
    r"(?P<url>(?:https?|wss?|ftp|ssh|git)://[^\s\"'<>()\[\]{}`\\|]{3,1000})"
    r"|(?P<mail>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6})"
    r"|(?P<path>(?<![\w./])(?:~|\.{1,2})?(?:/[\w.@%+=-]{1,100}){2,20})"
    r"|(?P<host>(?<![\w.@/-])(?:[a-zA-Z0-9-]{1,63}\.){1,6}[a-zA-Z]{2,24}(?![\w(@]))"
    r"|(?P<name>(?<![\w-])[\w-]{10,200}(?![\w-]))"
)
# These may have blanks in them.
_ACCOUNT: Final = re.compile(
    r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)
_COUNTRY: Final = re.compile(r"[A-Z]{2}\d{2}")  # with which it begins
_DIGIT: Final = re.compile(r"\d")
_NUMBER: Final = re.compile(r"\d(?:[ .\-/]?\d){5,30}(?!\w)")
_LINE: Final = (
    r"[ \t]{0,8}(?:\$ |# |> )?((?:sudo |env )?(?:curl|wget|bash|sh|zsh"
    r"|python3?|node|npm|npx|pnpm|yarn|pip3?"
    r"|pipx|uv|uvx|git|gh|rm|chmod|chown|nc|ncat|ssh|scp|rsync|sftp|docker|kubectl|aws|gcloud"
    r"|az|eval"
    r"|openssl|base64|powershell|iwr|irm|crontab|systemctl|mail|sendmail|telnet|socat|perl|ruby"
    r"|php) [^\n`<]{4,400})"
)
_FIRST: Final = re.compile(_LINE)  # at a text's start
_BEFORE: Final = "`>\n;$"
_COMMAND: Final = re.compile(r"(?:[`>\n;]|\$ )" + _LINE)
_ENCODED: Final = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{16,4000}={0,2}")
_RUN: Final = 16  # characters that it has at least
_INNER: Final = re.compile(r"[\w.]")
_ENDING: Final = ".,;:!?'\"`)]}>*_"
_ENDINGS: Final = """
py js ts tsx jsx mjs cjs json md txt yaml yml toml html htm css scss xml csv lock cfg ini conf
sh bash rs go java kt c h cc cpp hpp rb php sql log png jpg jpeg gif svg pdf zip gz tgz map
snap vue svelte swift cs fs ex exs erl hs ml lua pl pm r ipynb env spec d min append get set
value name length push keys items id data self this info error warn debug add join path format
read write close open run main new utils index config load dump split strip
"""
_FILES: Final = frozenset(_ENDINGS.split())
# What every other page names: no sign of where it came from.
_EVERYWHERE: Final = """
github.com raw.githubusercontent.com gitlab.com bitbucket.org google.com www.google.com
python.org
docs.python.org nodejs.org stackoverflow.com
wikipedia.org en.wikipedia.org w3.org www.w3.org schema.org developer.mozilla.org example.com
example.org www.example.com localhost fonts.googleapis.com fonts.gstatic.com cdn.jsdelivr.net
unpkg.com cdnjs.cloudflare.com youtube.com www.youtube.com twitter.com x.com facebook.com
www.facebook.com linkedin.com www.linkedin.com medium.com img.shields.io opensource.org
apache.org www.apache.org gnu.org www.gnu.org mozilla.org microsoft.com docs.microsoft.com
learn.microsoft.com anthropic.com docs.anthropic.com openai.com
"""
_COMMON: Final = frozenset(_EVERYWHERE.split())


class Value(NamedTuple):
    """A value, as it is compared.

    Attributes:
        kind: `url`, `host`, `mail`, `account`, `path`, `number`, `name` or `command`.
        text: Written in one way.
    """

    kind: str
    text: str


def values(text: str) -> tuple[Value, ...]:
    """Every value in a text, each once, in order.

    Args:
        text: As a reader gets it; beyond MAX_TEXT it is not looked at.
    """
    text = text[:MAX_TEXT]
    return _values(text, _odd(text))


def argument(text: str) -> tuple[Value, ...]:
    """Values in an argument, also where it is encoded, or one value with something around it."""
    text = text[:MAX_TEXT]
    if text.isalpha():
        return ()
    words = _words(text)
    found = dict.fromkeys(_values(text, [word for word in words if not word.isalpha()]))
    if "%" in text:
        found |= dict.fromkeys(values(unquote(text)))
    for word in words:
        for run in _ENCODED.finditer(word) if len(word) >= _RUN else ():
            plain = _decoded(run[0])
            if plain:
                found |= dict.fromkeys(values(plain))
    return tuple(found)


def _words(text: str) -> list[str]:
    """What stands between blanks, quotation marks and brackets, each once, in order."""
    return list(dict.fromkeys(text.translate(_APART).split()))


def _odd(text: str) -> list[str]:
    """Of these, all but words of letters alone."""
    return [word for word in _words(text) if not word.isalpha()]


def _values(text: str, odd: Iterable[str]) -> tuple[Value, ...]:
    found: dict[Value, None] = {}
    for value in _all(text, odd):
        found[value] = None
        if len(found) >= MAX_VALUES:
            break
    return tuple(found)


def _all(text: str, odd: Iterable[str]) -> Iterator[Value]:
    kinds: dict[str, re.Pattern[str]] = {}
    for word in odd:
        digit = _DIGIT.search(word) is not None
        if digit:
            kinds["number"] = _NUMBER
            if _COUNTRY.search(word):
                kinds["account"] = _ACCOUNT
        if _telling(word, digit=digit):
            yield from _of(word)
    for kind in sorted(kinds):
        for found in kinds[kind].finditer(text):
            if not _INNER.match(text, max(0, found.start() - 1), found.start()):
                yield from _known(kind, found[0].rstrip(_ENDING))
    for found in _commands(text):
        line = " ".join(found[1].split()).rstrip(" .,;")
        yield Value("command", line)


def _telling(word: str, *, digit: bool) -> bool:
    """Whether a word may be, or hold, a value: most that are more than letters do not."""
    if "/" in word or "@" in word or "." in word.rstrip(_ENDING):
        return True
    return len(word) >= _NAME and (digit or not word.isascii())


def _of(word: str) -> Iterator[Value]:
    for start in range(0, len(word), _LONGEST):
        for found in _VALUE.finditer(word[start : start + _LONGEST]):
            yield from _known(found.lastgroup or "", found[0].rstrip(_ENDING))


def _commands(text: str) -> Iterator[re.Match[str]]:
    end = 0
    if first := _FIRST.match(text):
        yield first
        end = first.end()
    if any(mark in text for mark in _BEFORE):
        yield from _COMMAND.finditer(text, end)


def _known(kind: str, text: str) -> Iterator[Value]:
    match kind:
        case "url":
            yield Value("url", unquote(text).casefold().rstrip("/"))
            yield from _host(_AUTHORITY.sub("", unquote(text).casefold()))
        case "mail":
            yield Value("mail", text.casefold())
            yield from _host(text.rpartition("@")[2].casefold())
        case "account":
            yield Value("account", text.replace(" ", ""))
        case "number":
            digits = "".join(char for char in text if char.isdigit())
            if len(set(digits)) > 1 and not _DATE.fullmatch(text):
                yield Value("number", digits)
        case "host":
            if text.casefold().rpartition(".")[2] not in _FILES:
                yield from _host(text.casefold())
        case "path":
            yield Value("path", text)
        case _:
            if any(map(str.isdigit, text)) and any(map(str.isalpha, text)):
                yield Value("name", text.casefold())


def _host(name: str) -> Iterator[Value]:
    name = name.rstrip(".")
    if "." in name and name not in _COMMON:
        yield Value("host", name)


_AUTHORITY: Final = re.compile(r"^[a-z]+://(?:[^/?#]*@)?|[:/?#](?<!://).*$", re.DOTALL)
_DATE: Final = re.compile(
    r"(?:19|20)\d\d[-./]\d\d[-./]\d\d(?:[ T]\d\d)?|\d\d[-./]\d\d[-./](?:19|20)\d\d"
)


def _decoded(run: str) -> str:
    plain = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        text = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return text if text.isprintable() else ""
