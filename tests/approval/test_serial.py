"""Approvals as bytes, and back."""

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.approval import lifecycle, serial
from proctor.approval.model import (
    Approval,
    ApprovalError,
    Audience,
    Change,
    Grant,
    Kill,
    Vote,
)
from proctor.approval.serial import decode, decode_audience, encode, encode_audience
from tests.approval.samples import NOW, asking, full, grant, kill, pending, vote

TEXT = st.text(alphabet=st.characters(), max_size=30)  # lone surrogates, too
MOMENTS = st.datetimes(timezones=st.just(UTC))


def change(**changed: Any) -> Change:
    return replace(lifecycle.noted(pending()), **changed)


def whole() -> Approval:
    return replace(
        lifecycle.requested(full(), NOW),
        votes=(vote("bob", "robert"), vote("carol", approve=False)),
        decided_at=NOW + timedelta(seconds=1),
        by="bob",
        reason="so",
        break_glass=True,
        reviewed_by="carol",
        grant_id="gr_x",
    )


def refused(kind: type, data: bytes) -> ApprovalError:
    with pytest.raises(ApprovalError) as caught:
        decode(kind, data)
    assert (caught.value.code, caught.value.status) == ("approvals-unavailable", 503)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize(
    "item",
    [
        pending(),
        whole(),
        grant(),
        grant(uses=None, revoked_at=NOW, revoked_by="bob"),
        kill(),
        kill(lifted_at=NOW),
        change(),
        change(detail={"via": "console", "n": 1, "deep": [{"x": None}]}),
    ],
    ids=lambda item: type(item).__name__,
)
def test_there_and_back(item: Any) -> None:
    found = decode(type(item), encode(item))
    assert found == item
    assert repr(found) == repr(item)  # types, too
    assert encode(found) == encode(item)


@given(
    texts=st.tuples(TEXT, TEXT, TEXT, TEXT),
    moments=st.tuples(MOMENTS, MOMENTS),
    ttl=st.timedeltas(),
    names=st.frozensets(TEXT, max_size=4),
    sealed=st.binary(max_size=50),
)
def test_whatever_stands_in_it(
    texts: tuple[str, ...],
    moments: tuple[datetime, ...],
    ttl: timedelta,
    names: frozenset[str],
    sealed: bytes,
) -> None:
    said: Vote = replace(vote("bob"), identities=names, reason=texts[0], at=moments[0])
    asked = asking(
        shape=texts[1], session=texts[2], ttl=ttl, session_started=moments[1], sealed=sealed
    )
    item = replace(pending(), asking=asked, votes=(said,), by=texts[3])
    assert decode(Approval, encode(item)) == item


def test_moments_are_utc() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    found = decode(Kill, encode(kill(at=there)))
    assert found.at == NOW
    assert found.at.tzinfo is UTC


def test_the_format() -> None:
    assert json.loads(encode(kill(id="ki_x"))) == {
        "v": 1,
        "type": "kill",
        "item": {
            "id": "ki_x",
            "scope": "session",
            "target": "s1",
            "by": "https://idp.example#carol",
            "reason": "it loops",
            "at": "2026-11-22T09:30:00+00:00",
            "lifted_at": None,
            "lifted_by": "",
        },
    }


def damaged(edit: Any, item: Any = None) -> bytes:
    tree = json.loads(encode(item or whole()))
    edit(tree)
    return json.dumps(tree).encode()


@pytest.mark.parametrize(
    "edit",
    [
        lambda tree: tree.update(v=2),
        lambda tree: tree.update(v=True),
        lambda tree: tree.update(v="1"),
        lambda tree: tree.update(type="grant"),
        lambda tree: tree.update(more=1),
        lambda tree: tree.pop("v"),
        lambda tree: tree.update(item=[]),
        lambda tree: tree.update(item=None),
        lambda tree: tree["item"].update(more=1),
        lambda tree: tree["item"].pop("nonce"),
        lambda tree: tree["item"].update(more=tree["item"].pop("nonce")),
        lambda tree: tree["item"].update(nonce=1),
        lambda tree: tree["item"].update(state="allowed"),
        lambda tree: tree["item"].update(state=["used"]),
        lambda tree: tree["item"].update(waiting=1),
        lambda tree: tree["item"].update(expires_at="2026-11-22T09:30:00"),
        lambda tree: tree["item"].update(expires_at=0),
        lambda tree: tree["item"].update(decided_at=False),
        lambda tree: tree["item"].update(votes={}),
        lambda tree: tree["item"].update(votes="ab"),
        lambda tree: tree["item"]["votes"][0].update(identities="bob"),
        lambda tree: tree["item"]["votes"][0].update(approve="yes"),
        lambda tree: tree["item"]["asking"].update(sealed="%%"),
        lambda tree: tree["item"]["asking"].update(ttl=10**30),
        lambda tree: tree["item"]["asking"].update(ttl=1.5),
        lambda tree: tree["item"]["asking"]["card"].update(findings=[["a", "b", "c"]]),
        lambda tree: tree["item"]["asking"]["card"].update(findings=["ab"]),
        lambda tree: tree["item"]["asking"]["demands"][0].update(count=True),
    ],
)
def test_what_is_damaged_is_not_guessed_at(edit: Any) -> None:
    assert decode(Approval, damaged(dict)).by == "bob"  # without the damage it is one
    refused(Approval, damaged(edit))


@given(st.frozensets(TEXT, max_size=4), st.frozensets(TEXT, max_size=4))
def test_audiences(groups: frozenset[str], own: frozenset[str]) -> None:
    found = Audience(groups, own)
    assert decode_audience(encode_audience(found)) == found
    assert encode_audience(found).isascii()


def test_another_version_is_named() -> None:
    assert refused(Approval, damaged(lambda tree: tree.update(v=2))).got == "another version"


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"1", b"null", b"\xff", b"[" * 100_000, b'{"v":1', b" " * 5_000_000],
    ids=range(9),
)
def test_what_is_none_at_all(data: bytes) -> None:
    for kind in (Approval, Grant, Kill, Change):
        refused(kind, data)


@given(st.data())
def test_any_bytes(data: st.DataObject) -> None:
    raw = bytearray(encode(whole()))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    found = None
    with contextlib.suppress(ApprovalError):
        found = decode(Approval, bytes(raw))
    if found is None:
        refused(Approval, bytes(raw))
    else:
        assert decode(Approval, encode(found)) == found


@pytest.mark.parametrize(
    "item",
    [
        change(detail={"x": {1, 2}}),
        change(detail={"x": float("nan")}),
        change(at=datetime(2026, 1, 1)),  # noqa: DTZ001 - that is what is refused
        pending(sealed="text"),
        pending(session=b"s"),
        pending(flow_id="x" * serial.MAX_BYTES),
    ],
)
def test_what_cannot_be_kept_is_an_error(item: Any) -> None:
    with pytest.raises(ApprovalError) as caught:
        encode(item)
    assert caught.value.code == "approvals-unavailable"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_no_value_stands_in_an_error() -> None:
    for edit in (
        lambda tree: tree["item"].update(state="hunter2"),
        lambda tree: tree["item"]["asking"].update(sealed="hunter2!"),
        lambda tree: tree["item"].update(expires_at="hunter2"),
    ):
        error = refused(Approval, damaged(edit))
        assert "hunter2" not in f"{error} {error!r}"
