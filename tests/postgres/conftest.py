"""Real PostgreSQL servers, one of a version for all tests of the process."""

import asyncio
import os
from typing import NoReturn

import pytest
import uvloop

from tests.postgres import server
from tests.postgres.relaying import Run, runs
from tests.postgres.server import Server


@pytest.fixture(scope="session")
def postgres15() -> Server:
    """PostgreSQL 15, Debian's."""
    return _of("15")


@pytest.fixture(scope="session")
def postgres16() -> Server:
    """PostgreSQL 16."""
    return _of("16")


@pytest.fixture(scope="session")
def postgres18() -> Server:
    """PostgreSQL 18."""
    return _of("18")


@pytest.fixture(scope="session")
def postgres() -> Server:
    """The newest PostgreSQL that is installed."""
    try:
        version = server.newest()
    except server.MissingError as missing:
        _absent(missing)
    return _of(version)


@pytest.fixture(scope="session", params=server.VERSIONS)
def every_postgres(request: pytest.FixtureRequest) -> Server:
    """Each version in turn."""
    return _of(request.param)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a test under one kind of loop, then the other."""
    return runs(request.param)


def _of(version: str) -> Server:
    try:
        return server.shared(version)
    except server.MissingError as missing:
        _absent(missing)


def _absent(missing: server.MissingError) -> NoReturn:
    """Skip where PostgreSQL is not installed; in CI it must be."""
    if os.environ.get("CI"):
        pytest.fail(str(missing))
    pytest.skip(str(missing))
