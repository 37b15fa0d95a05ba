"""A witness's own small file: who it is, where it listens, and whose logs it watches."""

import re
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from proctor.config import validated
from proctor.errors import ClientError, ConfigurationError
from proctor.fields import FilePath, ListenAddress, Settings, problem, require_tls
from proctor.settings import ServerTlsSettings
from proctor.tlog.note import KEY_SIZE, VerifierKey
from proctor.tlog.text import base64_bytes
from proctor.yamlfile import Document, read

FILE = "witness.yaml"
MAX_LOGS = 1000

# Writers are named w0, w1 …; a prefix without its end would also cover another record's.
_PREFIX = r"^[^\s+\x00-\x1f\x7f]{1,240}/$"
_KEYS = re.compile(r"(proctor/[0-9a-f]{32}/)keys", re.ASCII)
# As in a note: a name is not empty, and holds neither space nor plus.
_NAME = r"^[^\s+\x00-\x1f\x7f]{1,256}$"


def _public(value: object) -> object:
    raw = base64_bytes(value) if isinstance(value, str) else None
    if raw is None or len(raw) != KEY_SIZE:
        raise ValueError("an Ed25519 public key: 32 bytes in base64")
    return value


class LogSettings(Settings):
    """One log, or all the logs of one record.

    Attributes:
        vkey: The log's verifier key, whose name is the log's origin.
        prefix: Instead of it: what the origins of a record begin with, as `proctor/4f…/`; a name
            without another `/` follows.
        key: The public key of those, in base64.
    """

    vkey: str | None = None
    prefix: Annotated[str | None, Field(pattern=_PREFIX)] = None
    key: Annotated[str, BeforeValidator(_public)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.vkey is None) != (self.prefix is not None and self.key is not None) or (
            self.vkey is not None and (self.prefix or self.key)
        ):
            raise problem(
                "wrong-value",
                "A log is named in one way",
                expected="{vkey: NAME+ID+KEY}, or {prefix: proctor/…/, key: BASE64}",
            )
        if self.vkey is not None:
            try:
                VerifierKey.parse(self.vkey)
            except ClientError as error:
                raise problem(
                    error.code, error.message, key="vkey", expected=error.expected
                ) from None
        return self

    def key_for(self, origin: str) -> VerifierKey | None:
        """The key that signs this origin; None if it is none of these logs."""
        if self.vkey is not None:
            key = VerifierKey.parse(self.vkey)
            return key if key.name == origin else None
        above, parting, name = origin.rpartition("/")
        if self.key is None or above + parting != self.prefix or not name:
            return None
        try:
            return VerifierKey(origin, base64_bytes(self.key) or b"")
        except ValueError:  # an origin that could not stand in a note
            return None


def _log(value: object) -> object:
    return {"vkey": value} if isinstance(value, str) else value


class WitnessSettings(Settings):
    """A whole witness.yaml; every path is absolute.

    Attributes:
        schema_version: Of the file.
        name: Under which it cosigns.
        listen: Where; off loopback it has `tls`, or says `plaintext: true`.
        tls: Certificate and key.
        plaintext: Something in front of it does TLS.
        key: Its private key.
        state: The folder of what it has signed.
        logs: Whose checkpoints it takes; several items for one origin are several keys.
    """

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(pattern=_NAME)]
    listen: ListenAddress
    tls: ServerTlsSettings | None = None
    plaintext: bool = False
    key: FilePath
    state: FilePath
    logs: Annotated[
        tuple[Annotated[LogSettings, BeforeValidator(_log)], ...], Field(max_length=MAX_LOGS)
    ] = ()

    @model_validator(mode="after")
    def _sides(self) -> Self:
        require_tls(self.listen, has_tls=self.tls is not None, plaintext=self.plaintext)
        return self

    def keys_for(self, origin: str) -> tuple[VerifierKey, ...]:
        """The keys that may sign this origin; empty for a log that is not known."""
        return tuple(key for log in self.logs if (key := log.key_for(origin)))


def load(path: Path) -> WitnessSettings:
    """Read and check a witness.yaml.

    Raises:
        ConfigurationError: It cannot be read, or is wrong; `where` is `file:line`.
    """
    return build(read(path), path.absolute().parent)


def build(document: Document, base: Path) -> WitnessSettings:
    """Check what a witness.yaml holds.

    Args:
        document: The file, read.
        base: The folder its relative paths are taken from; absolute.

    Raises:
        ConfigurationError: It is wrong; `where` is `file:line` of the first mistake.
    """
    if not isinstance(document.data, dict):
        raise ConfigurationError(
            "wrong-value",
            "This is no witness.yaml",
            expected="keys and values, as `proctor witness init` writes them",
            where=document.name,
        )
    return validated(WitnessSettings, document, base)


def item_for(key: VerifierKey, prefix: str | None) -> dict[str, str]:
    """What stands in `logs` for a key: for its own origin, or for all writers of a record.

    Raises:
        ClientError: Code `prefix-wrong`.
    """
    # The name under which a record's keys are printed is no log's: it stands for all its writers.
    if prefix is None and (match := _KEYS.fullmatch(key.name)):
        prefix = match[1]
    if prefix is None:
        return {"vkey": str(key)}
    if not prefix.endswith("/") or not key.name.startswith(prefix):
        raise ClientError(
            "prefix-wrong",
            "The prefix is not the beginning of the key's name",
            expected="a beginning of the name that ends with /, as proctor/4f…/",
        )
    return {"prefix": prefix, "key": b64encode(key.public).decode()}
