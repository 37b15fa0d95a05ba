# ruff: noqa: PLR2004 - lengths describe a kind of value
"""Tokens that say themselves what they are: by a prefix, by their parts, by their alphabet."""

import re
import string
from collections.abc import Iterator
from typing import Final

from proctor.redaction.model import API_KEY, PRIVATE_KEY
from proctor.redaction.recognizers.plausible import is_placeholder, is_random
from proctor.redaction.recognizers.shapes import Found, Shape, by_regex

_EDGE: Final = frozenset(string.ascii_letters + string.digits + "_-.")
# Segments that say "this opens something"; ids (msg_, cus_) and public keys (pk_) do not.
_SEGMENTS: Final = (
    r"sk|rk|pat|pats|tok|token|tkn|key|apikey|secret|sec|scrt|live|prod|"
    r"test|sandbox|api|whsec|access|refresh|oauth|"
    r"bot|svc|priv|prv|auth|pw|pass|uat|sat|at|rt|sess|admin|root|v1|"
    r"v2|oat|svcacct|mgmt|deploy|ci|ak|"
    # prefixes of services, where they stand alone before the noise
    r"hf|gsk|npm|r8|gho|ghp|ghu|ghs|ghr|glc|glsa|sbp|nfp|figd|ntn|tvly|"
    r"rnd|pul|tfp|vcp|xai|pplx|nvapi|dckr|pypi|"
    r"glpat|glptt|gldt|glrt|glcbt|glft|glimt|gloas|hvs|hvb|hvr|xox[abeoprs]|"
    r"xapp|xkeysib|dop|doo|dor|dp|sntry[su]|phx|"
    r"ctp|bkua|CCIPAT|sq[aup]|rubygems|sq0[a-z]{3}|duffel|shippo|CFPAT|"
    r"PMAK|pscale|ops|cfut|napi|LTAI|rpa|sgp|tskey|"
    r"unkey|ubdc|csk|jina|e2b|ctx7sk|pcsk|voy|scw|ngrok|hcaik|hcxik|rdme|"
    r"svix|wandb|EZAK|EZTK|secret|ey|t1|y0|whsec"
)
_PREFIXED: Final = re.compile(
    rf"(?P<value>(?:[A-Za-z][A-Za-z0-9]{{0,15}}[_.-]){{0,3}}?(?:{_SEGMENTS})(?:[_.-][A-Za-z0-9]{{1,8}}){{0,3}}?[_.-]{{1,2}}"
    r"(?P<tail>[A-Za-z0-9][A-Za-z0-9_-]{15,512}={0,2}))"
)
_PUBLIC: Final = re.compile(
    r"(?i)(?:pk|pub|public|cs|pi|ca|cus|evt|msg|req|resp|chatcmpl|toolu|"
    r"call|run|thread|file|asst|batch|org|proj|"
    r"sub|price|in|ch|acct|txn|seti|src|ii|il|re|po|tr|card|ba|cn|dp|"
    r"si|page|next|cache|commit|build|sha|hash)[_.-]"
)

_AZURE_DEVOPS: Final = re.compile(
    r"(?<![A-Za-z0-9])(?P<value>[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4})(?![A-Za-z0-9])"
)


def find_prefixed(text: str, at: int) -> Iterator[Found]:
    """A prefix that names a kind of key, then noise."""
    start = at
    while start and text[start - 1] in _EDGE and at - start < 64:
        start -= 1
    at = start
    match = _PREFIXED.match(text, at)
    if match is None or _PUBLIC.match(match["value"]):
        return
    tail = match["tail"].rstrip("-_")
    if is_placeholder(match["value"]) or not is_random(tail):
        return
    if tail.count("_") >= 2 and tail.islower():
        return  # the name of a test
    if not (re.search(r"\d", tail) and re.search("[A-Za-z]", tail)):
        return
    yield Found(at, match.start("tail") + len(match["tail"]), API_KEY)


def find_azure_devops(text: str, at: int) -> Iterator[Found]:
    """84 letters and digits, of which the signature begins eight before the end."""
    match = _AZURE_DEVOPS.match(text, max(0, at + 1 - 76))
    if match:
        yield Found(*match.span("value"), API_KEY)


def _fixed(name: str, trigger: str, pattern: str, type_: str = API_KEY) -> Shape:
    """A token whose prefix is unmistakable: no letter before it, noise after."""
    return Shape(
        name=name,
        trigger=trigger,
        find=by_regex(
            rf"(?<![A-Za-z0-9_])(?P<value>{pattern})",
            type_,
            lambda value: not is_placeholder(value),
        ),
        score=0.9,
    )


SHAPES: Final = (
    Shape(
        name="prefixed-token",
        # Any separator before a run of twelve: what stands before it is looked at in Python, since
        # so many short prefixes cost the first pass eight times as much.
        trigger=r"[A-Za-z0-9][_.-][A-Za-z0-9]{12}",
        at_end=True,
        find=find_prefixed,
    ),
    _fixed(
        "aws-key-id",
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    ),
    _fixed("anthropic", r"sk-ant-", r"sk-ant-[a-z0-9]{1,16}-[A-Za-z0-9_-]{20,400}"),
    _fixed("openai", r"sk-[A-Za-z0-9]", r"sk-(?:[a-z]{2,12}-){0,3}[A-Za-z0-9_-]{20,400}"),
    _fixed(
        "jwt",
        r"eyJ[A-Za-z0-9_-]{8}",
        r"ey[A-Za-z0-9_-]{10,8192}\.ey[A-Za-z0-9_-]{6,16384}\.[A-Za-z0-9_-]{0,8192}(?:\."
        r"[A-Za-z0-9_-]{1,8192}){0,2}",
    ),
    _fixed(
        "jwe",
        r"eyJ[A-Za-z0-9_-]{8}",
        r"ey[A-Za-z0-9_-]{16,8192}\.[A-Za-z0-9_-]{0,8192}\.[A-Za-z0-9_-]{12,64}\."
        r"[A-Za-z0-9_-]{1,16384}\.[A-Za-z0-9_-]{16,64}",
    ),
    _fixed("telegram", r"\d{8,10}:A[A-Za-z0-9_-]{33}", r"\d{8,10}:A[A-Za-z0-9_-]{32,36}"),
    _fixed("google-key", r"AIza", r"AIza[A-Za-z0-9_-]{35}"),
    _fixed(
        "google-oauth", r"ya29\.|1//0|GOCSPX-", r"(?:ya29\.|1//0|GOCSPX-)[A-Za-z0-9._-]{20,2048}"
    ),
    _fixed(
        "azure-client-secret",
        r"[A-Za-z0-9_.~-]{3}\dQ~",
        r"[A-Za-z0-9_.~-]{3}\dQ~[A-Za-z0-9_.~-]{31,34}",
    ),
    Shape(
        name="wallet-key",
        trigger=r"\b(?:[5KL9c][1-9A-HJ-NP-Za-km-z]{50}|[xyzt]prv[1-9A-HJ-NP-Za-km-z]{100})",
        find=by_regex(
            r"(?<![A-Za-z0-9+/])(?P<value>[5KL9c][1-9A-HJ-NP-Za-km-z]{50,51}|"
            r"[xyzt]prv[1-9A-HJ-NP-Za-km-z]{100,112})(?![A-Za-z0-9+/=])",
            PRIVATE_KEY,
            is_random,
        ),
    ),
    _fixed("sendgrid", r"SG\.", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"),
    _fixed("facebook", r"EAA[A-Za-z0-9]{20}", r"EAA[A-Za-z0-9]{60,512}"),
    _fixed(
        "discord",
        r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.",
        r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}",
    ),
    _fixed("mailchimp", r"[0-9a-f]{32}-us\d", r"[0-9a-f]{32}-us\d{1,2}"),
    _fixed("twilio", r"\bSK[0-9a-f]{32}", r"SK[0-9a-f]{32}(?![0-9a-f])"),
    _fixed("resend", r"\bre_[A-Za-z0-9]{8}_", r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,32}"),
    _fixed("tor-client", r"descriptor:x25519:", r"descriptor:x25519:[A-Z2-7]{52}", PRIVATE_KEY),
    _fixed("nuget", r"\boy2[a-z0-9]{43}", r"oy2[a-z0-9]{43}(?![a-z0-9])"),
    _fixed("dropbox", r"\bsl\.", r"sl\.(?:u\.)?[A-Za-z0-9_-]{60,2048}"),
    _fixed("shopify", r"\bshp[a-z]{2}_", r"shp[a-z]{2}_[A-Fa-f0-9]{32}"),
    _fixed("databricks", r"\bdapi[0-9a-f]{32}", r"dapi[0-9a-f]{32}(?:-\d)?"),
    _fixed(
        "artifactory",
        r"\bAK[CT]p[A-Za-z0-9]{10}|cmVmdGtu",
        r"(?:AK[CT]p[A-Za-z0-9]{60,120}|cmVmdGtu[A-Za-z0-9]{50,120})",
    ),
    _fixed(
        "atlassian",
        r"\bAT[A-Z]{2}T?3x|ATBB|ATATT|ATCTT",
        r"AT(?:ATT|CTT|BB)[A-Za-z0-9_=+/-]{20,400}",
    ),
    _fixed("new-relic", r"\bNR(?:AK|II|IQ|JS|RA|AA)-", r"NR[A-Z]{2}-[A-Za-z0-9]{20,64}"),
    _fixed(
        "onepassword",
        r"\b(?:A3-|ops_)",
        r"(?:A3-[A-Z0-9]{6}-(?:[A-Z0-9]{5,11}-?){3,6}|ops_ey[A-Za-z0-9_=-]{40,4096})",
    ),
    _fixed("fly", r"\bFlyV1 ", r"FlyV1[ ](?:fm\w{1,4}_[A-Za-z0-9+/=_,-]{40,4096})"),
    _fixed("fly-first", r"\bfo1_", r"fo1_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
    _fixed(
        "alibaba-key-id",
        r"\bLTAI[A-Za-z0-9]{12}",
        r"LTAI(?=[A-Za-z]{0,20}\d)[A-Za-z0-9]{12,24}(?![A-Za-z0-9])",
    ),
    _fixed(
        "tencent-key-id",
        r"\bAKID[A-Za-z0-9]{32}",
        r"AKID(?=[A-Za-z]{0,30}\d)[A-Za-z0-9]{32}(?![A-Za-z0-9])",
    ),
    _fixed("bedrock", r"\bABSK[A-Za-z0-9+/]{40}", r"ABSK[A-Za-z0-9+/]{60,300}={0,2}"),
    Shape(
        name="azure-devops",
        trigger=r"[A-Za-z0-9]AZDO[A-Za-z0-9]{4}\b",
        find=find_azure_devops,
        score=0.9,
    ),
    _fixed(
        "clickhouse",
        r"\b4b1d[A-Za-z0-9]{38}",
        r"4b1d(?=[a-z0-9]{0,37}[A-Z])[A-Za-z0-9]{38}(?![A-Za-z0-9])",
    ),
    _fixed("google-bound-key", r"\bAQ\.Ab[A-Za-z0-9]", r"AQ\.Ab[A-Za-z0-9_-]{40,100}"),
    _fixed(
        "paypal",
        r"access_token\$(?:production|sandbox)\$",
        r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}",
    ),
    _fixed(
        "mailgun",
        r"\b[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}\b",
        r"[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}(?![0-9A-Za-z-])",
    ),
    _fixed("asana", r"\b2/\d{16}/\d{16}:", r"2/\d{16}/\d{16}:[0-9a-f]{32}(?![0-9a-f])"),
    _fixed(
        "launchdarkly",
        r"\bsdk-[0-9a-f]{8}-",
        r"sdk-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9A-Za-z-])",
    ),
    _fixed(
        "doppler",
        r"\bdp\.[a-z]{2,5}\.",
        r"dp\.[a-z]{2,5}\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}",
    ),
    _fixed(
        "fireworks",
        r"\bfw_[A-Za-z0-9]{22}",
        r"fw_(?=[A-Za-z]{0,23}\d)[A-Za-z0-9]{22,24}(?![A-Za-z0-9_])",
    ),
    _fixed(
        "cargo",
        r"\bcio[A-Za-z0-9]{32}\b",
        r"cio(?=[A-Za-z]{0,31}\d)(?=[a-z0-9]{0,31}[A-Z])[A-Za-z0-9]{32}(?![A-Za-z0-9])",
    ),
)
