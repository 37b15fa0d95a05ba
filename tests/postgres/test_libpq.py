"""PostgreSQL 18's own client library signs in by OAUTHBEARER.

The flow at the issuer is the program's own (PQsetAuthDataHook): libpq's module for the device flow,
libpq-oauth, is in none of the packages that tests get PostgreSQL 18 from.
"""

import asyncio
import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from proctor.protocols.postgres.signin import Discovery
from tests.postgres.relaying import TOKEN, Run, listening
from tests.postgres.server import Server

pytestmark = pytest.mark.e2e

ISSUER = "https://idp.test"
WHERE = Discovery(
    configuration=f"{ISSUER}/.well-known/openid-configuration", scope="openid databases"
)
_BEARER_TOKEN = 1  # PQAUTHDATA_OAUTH_BEARER_TOKEN


class Request(ctypes.Structure):
    """PGoauthBearerRequest."""

    _fields_ = (
        ("openid_configuration", ctypes.c_char_p),
        ("scope", ctypes.c_char_p),
        ("poll", ctypes.c_void_p),
        ("cleanup", ctypes.c_void_p),
        ("token", ctypes.c_char_p),
        ("user", ctypes.c_void_p),
    )


Hook = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(Request))


@pytest.fixture(scope="module")
def libpq(postgres18: Server) -> Any:
    library = ctypes.CDLL(str(postgres18.bin.parent / "lib/libpq.so.5"))
    library.PQconnectdb.restype = library.PQexec.restype = ctypes.c_void_p
    for name in ("PQerrorMessage", "PQgetvalue"):
        getattr(library, name).restype = ctypes.c_char_p
    return library


@contextmanager
def giving(libpq: Any, token: str, asked: list[tuple[bytes, bytes]]) -> Iterator[None]:
    """As long as the block lasts, programs of this process have this token for libpq."""

    def hook(kind: int, _connection: object, request: Any) -> int:
        if kind != _BEARER_TOKEN:
            return 0
        asked.append((request.contents.openid_configuration, request.contents.scope))
        request.contents.token = token.encode()
        return 1

    kept = Hook(hook)
    libpq.PQsetAuthDataHook(kept)
    yield
    libpq.PQsetAuthDataHook(None)


def answer(libpq: Any, dsn: str) -> str:
    """What a query answers, or why there is no connection."""
    connection = ctypes.c_void_p(libpq.PQconnectdb(dsn.encode()))
    try:
        if libpq.PQstatus(connection):
            return str(libpq.PQerrorMessage(connection).decode())
        result = ctypes.c_void_p(libpq.PQexec(connection, b"SELECT 'here'"))
        value = str(libpq.PQgetvalue(result, 0, 0).decode())
        libpq.PQclear(result)
        return value
    finally:
        libpq.PQfinish(connection)


@pytest.mark.parametrize("token", [TOKEN, "another"])
def test_a_program_learns_where_tokens_are_and_brings_one(
    libpq: Any, postgres18: Server, run: Run, token: str
) -> None:
    asked: list[tuple[bytes, bytes]] = []

    async def test() -> None:
        async with listening(postgres18, discovery=WHERE) as listener:
            dsn = listener.dsn(password="", oauth_issuer=ISSUER, oauth_client_id="psql")
            with giving(libpq, token, asked):
                said = await asyncio.to_thread(answer, libpq, dsn)
        if token == TOKEN:
            assert said == "here"
        else:
            assert "FATAL" in said
            assert token not in said

    run(test())
    assert asked[0] == (WHERE.configuration.encode(), WHERE.scope.encode())
