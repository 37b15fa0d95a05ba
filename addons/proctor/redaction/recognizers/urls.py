# ruff: noqa: PLR2004 - lengths describe a kind of value
"""Secrets in URLs and in HTTP headers: user information, signed parameters, webhooks, cookies."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from proctor.redaction.model import API_KEY, PASSWORD, SECRET
from proctor.redaction.recognizers.plausible import is_placeholder, is_random, is_stand_in, is_token
from proctor.redaction.recognizers.shapes import Found, Shape, by_regex

# RFC 3986 section 3.2.1; the password may hold what should have been escaped, so up to the last "@"
# before a slash or the end.
_USERINFO: Final = re.compile(
    r"://(?P<user>[^\s/:@\"'<>{}]{0,128}):(?P<value>[^\s\"'<>`]{1,512}?)@(?=[\w\[.$-]"
    r"[^\s@\"'<>`]{0,255})(?![^\s/\"'<>`?#]{0,128}@)"
)
_TOKEN_USER: Final = re.compile(
    r"://(?P<value>[^\s/:@\"'<>{}]{16,512})(?::(?:x-oauth-basic|)?)?@[\w\[]"
)
_SAME: Final = frozenset(
    {
        "pass",
        "password",
        "passwd",
        "pwd",
        "secret",
        "user",
        "token",
        "pw",
        "p",
        "port",
        "foo",
        "bar",
        "test",
    }
)
_LOGIN: Final = re.compile(
    r"(?:[A-Za-z]\w*)?(?:Basic|BASIC|basic)[ ]+(?P<value>[A-Za-z0-9+/_-]{8,4096}={0,2})"
)
_SCHEME: Final = re.compile(
    r"(?i:authorization|auth|token|key|secret)[\w-]{0,24}\\{0,3}[\"'`]?[ ]{0,4}(?:[:=,]|"
    r"=>)[ ]{0,4}\\{0,3}[\"'`]?f?"
    r"(?:Bearer|Token|ApiKey|Api-Key|Key|GenieKey|SSWS|Splunk|DeepL-Auth-Key|"
    r"Klaviyo-API-Key|Bot|Discogs[ ]token=|OAuth|Digest|token|bearer|"
    r"apikey|BEARER|JWT|MAC|[A-Z][\w-]{2,30})?"
    r"[ ]{1,3}(?P<value>[A-Za-z0-9._~+/|:=-]{8,8192})"
)
_BEARER: Final = re.compile(
    r"(?:[Bb]earer|BEARER|SSWS|GenieKey)[ ]+(?P<value>[A-Za-z0-9._~+/|=-]{16,8192})"
)
_COOKIE: Final = re.compile(
    r"(?i:(?:set-)?cookie2?)\\{0,3}[\"']?[ ]{0,4}[:=][ ]{0,4}\\{0,3}[\"']?(?P<pairs>"
    r"[^\r\n\"'\\]{1,8192})"
)
_PAIR: Final = re.compile(r"(?:\A|;\s*)(?P<name>[^\s=;]{1,128})=(?P<value>[^;\s]{8,4096})")
_SESSION: Final = re.compile(
    r"(?i)sess|sid\b|sid$|auth|token|jwt|login|remember|csrf|xsrf|secret|"
    r"ticket|identity|sso|aspx|laravel|connect|key|id$|_t$"
)


def find_userinfo(text: str, at: int) -> Iterator[Found]:
    """The password in a URL, or the token that stands where a user would."""
    match = _USERINFO.match(text, at)
    if match:
        user, value = match["user"].lower(), match["value"]
        low = value.lower()
        made = (
            low not in _SAME
            and (low != user or len(value) >= 12)
            and not value.isdigit() | (len(value) < 3)
        )
        if value.isdigit() and len(value) >= 6:
            made = True
        if made and "://" not in value and not _stand_in_or_variable(value):
            yield Found(match.start("value"), match.end("value"), PASSWORD)
        return
    match = _TOKEN_USER.match(text, at)
    if match and is_random(match["value"]):
        yield Found(match.start("value"), match.end("value"), API_KEY)


def _stand_in_or_variable(value: str) -> bool:
    return (
        is_stand_in(value)
        or is_placeholder(value)
        or "(" in value
        or value.startswith(("%(", "{", "$", "["))
    )


def find_basic(text: str, at: int) -> Iterator[Found]:
    """Basic credentials (RFC 7617): base64 of `user:password`."""
    match = _LOGIN.match(text, at)
    if match is None:
        return
    value = match["value"]
    try:
        login = base64.b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4))
    except (binascii.Error, ValueError):
        return
    if (
        b":" in login
        and login.isascii()
        and not is_placeholder(login.partition(b":")[2].decode() or "xxxx")
    ):
        yield Found(match.start("value"), match.end("value"), PASSWORD)


def find_scheme(text: str, at: int) -> Iterator[Found]:
    """What follows a scheme in an Authorization header (RFC 9110 section 11.4)."""
    match = _SCHEME.match(text, at)
    if (
        match
        and is_token(match["value"], quoted=True)
        and (is_random(match["value"], 8) or len(match["value"]) >= 20)
    ):
        yield Found(match.start("value"), match.end("value"), API_KEY)


def find_bearer(text: str, at: int) -> Iterator[Found]:
    """A bearer token anywhere (RFC 6750 section 2.1)."""
    match = _BEARER.match(text, at)
    if match and is_random(match["value"]):
        value = match["value"].rstrip(".")
        yield Found(match.start("value"), match.start("value") + len(value), API_KEY)


def find_cookies(text: str, at: int) -> Iterator[Found]:
    """Session values in Cookie and Set-Cookie headers (RFC 6265 sections 4.1 and 4.2)."""
    match = _COOKIE.match(text, at)
    if match is None:
        return
    base = match.start("pairs")
    for pair in _PAIR.finditer(match["pairs"]):
        value = pair["value"]
        if _SESSION.search(pair["name"]) and (
            is_random(value, 16) or (is_token(value, quoted=True) and len(value) >= 20)
        ):
            yield Found(base + pair.start("value"), base + pair.end("value"), SECRET)


SHAPES: Final = (
    Shape(name="url-password", trigger=r"://[^\s/@]{0,400}@", find=find_userinfo),
    Shape(name="basic-login", trigger=r"(?:Basic|BASIC|basic) +[A-Za-z0-9+/]{8}", find=find_basic),
    Shape(
        name="authorization",
        trigger=r"(?i)(?:authorization|auth|token|key|secret)[\w-]{0,24}[\\\"'`]{0,4} "
        r"{0,4}(?:[:=,]|=>) {0,4}[\\\"'`]{0,4}f?[A-Za-z][\w-]{1,30} ",
        find=find_scheme,
    ),
    Shape(name="bearer", trigger=r"(?:[Bb]earer|BEARER|SSWS|GenieKey) ", find=find_bearer),
    Shape(name="cookie", trigger=r"(?i)cookie2?[\\\"']{0,4} {0,4}[:=]", find=find_cookies),
    Shape(
        name="signed-url",
        trigger=r"(?i)[?&;](?:amp;)?(?:sig|x-amz-signature|x-amz-security-token|"
        r"x-goog-signature|signature|x-amz-credential|awsaccesskeyid|"
        r"policy|token|st|hmac|code|access_token|id_token|refresh_token|"
        r"api_key|apikey|key|auth|secret|sid|session|client_secret|ticket)=",
        find=by_regex(
            r"[?&;](?:amp;)?(?i:(?P<hard>sig|x-amz-signature|x-amz-security-token|"
            r"x-goog-signature)|[\w-]{1,20})=(?P<value>[A-Za-z0-9%_.~+/-]{16,4096}={0,2})",
            API_KEY,
            lambda value: (
                is_random(value, 20) or (is_random(value.replace("%", "x"), 24) and "%" in value)
            ),
        ),
    ),
    Shape(
        name="path-token",
        trigger=r"/t/[A-Za-z0-9-]{12}",
        find=by_regex(
            r"/t/(?P<value>[A-Za-z0-9-]{16,128})/", API_KEY, lambda value: is_random(value, 20)
        ),
    ),
    # Whoever knows the address may post.
    Shape(
        name="webhook",
        trigger=r"https://(?:hooks\.slack\.com|hooks\.slack-gov\.com|discord(?:app)?\.com/api|"
        r"[\w.-]{1,80}\.webhook\.office\.com|outlook\.office\.com/webhook|"
        r"hooks\.zapier\.com|chat\.googleapis\.com|oapi\.dingtalk\.com|"
        r"qyapi\.weixin\.qq\.com|open\.(?:feishu\.cn|larksuite\.com)|"
        r"hook\.\w{2,4}\d?\.make\.com|maker\.ifttt\.com|events\.pagerduty\.com/integration"
        r"|[\w.-]{1,80}\.logic\.azure\.com|api\.telegram\.org/bot)",
        find=by_regex(
            r"(?P<value>https://[\w.-]{1,120}(?:/[\w.@%:~-]{1,200}){2,12}/?(?:\?"
            r"[^\s\"'<>`\\)]{1,1024})?)",
            SECRET,
            lambda value: (
                "hooks.zapier" in value
                or any(is_random(part, 16) for part in re.split("[/?&=@:]", value)[3:])
            ),
        ),
    ),
)
