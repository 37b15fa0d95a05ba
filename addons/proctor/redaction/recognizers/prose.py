# ruff: noqa: PLR2004, RUF001 - lengths describe a kind of value; people's own punctuation
"""Secrets told in sentences: "the password is …", "Passwort lautet …", "here is the API key …"."""

import re
from collections.abc import Iterator
from typing import Final

from proctor.redaction.model import API_KEY, PASSWORD
from proctor.redaction.recognizers.plausible import (
    is_code,
    is_noise,
    is_numbered,
    is_password,
    is_placeholder,
    is_random,
    wordiness,
)
from proctor.redaction.recognizers.shapes import Found, Shape

_NAMES: Final = (
    "password|passwort|passphrase|passcode|kennwort|passwd|pwd|pw|pass|"
    "mot de passe|mdp|contraseña|contrasena|clave|"
    "senha|palavra-passe|wachtwoord|hasło|haslo|heslo|parola|lösenord|"
    "losenord|adgangskode|passord|salasana|şifre|sifre|jelszó|"
    "пароль|密码|密碼|パスワード|비밀번호|كلمة المرور|pin|pin code|passkey|"
    "login|creds|credentials|zugangsdaten|secret|api[ -]?key|access[ -]?key|token|schlüssel|clé"
)
_VERBS: Final = (
    r"is(?:[ ]now|[ ]currently|[ ]still)?|was|are|will[ ]be|be|ist|lautet|"
    r"war|wäre|heißt|je|est|es|é|è|är|er|to|jest|"
    r"は|是|为|이|는|été|stands[ ]at|reads|became|equals|remains"
)
_OPEN: Final = r"\"'`“”„«‹「『"
_CLOSE: Final = r"\"'`“”»›」』’"
# What links the name to the value: a sign, a verb, or an opening quote.
_LINK: Final = (
    r"(?P<by>\*{0,2}[ ]{0,2}(?::[ \n*]|：|(?<=[\u3040-\ud7ff]):|->|→|[ ](?:–|—|-|=)[ ])\*{0,2}"
    r"[ ]{0,2}(?:\n[ ]{0,4})?"
    rf"|[ ](?i:{_VERBS})"
    r"(?:[ ](?i:now|just|simply|still|einfach|jetzt|set[ ]to|changed[ ]to)){0,2}[ ]?:?[ ]"
    r"|[ ]{1,2}(?=[\"'`“„«*])|(?:は|是|为|：|이|는)[ ]?)"
)
_TELLS: Final = re.compile(
    rf"(?i:{_NAMES})(?:et|en|s)?(?:[ ]?\([^()\n]{{1,40}}\))?"
    r"(?P<between>(?:[ ](?!(?:is|was|ist|est|es)[ ])(?:[^\s:=\n.!?\"'`]|\.(?=\w)){1,48}){0,7}?)"
    rf"{_LINK}(?:\*{{1,2}}|_{{1,2}}|<(?:b|code|strong|em|kbd)>|\\?[{_OPEN}]|‘)?"
    rf"(?P<value>(?:(?!\\[nrt])[^\s{_OPEN}»›」』<>]){{4,256}})(?P<close>[{_CLOSE}<*_])?"
)
# Names of passwords and nothing else; "pass", "login" and "token" are words of many uses.
_STRONG: Final = re.compile(
    r"(?i)passw|passp|passc|pwd|pw\b|kennw|mot |contra|senha|wachtw|has[lł]o|"
    r"heslo|l[oö]senord|adgangs|passord|salasana|парол|密|パス|비밀"
)
_PHRASE: Final = re.compile(
    rf"(?i:{_NAMES})(?:[ ][\w-]{{1,20}}){{0,5}}?[ ]?(?i:is|:|ist|lautet|est|es|was)[ ]?"
    r"[\"'`“„«](?P<value>[a-z]{3,12}(?:[ -][a-z]{3,12}){2,8})[\"'`”“»]"
)
_SENTENCE: Final = re.compile(r"\b(?:the|you|your|not|for|and|too|must|password|enter)\b")
_TAIL: Final = re.compile(r"[.,;:)\]}!?*_]+\Z")
_LOGIN: Final = re.compile(
    r"(?i:log-?[ ]?in|logins|creds?|credentials?|zugang(?:sdaten)?|account|"
    r"user(?:name)?|benutzer|identifiants|usuario)"
    r"(?:[ ](?:with|as|details)|[ ](?:for|zu|für|to|on)[ ](?:the[ ])?[\w.-]{1,40})?(?:[ ]"
    r"(?:are|is|sind|ist))?[ ]{0,2}[:=]?[ ]{1,2}[\"'`]?(?P<user>[\w.@+-]{2,64})[\"'`]?"
    r"(?:[ ]?(?:/{1,2}|\||:)[ ]?|,?[ ](?i:and|und|with|y|et|pass|pw|pwd)[ ])[\"'`]?(?P<value>"
    r"[^\s\"'`<>]{6,128})"
)
_COMPOUND: Final = re.compile("(?i:passwort|kennwort|wachtwoord)|(?i:l[oö]senord)")
_MIXED: Final = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*\d.*\d)(?=.*[^A-Za-z0-9])")
_NEXT: Final = re.compile(
    r"(?i:password|passwort|passwd|passphrase|kennwort|contraseña|mot "
    r"de passe|wachtwoord|pwd|pw)[ ]{1,2}(?P<value>[^\s\"'`,;]{8,64})"
)
# Ends of commands and of lines that announce a secret; it stands on the next line alone.
_ANNOUNCED: Final = (
    r"\bGET [\w:.-]{0,40}(?:token|secret|passw|session|requirepass)[\w:-]{0,8}|base64 (?:-d|-D|"
    r"--decode)|--reveal|(?:passw(?:or)?d|token|secret|key) for (?:the|user) |"
    r"(?:following|initial|generated|temporary|new|root|admin) (?:\w{1,12} )?(?:passw(?:or)?d|"
    r"token|secret)"
)
_PRINTED: Final = re.compile(
    r"[^\n]{0,160}\r?\n(?:[ \t]{0,8}\r?\n)?"
    r"(?:(?i:new[ ]value|value|password|generated|result):[ ]{1,4})?"
    r"(?:1\)[ ]\"[\w-]{1,40}\"\r?\n2\)[ ])?"
    r"[ \t]{0,8}[\"']?(?P<value>[^\s\"'<>]{8,128})[\"']?[ \t]{0,4}(?=\r?\n|\Z)"
)
_SECRET_WORD: Final = re.compile(
    r"(?i)passw|passphrase|secret|token|credential|api[_-]?key|session|requirepass"
)
_AS: Final = re.compile(r"(?:\A|[\s\"'`*])(?P<value>[^\s\"'`*]{6,64})[\"'`*]{0,3}\Z")
_WORDY: Final = 0.6
_TECH: Final = re.compile(
    r"(?i)\A(?:(?:hmac-)?sha-?\d{1,3}|md[45]|base(?:16|32|58|64)|utf-?(?:8|"
    r"16)|oauth\d|x\.?509|pkcs#?\d+|pbkdf2|argon2\w*|bcrypt|ipv[46]|s3|"
    r"ec2|k8s|i18n|"
    r"python\d|2fa|mfa|http2|tls\d?|ssh2|es\d|rs\d+|hs\d+|aes-?\d*(?:-\w+)?|"
    r"rsa-?\d+|ed25519|\d+(?:[a-z]{1,3}|[- ]?(?:char|bit|byte|day|hour|"
    r"min)\w*|st|nd|rd|th|%|x|\+)?)\Z"
)
_NEAR: Final = re.compile(
    r"(?<![A-Za-z0-9_+/=.~%@:#$-])(?P<value>[A-Za-z0-9_+/.~-]{16,512}={0,2})(?![A-Za-z0-9_+/@(-])"
)
_HEX: Final = re.compile(r"[0-9a-f]+\Z")
_NOT_NEAR: Final = re.compile(
    r"(?i)commit|sha-?\d|checksum|digest|fingerprint|\bhash|md5|integrity|"
    r"etag|\bpublic|revision|trace|uuid|image|integrity|"
    r"ssh-(?:rsa|ed25519|dss)|ecdsa-|\bid\b|_id\b|Id\b|signature|\bsri\b|"
    r"page|next|cursor|cache|version|base64,|resolved|nonce|certificate|"
    r"request[_-]?id"
)


def _within_word(text: str, at: int) -> bool:
    before = text[at - 1]
    if not text[at].isascii() or not (before.isalnum() or before in "_-$."):
        return False
    # German and Dutch write compounds as one word: Adminpasswort, WLAN-Passwort.
    return not ((before.isalpha() or before == "-") and _COMPOUND.match(text, at))


def find_told(text: str, at: int) -> Iterator[Found]:
    """The password that a sentence tells."""
    if at and _within_word(text, at):
        return
    phrase = _PHRASE.match(text, at)
    told = _TELLS.match(text, at)
    if (
        phrase
        and not _SENTENCE.search(phrase["value"])
        and not is_placeholder(phrase["value"].replace(" ", "-"))
    ):
        yield Found(phrase.start("value"), phrase.end("value"), PASSWORD)
    elif told:
        yield from _from(told)
    else:
        after = _NEXT.match(text, at)
        if after and _unlike_words(after["value"], quoted=False):
            yield Found(after.start("value"), after.end("value"), PASSWORD)


def _from(told: re.Match[str]) -> Iterator[Found]:
    text = told.string
    start, stop = told.span("value")
    quoted = told["close"] is not None and text[start - 1] not in " \n"
    if not quoted:
        # No mark-up, since nothing closes it: part of the password.
        while text[start - 1] in "*_":
            start -= 1
        tail = _TAIL.search(told["value"])
        if tail:
            kept = tail.group()[0] in "!?*"
            stop = told.start("value") + tail.start() + kept
    value, by = text[start:stop], told["by"].strip()
    strong = bool(_STRONG.match(told.group()))
    if (by == "to" and not strong) or (
        not by and not (strong and _unlike_words(value, quoted=quoted))
    ):
        return
    if _told(value, quoted=quoted, strong=strong):
        yield Found(start, stop, PASSWORD)


def _unlike_words(value: str, *, quoted: bool) -> bool:
    """Whether a value right after the word "password" can be nothing else."""
    if quoted:
        return bool(re.search(r"\d", value))
    return is_numbered(value) or (
        bool(
            re.search(r"\d", value)
            and re.search("[a-z]", value)
            and re.search("[A-Z!#$%&*?@]", value)
        )
        and wordiness(value) < _WORDY
        and not re.search(r"[(){}\[\]=<>;\\/:]", value)
    )


def find_login(text: str, at: int) -> Iterator[Found]:
    """`login: alice / …`: a user, then a password that could be nothing else."""
    match = _LOGIN.match(text, at)
    if match:
        start, stop = match.span("value")
        tail = re.search(r"[.,;)]+\Z", match["value"])
        stop -= len(tail.group()) if tail else 0
        value = text[start:stop]
        if (
            is_password(value, quoted=True)
            and re.search(r"\d", value)
            and re.search(r"[A-Za-z]", value)
            and (wordiness(value) < _WORDY or _MIXED.match(value) or is_numbered(value))
        ):
            yield Found(start, stop, PASSWORD)


def _told(value: str, *, quoted: bool, strong: bool) -> bool:
    if (
        len(value) < 4
        or is_placeholder(value)
        or _TECH.match(value)
        or (not quoted and is_code(value) and not (is_noise(value, 1) or is_numbered(value)))
    ):
        return False
    if not strong:
        return is_password(value, quoted=True) and (
            (wordiness(value) < 0.45 and len(value) >= 8)
            or bool(re.search(r"\d.*[!@#$%^&*?]|[!@#$%^&*?].*\d", value))
        )
    if is_noise(value, 1):
        return True
    if is_password(value, quoted=True) and re.search(r"\d|[!@#$%^&*?+]", value):
        return True
    # "hunter2": a word and a digit say enough after "the password is".
    if re.fullmatch(r"(?=.*\d)[A-Za-z]\w{4,}", value):
        return True
    return (
        quoted and value.isascii() and value.isalpha() and value.islower() and len(value) >= 6
    ) or is_password(value, quoted=quoted)


def find_near(text: str, at: int) -> Iterator[Found]:
    """Noise on the same line as a word for keys and tokens, up to 120 characters either way."""
    begin = text.rfind("\n", max(0, at - 90), at) + 1 or max(0, at - 90)
    stop = text.find("\n", at, at + 140)
    stop = stop if stop >= 0 else min(len(text), at + 140)
    line = text[begin:stop]
    if _NOT_NEAR.search(line):
        return
    for match in _NEAR.finditer(text, begin, stop):
        value = match["value"].rstrip("./-_")
        if (
            is_random(value, 20)
            and (match.start() > at or not _HEX.match(value))
            and not is_placeholder(value)
            and value.count("/") <= 4
            and value.count(".") <= 2
            and wordiness(value) < 0.3
            and sum(map(str.isdigit, value)) >= 2
        ):
            yield Found(match.start(), match.start() + len(value), API_KEY)


def _strong_literal(value: str) -> bool:
    marked = re.search(r"\d[^\w.-]|[^\w.-]\d", value) or _MIXED.match(value) or is_numbered(value)
    return bool(marked) and is_password(value, quoted=True)


def find_printed(text: str, at: int) -> Iterator[Found]:
    """What a program printed right below the line that announces a secret."""
    match = _PRINTED.match(text, at)
    begin = text.rfind("\n", max(0, at - 200), at) + 1
    if match is None or not _SECRET_WORD.search(text, begin, match.start("value")):
        return
    value = match["value"]
    if not is_placeholder(value) and (
        is_random(value) or _strong_literal(value) or _unlike_words(value, quoted=False)
    ):
        yield Found(match.start("value"), match.end("value"), PASSWORD)


def find_as(text: str, at: int) -> Iterator[Found]:
    """`use … as the password`: the word before."""
    begin = max(0, at - 80)
    match = _AS.search(text[begin:at])
    marked = match is not None and text[begin + match.end("value")] in "\"'`*"
    if match and (
        _unlike_words(match["value"], quoted=False) or (marked and _strong_literal(match["value"]))
    ):
        yield Found(begin + match.start("value"), begin + match.end("value"), PASSWORD)


SHAPES: Final = (
    Shape(
        name="told-password",
        trigger=rf"(?i)(?:{_NAMES}|Пароль|ПАРОЛЬ|Şifre|ŞİFRE|Lösenord|LÖSENORD|Clé|Schlüssel)(?:et|en|s)?[^\n\"'`]{{0,2}}[\s\"'`:=\-A-Za-z\x80-\xff]",
        find=find_told,
        score=0.75,
    ),
    Shape(
        name="told-before",
        trigger=r"(?i) (?:as|for|is|als|ist|comme|como) (?:the |your |my |our "
        r"|a |new |das |dein |mein |le |la |tu |mi |root |admin |db |[a-z]{2,12} ){0,3}(?:password|"
        r"passwort|passphrase|mot de passe|contrase)",
        find=find_as,
        score=0.7,
    ),
    Shape(
        name="told-login",
        trigger=r"(?i)\b(?:log-? ?ins?|creds?|credentials?|zugang(?:sdaten)?|"
        r"account|user(?:name)?|benutzer|identifiants|usuario)[ :=]",
        find=find_login,
        score=0.7,
    ),
    Shape(
        name="printed",
        trigger=rf"(?i)(?:{_ANNOUNCED})",
        find=find_printed,
        score=0.7,
    ),
    Shape(
        name="near-key",
        trigger=r"(?i)\b(?:api|access|secret|private|auth|bearer|service|license|"
        r"personal|deploy|refresh|bot|webhook|signing|encryption|admin|setup|totp|otp|2fa|mfa|unseal|"
        r"master|root|client|account|session|shared|write|project|customer)[ _-]?(?:key|"
        r"token|secret|credential)s?\b|\b(?:token|secret|credential)s?\b|\bkey [\"'`]",
        find=find_near,
        score=0.7,
    ),
)
