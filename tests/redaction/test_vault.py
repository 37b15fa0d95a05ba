"""What surrogates stand for, kept."""

import dataclasses
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import proctor
from proctor.redaction import vault as module
from proctor.redaction.keys import RedactionKeys, derive
from proctor.redaction.model import RedactionError
from proctor.redaction.surrogates import SIZE, surrogate
from proctor.redaction.vault import FILE, MAX_VALUE, Entry, Item, Vault

KEYS = derive(bytes(range(32)))
ALICE = "https://idp.example#alice"
BOB = "https://idp.example#bob"
NOW = 1_800_000_000.0
DAY = 86400.0

WRITER = """
import sys
from pathlib import Path
from proctor.redaction.keys import derive
from proctor.redaction.surrogates import surrogate
from proctor.redaction.vault import Vault

keys = derive(bytes(range(32)))
vault = Vault(Path(sys.argv[1]), keys, wait=30.0)
for number in range(int(sys.argv[3])):
    value = f"{sys.argv[2]}{number % 50}"
    item = (surrogate(keys.surrogate, "p", "PERSON", value), "PERSON", value)
    vault.put_many("p", f"s{number}", [item])
    print(item[0], value, flush=True)
"""


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Installation:
    """Processes that share one vault; each `process` is another object on the same file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self._open: list[Vault] = []

    def process(self, keys: RedactionKeys = KEYS, **bounds: Any) -> Vault:
        vault = Vault(self.path, keys, clock=self.clock, wait=0.05, **bounds)
        self._open.append(vault)
        return vault

    def close(self) -> None:
        for vault in self._open:
            vault.close()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / FILE)
    yield installation
    installation.close()


def item(value: str, entity: str = "PERSON", principal: str = ALICE) -> Item:
    return surrogate(KEYS.surrogate, principal, entity, value), entity, value


def held(vault: Vault, value: str, principal: str = ALICE) -> bool:
    entry = vault.get(principal, item(value, principal=principal)[0][-SIZE:])
    assert entry is None or (entry.type, entry.value) == ("PERSON", value)
    return entry is not None


def failed(work: Any) -> RedactionError:
    with pytest.raises(RedactionError) as caught:
        work()
    assert caught.value.code == "redaction-vault"
    assert caught.value.__cause__ is None
    return caught.value


def start_writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)],
        env={"PYTHONPATH": str(Path(proctor.__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_is_put_is_there_for_every_process(here: Installation) -> None:
    one, two = here.process(), here.process()
    one.put_many(ALICE, "s1", [item("Jane Roe"), item("jane@example.com", "EMAIL_ADDRESS")])
    letters = item("jane@example.com", "EMAIL_ADDRESS")[0][-SIZE:]
    expected = Entry("EMAIL_ADDRESS", "jane@example.com", NOW + 30 * DAY)
    for vault in (one, two, two, here.process()):
        assert vault.get(ALICE, letters) == expected
        assert held(vault, "Jane Roe")
    assert one.get(ALICE, "b" * SIZE) is None


def test_another_principals_surrogate_is_unknown(here: Installation) -> None:
    vault = here.process()
    vault.put_many(ALICE, "s1", [item("Jane Roe")])
    letters = item("Jane Roe")[0][-SIZE:]
    for process in (vault, here.process()):
        assert process.get(BOB, letters) is None
        assert process.get(ALICE, letters)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text(st.characters(), max_size=30), max_size=6))
def test_any_text_comes_back(here: Installation, values: list[str]) -> None:
    vault = here.process()
    try:
        vault.put_many(ALICE, "s1", [item(value) for value in values])
        reader = here.process()
        assert all(held(reader, value) for value in values)
    finally:
        here.close()
        here._open.clear()


def test_no_value_principal_session_or_surrogate_stands_in_the_files(here: Installation) -> None:
    vault = here.process()
    values = [f"Jane Roe the {number}th" for number in range(50)]
    vault.put_many(ALICE, "session-one", [item(value) for value in values])
    files = {path.name: path.read_bytes() for path in here.path.parent.iterdir()}
    assert len(files[f"{FILE}-wal"]) > 10_000
    tokens = [item(value)[0] for value in values]
    for word in (*values, *tokens, *(token[-SIZE:] for token in tokens), ALICE, "session-one"):
        for name, data in files.items():
            assert word.encode() not in data, name
            assert word.encode("utf-16-le") not in data, name
    assert b"Jane" not in b"".join(files.values())
    assert b"PERSON" not in b"".join(files.values())


def test_a_repeat_writes_nothing_until_it_is_old(here: Installation) -> None:
    vault = here.process()
    vault.put_many(ALICE, "s1", [item("Jane Roe")])
    with sqlite3.connect(here.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")  # whoever writes now fails
        vault.put_many(ALICE, "s1", [item("Jane Roe")])
        failed(lambda: vault.put_many(ALICE, "s2", [item("Jane Roe")]))
        failed(lambda: vault.put_many(ALICE, "s1", [item("Bob")]))
        here.clock.now += 3601
        failed(lambda: vault.put_many(ALICE, "s1", [item("Jane Roe")]))
    other.close()
    assert not held(vault, "Bob")


def test_an_entry_lives_as_long_as_a_session_uses_it(here: Installation) -> None:
    one, two = here.process(retention=10 * DAY), here.process(retention=10 * DAY)
    one.put_many(ALICE, "s1", [item("Jane Roe"), item("Bob")])
    here.clock.now += 6 * DAY
    two.put_many(ALICE, "s2", [item("Jane Roe")])
    here.clock.now += 5 * DAY
    for vault in (one, two, here.process()):
        assert held(vault, "Jane Roe")
        assert not held(vault, "Bob")
    one.expire()
    assert counts(here) == (1, 1)
    assert held(two, "Jane Roe")
    here.clock.now += 6 * DAY
    two.expire()
    assert counts(here) == (0, 0)
    assert not held(one, "Jane Roe")


def counts(here: Installation) -> tuple[int, int]:
    with sqlite3.connect(here.path) as database:
        row: tuple[int, int] = database.execute(
            "SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM uses)"
        ).fetchone()
    database.close()
    return row


def test_what_others_use_outlives_a_forgotten_session(here: Installation) -> None:
    one, two = here.process(), here.process()
    one.put_many(ALICE, "s1", [item("Jane Roe"), item("Bob")])
    two.put_many(ALICE, "s2", [item("Jane Roe")])
    two.put_many(BOB, "s1", [item("Bob", principal=BOB)])
    one.forget(ALICE, "s1")
    assert held(one, "Jane Roe")
    assert not held(one, "Bob")
    assert held(one, "Bob", BOB)
    assert not held(here.process(), "Bob")


def test_what_another_process_forgot_is_put_again(here: Installation) -> None:
    one, two = here.process(), here.process()
    one.put_many(ALICE, "s1", [item("Jane Roe")])
    two.forget(ALICE, "s1")
    assert not held(two, "Jane Roe")
    one.put_many(ALICE, "s1", [item("Jane Roe")])
    assert held(two, "Jane Roe")


def test_a_use_without_the_value_keeps_it_alive(here: Installation) -> None:
    one, two = here.process(retention=10 * DAY), here.process(retention=10 * DAY)
    token = item("Jane Roe")[0]
    assert not two.touch(ALICE, "s2", [token])
    one.put_many(ALICE, "s1", [item("Jane Roe")])
    assert two.touch(ALICE, "s2", [token])
    assert not two.touch(BOB, "s2", [token])
    assert not two.touch(ALICE, "s2", [item("Bob")[0]])
    assert counts(here) == (1, 2)
    one.forget(ALICE, "s1")
    assert held(here.process(), "Jane Roe")
    here.clock.now += 9 * DAY
    assert one.touch(ALICE, "s2", [token])
    here.clock.now += 9 * DAY
    one.expire()
    assert held(here.process(), "Jane Roe")
    two.forget(ALICE, "s2")
    assert not one.touch(ALICE, "s2", [token])
    assert counts(here) == (0, 0)


def test_a_repeated_use_writes_nothing_until_it_is_old(here: Installation) -> None:
    vault = here.process()
    token = item("Jane Roe")[0]
    vault.put_many(ALICE, "s1", [item("Jane Roe")])
    assert vault.touch(ALICE, "s2", [token])
    with sqlite3.connect(here.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")  # whoever writes now fails
        assert vault.touch(ALICE, "s1", [token])
        assert vault.touch(ALICE, "s2", [token])
        failed(lambda: vault.touch(ALICE, "s3", [token]))
        here.clock.now += 3601
        failed(lambda: vault.touch(ALICE, "s1", [token]))
    other.close()


def test_what_is_forgotten_is_not_in_the_files(here: Installation) -> None:
    vault = here.process()
    vault.put_many(ALICE, "s1", [item("Jane Roe")])
    with sqlite3.connect(here.path) as database:
        name, sealed = database.execute("SELECT * FROM entries").fetchone()
    database.close()
    vault.forget(ALICE, "s1")
    data = b"".join(path.read_bytes() for path in here.path.parent.iterdir())
    assert name not in data
    assert sealed not in data


def test_those_unused_longest_go_when_it_is_full(here: Installation) -> None:
    vault = here.process(max_entries=1500)
    for batch in range(5):
        here.clock.now += 1
        vault.put_many(ALICE, "s1", [item(f"{batch} {number}") for number in range(300)])
    assert counts(here) == (1500, 1500)
    here.clock.now += 3600
    vault.put_many(ALICE, "s1", [item("0 7")])  # used again, so now the youngest
    here.clock.now += 1
    vault.put_many(ALICE, "s1", [item("last")])
    assert counts(here) == (501, 501)
    reader = here.process()
    assert all(held(reader, value) for value in ("last", "0 7", "4 0"))
    assert not any(held(reader, value) for value in ("0 8", "2 0"))


def test_size_is_bounded_too(here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", 3000)
    vault = here.process()
    vault.put_many(ALICE, "s1", [item("a" * 2000)])
    here.clock.now += 1
    vault.put_many(ALICE, "s1", [item("b" * 2000)])
    assert not held(here.process(), "a" * 2000)
    assert held(here.process(), "b" * 2000)


def test_more_at_once_than_it_holds_is_an_error(here: Installation) -> None:
    vault = here.process(max_entries=10)
    failed(lambda: vault.put_many(ALICE, "s1", [item(str(number)) for number in range(11)]))
    assert counts(here) == (0, 0)
    assert not held(vault, "1")


def test_two_values_under_one_surrogate_are_an_error(here: Installation) -> None:
    vault = here.process()
    token = item("Jane Roe")[0]
    vault.put_many(ALICE, "s1", [item("Jane Roe")])
    for process in (vault, here.process()):
        for other in ((token, "PERSON", "Bob"), (token, "EMAIL_ADDRESS", "Jane Roe")):
            error = failed(lambda put=process, it=other: put.put_many(ALICE, "s1", [it]))
            assert "Bob" not in f"{error!r}{error}"
    fresh = item("Alice")[0]
    pair = [(fresh, "PERSON", "Alice"), (fresh, "PERSON", "Bob")]
    failed(lambda: vault.put_many(ALICE, "s1", pair))
    assert not held(vault, "Alice")
    assert held(vault, "Jane Roe")


def test_values_have_a_largest_size(here: Installation) -> None:
    vault = here.process()
    vault.put_many(ALICE, "s1", [item("ä" * (MAX_VALUE // 2))])
    assert held(here.process(), "ä" * (MAX_VALUE // 2))
    failed(lambda: vault.put_many(ALICE, "s1", [item("ä" * (MAX_VALUE // 2) + "b")]))


CHANGES = {
    "sealed": "UPDATE entries SET sealed = substr(sealed, 1, length(sealed) - 1) || x'00'",
    "nonce": "UPDATE entries SET sealed = x'00' || substr(sealed, 2)",
    "short": "UPDATE entries SET sealed = x'0102'",
    "empty": "UPDATE entries SET sealed = x''",
    "text": "UPDATE entries SET sealed = 'Jane Roe'",
    "number": "UPDATE entries SET sealed = 5",
    "swapped": "CREATE TEMP TABLE old AS SELECT * FROM entries; UPDATE entries SET sealed ="
    " (SELECT sealed FROM old WHERE old.name != entries.name)",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_row_that_was_changed_is_an_error(
    here: Installation, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    here.process().put_many(ALICE, "s1", [item("Jane Roe"), item("Bob")])
    with sqlite3.connect(here.path) as database:
        # the last byte of a seal may be 0 already, by chance
        if "x'00'" in change:
            change = change.replace("x'00'", flipped(database, first="substr(sealed, 2)" in change))
        database.executescript(change)
    database.close()
    vault = here.process()
    failed(lambda: held(vault, "Jane Roe"))
    failed(lambda: vault.put_many(ALICE, "s1", [item("Jane Roe")]))
    assert "Jane" not in caplog.text
    assert caplog.records


def flipped(database: sqlite3.Connection, *, first: bool) -> str:
    # another byte than any row has at this place
    rows = {row[0][0 if first else -1] for row in database.execute("SELECT sealed FROM entries")}
    other = next(byte for byte in range(256) if byte not in rows)
    return f"x'{other:02x}'"


def test_another_key_opens_nothing(here: Installation) -> None:
    here.process().put_many(ALICE, "s1", [item("Jane Roe")])
    other = dataclasses.replace(KEYS, vault=bytes(32))
    failed(lambda: held(here.process(other), "Jane Roe"))


def test_a_file_that_breaks_under_way_is_an_error(here: Installation) -> None:
    vault = here.process()
    vault.put_many(ALICE, "s1", [item("Jane Roe")])
    here.close()
    here._open.clear()
    size = here.path.stat().st_size
    with here.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    broken = here.process()
    failed(lambda: broken.put_many(ALICE, "s1", [item("Bob")]))
    failed(lambda: held(broken, "Jane Roe"))


def test_a_full_disk_is_an_error(here: Installation) -> None:
    vault = here.process()
    vault.put_many(ALICE, "s1", [item("Jane Roe")])
    pages = vault._writer.execute("PRAGMA page_count").fetchone()[0]
    vault._writer.execute(f"PRAGMA max_page_count = {pages}")
    big = [item(str(number) * 3000) for number in range(5)]
    assert failed(lambda: vault.put_many(ALICE, "s1", big)).got == "SQLITE_FULL"
    assert not any(held(here.process(), value) for _, _, value in big)
    assert held(vault, "Jane Roe")
    vault._writer.execute("PRAGMA max_page_count = 1000000")
    vault.put_many(ALICE, "s1", big)
    assert all(held(here.process(), value) for _, _, value in big)


def test_a_closed_vault_is_an_error(here: Installation) -> None:
    vault = here.process()
    vault.close()
    failed(lambda: vault.put_many(ALICE, "s1", [item("Jane Roe")]))
    failed(lambda: held(vault, "Jane Roe"))


def test_threads_may_share_it(here: Installation) -> None:
    vault = here.process()
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(40):
                vault.put_many(ALICE, name, [item(f"{name} {number}"), item(f"all {number}")])
                assert held(vault, f"{name} {number}")
                assert held(vault, f"all {number}")
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert counts(here) == (4 * 40 + 40, 4 * 80)


def test_processes_write_at_once_and_one_is_killed(tmp_path: Path) -> None:
    path = tmp_path / FILE
    whole, killed = start_writer(path, "a", 120), start_writer(path, "b", 100_000)
    lines = []
    assert killed.stdout is not None
    for line in killed.stdout:
        lines.append(line)
        if len(lines) == 60:
            killed.send_signal(signal.SIGKILL)
            break
    lines += killed.stdout.readlines()
    assert killed.wait() == -signal.SIGKILL
    killed.stdout.close()
    out, _ = whole.communicate()
    assert whole.returncode == 0
    lines += out.splitlines()
    assert len(lines) >= 180
    vault = Vault(path, KEYS)
    for line in lines:
        token, _, value = line.strip().partition(" ")
        if not value:  # cut off by the kill
            continue
        entry = vault.get("p", token[-SIZE:])
        assert entry is not None
        assert entry.value == value
    vault.close()
    with sqlite3.connect(path) as database:
        uses, size, _ = database.execute("SELECT * FROM totals").fetchone()
        assert (uses,) == database.execute("SELECT count(*) FROM uses").fetchone()
        assert (size,) == database.execute("SELECT sum(length(sealed)) FROM entries").fetchone()
    database.close()


def test_what_a_kill_leaves_while_it_is_made_is_in_nobodys_way(here: Installation) -> None:
    stray = here.path.parent / f".{FILE}.stray"
    stray.write_bytes(os.urandom(100))
    here.process().put_many(ALICE, "s1", [item("Jane Roe")])
    assert held(here.process(), "Jane Roe")
