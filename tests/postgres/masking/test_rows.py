"""Rows rewritten, and everything that does not fit refused."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError, InternalError
from proctor.postgres.masking import Plan, Rows, read_row_description, verify
from proctor.postgres.masking.model import Sensitive
from proctor.postgres.masking.rows import FieldDescription, formats_of
from tests.postgres.masking.database import sensitive

EMAIL = sensitive("users", "email", "partial")
KNOWN = {(20000, 3): EMAIL}


def one(name: str, number: int, oid: int = 25, *, table: int = 20000) -> FieldDescription:
    return FieldDescription(name.encode(), table, number, oid, binary=False)


FIELDS = (one("id", 1, 23), one("email", 3), one("name", 2))
PLAN = Plan(columns=(None, EMAIL, None))


def row(*values: bytes | None) -> bytes:
    return pack("!H", len(values)) + b"".join(
        pack("!i", -1) if value is None else pack("!i", len(value)) + value for value in values
    )


def rows(plan: Plan = PLAN, fields: tuple[FieldDescription, ...] = FIELDS) -> Rows:
    return Rows(plan, fields, None, KNOWN, None)


def description(*fields: FieldDescription) -> bytes:
    return pack("!H", len(fields)) + b"".join(
        field.name + b"\0" + pack("!IhIhih", field.table, field.number, field.type, -1, -1, 0)
        for field in fields
    )


def test_a_row() -> None:
    assert rows().mask(row(b"1", b"al@x.org", b"Al")) == row(b"1", b"a***@***.org", b"Al")
    assert rows().mask(row(None, None, None)) == row(None, None, None)
    nothing = Plan(columns=(None, sensitive("users", "email"), None))
    assert rows(nothing).mask(row(b"1", b"al", b"")) == row(b"1", None, b"")
    rows().commit()


@given(st.lists(st.tuples(*[st.none() | st.binary(max_size=9)] * 3), max_size=5))
def test_runs_of_rows(values: list[tuple[bytes | None, ...]]) -> None:
    def run(*bodies: bytes) -> bytes:
        return b"".join(b"D" + pack("!I", len(body) + 4) + body for body in bodies)

    found = [row(*each) for each in values]
    assert rows().run(run(*found)) == run(*map(rows().mask, found))


def test_a_row_cut_anywhere_is_refused() -> None:
    whole = row(b"1", b"al@x.org", b"Al")
    for size in range(len(whole) - 6):  # what comes behind the masked column is not looked at
        with pytest.raises(InternalError):
            rows().mask(whole[:size])
    for data in (b"D", b"D\0\0\0\x50", b"C\0\0\0\x04", b"D" + pack("!I", 400) + whole):
        with pytest.raises(InternalError):
            rows().run(data)
    with pytest.raises(InternalError):
        rows().mask(row(b"1", b"2"))


@given(st.binary(max_size=40))
def test_whatever_comes(data: bytes) -> None:
    for take in (rows().mask, rows().run):
        try:
            take(data)
        except InternalError:
            continue


def test_descriptions() -> None:
    body = description(*FIELDS)
    assert read_row_description(body) == FIELDS
    for size in range(len(body)):
        with pytest.raises(ClientError):
            read_row_description(body[:size])
    with pytest.raises(ClientError):
        read_row_description(body + b"\0")


@pytest.mark.parametrize(
    "plan",
    [Plan(), Plan(columns=(EMAIL, None, None)), Plan(columns=(None, EMAIL))],
)
def test_a_plan_that_shows_a_sensitive_column_is_not_followed(plan: Plan) -> None:
    with pytest.raises(InternalError) as caught:
        verify(plan, FIELDS, KNOWN)
    assert caught.value.code == "sql-masking"
    with pytest.raises(InternalError):
        rows(plan)


def test_formats() -> None:
    assert formats_of(FIELDS, ()) == (False,) * 3
    assert formats_of(FIELDS, (1,)) == (True,) * 3
    assert formats_of(FIELDS, (0, 1, 0)) == (False, True, False)
    assert formats_of((FIELDS[0]._replace(binary=True),), None) == (True,)
    with pytest.raises(InternalError):
        formats_of(FIELDS, (0, 1))


def test_types_of_extensions() -> None:
    plan = Plan(columns=(sensitive("users", "email", "partial"),))
    fields = (one("email", 3, 70000),)
    body = row(b"al@x.org")
    assert Rows(plan, fields, (), KNOWN, None).mask(body) == row(None)
    known = Rows(plan, fields, (), KNOWN, None, texts=frozenset({70000}))
    assert known.mask(body) == row(b"a***@***.org")


def test_other_encodings() -> None:
    plan = Plan(columns=(sensitive("users", "email", "fixed", value="Ω"),))
    found = Rows(plan, (one("email", 3),), (), KNOWN, None, encoding="latin-1")
    assert found.mask(row(b"x")) == row(None)  # it cannot be said in it
    half = Plan(columns=(EMAIL,))
    found = Rows(half, (one("email", 3),), (), KNOWN, None, encoding="latin-1")
    assert found.mask(row("é@x.de".encode("latin-1"))) == row("é***@***.de".encode("latin-1"))


def test_names_are_kept_apart() -> None:
    several: tuple[Sensitive | None, ...] = (EMAIL, None, EMAIL, sensitive("users", "ssn"))
    assert Plan(columns=several).names == ("public.users.email", "public.users.ssn")
