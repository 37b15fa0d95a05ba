"""The console's API, as the command line and mitmproxy's commands use it.

Whoever asks is the person who signed in with `proctor login`, or the owner of PROCTOR_TOKEN; what
they may do, the console decides.
"""

import json
import os
import re
import ssl
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import httpx
import typer

from proctor import __version__
from proctor.cli import logins
from proctor.config import load
from proctor.errors import ClientError, ConfigurationError, ProctorError, UpstreamError
from proctor.protocols.sse import EventStream
from proctor.settings import Config
from proctor.units import Address, parse_origin

ConsoleOption = Annotated[
    str | None,
    typer.Option(
        "--console",
        metavar="URL",
        envvar="PROCTOR_CONSOLE",
        help="The console's address; left out, `console` in proctor.yaml.",
        show_default=False,
    ),
]
"""`console: ConsoleOption = None`."""

TOKEN = "PROCTOR_TOKEN"  # noqa: S105 - the variable's name
_TIMEOUT: Final = httpx.Timeout(20.0, connect=5.0)
# Heartbeats come every 15 s.
_SILENCE: Final = httpx.Timeout(60.0, connect=5.0)
_MAX_ANSWER: Final = 32 * 2**20
_MAX_EVENT: Final = 2**20
_TEXTS: Final = ("code", "title", "got", "expected", "hint")
_UNAUTHORIZED: Final = 401
_LONGEST: Final = 1000
_PREFIXES: Final = {"approvals": "ap_", "grants": "gr_", "kills": "ki_"}
_ID: Final = re.compile(r"[a-z]{2}_[a-z0-9]{16}")
_BEGINNING: Final = re.compile(r"[a-z]{2}_[a-z0-9]{1,16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a console is.

    Attributes:
        url: Scheme, host and port, such as `http://127.0.0.1:9090`.
        ca: A certificate that is trusted besides the system's, or None.
    """

    url: str
    ca: Path | None = None


def find_place(given: str | None, config: Path) -> Place:
    """The console that is meant.

    Args:
        given: Its address, or None for what proctor.yaml says.
        config: The path of proctor.yaml.

    Raises:
        ConfigurationError: The address is none, is not safe, or is named nowhere.
    """
    if given is None and not config.exists():
        raise ConfigurationError(
            "console-unknown",
            "Where the console is, is not known",
            got=f"no {config}",
            expected="--console URL, PROCTOR_CONSOLE, or --config with a proctor.yaml",
        )
    place = place_of(load(config)) if given is None else Place(url=given)
    try:
        origin = parse_origin(place.url)
    except ValueError as error:
        raise ConfigurationError(
            "wrong-value", "This is no console's address", expected=str(error)
        ) from None
    if not (origin.tls or origin.loopback):
        raise ConfigurationError(
            "console-plaintext",
            f"Your token would travel to {origin} in the clear",
            expected="https://…, or an address of this machine",
        )
    return Place(url=str(origin), ca=place.ca)


def place_of(config: Config) -> Place:
    """The console of a proctor.yaml."""
    settings = config.console
    ca = settings.tls.cert if settings.tls else None
    if settings.url is not None:
        return Place(url=settings.url.rstrip("/"), ca=ca)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.listen.host, settings.listen.host)  # noqa: S104 - compared
    address = Address(host=host, port=settings.listen.port)
    return Place(url=f"{'https' if ca else 'http'}://{address}", ca=ca)


def find_token(place: Place) -> str:
    """The token of whoever signed in there; PROCTOR_TOKEN goes first.

    Raises:
        ClientError: `not-signed-in`.
        ConfigurationError: The file of sign-ins cannot be used.
    """
    if token := os.environ.get(TOKEN, "").strip():
        return token
    login = logins.read(logins.mine()).get(place.url)
    if login is None:
        raise _signed_out(place)
    return login.token


@dataclass(slots=True, kw_only=True)
class Console:
    """One console's API. Every method raises ProctorError where the answer is no.

    Attributes:
        place: Where.
        token: Whose asking it is; empty for nobody's.
        agent: What asks, for the console's log.
    """

    place: Place
    token: str = field(repr=False)
    agent: str = "cli"
    _client: httpx.Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        headers = {"user-agent": f"proctor-{self.agent}/{__version__}"}
        if self.token:
            if not self.token.isascii() or not self.token.isprintable() or " " in self.token:
                raise ClientError("token-malformed", "The token is none", hint=f"Look at {TOKEN}.")
            headers["authorization"] = f"Bearer {self.token}"
        self._client = httpx.Client(
            base_url=self.place.url,
            headers=headers,
            timeout=_TIMEOUT,
            verify=_trust(self.place),
            trust_env=False,  # a proxy has no business with the token
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def get(self, path: str, **query: str | int | None) -> Any:
        """Read `path`, a part of the API such as `approvals`; None in `query` is left out."""
        asked = {name: value for name, value in query.items() if value not in {None, ""}}
        return self._ask("GET", path, params=asked)

    def post(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Ask for something to be done."""
        return self._ask("POST", path, json=_filled(body))

    def delete(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Ask for something to end."""
        return self._ask("DELETE", path, json=_filled(body))

    def events(self) -> Iterator[dict[str, Any]]:
        """What happens from now on, as it happens; ends when the console ends it."""
        stream = EventStream(max_event=_MAX_EVENT)
        with self._reached("events"):
            headers = {"accept": "text/event-stream"}
            with self._client.stream(
                "GET", _api("events"), headers=headers, timeout=_SILENCE
            ) as answer:
                if not answer.is_success:
                    raise self._problem(answer.status_code, _read(answer))
                for chunk in answer.iter_bytes():
                    for event in stream.feed(chunk):
                        found = _object(event.data.encode())
                        if isinstance(found, dict):
                            yield found

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        with self._reached(path), self._client.stream(method, _api(path), **options) as answer:
            body = _read(answer)
        if not answer.is_success:
            raise self._problem(answer.status_code, body)
        if not body:
            return {}
        found = _object(body)
        if found is None:
            raise self._strange(answer.status_code)
        return found

    @contextmanager
    def _reached(self, path: str) -> Generator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Its text may hold the request; only what kind of failure it was is told.
            told = type(error).__name__
            if isinstance(error, httpx.ConnectError) and "CERTIFICATE" in str(error):
                told = "a certificate that is not trusted"
            raise UpstreamError(
                "console-unreachable",
                f"The console at {self.place.url} did not answer `{path}`",
                got=told,
                hint="Is `proctor run` running there, and is this its `console` address?",
            ) from None

    def _problem(self, status: int, body: bytes) -> ProctorError:
        """RFC 9457: what the console says is wrong."""
        found = _object(body)
        if not isinstance(found, dict) or not isinstance(found.get("code"), str):
            return _signed_out(self.place) if status == _UNAUTHORIZED else self._strange(status)
        code, title, got, expected, hint = (
            str(found.get(name) or "")[:_LONGEST] for name in _TEXTS
        )
        if status == _UNAUTHORIZED and not hint:
            hint = _signed_out(self.place).hint
        return ClientError(code, title or "The console said no", got, expected, hint, status)

    def _strange(self, status: int) -> UpstreamError:
        return UpstreamError(
            "console-answer",
            f"What answers at {self.place.url} is no console of this version",
            got=f"status {status}",
            hint="Is this the `console` address of `proctor run`?",
        )


@contextmanager
def console_at(given: str | None, config: Path) -> Generator[Console]:
    """The console that is meant, as the person who signed in there."""
    place = find_place(given, config)
    console = Console(place=place, token=find_token(place))
    try:
        yield console
    finally:
        console.close()


def items(found: Any, name: str) -> list[dict[str, Any]]:
    """The objects of a list that the console gave: `{name: [...]}`.

    Raises:
        UpstreamError: It is none.
    """
    listed = found.get(name) if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise UpstreamError("console-answer", f"The console's answer has no list of {name}")
    return listed


def whole_id(console: Console, path: str, short: str) -> str:
    """The id that begins so, of what the console lists at `path`; the prefix may be left out.

    Raises:
        ClientError: `id-unknown`, or `id-ambiguous`.
    """
    if _ID.fullmatch(short):
        return short
    prefix = short if short[:3] in _PREFIXES.values() else _PREFIXES[path] + short
    if not _BEGINNING.fullmatch(prefix):
        raise ClientError("id-unknown", "This is no id", expected=f"{_PREFIXES[path]}…")
    fits = [
        each
        for item in items(console.get(path, all=None if path == "approvals" else 1), path)
        if (each := str(item.get("id"))).startswith(prefix)
    ]
    if len(fits) == 1 and _ID.fullmatch(fits[0]):
        return fits[0]
    if fits:
        raise ClientError(
            "id-ambiguous",
            f"Several begin with {prefix}",
            got=", ".join(sorted(fits)[:5]),
            expected="a longer beginning",
        )
    raise ClientError(
        "id-unknown",
        f"Nothing that you may see begins with {prefix}",
        hint=f"`proctor {'kill list' if path == 'kills' else f'{path} list --all'}` shows them.",
        status=404,
    )


def _signed_out(place: Place) -> ClientError:
    return ClientError(
        "not-signed-in",
        f"You are not signed in to {place.url}",
        hint=f"Run `proctor login --console {place.url}`, or set {TOKEN}.",
        status=_UNAUTHORIZED,
    )


def _api(path: str) -> str:
    return f"/api/v1/{quote(path)}"


def _filled(body: Mapping[str, object] | None) -> dict[str, object]:
    return {name: value for name, value in (body or {}).items() if value not in {None, ""}}


def _trust(place: Place) -> ssl.SSLContext | bool:
    if not place.url.startswith("https:"):
        return False  # there is nothing to verify, and loading certificates takes long
    context = ssl.create_default_context()
    if place.ca is not None:
        context.load_verify_locations(place.ca)
    return context


def _read(answer: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > _MAX_ANSWER:
            raise UpstreamError("console-answer", "The console's answer is too large")
    return bytes(body)


def _object(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
