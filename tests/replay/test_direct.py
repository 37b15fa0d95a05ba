"""Where a URL may lead, what is put in for it, and what is asked before anything leaves."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from proctor.approval.model import Kill, KillScope
from proctor.credentials.injection import Injection, PutHeader
from proctor.egress.resolver import Resolver
from proctor.egress.targets import Target, targets_of
from proctor.errors import ClientError, ProctorError
from proctor.model import (
    Action,
    Allow,
    ApprovalTerms,
    Decision,
    Deny,
    Hold,
    Principal,
    RecordMode,
    Session,
    Verdict,
)
from proctor.record import Ruling
from proctor.replay.direct import LISTENER, Straight
from proctor.replay.outcome import Outcome
from proctor.replay.plan import Direct, Plan
from proctor.settings import Listener
from proctor.testing import tls
from proctor.testing.standin import StandIn, serving
from tests.replay.test_plan import API, ONE, PLAN
from tests.support.desks import NOW
from tests.support.parts import ALICE
from tests.support.scripted import Scripted

HOLD = Hold(rule_id="big", reason="", terms=(ApprovalTerms(rule_id="big", from_groups=("leads",)),))
BODY = b'{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}],"stream":true}'
ASKED = replace(PLAN, listener=LISTENER, requests=(replace(ONE, body=BODY), API))
SECRET = "sk-test-0000000000"


class Judge:
    """Says what a test says, and remembers what was asked."""

    def __init__(self, *verdicts: Verdict, kill: Kill | None = None) -> None:
        self.verdicts = list[Verdict](verdicts or [Allow(rule_id="yes")])
        self.asked: list[Sequence[Action]] = []
        self._kill = kill

    def decide(
        self, principal: Principal, session: Session | None, actions: Sequence[Action]
    ) -> Ruling:
        assert session is None
        self.asked.append(actions)
        decisions = tuple(Decision(verdict=verdict) for verdict in self.verdicts)
        return Ruling(
            verdict=self.verdicts[0], decisions=decisions, digests=(), actions=tuple(actions),
            record=RecordMode.FULL, policy_version="v1",
        )  # fmt: skip

    def killed(self, principal: Principal, session: Session | None) -> Kill | None:
        return self._kill


class Purse:
    """One credential, `key`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []

    async def fetch(
        self, name: str, principal_key: str, token: str | None, expires_at: float
    ) -> Injection:
        self.asked.append((name, principal_key, token))
        return PutHeader("x-api-key", SECRET)

    def certificate(self, name: str) -> tuple[Path, Path] | None:
        assert name == "key"
        return None


def targets(*listeners: Mapping[str, object]) -> list[Target]:
    return [
        each
        for number, given in enumerate(listeners)
        for each in targets_of(
            Listener.model_validate({"name": f"l{number}", "listen": "127.0.0.1:0", **given})
        )
    ]


def straight(
    *,
    judge: Judge | None = None,
    purse: Purse | None = None,
    names: Mapping[str, Sequence[str]] | None = None,
    known: Sequence[Target] = (),
) -> Straight:
    def lookup(host: str, port: int) -> Sequence[str]:
        assert port
        try:
            return (names or {})[host]
        except KeyError:
            raise OSError(-2, "unknown") from None

    return Straight(
        judge=judge or Judge(),
        credentials=purse or Purse(),
        targets=known,
        resolver=Resolver(lookup=lookup, threads=1),
    )


def aimed(url: str, credential: str = "", ca: str = "", **more: object) -> Direct:
    made = straight(**more)  # type: ignore[arg-type]  # handed through as given
    try:
        return asyncio.run(made.aim(url, credential, ca)) if _alone() else _stepped(made, url)
    finally:
        made.close()


def _alone() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False


def _stepped(made: Straight, url: str) -> Direct:
    """An address needs no waiting, so no loop."""
    try:
        made.aim(url, "", "").send(None)
    except StopIteration as done:
        found: Direct = done.value
        return found
    raise AssertionError("it waits")


def refusal(url: str, **more: object) -> ProctorError:
    with pytest.raises(ProctorError) as caught:
        aimed(url, **more)  # type: ignore[arg-type]  # the same
    return caught.value


@pytest.mark.parametrize(
    ("url", "host", "port", "base"),
    [
        ("https://API.example", "api.example", 443, ""),
        ("https://api.example:8443/", "api.example", 8443, ""),
        ("https://api.example/v2/x/", "api.example", 443, "/v2/x"),
    ],
)
def test_a_name_is_looked_up_once_and_its_addresses_are_kept(
    url: str, host: str, port: int, base: str
) -> None:
    addresses = ("8.8.8.8", "2001:4860::8")
    found = aimed(url, names={"api.example": addresses})
    assert (found.host, found.port, found.base, found.tls) == (host, port, base, True)
    assert found.addresses == addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example",  # in the clear to another machine
        "ftp://api.example", "api.example", "https://", "https://a b", "//x", "https:///x",
        "https://user@api.example", "https://user:pw@api.example", "https://api.example?x=1",
        "https://api.example/#x", "https://api.example/../x", "https://api.example/%2e%2e/x",
        "https://api.example:0", "https://api.example:99999", "https://api.example\n/x",
        "https://api.example\\@other", "https://" + "a" * 600,
    ],
)  # fmt: skip
def test_what_is_no_url_to_send_to(url: str) -> None:
    error = refusal(url)
    assert error.code == "replay-url"
    assert "pw" not in str(error)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.1.1", "100.100.100.200", "fd00:ec2::254", "fe80::1",
        "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "0.1.2.3", "224.0.0.1", "240.0.0.1", "::",
        "127.0.0.1", "::1", "64:ff9b::7f00:1", "192.0.2.1",
    ],
)  # fmt: skip
def test_addresses_that_nobody_can_approve(address: str) -> None:
    names = {"api.example": ("8.8.8.8", address)}  # one among good ones refuses all
    assert refusal("https://api.example", names=names).code == "replay-address"


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "0xA9FEA9FE", "2852039166", "[fd00:ec2::254]", "[fe80::1]"]
)
def test_nor_when_they_are_written_out(host: str) -> None:
    assert refusal(f"https://{host}").code in {"replay-address", "replay-url"}


def test_private_networks_and_this_machine() -> None:
    names = {"llm.corp.example": ("10.1.2.3", "fd12::1"), "localhost": ("127.0.0.1",)}
    assert aimed("https://llm.corp.example", names=names).addresses == ("10.1.2.3", "fd12::1")
    assert aimed("https://10.1.2.3").addresses == ("10.1.2.3",)
    assert aimed("http://localhost:81", names=names).addresses == ("127.0.0.1",)
    assert aimed("http://[::1]:81").host == "::1"
    # A resolver that says otherwise of localhost.
    bad = {"localhost": ("8.8.8.8",)}
    assert refusal("http://localhost", names=bad).code == "replay-address"
    assert refusal("https://nowhere.example").code == "name-unresolved"


UPSTREAM = {"kind": "reverse", "speaks": "anthropic", "upstream": "https://api.example",
            "credential": "key"}  # fmt: skip
ROUTED = {"kind": "reverse", "speaks": "http",
          "routes": ({"path": "/t", "upstream": "https://api.example/tickets",
                      "credential": "key"},)}  # fmt: skip
FORWARD = {"kind": "forward",
           "destinations": ({"host": "api.example", "path": "/v1/**", "credential": "key"},
                            {"host": "api.example", "path": "/v2/**"})}  # fmt: skip


@pytest.mark.parametrize(
    ("listener", "path", "known"),
    [
        (UPSTREAM, "/anything?x", True),
        (ROUTED, "/tickets/7", True),
        (ROUTED, "/tickets", True),
        (ROUTED, "/ticketsx", False),
        (ROUTED, "/t", False),
        (FORWARD, "/v1/messages", True),
        (FORWARD, "/v2/messages", False),
        (FORWARD, "/v1/../v2", False),
    ],
)
def test_a_credential_goes_where_the_configuration_sends_it(
    listener: Mapping[str, object], path: str, *, known: bool
) -> None:
    names = {"api.example": ("8.8.8.8",)}
    made = straight(names=names, known=targets(listener))

    async def main() -> None:
        there = await made.aim("https://api.example", "key", "")
        plan = replace(ASKED, requests=(replace(API, path=path),), direct=there)
        await made.terms(plan, ALICE)

    if known:
        asyncio.run(main())
    else:
        with pytest.raises(ClientError) as caught:
            asyncio.run(main())
        assert caught.value.code in {"replay-credential", "path-ambiguous"}
    made.close()


@pytest.mark.parametrize(
    ("url", "credential"),
    [
        ("https://api.example", "other"),
        ("https://api.example:444", "key"),
        ("https://other.example", "key"),
        ("http://127.0.0.1:443", "key"),
    ],
)
def test_and_nowhere_else(url: str, credential: str) -> None:
    names = {"api.example": ("8.8.8.8",), "other.example": ("8.8.8.8",)}
    error = refusal(url, credential=credential, names=names, known=targets(UPSTREAM, ROUTED))
    assert error.code == "replay-credential"


def test_no_certificates() -> None:
    for ca in ("x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        assert refusal("https://8.8.8.8", ca=ca).code == "replay-ca"


def test_what_the_rules_see_and_what_they_ask() -> None:
    there = replace(aimed("https://8.8.8.8/base"), credential="")
    judge = Judge(Allow(rule_id="yes"), HOLD, HOLD)
    made = straight(judge=judge)
    assert asyncio.run(made.terms(replace(ASKED, direct=there), ALICE)) == HOLD.terms
    model, api = judge.asked[0]
    assert (model.kind, model.listener, model.size) == ("llm.request", "replay", len(BODY))
    assert model.llm is not None
    assert (model.llm.model, model.llm.stream, model.llm.request_class) == ("m", True, "messages")
    assert api.http is not None
    assert (api.http.method, api.http.scheme, api.http.host, api.http.port) == (
        "PUT", "https", "8.8.8.8", 443,
    )  # fmt: skip
    assert (api.http.path, api.http.query, api.http.json) == ("/base/items/7", {"x": "1"}, {})
    assert (api.http.credential, api.kind) == ("none", "http.request")
    made.close()


def test_what_says_no() -> None:
    there = aimed("https://8.8.8.8")
    kill = Kill(id="ki_1", scope=KillScope.ALL, target="", by="dave", reason="stop", at=NOW)
    for judge, request, code in (
        (Judge(Allow(rule_id="yes"), Deny(rule_id="no", reason="No.")), API, "policy-denied"),
        (Judge(kill=kill), API, "killed"),
        (Judge(), replace(API, path="/a/../b"), "path-ambiguous"),
        (Judge(), replace(ONE, body=b"{"), "body-not-json"),
    ):
        made = straight(judge=judge)
        with pytest.raises(ClientError) as caught:
            asyncio.run(made.terms(replace(ASKED, direct=there, requests=(request,)), ALICE))
        assert caught.value.code == code
        made.close()


def sent(plan: Plan, purse: Purse | None = None) -> list[Outcome]:
    made = straight(purse=purse)

    async def main() -> list[Outcome]:
        async with made.wire(plan, ALICE) as wire:
            return [await wire.send(each) for each in plan.requests]

    try:
        return asyncio.run(main())
    finally:
        made.close()


def test_what_leaves() -> None:
    purse = Purse()
    with Scripted() as upstream:
        there = aimed(f"http://127.0.0.1:{upstream.port}/base")
        sent(replace(ASKED, betas="b-1", direct=there), purse)
        assert purse.asked == []
        model, api = upstream.requests
        assert model.startswith(b"POST /base/v1/messages HTTP/1.1\r\n")
        assert model.endswith(b"\r\n\r\n" + BODY)
        head = model.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
        names = {line.partition(b":")[0] for line in head[1:]}
        assert names == {
            b"host", b"content-type", b"content-length", b"anthropic-version", b"anthropic-beta",
            b"user-agent", b"accept", b"accept-encoding", b"connection",
        }  # fmt: skip
        assert f"host: 127.0.0.1:{upstream.port}".encode() in head
        assert api.startswith(b"PUT /base/items/7?x=1 HTTP/1.1\r\n")
        assert b"anthropic" not in api
        upstream.requests.clear()
        sent(replace(ASKED, direct=replace(there, credential="key")), purse)
        assert purse.asked == [("key", ALICE.key, None)] * 2
        assert all(f"x-api-key: {SECRET}".encode() in each for each in upstream.requests)


def test_the_first_address_that_answers() -> None:
    with Scripted() as upstream:
        there = aimed(f"http://127.0.0.1:{upstream.port}")
        two = replace(there, addresses=("::1", "127.0.0.1"))
        assert [each.status for each in sent(replace(ASKED, direct=two))] == [200, 200]
        nobody = replace(there, addresses=("::1",))
        (found, _) = sent(replace(ASKED, direct=nobody))
        assert (found.status, found.error) == (0, "ConnectError")


def test_tls_is_checked_for_the_name_by_the_authorities_given(tmp_path: Path) -> None:
    files, other = tls.make(tmp_path / "one"), tls.make(tmp_path / "other")
    with serving(StandIn(), tls=files.server_context()) as service:
        port = service.url.rpartition(":")[2]
        names = {"localhost": ("127.0.0.1",)}
        url = f"https://localhost:{port}"

        def outcome(there: Direct) -> Outcome:
            return sent(replace(ASKED, requests=(API,), direct=there))[0]

        ca = files.ca.read_text()
        assert outcome(aimed(url, ca=ca, names=names)).status
        came = service.request_count
        wrong = replace(aimed(url, ca=ca, names=names), host="api.example")
        for there in (
            aimed(url, names=names),  # not one of the public ones
            aimed(url, ca=other.ca.read_text(), names=names),
            wrong,  # the certificate is for another name
        ):
            assert outcome(there).error == "ConnectError"
        assert service.request_count == came
