"""Values in a text that could become an argument of an action.

Addresses, hosts, accounts, paths, commands, identifiers, long numbers: what is copied rather than
worded. Each is written in one way, so that case, percent signs and quotes around it do not matter.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

MAX_TEXT: Final = 256 * 1024  # characters
MAX_VALUES: Final = 4000
"""Values of one text."""

# Whatever has no blank in it is looked at by itself; words of letters alone are passed over.
_TOKEN: Final = re.compile(r"[^\s\"'<>(){}\[\],;|\\`]{4,1100}")
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
_NUMBER: Final = re.compile(r"\d(?:[ .\-/]?\d){5,30}(?!\w)")
_COMMAND: Final = re.compile(
    r"(?:^|[`>\n;]|\$ )[ \t]{0,8}(?:\$ |# |> )?((?:sudo |env )?(?:curl|wget|bash|sh|zsh"
    r"|python3?|node|npm|npx|pnpm|yarn|pip3?"
    r"|pipx|uv|uvx|git|gh|rm|chmod|chown|nc|ncat|ssh|scp|rsync|sftp|docker|kubectl|aws|gcloud"
    r"|az|eval"
    r"|openssl|base64|powershell|iwr|irm|crontab|systemctl|mail|sendmail|telnet|socat|perl|ruby"
    r"|php) [^\n`<]{4,400})"
)
_ENCODED: Final = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{16,4000}={0,2}")
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
    found: dict[Value, None] = {}
    for value in _all(text[:MAX_TEXT]):
        found[value] = None
        if len(found) >= MAX_VALUES:
            break
    return tuple(found)


def argument(text: str) -> tuple[Value, ...]:
    """Values in an argument, also where it is encoded, or one value with something around it."""
    text = text[:MAX_TEXT]
    if text.isalpha():
        return ()
    found = dict.fromkeys(values(text))
    if "%" in text:
        found |= dict.fromkeys(values(unquote(text)))
    for run in _ENCODED.finditer(text):
        plain = _decoded(run[0])
        if plain:
            found |= dict.fromkeys(values(plain))
    return tuple(found)


def _all(text: str) -> Iterator[Value]:
    for token in dict.fromkeys(_TOKEN.findall(text)):
        if not token.isalpha():
            for found in _VALUE.finditer(token):
                yield from _known(found.lastgroup or "", found[0].rstrip(_ENDING))
    for kind, expression in (("account", _ACCOUNT), ("number", _NUMBER)):
        for found in expression.finditer(text):
            if not _INNER.match(text, max(0, found.start() - 1), found.start()):
                yield from _known(kind, found[0].rstrip(_ENDING))
    for found in _COMMAND.finditer(text):
        line = " ".join(found[1].split()).rstrip(" .,;")
        yield Value("command", line)


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
