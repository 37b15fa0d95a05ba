"""Who is asking, from the token to the principal."""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import AuthenticationError, ConfigurationError, ProctorError, UpstreamError
from proctor.fields import SecretSource
from proctor.identity.authenticator import Authenticator
from proctor.identity.fetch import HttpFetch
from proctor.identity.local import FILE, make
from proctor.identity.refreshed import Timing
from proctor.model import Principal
from proctor.settings import Introspection, IssuerSettings
from proctor.testing.issuer import CLIENT_ID, CLIENT_SECRET, Failure, Signer, StandInIssuer
from tests.support.identity import (
    ISSUER,
    NOW,
    Clock,
    MemoryIssuer,
    claims,
    header,
    payload,
    refused,
    settings,
)

OPAQUE = Introspection(client_id="proctor", client_secret=SecretSource(env="SECRET"))


class Door:
    """An authenticator on clocks that are set, and its issuer."""

    def __init__(
        self,
        issuers: Sequence[IssuerSettings] = (),
        *,
        idp: MemoryIssuer | None = None,
        local_keys: Path | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.idp = idp or MemoryIssuer()
        self.clock, self.monotonic = Clock(), Clock(0)
        self.authenticator = Authenticator(
            issuers or [settings(groups="groups")],
            fetch=self.idp.fetch,
            clock=self.clock,
            local_keys=local_keys,
            secret=self.secret,
            monotonic=self.monotonic,
            timing=timing,
        )

    async def secret(self, source: SecretSource) -> str:
        del source
        return "s3cret"

    async def admit(self, token: str) -> Principal:
        return await self.authenticator.authenticate(token)

    def at_once(self, token: str) -> Principal:
        """Authenticate in one step, without an event loop: it must not suspend."""
        work = self.authenticator.authenticate(token)
        with pytest.raises(StopIteration) as caught:
            work.send(None)
        principal: Principal = caught.value.value
        return principal


def test_a_token_names_its_principal() -> None:
    door = Door()
    principal = asyncio.run(door.admit(door.idp.token(groups=["dba"])))
    assert principal == Principal(
        issuer=ISSUER,
        subject="alice",
        groups=("dba",),
        issued_at=NOW - 10,
        expires_at=NOW + 3590,
    )


@pytest.mark.parametrize("algorithms", [("RS256",), ("PS256",), ("ES384",), ("ES512",), ("EdDSA",)])
def test_every_algorithm_that_is_configured_is_taken(algorithms: tuple[str, ...]) -> None:
    door = Door([settings(algorithms=algorithms)], idp=MemoryIssuer(Signer(algorithms[0])))
    assert asyncio.run(door.admit(door.idp.token())).subject == "alice"


def test_a_token_seen_before_does_not_wait() -> None:
    door = Door()
    token = door.idp.token()

    async def main() -> None:
        first = await door.admit(token)
        assert door.at_once(token) is first

    asyncio.run(main())
    assert len(door.idp.asked) == 2


def test_expiry_is_checked_every_time() -> None:
    door = Door()
    token = door.idp.token(exp=int(NOW) + 100)

    async def main() -> None:
        await door.admit(token)
        door.clock.now = NOW + 159
        await door.admit(token)
        door.clock.now = NOW + 160
        for _ in range(2):
            with pytest.raises(AuthenticationError) as caught:
                await door.admit(token)
            assert (caught.value.code, caught.value.retry) == ("token-expired", True)
            assert "exp 60 s ago" in caught.value.got

    asyncio.run(main())


def test_a_withdrawn_key_ends_its_tokens() -> None:
    door = Door(idp=MemoryIssuer(Signer(), Signer()))
    old, new = (door.idp.token(signer=signer) for signer in door.idp.signers)

    async def main() -> None:
        await door.admit(old)
        await door.admit(new)
        del door.idp.signers[0]
        door.monotonic.now = 300
        assert (await door.admit(old)).subject == "alice"  # not known yet, asked for behind it
        for _ in range(10):
            await asyncio.sleep(0)
        assert (await door.admit(new)).subject == "alice"
        with pytest.raises(AuthenticationError) as caught:
            await door.admit(old)
        assert caught.value.code == "token-key-unknown"

    asyncio.run(main())


def test_keys_that_are_too_old_admit_nobody_not_even_who_was_seen() -> None:
    door = Door()
    token = door.idp.token()

    async def main() -> None:
        await door.admit(token)
        door.idp.down = True
        door.monotonic.now = 3899
        await door.admit(token)
        for _ in range(10):
            await asyncio.sleep(0)
        door.monotonic.now = 3900
        with pytest.raises(UpstreamError) as caught:
            await door.admit(token)
        assert (caught.value.code, caught.value.status) == ("issuer-unreachable", 503)

    asyncio.run(main())


def forged(**changes: Any) -> str:
    return Signer(kid="k").sign({"alg": "ES256", "kid": "k", "typ": "JWT"}, payload(**changes))


IDP = MemoryIssuer(Signer(kid="k"))


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "token-malformed"),
        ("opaque", "token-malformed"),
        ("a.b.c", "token-malformed"),
        (IDP.token() + "==", "token-malformed"),
        ("x" * 20_000, "token-too-large"),
        (IDP.token(groups=["g" * 20_000]), "token-too-large"),
        (forged(), "token-signature"),
        (IDP.token()[:-4] + "AAAA", "token-signature"),
        (IDP.token(headers={"kid": "other"}), "token-key-unknown"),
        (IDP.token(headers={"alg": "RS256"}), "token-key-unknown"),
        (IDP.token(headers={"alg": "none"}), "token-algorithm"),
        (IDP.token(headers={"alg": "HS256"}), "token-algorithm"),
        (IDP.token(headers={"crit": ["x"], "x": 1}), "token-critical"),
        (IDP.token(headers={"typ": "logout+jwt"}), "token-type"),
        (IDP.token(headers={"cty": "JWT"}), "token-type"),
        (IDP.token(iss=None), "token-issuer"),
        (IDP.token(iss=7), "token-issuer"),
        (IDP.token(iss=f"{ISSUER}/"), "token-issuer"),
        (IDP.token(iss="local"), "token-issuer"),
        (IDP.token(aud=["proctor", "other"]), "token-audience"),
        (IDP.token(exp=NOW + 315_360_000), "token-lifetime"),
        (IDP.token(cnf={"jkt": "x"}), "token-bound"),
        (
            IDP.signers[0].sign(header(IDP.signers[0]), payload()[:-1] + b',"aud":"proctor"}'),
            "token-malformed",
        ),
        (IDP.signers[0].sign(header(IDP.signers[0]), b"[1]"), "token-malformed"),
        (IDP.signers[0].sign(header(IDP.signers[0]), b""), "token-malformed"),
    ],
)
def test_tokens_that_prove_nothing(token: str, code: str) -> None:
    door = Door(idp=IDP)
    error = refused(code, door.admit(token))
    assert isinstance(error, AuthenticationError)
    assert not error.retry
    assert error.expected
    for part in token.split("."):
        assert len(part) < 8 or part not in str(error)


def test_a_key_in_the_token_itself_is_not_used() -> None:
    stranger = Signer(kid="mine")
    for name in ("jwk", "jku", "x5u", "x5c"):
        value = stranger.jwk if name == "jwk" else "https://evil.example/keys"
        token = stranger.sign(header(stranger, {name: value}), payload())
        refused("token-key-unknown", Door().admit(token))


def test_claims_are_not_told_apart_before_the_signature_is_verified() -> None:
    door = Door(idp=IDP)
    refused("token-signature", door.admit(forged(aud="other", exp=1)))


def test_an_issuer_that_is_down_is_not_the_callers_fault() -> None:
    door = Door()
    door.idp.down = True
    error = refused("issuer-unreachable", door.admit(door.idp.token()))
    assert isinstance(error, UpstreamError)
    assert error.status == 503


def test_the_same_subject_of_two_issuers_is_two_principals(tmp_path: Path) -> None:
    keys = tmp_path / "state" / FILE
    door = Door([settings(), settings(issuer="local")], local_keys=keys)
    local = make(keys).issue(subject="alice", groups=[], audience="proctor", ttl=600, now=NOW)

    async def main() -> None:
        assert (await door.admit(local)).key == "local#alice"
        assert (await door.admit(door.idp.token())).key == f"{ISSUER}#alice"
        assert door.at_once(local).key == "local#alice"
        keys.chmod(0o644)
        with pytest.raises(UpstreamError):
            await door.admit(local)

    asyncio.run(main())


def test_the_local_issuer_without_keys_says_how_to_make_them(tmp_path: Path) -> None:
    keys = tmp_path / "state" / FILE
    door = Door([settings(issuer="local")], local_keys=keys)
    token = make(keys).issue(subject="alice", groups=[], audience="proctor", ttl=600, now=NOW)
    keys.unlink()
    error = refused("token-key-unknown", door.admit(token))
    assert "proctor token --local" in error.hint


def opaque_door(**answer: Any) -> Door:
    door = Door([settings(groups="groups", introspection=OPAQUE)])
    door.idp.say(f"{ISSUER}/introspect", {"active": True, **claims(**answer)})
    return door


def test_opaque_tokens_are_asked_about_and_believed_for_a_while() -> None:
    door = opaque_door(groups=["dba"])
    asked = f"{ISSUER}/introspect"

    async def main() -> None:
        assert (await door.admit("opaque")).groups == ("dba",)
        door.monotonic.now = 29
        assert door.at_once("opaque").subject == "alice"
        assert door.idp.asked.count(asked) == 1
        door.monotonic.now = 30
        await door.admit("opaque")
        assert door.idp.asked.count(asked) == 2
        await door.admit(door.idp.token())  # signed ones are verified here, and not shown around
        assert door.idp.asked.count(asked) == 2
        door.idp.say(asked, {"active": False})
        door.monotonic.now = 60
        for _ in range(2):
            with pytest.raises(AuthenticationError) as caught:
                await door.admit("opaque")
            assert (caught.value.code, caught.value.retry) == ("token-inactive", True)
        with pytest.raises(AuthenticationError) as caught:
            await door.admit("never seen")
        await door.authenticator.close()

    asyncio.run(main())


def test_an_opaque_token_that_was_never_active_is_not_tried_again() -> None:
    door = opaque_door()
    door.idp.say(f"{ISSUER}/introspect", {"active": False})
    error = refused("token-inactive", door.admit("opaque"))
    assert isinstance(error, AuthenticationError)
    assert not error.retry


def test_an_opaque_token_expires_between_two_questions() -> None:
    door = opaque_door(exp=NOW + 10)

    async def main() -> None:
        await door.admit("opaque")
        door.clock.now = NOW + 70
        with pytest.raises(AuthenticationError) as caught:
            await door.admit("opaque")
        assert caught.value.code == "token-expired"

    asyncio.run(main())


def test_what_was_seen_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor.identity.authenticator._MAX_SEEN", 3)
    door = Door()
    tokens = [door.idp.token(sub=f"user-{number}") for number in range(5)]

    async def main() -> None:
        first = await door.admit(tokens[0])
        for token in tokens[1:]:
            await door.admit(token)
            assert await door.admit(tokens[0]) is first  # in use, so others are forgotten
        assert len(door.authenticator._seen) == 3

    asyncio.run(main())


def test_start_warms_the_keys_and_close_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()

    async def main() -> None:
        (status,) = door.authenticator.status()
        assert (status.issuer, status.age, status.failures) == (ISSUER, None, 0)
        await door.authenticator.start()
        (status,) = door.authenticator.status()
        assert status.age == 0
        await door.authenticator.close()

    asyncio.run(main())
    assert len(door.idp.asked) == 2
    assert not caplog.records


def test_start_does_not_wait_for_an_issuer_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    door.idp.down = True

    async def main() -> None:
        await door.authenticator.start()
        (status,) = door.authenticator.status()
        assert (status.age, status.failures) == (None, 1)
        await door.authenticator.close()

    asyncio.run(main())
    (record,) = caplog.records
    assert record.__dict__["event"] == "issuer.failed"


def test_keys_are_kept_fresh_without_anyone_asking() -> None:
    door = Door(timing=Timing(refresh=0.001))

    async def main() -> None:
        fetched = asyncio.Event()
        usual = door.idp.usual

        def noted(url: str) -> Any:
            if door.idp.asked.count(f"{ISSUER}/keys") == 2:
                fetched.set()
            return usual(url)

        door.idp.usual = noted  # type: ignore[method-assign] # the test listens in
        await door.authenticator.start()
        door.monotonic.now = 100
        async with asyncio.timeout(30):
            await fetched.wait()
        await door.authenticator.close()

    asyncio.run(main())


def test_start_refuses_a_key_file_that_is_open_and_warns_of_local_keys(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = tmp_path / "state" / FILE
    make(keys)
    door = Door([settings(issuer="local")], local_keys=keys)

    async def main() -> None:
        await door.authenticator.start()
        await door.authenticator.close()

    asyncio.run(main())
    assert [record.__dict__["event"] for record in caplog.records] == ["issuer.local"]
    assert door.authenticator.status() == ()
    keys.chmod(0o644)
    with pytest.raises(ConfigurationError):
        asyncio.run(door.authenticator.start())


@pytest.mark.parametrize(
    "issuers",
    [
        [settings(), settings()],
        [settings(issuer="local")],
        [settings(introspection=OPAQUE), settings(issuer=f"{ISSUER}2", introspection=OPAQUE)],
    ],
)
def test_issuers_that_cannot_be_told_apart_or_used(issuers: list[IssuerSettings]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Door(issuers)
    assert caught.value.code == "identity-invalid"


def test_introspection_needs_somebody_who_reads_the_secret() -> None:
    with pytest.raises(ConfigurationError):
        Authenticator(
            [settings(introspection=OPAQUE)],
            fetch=MemoryIssuer().fetch,
            clock=Clock(),
            local_keys=None,
        )


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Failure.STATUS, "issuer-unreachable"),
        (Failure.REDIRECT, "issuer-unreachable"),
        (Failure.GARBAGE, "issuer-invalid"),
        (Failure.HUGE, "issuer-unreachable"),
        (Failure.COMPRESSED, "issuer-unreachable"),
        (Failure.CUT, "issuer-unreachable"),
        (Failure.HANG, "issuer-unreachable"),
    ],
)
def test_over_sockets_good_keys_outlive_failures_and_a_cold_start_does_not(
    failure: Failure, code: str
) -> None:
    async def main(issuer: StandInIssuer) -> None:
        told = settings(
            issuer=issuer.url,
            introspection=Introspection(client_id=CLIENT_ID, client_secret=SecretSource(env="S")),
        )

        async def secret(source: SecretSource) -> str:
            del source
            return CLIENT_SECRET

        fetch = HttpFetch(total=30.0)
        soon = HttpFetch(total=1.0 if failure is Failure.HANG else 30.0)
        warm, cold = (
            Authenticator([told], fetch=each, clock=time.time, local_keys=None, secret=secret)
            for each in (fetch, soon)
        )
        signed_token, opaque_token = issuer.token("alice"), issuer.opaque("bob")
        assert (await warm.authenticate(signed_token)).subject == "alice"
        assert (await warm.authenticate(opaque_token)).subject == "bob"
        issuer.failure = failure
        assert (await warm.authenticate(issuer.token("dba-bot"))).subject == "dba-bot"
        assert (await warm.authenticate(opaque_token)).subject == "bob"
        for token in (signed_token, opaque_token):
            with pytest.raises(UpstreamError) as caught:
                await cold.authenticate(token)
            assert (caught.value.code, caught.value.status) == (code, 503)
        await warm.close()
        await cold.close()
        await fetch.close()
        await soon.close()

    with StandInIssuer(path="/realms/corp") as issuer:
        asyncio.run(main(issuer))


def test_a_token_is_recalled_once_proved_and_until_it_ends() -> None:
    async def main() -> None:
        door = Door()
        token = door.idp.token(exp=NOW + 100)
        assert door.authenticator.recall(token) is None
        principal = await door.admit(token)
        assert door.authenticator.recall(token) == principal
        assert door.authenticator.recall(token + "x") is None
        assert door.authenticator.recall("x" * 20_000) is None
        assert door.authenticator.recall("\ud800") is None
        door.clock.now = NOW + 160
        assert door.authenticator.recall(token) is None

    asyncio.run(main())


def signed(header_json: object, payload_json: object) -> str:
    raw = json.dumps(header_json).encode()
    return IDP.signers[0].sign(raw, json.dumps(payload_json).encode())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)
headers = st.dictionaries(
    st.sampled_from(["alg", "typ", "kid", "cty", "crit", "jwk", "x"]), json_values, max_size=2
).map(lambda changes: {**header(IDP.signers[0]), **changes})
bodies = st.dictionaries(
    st.sampled_from([*claims(), "nbf", "cnf", "groups", "_claim_names"]), json_values, max_size=3
).map(lambda changes: {**claims(), **changes})


@given(
    st.text()
    | st.text("abcdefgh-_.=")
    | st.builds(signed, headers, bodies)
    | st.builds(signed, json_values, json_values)
    | st.integers(0, 400).map(lambda end: IDP.token()[:end])
)
def test_no_token_makes_it_raise_anything_else(token: str) -> None:
    for door in (Door(idp=IDP), opaque_door()):
        try:
            principal = asyncio.run(door.admit(token))
        except ProctorError:
            continue
        principal.key.encode()
