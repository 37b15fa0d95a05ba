"""A session as a file."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from proctor.approval.model import Role
from proctor.audit.store import Store
from proctor.console import download
from tests.console.samples import CAROL, person
from tests.console.stand import Answer, Stand, asked
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, others, record, story

ONE = f"/sessions/one?id={SESSION}&principal={quote(ALICE.key, safe='')}"
SENT = {"session": SESSION, "principal": ALICE.key, "format": "ndjson"}


class Kept:
    """Takes the place of Upkeep and of its recorder."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.at(folder)
        self.told: list[dict[str, Any]] = []
        self.broken = False

    @property
    def recorder(self) -> "Kept":
        return self

    async def event(self, kind: str, detail: dict[str, Any]) -> int:
        if self.broken:
            raise OSError
        assert kind == "export"
        self.told.append(detail)
        return 1


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("download")
    record(folder / "recordings", story, others)
    (folder / "state").mkdir()
    return folder


@pytest.fixture
def stand(recordings: Path) -> Stand:
    return Stand(recordings, reviewer=CAROL, upkeep=Kept(recordings / "recordings"))


def got(stand: Stand, **changed: str) -> Answer:
    return asked(stand, "/sessions/export", fields=SENT | changed)


def test_lines(stand: Stand) -> None:
    answer = got(stand)
    assert answer.status == 200, answer.text
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert {line["session_id"] for line in lines} == {SESSION}
    assert {line["subject"] for line in (each["actor"] for each in lines)} == {"alice"}
    assert any("How many files" in (line["data"].get("prompt") or "") for line in lines)
    assert answer.headers["content-disposition"] == (
        'attachment; filename="session-3f2a7c1e000040008000000000000001.ndjson"'
    )
    assert answer.headers["content-type"] == "application/x-ndjson"
    (told,) = stand.upkeep.told
    assert told == {
        "by": CAROL.key, "format": "ndjson", "content": True, "session": SESSION,
        "principal": ALICE.key, "rows": len(lines), "to": "console",
    }  # fmt: skip
    assert list((stand.folder / "state").iterdir()) == []


def test_har(stand: Stand) -> None:
    log = json.loads(got(stand, format="har").text)["log"]
    assert len(log["entries"]) == stand.upkeep.told[0]["rows"]
    assert {entry["_proctor"]["proctor.session"] for entry in log["entries"]} == {SESSION}


def test_no_other_whose_name_begins_so(stand: Stand) -> None:
    assert got(stand, session=SESSION[:8]).status == 404
    assert got(stand, principal="").status == 404
    assert got(stand, principal="https://idp#dave").status == 404
    assert stand.upkeep.told == []


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.AUDITOR, Role.ADMIN}))
def test_who_may_not(stand: Stand, role: Role) -> None:
    stand.reviewer = person("dave", role)
    assert got(stand).status == 403
    assert 'action="/sessions/export"' not in asked(stand, ONE).text
    assert stand.upkeep.told == []


def test_who_may(stand: Stand) -> None:
    stand.reviewer = person("dave", Role.AUDITOR)
    assert got(stand).status == 200
    assert 'action="/sessions/export"' in asked(stand, ONE).text


@pytest.mark.parametrize(
    "wrong", [{"session": ""}, {"session": "s" * 600}, {"format": "mitm"}, {"principal": "p" * 600}]
)
def test_what_is_not_clear(stand: Stand, wrong: dict[str, str]) -> None:
    answer = got(stand, **wrong)
    assert (answer.status, "cannot be read" in answer.text) == (400, True)


def test_a_form_of_somebody_else(stand: Stand) -> None:
    assert asked(stand, "/sessions/export", fields=SENT, csrf="another").status == 403


def test_too_large(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MOST_BYTES", 100)
    answer = got(stand)
    assert (answer.status, "proctor export --session" in answer.text) == (413, True)
    assert stand.upkeep.told == []


def test_what_cannot_be_put_on_record_is_not_given(stand: Stand) -> None:
    stand.upkeep.broken = True
    with pytest.raises(OSError):  # noqa: PT011 - the house's shell makes a 500 of it
        got(stand)


def test_nobody_keeps_the_record(stand: Stand) -> None:
    stand.upkeep = None
    assert got(stand).status == 503
