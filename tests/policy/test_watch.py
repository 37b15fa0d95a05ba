"""Rules reload all or nothing, and the old ones stay in force meanwhile."""

import asyncio
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError
from proctor.model import Allow, Deny
from proctor.policy.engine import Policy
from proctor.policy.features import Features
from proctor.policy.watch import PolicyWatch
from tests.support.cases import case

ALLOW = "rules: [{id: a, on: llm.request, then: allow}]\n"
DENY = "rules: [{id: b, on: llm.request, then: deny}]\n"
BROKEN = "rules: [{id: b, on: llm.request, then: maybe}]\n"


class House:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "rules.yaml"
        self.reports: list[Policy | ConfigurationError] = []
        self.file.write_text(ALLOW)
        self.watch = PolicyWatch(
            folder, features=Features(), report=self.reports.append, interval=0.001
        )

    def look(self, text: str | None = None) -> list[str]:
        """Look after writing; what was reported since."""
        if text is not None:
            self.file.write_text(text)
        self.reports.clear()
        asyncio.run(self.watch.look())
        return [type(report).__name__ for report in self.reports]

    def verdict(self) -> type:
        return type(self.watch.current.decide(case()).verdict)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_change_is_taken(house: House) -> None:
    assert house.look() == []
    assert house.look(DENY) == ["Policy"]
    assert house.verdict() is Deny
    assert house.look() == []


def test_a_broken_file_keeps_the_old_rules(house: House) -> None:
    before = house.watch.current
    assert house.look(BROKEN) == ["ConfigurationError"]
    assert house.watch.current is before
    assert house.look() == []  # reported once
    assert house.look(BROKEN + "# still\n") == ["ConfigurationError"]
    assert house.look(ALLOW) == ["Policy"]  # as good as before, and reported
    assert house.look(ALLOW + "# the same in other bytes\n") == ["Policy"]


def test_one_broken_file_holds_back_all(house: House) -> None:
    (house.file.parent / "z.yaml").write_text(BROKEN)
    assert house.look(DENY) == ["ConfigurationError"]
    assert house.verdict() is Allow


def test_removed_rules_stay_in_force(house: House) -> None:
    house.file.unlink()
    assert house.look() == ["ConfigurationError"]
    assert house.verdict() is Allow
    house.file.parent.rename(house.file.parent.with_name("gone"))
    assert house.look() == ["ConfigurationError"]
    assert house.verdict() is Allow
    house.file.parent.mkdir()
    assert house.look(DENY) == ["Policy"]


def test_the_same_bytes_again_are_no_news(house: House) -> None:
    replacement = house.file.with_name(".new")
    replacement.write_text(ALLOW)
    replacement.rename(house.file)
    assert house.look() == []


def test_an_edit_in_place_of_the_same_size_is_seen(house: House) -> None:
    assert house.look(ALLOW.replace("id: a", "id: c")) == ["Policy"]


def test_reload_at_once(house: House) -> None:
    house.file.write_text(DENY)
    assert house.watch.reload()
    assert house.verdict() is Deny
    assert len(house.reports) == 1
    assert house.watch.reload()  # asked for, so answered
    assert len(house.reports) == 2
    house.file.write_text(BROKEN)
    assert not house.watch.reload()
    assert house.verdict() is Deny
    assert house.look() == []  # already reported


def test_broken_at_the_start_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BROKEN)
    with pytest.raises(ConfigurationError):
        PolicyWatch(tmp_path, features=Features(), report=lambda _: None)


def test_runs_by_itself(house: House) -> None:
    async def wait() -> None:
        reported = asyncio.Event()
        watch = PolicyWatch(
            house.file.parent,
            features=Features(),
            report=lambda _: reported.set(),
            interval=0.001,
        )
        task = asyncio.ensure_future(watch.run())
        house.file.write_text(DENY)
        async with asyncio.timeout(30):
            await reported.wait()
        task.cancel()
        house.watch = watch

    asyncio.run(wait())
    assert house.verdict() is Deny
