"""What a client may ask for in its StartupMessage, and what of it the server gets to see.

What changes how statements are read, whose they are or what the server shows of itself is not
taken here: asked for by SET, it is a statement, which rules see.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from proctor.errors import ClientError

# PostgreSQL's name for it, without what it leaves out itself (clean_encoding_name), and ours.
_EUC: Final = {
    "euccn": "gb2312",
    "eucjis2004": "euc_jis_2004",
    "eucjp": "euc_jp",
    "euckr": "euc_kr",
}
_ISO: Final = {f"iso8859{part}": f"iso8859-{part}" for part in (*range(1, 11), 13, 14, 15, 16)}
_LATIN: Final = dict(
    zip(
        (f"latin{number}" for number in range(1, 11)),
        (f"iso8859-{part}" for part in (1, 2, 3, 4, 9, 10, 13, 14, 15, 16)),
        strict=True,
    )
)
_PAGES: Final = (866, 874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258)
_WINDOWS: Final = {
    f"{prefix}{page}": f"cp{page}" for prefix in ("win", "windows") for page in _PAGES
}
CODECS: Final[Mapping[str, str]] = {
    "utf8": "utf-8",
    "unicode": "utf-8",
    "sqlascii": "utf-8",  # not converted at all: bytes as the server has them
    "koi8": "koi8-r",
    "koi8r": "koi8-r",
    "koi8u": "koi8-u",
    "abc": "cp1258",
    "alt": "cp866",
    "tcvn": "cp1258",
    "tcvn5712": "cp1258",
    "vscii": "cp1258",
    "win": "cp1251",
    **_EUC,
    **_ISO,
    **_LATIN,
    **_WINDOWS,
}
"""Encodings in which every byte below 0x80 is ASCII, with Python's names for them.

SJIS, BIG5, GBK, UHC, GB18030 and JOHAB are not among them: in these a quote or a backslash may be
the second half of a character, so that a statement is not what it looks like.
"""

_FREE: Final = frozenset(
    (
        "application_name",
        "array_nulls",
        "bytea_output",
        "datestyle",
        "default_transaction_deferrable",
        "default_transaction_isolation",
        "default_transaction_read_only",
        "escape_string_warning",
        "extra_float_digits",
        "geqo",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "intervalstyle",
        "jit",
        "lc_monetary",
        "lc_numeric",
        "lc_time",
        "lock_timeout",
        "plan_cache_mode",
        "search_path",
        "statement_timeout",
        "tcp_keepalives_count",
        "tcp_keepalives_idle",
        "tcp_keepalives_interval",
        "tcp_user_timeout",
        "timezone",
        "transaction_timeout",
        "xmlbinary",
        "xmloption",
    )
)
_QUIET: Final = frozenset({"notice", "warning", "error"})
_TRUE: Final = frozenset({"on", "1", *(word[:n] for word in ("true", "yes") for n in range(1, 5))})
_FALSE: Final = frozenset(
    {"of", "off", "0", *("false"[:n] for n in range(1, 6)), "n", "no"},
)
_OWN: Final = frozenset({"user", "database", "options", "replication"})
_SHOWN: Final = 60
_NOT_A_NAME: Final = re.compile(r"[^A-Za-z0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a StartupMessage asks for.

    Attributes:
        user: As the client calls itself; proves nothing.
        database: Empty where none is named.
        application: As the client calls its program.
        parameters: Settings for the server by lower-case name, all of them harmless; the
            application's name is not among them.
    """

    user: str
    database: str
    application: str
    parameters: Mapping[str, str]


def wanted(parameters: Mapping[str, str]) -> Wanted:
    """Read the parameters of a StartupMessage.

    Raises:
        ClientError: Codes `pg-user`, `pg-replication`, `pg-parameter`, `pg-client-encoding`.
    """
    user = parameters.get("user", "")
    if not user:
        raise ClientError("pg-user", "No PostgreSQL user name is given in the startup packet")
    if parameters.get("replication", "false").lower() not in _FALSE:
        raise ClientError("pg-replication", "Replication does not pass through proctor")
    settings: dict[str, str] = {}
    # Options first, as PostgreSQL does it: a parameter of its own beats them.
    for name, value in switches(parameters.get("options", "")):
        settings[_checked(name, value)] = value
    for name, value in parameters.items():
        if name not in _OWN:
            settings[_checked(name, value)] = value
    application = settings.pop("application_name", "")
    return Wanted(
        user=user,
        database=parameters.get("database", ""),
        application=application,
        parameters=settings,
    )


def codec(encoding: str) -> str | None:
    """Python's name for a `client_encoding` that may be spoken here, else None."""
    return CODECS.get(_NOT_A_NAME.sub("", encoding).lower())


def switches(options: str) -> Iterator[tuple[str, str]]:
    """The settings in `options`: `-c name=value`, `-cname=value` or `--name=value`.

    Raises:
        ClientError: Code `pg-parameter`: there is another switch among them.
    """
    words = iter(_words(options))
    for word in words:
        if word.startswith("--"):
            text = word[2:]
        elif word.startswith("-c"):
            text = word[2:] or next(words, "")
        else:
            raise _refused(word, "-c name=value or --name=value")
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise _refused(word, "-c name=value or --name=value")
        yield name.replace("-", "_"), value  # ParseLongOption


def _words(options: str) -> list[str]:
    """Cut at white space that no backslash stands before (pg_split_opts)."""
    return [
        re.sub(r"\\(.?)", r"\1", word, flags=re.DOTALL)
        for word in re.findall(r"(?:\\.|\\$|[^\s\\])+", options, flags=re.DOTALL | re.ASCII)
    ]


def _checked(name: str, value: str) -> str:
    """The setting's name in lower case, where it may be set.

    Raises:
        ClientError: Codes `pg-parameter`, `pg-client-encoding`.
    """
    found = name.lower()
    if found in _FREE:
        return found
    if found == "client_encoding":
        if codec(value) is None:
            raise ClientError(
                "pg-client-encoding",
                "This client_encoding is not spoken here",
                got=_clipped(value),
                expected="UTF8, SQL_ASCII, or an encoding of single bytes or of the EUC family",
                hint="Set client_encoding to UTF8.",
            )
        return found
    if found == "standard_conforming_strings":
        if value.lower() not in _TRUE:
            raise _refused(f"{found}={_clipped(value)}", "on")
        return found
    if found == "client_min_messages":
        if value.lower() not in _QUIET:
            raise _refused(f"{found}={_clipped(value)}", "notice, warning or error")
        return found
    raise _refused(_clipped(name), "a setting that changes neither rights nor meaning")


def _refused(got: str, expected: str) -> ClientError:
    return ClientError(
        "pg-parameter",
        "A connection cannot begin with this setting",
        got=_clipped(got),
        expected=expected,
        hint="Set it by SET once the session has begun: rules then see it.",
    )


def _clipped(text: str) -> str:
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return short if short.isprintable() else "text with control characters"
