"""The masks of a listener's databases."""

import asyncio
import gc
from pathlib import Path

import pytest

from proctor.config import load
from proctor.credentials.store import Credentials
from proctor.errors import RefusedError
from proctor.model import Principal
from proctor.postgres import masked
from proctor.postgres.masked import Masking, place, sensitive
from proctor.postgres.masking.model import Method, Sensitive
from proctor.postgres.tls import Contexts
from tests.support.databases import LISTENER, configuration

MASKING = """masking: {unmasked_groups: [dba], trusted: [public.totals], columns: [
  {table: public.users, column: email, with: fixed, value: '-'},
  {table: public.users, column: phone, with: surrogate, restore: true}]}"""


def masking(folder: Path, text: str = LISTENER) -> Masking:
    config = load(configuration(folder, f"{text}, {MASKING}"))
    (listener,) = config.postgres
    assert listener.masking is not None
    credentials = Credentials(config.credentials, environment={"DB_PASSWORD": "weak"})
    return Masking(listener, listener.masking, credentials, Contexts())


def principal(*groups: str) -> Principal:
    return Principal(issuer="i", subject="alice", groups=groups)


def test_one_for_a_database(tmp_path: Path) -> None:
    async def run() -> None:
        made = masking(tmp_path)
        first = made.masks(principal(), "shop")
        assert first is not None
        assert made.masks(principal("dev"), "shop") is first
        assert made.masks(principal(), "stock") is not first
        assert made.masks(principal("dba"), "shop") is None
        await made.close()

    asyncio.run(run())


def test_names_of_databases_that_are_made_up_fill_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masked, "MAX_KEPT", 2)

    async def run() -> None:
        made = masking(tmp_path)
        first = made.masks(principal(), "shop")
        for number in range(5):
            made.masks(principal(), f"other{number}")
        gc.collect()
        assert len(made._used) == 3
        assert made.masks(principal(), "shop") is first  # it is in use
        await made.close()

    asyncio.run(run())


def test_nobody_without_a_credential(tmp_path: Path) -> None:
    text = LISTENER.replace("credential: db", "credentials: [{groups: [ops], credential: db}]")
    with pytest.raises(RefusedError):
        masking(tmp_path, text).masks(principal(), "shop")


def test_the_columns(tmp_path: Path) -> None:
    config = load(configuration(tmp_path, f"{LISTENER}, {MASKING}"))
    (listener,) = config.postgres
    assert listener.masking is not None
    assert [sensitive(each) for each in listener.masking.columns] == [
        Sensitive(schema="public", table="users", column="email", method=Method.FIXED, value="-"),
        Sensitive(
            schema="public", table="users", column="phone", method=Method.SURROGATE, restore=True
        ),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("db.internal:5433", ("db.internal", 5433)),
        ("unix:/run/pg/.s.PGSQL.6000", ("/run/pg", 6000)),
        ("unix:/run/pg/other", ("/run/pg", 5432)),
    ],
)
def test_places(tmp_path: Path, text: str, found: tuple[str, int]) -> None:
    config = load(configuration(tmp_path, LISTENER.replace("127.0.0.1:5432", f"'{text}'")))
    assert place(config.postgres[0]) == found
