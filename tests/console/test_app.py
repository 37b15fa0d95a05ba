"""The console as a whole."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from proctor.approval.model import ApprovalError
from tests.support.signing import Provider, rig


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


def test_an_error_s_page_stands_when_its_frame_cannot(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            await one.sign_in(browser)
            one.desk.answers["kills"] = ApprovalError(
                code="approvals-unavailable", message="The <b>store</b> is gone", status=503
            )
            answer = await browser.get("/nothing")
            assert answer.status_code == 404
            assert "There is nothing here" in answer.text
            assert answer.headers["x-frame-options"] == "DENY"

    asyncio.run(go())


@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "OPTIONS"])
def test_other_methods_do_nothing(provider: Provider, tmp_path: Path, method: str) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one:
            for path in ("me", "approvals/ap_x/approve", "grants/gr_x", "kills"):
                answer = await one.api(provider.bearer(), method, path)
                assert answer.status_code == 405
                assert answer.headers["content-type"] == "application/problem+json"
            assert one.desk.calls == []

    asyncio.run(go())


def test_a_decision_is_no_get(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one, one.browser() as browser:
            await one.sign_in(browser)
            for path in ("approvals/ap_x/approve", "approvals/ap_x/reveal", "grants/requests"):
                assert (await browser.get(f"/api/v1/{path}")).status_code == 405
            assert one.desk.calls == []

    asyncio.run(go())


def test_closing_twice_is_harmless(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one:
            await one.console.close()

    asyncio.run(go())
