"""proctor.yaml, read, with errors that name file, line and what was expected."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proctor.config import Address, Config, Origin, load
from proctor.errors import ConfigurationError

GOOD = """\
schema_version: 1
listeners:
  - name: claude
    kind: reverse
    listen: 127.0.0.1:8080
    upstream: https://api.anthropic.com
    upstream_tls: {ca: corp-ca.pem}
    via: http://proxy.corp:3128
    speaks: anthropic
    credential: anthropic
identity:
  issuers:
    - issuer: https://idp.internal/realms/corp
      audience: proctor
      algorithms: [RS256, ES256]
      groups: realm_access.roles
      human: act.sub
    - {issuer: local, audience: proctor}
credentials:
  - name: anthropic
    header: x-api-key
    value: {env: ANTHROPIC_API_KEY}
rules: rules/
audit: {path: recordings/}
limits: {body: 64MiB, drain: 30s}
console: {listen: "127.0.0.1:9090", audience: proctor-console}
"""


def read(folder: Path, text: str) -> Config:
    file = folder / "proctor.yaml"
    file.write_text(text)
    return load(file)


def test_the_whole_file(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    (listener,) = config.listeners
    assert listener.listen == Address(host="127.0.0.1", port=8080)
    assert listener.upstream == Origin(scheme="https", host="api.anthropic.com", port=443)
    assert listener.upstream_tls is not None
    assert listener.upstream_tls.ca == tmp_path / "corp-ca.pem"
    assert listener.via == Origin(scheme="http", host="proxy.corp", port=3128)
    assert [issuer.issuer for issuer in config.identity.issuers] == [
        "https://idp.internal/realms/corp",
        "local",
    ]
    assert config.credentials[0].value is not None
    assert config.credentials[0].value.env == "ANTHROPIC_API_KEY"
    assert config.rules == tmp_path / "rules"
    assert config.audit.path == tmp_path / "recordings"
    assert config.state == tmp_path / ".proctor"
    assert config.limits.body == 64 * 2**20
    assert not config.observe


def test_paths_are_absolute_by_default_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = GOOD.replace("rules: rules/\n", "").replace("audit: {path: recordings/}\n", "")
    (tmp_path / "proctor.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    config = load(Path("proctor.yaml"))
    assert config.rules == tmp_path / "rules"
    assert config.audit.path == tmp_path / "recordings"


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "words"),
    [
        ("schema_version: 1", "schema_version: 2", "config-too-new", 1, "newer proctor"),
        ("schema_version: 1", "schema_version: true", "wrong-value", 1, "expected 1"),
        ("schema_version: 1", "observe: false", "missing-key", 1, "schema_version"),
        ("    listen:", "    listn:", "unknown-key", 5, "Did you mean 'listen'?"),
        ("127.0.0.1:8080", "8080", "wrong-value", 5, "listeners[0].listen"),
        ("127.0.0.1:8080", "0.0.0.0:8080", "plaintext-listener", 5, "plaintext: true"),
        ("kind: reverse", "kind: postgres", "unknown-key", 8, "`via`"),
        ("kind: reverse", "kind: revers", "wrong-value", 4, "reverse, forward or postgres"),
        ("speaks: anthropic", "speaks: gopher", "wrong-value", 9, "gopher"),
        ("    upstream: https://api.anthropic.com\n", "", "missing-key", 3, "upstream"),
        ("    credential: anthropic\n", "", "unused-credential", 19, "'anthropic'"),
        ("credential: anthropic", "credential: antropic", "unknown-name", 10, "Did you mean"),
        ("audience: proctor\n", "audience: 3\n", "wrong-value", 14, "a valid string"),
        ("RS256, ES256", "HS256", "wrong-value", 15, "HS256"),
        ("issuer: local", 'issuer: "https://idp.internal/realms/corp"', "wrong-value", 18, "twice"),
        ("{env: ANTHROPIC_API_KEY}", "{env: 1}", "wrong-value", 22, "environment variable"),
        ("{env: ANTHROPIC_API_KEY}", "abc", "secret-source", 22, "say where it comes from"),
        ("drain: 30s", "drain: 30x", "wrong-value", 25, '"30x"'),
        ("127.0.0.1:9090", "127.0.0.1:8080", "wrong-value", 26, "line 5"),
        ("rules: rules/", "rules:", "wrong-value", 23, "got nothing"),
        ("rules: rules/", "rules: {a: 1}", "wrong-value", 23, "got keys and values"),
        ("rules: rules/", "rules: [a]", "wrong-value", 23, "got a list"),
        ("rules: rules/", "roles: {boss: {groups: [x]}}", "unknown-key", 23, "reviewer"),
        ("listeners:", "listeners: []\nx:", "unknown-key", 3, "`x`"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, code: str, line: int, words: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert caught.value.where == f"{tmp_path / 'proctor.yaml'}:{line}"
    assert caught.value.code == code
    assert words in str(caught.value)


def test_the_first_of_several_mistakes_is_told(tmp_path: Path) -> None:
    text = GOOD.replace("drain: 30s", "drain: 30x").replace("audience: proctor\n", "audience: 3\n")
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    assert caught.value.where.endswith(":14")


def test_two_listeners_of_one_name(tmp_path: Path) -> None:
    block = GOOD[GOOD.index("  - name: claude") : GOOD.index("identity:")]
    with pytest.raises(ConfigurationError, match=r"'claude' stands twice .* first in line 3"):
        read(tmp_path, GOOD.replace(block, block + block.replace("8080", "8081")))


def test_two_issuers_that_would_be_asked_about_tokens(tmp_path: Path) -> None:
    asked = "introspection: {client_id: a, client_secret: {env: B}}"
    block = f"    - {{issuer: https://ISSUER, audience: proctor, {asked}}}\n"
    issuers = block.replace("ISSUER", "a") + block.replace("ISSUER", "b")
    with pytest.raises(ConfigurationError, match="Two issuers have") as caught:
        read(tmp_path, GOOD.replace("    - {issuer: local, audience: proctor}\n", issuers))
    assert caught.value.where.endswith(":19")


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ("127.0.0.1:1", "127.0.0.1:1", True),
        ("127.0.0.1:1", "[::1]:1", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("[::]:1", "127.0.0.1:1", True),
        ("0.0.0.0:1", "127.0.0.1:2", False),
    ],
)
def test_addresses_that_clash(tmp_path: Path, first: str, second: str, clash: bool) -> None:  # noqa: FBT001 - a table
    text = GOOD.replace("127.0.0.1:8080", f'"{first}"\n    plaintext: true')
    text = text.replace("127.0.0.1:9090", second)
    with (
        pytest.raises(ConfigurationError, match="is taken by")
        if clash
        else contextlib.nullcontext()
    ):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "new",
    ["value: sk-ant-SECRET", "value: {env: sk-ant-SECRET}", "value: [SECRET]", "vlaue: SECRET"],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path, new: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, GOOD.replace("value: {env: ANTHROPIC_API_KEY}", new))
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "# nothing", "- a", "words", "3"])
def test_no_proctor_yaml_at_all(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError):
        read(tmp_path, text)


@pytest.mark.parametrize("cut", range(0, len(GOOD), 7))
def test_cut_anywhere_it_is_refused(tmp_path: Path, cut: int) -> None:
    with contextlib.suppress(ConfigurationError):
        read(tmp_path, GOOD[:cut])


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner)
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([line for line in GOOD.splitlines() if ": " in line]), trees)
def test_any_value_anywhere_is_read_or_refused(tmp_path: Path, line: str, value: object) -> None:
    new = f"{line.partition(': ')[0]}: {json.dumps(value)}"
    with contextlib.suppress(ConfigurationError):
        read(tmp_path, GOOD.replace(line, new, 1))


WAYS = """\
schema_version: 1
listeners:
  - {{name: one, kind: reverse, listen: 127.0.0.1:0, speaks: http, {one}}}
  - {{name: egress, kind: forward, listen: 127.0.0.1:0, destinations: [{{{destination}}}]}}
identity: {{issuers: [{{issuer: local, audience: proctor}}]}}
credentials:
  - {{name: shown, cert: c.pem, key: k.pem}}
"""
PLAIN = "upstream: https://a.internal, credential: shown"
THERE = "host: b.internal, credential: shown"


@pytest.mark.parametrize(
    ("one", "destination", "line", "words"),
    [
        (f"{PLAIN}, upstream_tls: {{cert: x, key: y}}", THERE, 3, "and so is this"),
        (PLAIN, f"{THERE}, upstream_tls: {{cert: x, key: y}}", 4, "and so is this"),
        ("upstream: http://127.0.0.1:1, credential: shown", THERE, 3, "in TLS only"),
        ("routes: [{path: /a, upstream: http://127.0.0.1:1/x, credential: shown}]", THERE, 3,
         "in TLS only"),
        (f"routes: [{{path: /a, {PLAIN}, upstream_tls: {{cert: x, key: y}}}}]", THERE, 3,
         "and so is this"),
        (PLAIN, f"{THERE}, plaintext: true", 4, "in TLS only"),
    ],
)  # fmt: skip
def test_a_certificate_needs_a_handshake_of_its_own(
    tmp_path: Path, one: str, destination: str, line: int, words: str
) -> None:
    read(tmp_path, WAYS.format(one=f"{PLAIN}, upstream_tls: {{ca: x}}", destination=THERE))
    with pytest.raises(ConfigurationError, match=words) as caught:
        read(tmp_path, WAYS.format(one=one, destination=destination))
    assert (caught.value.code, caught.value.where) == (
        "wrong-value", f"{tmp_path / 'proctor.yaml'}:{line}",
    )  # fmt: skip


@pytest.mark.parametrize("key", ["access_key", "secret_key", "session_token"])
def test_a_key_written_into_the_file_is_not_told(tmp_path: Path, key: str) -> None:
    keys = {"access_key": "{env: A}", "secret_key": "{env: B}", "session_token": "{env: C}"}
    keys[key] = "{env: [AKIDEXAMPLE]}"
    given = ", ".join(f"{name}: {value}" for name, value in keys.items())
    text = WAYS.format(one=PLAIN, destination=THERE).replace(
        "cert: c.pem, key: k.pem", f"aws: {{region: eu-1, service: s3, {given}}}"
    )
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    assert "AKIDEXAMPLE" not in str(caught.value)
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text.replace("{env: [AKIDEXAMPLE]}", "{env: 1AKIDEXAMPLE}"))
    assert "AKIDEXAMPLE" not in str(caught.value)


ROADS = """\
schema_version: 1
listeners:
  - name: egress
    kind: forward
    listen: 127.0.0.1:0
    destinations:
      - {{host: a.internal, path: /one, credential: shown}}
      - {{host: a.internal, path: /two, {second}}}
  - name: tools
    kind: reverse
    listen: 127.0.0.1:0
    speaks: http
    routes:
      - {{path: /one, upstream: https://a.internal}}
      - {{path: /two, {route}}}
identity: {{issuers: [{{issuer: local, audience: proctor}}]}}
credentials:
  - {{name: shown, cert: c.pem, key: k.pem}}
"""
SECOND = "credential: shown"
ROUTE = "upstream: https://a.internal/other"


@pytest.mark.parametrize(
    ("second", "route", "line", "words"),
    [
        ("path: /one, credential: shown", ROUTE, 8, "path"),
        ("speaks: http", ROUTE, 8, "shares connections with line 7"),
        (f"{SECOND}, addresses: [10.0.0.0/8]", ROUTE, 8, "shares connections"),
        (f"{SECOND}, upstream_tls: {{ca: x}}", ROUTE, 8, "shares connections"),
        (SECOND, f"{ROUTE}, upstream_tls: {{ca: x}}", 15, "shares connections with line 14"),
        (SECOND, f"{ROUTE}, credential: shown", 15, "shares connections"),
    ],
)
def test_what_shares_a_connection_agrees(
    tmp_path: Path, second: str, route: str, line: int, words: str
) -> None:
    read(tmp_path, ROADS.format(second=SECOND, route=ROUTE))
    with pytest.raises(ConfigurationError, match=words) as caught:
        read(tmp_path, ROADS.format(second=second, route=route))
    assert caught.value.where == f"{tmp_path / 'proctor.yaml'}:{line}"


def test_a_destination_stands_once(tmp_path: Path) -> None:
    text = ROADS.format(second=SECOND, route=ROUTE)
    with pytest.raises(ConfigurationError, match="the same as that in line 7") as caught:
        read(tmp_path, text.replace("/two, credential", "/one, credential"))
    assert caught.value.where == f"{tmp_path / 'proctor.yaml'}:8"


STDIO = """\
schema_version: 1
listeners:
  - {name: api, kind: reverse, listen: 127.0.0.1:0, speaks: http, upstream: https://a.internal}
stdio:
  - {name: files, credentials: [one]}
  - {name: other}
identity: {issuers: [{issuer: local, audience: proctor}]}
credentials:
  - {name: one, header: x-api-key, value: {env: ONE}}
"""


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("name: other", "name: files", "wrong-value", 6),
        ("name: other", "name: ot__her", "wrong-value", 6),
        ("[one]", "[two]", "unknown-name", 5),
        (", credentials: [one]", "", "unused-credential", 9),
        ("header: x-api-key, value: {env: ONE}", "cert: c.pem, key: k.pem", "wrong-value", 5),
    ],
)
def test_servers_on_standard_streams(
    tmp_path: Path, old: str, new: str, code: str, line: int
) -> None:
    assert [item.name for item in read(tmp_path, STDIO).stdio] == ["files", "other"]
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, STDIO.replace(old, new))
    assert (caught.value.code, caught.value.where) == (code, f"{tmp_path / 'proctor.yaml'}:{line}")
