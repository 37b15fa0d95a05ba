"""Exceptions: narrow, ending, and never read from a file that others can write."""

import json
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from proctor.errors import ConfigurationError
from proctor.redaction import exceptions
from proctor.redaction.exceptions import FILE, Allowance, Exceptions, add, load, remove

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
DIGEST = "ab" * 16
KEY = "betterleaks:generic-api-key"


def allowance(**more: Any) -> Allowance:
    fields: dict[str, Any] = {
        "detector": KEY, "digest": DIGEST, "reason": "A test key.", "by": "alice", "created": NOW,
        "expires": NOW + 30 * DAY,
    }  # fmt: skip
    return Allowance(**{**fields, **more})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / FILE


PLACE = {"digest": "", "path": "messages[*].content[0].text"}


@pytest.mark.parametrize(
    ("item", "detector", "digest", "location", "expected"),
    [
        ({}, KEY, DIGEST, "anywhere", True),
        ({}, KEY, "cd" * 16, "anywhere", False),
        ({}, KEY, "", "anywhere", False),
        ({}, "kingfisher:x", DIGEST, "anywhere", False),
        (PLACE, KEY, DIGEST, "messages[12].content[0].text", True),
        (PLACE, KEY, "", "messages[0].content[0].text", True),
        (PLACE, KEY, DIGEST, "messages[12].content[1].text", False),
        (PLACE, KEY, DIGEST, "messages[1].x[2].content[0].text", False),
        (PLACE, KEY, DIGEST, "messages[1].content[0].text.more", False),
        (PLACE, KEY, DIGEST, "messagesx1x.content[0]xtext", False),
        ({"path": "query.*"}, KEY, DIGEST, "query.*", True),
        ({"path": "query.*"}, KEY, DIGEST, "query.token", False),
        ({"path": "query.*"}, KEY, "cd" * 16, "query.*", False),
    ],
)
def test_only_what_was_named(
    item: dict[str, Any], detector: str, digest: str, location: str, *, expected: bool
) -> None:
    found = Exceptions([allowance(**item)])
    assert found.allowed(detector, digest, location, NOW) is expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [(-DAY, False), (0 * DAY, True), (30 * DAY - timedelta(seconds=1), True), (30 * DAY, False)],
)
def test_only_for_a_time(after: timedelta, *, expected: bool) -> None:
    assert Exceptions([allowance()]).allowed(KEY, DIGEST, "x", NOW + after) is expected


def test_none_allow_nothing() -> None:
    assert not Exceptions().allowed(KEY, DIGEST, "x", NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"digest": ""},
        {"digest": "", "path": "[*]"},
        {"digest": "", "path": "[1][*].0"},
        {"detector": "EMAIL_ADDRESS"},
        {"detector": "betterleaks:"},
        {"detector": "betterleaks:a\nb"},
        {"detector": f"{KEY}\n"},
        {"digest": "ab"},
        {"digest": DIGEST.upper()},
        {"digest": f"{DIGEST}\n"},
        {"reason": ""},
        {"expires": NOW},
        {"expires": NOW + 366 * DAY},
        {"created": datetime(2026, 3, 4, 12, 0)},  # noqa: DTZ001 - that is what is wrong
        {"type": "EMAIL_ADDRESS"},
    ],
)
def test_nothing_broad_or_endless(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        allowance(**wrong)


def test_added_and_removed(path: Path) -> None:
    assert load(path).items == ()
    one, other = allowance(), allowance(digest="", path="system")
    add(path, one, NOW)
    add(path, other, NOW)
    assert load(path).items == (one, other)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert remove(path, one.id) == one
    assert remove(path, one.id) is None
    assert load(path).items == (other,)


def test_the_same_again_is_renewed_and_what_has_ended_goes(path: Path) -> None:
    add(path, allowance(digest="", path="system", expires=NOW + DAY), NOW)
    add(path, allowance(), NOW)
    renewed = allowance(created=NOW + 2 * DAY, reason="Still one.")
    add(path, renewed, NOW + 2 * DAY)
    assert load(path).items == (renewed,)


def test_not_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exceptions, "MAX_ITEMS", 1)
    add(path, allowance(), NOW)
    with pytest.raises(ConfigurationError) as raised:
        add(path, allowance(path="system"), NOW)
    assert raised.value.code == "exceptions-full"
    assert load(path).items == (allowance(),)


def test_many_at_once_undo_nothing(path: Path) -> None:
    items = [allowance(path=f"system.a{n}") for n in range(6)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(add, path, item, NOW) for item in items]:
            done.result()
    assert {item.id for item in load(path).items} == {item.id for item in items}


@pytest.mark.parametrize("mode", [0o604, 0o660, 0o606])
def test_not_from_a_file_of_others(path: Path, mode: int) -> None:
    add(path, allowance(), NOW)
    path.chmod(mode)
    for call in (lambda: load(path), lambda: add(path, allowance(), NOW), lambda: remove(path, "")):
        with pytest.raises(ConfigurationError) as raised:
            call()
        assert raised.value.code == "open-to-others"


def test_not_from_a_folder_of_others(path: Path) -> None:
    add(path, allowance(), NOW)
    path.parent.chmod(0o770)
    with pytest.raises(ConfigurationError) as raised:
        load(path)
    assert raised.value.code == "open-to-others"


def test_not_through_a_link_or_a_pipe(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    (tmp_path / "elsewhere").touch(mode=0o600)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(path)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(path)


def written(path: Path, raw: bytes) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(raw)
    return path


GOOD = json.dumps({"schema_version": 1, "exceptions": [allowance().model_dump(mode="json")]})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"schema_version": 2}',
        b'{"exeptions": []}',
        GOOD.replace("alice", "").encode(),
        GOOD.replace("2026-04", "2036-04").encode(),
        GOOD.replace(KEY, "EMAIL_ADDRESS").encode(),
        b"[" * 100_000,
    ],
)
def test_a_broken_file_is_an_error_without_what_it_holds(path: Path, raw: bytes) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(written(path, raw))
    assert raised.value.code == "exceptions-unreadable"
    assert DIGEST not in str(raised.value)


def test_too_large(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="more than"):
        load(written(path, b" " * (exceptions.MAX_BYTES + 1)))


def test_cut_at_every_byte(path: Path) -> None:
    raw = GOOD.encode()
    for end in range(len(raw)):
        with pytest.raises(ConfigurationError):
            load(written(path, raw[:end]))
    assert load(written(path, raw)).items == (allowance(),)


@given(
    st.text(st.sampled_from("a[]0*.\\(+"), max_size=12),
    st.text(st.sampled_from("a[]0*.\\(+"), max_size=12),
)
def test_a_path_is_no_pattern(path: str, location: str) -> None:
    try:
        found = Exceptions([allowance(path=path)])
    except ValidationError:
        return
    if path and "[*]" not in path:
        assert found.allowed(KEY, DIGEST, location, NOW) is (path == location)
