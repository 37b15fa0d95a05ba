"""Texts with made-up secrets, and texts that only look like it, to measure detection by.

The forms stand in secrets/positive.txt and secrets/lookalike.txt: a line `=== kind`, then the text
up to the next such line. In it, `⟨a36⟩` makes 36 random letters and digits, `⟨b64:…⟩` encodes what
stands inside it, and `⟦…⟧` is the secret: exactly what must be covered. `GENERATORS` and `WRAPPERS`
list all of them. The same seed gives the same corpus; no ready-made secret stands in the files.

    python scripts/bench/secrets_corpus.py [--seed N] [--variants N] > corpus.jsonl
"""

import argparse
import base64
import json
import random
import re
import string
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

SEED = 20_260_302
VARIANTS = 1
_FORMS = Path(__file__).parent / "secrets"

_LOWER = string.ascii_lowercase
_ALNUM = string.ascii_letters + string.digits
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BASE62 = string.digits + string.ascii_uppercase + _LOWER
_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SYMBOLS = "!#$%&*+-=?@^_~(){}[];:,|"
_WORDS = (
    *("Winter", "Falke", "Tractor", "Biscuit", "Orange", "Lantern", "Pepper", "Harbour"),
    *("Kestrel", "Violin", "Marble", "Thunder", "Saffron", "Glacier", "Walnut", "Comet"),
)
_MNEMONIC = (
    *("abandon", "ladder", "ocean", "puzzle", "velvet", "wisdom", "zebra", "umbrella", "tunnel"),
    *("salmon", "ripple", "quantum", "orbit", "nephew", "marine", "library", "kitten", "jungle"),
)
_RFC2045 = 76  # characters of a line of MIME's base64; PEM (RFC 7468 section 2) has 64
_PEM = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One text.

    Attributes:
        name: Unique in a corpus.
        kind: What sort of text it is.
        text: What is looked at.
        secret: What must be found, as it stands in the text; None where nothing may be.
    """

    name: str
    kind: str
    text: str
    secret: str | None


def generate(seed: int = SEED, variants: int = VARIANTS) -> list[Case]:
    """The corpus: every form, `variants` times with other values."""
    return [
        case
        for name in ("positive.txt", "lookalike.txt")
        for case in _cases(_FORMS / name, seed, variants)
    ]


def _cases(path: Path, seed: int, variants: int) -> Iterator[Case]:
    forms = re.split(r"(?m)^=== ", path.read_text(encoding="utf-8"))[1:]
    for number, form in enumerate(forms):
        kind, _, template = form.partition("\n")
        for variant in range(variants):
            # Of its own seed, so that a form that is added changes no other.
            rng = random.Random(f"{seed} {template} {variant}")  # noqa: S311 - a seeded corpus
            text = _expand(template.removesuffix("\n"), rng)
            before, opened, rest = text.partition("⟦")
            secret, _, after = rest.partition("⟧")
            yield Case(
                name=f"{kind}-{number}-{variant}",
                kind=kind,
                text=before + secret + after,
                secret=secret if opened else None,
            )


def _expand(template: str, rng: random.Random) -> str:
    """Replace `⟨…⟩`, the innermost first, until none is left."""
    while True:
        text = re.sub(r"⟨([^⟨⟩]*)⟩", lambda found: _made(found[1], rng), template)
        if text == template:
            return text
        template = text


def _made(what: str, rng: random.Random) -> str:
    name, colon, inner = what.partition(":")
    if colon and name in WRAPPERS:
        return WRAPPERS[name](inner, rng)
    if what in WHOLE:
        return WHOLE[what](rng)
    found = re.fullmatch(r"([A-Za-z]+|32|58)(?::?)(\d+)", what)
    if found is None:
        raise ValueError(f"unknown form: {what!r}")
    return GENERATORS[found[1]](int(found[2]), rng)


def _of(alphabet: str) -> Callable[[int, random.Random], str]:
    return lambda count, rng: "".join(rng.choices(alphabet, k=count))


def _standard(count: int, rng: random.Random) -> str:
    """`b:32` is the base64 of 32 bytes; `b120`, inside a longer value, is cut to 120 characters."""
    return base64.b64encode(rng.randbytes(count)).decode()


def _password(symbols: str) -> Callable[[int, random.Random], str]:
    """At least one of every class, beginning and ending with a letter or a digit."""

    def make(count: int, rng: random.Random) -> str:
        middle = [rng.choice(c) for c in (_LOWER, string.ascii_uppercase, string.digits)]
        middle += [rng.choice(symbols)] if symbols else []
        middle += rng.choices(_ALNUM + symbols, k=count - 2 - len(middle))
        rng.shuffle(middle)
        return f"{rng.choice(_ALNUM)}{''.join(middle)}{rng.choice(_ALNUM)}"

    return make


def _human(rng: random.Random) -> str:
    one, two = rng.sample(_WORDS, 2)
    join = rng.choice("-_.!+")
    return f"{one}{join}{two.lower()}{rng.randrange(10, 9999)}{rng.choice('!?+')}"


def _jwt(rng: random.Random) -> str:
    # RFC 7519 section 3.1
    claims = {"iss": "supabase", "role": "service_role", "sub": str(rng.randrange(10**9))}
    parts = ({"alg": "HS256", "typ": "JWT"}, {**claims, "iat": 1_740_000_000 + rng.randrange(9**7)})
    texts = [json.dumps(part, separators=(",", ":")).encode() for part in parts]
    encoded = [base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in texts]
    return ".".join([*encoded, GENERATORS["u"](43, rng)])


def _checked(prefix: str, rng: random.Random) -> str:
    """30 characters and six of CRC-32 in base 62: GitHub's and npm's tokens since 2021."""
    value = GENERATORS["a"](30, rng)
    check, digits = zlib.crc32(value.encode()), ""
    for _ in range(6):
        check, digit = divmod(check, 62)
        digits = _BASE62[digit] + digits
    return prefix + value + digits


def _pem(what: str, rng: random.Random) -> str:
    """`LABEL:BEGINNING:LINES`; a beginning's `|` ends a line and `#` stands for a colon."""
    label, beginning, lines = what.rsplit(":", 2)
    *headers, first = beginning.replace("#", ": ").split("|")
    body = (first + _of(_ALNUM + "+/")(_PEM * int(lines), rng))[: _PEM * int(lines) - 10] + "=="
    rows = [body[at : at + _PEM] for at in range(0, len(body), _PEM)]
    return "\n".join([f"-----BEGIN {label}-----", *headers, *rows, f"-----END {label}-----"])


def _concatenated(inner: str, _: random.Random) -> str:
    return '\\n" +\n    "'.join(inner.splitlines())


GENERATORS: dict[str, Callable[[int, random.Random], str]] = {
    "a": _of(_ALNUM),
    "z": _of(_LOWER),
    "l": _of(_LOWER + string.digits),
    "U": _of(string.ascii_uppercase + string.digits),
    "h": _of("0123456789abcdef"),
    "H": _of("0123456789ABCDEF"),
    "d": _of(string.digits),
    "u": _of(_ALNUM + "-_"),
    "32": _of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    "58": _of(_BASE58),
    "bech": _of(_BECH32.upper()),
    "bechl": _of(_BECH32),
    "ulid": _of(_ULID),
    "cons": _of("bcdfghjklmnpqrstvwxz"),
    "b": _standard,
    "pa": _password(""),
    "pw": _password("-_.!+"),
    "px": _password(_SYMBOLS),
    "hexesc": lambda count, rng: "".join(f"\\x{byte:02x}" for byte in rng.randbytes(count)),
    "hexlines": lambda count, rng: "\n".join(rng.randbytes(16).hex() for _ in range(count)),
    "ascii": _password(_SYMBOLS + " <>./`"),
    "words": lambda count, rng: " ".join(word.lower() for word in rng.sample(_WORDS, count)),
}
"""By letters and a number: `a36`, `b:32`."""

WHOLE: dict[str, Callable[[random.Random], str]] = {
    "uuid": lambda rng: str(UUID(int=rng.getrandbits(128), version=4)),
    "human": _human,
    "jwt": _jwt,
    "mnemonic": lambda rng: " ".join(rng.sample(_MNEMONIC, 12)),
}
"""By name alone."""

WRAPPERS: dict[str, Callable[[str, random.Random], str]] = {
    "b64": lambda inner, _: base64.b64encode(inner.encode()).decode(),
    "esc": lambda inner, _: json.dumps(inner)[1:-1],
    "ue": lambda inner, _: "".join(f"\\u{ord(each):04x}" for each in inner),
    "pct": lambda inner, _: quote(inner, safe=""),
    "pctall": lambda inner, _: "".join(f"%{byte:02X}" for byte in inner.encode()),
    "hexof": lambda inner, _: inner.encode().hex(),
    "flat": lambda inner, _: inner.replace("\n", "\\n"),
    "crlf": lambda inner, _: inner.replace("\n", "\r\n"),
    "cut": lambda inner, _: inner[: len(inner) // 2],
    "mail": lambda inner, _: inner.replace("\n", "\n> "),
    "indent": lambda inner, _: inner.partition(":")[2].replace(
        "\n", "\n" + " " * int(inner.partition(":")[0])
    ),
    "concat": _concatenated,
    "zw": lambda inner, _: "\u200b".join((inner[:5], inner[5:9], inner[9:])),
    "fw": lambda inner, _: "".join(chr(ord(each) + 0xFEE0) for each in inner),
    "crc": _checked,
    "pem": _pem,
}
"""Around what stands after the colon: `b64:jane:…`."""


def main(arguments: list[str]) -> None:
    """One JSON object a line: name, kind, text, secret."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--variants", type=int, default=VARIANTS, help="of every form")
    given = parser.parse_args(arguments)
    for case in generate(given.seed, given.variants):
        print(json.dumps(asdict(case), ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1:])
