"""Certificates, looked at by cryptography's own verifier; OpenSSL's is in test_authority."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from proctor.egress.certificates import CA_LIFE, LEAF_LIFE, SKEW, Ca, Role, make_ca, make_leaf
from proctor.egress.constraints import Constraints
from proctor.errors import ClientError, ConfigurationError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1()).public_key()
OTHER = make_ca(Constraints(), Role.SIGNS, NOW)


@pytest.fixture(scope="module")
def ca() -> Ca:
    return make_ca(Constraints(), Role.SIGNS, NOW)


def verify(ca: Ca, leaf: x509.Certificate, host: str, now: datetime = NOW) -> None:
    try:
        subject: x509.DNSName | x509.IPAddress = x509.IPAddress(ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    store = verification.Store([ca.certificate])
    verifier = verification.PolicyBuilder().store(store).time(now).build_server_verifier(subject)
    verifier.verify(leaf, [])


def test_an_authority(ca: Ca) -> None:
    find = ca.certificate.extensions.get_extension_for_class
    basic, usage = find(x509.BasicConstraints), find(x509.KeyUsage)
    assert (basic.critical, basic.value) == (True, x509.BasicConstraints(ca=True, path_length=0))
    assert usage.critical
    assert usage.value.key_cert_sign
    assert usage.value.crl_sign
    assert not usage.value.digital_signature
    assert list(find(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert find(x509.SubjectKeyIdentifier).value.digest.hex().startswith(ca.id)
    assert ca.certificate.subject.rfc4514_string() == f"CN=proctor CA {ca.id},O=proctor"
    assert (ca.begins, ca.ends) == (NOW - SKEW, NOW + CA_LIFE)
    assert "NameConstraints" not in str(ca.certificate.extensions)


def test_its_key_is_not_shown(ca: Ca) -> None:
    assert "PrivateKey" not in repr(ca)


def test_two_are_never_alike(ca: Ca) -> None:
    assert ca.id != OTHER.id
    assert ca.fingerprint != OTHER.fingerprint


@pytest.mark.parametrize(
    "host", ["api.example", "localhost", "xn--bcher-kva.example", "10.0.0.1", "::1"]
)
def test_a_leaf(ca: Ca, host: str) -> None:
    leaf = make_leaf(ca, host, KEY, NOW)
    verify(ca, leaf, host)
    find = leaf.extensions.get_extension_for_class
    assert list(find(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not find(x509.BasicConstraints).value.ca
    assert find(x509.KeyUsage).value.digital_signature
    assert not find(x509.KeyUsage).value.key_cert_sign
    assert len(find(x509.SubjectAlternativeName).value) == 1
    assert leaf.not_valid_before_utc == NOW - SKEW
    assert leaf.not_valid_after_utc == NOW + LEAF_LIFE
    assert not leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)


def test_for_a_client_whose_clock_is_behind(ca: Ca) -> None:
    leaf = make_leaf(ca, "api.example", KEY, NOW)
    verify(ca, leaf, "api.example", NOW - SKEW)
    with pytest.raises(verification.VerificationError):
        verify(ca, leaf, "api.example", NOW - SKEW - timedelta(seconds=1))


def test_for_nothing_else(ca: Ca) -> None:
    leaf = make_leaf(ca, "api.example", KEY, NOW)
    for authority, host in ((ca, "other.example"), (ca, "x.api.example"), (OTHER, "api.example")):
        with pytest.raises(verification.VerificationError):
            verify(authority, leaf, host)


def test_never_beyond_the_authority_s_end(ca: Ca) -> None:
    leaf = make_leaf(ca, "api.example", KEY, ca.ends - timedelta(hours=2))
    assert leaf.not_valid_after_utc == ca.ends


@pytest.mark.parametrize("off", [CA_LIFE, -SKEW - timedelta(seconds=1)])
def test_an_authority_out_of_its_time_signs_nothing(ca: Ca, off: timedelta) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_leaf(ca, "api.example", KEY, NOW + off)
    assert caught.value.code == "ca-expired"


def test_an_authority_without_a_key_signs_nothing(ca: Ca) -> None:
    old = Ca(role=Role.OLD, certificate=ca.certificate, constraints=ca.constraints, key=None)
    with pytest.raises(ConfigurationError):
        make_leaf(old, "api.example", KEY, NOW)


@pytest.mark.parametrize(
    ("permitted", "inside", "outside"),
    [
        (("corp.example",), ("corp.example", "a.corp.example"), ("x.example", "10.0.0.1", "::1")),
        (("10.0.0.0/8",), ("10.1.2.3",), ("11.1.2.3", "fd00::1", "corp.example")),
        (
            ("corp.example", "fd00::/8"),
            ("corp.example", "fd00::1"),
            ("evilcorp.example", "10.0.0.1", "fe80::1"),
        ),
    ],
)
def test_a_stolen_key_is_worth_nothing_outside_the_constraints(
    permitted: tuple[str, ...], inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    """`make_leaf` signs whatever it is told to, as a thief would."""
    ca = make_ca(Constraints.parse(permitted), Role.SIGNS, NOW)
    extension = ca.certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert extension.critical
    for host in inside:
        assert ca.constraints.permits(host)
        verify(ca, make_leaf(ca, host, KEY, NOW), host)
    for host in outside:
        assert not ca.constraints.permits(host)
        with pytest.raises(verification.VerificationError):
            verify(ca, make_leaf(ca, host, KEY, NOW), host)


@pytest.mark.parametrize(
    "host",
    [
        "", "*", "*.example", "API.example", "api.example.", "a b", "a\0b", "api.example:443",
        "[::1]", "fe80::1%eth0", "127.1", "0x7f000001", "2130706433", "bücher.example", "a" * 254,
        "a" * 64 + ".example", "-a.example", "a..example", "user@api.example", "api.example\n",
    ],
)  # fmt: skip
def test_no_host_can_be_called_so(ca: Ca, host: str) -> None:
    with pytest.raises(ClientError) as caught:
        make_leaf(ca, host, KEY, NOW)
    assert caught.value.code == "ca-host"


@given(st.text(max_size=60) | st.from_regex(r"[a-z0-9_.:x-]{1,70}", fullmatch=True))
def test_whatever_is_asked_for(host: str) -> None:
    try:
        leaf = make_leaf(OTHER, host, KEY, NOW)
    except ClientError:
        return
    (name,) = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if isinstance(name, x509.IPAddress):
        assert name.value == ip_address(host)
    else:
        assert name.value == host
