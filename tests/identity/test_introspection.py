"""Opaque tokens: the issuer is asked what they say."""

import asyncio
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import AuthenticationError, ConfigurationError, UpstreamError
from proctor.fields import SecretSource
from proctor.identity.fetch import Reply
from proctor.identity.introspection import Introspector, check_answer
from proctor.identity.refreshed import Timing
from proctor.model import Principal
from proctor.settings import Introspection
from tests.support.identity import ISSUER, NOW, Clock, MemoryIssuer, claims, refused, settings

ENDPOINT = f"{ISSUER}/introspect"
TOKEN = "2YotnFZFEjr1zCsicMWpAA"
SECRET = SecretSource(env="INTROSPECTION_SECRET")
SETTINGS = settings(
    groups="groups",
    introspection=Introspection(client_id="proctor", client_secret=SECRET, cache=30.0),
)


async def secret(source: SecretSource) -> str:
    assert source == SECRET
    return "s3cret"


async def no_secret(source: SecretSource) -> str:
    raise ConfigurationError(code="secret-missing", message=f"none: {source}", hint="Set it.")


class Asker:
    def __init__(self, idp: MemoryIssuer, *, read_secret: Any = secret) -> None:
        self.idp = idp
        self.clock = Clock()
        self.introspector = Introspector(
            SETTINGS,
            fetch=idp.fetch,
            secret=read_secret,
            clock=Clock(),
            monotonic=self.clock,
            timing=Timing(),
        )

    async def ask(self, token: str = TOKEN) -> Principal:
        return await self.introspector.principal(token, sha256(token.encode()).digest())

    @property
    def asked(self) -> int:
        return self.idp.asked.count(ENDPOINT)


def answering(answer: object, status: int = 200) -> MemoryIssuer:
    idp = MemoryIssuer()
    idp.say(ENDPOINT, answer, status)
    return idp


def test_an_active_token_names_a_principal() -> None:
    idp = answering({"active": True, **claims(groups=["dba"])})
    principal = asyncio.run(Asker(idp).ask())
    assert (principal.key, principal.groups) == (f"{ISSUER}#alice", ("dba",))
    (form,) = idp.forms
    assert form.fields == {"token": TOKEN, "token_type_hint": "access_token"}
    assert (form.client_id, form.client_secret) == ("proctor", "s3cret")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"active": False}, "token-inactive"),
        ({"active": None}, "token-inactive"),
        ({"active": "true"}, "token-inactive"),
        ({"active": 1}, "token-inactive"),
        ({"iss": "https://other.example"}, "token-issuer"),
        ({"iss": None}, "token-issuer"),
        ({"aud": None}, "token-audience"),
        ({"aud": ["proctor", "other"]}, "token-audience"),
        ({"sub": None}, "token-subject"),
        ({"exp": None}, "token-claims"),
        ({"exp": "1900000000"}, "token-claims"),
        ({"exp": NOW - 60}, "token-expired"),
        ({"exp": NOW + 100_000}, "token-lifetime"),
        ({"nbf": NOW + 61}, "token-not-yet-valid"),
        ({"cnf": {"jkt": "x"}}, "token-bound"),
        ({"token_type": "DPoP"}, "token-type"),
        ({"token_type": None}, "token-type"),
        ({"token_use": "refresh_token"}, "token-type"),
        ({"_claim_names": {"groups": "s"}}, "token-groups-overage"),
    ],
)
def test_answers_that_do_not_prove_who_asks(changes: dict[str, Any], code: str) -> None:
    idp = answering({"active": True, **claims(), **changes})
    asker = Asker(idp)
    error = refused(code, asker.ask())
    assert TOKEN not in str(error)
    assert isinstance(error, AuthenticationError)


@pytest.mark.parametrize("missing", ["iss", "iat", "token_type"])
def test_what_an_answer_need_not_say(missing: str) -> None:
    full = {"active": True, "token_type": "bearer", **claims()}
    del full[missing]
    assert asyncio.run(Asker(answering(full)).ask()).subject == "alice"


def test_without_iat_what_is_left_must_not_be_too_long() -> None:
    full = {"active": True, **claims(iat=None, exp=NOW + 86401)}
    refused("token-lifetime", Asker(answering(full)).ask())


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(status=401, body=b"{}"), "issuer-invalid"),
        (Reply(status=403, body=b"{}"), "issuer-invalid"),
        (Reply(status=500, body=b"{}"), "issuer-unreachable"),
        (Reply(status=302, body=b"{}"), "issuer-unreachable"),
        (Reply(status=200, body=b"<html>"), "issuer-invalid"),
        (Reply(status=200, body=b"[]"), "issuer-invalid"),
        (Reply(status=200, body=b'{"active":false,"active":true}'), "issuer-invalid"),
    ],
)
def test_an_issuer_that_cannot_be_asked_admits_nobody(reply: Reply, code: str) -> None:
    idp = MemoryIssuer()
    idp.answers[ENDPOINT] = reply
    error = refused(code, Asker(idp).ask())
    assert isinstance(error, UpstreamError)
    assert error.status == 503


def test_nobody_is_admitted_without_an_endpoint_a_secret_or_an_answer() -> None:
    idp = MemoryIssuer()
    idp.say(f"{ISSUER}/.well-known/openid-configuration", {"issuer": ISSUER})
    refused("issuer-invalid", Asker(idp).ask())
    error = refused("issuer-invalid", Asker(MemoryIssuer(), read_secret=no_secret).ask())
    assert error.hint == "Set it."
    idp = MemoryIssuer()
    idp.down = True
    refused("issuer-unreachable", Asker(idp).ask())


def test_a_token_is_asked_about_once_at_a_time() -> None:
    asker = Asker(answering({"active": True, **claims()}))

    async def main() -> None:
        asker.idp.gate = asyncio.Event()
        waiting = [asyncio.ensure_future(asker.ask()) for _ in range(20)]
        for _ in range(5):
            await asyncio.sleep(0)
        waiting[0].cancel()
        asker.idp.gate.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert sum(isinstance(one, Principal) for one in found) == 19

    asyncio.run(main())
    assert asker.asked == 1


def test_many_tokens_are_asked_about_some_at_a_time() -> None:
    asker = Asker(answering({"active": False}))

    async def main() -> None:
        await asker.introspector._endpoint.get()
        asker.idp.gate = asyncio.Event()
        waiting = [asyncio.ensure_future(asker.ask(f"t{number}")) for number in range(50)]
        for _ in range(10):
            await asyncio.sleep(0)
        assert asker.asked == 16
        waiting += [asyncio.ensure_future(asker.ask(f"t{number}")) for number in range(50, 300)]
        await asyncio.sleep(0)
        assert sum(task.done() for task in waiting) == 300 - 256  # refused at once
        asker.idp.gate.set()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert asker.asked == 256

    asyncio.run(main())


def test_a_refusal_is_remembered_for_a_while() -> None:
    asker = Asker(answering({"active": False}))

    async def main() -> None:
        errors = []
        for _ in range(5):
            with pytest.raises(AuthenticationError) as caught:
                await asker.ask()
            errors.append(caught.value)
        assert asker.asked == 1
        assert errors[0] is not errors[1]
        asker.idp.say(ENDPOINT, {"active": True, **claims()})
        asker.clock.now += 30
        assert (await asker.ask()).subject == "alice"
        asker.idp.say(ENDPOINT, {"active": False})
        for number in range(4200):
            with pytest.raises(AuthenticationError):
                await asker.ask(f"t{number}")
        assert len(asker.introspector._refused) == 4096

    asyncio.run(main())


def test_failures_are_not_remembered_as_refusals() -> None:
    asker = Asker(answering({}, status=500))

    async def main() -> None:
        with pytest.raises(UpstreamError):
            await asker.ask()
        asker.idp.say(ENDPOINT, {"active": True, **claims()})
        assert (await asker.ask()).subject == "alice"

    asyncio.run(main())


def test_close_stops_what_is_under_way() -> None:
    asker = Asker(answering({"active": True, **claims()}))

    async def main() -> None:
        asker.idp.gate = asyncio.Event()
        waiting = asyncio.ensure_future(asker.ask())
        for _ in range(5):
            await asyncio.sleep(0)
        await asker.introspector.close()
        with pytest.raises(UpstreamError):
            await waiting

    asyncio.run(main())


def test_it_needs_something_to_ask() -> None:
    with pytest.raises(ValueError, match="no introspection"):
        Introspector(
            settings(),
            fetch=MemoryIssuer().fetch,
            secret=secret,
            clock=Clock(),
            monotonic=Clock(),
            timing=Timing(),
        )


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())
names = st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "token_type", "cnf", "groups"])


@given(st.dictionaries(names, values))
def test_any_answer_names_a_principal_or_is_refused(changes: dict[str, Any]) -> None:
    try:
        principal = check_answer({"active": True, **claims(), **changes}, SETTINGS, NOW)
    except AuthenticationError:
        return
    assert principal.issuer == ISSUER
