"""The last wall before a log line or an error message: what looks like a secret is taken out.

Nothing in proctor writes a secret on purpose; this is for what libraries and mistakes put there.
"""

import re

GONE = "[redacted]"

_NAMED = re.compile(
    r"""(?ix)
    (?<![\w-])(
        [\w-]{0,40}(?:authorization|cookie|api[-_]?key|token|secret|passw(?:or)?d|passphrase)
    )
    (?P<between>["']?\s{0,3}[:=]\s{0,3}(?:b?["'])? | ["']\s?,\s?b?["'])
    (?:(?:bearer|basic|digest|negotiate)\s{1,3}){0,3}
    [^\s"',;&}\])]{1,16384}
    """
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic)\s{1,3}[A-Za-z0-9._~+/=-]{8,16384}")
_SHAPES = re.compile(
    r"""(?x)
    (?<![\w-])(?:
        sk-[A-Za-z0-9_-]{8,512}                                          # Anthropic and others
        | eyJ[A-Za-z0-9_-]{8,16384}(?:\.[A-Za-z0-9_-]{0,16384}){0,4}     # JWT (RFC 7519)
        | gh[pousr]_[A-Za-z0-9]{20,255} | github_pat_[A-Za-z0-9_]{20,255}
        | (?:AKIA|ASIA)[A-Z0-9]{16}
        | xox[abeoprs]-[A-Za-z0-9-]{10,255}
    )
    """
)
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://)[^\s/@?#]{1,512}@")
_PEM = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:(?!-----END ).){0,16384}"
    r"(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?",
    re.DOTALL,
)


def scrub(text: str) -> str:
    """`text` without what looks like a credential: headers, tokens, keys, URL passwords."""
    text = _PEM.sub(GONE, text)
    text = _NAMED.sub(lambda match: f"{match[1]}{match['between']}{GONE}", text)
    text = _SCHEME.sub(lambda match: f"{match[1]} {GONE}", text)
    text = _SHAPES.sub(GONE, text)
    return _USERINFO.sub(lambda match: f"{match[1]}{GONE}@", text)
