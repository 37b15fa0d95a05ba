"""What a value in proctor.yaml may be: the types its models are made of.

Relative paths are taken from the folder in the validation context's `base`.
"""

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from proctor.units import (
    Address,
    Origin,
    parse_address,
    parse_duration,
    parse_origin,
    parse_size,
)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")  # RFC 9110, 5.6.2
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
# RFC 9112, 6 and 9.1: a credential in one of these would change where the message ends or goes.
_FRAMING = frozenset(
    (
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_MAX_WORDS = 64


def problem(
    code: str, message: str, *, key: str = "", expected: str = "", hint: str = ""
) -> PydanticCustomError:
    """A validation error that carries what a ConfigurationError says.

    Args:
        code: The ConfigurationError's code.
        message: What is wrong.
        key: The key of this model it is about; empty for the model as a whole.
        expected: What would have been right.
        hint: What to do.
    """
    return PydanticCustomError(
        code,
        "{message}",
        {"message": message, "key": key, "expected": expected, "hint": hint},
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'x'?` where a known word is near, else the list of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known here: {', '.join(names)}." if names else ""


class Settings(BaseModel):
    """Frozen and strict; every key is known, or an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    not_built: ClassVar[Mapping[str, frozenset[str] | None]] = {}
    """Keys (None), or values of keys, that only a later version knows."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        for key, value in data.items():
            later = cls.not_built.get(key, frozenset())
            if later is None or (isinstance(value, str) and value in later):
                named = key if later is None else f"{key}: {value}"
                raise problem(
                    "not-available",
                    f"`{named}` is not available in this version",
                    key=key,
                    hint="Take it out: nothing may look guarded that is not.",
                )
            known = [field.alias or name for name, field in cls.model_fields.items()]
            if key not in known:
                raise problem(
                    "unknown-key", f"Unknown key `{key}`", key=key, hint=nearest(key, known)
                )
        return data


def _at_least_one(value: object) -> object:
    if isinstance(value, tuple) and not value:
        raise ValueError("at least one item")
    return value


def absolute(value: object, info: ValidationInfo) -> object:
    """A path, taken from the folder in the context where it is relative."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value or value.startswith("~"):
        raise ValueError("a path, absolute or relative to this file")
    base: Path = (info.context or {}).get("base", Path.cwd())
    return (base / value).absolute()


def _matching(pattern: re.Pattern[str], expected: str) -> BeforeValidator:
    def validate(value: object) -> object:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(expected)
        return value

    return BeforeValidator(validate)


def _header(value: object) -> object:
    if not isinstance(value, str) or not _TOKEN.fullmatch(value) or value.lower() in _FRAMING:
        raise ValueError("the name of a header that carries a credential, such as x-api-key")
    return value.lower()


def _command(value: object, info: ValidationInfo) -> object:
    expected = "a command, as one line or as a list of words"
    words = value
    if isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError:
            raise ValueError("a command whose quotes are closed") from None
    if not isinstance(words, list | tuple) or not 0 < len(words) <= _MAX_WORDS:
        raise ValueError(expected)
    if not words[0] or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise ValueError(expected)
    program = str(absolute(words[0], info)) if "/" in words[0] else words[0]
    return (program, *words[1:])


def secure_url(value: object) -> object:
    """The check behind `SecureUrl`.

    Raises:
        ValueError: It is none; says what would be one.
    """
    expected = "an https URL (http on loopback only) without user, query or fragment"
    scheme, _, rest = (value if isinstance(value, str) else "").partition("://")
    authority, _, path = rest.partition("/")
    try:
        origin = parse_origin(f"{scheme}://{authority}")
    except ValueError:
        raise ValueError(expected) from None
    plain = path.isascii() and path.isprintable() and not any(mark in path for mark in " ?#\\")
    if not plain or not (origin.tls or origin.loopback):
        raise ValueError(expected)
    return value


def _issuer(value: object) -> object:
    return value if value == "local" else secure_url(value)


def _address(value: object) -> object:
    return value if isinstance(value, Address) else parse_address(_text(value))


def _origin(value: object) -> object:
    return value if isinstance(value, Origin) else parse_origin(_text(value))


def _proxy(value: object) -> object:
    return (
        value
        if isinstance(value, Origin)
        else parse_origin(_text(value), schemes=("http", "https"))
    )


def _duration(value: object) -> object:
    return parse_duration(value if isinstance(value, str | int | float) else "")


def _size(value: object) -> object:
    return parse_size(value if isinstance(value, str | int) else "")


def _text(value: object) -> str:
    """Anything but a string becomes the empty one, which no parser takes."""
    return value if isinstance(value, str) else ""


AT_LEAST_ONE = BeforeValidator(_at_least_one)
"""For lists; pydantic's own length check also speaks up when an item is wrong."""

type FilePath = Annotated[Path, BeforeValidator(absolute)]
"""Absolute once validated."""

type Name = Annotated[
    str, _matching(_NAME, "a name of at most 63 lower-case letters, digits, - and _")
]
type HeaderName = Annotated[str, BeforeValidator(_header)]
type Scheme = Annotated[str, _matching(_TOKEN, "an authentication scheme, such as Bearer")]
type Variable = Annotated[str, _matching(_VARIABLE, "the name of an environment variable")]
type Command = Annotated[tuple[str, ...], BeforeValidator(_command)]
"""The program and its arguments; run without a shell."""

type SecureUrl = Annotated[str, BeforeValidator(secure_url)]
type IssuerName = Annotated[str, BeforeValidator(_issuer)]
type ListenAddress = Annotated[Address, BeforeValidator(_address)]
type UpstreamOrigin = Annotated[Origin, BeforeValidator(_origin)]
type ProxyOrigin = Annotated[Origin, BeforeValidator(_proxy)]
type Seconds = Annotated[float, BeforeValidator(_duration)]
type Bytes = Annotated[int, BeforeValidator(_size)]


class SecretSource(Settings):
    """Where a secret comes from; exactly one. The secret itself never stands in the file."""

    env: Variable | None = None
    file: FilePath | None = None
    command: Command | None = None

    @model_validator(mode="before")
    @classmethod
    def _not_literal(cls, data: object) -> object:
        if isinstance(data, cls):
            return data
        if isinstance(data, dict) and len(data) == 1 and None not in data.values():
            return data
        raise problem(
            "secret-source",
            "A secret does not stand in this file; say where it comes from",
            expected="one of {env: NAME}, {file: PATH}, {command: [PROGRAM, ARGUMENT, …]}",
        )


class TlsSettings(Settings):
    """A listener's own certificate. `client_ca` asks clients for theirs."""

    cert: FilePath
    key: FilePath
    client_ca: FilePath | None = None


def require_tls(listen: Address, *, has_tls: bool, plaintext: bool) -> None:
    """Refuses an address that other machines reach in the clear, unless it was said."""
    if has_tls and plaintext:
        raise problem(
            "wrong-value", "`tls` and `plaintext: true` exclude each other", key="plaintext"
        )
    if not (listen.loopback or has_tls or plaintext):
        raise problem(
            "plaintext-listener",
            f"{listen} is reached by other machines, and tokens would travel in the clear",
            key="listen",
            expected="a loopback address, or tls: {cert: …, key: …}",
            hint="Where something in front of it does TLS, say `plaintext: true`.",
        )
