"""The stand-in OpenID provider."""

import json
import time
from urllib.parse import quote_plus

import httpx
import jwt
import pytest

from proctor.testing.issuer import CLIENT_ID, CLIENT_SECRET, Failure, Signer, StandInIssuer


def get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=30)


def keys(issuer: StandInIssuer) -> jwt.PyJWKSet:
    return jwt.PyJWKSet.from_dict(get(f"{issuer.url}/jwks").json())


@pytest.mark.parametrize("algorithm", ["ES256", "ES512", "RS256", "PS256", "EdDSA"])
def test_others_can_read_and_verify_its_tokens(algorithm: str) -> None:
    with StandInIssuer(algorithm=algorithm) as issuer:
        token = issuer.token("alice", groups=["dba"])
        key = keys(issuer)[issuer.signers[0].kid]
        claims = jwt.decode(
            token, key, algorithms=[algorithm], audience="proctor", issuer=issuer.url
        )
    assert (claims["sub"], claims["groups"]) == ("alice", ["dba"])
    assert claims["exp"] - claims["iat"] == 3600
    assert abs(claims["iat"] - time.time()) < 5
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"


def test_what_it_says_can_be_changed() -> None:
    with StandInIssuer(path="/realms/corp") as issuer:
        issuer.document = {"jwks_uri": None, "issuer": "other"}
        for path in (
            "/realms/corp/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server/realms/corp",
        ):
            document = get(issuer.url.removesuffix("/realms/corp") + path).json()
            assert document["issuer"] == "other"
            assert "jwks_uri" not in document
        token = issuer.token("alice", headers={"typ": None, "x": 1}, aud=None, now=7, ttl=3, y=2)
        assert get(f"{issuer.url}/else").status_code == 404
        assert issuer.requests[-1] == "GET /realms/corp/else"
    assert "typ" not in jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iat"], claims["exp"], claims["y"]) == (7, 10, 2)
    assert "aud" not in claims


def test_keys_change() -> None:
    with StandInIssuer() as issuer:
        first = issuer.signers[0]
        second = issuer.rotate()
        assert {key.key_id for key in keys(issuer)} == {first.kid, second.kid}
        assert jwt.get_unverified_header(issuer.token("alice"))["kid"] == second.kid
        third = issuer.rotate(keep=False)
        assert {key.key_id for key in keys(issuer)} == {third.kid}


def test_opaque_tokens_are_told_to_its_client_only() -> None:
    with StandInIssuer() as issuer:
        token = issuer.opaque("alice")

        def ask(client_id: str, secret: str) -> httpx.Response:
            auth = httpx.BasicAuth(quote_plus(client_id), quote_plus(secret))
            url, data = f"{issuer.url}/introspect", {"token": token}
            return httpx.post(url, data=data, auth=auth, trust_env=False, timeout=30)

        assert ask(CLIENT_ID, "wrong").status_code == 401
        assert (
            httpx.post(f"{issuer.url}/introspect", trust_env=False, timeout=30).status_code == 401
        )
        answer = ask(CLIENT_ID, CLIENT_SECRET).json()
        assert (answer["active"], answer["sub"]) == (True, "alice")
        issuer.revoke(token)
        assert ask(CLIENT_ID, CLIENT_SECRET).json() == {"active": False}


def test_it_fails_as_told() -> None:
    with StandInIssuer() as issuer:
        url = f"{issuer.url}/jwks"
        seen = {}
        for failure in (Failure.STATUS, Failure.REDIRECT, Failure.GARBAGE, Failure.HUGE):
            issuer.failure = failure
            answer = get(url)
            seen[failure] = (answer.status_code, len(answer.content))
        issuer.failure = Failure.CUT
        with pytest.raises(httpx.RemoteProtocolError):
            get(url)
        issuer.failure = Failure.HANG
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(url, trust_env=False, timeout=0.1)
    assert seen[Failure.STATUS][0] == 500
    assert seen[Failure.REDIRECT][0] == 302
    assert seen[Failure.HUGE][1] > 1024 * 1024


def test_anything_can_be_signed() -> None:
    signer = Signer(kid="k")
    token = signer.sign(b'{"alg":"ES256","alg":"none"}', b"\xff")
    assert token.count(".") == 2
    assert json.dumps(signer.jwk).count("ES256") == 1
    assert "d" not in signer.jwk


def test_it_has_no_name_before_it_listens() -> None:
    issuer = StandInIssuer()
    with pytest.raises(RuntimeError):
        _ = issuer.url
