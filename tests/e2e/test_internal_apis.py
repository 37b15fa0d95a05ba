"""Internal APIs through the forward listener: credentials of every kind, and what rules see."""

import json
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from proctor.testing import tls
from proctor.testing.http1 import Received
from proctor.testing.issuer import CLIENT_ID, CLIENT_SECRET
from tests.support import clients
from tests.support.authserver import AuthServer
from tests.support.outward import Outward, Plan, outward
from tests.support.web import Web

pytestmark = pytest.mark.e2e

SPEC = """\
openapi: 3.1.0
info: {title: Tickets, version: "1"}
paths:
  /described/tickets:
    post:
      operationId: createTicket
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [title]
              additionalProperties: false
              properties: {title: {type: string}, amount: {type: integer}}
      responses: {"200": {description: made}}
"""
RULES = """\
rules:
  - {id: all, on: http.request, then: allow}
  - id: no-large-amounts
    on: http.request
    when: has(http.json.amount) && int(http.json.amount) > 100
    then: deny
    reason: That is too much.
  - id: as-described
    on: http.request
    when: http.operation == "createTicket" && size(http.violations) > 0
    then: deny
    reason: The call is not as described.
  - id: no-deleting
    on: http.request
    when: http.operation.startsWith("mutation deleteIssue")
    then: deny
    reason: Nothing is deleted.
  - id: only-injected
    on: http.request
    when: http.path == "/free" && http.credential != "none"
    then: deny
"""
NAMES: dict[str, dict[str, Any]] = {
    "basic": {"user": "svc", "password": {"env": "A_PASSWORD"}},
    "query": {"query": "api_key", "value": {"env": "A_KEY"}},
    "aws": {
        "aws": {
            "region": "eu-central-1",
            "service": "execute-api",
            "access_key": {"env": "A_ACCESS"},
            "secret_key": {"env": "A_SECRET"},
        }
    },
}
SECRETS = {
    "A_PASSWORD": "pa55-word-of-svc",
    "A_KEY": "key-nobody-sees-1",
    "A_ACCESS": "AKIDEXAMPLE",
    "A_SECRET": "wJalrXUtnFEMI+bPxRfiCYEXAMPLEKEY",
    "O_SECRET": CLIENT_SECRET,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """APIs, and the gateway that is the way to them."""

    out: Outward
    web: Web
    shown: Web
    issuer: AuthServer
    token: str

    def ask(self, path: str, *options: str, at: Web | None = None) -> tuple[int, str]:
        """Ask with curl; status and body."""
        told = subprocess.run(
            [
                *("curl", "--silent", "--cacert", str(self.out.ca), "--max-time", "20"),
                *("--proxy", self.out.proxy(self.token), "--write-out", "\n%{http_code}"),
                *(*options, f"{(at or self.web).url}{path}"),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        body, _, status = told.rpartition("\n")
        return int(status), body

    def post(self, path: str, body: object, kind: str = "application/json") -> tuple[int, str]:
        """Send a body; status and answer."""
        text = body if isinstance(body, str) else json.dumps(body)
        return self.ask(path, "--data", text, "--header", f"content-type: {kind}")

    @property
    def last(self) -> Received:
        """What arrived last."""
        return self.web.requests[-1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    clients.needs("curl")
    folder = tmp_path_factory.mktemp("apis")
    files = tls.make(folder / "tls")
    asks = files.server_context()
    asks.load_verify_locations(files.ca)
    asks.verify_mode = ssl.CERT_REQUIRED
    (folder / "spec.yaml").write_text(SPEC)
    ca = {"ca": str(files.ca)}
    with Web(tls=files.server_context()) as web, Web(tls=asks) as shown, AuthServer() as issuer:
        oauth = {
            "token_endpoint": issuer.url,
            "client_id": CLIENT_ID,
            "client_secret": {"env": "O_SECRET"},
        }
        here: dict[str, Any] = {"host": "localhost", "port": web.port, "upstream_tls": ca}
        named = [*NAMES, "oauth", "exchange"]
        plan = Plan(
            destinations=[
                *({**here, "path": f"/{name}", "credential": name} for name in named),
                {**here, "path": "/described", "openapi": {"spec": str(folder / "spec.yaml")}},
                {
                    **here,
                    "path": "/strict",
                    "openapi": {"spec": str(folder / "spec.yaml"), "strict": True},
                },
                {**here, "path": "/free"},
                {**here, "path": "/graphql"},
                {
                    "host": "localhost",
                    "port": shown.port,
                    "upstream_tls": ca,
                    "credential": "certificate",
                },
            ],
            credentials=[
                *({"name": name, **kind} for name, kind in NAMES.items()),
                {"name": "oauth", "oauth": oauth},
                {"name": "exchange", "oauth": {**oauth, "grant": "token_exchange"}},
                {"name": "certificate", "cert": str(files.cert), "key": str(files.key)},
            ],
            rules=RULES,
            env=SECRETS,
        )
        with outward(folder / "proctor", plan) as out:
            yield World(out=out, web=web, shown=shown, issuer=issuer, token=out.token())


def test_basic(world: World) -> None:
    assert world.ask("/basic/x")[0] == 200
    expected = b64encode(f"svc:{SECRETS['A_PASSWORD']}".encode()).decode()
    assert world.last.header("authorization") == f"Basic {expected}"


def test_query(world: World) -> None:
    assert world.ask("/query/x?a=b&api_key=mine")[0] == 451  # a key of the client's own
    assert world.ask("/query/x?a=b")[0] == 200
    assert world.last.target == f"/query/x?a=b&api_key={SECRETS['A_KEY']}"


def test_aws(world: World) -> None:
    assert world.post("/aws/x?b=2&a=1", {"c": "d"})[0] == 200
    signed = world.last.header("authorization") or ""
    assert signed.startswith(f"AWS4-HMAC-SHA256 Credential={SECRETS['A_ACCESS']}/")
    assert "/eu-central-1/execute-api/aws4_request" in signed
    assert world.last.header("x-amz-date")


def test_a_client_certificate(world: World) -> None:
    assert world.ask("/shown", at=world.shown)[0] == 200
    assert world.shown.requests[-1].target == "/shown"


def test_tokens_of_proctors_own_and_on_behalf_of_who_asks(world: World) -> None:
    for path in ("/oauth/1", "/oauth/2", "/exchange/1", "/exchange/2"):
        assert world.ask(path)[0] == 200
    given = [each.header("authorization") for each in world.web.requests[-4:]]
    assert given[0] == given[1] != given[2] == given[3]
    assert all(each and each.startswith("Bearer t") for each in given)
    grants = [each["grant_type"] for each in world.issuer.asked]
    assert grants.count("client_credentials") == 1
    assert len(grants) == 2, "tokens are kept"


def test_the_client_and_the_record_see_none_of_them(world: World) -> None:
    # The API repeats all that it was sent.
    told = "".join(world.ask(path)[1] for path in ("/aws/y", "/oauth/y", "/basic/y", "/query/y"))
    code = b64encode(f"svc:{SECRETS['A_PASSWORD']}".encode()).decode()
    assert code not in told
    assert f"Basic {'*' * len(code)}" in told
    assert f"api_key={'*' * len(SECRETS['A_KEY'])}" in told
    echoed = "select detail from events where kind = 'credential.echoed'"
    names: set[str] = set()
    deadline = time.monotonic() + 60
    while not {"basic", "query"} <= names and time.monotonic() < deadline:
        names = {json.loads(row["detail"])["credential"] for row in world.out.query(echoed)}
    assert {"basic", "query"} <= names
    kept = json.dumps(world.out.query("select * from flows")) + json.dumps(world.out.gateway.log)
    for name in ("A_PASSWORD", "A_KEY", "A_SECRET", "O_SECRET"):
        assert SECRETS[name] not in told + kept, name


@pytest.mark.parametrize("path", ["/free", "/described", "/oauth", "/aws"])
def test_a_stolen_key_reaches_nobody(world: World, path: str) -> None:
    before = len(world.web.requests)
    status, told = world.ask(path, "--header", "Authorization: Bearer sk-stolen-0123456789")
    assert "sk-stolen" not in "".join(str(each.headers) for each in world.web.requests[before:])
    if path in {"/free", "/described"}:
        assert status == 451
        assert "client-credential" in told


def test_json_and_forms(world: World) -> None:
    assert world.post("/free", {"amount": 5})[0] == 200
    assert world.post("/free", {"amount": 500})[0] == 451
    form = "application/x-www-form-urlencoded"
    assert world.post("/free", "amount=5", form)[0] == 200
    status, told = world.post("/free", "amount=500", form)
    assert (status, "no-large-amounts" in told) == (451, True)


def test_graphql(world: World) -> None:
    assert world.post("/graphql", {"query": "{ viewer { login } }"})[0] == 200
    hidden = 'mutation M { it: deleteIssue(id: "1") { ok } }'
    assert world.post("/graphql", {"query": hidden})[0] == 451
    assert world.ask("/graphql?query=mutation%20%7BdeleteIssue%7D", "--get")[0] == 451


def test_an_api_as_described(world: World) -> None:
    path = "/described/tickets"
    assert world.post(path, {"title": "a"})[0] == 200
    status, told = world.post(path, {"title": 1})
    assert (status, "as-described" in told) == (451, True)
    assert world.post(path, {"titel": "a"})[0] == 451
    assert world.post("/strict/tickets", {"title": "a"})[0] == 451  # no such operation
