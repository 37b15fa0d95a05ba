"""What every store of approvals has to do, as tests.

A test class takes them over and gives the fixture `opened`, which opens the same store again, as
another process would:

    class TestSqlite(StoreChecks):
        @pytest.fixture
        def opened(self, tmp_path): ...
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

from proctor.approval import lifecycle
from proctor.approval.model import Approval, ApprovalError, Audience, Change, State
from proctor.approval.store import Store
from proctor.model import ApprovalTerms
from tests.approval.samples import NOW, TTL, grant, kill, pending, reviewer, vote

LATER = NOW + timedelta(minutes=1)
END = NOW + TTL

type Opened = Callable[[], Store]


def approve(found: Approval) -> tuple[Approval, Change]:
    return lifecycle.voted(found, vote("bob"), met=True, now=LATER)


def use(found: Approval) -> tuple[Approval, Change]:
    return lifecycle.used(found, LATER)


def cancel(found: Approval) -> tuple[Approval, Change]:
    return lifecycle.cancelled(found, LATER, "gone")


def always(_: Approval) -> bool:
    return True


def code(call: Callable[[], Any]) -> str:
    with pytest.raises(ApprovalError) as caught:
        call()
    return caught.value.code


def noted(store: Store, after: int = 0) -> list[tuple[str, str]]:
    return [(change.id, change.state) for change in store.changes(after)]


class StoreChecks:
    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError

    @pytest.fixture
    def store(self, opened: Opened) -> Store:
        return opened()

    def test_what_is_added_is_there_for_everybody(self, store: Store, opened: Opened) -> None:
        item = pending()
        assert store.add(item) == item
        for one in (store, opened()):
            assert one.get(item.id) == item
            assert one.approvals() == [item]
            assert noted(one) == [(item.id, "pending")]

    def test_an_update_is_kept_and_noted(self, store: Store, opened: Opened) -> None:
        item = store.add(pending())
        found = store.update(item.id, approve)
        assert found.state is State.APPROVED
        other = opened()
        assert other.get(item.id) == found
        assert other.approvals(states=[State.PENDING]) == []
        assert other.approvals(states=[State.APPROVED]) == [found]
        assert noted(other) == [(item.id, "pending"), (item.id, "approved")]
        assert other.changes(0)[-1].by == "https://idp.example#bob"

    def test_a_refused_update_changes_nothing(self, store: Store) -> None:
        item = store.add(pending())
        before = store.last_change()
        assert code(lambda: store.update(item.id, use)) == "approval-state"
        with pytest.raises(ZeroDivisionError):
            store.update(item.id, lambda _: 1 / 0)  # type: ignore[arg-type, return-value]
        assert store.get(item.id) == item
        assert store.last_change() == before
        assert store.update(item.id, approve).state is State.APPROVED

    @pytest.mark.parametrize("name", ["", "ap_none", "ap_\ud800", "\x00", "ap_%", "x" * 100_000])
    def test_what_is_not_there(self, store: Store, name: str) -> None:
        store.add(pending())
        assert code(lambda: store.get(name)) == "approval-unknown"
        assert code(lambda: store.update(name, approve)) == "approval-unknown"
        assert (
            code(lambda: store.update_grant(name, lambda one: lifecycle.counted(one, NOW)))
            == "grant-unknown"
        )
        assert (
            code(lambda: store.lift(name, lambda one: lifecycle.lifted(one, "x", "", NOW)))
            == "kill-unknown"
        )
        assert store.update_many([name], approve) == []

    def test_an_unknown_name_is_cut(self, store: Store) -> None:
        with pytest.raises(ApprovalError) as caught:
            store.get("x" * 100_000)
        assert caught.value.status == 404
        assert len(str(caught.value)) < 500

    def test_the_same_again_joins(self, store: Store) -> None:
        item = store.add(pending(), join=always)
        assert store.add(pending(), join=always) == item
        assert store.approvals() == [item]
        assert noted(store) == [(item.id, "pending")]

    @pytest.mark.parametrize("changed", [{"digest": "d2"}, {"principal": "x#bot"}])
    def test_another_action_or_principal_does_not_join(
        self, store: Store, changed: dict[str, Any]
    ) -> None:
        store.add(pending())
        other = pending(**changed)
        assert store.add(other, join=always) == other
        assert len(store.approvals()) == 2

    def test_it_is_asked_which_to_join_the_youngest_first(self, store: Store) -> None:
        items = [store.add(pending(NOW + timedelta(seconds=n))) for n in range(3)]
        asked = []

        def second(found: Approval) -> bool:
            asked.append(found.id)
            return len(asked) == 2

        assert store.add(pending(), join=second) == items[1]
        assert asked == [items[2].id, items[1].id]
        new = pending()
        assert store.add(new, join=lambda _: False) == new

    def test_without_asking_nothing_joins(self, store: Store) -> None:
        store.add(pending())
        store.add(pending())
        assert len(store.approvals()) == 2

    def test_what_is_used_or_cancelled_is_never_joined(self, store: Store) -> None:
        one, two = store.add(pending()), store.add(pending())
        store.update(one.id, approve)
        store.update(one.id, use)
        store.update(two.id, cancel)
        new = pending()
        assert store.add(new, join=always) == new

    def test_a_join_that_fails_adds_nothing(self, store: Store) -> None:
        item = store.add(pending())
        with pytest.raises(ZeroDivisionError):
            store.add(pending(), join=lambda _: bool(1 / 0))
        assert store.approvals() == [item]

    def test_many_at_once(self, store: Store) -> None:
        items = [store.add(pending()) for _ in range(4)]
        wanted = {items[0].id, items[2].id}
        found = store.update_many(
            ["none", *(item.id for item in items)],
            lambda one: cancel(one) if one.id in wanted else None,
        )
        assert [item.id for item in found] == [items[0].id, items[2].id]
        assert {item.id for item in store.approvals(states=[State.CANCELLED])} == wanted
        assert noted(store, 4) == [(items[0].id, "cancelled"), (items[2].id, "cancelled")]

    def test_many_are_all_or_none(self, store: Store) -> None:
        items = [store.add(pending()) for _ in range(2)]
        store.update(items[1].id, cancel)
        names = [item.id for item in items]
        assert code(lambda: store.update_many(names, cancel)) == "approval-state"
        assert store.get(items[0].id).state is State.PENDING
        assert store.last_change() == 3

    def test_searching(self, store: Store) -> None:
        def add(seconds: int, **changed: Any) -> Approval:
            return store.add(pending(NOW + timedelta(seconds=seconds), **changed))

        one = add(1)
        two = add(3, shape="Bash(git)", session="s2")
        three = add(2, principal="x#carol", session=None)
        four = store.update(add(2).id, cancel)
        assert store.approvals() == [two, four, three, one]
        assert store.approvals(limit=2) == [two, four]
        assert store.approvals(limit=0) == []
        assert store.approvals(states=[State.PENDING]) == [two, three, one]
        assert store.approvals(states=[State.PENDING, State.PENDING]) == [two, three, one]
        both = [State.PENDING, State.CANCELLED]
        assert store.approvals(states=both, limit=3) == [two, four, three]
        assert store.approvals(principal=one.asking.principal) == [two, four, one]
        assert store.approvals(shape="Bash(git)") == [two]
        assert store.approvals(session="s1") == [four, one]
        assert store.approvals(session="s1", shape="Bash(git)") == []
        assert store.approvals(shape="Bash(rm)", principal="x#carol") == [three]
        assert store.approvals(before=three.requested_at) == [one]
        assert store.approvals(before=two.requested_at, states=[State.PENDING]) == [three, one]
        assert store.approvals(shape="Bash(%") == []
        assert store.approvals(oldest_first=True) == [one, three, four, two]
        assert store.approvals(oldest_first=True, states=both, limit=2) == [one, three]
        assert store.approvals(oldest_first=True, session="s1") == [one, four]

    def test_audiences(self, store: Store) -> None:
        def add(*groups: str, **changed: Any) -> Approval:
            demands = (ApprovalTerms(from_groups=groups),) if groups else ()
            return store.add(pending(demands=demands, **changed))

        assert store.audiences() == []
        assert store.count() == 0
        dba, ops = add("dba"), add("ops")
        more = [add("ops", "dba"), add("dba", "ops")]
        odd = store.update(add("\ud800'\x00", subject="\udfff", human=None).id, cancel)
        nobody = add()
        of = {item.id: item.asking.audience for item in (dba, ops, *more, odd, nobody)}
        both = of[more[0].id]
        assert both == of[more[1].id]

        def known(*states: State) -> tuple[int, set[Audience]]:
            found = store.audiences(states)
            return len(found), set(found)

        assert known() == (5, set(of.values()))
        assert known(State.PENDING) == (4, set(of.values()) - {of[odd.id]})
        assert known(State.CANCELLED, State.USED) == (1, {of[odd.id]})
        assert store.approvals(audiences=[of[dba.id]]) == [dba]
        assert store.approvals(audiences=[both, of[odd.id]]) == [odd, *reversed(more)]
        assert store.approvals(audiences=[both], oldest_first=True, limit=1) == more[:1]
        assert store.approvals(audiences=[both], session="s1", limit=1) == more[1:]
        assert store.approvals(audiences=[]) == []
        assert store.count() == 6
        assert store.count(states=[State.PENDING, State.PENDING]) == 5
        assert store.count(audiences=[both, of[odd.id], of[odd.id]]) == 3
        assert store.count(audiences=[both, of[odd.id]], states=[State.PENDING]) == 2
        assert store.count(audiences=[]) == 0

    def test_a_broken_glass_is_there_until_it_is_reviewed(
        self, store: Store, opened: Opened
    ) -> None:
        broken = replace(vote("bob"), break_glass=True)
        store.add(pending(NOW - timedelta(days=1)))
        names = [store.add(pending(NOW - timedelta(minutes=n))).id for n in range(3)]
        for name in names:
            store.update(name, lambda it: lifecycle.voted(it, broken, met=True, now=LATER))
        store.update(names[1], use)
        other = opened()
        found = other.unreviewed()
        assert [item.id for item in found] == names[::-1]
        assert other.unreviewed(limit=1) == found[:1]
        assert other.unreviewed(audiences=[]) == []
        assert other.unreviewed(audiences=[found[0].asking.audience]) == found
        for name in names[1:]:
            store.update(name, lambda it: lifecycle.reviewed(it, reviewer("carol"), "", LATER))
        assert [item.id for item in other.unreviewed()] == names[:1]

    def test_text_that_is_no_well_formed_unicode(self, store: Store) -> None:
        odd: dict[str, Any] = {
            "shape": "Bash(\ud800\x00)",
            "session": "\udfff",
            "principal": "i#\ud801",
        }
        item = store.add(pending(**odd))
        for name, value in odd.items():
            assert store.approvals(**{name: value}) == [item]
        assert store.approvals(session="?") == []
        assert store.add(pending(**odd), join=always) == item

    def test_the_overdue(self, store: Store) -> None:
        def add(**changed: Any) -> Approval:
            return store.add(pending(**changed))

        late, later = add(ttl=timedelta(minutes=9)), add(ttl=timedelta(minutes=8))
        store.update(late.id, approve)
        add()
        store.update(add(ttl=timedelta(minutes=7)).id, cancel)
        assert store.overdue(NOW + timedelta(minutes=8) - timedelta(microseconds=1)) == []
        assert store.overdue(NOW + timedelta(minutes=8)) == [later.id]
        assert store.overdue(NOW + timedelta(minutes=9)) == [later.id, late.id]

    def test_grants(self, store: Store, opened: Opened) -> None:
        def count(name: str) -> None:
            store.update_grant(name, lambda found: lifecycle.counted(found, LATER))

        one, two, three = grant(uses=1), grant(), grant(expires_at=NOW + timedelta(minutes=5))
        for item in (one, two, three):
            assert store.add_grant(item, lifecycle.granted(item)) == item
        assert opened().grants() == [three, two, one]
        assert store.grants(limit=1) == [three]
        assert store.grants(open_at=LATER) == [three, two, one]
        count(one.id)
        assert code(lambda: count(one.id)) == "approval-state"
        assert opened().grants(open_at=LATER) == [three, two]
        assert store.grants(open_at=three.expires_at) == [two]
        store.update_grant(two.id, lambda found: lifecycle.revoked(found, "bob", "", LATER))
        assert store.grants(open_at=three.expires_at) == []
        assert [item.revoked_by for item in store.grants()] == ["", "bob", ""]
        assert noted(store, 3) == [(one.id, "used"), (two.id, "revoked")]

    def test_kills(self, store: Store, opened: Opened) -> None:
        one, two = kill(), kill()
        for item in (one, two):
            assert store.add_kill(item, lifecycle.killed(item)) == item
        assert opened().kills() == [two, one]
        found = store.lift(one.id, lambda item: lifecycle.lifted(item, "bob", "", LATER))
        assert opened().kills() == [two]
        assert opened().kills(in_force=False) == [two, found]
        again = code(
            lambda: store.lift(one.id, lambda item: lifecycle.lifted(item, "bob", "", LATER))
        )
        assert again == "approval-state"
        assert noted(store) == [(one.id, "killed"), (two.id, "killed"), (one.id, "lifted")]

    def test_all_kills_in_force_and_some_that_were_lifted(self, store: Store) -> None:
        items = [kill() for _ in range(5)]
        for item in items:
            store.add_kill(item, lifecycle.killed(item))
        for item in items[1:4]:
            store.lift(item.id, lambda it: lifecycle.lifted(it, "x", "", LATER))

        def ids(limit: int) -> list[str]:
            return [item.id for item in store.kills(in_force=False, limit=limit)]

        assert ids(9) == [item.id for item in items[::-1]]
        assert ids(1) == [items[4].id, items[3].id, items[0].id]
        assert ids(0) == [item.id for item in store.kills(limit=0)] == [items[4].id, items[0].id]

    def test_changes(self, store: Store, opened: Opened) -> None:
        assert store.last_change() == 0
        items = [store.add(pending()) for _ in range(3)]
        look = store.note(lifecycle.revealed(items[0], "bob", "so", LATER))
        found = opened().changes(0)
        assert [change.id for change in found] == [item.id for item in (*items, items[0])]
        assert found[-1] == look
        assert sorted({change.seq for change in found}) == [change.seq for change in found]
        assert store.last_change() == look.seq
        assert store.changes(found[0].seq, limit=1) == [found[1]]
        assert store.changes(look.seq) == []

    def test_what_is_not_on_record_yet(self, store: Store, opened: Opened) -> None:
        items = [store.add(pending(NOW + timedelta(seconds=n))) for n in range(3)]
        changes = store.changes(0)
        assert store.unrecorded(items[2].requested_at) == changes[:2]
        store.recorded([changes[0].seq, changes[2].seq, 999])
        assert opened().unrecorded(END) == [changes[1]]
        assert store.unrecorded(END, limit=0) == []
        store.recorded([])
        assert store.unrecorded(END) == [changes[1]]
        assert store.changes(0) == changes

    def test_every_change_is_seen_in_the_version(self, store: Store, opened: Opened) -> None:
        other = opened()
        item = pending()
        given, killed = grant(), kill()
        writes: list[Callable[[Store], Any]] = [
            lambda one: one.add(item),
            lambda one: one.update(item.id, approve),
            lambda one: one.update_many([item.id], use),
            lambda one: one.add_grant(given, lifecycle.granted(given)),
            lambda one: one.update_grant(given.id, lambda found: lifecycle.counted(found, LATER)),
            lambda one: one.add_kill(killed, lifecycle.killed(killed)),
            lambda one: one.lift(killed.id, lambda it: lifecycle.lifted(it, "x", "", LATER)),
            lambda one: one.note(lifecycle.revealed(item, "x", "", LATER)),
        ]
        for number, write in enumerate(writes):
            before = [one.version() for one in (store, other)]
            assert [one.version() for one in (store, other)] == before
            write((store, other)[number % 2])
            after = [one.version() for one in (store, other)]
            assert all(new != old for new, old in zip(after, before, strict=True))

    def test_threads_take_turns(self, store: Store) -> None:
        item = store.add(pending())
        store.update(item.id, approve)
        start = Barrier(6)
        used: list[Approval] = []
        refused: list[str] = []
        added: list[str] = []

        def work() -> None:
            start.wait()
            try:
                used.append(store.update(item.id, use))
            except ApprovalError as error:
                refused.append(error.code)
            for _ in range(5):
                added.append(store.add(pending(digest="d2"), join=always).id)
                store.approvals()

        threads = [Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(used) == 1
        assert refused == ["approval-state"] * 5
        assert len(added) == 30
        assert len(set(added)) == 1

    def test_what_is_over_is_forgotten(self, store: Store) -> None:
        def settled(**changed: Any) -> Approval:
            return store.update(store.add(pending(**changed)).id, cancel)

        old, young = settled(), settled(ttl=timedelta(days=2))
        waiting = store.add(pending())
        glass = store.add(pending())
        broken = replace(vote("bob"), break_glass=True)
        store.update(glass.id, lambda it: lifecycle.voted(it, broken, met=True, now=LATER))
        store.update(glass.id, use)
        store.recorded([change.seq for change in store.changes(0)])
        spent, fresh = grant(), grant(expires_at=NOW + timedelta(days=2))
        for item in (spent, fresh):
            store.add_grant(item, lifecycle.granted(item))
        lifted, held = kill(), kill()
        for one in (lifted, held):
            store.add_kill(one, lifecycle.killed(one))
        store.lift(lifted.id, lambda it: lifecycle.lifted(it, "x", "", LATER))
        last = store.last_change()
        assert store.forget(NOW) == 0
        assert store.forget(NOW + timedelta(days=1)) == 1 + 1 + 1 + 8
        assert {item.id for item in store.approvals()} == {young.id, waiting.id, glass.id}
        assert code(lambda: store.get(old.id)) == "approval-unknown"
        assert store.grants() == [fresh]
        assert store.kills(in_force=False) == [held]
        assert [change.state for change in store.changes(0)] == [
            "granted", "granted", "killed", "killed", "lifted",
        ]  # fmt: skip
        store.recorded([change.seq for change in store.changes(0)])
        store.forget(NOW + timedelta(days=1))
        assert store.last_change() == last
        assert store.note(lifecycle.revealed(waiting, "x", "", LATER)).seq > last

    def test_closed_twice(self, store: Store) -> None:
        store.close()
        store.close()
        assert code(lambda: store.get("ap_x")) == "approvals-unavailable"
        assert code(lambda: store.add(pending())) == "approvals-unavailable"
        assert code(store.version) == "approvals-unavailable"
