"""What a configuration asks for."""

from pathlib import Path

from proctor.config import load
from proctor.postgres.hardening.asking import roles, wanted
from tests.support.databases import LISTENER, configuration

MASKING = (
    ", masking: {tier: server, columns: [{table: a.b, column: c, with: hash}], trusted: [x.y]}"
)


def test_of_a_credential(tmp_path: Path) -> None:
    config = load(configuration(tmp_path, LISTENER + MASKING))
    (listener,) = config.postgres
    assert roles(listener, config.credentials) == ("orders_app",)
    found = wanted(listener, database="shop", role="orders_app")
    assert [each.name for each in found.columns] == ["a.b.c"]
    assert not found.wire
    assert (found.schema, found.trusted, found.login) == ("masked", frozenset({"x.y"}), True)


def test_of_a_role_for_sessions(tmp_path: Path) -> None:
    text = f"{LISTENER}{MASKING}, session_role: {{member_of: [one, two]}}"
    config = load(configuration(tmp_path, text))
    (listener,) = config.postgres
    assert roles(listener, config.credentials) == ("one", "two")
    assert not wanted(listener, database="shop", role="one").login


def test_without_masking(tmp_path: Path) -> None:
    (listener,) = load(configuration(tmp_path, LISTENER)).postgres
    assert wanted(listener, database="shop", role="x").columns == ()
