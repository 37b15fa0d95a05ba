"""Who else could read or change what proctor keeps."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from proctor.config import Config, load
from proctor.errors import ConfigurationError
from proctor.runtime.permissions import (
    check_private,
    check_unwritable,
    find_open,
    make_folder,
    prepare,
    write_new,
)
from proctor.settings import Listener

CONFIG = """\
schema_version: 1
listeners:
  - name: claude
    kind: reverse
    listen: 127.0.0.1:0
    tls: {cert: cert.pem, key: key.pem}
    upstream: https://api.anthropic.com
    speaks: anthropic
    credential: anthropic
  - name: partner
    kind: reverse
    listen: 127.0.0.1:0
    upstream: https://partner.internal
    speaks: http
    credential: partner
  - name: crm
    kind: reverse
    listen: 127.0.0.1:0
    upstream: https://crm.internal
    speaks: http
    credential: crm
identity:
  issuers:
    - issuer: https://idp.internal
      audience: proctor
      ca: ca.pem
      introspection: {client_id: proctor, client_secret: {file: client}}
credentials:
  - {name: anthropic, header: x-api-key, value: {file: secret}}
  - {name: partner, cert: partner.pem, key: partner-key.pem}
  - name: crm
    oauth:
      token_endpoint: https://idp.internal/token
      client_id: proctor
      client_auth: private_key
      private_key: crm-key.pem
      ca: crm-ca.pem
redaction: {known_values: [known.txt], recognizers: own.yaml}
"""
PRIVATE = (
    "key.pem",
    "partner-key.pem",
    "crm-key.pem",
    "client",
    "secret",
    "known.txt",
    ".proctor",
    ".proctor/keys.json",
    "recordings",
)
PUBLIC = (
    "proctor.yaml",
    "own.yaml",
    "rules",
    "rules/a.yaml",
    "cert.pem",
    "ca.pem",
    "partner.pem",
    "crm-ca.pem",
)


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    old = os.umask(request.param)
    yield request.param
    os.umask(old)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    for name in ("rules", ".proctor", "recordings"):
        (tmp_path / name).mkdir(mode=0o700)
    for name in (*PRIVATE, *PUBLIC):
        path = tmp_path / name
        if not path.is_dir():
            path.write_text(CONFIG if name == "proctor.yaml" else "x")
            path.chmod(0o644 if name in PUBLIC else 0o600)
    return load(tmp_path / "proctor.yaml")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_folders_are_made_private(tmp_path: Path) -> None:
    make_folder(tmp_path / "a")
    assert mode(tmp_path / "a") & 0o077 == 0


def test_folders_above_are_made_private_too(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700


def test_no_folder_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(ConfigurationError, match="cannot be made"):
            make_folder(path)


@pytest.mark.usefixtures("umask")
def test_files_are_made_private(tmp_path: Path) -> None:
    write_new(tmp_path / "a", b"x")
    assert mode(tmp_path / "a") & 0o077 == 0


def test_files_are_new(tmp_path: Path) -> None:
    write_new(tmp_path / "a", b"x")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("a", "link"):
        with pytest.raises(FileExistsError):
            write_new(tmp_path / name, b"y")
    assert (tmp_path / "a").read_bytes() == b"x"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o602, 0o610, 0o777])
def test_open_files_are_refused(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    path.chmod(bits)
    os.chown(path, -1, -1)
    if path.stat().st_uid == 0 and bits == 0o640:
        check_private(path, "a key")  # root's, and readable by our own group
        return
    with pytest.raises(ConfigurationError) as caught:
        check_private(path, "a key")
    assert caught.value.code == "open-to-others"
    assert f"chmod 600 {path}" in str(caught.value)


@pytest.mark.parametrize("bits", [0o600, 0o400, 0o700])
def test_private_files_are_taken(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    path.chmod(bits)
    check_private(path, "a key")


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o604)
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(ConfigurationError, match="Others on this machine"):
        check_private(tmp_path / "link", "a key")


def test_another_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(ConfigurationError, match="Another user owns"):
        check_private(path, "a key")
    with pytest.raises(ConfigurationError, match="Another user owns"):
        check_unwritable(path, "the rules")


def test_all_is_well(config: Config, tmp_path: Path) -> None:
    assert find_open(config, tmp_path / "proctor.yaml") == []


@pytest.mark.parametrize("name", PRIVATE)
def test_what_must_be_private(config: Config, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.chmod(path.stat().st_mode | 0o004)
    (error,) = find_open(config, tmp_path / "proctor.yaml")
    assert str(path) in str(error)


@pytest.mark.parametrize("name", PUBLIC)
def test_what_others_must_not_write(config: Config, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.chmod(path.stat().st_mode | 0o002)
    (error,) = find_open(config, tmp_path / "proctor.yaml")
    assert f"chmod o-w {path}" in str(error)


@pytest.mark.parametrize("name", ["key.pem", "secret", "cert.pem", "ca.pem"])
def test_what_must_be_there(config: Config, tmp_path: Path, name: str) -> None:
    (tmp_path / name).unlink()
    (error,) = find_open(config, tmp_path / "proctor.yaml")
    assert error.code == "file-unreadable"


def test_a_file_of_ours_that_vanishes_meanwhile_is_no_matter(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite drops its files beside the vault when the last of several processes closes it."""

    def check(path: Path, what: str) -> None:
        (config.state / "vault.db-wal").unlink(missing_ok=True)
        check_private(path, what)

    (config.state / "vault.db-wal").touch(mode=0o600)
    monkeypatch.setattr("proctor.runtime.permissions.check_private", check)
    assert find_open(config, config.state.parent / "proctor.yaml") == []


def test_the_authoritys_keys_must_be_private(config: Config, tmp_path: Path) -> None:
    folder = config.state / "ca"
    folder.mkdir(mode=0o700, parents=True)
    write_new(folder / "authorities.json", b"{}")
    config.state.chmod(0o700)
    assert find_open(config, tmp_path / "proctor.yaml") == []
    (folder / "authorities.json").chmod(0o604)
    (error,) = find_open(config, tmp_path / "proctor.yaml")
    assert str(folder / "authorities.json") in error.got
    (folder / "authorities.json").chmod(0o600)
    folder.chmod(0o755)
    (error,) = find_open(config, tmp_path / "proctor.yaml")
    assert error.got.startswith(f"{folder} with mode")


def test_files_of_routes_and_destinations(config: Config, tmp_path: Path) -> None:
    """The key of each way out, and what an API says of itself, which settles what may pass."""
    for name in ("way-key.pem", "way.pem", "api.yaml"):
        write_new(tmp_path / name, b"")
    files = {"cert": tmp_path / "way.pem", "key": tmp_path / "way-key.pem"}
    spec = {"spec": tmp_path / "api.yaml"}
    egress = Listener.model_validate(
        {"name": "egress", "kind": "forward", "listen": "127.0.0.1:0", "destinations": (
            {"host": "api.internal", "upstream_tls": files, "openapi": spec},
        )}
    )  # fmt: skip
    tools = Listener.model_validate(
        {"name": "tools", "kind": "reverse", "listen": "127.0.0.1:0", "speaks": "http", "routes": (
            {"path": "/a", "upstream": "https://a.internal", "upstream_tls": files},
        )}
    )  # fmt: skip
    ways = config.model_copy(update={"doors": (egress, tools)})
    assert find_open(ways, tmp_path / "proctor.yaml") == []
    (tmp_path / "way-key.pem").chmod(0o644)
    (tmp_path / "api.yaml").chmod(0o666)
    messages = [error.message for error in find_open(ways, tmp_path / "proctor.yaml")]
    assert messages == [
        "Others on this machine can get at a client key of the listener 'egress'",
        "Everyone on this machine can change what an API says of itself",
        "Others on this machine can get at a client key of the listener 'tools'",
    ]


def test_prepare_makes_what_is_missing(config: Config, tmp_path: Path) -> None:
    (tmp_path / "recordings").rmdir()
    prepare(config, tmp_path / "proctor.yaml")
    assert mode(tmp_path / "recordings") == 0o700


def test_prepare_refuses_what_is_open(config: Config, tmp_path: Path) -> None:
    (tmp_path / "recordings").chmod(0o755)
    with pytest.raises(ConfigurationError, match="the recordings"):
        prepare(config, tmp_path / "proctor.yaml")
    assert mode(tmp_path / "recordings") == 0o755
