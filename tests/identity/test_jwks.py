"""Key sets at hand when a token comes."""

import asyncio
from typing import Any

import pytest

from proctor.errors import UpstreamError
from proctor.identity.fetch import Reply
from proctor.identity.jose import Jws, parse_jws
from proctor.identity.jwks import RemoteKeys, load_keys
from proctor.identity.refreshed import Timing
from proctor.testing.issuer import Signer
from tests.support.identity import ISSUER, Clock, MemoryIssuer, header, refused, settings

TIMING = Timing(refresh=300, stale=3600, cooldown=10, unknown=60)


def remote(idp: MemoryIssuer, clock: Clock, **changes: Any) -> RemoteKeys:
    return RemoteKeys(settings(**changes), fetch=idp.fetch, monotonic=clock, timing=TIMING)


def jws(signer: Signer, **changes: Any) -> Jws:
    return parse_jws(signer.sign(header(signer, changes), b"{}"))


def test_keys_are_discovered_once() -> None:
    idp, clock = MemoryIssuer(), Clock()
    keys = remote(idp, clock)

    async def main() -> None:
        assert keys.generation() is None
        for _ in range(3):
            found = await keys.find(jws(idp.signers[0]))
            assert [key.kid for key in found.keys] == [idp.signers[0].kid]
            assert found.generation == keys.generation() == 1

    asyncio.run(main())
    assert idp.asked == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/keys"]


def test_a_configured_address_needs_no_discovery() -> None:
    idp = MemoryIssuer()
    keys = asyncio.run(load_keys(settings(jwks_uri=f"{ISSUER}/keys"), idp.fetch))
    assert len(keys.keys) == 1
    assert idp.asked == [f"{ISSUER}/keys"]


def test_a_new_key_is_found_at_its_first_token() -> None:
    idp, clock = MemoryIssuer(), Clock()
    keys = remote(idp, clock)

    async def main() -> None:
        await keys.find(jws(idp.signers[0]))
        idp.signers.append(Signer())
        clock.now += 10
        found = await keys.find(jws(idp.signers[1]))
        assert [key.kid for key in found.keys] == [idp.signers[1].kid]
        assert found.generation == 2

    asyncio.run(main())


def test_unknown_names_do_not_make_us_ask_again_and_again() -> None:
    idp, clock = MemoryIssuer(), Clock()
    keys = remote(idp, clock)

    async def main() -> None:
        for number in range(50):
            assert (await keys.find(jws(idp.signers[0], kid=f"k{number}"))).keys == ()
        assert idp.asked.count(f"{ISSUER}/keys") == 1
        clock.now += 10
        assert (await keys.find(jws(idp.signers[0], kid="k0"))).keys == ()
        assert idp.asked.count(f"{ISSUER}/keys") == 2
        for _ in range(4):
            clock.now += 10  # past the cool-down, but k0 was missing a moment ago
            assert (await keys.find(jws(idp.signers[0], kid="k0"))).keys == ()
        assert idp.asked.count(f"{ISSUER}/keys") == 2
        clock.now += 20
        assert (await keys.find(jws(idp.signers[0], kid="k0"))).keys == ()
        assert idp.asked.count(f"{ISSUER}/keys") == 3

    asyncio.run(main())


def test_the_memory_of_unknown_names_is_bounded() -> None:
    idp, clock = MemoryIssuer(), Clock()
    keys = remote(idp, clock)

    async def main() -> None:
        for number in range(1100):
            clock.now += 10
            await keys.find(jws(idp.signers[0], kid=f"k{number}"))
        assert len(keys._unknown) == 1000

    asyncio.run(main())


def test_known_keys_do_not_wait_behind_an_unknown_one() -> None:
    idp, clock = MemoryIssuer(), Clock()
    keys = remote(idp, clock)

    async def main() -> None:
        await keys.find(jws(idp.signers[0]))
        clock.now += 10
        idp.gate = asyncio.Event()  # the issuer hangs
        unknown = asyncio.ensure_future(keys.find(jws(idp.signers[0], kid="other")))
        await asyncio.sleep(0)
        known = asyncio.ensure_future(keys.find(jws(idp.signers[0])))
        await asyncio.sleep(0)
        assert known.done()
        assert not unknown.done()
        idp.gate.set()
        assert (await unknown).keys == ()

    asyncio.run(main())


def test_an_unknown_name_is_not_refused_while_the_issuer_cannot_be_asked() -> None:
    idp, clock = MemoryIssuer(), Clock()
    keys = remote(idp, clock)

    async def main() -> None:
        await keys.find(jws(idp.signers[0]))
        idp.down = True
        clock.now += 10
        for _ in range(2):
            with pytest.raises(UpstreamError):
                await keys.find(jws(idp.signers[0], kid="other"))
        assert (await keys.find(jws(idp.signers[0]))).keys
        assert (keys.failures, keys.age) == (1, 10)

    asyncio.run(main())


def test_without_keys_nobody_is_admitted() -> None:
    idp = MemoryIssuer()
    idp.down = True
    refused("issuer-unreachable", remote(idp, Clock()).find(jws(idp.signers[0])))


def test_a_key_that_is_withdrawn_is_gone_at_the_next_refresh() -> None:
    idp, clock = MemoryIssuer(Signer(), Signer()), Clock()
    keys = remote(idp, clock)

    async def main() -> None:
        await keys.warm()
        await keys.warm()
        old = idp.signers.pop(0)
        clock.now += 300
        assert keys.generation() == 1
        for _ in range(5):
            await asyncio.sleep(0)
        assert keys.generation() == 2
        assert (await keys.find(jws(old))).keys == ()
        await keys.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(status=500, body=b"{}"), "issuer-unreachable"),
        (Reply(status=302, body=b""), "issuer-unreachable"),
        (Reply(status=200, body=b"<html>"), "issuer-invalid"),
        (Reply(status=200, body=b'{"keys":[]}'), "issuer-invalid"),
        (Reply(status=200, body=b'{"keys":[{"kty":"oct","k":"AA"}]}'), "issuer-invalid"),
    ],
)
def test_what_is_no_key_set_admits_nobody(reply: Reply, code: str) -> None:
    idp = MemoryIssuer()
    idp.answers[f"{ISSUER}/keys"] = reply
    error = refused(code, load_keys(settings(), idp.fetch))
    assert isinstance(error, UpstreamError)
    assert error.status == 503


def test_a_description_without_keys_admits_nobody() -> None:
    idp = MemoryIssuer()
    idp.say(f"{ISSUER}/.well-known/openid-configuration", {"issuer": ISSUER})
    refused("issuer-invalid", load_keys(settings(), idp.fetch))
