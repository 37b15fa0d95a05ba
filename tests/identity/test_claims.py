"""What the claims of a verified token must say."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import AuthenticationError
from proctor.identity.claims import check_claims, check_header, read_subject, read_time
from proctor.identity.jose import parse_jws
from proctor.model import Principal
from proctor.testing.issuer import Signer
from tests.support.identity import ISSUER, NOW, MemoryIssuer, claims, settings

IDP = MemoryIssuer()


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(AuthenticationError) as caught:
        work()
    assert caught.value.retry == (caught.value.code == "token-expired")
    return caught.value.code


def test_good_claims_name_a_principal() -> None:
    told = claims(groups=["b", "a"], act={"sub": "alice"}, email="alice@corp.example")
    principal = check_claims(told, settings(groups="groups", human="act.sub"), NOW)
    assert principal == Principal(
        issuer=ISSUER,
        subject="alice",
        human="alice",
        groups=("a", "b"),
        issued_at=NOW - 10,
        expires_at=NOW + 3590,
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": None}, "token-audience"),
        ({"aud": "other"}, "token-audience"),
        ({"aud": "Proctor"}, "token-audience"),
        ({"aud": ["proctor", "other"]}, "token-audience"),
        ({"aud": ["proctor", "proctor"]}, "token-audience"),
        ({"aud": []}, "token-audience"),
        ({"aud": {"proctor": 1}}, "token-audience"),
        ({"aud": [["proctor"]]}, "token-audience"),
        ({"sub": None}, "token-subject"),
        ({"sub": ""}, "token-subject"),
        ({"sub": " "}, "token-subject"),
        ({"sub": 7}, "token-subject"),
        ({"sub": "a\nb"}, "token-subject"),
        ({"sub": "\ud800"}, "token-subject"),
        ({"sub": "x" * 256}, "token-subject"),
        ({"exp": None}, "token-claims"),
        ({"exp": "1900000000"}, "token-claims"),
        ({"exp": True}, "token-claims"),
        ({"exp": float("inf")}, "token-claims"),
        ({"exp": 10**40}, "token-claims"),
        ({"exp": [NOW]}, "token-claims"),
        ({"iat": None}, "token-claims"),
        ({"iat": "0"}, "token-claims"),
        ({"iat": -1}, "token-claims"),
        ({"nbf": "0"}, "token-claims"),
        ({"nbf": False}, "token-claims"),
        ({"exp": NOW - 60}, "token-expired"),
        ({"exp": NOW - 90000}, "token-expired"),
        ({"nbf": NOW + 61}, "token-not-yet-valid"),
        ({"iat": NOW + 61}, "token-not-yet-valid"),
        ({"exp": NOW + 86400}, "token-lifetime"),
        ({"exp": NOW + 315_360_000}, "token-lifetime"),
        ({"exp": NOW - 10, "iat": NOW}, "token-lifetime"),
        ({"cnf": {"jkt": "x"}}, "token-bound"),
        ({"cnf": {}}, "token-bound"),
        ({"events": {}}, "token-type"),
        ({"typ": "ID"}, "token-type"),
        ({"typ": "Refresh"}, "token-type"),
        ({"token_use": "id"}, "token-type"),
        ({"token_use": ["access"]}, "token-type"),
    ],
)
def test_bad_claims_are_refused(changes: dict[str, Any], code: str) -> None:
    assert code_of(lambda: check_claims(claims(**changes), settings(), NOW)) == code


def test_a_null_claim_is_no_claim_but_a_null_cnf_is_refused() -> None:
    assert (
        code_of(lambda: check_claims({**claims(), "cnf": None}, settings(), NOW)) == "token-bound"
    )
    assert (
        code_of(lambda: check_claims({**claims(), "nbf": None}, settings(), NOW)) == "token-claims"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["proctor"]},
        {"exp": NOW - 59, "iat": NOW - 3600},
        {"nbf": NOW + 59},
        {"iat": NOW + 59},
        {"exp": NOW + 86390},
        {"exp": NOW + 0.5},
        {"typ": "Bearer"},
        {"token_use": "access"},
        {"sub": "auth0|5f7c8ec7c33c6c004bbafe82"},
        {"sub": "Ærøskøbing"},
    ],
)
def test_what_the_leeway_and_the_rfc_allow_passes(changes: dict[str, Any]) -> None:
    assert check_claims(claims(**changes), settings(), NOW).issuer == ISSUER


def test_messages_say_what_was_got_and_expected() -> None:
    with pytest.raises(AuthenticationError) as caught:
        check_claims(claims(aud=["api", "proctor"]), settings(), NOW)
    assert caught.value.message == "The token is for others too"
    assert (caught.value.got, caught.value.expected) == ('"api", "proctor"', '"proctor" alone')
    with pytest.raises(AuthenticationError) as caught:
        check_claims(claims(aud=list("abcdefg")), settings(), NOW)
    assert caught.value.got == '"a", "b", "c", …'


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"typ": "logout+jwt"}, "token-type"),
        ({"typ": "dpop+jwt"}, "token-type"),
        ({"typ": "secevent+jwt"}, "token-type"),
        ({"typ": ""}, "token-type"),
        ({"typ": ["JWT"]}, "token-type"),
        ({"cty": "JWT"}, "token-type"),
        ({"cty": "json"}, "token-type"),
    ],
)
def test_tokens_of_other_kinds_are_refused(header: dict[str, Any], code: str) -> None:
    jws = parse_jws(IDP.token(headers=header))
    assert code_of(lambda: check_header(jws, settings())) == code


def test_kinds_of_access_tokens_pass() -> None:
    for typ in ("JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", None):
        check_header(parse_jws(IDP.token(headers={"typ": typ})), settings())


def test_a_missing_typ_is_refused_where_only_access_tokens_are_listed() -> None:
    jws = parse_jws(IDP.token(headers={"typ": None}))
    strict = settings(typ=("at+jwt",))
    assert code_of(lambda: check_header(jws, strict)) == "token-type"


def test_algorithms_are_those_of_the_issuer() -> None:
    jws = parse_jws(IDP.token())
    assert code_of(lambda: check_header(jws, settings(algorithms=("RS256",)))) == "token-algorithm"
    for alg in ("none", "NoNe", "HS256", "es256", "ES384"):
        forged = parse_jws(Signer().sign({"alg": alg}, b"{}"))
        assert code_of(partial(check_header, forged, settings())) == "token-algorithm"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4
)


@given(st.dictionaries(st.sampled_from([*claims(), "nbf", "cnf", "groups"]), values))
def test_any_claims_name_a_principal_or_are_refused(changes: dict[str, Any]) -> None:
    try:
        principal = check_claims({**claims(), **changes}, settings(groups="groups"), NOW)
    except AuthenticationError:
        return
    principal.key.encode()


@given(values)
def test_any_value_is_a_subject_and_a_time_or_is_refused(value: object) -> None:
    with contextlib.suppress(AuthenticationError):
        read_subject(value)
    with contextlib.suppress(AuthenticationError):
        read_time({"exp": value}, "exp")
