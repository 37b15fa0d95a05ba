"""The API's erasures and holds: who gets in, and what is asked for."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proctor.audit.store import Store
from proctor.errors import ClientError
from proctor.evidence.erasure import Order, write_order
from proctor.evidence.holds import Hold, Subject
from tests.support.signing import Provider, rig


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


class Kept:
    """Takes the place of Upkeep."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.at(folder)
        self.asked: list[tuple[Any, ...]] = []
        self.held: dict[str, Hold] = {}

    async def erase(self, subject: Subject, reason: str, by: str) -> tuple[Order, int]:
        self.asked.append((subject, reason, by))
        if subject.session == "held":
            raise ClientError("erasure-held", "A legal hold keeps this", got="case", status=409)
        order = Order(
            id="er_" + "a" * 16, subject=subject, reason=reason, by=by, at="2026-01-01T00:00:00Z"
        )
        write_order(self.store, order)
        return order, 3

    async def holds(self) -> tuple[Hold, ...]:
        return tuple(self.held.values())

    async def hold(self, name: str, subject: Subject, reason: str, by: str) -> Hold:
        self.held[name] = Hold(name=name, subject=subject, reason=reason, by=by, at="2026")
        return self.held[name]

    async def release(self, name: str, reason: str, by: str) -> Hold:
        self.asked.append((name, reason, by))
        return self.held.pop(name)


def test_erasing(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        kept = Kept(tmp_path)
        async with rig(provider, tmp_path, upkeep=kept) as one:
            admin = provider.bearer("carol", groups=["root"])

            async def post(body: dict[str, Any], token: str = admin) -> tuple[int, Any]:
                answer = await one.api(token, "POST", "record/erasures", json=body)
                return answer.status_code, answer.json()

            status, found = await post({"session": "s1", "reason": " she asked "})
            assert (status, found["scopes"], found["session"]) == (202, 3, "s1")
            subject, reason, by = kept.asked.pop()
            assert (subject, reason) == (Subject(session="s1"), "she asked")
            assert by.endswith("#carol")
            for body, code in (
                ({"session": "s1"}, "approval-reason"),
                ({"reason": "why"}, "body-invalid"),
                ({"principal": "alice", "reason": "why"}, "body-invalid"),
                ({"session": "s" * 2000, "reason": "why"}, "body-invalid"),
                ({"session": "held", "reason": "why"}, "erasure-held"),
            ):
                status, found = await post(body)
                assert (status >= 400, found["code"]) == (True, code), found
            reviewer = provider.bearer(groups=["dba"])
            status, found = await post({"session": "s1", "reason": "why"}, reviewer)
            assert (status, found["code"]) == (403, "approval-role")
            answer = await one.api(reviewer, "GET", "record/erasures")
            assert answer.status_code == 403
            answer = await one.api(admin, "GET", "record/erasures")
            assert [each["session"] for each in answer.json()["erasures"]] == ["s1"]

    asyncio.run(go())


def test_holding(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        kept = Kept(tmp_path)
        async with rig(provider, tmp_path, upkeep=kept) as one:
            admin = provider.bearer("carol", groups=["root"])
            reviewer = provider.bearer(groups=["dba"])
            path = "record/holds"
            for body, status in (
                ({"name": "a", "session": "s", "reason": "why"}, 201),
                ({"name": "b", "all": True, "reason": "why"}, 201),
                ({"name": "c", "reason": "why"}, 400),
                ({"name": "c", "all": True, "session": "s", "reason": "why"}, 400),
                ({"name": "c", "session": "s", "reason": " "}, 400),
            ):
                answer = await one.api(admin, "POST", path, json=body)
                assert (answer.status_code == 201) is (status == 201), answer.text
            answer = await one.api(reviewer, "POST", path, json={"name": "d", "session": "s"})
            assert answer.status_code == 403
            found = (await one.api(admin, "GET", path)).json()["holds"]
            assert [(each["name"], each["session"]) for each in found] == [("a", "s"), ("b", None)]
            body = {"name": "a", "reason": "over"}
            answer = await one.api(reviewer, "POST", f"{path}/release", json=body)
            assert answer.status_code == 403
            answer = await one.api(admin, "POST", f"{path}/release", json=body)
            assert answer.status_code == 200
            assert [*kept.held] == ["b"]

    asyncio.run(go())


def test_where_nobody_looks_after_the_record(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one:
            admin = provider.bearer("carol", groups=["root"])
            answer = await one.api(admin, "GET", "record/holds")
            assert (answer.status_code, answer.json()["code"]) == (503, "record-not-kept")

    asyncio.run(go())
