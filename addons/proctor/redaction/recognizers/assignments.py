# ruff: noqa: PLR2004, SIM905 - lengths describe a kind of value; word lists read better as text
"""Secrets beside their names: `password = "…"`, `API_KEY: …`, `<secret>…</secret>` and their kin.

The name says what the value would be, the value itself whether it is one (see `plausible`). One
walk reads `.env`, YAML, JSON, TOML, INI, properties, XML, query strings, connection strings and
most programming languages: a name, perhaps its closing quote or type, a sign, a value.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final

from proctor.redaction.model import API_KEY, PASSWORD, PRIVATE_KEY, SECRET
from proctor.redaction.recognizers.plausible import is_password, is_random, is_token
from proctor.redaction.recognizers.shapes import Found, Shape

_PASSWORDS: Final = (
    "password passwords passwd passwort passphrase passcode passwd pwd "
    "psk kennwort contrasena senha "
    "wachtwoord motdepasse parola haslo heslo losenord salasana adgangskode jelszo sifre pswd psswd"
).split()
_PASSWORD_WORDS: Final = frozenset(
    [
        *_PASSWORDS,
        "pass",
        "pw",
        "community",
        "requirepass",
        "masterauth",
        "authtok",
        "storepass",
        "keypass",
    ]
)
_JOINED: Final = (*_PASSWORDS, "storepass", "keypass", "bindpw", "rootpw")
_KEYS: Final = tuple(
    "apikey accesskey secretkey privatekey accountkey sharedkey storagekey "
    "encryptionkey signingkey "
    "masterkey authkey servicekey licensekey subscriptionkey deploykey appkey applicationkey "
    "consumerkey sessionkey writekey integrationkey hmackey jwtkey aeskey cryptokey clientkey "
    "webhookkey serverkey adminkey hostkey sshkey functionkey instrumentationkey connectionkey "
    "sharedaccesskey presharedkey keydata authtoken accesstoken apitoken apisecret clientsecret "
    "appsecret".split()
)
_SECRET_WORDS: Final = frozenset(
    "secret secrets token tokens credential credentials apikey bearer jwt pat accesskey".split()
)
_WEAK_WORDS: Final = frozenset(
    "key keys auth authorization session sessionid sid jsessionid phpsessid "
    "cookie license salt seed "
    "connectionstring access authkey authtoken hmac otp totp".split()
)
# A name that ends in one of these speaks about a secret.
_ABOUT: Final = frozenset(
    "name names id ids file files filename path paths dir url uri uris "
    "type types length len size policy field "
    "fields label hint prompt placeholder expiry expires expiration expire ttl var arn ref refs "
    "reference version count min max regex pattern required enabled "
    "disabled header headers endpoint class provider "
    "manager store algorithm alg method format limit budget error errors "
    "message msg text title description "
    "help strength validator encoder handler generator factory service info status state mode kind "
    "index offset position list column table fingerprint checksum md5 sha sha1 sha256 etag digest "
    "mismatch form input page link button age rotation "
    "interval period lifetime "
    "cache source location prefix suffix separator mount selector schema "
    "usage scope scopes audience "
    "issuer host port user username email owner response request event action route view rules "
    "requirements char chars".split()
)
_AGAIN: Final = frozenset({"confirm", "confirmation", "repeat", "again"})
# A name with one of these anywhere names no secret, whatever its value looks like.
_NEVER: Final = frozenset(
    "public pub publishable page next continuation cancellation pagination cursor idempotency "
    "primary foreign partition sort object row site cache translation i18n locale num number "
    "csrfparam hash checksum fingerprint keyid keycode keyboard hotkey "
    "shortcut keyframes forgot integrity "
    "etag commit revision sha sha1 sha256 sha512 md5 digest trace span correlation resume "
    "sitekey websocket sync marker tokenizer tokenize tokenization author authors".split()
)
_PRIVATE: Final = frozenset({"privatekey", "private"})
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_NAME_END: Final = re.compile(r"[\w.$-]{0,64}")
_NAME_CHARACTERS: Final = frozenset("_.-$")
_BESIDE: Final = re.compile(
    r"""
    (?P<close>(?:\\{0,3}["'`])?\]?\)?(?:\[\d{0,5}\])?)
    [ \t]{0,12}
    (?:
      (?P<typed>                                     # password: str =, password string =
        \??:[ ]{0,4}[&*]?(?:'static[ ])?[A-Za-z_][\w.<>\[\]|? ]{0,40}?[ ]{0,4}=(?![=>])
      | (?<=[ \t])(?:string|str|String|char|text|varchar)(?:\[\d*\])?[ ]{0,4}:?=(?!=)
      )
    | (?P<plist> </[kK]ey>\s{0,40}<(?:string|[vV]alue)(?:[ ][\w:.-]{1,40}="[\w.-]{0,40}")?>(?!<))
    | (?P<part> [^\n"]{0,60}\r?\n(?:[\w-]{1,40}:[^\n]{0,100}\r?\n){0,3}\r?\n)
    | (?P<pair>                                      # name: X, value: …
        (?::?[ ]\{[^{}"]{0,200}? | [,;]?
          | :[ ]{0,4}\{\s{0,40}(?:\\{0,3}"[\w-]{1,24}\\{0,3}":[ ]{0,2}[\w"\\]{1,40},\s{0,40}){0,4})
        \s{0,40}(?:-[ ])?(?:\\{0,3}["'])?
        (?:[Vv]alue|VALUE|[Dd]efault|content|ParameterValue|secretString|[Ss]tring[Vv]alue)
        (?:\\{0,3}["'])?[ ]{0,4}[:=]
      )
    | (?P<tag>                                       # <password …>
        (?:[ ][\w:.-]{1,40}=[^<>\n]{1,200})?[ ]?>[ \t\r\n]{0,8}
        (?:<(?i:value|string)>[ \t\r\n]{0,8}|(?=<!\[CDATA)|(?!<))
      )
    | (?P<call> \( | , )
    | (?P<sign> => | -> | <- | := | ={1,3} | !==? | \?\?=? | \|\|=? | \?= | : )
    )
    [ \t]{0,12}
    """,
    re.VERBOSE,
)
_VALUE: Final = re.compile(
    r"""
    (?:                                              # SecretStr("…"), String::from("…")
      (?:new[ ])?[\w.:]{0,40}
      (?i:secret|secure|string|str|bytes?|password|token|key|new|from|of|some|literal
        |credentials?|buffer|getenv)!?\((?=["'])
    | ConvertTo-SecureString[ ](?:-String[ ])?(?=["'])
    )?
    (?:string\(\d{1,6}\)[ ](?=["]))?                  # PHP's var_dump
    (?:[bBrRuUfF@$LN]{1,2}(?=["']))?
    (?:
      (?P<quote>\\{0,3}(?:\"{3}|'{3}|["'`]))
      (?P<quoted>[^"'`\\\s]{0,4096}+|.{0,512}?)(?P=quote)
    | <!\[CDATA\[(?P<cdata>[^\]]{1,4096})\]\]
    | [|>][+-]?[ ]*\r?\n[ \t]{1,24}(?P<block>[^\s#]{1,4096})
    | (?P<bare>
        (?: [^\s<>"`;&,|\\]{1,512}+
          | [;&,|](?![ ]{0,3}["']?[A-Za-z_][\w.-]{0,40}["']?[ ]{0,2}[=:])
          | \\(?![nrt"'])
        ){1,16}+
      )
    )
    """,
    re.VERBOSE,
)
# Dockerfiles, csh, Windows, fish; then the tools of hosts and clouds
_SETS: Final = (
    r"\bENV|\bsetenv|\bsetx|\bset -[gxU]{1,3}|\benv[: ]set|\bsecrets? (?:set|put|add|create)|"
    r"\bconfig[: ](?:set|add)|\bvariables? set"
)
_ENVIRONMENT: Final = re.compile(
    rf"(?:{_SETS})[ \t]+(?:--?[a-z]+[ ])?(?P<name>[\w./-]{{3,64}})[ \t]+(?:--(?:body|value)[ =]"
    rf")?[\"']?(?P<value>"
    rf"[^\s\"'$]{{4,4096}})"
)
_PART: Final = ('name="', "name='", "name=")
_GROUPS: Final = ("quoted", "cdata", "block", "bare")
_COMPARED: Final = frozenset({"==", "===", "!=", "!==", "||", "??"})
_DIGEST: Final = re.compile(r"[0-9a-f]{32,128}\Z")
_SUM: Final = re.compile(r"(?i)\b(?:sha-?\d+|md5|blake\w+|commit|checksum|digest)\b")
_LINE_START: Final = re.compile(
    r"(?:^|\n)[ \t]*(?:-[ ]|export[ ]|set[ ]|SET[ ]|setx[ ]|ENV[ ]|ARG[ ]|[#;/]{1,2}[ ]?|[+-])?\Z"
)
_LINE_REST: Final = re.compile(r"[ \t]*(?:[;,]|[ \t]#[^\n]*|\\[nr][^\n]*)?(?:[\r\n]|\Z)")
_CHANGED: Final = re.compile(
    r"[ ]{1,4}->[ ]{1,4}\"(?P<value>[^\"\s]{4,512})\""
)  # Terraform's plans
_PUBLISHED: Final = re.compile(r"(?:pk|pub)[_-](?:live|test|prod)[_-]")  # keys for browsers
_TAIL: Final = re.compile(r"[,;.:)\]}>|'\\]+\Z")


def _name(text: str, at: int) -> tuple[str, int, int]:
    """The whole name around the place, with its ends."""
    start = at
    while (
        start > 0
        and at - start < 64
        and (text[start - 1].isalnum() or text[start - 1] in _NAME_CHARACTERS)
    ):
        start -= 1
    match = _NAME_END.match(text, at)
    end = match.end() if match else at
    return text[start:end], start, end


def is_about(name: str) -> bool:
    """Whether a name, though it holds a secret's word, names something public: `nextPageToken`."""
    words = {word.lower() for word in _WORDS.findall(name)}
    return not _NEVER.isdisjoint(words) or _is_data_key(name) or "websocket" in name.lower()


def _is_data_key(name: str) -> bool:
    return name.startswith("data-") and name.endswith(("-key", "-sitekey"))  # attributes of HTML


@lru_cache(4096)
def classify(name: str) -> tuple[str, int] | None:
    """What a name promises: an entity type and how much its value must prove, 0 little to 2 much.

    Args:
        name: As written: `DB_PASSWORD`, `apiKey`, `spring.datasource.password`.
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    while words and (words[-1].isdigit() or (words[-1] in _AGAIN and len(words) > 1)):
        words.pop()
    if not words or len(words) > 12 or words[-1] in _ABOUT or not _NEVER.isdisjoint(words):
        return None
    last = words[-1]
    joined = {a + b for a, b in pairwise(words)} | set(words)
    found: tuple[str, int] | None = None
    if last in _PASSWORD_WORDS or last.endswith(_JOINED) or re.fullmatch(r"[A-Z]+PASS", name):
        found = PASSWORD, 0
    elif not _PASSWORD_WORDS.isdisjoint(words) or any(word.endswith(_JOINED) for word in words):
        found = PASSWORD, 1
    elif not _PRIVATE.isdisjoint(joined) and "key" in last:
        found = PRIVATE_KEY, 1
    elif any(word.endswith(_KEYS) for word in joined):
        found = API_KEY, 1
    elif not _SECRET_WORDS.isdisjoint(words) or last.endswith(("secret", "token")):
        found = (SECRET if "secret" in last or "cred" in last else API_KEY), 1
    elif (not _WEAK_WORDS.isdisjoint({last, "".join(words[-2:])}) or last.endswith("key")) and not (
        _is_data_key(name) or "websocket" in joined
    ):
        found = SECRET, 2
    return found


def find(text: str, at: int) -> Iterator[Found]:
    """The value beside the name at this place, if it is a secret.

    Args:
        text: The whole text.
        at: Where a word stands that secrets are named by.
    """
    name, start, end = _name(text, at)
    promise = classify(name)
    sign = _BESIDE.match(text, end) if promise else None
    value = _VALUE.match(text, sign.end()) if sign else None
    if promise is None or sign is None or value is None:
        return
    group = next(group for group in _GROUPS if value[group] is not None)
    if not _belongs(text, name, start, sign, value):
        return
    begin, stop = value.span(group)
    literal = group in {"quoted", "cdata"}
    alone = not literal and _stands_alone(text, start, stop, sign)
    if group == "bare":
        stop = _bare_end(text, begin, stop, alone=alone)
    marked = group != "bare" or bool(sign["pair"] or sign["plist"] or sign["part"] or sign["tag"])
    type_, proof = promise
    if _accept(text[begin:stop], proof, quoted=marked, alone=alone):
        yield Found(begin, stop, type_)
        changed = _CHANGED.match(text, value.end())
        if changed and _accept(changed["value"], proof, quoted=True, alone=True):
            yield Found(changed.start("value"), changed.end("value"), type_)


def _belongs(text: str, name: str, start: int, sign: re.Match[str], value: re.Match[str]) -> bool:
    """Whether what follows the sign is the name's value, rather than another thing's."""
    before = text[start - 1 : start]
    bare = value["quoted"] is None and value["cdata"] is None
    if sign["call"]:
        # As the last argument or the name of a setter; not a method of something secret.
        wanted = sign["close"] if sign["call"] == "," else classify(name.rpartition(".")[2])
        return bool(wanted) and not bare
    if sign["tag"]:
        closed = text.startswith(("</", "<!"), value.end()) or value["cdata"] is not None
        return closed if before in {"<", ":"} else before in {'"', "'"} and before != ""
    if sign["pair"] and sign["pair"].startswith((",", ";")):
        return bool(sign["close"].strip("])")) or "ParameterValue" in sign["pair"]
    if sign["part"]:
        return text.endswith(_PART, 0, start)
    if bare and sign["sign"] in _COMPARED:
        return False
    # A line of checksums, about a file with a telling name.
    return not (
        bare
        and _DIGEST.match(value["bare"] or "")
        and _SUM.search(text[max(0, start - 80) : start].rpartition("\n")[2])
    )


def find_in_environment(text: str, at: int) -> Iterator[Found]:
    """`ENV NAME value` of a Dockerfile, and the like of csh, fish and Windows."""
    match = _ENVIRONMENT.match(text, at)
    promise = classify(match["name"]) if match else None
    if match and promise and _accept(match["value"], promise[1], quoted=True, alone=True):
        yield Found(match.start("value"), match.end("value"), promise[0])


def _stands_alone(text: str, start: int, stop: int, sign: re.Match[str]) -> bool:
    if sign["sign"] not in {"=", ":", ":="}:
        return False
    line = _LINE_START.search(text[max(0, start - 40) : start])
    if line is None or not (start <= 40 or line.group().startswith("\n")):
        return False
    return bool(_LINE_REST.match(text, stop))


def _bare_end(text: str, begin: int, stop: int, *, alone: bool) -> int:
    value = text[begin:stop]
    if alone and not re.search(r"[,;]\Z", value):
        return stop
    tail = _TAIL.search(value)
    return begin + tail.start() if tail else stop


def keeps(value: str, proof: int) -> bool:
    """Whether a literal beside a name is a secret.

    Args:
        value: Without quotes.
        proof: What the name asks for, from `classify`.
    """
    return _accept(value, proof, quoted=True, alone=True)


def _accept(value: str, proof: int, *, quoted: bool, alone: bool) -> bool:
    if _PUBLISHED.match(value):
        return False
    if proof == 0:
        return is_password(value, quoted=quoted, alone=alone)
    if proof == 1:
        return is_token(value, quoted=quoted, alone=alone)
    return is_random(value, 20) and is_token(value, quoted=quoted, alone=alone)


SHAPES: Final = (
    Shape(
        name="assignment",
        trigger=(
            r"(?i)(?:passw(?:or)?(?:d|t)|passphrase|passcode|pass|pwd|"
            r"pw|psk|p(?:a)?sswd|pswd|kennwort|contrase|senha|"
            r"wachtwoord|mot_?de_?passe|parola|has[lł]o|heslo|salasana|adgangskode|sifre|"
            r"secret|token|api[_. -]?key|key|credential|bearer|jwt|auth|session|sid|cookie|"
            r"license|salt|authtok|totp|community|requirepass|connectionstring|pat(?:[_.$-]|(?-i:[A-Z0-9]))|pat\b)"
            r"[\w.$-]{0,40}[\\\"'`\])]{0,5}\s{0,12}(?:[:=,(>?!|{]|</|"
            r"\r?\n\r?\n|-[^-]|<-|/>|string|str|char|value|parametervalue|default|\[)"
        ),
        find=find,
    ),
    Shape(
        name="element",
        # <Password Type="…">: the attributes come before the sign.
        trigger=r"(?i)(?:pass|password|passwd|secret|token|key|credential) [\w:.-]{1,40}=[\\\"']",
        find=find,
    ),
    Shape(
        name="environment",
        trigger=rf"(?:{_SETS})[ \t]",
        find=find_in_environment,
    ),
)
