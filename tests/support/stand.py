"""A suite on stand-ins for the Gate's parts, behind a live mitmproxy."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proctor.approval.holder import Desk
from proctor.credentials.echo import Values
from proctor.credentials.injection import Injection, PutHeader
from proctor.egress.settings import DestinationSettings, UpstreamTlsSettings
from proctor.errors import InternalError
from proctor.fields import TlsSettings
from proctor.gate import Gate
from proctor.model import Finding
from proctor.runtime.modes import nudge
from proctor.settings import Listener
from proctor.stages.parts import Pins, Resolver, Screens
from proctor.stages.suite import Suite
from proctor.units import Address, Origin
from tests.support.live import Live, live
from tests.support.parts import Rules, Store, Tokens

REAL_KEY = b"sk-real-credential"


class Keys:
    """The real credential, unless a test takes it away."""

    def __init__(self) -> None:
        self.missing = False
        self.values: tuple[Values, ...] = ()

    def ready(self, name: str, principal_key: str, token: str | None) -> Injection:
        if self.missing:
            raise InternalError("credential-missing", f"Credential {name} has no value")
        return PutHeader("x-api-key", REAL_KEY.decode())

    async def fetch(
        self, name: str, principal_key: str, token: str | None, expires_at: float
    ) -> Injection:
        raise NotImplementedError

    def rejected(self, name: str, principal_key: str, token: str | None) -> None:
        """Kept as it is."""

    def known(self, name: str | None, put: Injection | None) -> tuple[Values, ...]:
        return self.values

    def certificate(self, name: str) -> None:
        return None


class Counted:
    """Metrics that only remember."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.found: list[Finding] = []
        self.failures = 0
        self.waiting = 0

    def waits(self, listener: str, change: int) -> None:
        self.waiting += change

    def exchange(self, listener: str, verdict: str, seconds: float) -> None:
        assert seconds >= 0
        self.seen.append((listener, verdict))

    def findings(self, listener: str, found: Sequence[Finding]) -> None:
        self.found.extend(found)

    def unseen(self, listener: str) -> None:
        self.failures += 1


@dataclass
class Stand:
    """A suite and the parts a test may break."""

    suite: Suite
    store: Store
    rules: Rules
    keys: Keys = field(default_factory=Keys)
    metrics: Counted = field(default_factory=Counted)


def listener(
    port: int,
    *,
    name: str = "claude",
    speaks: str = "anthropic",
    tls: TlsSettings | None = None,
    upstream: str = "http",
    upstream_tls: UpstreamTlsSettings | None = None,
    via: Origin | None = None,
) -> Listener:
    """Settings of a listener whose upstream is this port of loopback."""
    return Listener.model_construct(
        name=name,
        kind="reverse",
        listen=Address(host="127.0.0.1", port=0),
        tls=tls,
        upstream=Origin(scheme=upstream, host="127.0.0.1", port=port),
        upstream_tls=upstream_tls,
        via=via,
        speaks=speaks,
        credential="real",
    )


def proxy_of(
    *destinations: Mapping[str, Any], tls: TlsSettings | None = None, via: Origin | None = None
) -> Listener:
    """Settings of a forward listener, `egress`, with these destinations."""
    return Listener.model_construct(
        name="egress",
        kind="forward",
        listen=Address(host="127.0.0.1", port=0),
        tls=tls,
        via=via,
        destinations=tuple(DestinationSettings.model_validate(item) for item in destinations),
    )


def house(
    *listeners: Listener,
    screens: Screens | None = None,
    desk: Desk | None = None,
    resolver: Resolver | None = None,
    pins: Pins | None = None,
    reviewers: Sequence[str] = (),
    rules: Rules | None = None,
) -> Stand:
    """A suite for these listeners, taking traffic."""
    store, rules, keys, metrics = Store(), rules or Rules(), Keys(), Counted()
    gate = Gate(authenticator=Tokens(), policies=rules, recorder=store, desk=desk)
    suite = Suite(
        listeners,
        gate,
        keys,
        metrics,
        screens=screens,
        resolver=resolver,
        pins=pins,
        reviewers=reviewers,
        first_request=5,
        connections=1000,
        sealing=bytes(32),
        nudge=nudge,
    )
    suite.accepting = True
    return Stand(suite=suite, store=store, rules=rules, keys=keys, metrics=metrics)


@contextlib.contextmanager
def running(this: Stand, *names: str, extra: tuple[object, ...] = ()) -> Iterator[Live]:
    """The house behind a live proxy."""
    with live(
        dict.fromkeys(names or ("claude",), this.suite), *extra, body_size_limit="1000000"
    ) as proxy:
        yield proxy


def post(
    body: bytes = b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}',
    path: str = "/v1/messages",
    token: str | None = "a",
    more: bytes = b"",
) -> bytes:
    """A request as a client sends it."""
    auth = b"authorization: Bearer %s\r\n" % token.encode() if token is not None else b""
    return (
        b"POST %s HTTP/1.1\r\nhost: proxy\r\ncontent-type: application/json\r\n%s%s"
        b"content-length: %d\r\n\r\n%s" % (path.encode(), auth, more, len(body), body)
    )


ANSWER = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":'
    b'[{"type":"text","text":"hello"},{"type":"tool_use","id":"t1","name":"Bash","input":{"command":'
    b'"ls"}}],"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":5}}'
)


OK = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER)
) + ANSWER


def error_of(answer: bytes) -> dict[str, Any]:
    """The error in Anthropic's envelope."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower()
    envelope = json.loads(body)
    assert envelope["type"] == "error"
    found: dict[str, Any] = envelope["error"]
    return found
