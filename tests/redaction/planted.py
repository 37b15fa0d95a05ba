"""Values made from a seed, texts around them, and a small detector that finds them."""

import base64
import random
import re
import string
import urllib.parse
from collections.abc import Sequence

from proctor.redaction.model import API_KEY, PASSWORD, PRIVATE_KEY, SECRET, Budget, Leaf, Spot

_source = random.Random(7)  # noqa: S311 - test data


def made(size: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(_source.choice(letters) for _ in range(size))


TOKEN = "tok" + "en-" + made(36)
NAMED = "swd" + made(9)
PHRASE = " ".join(made(6, string.ascii_lowercase) for _ in range(4))
MAIL = "jane.roe@" + "corp-mail.io"
CARD = "4111 1111 " + "1111 1111"
IBAN = "GB82 WEST 1234 " + "5698 7654 32"
PHONE = "+1 (212) 555-0123 ext. 45"
ADDRESS = "2001:db8:85a3:8d3:1319:8a2e:370:7348"
BODY = "\n".join(made(64) for _ in range(6)) + "\n" + made(38) + "=="
MARK = "-" * 5
KEY = f"{MARK}BEGIN RSA PRIVATE KEY{MARK}\n{BODY}\n{MARK}END RSA PRIVATE KEY{MARK}"
PPK = (
    "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: jane\nPublic-Lines: 2\n"
    f"{made(64)}\n{made(20)}\nPrivate-Lines: 1\n{made(48)}\n"
    f"Private-MAC: {made(64, '0123456789abcdef')}"
)
WRAPPED = re.sub(
    "(.{48})", r"\1\n", base64.b64encode(f"it is {TOKEN} for {made(80)}".encode()).decode()
)

KINDS = {
    "token": f"export API={TOKEN} now",
    "base64": f"see {base64.b64encode(f'it is {TOKEN} so'.encode()).decode()} there",
    "percent": f"/get?q={urllib.parse.quote(MAIL, safe='').replace('.', '%2E')} there",
    "escapes": "see \\u006aane.roe\\u0040corp-mail.io there",
    "mail": f"Write to {MAIL}, please.",
    "card": f"paid with {CARD}, fine",
    "iban": f"account {IBAN} is hers",
    "phone": f"call {PHONE} or write",
    "address": f"from {ADDRESS} it came",
    "assigned": f'password = "{PHRASE}"\nnext',
    "member": f'{{"password": "{PHRASE}", "x": 1}} that was it',
    "env": f"DB_PASSWORD={NAMED}\nX=1",
    "prose": f"The password is {NAMED}, and so on.",
    "key": f"Here:\n{KEY}\nThat is all.",
    "escaped key": "{" + f'"key": "{KEY}"'.replace("\n", "\\n") + "} it is",
    "ppk": f"Here:\n{PPK}\nThat is all.",
    "wrapped": f"Here:\n{WRAPPED}\n\nThat is all.",
}
"""A text around each kind of value."""

VALUES = [
    TOKEN,
    NAMED,
    PHRASE,
    MAIL,
    CARD,
    IBAN,
    PHONE,
    ADDRESS,
    *BODY.split(),
    *PPK.split("\n")[-4:],
    *WRAPPED.split(),
]

_PATTERNS = [
    (
        PRIVATE_KEY,
        (
            rf"{MARK}BEGIN [A-Z ]*PRIVATE KEY{MARK}(?:\\n|\s)+[A-Za-z0-9+/=\s\\]{{20,}}?"
            rf"(?:{MARK}END [A-Z ]+{MARK}|\Z)"
        ),
    ),
    (PRIVATE_KEY, r"PuTTY-User-Key-File-\d: .*?Private-MAC: [0-9a-f]+"),
    (SECRET, r"(?:[A-Za-z0-9+/]{48}\n)+[A-Za-z0-9+/=]*"),
    (API_KEY, r"\btoken-[A-Za-z0-9]{36}\b"),
    (SECRET, r"\b[A-Za-z0-9+/]{40,}={0,2}(?![A-Za-z0-9+/])"),
    (PASSWORD, r"password\"?\s*[:=]\s*\"(?P<v>[^\"\n]+)\""),
    (PASSWORD, r"PASSWORD=(?P<v>\S+)"),
    (PASSWORD, r"password is (?P<v>\w+)"),
    (
        "EMAIL_ADDRESS",
        r"(?:[\w.]|%2E)+(?:@|%40)[\w-]+(?:\.|%2E)[a-z]+|\\u006aane.roe\\u0040corp-mail.io",
    ),
    ("CREDIT_CARD", r"\b\d{4} \d{4} \d{4} \d{4}\b"),
    ("IBAN_CODE", r"\b[A-Z]{2}\d{2}(?: [A-Z0-9]{1,4}){3,8}\b"),
    ("PHONE_NUMBER", r"\+\d[\d ()-]{8,}\d(?: ext\. \d+)?"),
    ("IP_ADDRESS", r"\b(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}\b"),
]
_compiled = [(kind, re.compile(pattern, re.DOTALL)) for kind, pattern in _PATTERNS]


class SmallDetector:
    """Finds the kinds above, and counts."""

    version = "small"
    detectors = ("test:small",)

    def __init__(self) -> None:
        self.scans = 0
        self.scanned = 0

    def scan(self, text: str, budget: Budget) -> tuple[Spot, ...]:
        budget.check()
        self.scans += 1
        self.scanned += len(text)
        spots: list[Spot] = []
        for kind, pattern in _compiled:
            for found in pattern.finditer(text):
                start, end = found.span("v" if "v" in pattern.groupindex else 0)
                if all(end <= spot.start or spot.end <= start for spot in spots):
                    spots.append(Spot(start, end, kind, "test:small", 0.9, text[start:end]))
        return tuple(sorted(spots, key=lambda spot: spot.start))

    def examine(self, leaves: Sequence[Leaf], budget: Budget) -> dict[int, tuple[Spot, ...]]:
        return {
            index: spots
            for index, leaf in enumerate(leaves)
            if (spots := self.scan(leaf.text, budget))
        }


def redacted(text: str) -> str:
    """The text redacted whole."""
    for spot in reversed(SmallDetector().scan(text, budget())):
        text = f"{text[: spot.start]}<{spot.type}>{text[spot.end :]}"
    return text


def budget() -> Budget:
    return Budget(10.0, 10_000, lambda: 0.0)
