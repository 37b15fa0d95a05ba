"""The file that holds the installation's authorities and their keys, and the steps of a rotation.

One file, replaced whole under a lock, so that every process sees one state or the next: exactly
one authority signs; at most one is next, made and handed out before it signs; those that are old
have lost their keys and are handed out until they end or are dropped.
"""

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from proctor.audit.store import sync_folder
from proctor.egress.certificates import Ca, Role, make_ca
from proctor.egress.constraints import Constraints
from proctor.errors import ClientError, ConfigurationError
from proctor.runtime.permissions import CA_FOLDER, check_private, make_folder

MAX_CAS = 8

_FILE = "authorities.json"
_LOCK = "authorities.lock"
_WHAT = "the keys of the installation's own authority"
_MAX_BYTES = 256 * 1024
_TRIES = 3

type Step = Literal["create", "prepare", "switch", "drop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorities:
    """What the file holds.

    Attributes:
        cas: The one that signs first, then the next one, then old ones.
        step: How it came to be so.
        by: Who did that: a user of this machine.
    """

    cas: tuple[Ca, ...]
    step: Step
    by: str

    @property
    def signs(self) -> Ca:
        """The one that signs."""
        return self.cas[0]

    def trusted(self, now: datetime) -> list[Ca]:
        """Those that clients should trust: all that have not ended; `now` is aware."""
        return [ca for ca in self.cas if now < ca.ends]

    def rows(self) -> list[dict[str, str]]:
        """As commands and events show them; no keys."""
        return [
            {
                "id": ca.id,
                "role": ca.role.value,
                "subject": ca.certificate.subject.rfc4514_string(),
                "fingerprint": ca.fingerprint,
                "not_before": ca.begins.isoformat(),
                "not_after": ca.ends.isoformat(),
                "constraints": str(ca.constraints),
            }
            for ca in self.cas
        ]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class _Item(_Strict):
    role: Role
    certificate: str = Field(max_length=16384)
    key: str | None = Field(max_length=1024)


class _File(_Strict):
    schema_version: int = Field(ge=1, le=1)
    step: Step
    by: str = Field(max_length=100)
    authorities: tuple[_Item, ...] = Field(min_length=1, max_length=MAX_CAS)

    @model_validator(mode="after")
    def _roles(self) -> Self:
        roles = [item.role for item in self.authorities]
        order = [Role.SIGNS, *[Role.NEXT] * (Role.NEXT in roles)]
        if roles != order + [Role.OLD] * (len(roles) - len(order)):
            raise ValueError("one that signs, at most one next, then old ones")
        return self


def path_in(state: Path) -> Path:
    """Where the file is, given the folder `state`."""
    return state / CA_FOLDER / _FILE


def load(path: Path) -> Authorities:
    """What the file holds.

    Raises:
        ConfigurationError: `ca-missing`, `open-to-others` or `ca-unusable`.
    """
    try:
        raw = _read(path)
    except FileNotFoundError:
        raise ConfigurationError(
            "ca-missing",
            "This installation has no authority of its own yet",
            hint="`proctor ca export` makes it.",
            where=str(path),
        ) from None
    except OSError as error:
        raise _unusable(path, error.strerror or type(error).__name__) from None
    if len(raw) > _MAX_BYTES:
        raise _unusable(path, f"more than {_MAX_BYTES} bytes")
    try:
        found = _File.model_validate_json(raw)
        return Authorities(
            cas=tuple(_parse(item) for item in found.authorities), step=found.step, by=found.by
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _unusable(path, f"{first['msg']} in {place or 'the file'}") from None
    # What these say may hold parts of a key.
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound):
        raise _unusable(path, "a certificate and a key that do not fit") from None


def create(path: Path, constraints: Constraints, *, now: datetime, by: str) -> Authorities:
    """What the file holds; it is made with a new authority if it is not there.

    Args:
        path: The file.
        constraints: Of a new authority.
        now: Aware.
        by: Who asks for it.

    Raises:
        ConfigurationError: `open-to-others` or `ca-unusable`.
    """
    with _locked(path):
        if path.exists():
            return load(path)
        ca = make_ca(constraints, Role.SIGNS, now)
        found = Authorities(cas=(ca,), step="create", by=by)
        _write(path, found)
        return found


def prepare(path: Path, constraints: Constraints, *, now: datetime, by: str) -> Authorities:
    """Make the next authority; clients are to trust it before it signs.

    Args:
        path: The file.
        constraints: Of the next authority.
        now: Aware.
        by: Who does it.

    Raises:
        ClientError: `ca-step`, there is one already, or there are too many.
        ConfigurationError: As `load`.
    """

    def step(cas: Sequence[Ca]) -> Sequence[Ca]:
        for ca in cas:
            if ca.role is Role.NEXT:
                raise _wrong("There is a next authority already", ca.id, "--switch or --drop it.")
        if len(cas) >= MAX_CAS:
            raise _wrong("There are too many old authorities", str(len(cas) - 1), "--drop some.")
        signs, *old = cas
        return [signs, make_ca(constraints, Role.NEXT, now), *old]

    return _change(path, "prepare", step, by)


def switch(path: Path, *, by: str) -> Authorities:
    """Let the next authority sign; the one that did so becomes old, and its key is destroyed.

    Raises:
        ClientError: `ca-step`, there is no next one.
        ConfigurationError: As `load`.
    """

    def step(cas: Sequence[Ca]) -> Sequence[Ca]:
        if len(cas) == 1 or cas[1].role is not Role.NEXT:
            raise _wrong("There is no next authority", "", "--prepare makes it.")
        signs, upcoming, *old = cas
        return [
            replace(upcoming, role=Role.SIGNS),
            replace(signs, role=Role.OLD, key=None),
            *old,
        ]

    return _change(path, "switch", step, by)


def drop(path: Path, name: str | None, *, by: str) -> Authorities:
    """Take out old authorities, or one that is next and shall not be.

    Args:
        path: The file.
        name: The one to take out, by its id; None for all old ones.
        by: Who does it.

    Raises:
        ClientError: `ca-step`, there is nothing of the kind, or it signs.
        ConfigurationError: As `load`.
    """

    def step(cas: Sequence[Ca]) -> Sequence[Ca]:
        if name == cas[0].id:
            raise _wrong("This authority signs", name, "--prepare and --switch to another first.")
        kept = [ca for ca in cas if (ca.role is not Role.OLD if name is None else ca.id != name)]
        if len(kept) == len(cas):
            raise _wrong("There is no such authority to drop", name or "none that is old", "")
        return kept

    return _change(path, "drop", step, by)


def _change(
    path: Path, step: Step, change: Callable[[Sequence[Ca]], Sequence[Ca]], by: str
) -> Authorities:
    with _locked(path):
        found = Authorities(cas=tuple(change(load(path).cas)), step=step, by=by)
        _write(path, found)
        return found


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time; ends with the process, whatever happens."""
    make_folder(path.parent)
    check_private(path.parent, _WHAT)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(path.with_name(_LOCK), flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
    except OSError as error:
        raise _unusable(path, error.strerror or type(error).__name__) from None


def _read(path: Path) -> bytes:
    """The file's bytes; again where it is replaced meanwhile, since the old one is blanked."""
    for _ in range(_TRIES):
        # Neither a link to somewhere else, nor a pipe that would keep us waiting.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(0, "no regular file")
            check_private(path.parent, _WHAT)
            check_private(path, _WHAT)
            raw = file.read(_MAX_BYTES + 1)
            if path.lstat().st_ino == found.st_ino:
                return raw
    raise OSError(0, "replaced again and again")


def _write(path: Path, authorities: Authorities) -> None:
    """Replace the file, durable when this returns, and blank what it held before."""
    content = _File(
        schema_version=1,
        step=authorities.step,
        by=authorities.by,
        authorities=tuple(
            _Item(role=ca.role, certificate=ca.pem.decode(), key=_key_text(ca.key))
            for ca in authorities.cas
        ),
    )
    before = None
    if path.exists():
        before = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{_FILE}.")  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.model_dump_json(indent=1).encode())
                file.flush()
                os.fsync(handle)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
        sync_folder(path.parent)
        if before is not None:
            os.pwrite(before, bytes(os.fstat(before).st_size), 0)
            os.fsync(before)
    finally:
        if before is not None:
            os.close(before)


def _parse(item: _Item) -> Ca:
    certificate = x509.load_pem_x509_certificate(item.certificate.encode())
    key = None if item.key is None else load_pem_private_key(item.key.encode(), None)
    if key is not None and not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("another kind of key")
    if (key is None) is not (item.role is Role.OLD):
        raise ValueError("a key too many, or too few")
    if key is not None and key.public_key() != certificate.public_key():
        raise ValueError("halves that do not belong together")
    constraints = Constraints.read(certificate)
    certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)  # its name
    return Ca(role=item.role, certificate=certificate, constraints=constraints, key=key)


def _key_text(key: ec.EllipticCurvePrivateKey | None) -> str | None:
    if key is None:
        return None
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _wrong(message: str, got: str, hint: str) -> ClientError:
    return ClientError("ca-step", message, got=got, hint=hint, status=409)


def _unusable(path: Path, got: str) -> ConfigurationError:
    return ConfigurationError(
        "ca-unusable",
        "The installation's own authority cannot be used",
        got=got,
        expected="the file as proctor made it, mode 0600, in a folder of ours, mode 0700",
        hint="Put it back from a copy. Without one, remove it: proctor makes a new authority, which"
        " clients have yet to trust.",
        where=str(path),
    )
