"""Surrogates turned back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.keys import derive
from proctor.redaction.model import RedactionError
from proctor.redaction.restore import Restorer, begun
from proctor.redaction.surrogates import LETTERS, surrogate
from proctor.redaction.vault import Vault

KEYS = derive(bytes(range(32)))
ALICE = "https://idp.example#alice"
BOB = "https://idp.example#bob"
VALUES = {
    "EMAIL_ADDRESS": "jane@example.com",
    "PERSON": "Jane Roe",
    "ID": "4711",
    "NATIONAL_ID": "99-4711",
    "API_KEY": "not for the model",
}


def token(entity: str, value: str, principal: str = ALICE) -> str:
    return surrogate(KEYS.surrogate, principal, entity, value)


TOKENS = {entity: token(entity, value) for entity, value in VALUES.items()}
MAIL, PERSON = TOKENS["EMAIL_ADDRESS"], TOKENS["PERSON"]


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    made = Vault(tmp_path_factory.mktemp("state") / "vault.db", KEYS)
    made.put_many(ALICE, "s", [(TOKENS[entity], entity, VALUES[entity]) for entity in VALUES])
    yield made
    made.close()


def restored(vault: Vault, text: str, types: frozenset[str] | None = None) -> str:
    return Restorer(vault, ALICE, types).restore(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("nothing to see_here", "nothing to see_here"),
        (MAIL, "jane@example.com"),
        (f"<{MAIL}>, {PERSON}.", "<jane@example.com>, Jane Roe."),
        (f"{MAIL}{PERSON}{MAIL}", "jane@example.comJane Roejane@example.com"),
        (f"{MAIL}_{PERSON}", "jane@example.com_Jane Roe"),
        # What stood against the value stands against the surrogate.
        (f"X{MAIL}th", "Xjane@example.comth"),
        (f"TO_{MAIL}", "TO_jane@example.com"),
        (f"{MAIL}bcd", "jane@example.combcd"),
        (f"MY_{TOKENS['ID']}", "MY_4711"),
        (f"MY_{TOKENS['NATIONAL_ID']}", "MY_99-4711"),
        ('{"to": "' + MAIL + '"}', '{"to": "jane@example.com"}'),
    ],
)
def test_surrogates_are_turned_back(vault: Vault, text: str, expected: str) -> None:
    assert restored(vault, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "EMAIL_ADDRESS_" + "bcdf" * 4,
        MAIL[:-1],
        MAIL.lower(),
        MAIL.replace("EMAIL", "MAIL"),
        f"EMAIL_ADDRESS_x{MAIL[-15:]}",
        f"PERSON_{MAIL[-16:]}",
        f"_{MAIL[-16:]}",
        MAIL.replace("_", "-"),
        f"<EMAIL_ADDRESS:{MAIL[-16:]}>",
        token("PERSON", "Bob"),
        token("EMAIL_ADDRESS", "jane@example.com", BOB),
    ],
)
def test_what_only_looks_like_one_stays(vault: Vault, text: str) -> None:
    assert restored(vault, text) == text


def test_another_principals_surrogates_stay(vault: Vault) -> None:
    assert Restorer(vault, BOB, None).restore(MAIL) == MAIL


def test_only_types_that_may(vault: Vault) -> None:
    text = f"{MAIL} {PERSON} {TOKENS['API_KEY']}"
    assert restored(vault, text) == f"jane@example.com Jane Roe {TOKENS['API_KEY']}"
    assert restored(vault, text, frozenset()) == text
    assert restored(vault, text, frozenset({"PERSON"})) == f"{MAIL} Jane Roe {TOKENS['API_KEY']}"
    assert restored(vault, text, frozenset({"API_KEY"})).endswith("not for the model")


def test_the_same_as_changes(vault: Vault) -> None:
    restorer = Restorer(vault, ALICE, None)
    text = f"MY_{MAIL}{PERSON} {token('PERSON', 'Bob')}"
    changes = restorer.changes(text)
    assert [text[change.start : change.end] for change in changes] == [MAIL, PERSON]
    assert [change.text for change in changes] == ["jane@example.com", "Jane Roe"]
    assert restorer.changes("nothing") == []


def test_what_was_put_back_is_not_looked_at_again(vault: Vault) -> None:
    value = f"{PERSON} at home"
    nested = token("LOCATION", value)
    vault.put_many(ALICE, "s", [(nested, "LOCATION", value)])
    assert restored(vault, f"{nested}{PERSON}") == f"{value}Jane Roe"
    split = "PERSON_"
    first = token("LOCATION", split)
    vault.put_many(ALICE, "s", [(first, "LOCATION", split)])
    assert restored(vault, first + PERSON[-16:]) == split + PERSON[-16:]


def test_a_vault_that_fails_is_an_error(tmp_path: Path) -> None:
    broken = Vault(tmp_path / "vault.db", KEYS)
    broken.close()
    with pytest.raises(RedactionError):
        Restorer(broken, ALICE, None).restore(MAIL)
    assert Restorer(broken, ALICE, None).restore("no surrogate_here") == "no surrogate_here"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", 0),
        ("some text.", 0),
        ("some text", 0),
        ("the EMAIL", 5),
        ("the EMAIL_ADDRESS_", 14),
        (MAIL[:-1], len(MAIL) - 1),
        (MAIL, 0),
        (MAIL + "b", 0),
        ("snake_case_bcd", 0),
        ("A bcd", 0),
        ("x" + "A" * 200, 79),
        ("A" * 62 + "_" + "b" * 15, 78),
    ],
)
def test_what_may_be_the_beginning_is_kept_back(text: str, kept: int) -> None:
    assert begun(text) == kept


PIECES = st.sampled_from(
    [*TOKENS.values(), "MY_", "_", " ", "bcd", "ID", "N", "NATIONAL_", "A" * 70, "x", "12", "\n"]
)


@given(st.lists(PIECES, max_size=12), st.lists(st.integers(1, 40), max_size=40))
def test_a_stream_gives_what_the_whole_gives(
    vault: Vault, pieces: list[str], cuts: list[int]
) -> None:
    text = "".join(pieces)
    restorer = Restorer(vault, ALICE, None)
    out, pending, at = "", "", 0
    for cut in cuts:
        pending += text[at : at + cut]
        at += cut
        safe = len(pending) - begun(pending)
        out += restorer.restore(pending[:safe])
        pending = pending[safe:]
    assert out + restorer.restore(pending + text[at:]) == restorer.restore(text)


@given(st.text(st.sampled_from(f"ABI D_19{LETTERS}aé"), max_size=120))
def test_ordinary_text_stays(vault: Vault, text: str) -> None:
    assert restored(vault, text) == text
