"""Who else on this machine could read or change what proctor keeps.

Folders are made 0700 and files 0600 from the first moment, whatever the umask. What is there
already is checked, never mended in silence: whoever opened it may have read it.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from proctor.egress.settings import DestinationSettings, RouteSettings
from proctor.errors import ConfigurationError
from proctor.settings import Config, Listener

_READ_OR_WRITE = stat.S_IRWXG | stat.S_IRWXO
_ROOT = 0

CA_FOLDER = "ca"
"""Name of the folder in the folder `state` that holds the installation's own authority."""


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, 0700. One that is there stays as it is.

    Raises:
        ConfigurationError: It cannot be made, or something else is in its place.
    """
    try:
        missing = [path, *path.parents]
        for folder in reversed([item for item in missing if not item.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)
        if not path.is_dir():
            raise NotADirectoryError(20, "it is no folder")
    except OSError as error:
        raise _unusable(path, "The folder cannot be made", error) from None


def write_new(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet, 0600, durable when this returns.

    Raises:
        FileExistsError: There is one already, or a link.
        OSError: It cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def check_private(path: Path, what: str) -> None:
    """Refuse a file or folder that others can read or write.

    A file of root's that our own group may read is taken: so secrets are handed to containers.

    Args:
        path: Must exist; a link is followed.
        what: What it is, for the message.

    Raises:
        ConfigurationError: Others can, or it cannot be looked at.
    """
    found = _status(path, what)
    open_bits = found.st_mode & _READ_OR_WRITE
    ours = found.st_gid in {os.getegid(), *os.getgroups()}
    if stat.S_ISREG(found.st_mode) and found.st_uid == _ROOT and ours:
        open_bits &= ~stat.S_IRGRP
    if open_bits:
        mode = "700" if stat.S_ISDIR(found.st_mode) else "600"
        raise ConfigurationError(
            code="open-to-others",
            message=f"Others on this machine can get at {what}",
            got=f"{path} with mode {stat.S_IMODE(found.st_mode):04o}",
            expected=f"mode 0{mode}",
            hint=f"Run `chmod {mode} {path}`, and think about who may have read it.",
        )
    _check_owner(path, what, found)


def check_unwritable(path: Path, what: str) -> None:
    """Refuse a file or folder that everyone, or another user, can write; all may read it.

    Raises:
        ConfigurationError: Others can, or it cannot be looked at.
    """
    found = _status(path, what)
    if found.st_mode & stat.S_IWOTH:
        raise ConfigurationError(
            code="open-to-others",
            message=f"Everyone on this machine can change {what}",
            got=f"{path} with mode {stat.S_IMODE(found.st_mode):04o}",
            expected="no write bit for others",
            hint=f"Run `chmod o-w {path}`, and look at what stands in it.",
        )
    _check_owner(path, what, found)


def find_open(config: Config, file: Path) -> list[ConfigurationError]:
    """All that others could read or change, of what a configuration names.

    Args:
        config: As loaded.
        file: The proctor.yaml it was loaded from.

    Returns:
        One error for each; empty if all is well.
    """
    found = []
    for check, path, what in _named(config, file):
        try:
            check(path, what)
        except ConfigurationError as error:
            # Other processes of ours make and drop files there at any time.
            if path.parent not in _keys(config) or path.exists():
                found.append(error)
    return found


def prepare(config: Config, file: Path) -> None:
    """Make the folders that proctor writes to, and refuse to go on where others can get at it.

    Raises:
        ConfigurationError: The first thing that is open to others, missing or cannot be made.
    """
    for folder in (config.state, config.audit.path):
        make_folder(folder)
    for error in find_open(config, file):
        raise error


type _Check = tuple[Callable[[Path, str], None], Path, str]


def _named(config: Config, file: Path) -> Iterator[_Check]:
    yield check_unwritable, file, "the configuration"
    yield check_unwritable, config.rules, "the rules"
    for path in sorted(config.rules.glob("*.yaml")):
        yield check_unwritable, path, "the rules"
    if config.audit.path.exists():
        yield check_private, config.audit.path, "the recordings"
    for folder in _keys(config):
        yield from _private(folder, "proctor's own keys")
    store = config.approvals.store
    for path in (store.parent, store):
        if path.exists() and path not in {config.state, config.audit.path}:
            yield check_private, path, "the approvals"
    for path in config.redaction.known_values:
        yield check_private, path, "the known values"
    if config.redaction.recognizers is not None:
        yield check_unwritable, config.redaction.recognizers, "the recognizers"
    yield from _tls_files(config)
    yield from _secret_sources(config)


def _private(folder: Path, what: str) -> Iterator[_Check]:
    if folder.exists():
        yield check_private, folder, what
    if folder.is_dir():
        for path in sorted(item for item in folder.iterdir() if item.is_file()):
            yield check_private, path, what


def _keys(config: Config) -> tuple[Path, Path]:
    """The folders with keys; the second is `proctor ca`'s."""
    return config.state, config.state / CA_FOLDER


def _tls_files(config: Config) -> Iterator[_Check]:
    for door in config.doors:
        yield from _tls(door.tls, f"the key of the listener {door.name!r}")
        yield from _tls(door.upstream_tls, f"a client key of the listener {door.name!r}")
    for listener in config.listeners:
        yield from _way_files(listener)
    yield from _tls(config.console.tls, "the console's key")
    for item in config.credentials:
        yield from _tls(item, f"the key of the credential {item.name!r}")
        if item.oauth is not None and item.oauth.private_key is not None:
            yield check_private, item.oauth.private_key, f"the key of the credential {item.name!r}"
        if item.oauth is not None and item.oauth.ca is not None:
            place = item.oauth.token_endpoint
            yield check_unwritable, item.oauth.ca, f"the certificates for {place}"
    for issuer in config.identity.issuers:
        if issuer.ca is not None:
            yield check_unwritable, issuer.ca, f"the certificates for {issuer.issuer}"


def _way_files(listener: Listener) -> Iterator[_Check]:
    ways: list[RouteSettings | DestinationSettings] = [*listener.routes, *listener.destinations]
    for way in ways:
        yield from _tls(way.upstream_tls, f"a client key of the listener {listener.name!r}")
    for each in (listener, *ways):
        if each.openapi is not None:
            yield check_unwritable, each.openapi.spec, "what an API says of itself"


def _secret_sources(config: Config) -> Iterator[_Check]:
    sources = [
        (source, f"the credential {item.name!r}")
        for item in config.credentials
        for source in item.sources
    ]
    sources += [
        (item.introspection.client_secret, f"the client secret for {item.issuer}")
        for item in config.identity.issuers
        if item.introspection is not None
    ]
    if config.console.client_secret is not None:
        sources.append((config.console.client_secret, "the console's client secret"))
    for item in config.notifications:
        what = f"the notification {item.name!r}"
        sources += [(each, what) for each in (item.url, item.secret) if each is not None]
    for source, what in sources:
        if source.file is not None:
            yield check_private, source.file, what
        if source.command is not None and Path(source.command[0]).is_absolute():
            yield check_unwritable, Path(source.command[0]), f"the command for {what}"


def _tls(files: object, what: str) -> Iterable[_Check]:
    if files is None:
        return
    key: Path | None = getattr(files, "key", None)
    if key is not None:
        yield check_private, key, what
    for name in ("cert", "ca", "client_ca"):
        path: Path | None = getattr(files, name, None)
        if path is not None:
            yield check_unwritable, path, f"a certificate beside {what}"


def _status(path: Path, what: str) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise _unusable(path, f"{what[0].upper()}{what[1:]} cannot be read", error) from None


def _check_owner(path: Path, what: str, found: os.stat_result) -> None:
    # The owner may change the mode at any time.
    if found.st_uid not in {os.geteuid(), _ROOT}:
        raise ConfigurationError(
            code="open-to-others",
            message=f"Another user owns {what}",
            got=f"{path} of user {found.st_uid}",
            expected=f"user {os.geteuid()}, under which proctor runs",
            hint=f"Run `chown {os.geteuid()} {path}`.",
        )


def _unusable(path: Path, message: str, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        code="file-unreadable",
        message=message,
        got=f"{path}: {error.strerror or type(error).__name__}",
        expected="a path that is there, and that proctor's own user may use",
    )
