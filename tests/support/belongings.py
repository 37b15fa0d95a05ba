"""A folder as developers have them, with what must not leave: made from a seed, so none is here."""

import random
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_ALNUM: Final = string.ascii_letters + string.digits
_HEX: Final = "0123456789abcdef"

ENV: Final = """\
# the shop
DATABASE_URL=postgresql://shop:{database}@db.shop.test:5432/shop
GITHUB_TOKEN={github}
AWS_ACCESS_KEY_ID={aws_id}
AWS_SECRET_ACCESS_KEY={aws}
STRIPE_SECRET_KEY={stripe}
SMTP_PASSWORD="{smtp}"
SESSION_SECRET={session}
LOG_LEVEL=info
"""
NAMES: Final = ("Jane Roe", "Alice Liddell", "Bob Cratchit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A row of the table."""

    id: str
    name: str
    email: str
    phone: str
    card: str
    iban: str

    @property
    def row(self) -> str:
        """As the table has it."""
        return f"{self.id},{self.name},{self.email},{self.phone},{self.card},{self.iban}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What lies in the folder.

    Attributes:
        files: Texts by name.
        customers: Of the table, in its order.
        secrets: Values by name; a key's lines each by itself.
        personal: Likewise.
    """

    files: Mapping[str, str]
    customers: tuple[Customer, ...]
    secrets: Mapping[str, str]
    personal: Mapping[str, str]

    @property
    def planted(self) -> dict[str, str]:
        """All values that must not leave."""
        return {**self.secrets, **self.personal}

    def lay(self, folder: Path) -> None:
        """Write the files."""
        for name, text in self.files.items():
            (folder / name).write_text(text)
        (folder / "id_rsa").chmod(0o600)


def belongings(seed: int = 3) -> Belongings:
    """The same from the same seed, but for the key."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret

    def noise(size: int, letters: str = _ALNUM) -> str:
        return "".join(rng.choices(letters, k=size))

    secrets = {
        "database": noise(18),
        "github": "ghp" + "_" + noise(36),
        "aws_id": "AKIA" + noise(16, string.ascii_uppercase + "234567"),
        "aws": noise(40, _ALNUM + "+/"),
        "stripe": "sk" + "_live_" + noise(24),
        "smtp": f"{noise(6)}-{noise(5)}!{noise(3)}",
        "session": noise(64, _HEX),
    }
    env = ENV.format_map(secrets)
    customers = tuple(
        Customer(
            id=f"C-{1001 + number}",
            name=name,
            email=f"{name.lower().replace(' ', '.')}@{noise(7, string.ascii_lowercase)}-mail.com",
            phone=f"+49 30 {noise(7, '23456789')}",
            card=_card("4" + noise(14, string.digits)),
            iban=_iban("DE", noise(18, string.digits)),
        )
        for number, name in enumerate(NAMES)
    )
    table = "\n".join(["id,name,email,phone,card,iban", *(each.row for each in customers)]) + "\n"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    lines = key.decode().splitlines()[1:-1]
    secrets |= {f"key line {number}": line for number, line in enumerate(lines, 1)}
    return Belongings(
        files={
            ".env": env,
            "customers.csv": table,
            "id_rsa": key.decode(),
            "README.md": "# Shop\nOrders and invoices; the lemons are in order-lemons.md.\n",
        },
        customers=customers,
        secrets=secrets,
        personal={
            f"{what} of {each.id}": getattr(each, what)
            for each in customers
            for what in ("name", "email", "phone", "card", "iban")
        },
    )


def _card(digits: str) -> str:
    """With its check digit (ISO/IEC 7812-1, annex B)."""
    places = enumerate(reversed(digits))
    doubled = [int(digit) * (1 if place % 2 else 2) for place, digit in places]
    return digits + str(-sum(each - 9 if each > 9 else each for each in doubled) % 10)


def _iban(country: str, account: str) -> str:
    """With its check digits (ISO 13616, ISO 7064 mod 97-10)."""
    number = "".join(str(int(each, 36)) for each in account + country + "00")
    return f"{country}{98 - int(number) % 97:02}{account}"
