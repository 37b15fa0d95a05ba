"""Answers as they come: what a token costs, how much is held back, and whether anything leaks."""

import base64
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import detection
import secrets_corpus
from figures import Figure, median, percentile
from lab import Lab

_DELTA = 4  # characters of a token
_TOKENS = 5_000
_KINDS = (
    # The kinds whose secrets are planted, by their names in secrets/positive.txt.
    *("aws-key-id", "aws-credentials-file", "gcp-api-key", "github-classic", "gitlab-pat"),
    *("slack-bot", "stripe-secret", "sendgrid", "openai-project", "anthropic", "npm-token"),
    *("pem-ec-indented", "pem-openssh", "pem-truncated", "putty-ppk", "netrc", "mysql-cnf"),
    *("docker-compose", "mongodb-url", "curl-user", "bearer-jwt", "basic-header", "tfvars"),
    *("code-js", "prose-english", "csv-users", "appsettings"),
)
_PERSONAL = (
    ("e-mail", "jane.roe@falcon.io"),
    ("card", "4556 7375 8689 9855"),
    ("account", "DE89 3704 0044 0532 0130 00"),
    ("telephone", "+49 30 901820 17"),
    ("social security", "536-22-8741"),
    ("network card", "3c:22:fb:8a:91:0e"),
    ("address", "81.169.145.77"),
)


_LONG = 500


def _url_safe(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


_ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": _url_safe,
    "hex": lambda text: text.encode().hex(),
    "percent": lambda text: quote(text, safe=""),
    "escapes": lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
}


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """One content block at a time, without a gateway."""
    del lab
    yield from _speed(max(200, int(_TOKENS * scale)), max(1, rounds // 3))
    yield _leaks(max(1, int(1 / scale)))


def _speed(tokens: int, rounds: int) -> Iterator[Figure]:
    """Ordinary text: source and prose as a model writes it."""
    text = "".join(detection.code(tokens * _DELTA // 2, 1) + _prose(tokens * _DELTA // 2))
    _streamed(text[:2000], _DELTA)
    costs: list[float] = []
    held: list[int] = []
    for _ in range(rounds):
        stream = detection.stream()
        for at in range(0, len(text), _DELTA):
            start = time.perf_counter()
            stream.feed(text[at : at + _DELTA])
            costs.append((time.perf_counter() - start) * 1e6)
            held.append(stream.held)
        stream.finish()
    yield Figure(
        what="stream, a token of four characters",
        value=sum(costs) / len(costs),
        unit="µs",
        goal=50,
        note=f"mean; p50 {median(costs):.0f}, p99 {percentile(costs, 99):.0f}; {len(costs)} tokens",
    )
    yield Figure(
        what="stream, characters held back, p95",
        value=percentile(held, 95),
        unit="",
        goal=24,
        note=f"mean {sum(held) / len(held):.1f}, at most {max(held)}",
    )


def _leaks(step: int) -> Figure:
    """Every planted value, in every encoding, cut in two at every place and into single characters.

    A value leaks where it, or what it is encoded as, comes out: whole, or more than half of it.
    """
    leaks: list[dict[str, Any]] = []
    runs = 0
    for name, text, value in _planted():
        runs_here, found = _cuts(name, text, value, step)
        runs += runs_here
        leaks += found
    return Figure(
        what="leaks among planted values, cut everywhere",
        value=len(leaks),
        unit="",
        goal=0,
        note=f"{runs:,} streams; " + "; ".join(sorted({_named(leak) for leak in leaks})[:4]),
        details={"runs": runs, "leaks": leaks[:200]},
    )


def _cuts(name: str, text: str, value: str, step: int) -> tuple[int, list[dict[str, Any]]]:
    if _shows(_streamed(text, len(text)), value):
        return 1, [{"name": name, "cut": "nowhere"}]
    leaks: list[dict[str, Any]] = []
    # Every place in the plain; encoded, every third, another third for each.
    plain = name.endswith(" plain") and len(text) < _LONG
    places = range(1 + len(name) % 3, len(text), step * (1 if plain else 3))
    for place in places:
        stream = detection.stream()
        shown = stream.feed(text[:place]) + stream.feed(text[place:]) + stream.finish()
        if _shows(shown, value):
            leaks.append({"name": name, "cut": place})
    if _shows(_streamed(text, 1), value):
        leaks.append({"name": name, "cut": "characters"})
    return len(places) + 2, leaks


def _named(leak: dict[str, Any]) -> str:
    return f"{leak['name']} (not found uncut)" if leak["cut"] == "nowhere" else leak["name"]


def _shows(shown: str, value: str) -> bool:
    half = len(value) // 2 + 1
    return any(value[at : at + half] in shown for at in range(len(value) - half + 1))


def _planted() -> Iterator[tuple[str, str, str]]:
    """Name, text, and the value as it stands in it."""
    cases = [case for case in secrets_corpus.generate() if case.kind in _KINDS]
    for case in cases:
        if case.secret is None:
            raise ValueError(f"{case.kind} has no secret")
        yield f"{case.kind} plain", f"{_BEFORE}{case.text}{_AFTER}", case.secret
        # Encoded is what a program would have put into a file or a field: the whole text.
        for name, encode in _ENCODINGS.items():
            if name != "plain" and len(case.text) < 400:
                encoded = encode(case.text)
                yield f"{case.kind} {name}", f"{_BEFORE}{encoded}{_AFTER}", encode(case.secret)
    for kind, value in _PERSONAL:
        for name, encode in _ENCODINGS.items():
            encoded = encode(value)
            yield f"{kind} {name}", f"{_BEFORE}{encoded}{_AFTER}", encoded


_BEFORE = "Here is what I found in the file:\n\n"
_AFTER = "\n\nThat is all there was in it."


def _streamed(text: str, size: int) -> str:
    stream = detection.stream()
    shown = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join([*shown, stream.finish()])


def _prose(size: int) -> list[str]:
    words = detection.PROSE
    return [(words + " ") * (size // (len(words) + 1) + 1)]
