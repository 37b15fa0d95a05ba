"""A log that is added while the witness runs."""

import asyncio
import logging
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError
from proctor.witness.watch import LogsWatch
from tests.support.envelopes import until
from tests.support.logs import ORIGIN, Log

TEXT = "name: witness.example/w\nlisten: 127.0.0.1:0\nkey: key.pem\nstate: state\nlogs: [{logs}]\n"


def write(path: Path, logs: str = "", text: str = TEXT) -> None:
    """As the command does: another file takes its place."""
    draft = path.with_suffix(".draft")
    draft.write_text(text.format(logs=logs))
    draft.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "witness.yaml")
    return tmp_path / "witness.yaml"


def look(watch: LogsWatch) -> None:
    asyncio.run(watch.look())


def test_logs_come_and_go(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watch = LogsWatch(path)
    key = Log().key
    assert watch.keys_for(ORIGIN) == ()
    look(watch)
    assert caplog.messages == []
    write(path, f'"{key}"')
    assert watch.keys_for(ORIGIN) == ()
    look(watch)
    assert watch.keys_for(ORIGIN) == (key,)
    write(path)
    look(watch)
    assert watch.keys_for(ORIGIN) == ()
    assert caplog.messages == ["the witness's logs are in force"] * 2


@pytest.mark.parametrize("harm", ["logs: [", "name: x\n", None])
def test_a_file_that_is_broken_changes_nothing(
    path: Path, harm: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    key = Log().key
    write(path, f'"{key}"')
    watch = LogsWatch(path)
    if harm is None:
        path.unlink()
    else:
        path.write_text(harm)
    look(watch)
    look(watch)
    assert watch.keys_for(ORIGIN) == (key,)
    assert [record.levelname for record in caplog.records] == ["ERROR"]  # said once
    write(path)
    look(watch)
    assert watch.keys_for(ORIGIN) == ()


def test_what_takes_a_restart_is_said(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch = LogsWatch(path)
    write(path, text=TEXT.replace("state: state", "state: other"))
    look(watch)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_it_begins_with_a_file_that_is_right(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        LogsWatch(tmp_path / "witness.yaml")


def test_it_looks_by_itself(path: Path) -> None:
    async def main() -> None:
        watch = LogsWatch(path, interval=0.01)
        task = asyncio.ensure_future(watch.run())
        write(path, f'"{Log().key}"')
        await until(lambda: bool(watch.keys_for(ORIGIN)))
        task.cancel()

    asyncio.run(main())
