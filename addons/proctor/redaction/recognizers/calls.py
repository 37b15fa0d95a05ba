# ruff: noqa: PLR2004 - lengths describe a kind of value
"""Secrets among the arguments of calls and statements: logins, clients, keys of ciphers, SQL."""

import re
from collections.abc import Iterator
from typing import Final

from proctor.redaction.model import API_KEY, PASSWORD, SECRET
from proctor.redaction.recognizers.assignments import classify, keeps
from proctor.redaction.recognizers.plausible import (
    is_password,
    is_placeholder,
    is_random,
    is_token,
    wordiness,
)
from proctor.redaction.recognizers.shapes import Found, Shape, by_regex

_QUOTED: Final = (
    r"(?:\"(?P<d>[^\"\n]{0,511}[^\"\n\\])\\{0,3}\"|'(?P<s>[^'\n]{1,512})'|`(?P<g>[^`\n]{1,512})`)"
)
_ARGUMENTS: Final = re.compile(
    r"(?<![\w)\]])(?:[bru]{1,2}(?=[\"']))?" + _QUOTED + r"(?=\s{0,8}[,)\]])"
)
_JWT: Final = re.compile(
    r"(?i:jwt|jws|jsonwebtoken)\w{0,12}(?:\.|::|->)\w{4,12}\([^\"'\n]{0,200},\s{0,4}[b]?" + _QUOTED
)
_SQL: Final = re.compile(
    r"(?i:identified\s{1,4}(?:with\s{1,4}[\w\"'`]{1,40}\s{1,4})?(?:by|"
    r"as)\s{1,4}(?:password\s{1,4})?|(?:encrypted\s{1,4})?(?:password|"
    r"secret|key_id)\s{1,4}(?:=\s{0,4})?|password\("
    r"|sp_(?:addlogin|password)\s{1,4}'[^'\n]{1,64}'\s{0,4},\s{0,4})" + _QUOTED
)
_INSERT: Final = re.compile(
    r"(?i:insert\s{1,4}into)\s{1,4}[\w.\"'`\[\]]{1,80}\s{0,4}\((?P<names>[^()]{1,600})\)\s"
    r"{0,8}(?i:values)\s{0,8}"
)
_ROW: Final = re.compile(r"\((?:'(?:[^'\n]|'')*+'|\"[^\"\n]*+\"|\([^()]*+\)|[^()'\"])*+\)")
_ITEM: Final = re.compile(r"\s*(?:'(?P<value>[^'\n]*+)'|[^',]++(?:\([^()]*+\))?)[^,]*+(?:,|$)")


_TYPED: Final = re.compile(
    r"\.?[\w ]{2,20}(?:\(|[ ])[^\n]{0,120}?[bru]?(?:[\"'](?P<value>[^\"'\n]{6,128})[\"']\s{0,4}"
    r"[,)}\n]"
    r"|(?<=[ ]{2})(?P<bare>[^\s\"'=]{6,128})$)",
    re.MULTILINE,
)
_FIELD: Final = re.compile(r"(?i)passw|passphrase|passcode|pwd|kennwort|contrase|secret|\bpass\b")
_SETTING: Final = re.compile(
    r"(?i:set)\s{1,4}\w{1,32}\s{0,4}=\s{0,4}'(?P<value>[^'\n]{4,512})'[^;\n]{0,200}?(?i:where|and)\s{1,4}"
    r"[\w.\"`]{1,40}\s{0,4}=\s{0,4}'(?P<name>[\w.-]{3,80})'"
)


def _quoted(match: re.Match[str]) -> tuple[int, int]:
    return next(match.span(name) for name in ("d", "s", "g") if match[name] is not None)


def _arguments(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Literals among the arguments of the call at this place, from the second argument on."""
    begin = text.find("(", at, at + 48) + 1 or text.find("[", at, at + 48) + 1
    stop = min(text.find("\n\n", begin, begin + 400) % (begin + 401), len(text))
    for match in _ARGUMENTS.finditer(text, begin, stop):
        start, end = _quoted(match)
        if ")" in re.sub(r"\"[^\"]*\"|'[^']*'|\([^()]*\)", "", text[begin : match.start()]):
            return
        if "," in text[begin : match.start()]:
            yield start, end


def find_call(text: str, at: int) -> Iterator[Found]:
    """Literals of a call that takes a user and a password."""
    for start, end in _arguments(text, at):
        value = text[start:end]
        if is_password(value, quoted=True) and re.search(r"\d|[!#$%^&*]", value):
            yield Found(start, end, PASSWORD)


def find_client(text: str, at: int) -> Iterator[Found]:
    """Noise among the literals of a call that makes a client."""
    begin = text.find("(", at, at + 40) + 1
    stop = text.find(")", begin, begin + 300)
    for match in _ARGUMENTS.finditer(text, begin, stop + 1 if stop >= 0 else begin + 300):
        start, end = _quoted(match)
        value = text[start:end]
        if is_random(value, 20) and wordiness(value) < 0.3 and not is_placeholder(value):
            yield Found(start, end, API_KEY)


def find_insert(text: str, at: int) -> Iterator[Found]:
    """Values of an INSERT whose column names a secret."""
    match = _INSERT.match(text, at)
    if match is None:
        return
    names = [name.strip(" \"'`[]\n\t") for name in match["names"].split(",")]
    wanted = {i: kind for i, name in enumerate(names) if (kind := classify(name))}
    for row in _ROW.finditer(text, match.end(), match.end() + 4096) if wanted else ():
        for i, item in enumerate(_ITEM.finditer(text, row.start() + 1, row.end() - 1)):
            value = item["value"]
            if i in wanted and value:
                type_, proof = wanted[i]
                if keeps(value, proof):
                    yield Found(item.start("value"), item.end("value"), type_)


def find_sql(text: str, at: int) -> Iterator[Found]:
    """A password in a statement about users or secrets."""
    match = _SQL.match(text, at)
    if match:
        start, stop = _quoted(match)
        if is_password(text[start:stop], quoted=True):
            yield Found(start, stop, PASSWORD)


def find_setting(text: str, at: int) -> Iterator[Found]:
    """A value of a table of settings, whose name comes in the condition."""
    match = _SETTING.match(text, at)
    promise = classify(match["name"]) if match else None
    if match and promise and keeps(match["value"], promise[1]):
        yield Found(match.start("value"), match.end("value"), promise[0])


def find_jwt(text: str, at: int) -> Iterator[Found]:
    """The second argument of a call that signs or reads a token."""
    match = _JWT.match(text, at)
    if match:
        start, end = _quoted(match)
        if is_password(text[start:end], quoted=True) or is_token(text[start:end], quoted=True):
            yield Found(start, end, SECRET)


def find_typed(text: str, at: int) -> Iterator[Found]:
    """What a test of a user interface types into a field for passwords."""
    line = text.rfind("\n", max(0, at - 160), at) + 1 or max(0, at - 160)
    match = _TYPED.match(text, at)
    if match is None or not _FIELD.search(text[line : match.end()]):
        return
    start, end = match.span("value" if match["value"] else "bare")
    value = text[start:end]
    if is_password(value, quoted=True) and re.search(r"\d", value):
        yield Found(start, end, PASSWORD)


SHAPES: Final = (
    Shape(
        name="typed-password",
        trigger=r"\.(?:type|fill|send_?[kK]eys|set_?[vV]alue|typeText|pressSequentially|enterText)\(|"
        r"\bfill_in |\b(?:fill in|Input Text|Input Password|Fill Text|Type Text) ",
        find=find_typed,
    ),
    Shape(
        name="sql-setting",
        trigger=r"(?i)\bset\s{1,4}\w{0,24}val(?:ue)?\s{0,4}=",
        find=find_setting,
    ),
    Shape(
        name="hash-call",
        trigger=r"(?i)(?:bcrypt|argon2|scrypt|hashpw|hash_password|password_hash|make_password|"
        r"checkpw|check_password|verify_password|pbkdf2\w{0,8}|hasher)[\w.:>-]{0,24}\(",
        find=by_regex(
            r"[\w.:>-]{4,64}\(\s{0,4}(?:[\"'][\w-]{3,8}[\"'],[ ])?[bru]?[\"']"
            r"(?P<value>[^\"'\n]{6,128})[\"']",
            PASSWORD,
            lambda value: (
                bool(re.search(r"\d", value))
                and is_password(value, quoted=True)
                and not re.match("(?i)sha|md5|argon|bcrypt|scrypt", value)
            ),
        ),
    ),
    Shape(
        name="login-call",
        trigger=(
            r"(?i)(?:auth|login|signin|sign_in|credentials?|authenticate|"
            r"authentication|getconnection|"
            r"mysqli(?:_connect)?|mysql_connect|pg_connect|pdo|create_?user|"
            r"userpass|add_password|connect)"
            r"\s{0,2}(?:[=:]\s{0,2})?[(\[]\s{0,8}[&bru]?[\"'\w$]"
        ),
        find=find_call,
    ),
    Shape(
        name="client-call",
        trigger=r"(?:[Cc]lient|algoliasearch|API|Api|SDK|\.init|\.configure|\.setup|Bot|Gateway|"
        r"Session|Service|authorize|Config)\(\s{0,8}[bru]?[\"'\w]",
        find=find_client,
        score=0.7,
    ),
    Shape(
        name="jwt-secret",
        trigger=r"(?i)(?:jwt|jws|jsonwebtoken)\w{0,12}(?:\.|::|->)(?:sign|verify|"
        r"encode|decode)\w{0,6}\(",
        find=find_jwt,
    ),
    Shape(name="sql-insert", trigger=r"(?i)insert\s{1,4}into\s", find=find_insert),
    Shape(
        name="sql-password",
        trigger=r"(?i)(?:identified\s{1,4}(?:with|by|as)\s|password\s{1,4}['\"=]|"
        r"password\(|secret\s{1,4}'|sp_(?:addlogin|password)\s)",
        find=find_sql,
    ),
    Shape(
        name="secure-string",
        trigger=r"ConvertTo-SecureString ",
        find=by_regex(
            r"ConvertTo-SecureString[ ](?:-String[ ])?[\"'](?P<value>[^\"'\n]{4,256})[\"']",
            PASSWORD,
            lambda value: is_password(value, quoted=True),
        ),
    ),
    Shape(
        name="expect-send",
        trigger=r"(?i)assword[:?]?[ *]{0,3}[\"'}]",
        find=by_regex(
            r"(?i:assword)[:?]?[ *]{0,3}[\"'}]\)?[;{]?\s{1,12}(?:[\w.]{1,24}"
            r"\.)?(?:exp_)?send(?:line)?[ (]"
            r"(?:--?[ ]\w?[ ]?)?[\"'{](?P<value>[^\"'\n\\}]{4,128})",
            PASSWORD,
            lambda value: is_password(value, quoted=True),
        ),
    ),
    Shape(
        name="crypto-call",
        trigger=r"(?:Fernet|SecretBox|MultiFernet|createHmac|hmac\.new|SecretKeySpec|"
        r"AESGCM|ChaCha20Poly1305)\(",
        find=by_regex(
            r"[\w.]{1,24}\((?:[\"'][\w-]{1,12}[\"'],[ ]?)?[bru]?[\"'](?P<value>[^\"'\n]"
            r"{16,256})[\"']",
            SECRET,
            is_random,
        ),
    ),
)
