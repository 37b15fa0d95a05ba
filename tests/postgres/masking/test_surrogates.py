"""Surrogates in statements turned back, for one column and one principal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from proctor.errors import RefusedError
from proctor.postgres.masking import Restores, restore_parameters, restore_text
from proctor.redaction.keys import derive
from proctor.redaction.model import Method, Spot
from proctor.redaction.operators import Operators
from proctor.redaction.restore import Restorer
from proctor.redaction.vault import Vault

KEYS = derive(bytes(range(32)))
ALICE, BOB = "https://idp.example#alice", "https://idp.example#bob"
MAIL = "o'al@x.org"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = Vault(tmp_path / "vault.db", KEYS)
    yield made
    made.close()


@pytest.fixture
def token(vault: Vault) -> str:
    operators = Operators(KEYS, vault, principal=ALICE, session="s")
    spot = Spot(0, len(MAIL), "EMAIL_ADDRESS", "test:any", 1.0, MAIL)
    made = operators.replace(spot, Method.SURROGATE)
    operators.commit()
    return made


def test_in_a_text(vault: Vault, token: str) -> None:
    alice = Restorer(vault, ALICE, None)
    text = f"SELECT 'é', id FROM u WHERE email = '{token}' -- '{token}'"  # noqa: S608 - the tests' own words
    expected = f"SELECT 'é', id FROM u WHERE email = 'o''al@x.org' -- '{token}'"  # noqa: S608 - the tests' own words
    assert restore_text(text, Restores(literals=(token,)), alice) == expected
    assert restore_text(text, Restores(), alice) == text
    with pytest.raises(RefusedError, match="somebody else"):
        restore_text(text, Restores(literals=(token,)), Restorer(vault, BOB, None))
    with pytest.raises(RefusedError):
        restore_text(text, Restores(literals=(token,)), Restorer(vault, ALICE, frozenset()))


def test_in_parameters(vault: Vault, token: str) -> None:
    alice = Restorer(vault, ALICE, None)
    second = Restores(parameters=frozenset({2}))
    found = restore_parameters([b"a", token.encode()], second, alice, encoding="utf-8")
    assert found == [b"a", MAIL.encode()]
    assert restore_parameters([b"a", None], second, alice, encoding="utf-8") == [b"a", None]
    assert restore_parameters([b"a"], second, alice, encoding="utf-8") == [b"a"]


@pytest.mark.parametrize("more", ["", " ", "x", "%"])
def test_nothing_but_a_surrogate(vault: Vault, token: str, more: str) -> None:
    alice = Restorer(vault, ALICE, None)
    first = Restores(parameters=frozenset({1}))
    values = [f"{more}{token}", f"{token}{more}"] if more else ["", "a@b.cd", "X_" + "b" * 16]
    for value in (*[value.encode() for value in values], b"\xff", token.encode() * 50):
        with pytest.raises(RefusedError) as caught:
            restore_parameters([value], first, alice, encoding="utf-8")
        assert caught.value.code == "sql-masked"
        assert MAIL not in str(caught.value)
