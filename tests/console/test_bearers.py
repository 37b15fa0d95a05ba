"""Tokens for the console; what is refused over HTTP is in `test_api`."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from proctor.console.bearers import Bearers
from proctor.errors import ConfigurationError
from tests.support.signing import Provider, rig


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


def test_a_token_holds_as_long_as_its_sign_in_and_itself(
    provider: Provider, tmp_path: Path
) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path, max_age=600.0) as one:
            bearers = Bearers(one.house, fetch=one.fetch)
            now = int(time.time())
            early = await bearers.reviewer(provider.bearer(auth_time=now - 500, name="Alice"))
            assert early.reviewer.name == "Alice"
            assert early.ends_at.timestamp() == now + 100
            short = await bearers.reviewer(provider.bearer(ttl=60.0, now=now))
            assert short.ends_at.timestamp() == now + 60
            assert bearers.holds(early)
            one.clock.ahead = timedelta(seconds=101).total_seconds()
            assert not bearers.holds(early)
            await bearers.close()

    asyncio.run(go())


def test_an_agent_s_audience_cannot_be_the_console_s(provider: Provider, tmp_path: Path) -> None:
    async def go() -> None:
        async with rig(provider, tmp_path) as one:
            assert one.house.issuer is not None
            same = {"audience": one.house.settings.audience}
            house = replace(one.house, issuer=one.house.issuer.model_copy(update=same))
            with pytest.raises(ConfigurationError) as caught:
                Bearers(house, fetch=one.fetch)
            assert caught.value.code == "console-audience"

    asyncio.run(go())
