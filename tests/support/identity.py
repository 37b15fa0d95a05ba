"""What the tests of identity share: clocks that are set, an issuer in memory, and short calls."""

import asyncio
import json
import os
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from proctor.errors import AuthenticationError, ProctorError
from proctor.identity.fetch import FetchError, Form, Reply
from proctor.settings import IssuerSettings
from proctor.testing.issuer import Signer

ISSUER = "https://idp.example/realms/corp"
NOW = 1_800_000_000.0


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class MemoryIssuer:
    """An issuer without a network: `fetch` answers for it.

    Attributes:
        keys: What it publishes.
        asked: URLs, in order.
        down: It does not answer.
        gate: If set, answers wait for it.
        answers: URL → what to answer instead.
    """

    def __init__(self, *signers: Signer) -> None:
        self.signers = list(signers) or [Signer()]
        self.asked: list[str] = []
        self.forms: list[Form] = []
        self.down = False
        self.gate: asyncio.Event | None = None
        self.answers: dict[str, Reply] = {}

    async def fetch(
        self, url: str, *, limit: int, ca: Path | None = None, form: Form | None = None
    ) -> Reply:
        del ca
        self.asked.append(url)
        if form is not None:
            self.forms.append(form)
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise FetchError("ConnectError")
        reply = self.answers.get(url) or self.usual(url)
        assert len(reply.body) <= limit
        return reply

    def usual(self, url: str) -> Reply:
        documents: dict[str, object] = {
            f"{ISSUER}/.well-known/openid-configuration": {
                "issuer": ISSUER,
                "jwks_uri": f"{ISSUER}/keys",
                "introspection_endpoint": f"{ISSUER}/introspect",
            },
            f"{ISSUER}/keys": {"keys": [signer.jwk for signer in self.signers]},
        }
        if url not in documents:
            return Reply(status=404, body=b"{}")
        return Reply(status=200, body=json.dumps(documents[url]).encode())

    def say(self, url: str, document: object, status: int = 200) -> None:
        self.answers[url] = Reply(status=status, body=json.dumps(document).encode())

    def token(self, *, signer: Signer | None = None, **changes: Any) -> str:
        signer = signer or self.signers[-1]
        return signer.sign(header(signer, changes.pop("headers", None)), payload(**changes))


def header(signer: Signer, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    full = {"alg": signer.algorithm, "kid": signer.kid, "typ": "at+jwt", **(changes or {})}
    return {name: value for name, value in full.items() if value is not None}


def claims(**changes: Any) -> dict[str, Any]:
    """Claims of a good token for alice; None takes one out."""
    full = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": "proctor",
        "iat": int(NOW) - 10,
        "exp": int(NOW) + 3590,
        **changes,
    }
    return {name: value for name, value in full.items() if value is not None}


def payload(**changes: Any) -> bytes:
    return json.dumps(claims(**changes)).encode()


def settings(**changes: Any) -> IssuerSettings:
    return IssuerSettings(**{"issuer": ISSUER, "audience": "proctor", **changes})


def refused(code: str, work: Coroutine[Any, Any, object]) -> ProctorError:
    """Run it, and expect to be refused with this code."""
    with pytest.raises(ProctorError) as caught:
        asyncio.run(work)
    assert caught.value.code == code
    if isinstance(caught.value, AuthenticationError):
        assert caught.value.status == 401
    return caught.value


def shared_data() -> Path:
    """The folder of test data that is not in the repository; skips where it is not there."""
    named = os.environ.get("PROCTOR_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no test vectors here: set PROCTOR_SHARED_DATA to the folder that holds them")
    return folder
