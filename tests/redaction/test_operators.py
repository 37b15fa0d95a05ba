"""What stands in place of a finding."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from proctor.redaction.keys import derive
from proctor.redaction.model import SECRETS, Method, RedactionError, Spot
from proctor.redaction.operators import Operators
from proctor.redaction.presidio import operator
from proctor.redaction.restore import Restorer
from proctor.redaction.surrogates import TOKEN, hashed, surrogate
from proctor.redaction.vault import MAX_VALUE, Vault

KEYS = derive(bytes(range(32)))
ALICE = "https://idp.example#alice"
BOB = "https://idp.example#bob"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    made = Vault(tmp_path / "vault.db", KEYS)
    yield made
    made.close()


def operators(vault: Vault, principal: str = ALICE) -> Operators:
    return Operators(KEYS, vault, principal=principal, session="s1")


def spot(value: str, entity: str = "EMAIL_ADDRESS") -> Spot:
    return Spot(0, len(value), entity, "test:any", 1.0, value)


def test_each_method(vault: Vault) -> None:
    found = spot("jane@example.com")
    expected = {
        Method.DETECT: "jane@example.com",
        Method.SURROGATE: surrogate(KEYS.surrogate, ALICE, "EMAIL_ADDRESS", "jane@example.com"),
        Method.HASH: hashed(KEYS.digest, "EMAIL_ADDRESS", "jane@example.com"),
        Method.MASK: "<EMAIL_ADDRESS>",
        Method.BLOCK: "<EMAIL_ADDRESS>",
    }
    assert set(expected) == set(Method)
    for _ in range(2):
        made = operators(vault)
        assert {method: made.replace(found, method) for method in Method} == expected


def test_presidios_operators(vault: Vault) -> None:
    made = operators(vault)
    found = spot("jane@example.com")
    hashing = operator({"operator": "hash"})
    assert made.replace(found, operator({"operator": "keep"}), spelled="x") == "x"
    assert made.replace(found, operator({"operator": "redact"})) == ""
    first = made.replace(found, hashing)
    assert first == operators(vault, BOB).replace(found, hashing)
    assert len(first) == 64


@pytest.mark.parametrize("method", [*Method, operator({"operator": "replace"})])
def test_a_number_stays_a_number(vault: Vault, method: Method) -> None:
    made = operators(vault)
    text = made.replace(spot("4111", "CREDIT_CARD"), method, json_number=True)
    assert text == ("4111" if method is Method.DETECT else "0")
    made.commit()
    assert Restorer(vault, ALICE, None).restore(text) == text


def test_a_surrogate_is_turned_back_once_it_is_committed(vault: Vault) -> None:
    made = operators(vault)
    word = made.replace(spot("jane@example.com"), Method.SURROGATE)
    other = made.replace(spot("bob@example.com"), Method.SURROGATE)
    restorer = Restorer(vault, ALICE, None)
    assert restorer.restore(word) == word
    made.commit()
    assert restorer.restore(f"{word}{other}") == "jane@example.combob@example.com"
    made.commit()
    for principal in (BOB, "https://idp.example#alic"):
        assert Restorer(vault, principal, None).restore(word) == word


def test_a_surrogate_made_before_can_be_used_again(vault: Vault) -> None:
    word = operators(vault).replace(spot("jane@example.com"), Method.SURROGATE)
    later = Operators(KEYS, vault, principal=ALICE, session="s2")
    assert later.again([])
    assert not later.again([word])
    made = operators(vault)
    made.replace(spot("jane@example.com"), Method.SURROGATE)
    made.commit()
    assert later.again([word])
    assert not operators(vault, BOB).again([word])
    vault.forget(ALICE, "s1")
    assert Restorer(vault, ALICE, None).restore(word) == "jane@example.com"


def test_a_surrogate_is_turned_back_as_it_was_spelled(vault: Vault) -> None:
    made = operators(vault)
    found = spot("jane@example.com")
    plain = made.replace(found, Method.SURROGATE)
    escaped = made.replace(found, Method.SURROGATE, spelled="jane%40example.com")
    made.commit()
    assert plain != escaped
    restorer = Restorer(vault, ALICE, None)
    assert restorer.restore(f"{plain} {escaped}") == "jane@example.com jane%40example.com"
    # The others tell the value, however it is spelled.
    assert made.replace(found, Method.HASH, spelled="jane%40example.com") == made.replace(
        found, Method.HASH
    )


def test_what_the_vault_does_not_take_is_an_error(vault: Vault) -> None:
    made = operators(vault)
    made.replace(spot("jane@example.com"), Method.SURROGATE)
    vault.close()
    for _ in range(2):
        with pytest.raises(RedactionError) as caught:
            made.commit()
        assert caught.value.code == "redaction-vault"
        assert "jane" not in f"{caught.value!r} {caught.value}"
    operators(vault).commit()  # nothing to keep, so nothing can fail


def test_two_values_under_one_word_are_an_error(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = "PERSON_" + "bcdf" * 4
    monkeypatch.setattr("proctor.redaction.operators.surrogate", lambda *_: word)
    made = operators(vault)
    for name in ("Jane Roe", "Bob"):
        made.replace(spot(name, "PERSON"), Method.SURROGATE)
    with pytest.raises(RedactionError):
        made.commit()


def test_what_is_too_long_for_the_vault_is_masked(vault: Vault) -> None:
    made = operators(vault)
    longest = spot("ä" * (MAX_VALUE // 2), "PERSON")
    assert TOKEN.fullmatch(made.replace(longest, Method.SURROGATE))
    longer = spot("ä" * (MAX_VALUE // 2) + "b", "PERSON")
    assert made.replace(longer, Method.SURROGATE) == "<PERSON>"
    made.commit()


def test_lone_surrogates_and_nul_come_back(vault: Vault) -> None:
    made = operators(vault)
    values = ["\ud800jane", "a\0b", "\udcff", "\n", "<EMAIL_ADDRESS>"]
    words = [made.replace(spot(value, "PERSON"), Method.SURROGATE) for value in values]
    made.commit()
    restorer = Restorer(vault, ALICE, None)
    assert [restorer.restore(word) for word in words] == values


@pytest.mark.parametrize("entity", sorted(SECRETS))
def test_secrets_are_not_turned_back_unless_named(vault: Vault, entity: str) -> None:
    made = operators(vault)
    word = made.replace(spot("some value", entity), Method.SURROGATE)
    made.commit()
    assert Restorer(vault, ALICE, None).restore(word) == word
    assert Restorer(vault, ALICE, frozenset({entity})).restore(word) == "some value"
