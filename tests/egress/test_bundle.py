"""What clients trust."""

import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import certifi
import pytest

from proctor.egress import bundle
from proctor.egress.certificates import Role, make_ca
from proctor.egress.constraints import Constraints
from proctor.errors import ConfigurationError

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ONE, TWO, OTHER = (make_ca(Constraints(), Role.SIGNS, NOW) for _ in range(3))


def certificates(data: bytes) -> list[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=data.decode())
    return context.get_ca_certs(binary_form=True)


def test_own() -> None:
    assert certificates(bundle.own([ONE, TWO])) == [bundle.as_der(ONE), bundle.as_der(TWO)]


def test_complete_takes_the_system_s_and_drops_what_is_said_about_them(tmp_path: Path) -> None:
    system = tmp_path / "system.crt"
    system.write_bytes(b"# A company's own\r\n" + OTHER.pem.replace(b"\n", b"\r\n") + b"\n# end")
    found = bundle.complete([ONE], [tmp_path / "absent", system])
    assert certificates(found) == [bundle.as_der(OTHER), bundle.as_der(ONE)]
    assert found.startswith(b"-----BEGIN")
    assert b"#" not in found


def test_complete_has_none_twice(tmp_path: Path) -> None:
    system = tmp_path / "system.crt"
    system.write_bytes(OTHER.pem + ONE.pem)
    found = bundle.complete([ONE, TWO], [system])
    assert found.count(b"BEGIN CERTIFICATE") == 3


@pytest.mark.parametrize("system", [bundle.SYSTEM, ()])
def test_complete_on_this_machine_and_without_a_system_s(system: tuple[Path, ...]) -> None:
    found = certificates(bundle.complete([ONE], system))
    assert bundle.as_der(ONE) in found
    assert len(found) > 50
    if not system:
        assert len(found) == len(certificates(Path(certifi.where()).read_bytes())) + 1


@pytest.mark.parametrize("content", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nMIIB"])
def test_a_system_s_file_without_certificates(tmp_path: Path, content: bytes) -> None:
    system = tmp_path / "system.crt"
    system.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        bundle.complete([ONE], [system])
    assert caught.value.code == "ca-roots"


def test_a_system_s_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_MAX_BYTES", 100)
    system = tmp_path / "system.crt"
    system.write_bytes(OTHER.pem)
    with pytest.raises(ConfigurationError, match="more than 100 bytes"):
        bundle.complete([ONE], [system])


def test_write(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    for data in (b"one", b"two"):
        bundle.write(path, data)
        assert path.read_bytes() == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_write_replaces_a_link_and_not_what_it_names(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "ca.pem"
    victim.write_bytes(b"kept")
    path.symlink_to(victim)
    bundle.write(path, b"new")
    assert (victim.read_bytes(), path.is_symlink()) == (b"kept", False)


def test_write_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        bundle.write(tmp_path / "absent" / "ca.pem", b"")
    assert caught.value.code == "ca-export"
