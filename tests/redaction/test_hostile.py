"""Texts made to cost time, to hide what follows them, or to break what looks at them.

Each has a secret at its end. Whatever comes before: either the secret is covered or the look fails
loudly, and it costs what the budget allows. The budget's clock counts this process's CPU, so that a
busy machine changes nothing.
"""

import base64
import contextlib
import functools
import gzip
import itertools
import json
import random
import time
import zlib
from collections.abc import Callable, Sequence

import pytest

from proctor.errors import ClientError
from proctor.redaction.analyzer import build_analyzer
from proctor.redaction.detector import TextDetector
from proctor.redaction.model import Budget, Change, Leaf, RedactionError, Spot
from proctor.redaction.recognizers.secrets import secret_recognizers
from proctor.redaction.stream import TextStream
from proctor.redaction.structure.body import read_body

SIZE = 32 * 1024
SECONDS = 2.0  # a gateway's default
OVER = 2.0  # seconds that a piece may take between two looks at the clock
_rng = random.Random(8)  # noqa: S311 - test data


def letters(size: int, alphabet: str) -> str:
    return "".join(_rng.choices(alphabet, k=size))


BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
BEGIN = "-----" + "BEGIN RSA PRIVATE KEY" + "-----"
END = BEGIN.replace("BEGIN", "END")
SECRET = "glpat-" + letters(20, BASE64[:62])
AFTER = f"\n\nGITLAB_TOKEN={SECRET}\n"

REPEATED = {
    "begin": "-----BEGIN",
    "begin-lines": BEGIN + "\n",
    "begin-end": f"{BEGIN}\n{END}\n",
    "end-lines": END + "\n",
    "begin-names": "-----BEGIN " + "A" * 50 + " ",
    "putty": "PuTTY-User-Key-File-3: ssh-rsa\n",
    "private-lines": "Private-Lines: 9\n",
    "digits": "4",
    "digit-groups": "4111 1111 ",
    "dashed-digits": "123-45-",
    "phones": "+1 (212) 555-",
    "pluses": "+",
    "dotted": "1.2.",
    "colons": "a:",
    "pairs": "00:",
    "iban-letters": "DE89 ",
    "at": "@",
    "at-names": "a@",
    "at-hosts": "a@b.",
    "dots": "a.",
    "password-equals": "password=",
    "password-quote": 'password: "',
    "password-prose": "the password is ",
    "password-word": "password ",
    "secret-names": "secret_token_key_",
    "flags": "-p ",
    "long-flags": "--password ",
    "urls": "https://a:",
    "url-users": "a://b:c",
    "bearer": "Authorization: Bearer ",
    "jwt-heads": "eyJ",
    "jwt-dots": "eyJhbGciOi.",
    "crypt": "$2b$12$",
    "base64": "QUJD",
    "base64-padded": "QUI=",
    "base64-lines": "QUJDREVG" * 8 + "\n",
    "gzip-heads": "H4sIAAAA",
    "hex": "deadbeef",
    "hex-bytes": "0x41, ",
    "percent": "%25",
    "percent-bare": "%",
    "percent-percent": "%2525",
    "backslashes": "\\",
    "escapes": "\\u0041",
    "halves": "\\ud83d",
    "entities": "&amp;",
    "entity-numbers": "&#x41;",
    "ampersands": "&",
    "zero-width": "a\u200b",
    "joiners": "\u200d",
    "full-width": "\uff11",
    "combining": "e\u0301",
    "direction": "\u202e",
    "lone-halves": "\ud800",
    "escaped-bytes": "\udcff",
    "nul": "\0",
    "nul-words": "a\0",
    "double-quotes": '"',
    "single-quotes": "'",
    "back-quotes": "`",
    "brackets": "[",
    "braces": '{"a":',
    "tags": "<a ",
    "comments": "<!--",
    "separators": "\x1e",
    "breaks": "\n",
    "returns": "\r",
    "spaces": " ",
    "tabs": "\t",
    "one-word": "a",
    "capitals": "A",
    "dashes": "-",
    "underscores": "_",
    "equals": "=",
    "allowed": "gitleaks:allow betterleaks:allow ",
    "placeholders": "<PASSWORD>",
    "almost-placeholders": "<A_",
    "surrogate-like": "EMAIL_ADDRESS_",
    "prefixes": "ghp_",
    "keys": "sk-ant-",
    "aws": "AKIA",
}
RANDOM = {
    "random-base64": letters(SIZE, BASE64),
    "random-digits": letters(SIZE, "0123456789"),
    "random-hex": letters(SIZE, "0123456789abcdef"),
    "random-signs": letters(SIZE, "\"'\\{}[]<>=:;,%&@$#`|/-_.\0\n "),
    "random-controls": letters(SIZE, "".join(map(chr, range(32)))),
    "random-planes": letters(SIZE, "".join(map(chr, range(0x10000, 0x10FFFF, 4099)))),
}
HOSTILE = {name: text * (SIZE // len(text)) for name, text in REPEATED.items()} | RANDOM


def _quoted(text: str, _: int) -> str:
    return json.dumps({"a": text})


@functools.cache
def detector() -> TextDetector:
    return TextDetector(build_analyzer(extra=secret_recognizers(None)))


def budget(seconds: float = SECONDS, hits: int = 10_000) -> Budget:
    return Budget(seconds, hits, time.process_time)


def looked(text: str, allowance: Budget) -> tuple[Spot, ...] | RedactionError:
    """What is found, or the error."""
    try:
        return detector().scan(text, allowance)
    except RedactionError as error:
        return error


def covers(spots: tuple[Spot, ...], start: int, end: int) -> bool:
    covered = {at for spot in spots for at in range(max(start, spot.start), min(end, spot.end))}
    return len(covered) == end - start


@pytest.mark.parametrize("name", HOSTILE)
def test_what_follows_is_found_or_the_look_fails_in_time(name: str) -> None:
    text = HOSTILE[name] + AFTER
    detector()
    begun = time.process_time()

    found = looked(text, budget())

    assert time.process_time() - begun < SECONDS + OVER
    if isinstance(found, RedactionError):
        assert found.code in {"redaction-budget", "redaction-hits", "redaction-size"}
        assert SECRET not in str(found)
        return
    start = text.index(SECRET)
    assert covers(found, start, start + len(SECRET))
    assert all(one.end <= two.start for one, two in itertools.pairwise(found))


@pytest.mark.parametrize("name", HOSTILE)
def test_in_front_of_the_secret_it_hides_nothing(name: str) -> None:
    """The same, right before the secret on its line, and short."""
    text = HOSTILE[name][:40] + AFTER.strip("\n") + " " + HOSTILE[name][:40]
    start = text.index(SECRET)

    spots = detector().scan(text, budget())

    assert covers(spots, start, start + len(SECRET))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_stream_of_it_ends_and_keeps_the_secret(name: str) -> None:
    text = HOSTILE[name][:6_000] + AFTER
    looks = _Counting()
    stream = TextStream(looks, lambda spot: f"<{spot.type}>", budget_for=budget)
    shown = ""
    with contextlib.suppress(RedactionError):  # what was shown until then counts
        for at in range(0, len(text), 32):
            shown += stream.feed(text[at : at + 32])
        shown += stream.finish()

    assert SECRET not in shown
    assert looks.characters < 200 * len(text)


class _Counting:
    """The detector, and how much it was given."""

    def __init__(self) -> None:
        self.characters = 0
        self.version = detector().version
        self.detectors = detector().detectors

    def scan(self, text: str, budget: Budget) -> tuple[Spot, ...]:
        self.characters += len(text)
        return detector().scan(text, budget)

    def examine(self, leaves: Sequence[Leaf], budget: Budget) -> dict[int, tuple[Spot, ...]]:
        raise NotImplementedError


def test_more_hits_than_allowed_are_an_error() -> None:
    text = "\n".join(f"user{number}@falcon.io" for number in range(2_000))

    with pytest.raises(RedactionError) as caught:
        detector().scan(text, budget(hits=500))

    assert caught.value.code == "redaction-hits"
    assert "falcon" not in str(caught.value)


def test_no_time_left_is_an_error_even_for_a_short_text() -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0
        return now

    with pytest.raises(RedactionError) as caught:
        detector().scan(AFTER, Budget(0.5, 100, clock))

    assert caught.value.code == "redaction-budget"


def test_many_secrets_found_everywhere_cost_bounded_time() -> None:
    """Each value is looked for in the whole text: many values in a long text."""
    lines = [f'password = "{letters(14, BASE64[:62])}-{number}"' for number in range(1_000)]
    begun = time.process_time()

    found = looked("\n".join(lines) + AFTER, budget())

    assert time.process_time() - begun < SECONDS + OVER
    if isinstance(found, RedactionError):
        assert found.code in {"redaction-budget", "redaction-hits"}
    else:
        assert len(found) > len(lines)


def test_one_secret_three_thousand_times() -> None:
    begun = time.process_time()

    found = looked(AFTER * 3_000, budget(hits=30_000))

    assert time.process_time() - begun < SECONDS + OVER
    if isinstance(found, RedactionError):
        assert found.code in {"redaction-budget", "redaction-hits"}
    else:
        assert sum(spot.end - spot.start for spot in found) >= len(SECRET) * 3_000


def test_many_leaves_are_all_looked_at() -> None:
    leaves = [Leaf(f"word {number}", f"a[{number}]", "a") for number in range(20_000)]
    leaves[7_777] = Leaf(SECRET, "a[7777]", "token")
    begun = time.process_time()

    found = detector().examine(leaves, budget())

    assert covers(found[7_777], 0, len(SECRET))
    assert time.process_time() - begun < SECONDS + OVER


@pytest.mark.parametrize("separator", ["\n\x1e\n", "\x1e", '"', '": "', "\n", "\0", "\ud800"])
def test_a_leaf_cannot_hide_its_neighbour(separator: str) -> None:
    """Small leaves are looked at together; one of them holds what parts them."""
    leaves = [
        Leaf(f"{separator}<!--{separator}", "a[0]", "a"),
        Leaf(SECRET, "a[1]", "token"),
        Leaf(f"{separator}{SECRET}{separator}", "a[2]", separator),
    ]

    found = detector().examine(leaves, budget())

    assert covers(found[1], 0, len(SECRET))
    start = leaves[2].text.index(SECRET)
    assert covers(found[2], start, start + len(SECRET))


DEEP = 20_000
NAMED = '{"token": "%s"}' % SECRET  # noqa: UP031 - braces
BODIES = {
    "arrays": ("application/json", "[" * DEEP + f'"{SECRET}"' + "]" * DEEP),
    "objects": ("application/json", '{"a":' * DEEP + f'"{SECRET}"' + "}" * DEEP),
    "unclosed": ("application/json", "[" * DEEP + f'"{SECRET}'),
    "json-in-json": ("application/json", functools.reduce(_quoted, range(9), NAMED)),
    "same-name-twice": ("application/json", '{"a": 1, "a": "%s"}' % SECRET),  # noqa: UP031
    "not-a-number": ("application/json", f'{{"a": NaN, "b": "{SECRET}", }} // mine'),
    "two-values": ("application/json", f'{{}} "{SECRET}"'),
    "marked": ("application/json", "\ufeff" + NAMED),
    "long-number": ("application/json", f'[{"9" * SIZE}, "{SECRET}"]'),
    "long-name": ("application/json", f'{{"{"n" * SIZE}": "{SECRET}"}}'),
    "secret-name": ("application/json", f'{{"{SECRET}": 1}}'),
    "lines": ("application/x-ndjson", f"{{}}\n[[\n{NAMED}\n"),
    "laughs": (
        "application/xml",
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;&b;">]><a>'
        + "&c;" * 5_000
        + f"<token>{SECRET}</token></a>",
    ),
    "tags": ("text/xml", "<a>" * DEEP + SECRET),
    "attribute": ("text/html", f"<a href='x' data-token='{SECRET}' <b <c>"),
    "comment": ("text/html", f"<!-- {SECRET}"),
    "ampersands": ("application/x-www-form-urlencoded", "a&" * DEEP + f"token={SECRET}"),
    "no-form": ("application/x-www-form-urlencoded", "%" * DEEP + f"&=%zz&token={SECRET}"),
    "quotes": ("text/csv", '"' * DEEP + f"\n{SECRET},"),
    "columns": ("text/csv", "token" + "," * DEEP + f"\n{SECRET}" + "," * DEEP),
    "boundaries": (
        "multipart/form-data; boundary=b",
        "--b\r\n" * 2_000
        + f'content-disposition: form-data; name="token"\r\n\r\n{SECRET}\r\n--b--',
    ),
    "no-boundary": ("multipart/form-data; boundary=b", f"--c\r\n\r\n{SECRET}"),
    "boundary-prefix": (
        "multipart/form-data; boundary=b",
        f"--bb\r\n\r\n{SECRET}\r\n--b--\r\n{SECRET}",
    ),
    "lying-type": ("image/png", SECRET),
    "no-type": ("", SECRET),
    "odd-type": (";;==\0,", SECRET),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_made_to_hide_a_secret_does_not_let_it_out(name: str) -> None:
    kind, text = BODIES[name]
    begun = time.process_time()

    left = redacted(text.encode(), kind)

    assert time.process_time() - begun < SECONDS + OVER
    assert left is None or SECRET.encode() not in left


@pytest.mark.parametrize("body", [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\0", b"\xf8\x88\x80"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/csv", "text/xml", ""])
def test_bytes_that_are_no_text_hide_nothing(body: bytes, kind: str) -> None:
    for whole in (body + AFTER.encode(), b'{"a": "' + body + SECRET.encode() + b'"}'):
        left = redacted(whole, kind)

        assert left is None or SECRET.encode() not in left


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_a_bomb_inside_a_text_is_not_passed_unseen(compress: Callable[[bytes], bytes]) -> None:
    text = base64.b64encode(compress(b" " * 30_000_000 + AFTER.encode())).decode()
    begun = time.process_time()

    found = looked(f"data: {text}\n", budget())

    assert time.process_time() - begun < SECONDS + OVER
    if isinstance(found, RedactionError):
        assert found.code in {"redaction-budget", "redaction-decoder", "redaction-size"}
    else:
        assert covers(found, 6, 6 + len(text))


def redacted(body: bytes, kind: str) -> bytes | None:
    """The body with everything masked that was found, or None where it was refused."""
    try:
        document = read_body(body, kind)
        found = detector().examine(document.leaves, budget())
        return document.splice(
            {
                index: [Change(spot.start, spot.end, f"<{spot.type}>") for spot in spots]
                for index, spots in found.items()
            }
        )
    except (ClientError, RedactionError):
        return None


def test_redacted_text_has_nothing_left_to_find() -> None:
    text = HOSTILE["random-signs"][:2_000] + AFTER
    spots = detector().scan(text, budget())
    redacted, at = "", 0
    for spot in spots:
        redacted += f"{text[at : spot.start]}<{spot.type}>"
        at = spot.end
    redacted += text[at:]

    assert not detector().scan(redacted, budget())
