# ruff: noqa: PLR2004 - lengths describe a kind of value
"""Secrets in formats with a place for them: pgpass, netrc, shadow, devices' configuration."""

import base64
import binascii
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
)
from proctor.redaction.recognizers.shapes import Found, Shape, by_regex

# libpq, "The Password File": hostname:port:database:username:password, \: and \\ escaped.
_PGPASS: Final = re.compile(
    r"(?P<host>[\w.*\[\]-]{1,253}):(?:\d{2,5}|\*):[\w.*-]{1,63}:[\w.*@-]{1,63}:(?P<value>"
    r"(?:\\[:\\]|[^\s:\"']){3,512})(?=[\s\"']|\\n|\Z)"
)
_HASH: Final = (
    r"(?:\$(?:1|2[abxy]?|5|6|7|y|gy|md5|sha1|apr1|S|P|H|argon2(?:id|i|"
    r"d)|pbkdf2(?:-sha\d+)?|scrypt|bcrypt-sha256)\$"
    r"[A-Za-z0-9./,=$+_-]{13,512}"
    r"|(?:pbkdf2_sha\d{1,3}|bcrypt(?:_sha256)?|argon2|scrypt)\$[A-Za-z0-9./,=$+_-]{20,512}"
    r"|(?:pbkdf2:sha\d{1,3}|scrypt)(?::\d{1,9}){1,3}\$[A-Za-z0-9./$+-]{20,512}"
    r"|\{(?:S?SHA(?:256|384|512)?|S?MD5|CRYPT|PBKDF2[\w-]*)\}[A-Za-z0-9./=$+,-]{20,512}"
    r"|SCRAM-SHA-(?:1|256)\$\d{3,8}:[A-Za-z0-9+/=]{8,64}\$[A-Za-z0-9+/=:]{40,200})"
)
_DEVICE: Final = re.compile(
    r"(?i:secret|password|passwd|key|community|shared-secret|pre-shared-key|"
    r"key-string|auth|md5|wpa-psk)[ ](?:(?:ascii|hex|plaintext|encrypted|"
    r"clear)[ ])?"
    r"(?:(?P<level>[0-9])[ ]|ENC[ ])(?:\d[ ])?[\"']?(?P<value>[^\s\"']{4,256})"
)
_LINE: Final = re.compile(
    r"(?i:password|passwd|passwort|passphrase|pass|requirepass|masterauth|(?:root)?bindpw|rootpw|"
    r"secret|insecure-password|credential|community|authtoken|apikey|"
    r"api-key|token)"
    r"[ \t]{1,24}(?:--(?:plaintext|iscrypted)[ ])?[\"']?(?P<value>[^\s\"']{4,512})"
    r"[\"']?[ \t]{0,4}(?=[\r\n]|\\n|\Z)"
)
_ALIGNED: Final = re.compile(
    r"[ \t]*(?P<name>[\w.-]{2,64})(?:[ ]{2,40}(?:[|][ ])?|[ ][|][ ]|\t{1,4}[ ]{0,8})"
    r"[\"']?(?P<value>[^\s\"'|]{4,512})[\"']?[ \t]{0,40}"
    r"(?=[\r\n]|\\n|\Z)"
)
_LIST_LINE: Final = re.compile(
    r"\n[ \t]{0,12}(?:-[ ])?[\w.-]{1,40}:(?P<value>[^\s:]{4,128})(?=\s|\Z)"
)
_NETRC: Final = re.compile(
    r"(?:machine\s{1,4}\S{1,253}|default)\s{1,8}(?:(?:login|account)\s{1,4}\S{1,256}\s"
    r"{1,8}){0,2}password\s{1,4}[\"']?(?P<value>[^\s\"']{3,512})"
)
_CHAP: Final = re.compile(
    r"[ \t]*[\"']?[\w.@\\-]{1,64}[\"']?[ \t]+(?:\*|[\w.-]{1,64})[ \t]+[\"']?(?P<value>"
    r"[^\s\"']{6,256})[\"']?[ \t]+\*"
)
_DSN: Final = re.compile(r"[\w.-]{1,64}:(?P<value>[^\s\"'/]{3,256})\Z")
_CODE_LINE: Final = re.compile(
    r"[a-zA-Z0-9]{4,6}[- ][a-zA-Z0-9]{4,6}(?:[- ][a-zA-Z0-9]{4,6}){0,3}|"
    r"\b\d{6,10}\b|\b[a-z0-9]{8,12}\b|\b[A-Z0-9]{8,12}\b"
)
_LOGIN: Final = re.compile(
    r"_?auth\\{0,3}[\"']?[ ]{0,4}[:=][ ]{0,4}\\{0,3}[\"']?(?P<value>[A-Za-z0-9+/]{8,8192}={0,2})"
)
_COMMON: Final = frozenset("the and for with that this are from you not".split())  # noqa: SIM905 - text


def find_pgpass(text: str, at: int) -> Iterator[Found]:
    """The fifth field of a password file's line; `at` is where the port begins."""
    start = max(
        text.rfind("\n", 0, at),
        text.rfind("n", max(0, at - 254), at)
        if text[max(0, at - 254) : at].endswith("\\n")
        else -1,
    )
    begin = start + 1
    if at - begin > 253:
        return
    line = text[begin:at]
    while line and not (line[0].isalnum() or line[0] in "*[_"):
        begin, line = begin + 1, line[1:]
    word = max(line.rfind(" "), line.rfind('"'), line.rfind("'"), line.rfind("\t"))
    match = _PGPASS.match(text, begin + word + 1)
    if match and match["host"].strip(".") and not is_placeholder(match["value"]):
        value = match["value"]
        if is_password(value, quoted=True) or is_token(value, quoted=True):
            yield Found(match.start("value"), match.end("value"), PASSWORD)


def _strong(value: str) -> bool:
    return (
        bool(re.search(r"\d", value))
        and bool(re.search("[A-Za-z]", value))
        and is_password(value, quoted=True)
    )


def find_aligned(text: str, at: int) -> Iterator[Found]:
    """The last word of a line of two columns whose first one names a secret."""
    match = _ALIGNED.match(text, text.rfind("\n", max(0, at - 80), at) + 1)
    promise = classify(match["name"]) if match else None
    if match and promise and re.search(r"\d", match["value"]) and keeps(match["value"], promise[1]):
        yield Found(match.start("value"), match.end("value"), promise[0])


def find_list(text: str, at: int) -> Iterator[Found]:
    """Lines of `user:password` after the command or the key that reads them."""
    stop = min(len(text), at + 800)
    for match in _LIST_LINE.finditer(text, at, stop):
        value = match["value"]
        if value != "|" and _strong(value) and value not in {"RANDOM", "R"}:
            yield Found(match.start("value"), match.end("value"), PASSWORD)


def find_docker_auth(text: str, at: int) -> Iterator[Found]:
    """`auth` in Docker's config.json, `_auth` in .npmrc: base64 of user:password."""
    match = _LOGIN.match(text, at)
    if match is None:
        return
    try:
        login = base64.b64decode(match["value"], validate=True)
    except (binascii.Error, ValueError):
        return
    if (
        b":" in login
        and login.isascii()
        and not is_placeholder(login.partition(b":")[2].decode() or "xxxx")
    ):
        yield Found(match.start("value"), match.end("value"), PASSWORD)


def find_chap(text: str, at: int) -> Iterator[Found]:
    """The secret in a line of pppd's chap-secrets: client, server, secret, addresses."""
    begin = text.rfind("\n", max(0, at - 400), at) + 1
    match = _CHAP.match(text, begin)
    if match and re.search(r"\d", match["value"]) and is_password(match["value"], quoted=True):
        yield Found(match.start("value"), match.end("value"), PASSWORD)


def find_dsn(text: str, at: int) -> Iterator[Found]:
    """The password before `@tcp(`, as Go's MySQL driver has it."""
    begin = max(0, at - 324)
    match = _DSN.search(text[begin:at].rpartition("\n")[2])
    if match and not is_placeholder(match["value"]) and match["value"] not in {"password", "pass"}:
        yield Found(at - len(match["value"]), at, PASSWORD)


def find_codes(text: str, at: int) -> Iterator[Found]:
    """Codes listed after the words "recovery codes"."""
    stop = text.find("\n\n", at + 20, at + 600)
    for match in _CODE_LINE.finditer(
        text, at + 12, stop if stop >= 0 else min(len(text), at + 600)
    ):
        digits = sum(map(str.isdigit, match.group()))
        if (
            digits >= 2
            and not is_placeholder(match.group())
            and (digits < len(match.group()) or digits >= 8)
        ):
            yield Found(match.start(), match.end(), SECRET)


SHAPES: Final = (
    Shape(name="pgpass", trigger=r":(?:\d{2,5}|\*):[\w.*-]{1,63}:[\w.*@-]", find=find_pgpass),
    Shape(
        name="netrc",
        trigger=r"\b(?:machine|default)\s",
        find=by_regex(_NETRC.pattern, PASSWORD, lambda value: is_password(value, quoted=True)),
    ),
    Shape(
        name="password-hash",
        trigger=r"\$(?:1|2[abxy]?|5|6|7|y|gy|md5|sha1|apr1|S|P|H|argon2i?d?|pbkdf2(?:-sha\d+)?|"
        r"scrypt|bcrypt-sha256)\$|pbkdf2[_:]sha\d|bcrypt(?:_sha256)?\$|"
        r"argon2\$|scrypt[:$]|\{(?:S?SHA\d{0,3}|S?MD5|CRYPT|PBKDF2)|SCRAM-SHA-(?:1|"
        r"256)\$",
        find=by_regex(
            rf"(?P<value>{_HASH})",
            PASSWORD,
            lambda value: (
                bool(re.search(r"[A-Za-z0-9./+]{13}", value))
                and not is_placeholder(value[:12].replace("$", ""))
            ),
        ),
    ),
    Shape(
        name="ntlm-hash",
        trigger=r":\d{3,6}:[0-9a-fA-F]{32}:[0-9a-fA-F]{32}:",
        find=by_regex(r":\d{3,6}:(?P<value>[0-9a-fA-F]{32}:[0-9a-fA-F]{32})", PASSWORD),
    ),
    Shape(
        name="aws-secret-key",
        trigger=r"(?:AKIA|ASIA)[A-Z0-9]{16}[^A-Za-z0-9]",
        find=by_regex(
            r"(?:AKIA|ASIA)[A-Z0-9]{16}[^A-Za-z0-9/+][^\n]{0,60}?(?:\r?\n[^\n]{0,60}?)?"
            r"(?<![A-Za-z0-9/+])(?P<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
            API_KEY,
            lambda value: is_random(value) and not is_placeholder(value),
        ),
    ),
    Shape(
        name="chap-line",
        trigger=r"[ \t]\*[ \t]{0,8}$",
        at_end=True,
        find=find_chap,
    ),
    Shape(
        name="device-secret",
        trigger=r"(?i)(?:secret|password|passwd|key|community|key-string|md5|"
        r"auth) (?:(?:ascii|hex|plaintext|encrypted|clear) )?(?:[0-9] "
        r"|ENC )",
        find=by_regex(
            _DEVICE.pattern,
            PASSWORD,
            lambda value: (
                is_password(value, quoted=True) or bool(re.fullmatch(r"[0-9A-F]{6,128}", value))
            ),
        ),
    ),
    Shape(
        name="device-key",
        trigger=r"(?i)(?:radius|tacacs|insecure|isakmp|enable|chap|pap|ipsec|"
        r"ntp|bgp|ospf|l2tp|vpn)[\w-]{0,12} ",
        find=by_regex(
            r"[\w-]{3,24}[ ](?:(?:server|host|global|authentication|sent-username|"
            r"private|shared)[\w-]{0,8}[ ]|[\w.]{1,40}[ ]){0,3}?"
            r"(?:(?i:key|secret|password)[ ]|(?<=-password[ ]))[\"']?(?P<value>[^\s\"']{6,128})",
            PASSWORD,
            lambda value: bool(re.search(r"\d", value)) and is_password(value, quoted=True),
        ),
    ),
    Shape(
        name="snmp-community",
        trigger=r"(?i)snmp-server community ",
        find=by_regex(
            r"(?i:snmp-server[ ]community)[ ](?P<value>\S{4,64})",
            PASSWORD,
            lambda value: value.lower() not in {"public", "private"} and not is_placeholder(value),
        ),
    ),
    Shape(
        name="password-line",
        trigger=r"(?i)^[ \t]*(?:(?:root)?bindpw|rootpw|password|passwd|passwort|passphrase|pass|"
        r"requirepass|"
        r"masterauth|secret|insecure-password|authtoken|token)[ \t]",
        find=by_regex(
            r"[ \t]*" + _LINE.pattern,
            PASSWORD,
            lambda value: (
                value[0] not in "=:"
                and bool(re.search(r"\d", value))
                and is_password(value, quoted=True)
            ),
        ),
    ),
    Shape(
        name="directive",
        # Names that mean nothing else, wherever the line begins.
        trigger=r"\b(?:requirepass|masterauth|(?:root)?bindpw) ",
        find=by_regex(r"\w{6,12}[ ]{1,8}[\"']?(?P<value>[^\s\"'\\]{4,512})", PASSWORD, _strong),
    ),
    Shape(
        name="aligned-line",
        # What shells print: a name, blanks, a value.
        trigger=r"(?i)(?:pass|passw(?:or)?d|passphrase|pwd|pw|secret|token|key|credentials?)\w{0,8}"
        r"(?: {2}|\t| [|])",
        find=find_aligned,
    ),
    Shape(
        name="redis-auth",
        trigger=r"(?:^|\\n|[> ]|\")AUTH |> auth ",
        find=by_regex(
            r"(?:>[ ]|\\n|[> \"])?(?i:auth)[ ](?:[\w.-]{1,40}[ ]"
            r")?[\"']?(?P<value>[^\s\"'\\]{6,512})[\"']?[ ]{0,4}(?=[\r\n]|\\|\Z)",
            PASSWORD,
            _strong,
        ),
    ),
    Shape(
        name="session-login",
        # IMAP (RFC 9051 section 6.2.3), FTP (RFC 959 section 4.1.1), IRC services
        trigger=r"^[\w.]{1,8} LOGIN |\bIDENTIFY |^PASS ",
        find=by_regex(
            r"(?:[\w.]{1,8}[ ]LOGIN[ ]\S{1,80}|IDENTIFY(?:[ ][\w|-]{1,30})?|PASS)[ ]"
            r"[\"']?(?P<value>[^\s\"']{6,128})"
            r"[\"']?[ ]{0,4}(?=[\r\n]|\Z)",
            PASSWORD,
            _strong,
        ),
    ),
    Shape(
        name="device-setting",
        trigger=r"^[ \t]*set [a-z]",
        find=by_regex(
            r"[ \t]*set[ ](?:[\w./-]{1,40}[ ]){0,12}?[\w-]{0,40}(?:password|passwd|secret|psk|"
            r"passphrase)[\w-]{0,16}"
            r"[ ](?:ENC[ ])?[\"']?(?P<value>[^\s\"']{6,256})[\"']?[ \t]{0,4}(?=[\r\n]|\Z)",
            PASSWORD,
            _strong,
        ),
    ),
    Shape(
        name="redis-user",
        trigger=r"(?i)(?:setuser|^user) [\w.-]{1,40} ",
        find=by_regex(
            r"(?i:setuser|user)[ ][\w.-]{1,40}[ ](?:[\w~+@*%&:-]{1,40}[ ]"
            r"){0,8}?>(?P<value>\S{4,512})",
            PASSWORD,
            lambda value: is_password(value, quoted=True),
        ),
    ),
    Shape(
        name="installer-answer",
        trigger=r"\bd-i passwd/",
        find=by_regex(
            r"d-i[ ]passwd/[\w-]{1,40}[ ]password[ ](?P<value>\S{4,256})",
            PASSWORD,
            lambda value: is_password(value, quoted=True),
        ),
    ),
    Shape(
        name="config-statement",
        trigger=r"(?i)(?:secret|passw(?:or)?d|passphrase|psk|token|key) \"[^\"\s]{8}",
        find=by_regex(
            r"\w{3,12}[ ]\"(?P<value>[^\"\s]{8,400})\"[ ]{0,2};",
            SECRET,
            lambda value: bool(re.search(r"\d", value)) and is_token(value, quoted=True),
        ),
    ),
    Shape(name="password-list", trigger=r"\bchpasswd(?::|[ ]?<<)", find=find_list),
    Shape(
        name="relay-password",
        trigger=r"^\[[\w.-]{4,80}\](?::\d{2,5})?[ \t]",
        find=by_regex(
            r"\[?[\w.-]{4,200}\]?(?::\d{2,5})?[ \t]{1,24}[^\s:]{1,80}:(?P<value>\S{4,256})",
            PASSWORD,
            _strong,
        ),
    ),
    Shape(name="login-blob", trigger=r"_?auth[\\\"']{0,4} {0,4}[:=]", find=find_docker_auth),
    Shape(
        name="driver-dsn",
        trigger=r"@(?:tcp|udp|unix)\(",
        find=find_dsn,
    ),
    Shape(
        name="oracle-url",
        trigger=r"jdbc:oracle:",
        find=by_regex(
            r"jdbc:oracle:\w{1,8}:[\w$#]{1,60}/(?P<value>[^\s@/]{3,128})@",
            PASSWORD,
            lambda value: not is_placeholder(value),
        ),
    ),
    Shape(
        name="chap-secret",
        trigger=r"(?:PSK|XAUTH|EAP|NTLM) \"",
        find=by_regex(
            r"(?:PSK|XAUTH|EAP|NTLM)[ ]\"(?P<value>[^\"\n]{6,256})\"",
            PASSWORD,
            lambda value: is_password(value, quoted=True),
        ),
    ),
    Shape(
        name="mnemonic",
        trigger=r"(?i)(?:seed|recovery|mnemonic|secret)[ _-]?(?:phrase|words|seed)?",
        find=by_regex(
            r"(?i:seed|recovery|mnemonic|secret)[ _-]?(?i:phrase|words|"
            r"seed)?[\"']?[ ]{0,2}(?:[:=]|is|->)?[ ]{0,2}[\"'`]?\n?(?P<value>(?:[a-z]{3,8}"
            r"[ ]{1,2}){11,23}[a-z]{3,8})(?![a-z])",
            SECRET,
            lambda value: _COMMON.isdisjoint(value.split()),
        ),
    ),
    Shape(
        name="recovery-codes",
        trigger=r"(?i)(?:recovery|backup|scratch|emergency)[ _-]codes?",
        find=find_codes,
    ),
)
