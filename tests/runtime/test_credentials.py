"""The real credentials, kept ready and fresh."""

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from proctor.errors import ConfigurationError, InternalError
from proctor.fields import SecretSource
from proctor.runtime.credentials import RERUN, Credentials
from proctor.settings import CredentialSettings


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def item(value: SecretSource, header: str = "x-api-key") -> CredentialSettings:
    return CredentialSettings(name="a", header=header, value=value)


def drive(
    settings: CredentialSettings,
    use: Callable[[Credentials, Clock], Awaitable[None]],
    environment: dict[str, str] | None = None,
) -> None:
    async def main() -> None:
        clock = Clock()
        credentials = Credentials([settings], clock=clock, environment=environment)
        await credentials.start()
        try:
            await use(credentials, clock)
        finally:
            await credentials.close()

    asyncio.run(main())


def value(credentials: Credentials) -> bytes:
    ((_, found),) = credentials.headers_for("a")
    return found


def counting(tmp_path: Path, **more: Any) -> SecretSource:
    """A command that gives another value each time: v1, v2, …; it fails once `stop` exists."""
    code = (
        "import json, pathlib, sys; folder = pathlib.Path(sys.argv[1]); n = folder / 'n';"
        "(folder / 'stop').exists() and sys.exit(1);"
        "count = int(n.read_text()) + 1 if n.exists() else 1; n.write_text(str(count));"
        "print(json.dumps({'value': f'v{count}', **json.loads(sys.argv[2])}))"
    )
    return SecretSource(command=(sys.executable, "-c", code, str(tmp_path), json.dumps(more)))


@pytest.mark.parametrize(
    ("header", "expected"),
    [("x-api-key", (b"x-api-key", b"v")), ("authorization", (b"authorization", b"Bearer v"))],
)
def test_headers(header: str, expected: tuple[bytes, bytes]) -> None:
    async def use(credentials: Credentials, _: Clock) -> None:
        assert credentials.headers_for("a") == (expected,)
        assert credentials.headers_for("a") is credentials.headers_for("a")

    drive(item(SecretSource(env="KEY"), header), use, {"KEY": "v"})


def test_nothing_starts_without_a_value() -> None:
    async def use(*_: object) -> None:
        raise AssertionError

    with pytest.raises(ConfigurationError, match="no environment variable KEY"):
        drive(item(SecretSource(env="KEY")), use, {})


def test_before_the_start_there_is_none() -> None:
    credentials = Credentials([item(SecretSource(env="KEY"))], environment={"KEY": "v"})
    with pytest.raises(InternalError) as caught:
        credentials.headers_for("a")
    assert caught.value.code == "credential-unavailable"
    assert caught.value.status == 503


def test_a_file_is_read_again_when_it_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "secret"

    def write(text: str) -> None:
        new = tmp_path / "new"
        new.write_text(text)
        new.chmod(0o600)
        new.replace(path)

    async def use(credentials: Credentials, _: Clock) -> None:
        before = credentials.headers_for("a")
        await credentials.refresh()
        assert credentials.headers_for("a") is before
        write("v2")
        await credentials.refresh()
        assert value(credentials) == b"v2"
        write("")  # wrong: reported once, the old one stays
        await credentials.refresh()
        await credentials.refresh()
        assert value(credentials) == b"v2"
        path.unlink()
        await credentials.refresh()
        assert value(credentials) == b"v2"
        write("v3")
        await credentials.refresh()
        assert value(credentials) == b"v3"

    write("v1")
    with caplog.at_level(logging.INFO):
        drive(item(SecretSource(file=path)), use)
    events = [record.__dict__["event"] for record in caplog.records]
    assert events == ["credential.refreshed", *["credential.stale"] * 2, "credential.refreshed"]
    assert "v2" not in caplog.text


def test_a_command_runs_again_before_its_value_expires(tmp_path: Path) -> None:
    async def use(credentials: Credentials, clock: Clock) -> None:
        assert value(credentials) == b"v1"
        clock.now = 1799
        await credentials.refresh()
        assert value(credentials) == b"v1"
        clock.now = 1800  # a fifth of its 1000 s is left
        await credentials.refresh()
        assert value(credentials) == b"v2"

    drive(item(counting(tmp_path, expires_at=2000)), use)


def test_a_command_without_expiry_runs_again_now_and_then(tmp_path: Path) -> None:
    async def use(credentials: Credentials, clock: Clock) -> None:
        clock.now += RERUN - 1
        await credentials.refresh()
        assert value(credentials) == b"v1"
        clock.now += 1
        await credentials.refresh()
        assert value(credentials) == b"v2"

    drive(item(counting(tmp_path)), use)


def test_an_expired_value_is_never_sent(tmp_path: Path) -> None:
    async def use(credentials: Credentials, clock: Clock) -> None:
        (tmp_path / "stop").touch()
        clock.now = 1900
        await credentials.refresh()
        assert value(credentials) == b"v1"  # still good, though the refresh failed
        clock.now = 1901
        (tmp_path / "stop").unlink()
        await credentials.refresh()
        assert value(credentials) == b"v1"  # not asked again so soon
        clock.now = 2000
        with pytest.raises(InternalError):
            credentials.headers_for("a")

    drive(item(counting(tmp_path, expires_at=2000)), use)


def test_a_secret_of_our_own_is_read_once() -> None:
    async def main() -> None:
        environment = {"KEY": "v"}
        credentials = Credentials([], environment=environment)
        source = SecretSource(env="KEY")
        assert await credentials.secret(source) == "v"
        environment.clear()
        assert await credentials.secret(source) == "v"
        with pytest.raises(ConfigurationError):
            await credentials.secret(SecretSource(env="OTHER"))

    asyncio.run(main())


def test_several_wait_for_one_run(tmp_path: Path) -> None:
    async def main() -> None:
        credentials = Credentials([])
        source = counting(tmp_path)
        found = await asyncio.gather(*(credentials.secret(source) for _ in range(5)))
        assert found == ["v1"] * 5

    asyncio.run(main())


def test_no_repr_shows_a_value() -> None:
    async def use(credentials: Credentials, _: Clock) -> None:
        assert "Zx9" not in repr(credentials)
        assert "Zx9" not in repr(credentials._held)
        assert "Zx9" not in repr(credentials._settings)

    drive(item(SecretSource(env="KEY")), use, {"KEY": "Zx9"})
