"""proctor.yaml, read into frozen models, with errors that name file, line and what was expected."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from proctor.credentials.settings import SINGLE, CredentialSettings, Kind, is_basic_user, is_role
from proctor.egress.settings import (
    CLIENT,
    STDIO,
    DestinationSettings,
    RouteSettings,
    StdioSettings,
    UpstreamTlsSettings,
)
from proctor.egress.targets import Target, of_destination, of_route
from proctor.errors import ConfigurationError
from proctor.fields import SecretSource, Settings, TlsSettings, nearest
from proctor.postgres.settings import PostgresListener
from proctor.redaction.fields import Fields
from proctor.redaction.treatment import Treatments
from proctor.scrub import scrub
from proctor.settings import (
    SCHEMA_VERSION,
    AuditSettings,
    Config,
    ConsoleSettings,
    DiskSettings,
    Identity,
    Introspection,
    IssuerSettings,
    Limits,
    Listener,
    ServerTlsSettings,
    Threshold,
)
from proctor.units import Address, Origin
from proctor.yamlfile import Document, Key, read

__all__ = [
    "SCHEMA_VERSION",
    "Address",
    "AuditSettings",
    "Config",
    "ConsoleSettings",
    "CredentialSettings",
    "DiskSettings",
    "Identity",
    "Introspection",
    "IssuerSettings",
    "Limits",
    "Listener",
    "Origin",
    "SecretSource",
    "ServerTlsSettings",
    "Threshold",
    "TlsSettings",
    "UpstreamTlsSettings",
    "build",
    "load",
    "validated",
]

type _Web = Listener | RouteSettings | DestinationSettings
type _Way = _Web | PostgresListener

_SHOWN = 60
_HIDDEN = {
    *("value", "client_secret", "password"),
    *("access_key", "secret_key", "session_token"),
}


def load(path: Path) -> Config:
    """Read and check a proctor.yaml.

    Raises:
        ConfigurationError: It cannot be read, or is wrong; `where` is `file:line` of the first
            mistake.
    """
    return build(read(path), path.absolute().parent)


def build(document: Document, base: Path) -> Config:
    """Check what a proctor.yaml holds.

    Args:
        document: The file, read.
        base: The folder its relative paths are taken from; absolute.

    Raises:
        ConfigurationError: It is wrong; `where` is `file:line` of the first mistake.
    """
    data = document.data
    if not isinstance(data, dict):
        raise _wrong(document, (), "This is no proctor.yaml", expected="keys and values")
    _check_version(document)
    config = validated(Config, document, base)
    _check_names(config, document)
    _check_ways(config, document)
    _check_introspection(config, document)
    _check_addresses(config, document)
    _check_redaction(config, document)
    _check_console(config, document)
    _check_postgres(config, document)
    return config


def validated[M: Settings](model: type[M], document: Document, base: Path) -> M:
    """What a file holds, as this model.

    Args:
        model: What it should be.
        document: The file, read.
        base: The folder its relative paths are taken from; absolute.

    Raises:
        ConfigurationError: It is wrong; `where` is `file:line` of the first mistake.
    """
    try:
        return model.model_validate(_with_tuples(document.data), context={"base": base})
    except ValidationError as error:
        raise _first(error, document) from None


def _with_tuples(value: object) -> object:
    """Lists as tuples, which strict frozen models ask for."""
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _check_version(document: Document) -> None:
    version = document.data.get("schema_version", SCHEMA_VERSION)
    if type(version) is not int or version < 1:
        raise _wrong(
            document,
            ("schema_version",),
            "The value of `schema_version` is wrong",
            expected=str(SCHEMA_VERSION),
        )
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            code="config-too-new",
            message="The file is of a newer proctor",
            got=f"schema_version {version}",
            expected=f"at most {SCHEMA_VERSION}",
            hint="Install a newer proctor, or write the file for this one.",
            where=document.where("schema_version"),
        )


def _check_names(config: Config, document: Document) -> None:
    _check_unique([listener.name for listener in config.doors], "listeners", "name", document)
    _check_unique([item.name for item in config.credentials], "credentials", "name", document)
    _check_unique([item.name for item in config.stdio], "stdio", "name", document)
    issuers = [item.issuer for item in config.identity.issuers]
    _check_unique(issuers, ("identity", "issuers"), "issuer", document)
    known = {item.name for item in config.credentials}
    if CLIENT in known:
        index = [item.name for item in config.credentials].index(CLIENT)
        raise _wrong(
            document,
            ("credentials", index, "name"),
            f"{CLIENT!r} stands for the client's own credential",
            expected="another name",
        )
    used = {name for item in config.stdio for name in item.credentials}
    for index, item in enumerate(config.stdio):
        _check_handed_out(item, config, ("stdio", index), document)
    kinds = {item.name: item for item in config.credentials}
    for path, name, way in _named_credentials(config):
        used.add(name)
        if name not in known:
            raise ConfigurationError(
                code="unknown-name",
                message=f"No credential is called {name!r}",
                hint=nearest(name, known) or "Add it under `credentials`.",
                where=document.where(*path, "credential"),
            )
        _check_fits(kinds[name], way, path, document)
    for index, credential in enumerate(config.credentials):
        if credential.name not in used:
            raise ConfigurationError(
                code="unused-credential",
                message=f"No listener uses the credential {credential.name!r}",
                hint="Name it in a listener's `credential`, or take it out.",
                where=document.where("credentials", index, "name"),
            )


def _check_handed_out(
    item: StdioSettings, config: Config, place: Sequence[Key], document: Document
) -> None:
    """What stands in a process's environment is one text."""
    known = {each.name: each.kind for each in config.credentials}
    for i, name in enumerate(item.credentials):
        if name not in known:
            raise ConfigurationError(
                code="unknown-name",
                message=f"No credential is called {name!r}",
                hint=nearest(name, known) or "Add it under `credentials`.",
                where=document.where(*place, "credentials", i),
            )
        if known[name] not in SINGLE:
            raise _wrong(
                document,
                (*place, "credentials", i),
                f"The credential {name!r} is none that fits into one variable",
                got=known[name].value,
                expected="one with a value, or with a password",
            )


def _check_fits(
    item: CredentialSettings, way: _Way, path: Sequence[Key], document: Document
) -> None:
    """What is put in is what the way takes."""
    if isinstance(way, PostgresListener):
        if item.kind is not Kind.BASIC or not is_role(item.user or ""):
            raise _wrong(
                document,
                (*path, "credential"),
                f"PostgreSQL takes no credential such as {item.name!r}",
                got=item.kind.value if item.kind is not Kind.BASIC else "another kind of name",
                expected="`user`, a role's name of at most 63 bytes, and `password`",
            )
        return
    if item.kind is Kind.BASIC and not is_basic_user(item.user or ""):
        raise _wrong(
            document,
            (*path, "credential"),
            f"The user of {item.name!r} cannot stand in HTTP's Basic",
            expected="visible ASCII without a colon",  # RFC 7617, 2
        )
    if item.kind is Kind.CERTIFICATE:
        _check_certificate(way, path, item.name, document)


def _check_certificate(way: _Web, path: Sequence[Key], name: str, document: Document) -> None:
    """A certificate is shown in the handshake: there must be one, and no other to be shown."""
    if way.upstream_tls is not None and way.upstream_tls.cert is not None:
        raise _wrong(
            document,
            (*path, "upstream_tls", "cert"),
            f"The credential {name!r} is a client certificate, and so is this",
            expected="one of them",
        )
    if not _over_tls(way):
        raise _wrong(
            document,
            (*path, "credential"),
            f"The credential {name!r} is a client certificate, which is shown in TLS only",
            expected="an upstream with https",
        )


def _over_tls(way: _Web) -> bool:
    match way:
        case DestinationSettings():
            return not way.plaintext
        case RouteSettings():
            return way.upstream.origin.tls
        case Listener():
            return way.upstream is not None and way.upstream.tls


def _named_credentials(config: Config) -> Iterator[tuple[tuple[Key, ...], str, _Way]]:
    """Where credentials are named, which, and on which way."""
    for index, listener in enumerate(config.doors):
        place: tuple[Key, ...] = ("listeners", index)
        if listener.credential is not None:
            yield place, listener.credential, listener
        if isinstance(listener, PostgresListener):
            for i, each in enumerate(listener.credentials):
                yield (*place, "credentials", i), each.credential, listener
            continue
        for i, route in enumerate(listener.routes):
            if route.credential is not None:
                yield (*place, "routes", i), route.credential, route
        for i, item in enumerate(listener.destinations):
            if item.credential not in {None, CLIENT}:
                yield (*place, "destinations", i), str(item.credential), item


def _check_ways(config: Config, document: Document) -> None:
    """No two ways out of a listener are the same, and those that share a connection agree."""
    shown = {item.name for item in config.credentials if item.cert is not None}
    for index, listener in enumerate(config.doors):
        if isinstance(listener, PostgresListener):
            continue
        place: tuple[Key, ...] = ("listeners", index)
        paths = [route.path for route in listener.routes]
        _check_unique(paths, (*place, "routes"), "path", document)
        ways = [str((*item.at, item.path.text)) for item in listener.destinations]
        for i, way in enumerate(ways):
            if (first := ways.index(way)) != i:
                line = document.line(*place, "destinations", first)
                raise _wrong(
                    document,
                    (*place, "destinations", i),
                    f"This destination is the same as that in line {line}",
                )
        rests: dict[tuple[str, int], tuple[tuple[Key, ...], tuple[object, ...]]] = {}
        for where, target in _targets(listener):
            # A certificate is shown once, for all that uses the connection.
            credential = target.credential if target.credential in shown else None
            rest = (*target.trust, credential)
            first_way, first_rest = rests.setdefault(
                (str(target.host), target.port), ((*place, *where), rest)
            )
            if rest != first_rest:
                raise _wrong(
                    document,
                    (*place, *where),
                    f"It shares connections with line {document.line(*first_way)}, and differs",
                    expected="TLS, `upstream_tls`, `addresses` and certificate as there, and no"
                    " tunnel beside what is read",
                )


def _targets(listener: Listener) -> Iterator[tuple[tuple[Key, ...], Target]]:
    for i, route in enumerate(listener.routes):
        yield ("routes", i), of_route(listener.name, route, speaks="http", via=None)
    for i, item in enumerate(listener.destinations):
        yield ("destinations", i), of_destination(listener.name, item, via=None)


def _check_introspection(config: Config, document: Document) -> None:
    """An opaque token does not say whose it is, so only one issuer can be asked about it."""
    asked = [
        index
        for index, item in enumerate(config.identity.issuers)
        if item.introspection is not None
    ]
    if len(asked) > 1:
        raise _wrong(
            document,
            ("identity", "issuers", asked[1], "introspection"),
            "Two issuers have `introspection`",
            expected="one at most, since an opaque token does not name its issuer",
        )


def _check_redaction(config: Config, document: Document) -> None:
    """What redaction names has to be there, and to mean something."""
    known = [listener.name for listener in config.doors]
    if config.stdio:
        known.append(STDIO)
    for name in config.redaction.listeners:
        if name not in known:
            raise ConfigurationError(
                code="unknown-name",
                message=f"There is no listener called {name!r}",
                hint=nearest(name, known),
                where=document.where("redaction", "listeners", name),
            )
    for index, pattern in enumerate(config.redaction.fields):
        try:
            Fields([pattern])
        except ConfigurationError as error:
            error.where = document.where("redaction", "fields", index)
            raise


def _check_console(config: Config, document: Document) -> None:
    """Who signs in at the console is judged by what is said of their issuer."""
    known = [item.issuer for item in config.identity.issuers]
    if config.console.issuer is not None and config.console.issuer not in known:
        raise ConfigurationError(
            code="unknown-name",
            message=f"No issuer is called {config.console.issuer!r}",
            hint=nearest(config.console.issuer, known),
            where=document.where("console", "issuer"),
        )
    agents = [item.audience for item in config.identity.issuers]
    if config.console.audience in agents:
        raise _wrong(
            document,
            ("console", "audience"),
            "The console's audience is an agent's, too: an agent's token could then decide",
            expected="another one than in identity.issuers",
        )
    names = [item.name for item in config.notifications]
    _check_unique(names, "notifications", "name", document)
    _check_unique([item.name for item in config.exports], "exports", "name", document)
    _check_unique([item.name for item in config.budgets], "budgets", "name", document)
    for index, budget in enumerate(config.budgets):
        if budget.of == "cost" and not config.prices:
            raise _wrong(
                document,
                ("budgets", index, "of"),
                "What it costs is not known: `prices` is missing",
                expected="prices: [{model: 'claude-*', input: 3, output: 15}]",
            )
    # Two would put each other's file aside, and cut off each other's last line.
    files = [str(item.to) if isinstance(item.to, Path) else item.name for item in config.exports]
    _check_unique(files, "exports", "to", document)


def _check_postgres(config: Config, document: Document) -> None:
    """A client that asks where to get a token (RFC 7628, 3.2.2) is told of an issuer."""
    away = any(item.issuer != "local" for item in config.identity.issuers)
    for index, listener in enumerate(config.doors):
        if isinstance(listener, PostgresListener):
            if listener.sign_in == "oauthbearer" and not away:
                raise _wrong(
                    document,
                    ("listeners", index, "sign_in"),
                    "Clients would be told of no issuer: `local` gives out no tokens by itself",
                    expected="password, or an issuer of one's own in identity.issuers",
                )
            if (
                "content" in listener.tiers
                and not Treatments(config.redaction).on(listener.name).types
            ):
                raise _wrong(
                    document,
                    ("listeners", index, "masking", "tier"),
                    "`tier: content` is for what redaction finds, which is off for this listener",
                    expected="a profile other than none in `redaction`",
                )


def _check_unique(
    values: list[str], section: str | tuple[Key, ...], key: str, document: Document
) -> None:
    path: tuple[Key, ...] = (section,) if isinstance(section, str) else section
    for index, value in enumerate(values):
        first = values.index(value)
        if first != index:
            line = document.line(*path, first, key)
            raise _wrong(
                document,
                (*path, index, key),
                f"{value!r} stands twice under `{_dotted(path)}`, first in line {line}",
            )


def _check_addresses(config: Config, document: Document) -> None:
    """Two on one port would fail only once the first listens."""
    places: list[tuple[tuple[Key, ...], Address]] = [
        (("listeners", index, "listen"), listener.listen)
        for index, listener in enumerate(config.doors)
    ]
    places.append((("console", "listen"), config.console.listen))
    anywhere = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    for index, (place, address) in enumerate(places):
        for other_place, other in places[:index]:
            same = address.host == other.host or anywhere & {address.host, other.host}
            if address.port and address.port == other.port and same:
                raise _wrong(
                    document,
                    place,
                    f"{address} is taken by {other} in line {document.line(*other_place)}",
                    hint="Give each a port of its own.",
                )


def _first(error: ValidationError, document: Document) -> ConfigurationError:
    """The first mistake of the file, as pydantic found it."""
    found = [_translated(dict(item), document) for item in error.errors(include_url=False)]
    return min(found, key=lambda item: int(item.where.rpartition(":")[2]))


def _translated(item: dict[str, Any], document: Document) -> ConfigurationError:
    path: tuple[Key, ...] = item["loc"]
    context = item.get("ctx", {})
    if "message" in context:
        place = (*path, context["key"]) if context["key"] else path
        return ConfigurationError(
            code=item["type"],
            message=context["message"],
            expected=context["expected"],
            hint=context["hint"],
            where=document.where(*place),
        )
    if item["type"] == "missing":
        return ConfigurationError(
            code="missing-key",
            message=f"`{path[-1]}` is missing{_within(path[:-1])}",
            where=document.where(*path),
        )
    expected = str(context.get("error") or context.get("expected") or "")
    return _wrong(
        document,
        path,
        f"The value of `{_dotted(path)}` is wrong",
        got=_shown(item["input"], path),
        expected=expected or item["msg"].removeprefix("Input should be ").lower(),
    )


def _wrong(  # noqa: PLR0913 - the parts of a message
    document: Document,
    path: Sequence[Key],
    message: str,
    *,
    got: str = "",
    expected: str = "",
    hint: str = "",
) -> ConfigurationError:
    return ConfigurationError(
        code="wrong-value",
        message=message,
        got=got,
        expected=expected,
        hint=hint,
        where=document.where(*path),
    )


def _within(path: Sequence[Key]) -> str:
    return f" in `{_dotted(path)}`" if path else ""


def _dotted(path: Sequence[Key]) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")


def _shown(value: object, path: Sequence[Key]) -> str:
    """A value as an error may show it: never where a secret may have been written."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, tuple):
        return "a list"
    if _HIDDEN & set(map(str, path)):
        return "text" if isinstance(value, str) else "a number"
    text = scrub(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
