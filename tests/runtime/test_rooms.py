"""The rooms of a door beside a gateway; tests/stdio and tests/postgres open them in earnest."""

import asyncio
from pathlib import Path

import pytest

from proctor.config import Config, load
from proctor.errors import ConfigurationError
from proctor.runtime import rooms as rooms_
from proctor.runtime.features import features_of
from proctor.runtime.permissions import prepare
from proctor.runtime.rooms import Rooms
from tests.support.databases import LISTENER, configuration
from tests.support.envelopes import ask
from tests.support.screened import screens


def config(folder: Path) -> Config:
    file = configuration(folder, LISTENER, more="redaction: {profile: none}\n")
    file.write_text(
        file.read_text().replace("    - {issuer: https://idp.internal, audience: proctor}\n", "")
    )
    found = load(file)
    prepare(found, file)
    return found


def test_a_life(tmp_path: Path) -> None:
    this = config(tmp_path)

    async def run() -> None:
        rooms = Rooms(this, features=features_of(this), redacted=["orders"])
        opened = await rooms.open({"listeners": ["orders"], "more": 1})
        assert (opened.screens, opened.reviewers) == (None, ())
        rooms.reload()
        rooms.note("something", {"x": 1})
        await asyncio.sleep(0)
        await rooms.close()

    asyncio.run(run())
    said = ask(this.audit.path, "select kind, detail->>'more' from events order by seq")
    assert said[0] == ("start", "1")
    assert {kind for kind, _ in said} == {"start", "rules.reloaded", "something", "stop"}


def test_broken_rules_leave_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    this = config(tmp_path)
    (this.rules / "all.yaml").write_text("rules: 3\n")
    begun = screens(this.state)
    monkeypatch.setattr(rooms_, "open_screens", lambda *_, **__: begun.__enter__())

    async def run() -> None:
        rooms = Rooms(this, features=features_of(this), redacted=[])
        with pytest.raises(ConfigurationError):
            await rooms.open({})
        await rooms.close()

    asyncio.run(run())
    held = [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    assert not [name for name in held if name.startswith(str(tmp_path))]
