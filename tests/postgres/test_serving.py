"""Who is turned away is on record, and who signs in by OAUTHBEARER is told where."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from proctor.config import load
from proctor.errors import AuthenticationError, InternalError, RefusedError
from proctor.gate import Gate
from proctor.model import Principal
from proctor.postgres.serving import discovery_of, refused
from proctor.postgres.shared import Refused
from proctor.protocols.postgres.signin import Discovery
from proctor.stages.bucket import Bucket
from tests.support.databases import LISTENER, configuration

ALICE = Principal(issuer="i", subject="alice", groups=())


class Record:
    """Keeps what a Gate is told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.told: list[tuple[Any, Any, dict[str, Any]]] = []
        self._error = error

    async def refuse(self, opening: Any, closing: Any, **more: Any) -> None:
        if self._error:
            raise self._error
        self.told.append((opening, closing, more))


def who(error: AuthenticationError | RefusedError, principal: Principal | None) -> Refused:
    return Refused(
        error=error,
        principal=principal,
        user="x",
        database="shop",
        address="127.0.0.1:5",
        started_at=datetime.now(UTC),
        flow_id="f",
    )


def say(folder: Path, record: Record, bucket: Bucket, *refusals: Refused) -> None:
    (listener,) = load(configuration(folder, LISTENER)).postgres

    async def run() -> None:
        for each in refusals:
            await refused(cast("Gate", record), listener, bucket, each)

    asyncio.run(run())


def test_of_strangers_not_too_many(tmp_path: Path) -> None:
    record, bucket = Record(), Bucket(1, lambda: 0.0)
    stranger = who(AuthenticationError("token-expired", "It has expired"), None)
    known = who(RefusedError("no", "No", rule_id="r"), ALICE)
    say(tmp_path, record, bucket, *[stranger] * 30, known)
    assert len(record.told) == 11
    opening, closing, more = record.told[-1]
    assert (opening.protocol, opening.host, opening.port) == ("postgres", "127.0.0.1", 5432)
    assert (opening.path, closing.error) == ("/shop", "No")
    assert (more["verdict"].rule_id, more["principal"]) == ("r", ALICE)
    assert record.told[0][2]["verdict"].rule_id == "token-expired"


def test_a_refusal_stands_though_the_record_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = Record(InternalError("journal", "full"))
    say(tmp_path, record, Bucket(1), who(AuthenticationError("x", "X"), None))
    assert "was not recorded" in caplog.text


def test_where_tokens_are(tmp_path: Path) -> None:
    config = load(configuration(tmp_path, f"{LISTENER}, sign_in: oauthbearer, scopes: [openid, a]"))
    assert discovery_of(config.postgres[0], config) == Discovery(
        configuration="https://idp.internal/.well-known/openid-configuration", scope="openid a"
    )
    config = load(configuration(tmp_path, LISTENER))
    assert discovery_of(config.postgres[0], config) is None
