r"""Private keys in blocks: PEM, OpenPGP, PuTTY; whole, also where their end is missing.

A block cut off before its END line (a log, a stream, a limit of a terminal) is as usable to whoever
knows the format, so it is taken as far as it goes. Lines may be broken by real line ends, by `\\n`
as JSON writes it, by spaces, or not at all.
"""

import re
from collections.abc import Iterator
from typing import Final

from proctor.redaction.model import PRIVATE_KEY
from proctor.redaction.recognizers.shapes import Found, Shape, by_regex

# RFC 7468 section 2; OpenPGP (RFC 9580 section 6.2) adds BLOCK, SSH2 (RFC 4716) four dashes.
_BEGIN: Final = re.compile(
    r"-{4,5} ?BEGIN (?:[A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?|OpenVPN Static key V1) ?-{4,5}"
)
_END: Final = re.compile(
    r"-{4,5} ?END (?:[A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?|OpenVPN Static key V1) ?-{4,5}"
)
_BREAK: Final = r"(?:\\{1,4}[nrt]|\\{1,4}\n|[ \t\r\n\"'+,|>#*\\])"
# Without an END only what cannot be prose: long runs of base64, and the line that is cut off.
_CUT: Final = re.compile(
    rf"(?:{_BREAK}{{0,40}}+"
    r"(?:(?:Proc-Type|DEK-Info|Version|Comment): ?[^\r\n\\]{0,200}|[A-Za-z0-9+/=]{20,}+))++"
    rf"(?:(?:\\{{1,4}}n|\r?\n)[ \t]{{0,24}}[A-Za-z0-9+/=]{{1,19}}(?![\w ]))?"
)
_MEMBER: Final = re.compile(
    r"\\{0,3}\"(?:d|k|p|q|dp|dq|qi|priv)\\{0,3}\"\s{0,8}:\s{0,8}\\{0,3}\"(?P<value>"
    r"[A-Za-z0-9_-]{16,2048})=*\\{0,3}\""
)
_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{20,65536}={0,2}")
# "PRIVATE" in base64, in its three alignments.
_PRIVATE: Final = ("UFJJVkFUR", "QUklWQVRF", "BSSVZBVE")
_LONGEST: Final = 64 * 1024
_LEAST: Final = 16


def find(text: str, at: int) -> Iterator[Found]:
    """The whole block that begins here; to the end of what can belong to it without an END."""
    begin = _BEGIN.match(text, at)
    if begin is None:
        return
    limit = min(len(text), begin.end() + _LONGEST)
    again = text.find("BEGIN ", begin.end(), limit)
    limit = again if again >= 0 else limit
    end = _END.search(text, begin.end(), limit)
    if end:
        if sum(map(str.isalnum, text[begin.end() : end.start()])) >= _LEAST:
            yield Found(at, end.end(), PRIVATE_KEY)
        return
    cut = _CUT.match(text, begin.end(), limit)
    if cut:
        yield Found(at, cut.end(), PRIVATE_KEY)


def find_jwk(text: str, at: int) -> Iterator[Found]:
    """Private members of the JWK whose `kty` is here."""
    start = max(text.rfind("{", max(0, at - 4096), at), 0)
    stop = text.find("}", at, at + 16_384)
    for match in _MEMBER.finditer(text, start, stop if stop >= 0 else at + 8192):
        yield Found(match.start("value"), match.end("value"), PRIVATE_KEY)


def find_base64_pem(text: str, at: int) -> Iterator[Found]:
    """A PEM block of a private key within base64, whole."""
    run = _RUN.match(text, at)
    if run and any(mark in run.group()[:80] for mark in _PRIVATE):
        yield Found(run.start(), run.end(), PRIVATE_KEY)


SHAPES: Final = (
    Shape(
        name="private-key-block",
        trigger=r"-----? ?BEGIN (?:[A-Z0-9 ]{0,40}PRIVATE KEY|OpenVPN Static)",
        find=find,
        score=0.95,
    ),
    Shape(
        name="putty-key",
        # The format's own documentation: PuTTY manual, appendix C.
        trigger=r"(?i)Private-Lines:",
        find=by_regex(
            r"Private-Lines:[ ]*\d{1,4}\s+(?P<value>(?:[A-Za-z0-9+/=]{1,80}(?:\s+|"
            r"\\[nr]|\Z)){1,400}+(?:Private-(?:MAC|Hash):[ ]*[0-9a-f]{40,64})?)",
            PRIVATE_KEY,
            flags=re.IGNORECASE,
        ),
        score=0.95,
    ),
    Shape(
        name="putty-key",
        trigger=r"(?i)Private-MAC:",
        find=by_regex(
            r"Private-MAC:[ ]*(?P<value>[0-9a-f]{40,64})", PRIVATE_KEY, flags=re.IGNORECASE
        ),
    ),
    Shape(
        name="age-key",
        trigger=r"AGE-SECRET-KEY-",
        find=by_regex(r"(?P<value>AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{40,4096})", PRIVATE_KEY),
        score=0.95,
    ),
    Shape(
        name="private-jwk",
        # RFC 7517 and RFC 7518 section 6: "d" is the private part, "k" a symmetric key.
        trigger=r"\\?\"kty\\?\"",
        find=find_jwk,
    ),
    Shape(
        name="base64-pem",
        # "-----BEGIN" in base64, as kubeconfig and Terraform state hold it.
        trigger=r"LS0tLS1CRUdJTi",
        find=find_base64_pem,
    ),
)
