"""Secrets, kept fresh."""

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from proctor.credentials import fresh
from proctor.credentials.fresh import RERUN, FreshSecrets
from proctor.credentials.secrets import Secret, read_secret
from proctor.errors import ConfigurationError
from proctor.fields import SecretSource
from proctor.runtime.tasks import spawn


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def drive(
    source: SecretSource,
    use: Callable[[FreshSecrets, Clock], Awaitable[None]],
    environment: dict[str, str] | None = None,
) -> None:
    async def main() -> None:
        clock = Clock()
        secrets = FreshSecrets(clock=clock, environment=environment)
        await secrets.secret(source)
        await use(secrets, clock)

    asyncio.run(main())


def value(secrets: FreshSecrets, source: SecretSource) -> str | None:
    secret = secrets.current(source)
    return secret.value if secret else None


def counting(tmp_path: Path, **more: Any) -> SecretSource:
    """A command that gives another value each time: v1, v2, …; it fails once `stop` exists."""
    code = (
        "import json, pathlib, sys; folder = pathlib.Path(sys.argv[1]); n = folder / 'n';"
        "(folder / 'stop').exists() and sys.exit(1);"
        "count = int(n.read_text()) + 1 if n.exists() else 1; n.write_text(str(count));"
        "print(json.dumps({'value': f'v{count}', **json.loads(sys.argv[2])}))"
    )
    return SecretSource(command=(sys.executable, "-c", code, str(tmp_path), json.dumps(more)))


def held_up(monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
    """Every read says that it has begun, and goes on when it may."""
    reading, go = asyncio.Event(), asyncio.Event()

    async def read(*args: Any, **more: Any) -> Secret:
        reading.set()
        await go.wait()
        return await read_secret(*args, **more)

    monkeypatch.setattr(fresh, "read_secret", read)
    return reading, go


def test_nothing_is_current_before_it_is_read() -> None:
    assert FreshSecrets(clock=Clock()).current(SecretSource(env="KEY")) is None


def test_a_file_is_read_again_when_it_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "secret"

    def write(text: str) -> None:
        new = tmp_path / "new"
        new.write_text(text)
        new.chmod(0o600)
        new.replace(path)

    async def use(secrets: FreshSecrets, _: Clock) -> None:
        before = secrets.current(source)
        await secrets.refresh()
        assert secrets.current(source) is before
        write("v2")
        await secrets.refresh()
        assert value(secrets, source) == "v2"
        write("")  # wrong: reported once, the old one stays
        await secrets.refresh()
        await secrets.refresh()
        assert value(secrets, source) == "v2"
        path.unlink()
        await secrets.refresh()
        assert value(secrets, source) == "v2"
        write("v3")
        await secrets.refresh()
        assert value(secrets, source) == "v3"

    source = SecretSource(file=path)
    write("v1")
    with caplog.at_level(logging.INFO):
        drive(source, use)
    events = [record.__dict__["event"] for record in caplog.records]
    assert events == ["credential.refreshed", *["credential.stale"] * 2, "credential.refreshed"]
    assert "v2" not in caplog.text


def test_a_refresh_waits_for_the_one_that_reads_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        clock = Clock()
        secrets = FreshSecrets(clock=clock)
        source = counting(tmp_path)
        await secrets.secret(source)
        reading, go = held_up(monkeypatch)
        clock.now += RERUN
        first = spawn(secrets.refresh(), name="a refresh")
        await reading.wait()
        second = spawn(secrets.refresh(), name="a refresh")
        go.set()
        await second
        assert value(secrets, source) == "v2"  # and not "v3": it ran once
        await first

    asyncio.run(main())


def test_a_file_being_read_is_not_taken_for_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        path = tmp_path / "secret"
        path.write_text("one")
        path.chmod(0o600)
        secrets = FreshSecrets(clock=Clock())
        source = SecretSource(file=path)
        await secrets.secret(source)
        reading, go = held_up(monkeypatch)
        path.write_text("longer")
        first = spawn(secrets.refresh(), name="a refresh")
        await reading.wait()
        second = spawn(secrets.refresh(), name="a refresh")
        done, _ = await asyncio.wait({second}, timeout=0.1)
        assert not done
        go.set()
        await second
        assert value(secrets, source) == "longer"
        await first

    asyncio.run(main())


def test_a_command_runs_again_before_its_value_expires(tmp_path: Path) -> None:
    async def use(secrets: FreshSecrets, clock: Clock) -> None:
        assert value(secrets, source) == "v1"
        clock.now = 1799
        await secrets.refresh()
        assert value(secrets, source) == "v1"
        clock.now = 1800  # a fifth of its 1000 s is left
        await secrets.refresh()
        assert value(secrets, source) == "v2"

    source = counting(tmp_path, expires_at=2000)
    drive(source, use)


def test_a_command_without_expiry_runs_again_now_and_then(tmp_path: Path) -> None:
    async def use(secrets: FreshSecrets, clock: Clock) -> None:
        clock.now += RERUN - 1
        await secrets.refresh()
        assert value(secrets, source) == "v1"
        clock.now += 1
        await secrets.refresh()
        assert value(secrets, source) == "v2"

    source = counting(tmp_path)
    drive(source, use)


def test_an_expired_value_is_never_sent(tmp_path: Path) -> None:
    async def use(secrets: FreshSecrets, clock: Clock) -> None:
        (tmp_path / "stop").touch()
        clock.now = 1900
        await secrets.refresh()
        assert value(secrets, source) == "v1"  # still good, though the refresh failed
        clock.now = 1901
        (tmp_path / "stop").unlink()
        await secrets.refresh()
        assert value(secrets, source) == "v1"  # not asked again so soon
        clock.now = 2000
        assert secrets.current(source) is None

    source = counting(tmp_path, expires_at=2000)
    drive(source, use)


def test_a_secret_of_our_own_is_read_once() -> None:
    async def main() -> None:
        environment = {"KEY": "v"}
        secrets = FreshSecrets(clock=Clock(), environment=environment)
        source = SecretSource(env="KEY")
        assert await secrets.secret(source) == "v"
        environment.clear()
        assert await secrets.secret(source) == "v"
        with pytest.raises(ConfigurationError):
            await secrets.secret(SecretSource(env="OTHER"))

    asyncio.run(main())


def test_several_wait_for_one_run(tmp_path: Path) -> None:
    async def main() -> None:
        secrets = FreshSecrets(clock=Clock())
        source = counting(tmp_path)
        found = await asyncio.gather(*(secrets.secret(source) for _ in range(5)))
        assert found == ["v1"] * 5

    asyncio.run(main())


def test_no_repr_shows_a_value() -> None:
    async def use(secrets: FreshSecrets, _: Clock) -> None:
        assert "Zx9" not in repr(secrets)
        assert "Zx9" not in repr(secrets._held)

    drive(SecretSource(env="KEY"), use, {"KEY": "Zx9"})
