"""Texts in answers are looked at: through a real gateway, in front of a real server."""

import asyncio
import contextlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it has none
import pytest

from proctor.errors import ProctorError
from proctor.postgres.contents import MAX_ROWS, Contents, batches
from proctor.postgres.masking import ContentRows
from proctor.protocols.postgres.messages import SYNC, Back, Piece, message, read_row
from proctor.testing import gateway as program
from tests.postgres.gateway import Through, through
from tests.postgres.server import Server
from tests.postgres.wire import Wire, bind, errors, execute, kinds, notices, parse, query, rows
from tests.support.held import eventually
from tests.support.parts import ALICE
from tests.support.screened import BROKEN, OTHER, screens

MAIL = "jane.roe@acme-corp.com"
SECRET = "ghp_" + "Zq81vTk3Lm9pXw2bRt6yHs4nUe7cDf5gJa0K"
REDACTION = "{profile: default, entities: {EMAIL_ADDRESS: {response: mask}}}"
MANY = 100_000
SQL = f"""
    CREATE TABLE notes (id int, note text, doc json, docb jsonb, tags text[]);
    INSERT INTO notes VALUES
        (1, 'write to {MAIL}', '{{"mail": "{MAIL}"}}', '{{"mail": "{MAIL}"}}', '{{a,{MAIL}}}'),
        (2, 'token {SECRET}', NULL, NULL, NULL), (3, 'nothing', '{{}}', '{{}}', '{{}}');
    CREATE TABLE users (email text PRIMARY KEY, note text);
    INSERT INTO users VALUES ('{MAIL}', 'call {MAIL}');
    GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC
"""  # noqa: S608


@pytest.fixture(scope="module")
def masking(postgres15: Server) -> Iterator[Through]:
    listener = "masking: {tier: content}\nunknown_functions: allow"
    with through(postgres15, listener=listener, redaction=REDACTION) as running:
        yield running


@pytest.fixture(scope="module")
def database(postgres15: Server) -> str:
    return postgres15.fresh(SQL)


@pytest.fixture
def wire(masking: Through, database: str) -> Iterator[Wire]:
    with Wire.open(masking, database=database) as opened:
        yield opened


def found_in(to: Through, mark: str) -> list[tuple[str, str, int, str]]:
    """Findings in the answers to statements whose text holds this: type, place, count, action."""
    sql = (
        "SELECT e.raw AS raw FROM _records e JOIN statements s ON e.writer = s.writer"  # noqa: S608
        f" AND e.begin_seq = s.seq WHERE e.kind = 'statement.end' AND s.sql LIKE '%{mark}%'"
    )
    return [
        (each["entity_type"], each["location"], each["count"], each["action"])
        for row in to.asked(sql)
        for each in json.loads(row["raw"]).get("findings", ())
        if each["direction"] == "response"
    ]


@pytest.mark.e2e
def test_texts_of_all_kinds_are_masked_and_recorded_so(masking: Through, wire: Wire) -> None:
    found = wire.query("SELECT id, note, doc, docb, tags FROM notes ORDER BY id /* all */")
    assert kinds(found) == "TDDDCZ"
    assert rows(found) == [
        [
            b"1",
            b"write to <EMAIL_ADDRESS>",
            b'{"mail": "<EMAIL_ADDRESS>"}',
            b'{"mail": "<EMAIL_ADDRESS>"}',
            b'{"a","<EMAIL_ADDRESS>"}',
        ],
        [b"2", b"token <API_KEY>", None, None, None],
        [b"3", b"nothing", b"{}", b"{}", b"{}"],
    ]
    (said,) = masking.recorded("rows, result, error", "sql LIKE '%all */%'")
    assert (said["rows"], said["error"]) == (3, None)
    assert json.loads(said["result"])["rows"] == [
        [None if value is None else value.decode() for value in row] for row in rows(found)
    ]
    assert sorted(found_in(masking, "all */")) == [
        ("API_KEY", "note", 1, "mask"),
        *(("EMAIL_ADDRESS", name, 1, "mask") for name in ("doc", "docb", "note", "tags")),
    ]
    assert masking.asked("SELECT DISTINCT location FROM findings WHERE location = 'tags'")


@pytest.mark.e2e
def test_binary_and_what_is_not_described(masking: Through, wire: Wire, database: str) -> None:
    # Executed without a Describe of the client's.
    found = wire.ask(parse("SELECT note FROM notes WHERE id = 1"), bind(), execute(), SYNC)
    assert kinds(found) == "12DCZ"
    assert rows(found) == [[b"write to <EMAIL_ADDRESS>"]]

    async def binary() -> list[Any]:
        connection = await asyncpg.connect(
            host=masking.host,
            port=masking.port,
            user=masking.user,
            password=masking.token(),
            database=database,
            ssl=False,
        )
        try:
            sql = "SELECT note, doc, docb, tags FROM notes WHERE id = 1"
            row = await connection.fetchrow(sql)
            # Texts in a composite cannot be taken out of it, so that all of it goes.
            whole = await connection.fetchval("SELECT n FROM notes n WHERE id = 1")
            return [*row, whole]
        finally:
            await connection.close()

    masked = "<EMAIL_ADDRESS>"
    document = f'{{"mail": "{masked}"}}'
    assert asyncio.run(binary()) == [f"write to {masked}", document, document, ["a", masked], None]


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("text", b"1\twrite to <EMAIL_ADDRESS>\t{a,<EMAIL_ADDRESS>}\n"),
        ("csv", b'1,write to <EMAIL_ADDRESS>,"{a,<EMAIL_ADDRESS>}"\n'),
    ],
)
def test_copies(masking: Through, wire: Wire, form: str, line: bytes) -> None:
    sql = f"COPY (SELECT id, note, tags FROM notes ORDER BY id) TO STDOUT (FORMAT {form})"  # noqa: S608
    found = wire.query(sql)
    assert kinds(found) == "HdddcCZ"
    data = [piece.body for piece in found if piece.kind == Back.COPY_DATA]
    assert data[0] == line
    assert SECRET.encode() not in b"".join(data)
    (said,) = masking.recorded("result", f"sql LIKE '%notes%FORMAT {form})'")
    assert json.loads(said["result"]) == {"copy": b"".join(data).decode()}
    assert ("API_KEY", "column 2", 1, "mask") in found_in(masking, f"notes%FORMAT {form}")


@pytest.mark.e2e
def test_copy_in_binary_is_refused(wire: Wire) -> None:
    (error,) = errors(wire.query("COPY notes TO STDOUT (FORMAT binary)"))
    assert error.code == "42501"
    assert "text or csv" in error.detail
    assert rows(wire.query("SELECT 1")) == [[b"1"]]


@pytest.mark.e2e
def test_errors_notices_and_notifications(masking: Through, wire: Wire) -> None:
    (error,) = errors(wire.query(f"INSERT INTO users VALUES ('{MAIL}', '') /* twice */"))  # noqa: S608
    assert (error.code, error.detail) == ("23505", "Key (email)=(<EMAIL_ADDRESS>) already exists.")
    assert ("EMAIL_ADDRESS", "detail", 1, "mask") in found_in(masking, "twice */")
    say = "DO $$ BEGIN RAISE NOTICE 'to %', (SELECT email FROM users); END $$"
    (notice,) = notices(wire.query(say))
    assert notice.message == "to <EMAIL_ADDRESS>"
    found = wire.ask(query("LISTEN news"), query(f"NOTIFY news, 'to {MAIL}'"), readies=2)
    (told,) = [piece.body for piece in found if piece.kind == Back.NOTIFICATION]
    assert told[4:] == b"news\0to <EMAIL_ADDRESS>\0"
    found = wire.query("SELECT set_config('application_name', email, false) FROM users")
    (told,) = [piece.body for piece in found if piece.kind == Back.PARAMETER_STATUS]
    assert told == b"application_name\0<EMAIL_ADDRESS>\0"


@pytest.mark.e2e
def test_many_rows_come_in_order_and_within_bounds(masking: Through, wire: Wire) -> None:
    before = peak(masking)
    wire.send(query(f"SELECT n, CASE WHEN n % 1000 = 0 THEN '{MAIL}' ELSE 'text ' || n END,"  # noqa: S608
                    f" repeat('x', 300) FROM generate_series(1, {MANY}) n /* many */"),
              query("SELECT 'after'"))  # fmt: skip
    count = 0
    for piece in iter(wire.next, None):
        if piece.kind == Back.DATA_ROW:
            count += 1
            number, text, _ = read_row(piece.body)
            mark = b"<EMAIL_ADDRESS>" if count % 1000 == 0 else b"text %d" % count
            assert (number, text) == (b"%d" % count, mark)
        elif piece.kind == Back.READY:
            break
    assert count == MANY
    assert rows(wire.until(Back.READY)) == [[b"after"]]
    assert peak(masking) - before < 24 * 1024
    assert masking.recorded("rows", "sql LIKE '%many */%'") == [{"rows": MANY}]
    (found,) = found_in(masking, "many */")
    assert found[2] == MANY // 1000


def peak(through: Through) -> int:
    """The most memory that any process of the gateway's has had, KiB."""
    parent = through.gateway.process.pid
    found = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            lines = status.read_text(encoding="utf-8").splitlines()
            said = dict(line.split(":", 1) for line in lines)
            if int(said["PPid"]) == parent and "VmHWM" in said:
                found = max(found, int(said["VmHWM"].split()[0]))
    return found


LONG = f"SELECT n, '{MAIL}', repeat('x', 2000) FROM generate_series(1, 10000000) n"  # noqa: S608


@pytest.mark.e2e
def test_a_cancel_in_the_midst(wire: Wire, masking: Through) -> None:
    wire.send(query(LONG))
    wire.until(Back.DATA_ROW)
    wire.cancel(masking)
    found = wire.until(Back.READY)
    (error,) = errors(found)
    assert error.code == "57014"
    assert kinds(found)[-2:] == "EZ"
    assert all(row[1] == b"<EMAIL_ADDRESS>" for row in rows(found))
    assert rows(wire.query("SELECT 1")) == [[b"1"]]


@pytest.mark.e2e
def test_a_client_that_goes_in_the_midst(masking: Through, database: str) -> None:
    with Wire.open(masking, database=database) as wire:
        wire.send(query(f"{LONG} /* gone */"))
        wire.until(Back.DATA_ROW)

    def ended() -> list[dict[str, Any]]:
        where = "sql LIKE '%gone */%' AND duration_ms IS NOT NULL"
        return masking.recorded("error, rows", where)

    (said,) = eventually(ended)
    assert "client-gone" in said["error"]
    assert 0 < said["rows"] < 10_000_000


@pytest.mark.e2e
def test_what_is_too_large_ends_the_connection(masking: Through, database: str) -> None:
    with Wire.open(masking, database=database) as wire:
        found = wire.ask(query("SELECT 1"), query("SELECT repeat('y ', 20000000)"), readies=2)
        (error,) = errors(found)
        assert error.severity == "FATAL"
        assert "redaction-size" in error.detail + error.hint + error.message
        assert rows(found) == [[b"1"]]
        assert wire.next() is None


@pytest.mark.e2e
@pytest.mark.parametrize("masking", ["", "masking: {tier: content}\n"], ids=["seen", "masked"])
def test_a_canary_in_a_row_raises_an_alarm(postgres15: Server, masking: str) -> None:
    database = postgres15.fresh("CREATE TABLE bait (note text); GRANT ALL ON bait TO PUBLIC")
    listener = f"{masking}unknown_functions: allow"
    with through(postgres15, listener=listener, redaction=REDACTION) as to:
        done = program.command("canary", "new", "--kind", "github", cwd=to.folder)
        assert done.returncode == 0, done.stderr
        value = done.stdout.split()[0]
        planted = f"INSERT INTO bait VALUES ('{value}')"  # noqa: S608 - ours
        postgres15.execute(planted, database=database)
        eventually(lambda: _alarms(to, database), 30)
        (row,) = {json.dumps(each, sort_keys=True) for each in _alarms(to, database)}
        told = json.loads(row)
        assert told["canary"].startswith("cn_")
        assert (told["direction"], told["stopped"]) == ("response", False)
        assert value not in json.dumps(to.asked("SELECT raw FROM _records"))


def _alarms(to: Through, database: str) -> list[dict[str, Any]]:
    """What is on record of canaries, once somebody has read the table."""
    with Wire.open(to, database=database) as wire:
        wire.query("SELECT note FROM bait")
    sql = "SELECT detail FROM events WHERE kind = 'canary.seen'"
    return [json.loads(row["detail"]) for row in to.asked(sql)]


@pytest.mark.e2e
def test_an_alarm_lets_pass_and_is_on_record(postgres15: Server, database: str) -> None:
    listener = "masking: {tier: [wire, content], content: alarm,"
    listener += " columns: [{table: public.users, column: email}], unmasked_groups: [all]}"
    redaction = REDACTION.replace("}}}", "}}, max_size: 4KiB}")
    with (
        through(postgres15, listener=listener, redaction=redaction) as running,
        Wire.open(running, database=database) as wire,
    ):
        assert rows(wire.query("SELECT email, note FROM users")) == [
            [None, f"call {MAIL}".encode()]
        ]
        assert found_in(running, "FROM users") == [("EMAIL_ADDRESS", "note", 1, "mask")]
        large = "SELECT repeat('y ', 9000)"
        assert rows(wire.query(large)) == [[b"y " * 9000]]
        (raw,) = running.asked("SELECT raw FROM _records WHERE raw LIKE '%\"unseen\":1%'")
        assert raw


@dataclass
class Answers:
    """Stands for Answering and Wires: what came of a statement's rows."""

    run: Any
    told: list[bytes] = field(default_factory=list[bytes])
    errors: list[ProctorError] = field(default_factory=list[ProctorError])
    paused: int = 0

    def take(self, piece: Piece) -> bytes:
        return piece.data

    def whose(self, _piece: Piece) -> Any:
        return self.run

    def masked(self, _run: Any, piece: Piece) -> bytes:
        return piece.data

    def saw(self, _run: Any, _rows: bytes, count: int) -> None:
        self.run.rows += count

    def wake(self) -> None:
        pass

    def to_client(self, data: bytes) -> None:
        self.told.append(data)

    def pause_server(self) -> None:
        self.paused += 1

    def resume_server(self) -> None:
        self.paused -= 1


@contextlib.contextmanager
def contents(folder: Path, *, mask: bool = True, **settings: Any) -> Iterator[Any]:
    """Contents before stand-ins, and these."""
    description = b"\0\1note\0" + struct.pack("!IhIhih", 0, 0, 25, -1, -1, 0)
    run = SimpleNamespace(rows=0, description=description, found={}, unseen=0)
    answers: Any = Answers(run)
    entities = {"EMAIL_ADDRESS": "mask"}
    with screens(folder / "state", entities=entities, **settings) as made:
        screen = made.on("api")
        assert screen
        yield (
            Contents(
                answers,
                lambda: ContentRows(screen, ALICE, None, mask=mask),
                answers,
                mask=mask,
                size=screen.parts.settings.max_size,
                texts=frozenset,
                put_out=lambda piece: piece,
                over=answers.errors.append,
                sent=lambda _size: None,
            ),
            answers,
        )


def pieces(*texts: str) -> list[Piece]:
    """A run of rows, and what comes after it."""
    data = b"".join(row(text) for text in texts)
    return [Piece(Back.DATA_ROW, data, len(texts), starts=True), DONE]


def row(text: str) -> bytes:
    value = text.encode()
    return message(Back.DATA_ROW, b"\0\1" + len(value).to_bytes(4, "big") + value)


DONE = Piece(Back.COMMAND_COMPLETE, message(Back.COMMAND_COMPLETE, b"SELECT 1\0"), 1, starts=True)


async def through_with(made: Contents) -> None:
    """Wait until nothing is looked at."""
    if made._task:
        await made._task


def test_what_needs_no_look_passes_at_once(tmp_path: Path) -> None:
    async def go() -> None:
        with contents(tmp_path) as (made, answers):
            made.take([DONE])
            assert (answers.told, made.working) == ([DONE.data], False)
            made.take(pieces(OTHER))
            made.take([DONE])  # it waits for its turn
            assert (len(answers.told), made.working, answers.paused) == (1, True, 1)
            await through_with(made)
            masked = row("<EMAIL_ADDRESS>")
            assert answers.told == [DONE.data, masked, DONE.data, DONE.data]
            assert (answers.paused, answers.errors, answers.run.rows) == (0, [], 1)

    asyncio.run(go())


def test_many_findings_at_once_are_looked_at_in_parts(tmp_path: Path) -> None:
    async def go() -> None:
        with contents(tmp_path, max_hits=3) as (made, answers):
            made.take(pieces(*[OTHER] * 20))
            await through_with(made)
            assert answers.told == [row("<EMAIL_ADDRESS>") * 20, DONE.data]
            ((finding, count),) = answers.run.found.values()
            assert (finding.location, count) == ("note", 20)

    asyncio.run(go())


def test_nothing_after_what_cannot_be_looked_at(tmp_path: Path) -> None:
    async def go() -> None:
        with contents(tmp_path) as (made, answers):
            made.take(pieces("one", BROKEN, "three"))
            await through_with(made)
            assert answers.told == []
            assert [error.code for error in answers.errors] == ["redaction-detector"]
            made.take([DONE])
            assert (answers.told, answers.run.rows) == ([], 0)

    asyncio.run(go())


def test_an_alarm_counts_what_it_could_not_look_at(tmp_path: Path) -> None:
    async def go() -> None:
        with contents(tmp_path, mask=False) as (made, answers):
            made.take(pieces(OTHER, BROKEN))
            made.take(pieces(OTHER))
            await through_with(made)
            rows = [row(OTHER) + row(BROKEN), row(OTHER)]
            assert answers.told == [rows[0], DONE.data, rows[1], DONE.data]
            assert (answers.run.unseen, answers.run.rows, answers.errors) == (2, 3, [])
            assert len(answers.run.found) == 1

    asyncio.run(go())


def test_rows_that_were_not_described_do_not_pass(tmp_path: Path) -> None:
    async def go() -> None:
        with contents(tmp_path, mask=False) as (made, answers):
            answers.run.description = b""
            made.take(pieces("one"))
            await through_with(made)
            assert answers.told == []
            assert [error.code for error in answers.errors] == ["pg-undescribed"]

    asyncio.run(go())


def test_an_end_in_the_midst(tmp_path: Path) -> None:
    async def go() -> None:
        with contents(tmp_path) as (made, answers):
            made.take(pieces(*[OTHER] * (3 * MAX_ROWS)))
            await made.close()
            assert (made.working, answers.told, answers.errors) == (False, [], [])

    asyncio.run(go())


def test_batches() -> None:
    one = message(Back.DATA_ROW, b"abc")
    assert list(batches(b"", 10)) == []
    assert list(batches(one * (2 * MAX_ROWS + 1), 2**20)) == [
        (one * MAX_ROWS, MAX_ROWS),
        (one * MAX_ROWS, MAX_ROWS),
        (one, 1),
    ]
    assert list(batches(one * 3, 2 * len(one))) == [(one * 2, 2), (one, 1)]
    assert list(batches(one * 2, 1)) == [(one, 1), (one, 1)]  # one may always have more
    assert list(batches(one * 3, 0, 2)) == [(one * 2, 2), (one, 1)]
