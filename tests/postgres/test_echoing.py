"""Credentials of ours in what a real server says, through a real gateway."""

import json
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.credentials.echo import values_of
from proctor.model import Finding
from proctor.postgres.echoing import Echoing
from proctor.protocols.postgres.messages import LONG, Back, Reader, message, read_row
from tests.postgres.gateway import LISTENER, Through, through
from tests.postgres.server import ORDERS_APP, PASSWORDS, Server
from tests.postgres.wire import Wire, bind, describe, errors, execute, notices, parse, rows
from tests.support.held import eventually

SECRET = PASSWORDS[ORDERS_APP]
OUT = b"*" * len(SECRET)
TEXT = "it says %s there"
SQL = f"""
    CREATE TABLE settings (id int PRIMARY KEY, note text, raw bytea);
    INSERT INTO settings VALUES (1, '{TEXT % SECRET}', '{SECRET}');
    INSERT INTO settings VALUES (2, '{TEXT % "other"}', 'other');
    CREATE FUNCTION tell() RETURNS int LANGUAGE plpgsql AS
        $$BEGIN RAISE NOTICE 'by {SECRET}'; RAISE EXCEPTION 'not with {SECRET}'; END$$;
    GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC
"""  # noqa: S608 - ours
LISTENERS = {
    "as they come": "unknown_functions: allow",
    "looked at": "unknown_functions: allow\nmasking: {tier: content}",
}
DATA = frozenset({Back.DATA_ROW, Back.COPY_DATA})
VALUES = values_of(((SECRET, "orders-db"),))


@pytest.fixture(scope="module", params=list(LISTENERS.values()), ids=list(LISTENERS))
def to(postgres15: Server, request: pytest.FixtureRequest) -> Iterator[Through]:
    redaction = "{profile: default}" if "content" in request.param else "{profile: none}"
    with through(postgres15, listener=request.param, redaction=redaction) as running:
        yield running


@pytest.fixture
def database(postgres15: Server) -> str:
    return postgres15.fresh(SQL)


@pytest.fixture
def wire(to: Through, database: str) -> Iterator[Wire]:
    with Wire.open(to, database=database) as opened:
        yield opened


def told(to: Through) -> list[dict[str, str]]:
    """Events of credentials that came back in rows."""
    sql = "SELECT detail FROM events WHERE kind = 'credential.echoed' ORDER BY seq"
    details: list[dict[str, str]] = [json.loads(row["detail"]) for row in to.asked(sql)]
    return [detail for detail in details if detail["location"] == "rows"]


def found(to: Through, mark: str) -> list[list[tuple[str, str, int]]]:
    """Credentials on record of statements whose text holds this."""
    sql = (
        "SELECT e.raw AS raw FROM _records e JOIN statements s ON e.writer = s.writer"  # noqa: S608
        f" AND e.begin_seq = s.seq WHERE e.kind = 'statement.end' AND s.sql LIKE '%{mark}%'"
        " ORDER BY e.seq"
    )
    return [
        [
            (each["detector"], each["location"], each["count"])
            for each in json.loads(row["raw"]).get("findings", ())
            if each["entity_type"] == "CREDENTIAL"
        ]
        for row in to.asked(sql)
    ]


@pytest.mark.e2e
def test_rows_are_without_it_each_time_and_that_is_on_record(to: Through, wire: Wire) -> None:
    sql = "SELECT note FROM settings WHERE id > $1 ORDER BY id /* each */"
    again = bind(b"0", statement="s") + describe("P") + execute() + b"S\0\0\0\4"
    answers = [wire.ask(parse(sql, "s") + again), *(wire.ask(again) for _ in range(4))]
    simple = "SELECT raw, encode(raw, 'base64') FROM settings WHERE id = 1 /* each */"
    coded = [wire.query(simple) for _ in range(4)]
    for answer in answers:
        assert rows(answer) == [[(TEXT % OUT.decode()).encode()], [(TEXT % "other").encode()]]
    for answer in coded:
        ((raw, base64),) = rows(answer)
        assert raw == b"\\x" + b"**" * len(SECRET)
        assert base64 is not None
        assert base64.count(b"*") > len(SECRET)
    named = "proctor:credential/orders"
    on_record = found(to, "each")
    assert [each[0][:2] for each in on_record] == [(named, "rows")] * 9
    assert [each[0][2] for each in on_record] == [1] * 5 + [2] * 4
    assert SECRET not in json.dumps(to.asked("SELECT raw FROM _records"))
    events = eventually(lambda: (all_ := told(to))[8:] and all_)
    assert (
        events
        == [
            {
                "credential": "orders",
                "asked_by": events[0]["asked_by"],
                "session": "",
                "listener": LISTENER,
                "host": "127.0.0.1",
                "location": "rows",
            }
        ]
        * 9
    )
    assert events[0]["asked_by"].endswith("alice")


@pytest.mark.e2e
def test_copies_errors_notices_and_notifications_are_without_it(wire: Wire) -> None:
    copied = wire.query("COPY settings (note) TO STDOUT")
    (first, second) = (piece.body for piece in copied if piece.kind == Back.COPY_DATA)
    assert first == (TEXT % OUT.decode()).encode() + b"\n"
    assert second == (TEXT % "other").encode() + b"\n"
    said = wire.query("SELECT tell()")
    assert [each.message for each in notices(said)] == [f"by {OUT.decode()}"]
    assert [each.message for each in errors(said)] == [f"not with {OUT.decode()}"]
    wire.query("LISTEN news")
    heard = wire.query(f"NOTIFY news, '{SECRET}'")
    assert [piece.body[4:] for piece in heard if piece.kind == Back.NOTIFICATION] == [
        b"news\0" + OUT + b"\0"
    ]


@pytest.mark.e2e
@pytest.mark.parametrize("before", [10, LONG], ids=["short", "in parts"])
def test_a_long_row_is_without_it_wherever_it_is_cut(wire: Wire, before: int) -> None:
    one = f"repeat('x', {before}) || '{SECRET}'"
    sql = f"SELECT string_agg({one}, '') FROM generate_series(1, 20)"  # noqa: S608 - ours
    ((value,),) = rows(wire.query(sql))
    assert value == (b"x" * before + OUT) * 20


def reader() -> Reader:
    return Reader(Back.ALL, limit=2**30, runs=DATA, passing=DATA)


def a_row(value: bytes) -> bytes:
    return message(Back.DATA_ROW, b"\0\1" + len(value).to_bytes(4, "big") + value)


@given(
    before=st.sampled_from([0, 7, LONG]),
    end=st.sampled_from([b"", SECRET[:4].encode(), SECRET.encode()]),
    cuts=st.lists(st.integers(0, LONG + 100), max_size=6),
)
def test_wherever_it_is_cut_it_is_put_out_and_nothing_is_kept(
    before: int, end: bytes, cuts: list[int]
) -> None:
    assert VALUES is not None
    noted: list[tuple[Finding, int]] = []
    echoing = Echoing(lambda: (VALUES,), noted.extend)
    value = b"x" * before + SECRET.encode() + SECRET[:4].encode() + b"y" + end
    data = a_row(value) + message(Back.READY, b"I")
    at = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    read = reader()
    passed = b"".join(
        echoing.put_out(piece).data
        for start, stop in pairwise(at)
        for piece in read.feed(data[start:stop])
    )
    clean = value.replace(SECRET.encode(), OUT)
    assert passed == a_row(clean) + message(Back.READY, b"I")
    assert sum(count for _, count in noted) == value.count(SECRET.encode())
    assert {finding.location for finding, _ in noted} == {"rows"}


def test_what_has_none_stays_the_same_object() -> None:
    assert VALUES is not None
    echoing = Echoing(lambda: (VALUES,), lambda _found: pytest.fail("there is none"))
    (row, ready) = reader().feed(a_row(b"x") + message(Back.READY, b"I"))
    assert echoing.put_out(row) is row
    assert echoing.put_out(ready) is ready
    assert echoing.clean(row.data)
    assert not echoing.clean(a_row(SECRET.encode()))


def test_no_credential_is_nothing_to_look_for() -> None:
    echoing = Echoing(tuple, lambda _found: pytest.fail("there is none"))
    (row,) = reader().feed(a_row(SECRET.encode()))
    assert echoing.clean(row.data)
    assert read_row(echoing.put_out(row).body) == [SECRET.encode()]
