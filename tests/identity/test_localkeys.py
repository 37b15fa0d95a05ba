"""The local issuer's key, read again whenever its file changes."""

import asyncio
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError, UpstreamError
from proctor.identity.jose import Jws, parse_jws
from proctor.identity.local import FILE, make
from proctor.identity.localkeys import LocalKeys
from tests.support.identity import NOW, refused


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / FILE


def token(file: Path) -> Jws:
    issuer = make(file)
    return parse_jws(issuer.issue(subject="alice", groups=[], audience="proctor", ttl=60, now=NOW))


def test_keys_made_later_are_found(file: Path) -> None:
    keys = LocalKeys(file)

    async def main() -> None:
        await keys.warm()
        assert keys.generation() is None
        jws = token(file)
        found = await keys.find(jws)
        assert [key.verifies(jws) for key in found.keys] == [True]
        assert found.generation == keys.generation() == 1
        await keys.close()

    asyncio.run(main())


def test_other_keys_and_none_are_noticed(file: Path) -> None:
    keys = LocalKeys(file)
    old = token(file)
    assert asyncio.run(keys.find(old)).keys
    file.rename(file.with_suffix(".old"))
    assert keys.generation() is None
    assert asyncio.run(keys.find(old)).keys == ()
    new = token(file)
    assert asyncio.run(keys.find(old)).keys == ()
    assert asyncio.run(keys.find(new)).keys
    assert keys.generation() == 2


def test_a_file_that_is_opened_to_others_is_not_used_from_then_on(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = LocalKeys(file)
    jws = token(file)
    assert keys.generation() == 1
    file.chmod(0o644)
    assert keys.generation() is None
    error = refused("issuer-unreachable", keys.find(jws))
    assert isinstance(error, UpstreamError)
    assert error.status == 503
    assert "open to others" in error.got
    with pytest.raises(ConfigurationError):
        asyncio.run(keys.warm())
    assert len(caplog.records) == 1
    file.chmod(0o600)
    assert asyncio.run(keys.find(jws)).keys
