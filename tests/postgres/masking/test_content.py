"""Texts in rows, looked at by what they hold."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from struct import pack

import psycopg
import pytest

from proctor.errors import ClientError, InternalError
from proctor.postgres.masking import ContentRows, FieldDescription, Looked
from proctor.protocols.postgres.messages import Back, message
from proctor.redaction.model import RedactionError
from proctor.redaction.surrogates import TOKEN
from tests.postgres.server import Server
from tests.support.parts import ALICE
from tests.support.screened import BROKEN, KEY, MAIL, OTHER, screens

TEXT, ARRAY, JSON, JSONB, INT = 25, 1009, 114, 3802, 23


@contextmanager
def content(
    folder: Path, *, mask: bool = True, encoding: str = "utf-8", response: str = "mask"
) -> Iterator[ContentRows]:
    entities = {"EMAIL_ADDRESS": response}
    with screens(folder / "state", entities=entities) as made:
        screen = made.on("api")
        assert screen
        yield ContentRows(screen, ALICE, None, mask=mask, encoding=encoding)


def fields(*types: int) -> tuple[FieldDescription, ...]:
    return tuple(FieldDescription(b"note", 0, 0, oid, binary=False) for oid in types)


def run(*rows: Sequence[bytes | None]) -> bytes:
    found = b""
    for row in rows:
        body = pack("!H", len(row))
        for value in row:
            body += pack("!i", -1) if value is None else pack("!i", len(value)) + value
        found += b"D" + pack("!I", len(body) + 4) + body
    return found


def looked(
    used: ContentRows, data: bytes, types: Sequence[int], formats: Sequence[int] = ()
) -> Looked:
    return asyncio.run(used.rows(data, fields(*types), formats))


def test_texts_are_masked_and_told_of(tmp_path: Path) -> None:
    data = run((b"1", f"write to {MAIL} soon".encode(), None), (b"2", b"nothing", b""))
    with content(tmp_path) as used:
        found = looked(used, data, (INT, TEXT, TEXT))
    expected = run((b"1", b"write to <EMAIL_ADDRESS> soon", None), (b"2", b"nothing", b""))
    assert found.data == expected
    (finding,) = found.findings
    assert (finding.type, finding.location, finding.direction) == (
        "EMAIL_ADDRESS",
        "note",
        "response",
    )
    assert found.counts == (1,)
    assert MAIL not in repr(found)


def test_an_alarm_changes_nothing(tmp_path: Path) -> None:
    data = run((MAIL.encode(),))
    with content(tmp_path, mask=False) as used:
        found = looked(used, data, (TEXT,))
    assert (found.data, len(found.findings)) == (data, 1)


def test_surrogates_are_those_of_prompts(tmp_path: Path) -> None:
    with content(tmp_path, response="surrogate") as used:
        found = looked(used, run((MAIL.encode(),), (MAIL.encode(),)), (TEXT,))
    tokens = TOKEN.findall(found.data.decode("latin-1"))
    assert len(tokens) == 2
    assert len(set(tokens)) == 1


def test_every_kind_of_text_stays_valid(tmp_path: Path, postgres: Server) -> None:
    values = {
        f'{{{MAIL},NULL,"a {OTHER}"}}': "text[]",
        f'{{"mail": "{MAIL}", "more": ["{OTHER}", 1]}}': "json",
        f'{{"mail": "{MAIL}"}}': "jsonb",
        f"see {MAIL}": "varchar",
        f"({MAIL},1)": "contact",
    }
    with (
        psycopg.connect(postgres.dsn()) as connection,
        content(tmp_path) as used,
    ):
        connection.execute("CREATE TEMP TABLE contact(mail text, n int)")
        for value, kind in values.items():
            for binary in (False, True):
                cursor = connection.cursor(binary=binary)
                cursor.execute(f"SELECT %s::text::{kind}", (value,))
                assert cursor.pgresult
                data, oid = cursor.pgresult.get_value(0, 0), cursor.pgresult.ftype(0)
                assert data
                found = looked(used, run((bytes(data),)), (oid,), (int(binary),)).data
                assert MAIL.encode() not in found
                assert OTHER.encode() not in found
                if binary and kind == "contact":
                    assert found == run((None,))  # it cannot be written anew
                    continue
                new = found[11:]
                result = connection.pgconn.exec_params(
                    f"SELECT ($1::{kind})::text".encode(), [new], None, [int(binary)]
                )
                assert not result.error_message
                assert b"EMAIL_ADDRESS" in (result.get_value(0, 0) or b"")


def test_numbers_and_dates_are_no_text(tmp_path: Path) -> None:
    data = run((MAIL.encode(), MAIL.encode()))
    with content(tmp_path) as used:
        assert looked(used, data, (INT, 1082)) == Looked(data)
        assert looked(used, data, (17, 869), (1,)) == Looked(data)
        unknown = (70000, 70000)
        assert looked(used, data, unknown, (1,)).data == run((None, None))
        assert looked(used, data, unknown).findings


def test_json_that_would_break_becomes_null(tmp_path: Path) -> None:
    data = run((f'{MAIL}"'.encode(),))  # no JSON at all
    with content(tmp_path) as used:
        assert looked(used, data, (JSON,)).data == run((None,))


@pytest.mark.parametrize("kind", [650, 651, 774, 775, 829, 869, 1040, 1041])
def test_an_address_becomes_null_for_what_replaces_it_is_none(tmp_path: Path, kind: int) -> None:
    data = run((MAIL.encode(), b"nothing"))
    with content(tmp_path) as used:
        found = looked(used, data, (kind, TEXT))
        assert found.data == run((None, b"nothing"))
        assert found.findings
    with content(tmp_path, mask=False) as used:
        assert looked(used, data, (kind, TEXT)).data == data


def test_other_encodings(tmp_path: Path) -> None:
    data = run((f"é {MAIL}".encode("latin-1"),))
    with content(tmp_path, encoding="latin-1") as used:
        assert looked(used, data, (TEXT,)).data == run(("é <EMAIL_ADDRESS>".encode("latin-1"),))


def copied(*lines: str) -> bytes:
    return b"".join(message(Back.COPY_DATA, line.encode()) for line in lines)


def test_lines_of_copy(tmp_path: Path) -> None:
    with content(tmp_path) as used:
        found = asyncio.run(used.copied(copied(f"1\t{MAIL}\t\\N\n", f"2\ta {OTHER}\t{KEY}\n")))
        masked = copied("1\t<EMAIL_ADDRESS>\t\\N\n", "2\ta <EMAIL_ADDRESS>\t<API_KEY>\n")
        assert found.data == masked
        assert [each.location for each in found.findings] == ["column 2", "column 2", "column 3"]
        lines = copied(f'1,"a ""{MAIL}"", b"\n', f"2,{OTHER}\n")
        found = asyncio.run(used.copied(lines, csv=True))
    assert found.data == copied('1,"a ""<EMAIL_ADDRESS>"", b"\n', "2,<EMAIL_ADDRESS>\n")


def test_errors_and_notifications(tmp_path: Path) -> None:
    body = f"SERROR\0C23505\0Mkey\0D({MAIL}) exists\0nuq\0\0".encode()
    with content(tmp_path) as used:
        found = asyncio.run(used.said(body))
        assert found.data == b"SERROR\0C23505\0Mkey\0D(<EMAIL_ADDRESS>) exists\0nuq\0\0"
        assert [each.location for each in found.findings] == ["detail"]
        found = asyncio.run(used.notified(b"\0\0\0\1news\0to " + MAIL.encode() + b"\0"))
        assert found.data == b"\0\0\0\1news\0to <EMAIL_ADDRESS>\0"
        found = asyncio.run(used.parameter(f"application_name\0{MAIL}\0".encode()))
        assert found.data == b"application_name\0<EMAIL_ADDRESS>\0"
        for broken in (b"", b"\0\0\0\1news\0payload"):
            with pytest.raises(ClientError):
                asyncio.run(used.notified(broken))
        with pytest.raises(ClientError):
            asyncio.run(used.said(b"SERROR"))


def test_what_cannot_be_looked_at_does_not_pass(tmp_path: Path) -> None:
    with content(tmp_path) as used:
        with pytest.raises(RedactionError):
            looked(used, run((BROKEN.encode(),)), (TEXT,))
        whole = run((b"abc", b"d"))
        for data in (*(whole[:size] for size in range(1, len(whole))), b"X" + whole[1:]):
            with pytest.raises(InternalError):
                looked(used, data, (TEXT, TEXT))
        with pytest.raises(InternalError):
            looked(used, whole, (TEXT,))
