"""What proctor.yaml may say of a listener for a database."""

from pathlib import Path

import pytest

from proctor.config import load
from proctor.errors import ConfigurationError
from proctor.postgres.settings import DryRunSettings, PostgresListener, Server, Table
from tests.support.databases import LISTENER, configuration


def listener(folder: Path, text: str, more: str = "") -> PostgresListener:
    (found,) = load(configuration(folder, text, more=more)).postgres
    return found


def test_the_least(tmp_path: Path) -> None:
    found = listener(tmp_path, LISTENER)
    assert found.upstream == Server(host="127.0.0.1", port=5432)
    assert (found.sign_in, found.unknown_functions, found.workers) == ("password", "hold", 1)
    assert found.dry_run == DryRunSettings()
    assert (found.grace, found.results, found.tiers) == (30.0, 64 * 1024, frozenset())
    assert not found.over_tls


def test_all_of_it(tmp_path: Path) -> None:
    text = f"""{LISTENER}, upstream_tls: {{ca: ca.pem, server_name: db.internal}}, database: shop,
      credentials: [{{groups: [dba], credential: admin}}], sign_in: oauthbearer, scopes: [openid],
      unknown_functions: deny, grace: 5s, workers: 4, results: 1MiB, dry_run: false,
      masking: {{tier: [wire, server], unmasked_groups: [dba], trusted: [public.totals], columns: [
        {{table: public.users, column: email, with: surrogate, restore: true}},
        {{table: 'Sales."Order ""Lines"', column: Note, with: fixed, value: '-'}},
        {{table: public.users, column: phone, with: null}}]}}"""
    more = "  - {name: admin, user: 'the dba: ä', password: {env: ADMIN}}\n"
    found = listener(tmp_path, text, more)
    assert found.over_tls
    assert found.upstream_tls is not None
    assert found.upstream_tls.ca == tmp_path / "ca.pem"
    assert found.dry_run is None
    assert found.credential_names == ("admin", "db")
    assert found.masking is not None
    assert found.tiers == {"wire", "server"}
    assert found.masking.trusted == (Table(schema="public", name="totals"),)
    assert [(str(each.table), each.column, each.method) for each in found.masking.columns] == [
        ("public.users", "email", "surrogate"),
        ('sales.Order "Lines', "note", "fixed"),
        ("public.users", "phone", "null"),
    ]


@pytest.mark.parametrize(
    ("text", "server", "here"),
    [
        ("[::1]:5433", Server(host="::1", port=5433), True),
        ("db.internal:5432", Server(host="db.internal", port=5432), False),
        ("unix:/run/pg/.s.PGSQL.5432", Server(path="/run/pg/.s.PGSQL.5432"), True),
    ],
)
def test_servers(tmp_path: Path, text: str, server: Server, *, here: bool) -> None:
    found = listener(tmp_path, LISTENER.replace("upstream: 127.0.0.1:5432", f'upstream: "{text}"'))
    assert (found.upstream, found.upstream.here, str(found.upstream)) == (server, here, text)
    assert found.over_tls is not here


def test_functions_are_as_the_server_has_them(tmp_path: Path) -> None:
    found = listener(
        tmp_path,
        f"""{LISTENER}, functions: [Public.FullName, '"A.b".c', 'App.operator ===', 'schema:App',
        'extension:uuid-ossp', 'partitions:public.Events']""",
    )
    assert found.functions == (
        "public.fullname",
        '"A.b".c',
        "app.operator ===",
        "schema:App",
        "extension:uuid-ossp",
        "partitions:public.events",
    )


def test_the_credential_of_a_group_goes_first(tmp_path: Path) -> None:
    more = "  - {name: admin, user: dba, password: {env: ADMIN}}\n"
    groups = "credentials: [{groups: [dba, ops], credential: admin}]"
    found = listener(tmp_path, f"{LISTENER}, {groups}", more)
    assert [found.names(each) for each in (("ops",), ("x", "dba"), ("x",), ())] == [
        "admin", "admin", "db", "db",
    ]  # fmt: skip
    alone = listener(tmp_path, LISTENER.replace("credential: db", groups.replace("admin", "db")))
    assert (alone.names(("dba",)), alone.names(("x",))) == ("db", None)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ("listen: 127.0.0.1:6432 -> listen: 10.0.0.1:6432", "plaintext-listener", "in the clear"),
        ("127.0.0.1:5432 -> 127.0.0.1", "wrong-value", "host:port"),
        ("127.0.0.1:5432 -> 127.0.0.1:0", "wrong-value", "host:port"),
        ("127.0.0.1:5432 -> 'unix:run/x'", "wrong-value", "unix:/path"),
        (", credential: db -> ", "missing-key", "credential"),
        ("credential: db -> credential: web", "wrong-value", "PostgreSQL takes no credential"),
        ("+ routes: []", "unknown-key", "routes"),
        ("+ session_role: {member_of: []}", "wrong-value", "member_of"),
        ("+ functions: [lower]", "wrong-value", "public.fullname"),
        ("+ functions: [a.b.c]", "wrong-value", "public.fullname"),
        ("+ functions: ['schema:']", "wrong-value", "63 bytes"),
        ("+ functions: ['schema:pg_catalog']", "wrong-value", "schema:app"),
        ("+ functions: ['role:a']", "wrong-value", "schema:app"),
        ("+ functions: ['partitions:events']", "wrong-value", "partitions:public.events"),
        ("+ functions: ['public.operator f']", "wrong-value", "operator ==="),
        ("+ functions: ['a.b.operator =']", "wrong-value", "operator ==="),
        ("+ workers: 0", "wrong-value", "workers"),
        ("+ workers: 17", "wrong-value", "workers"),
        ("+ grace: 2h", "wrong-value", "grace"),
        ("+ scopes: [openid]", "wrong-value", "oauthbearer"),
        ("+ dry_run: true", "wrong-value", "statement_timeout"),
        ("+ dry_run: {rows: 0}", "wrong-value", "rows"),
        ("+ upstream_plaintext: true, upstream_tls: {ca: a}", "wrong-value", "without TLS"),
        ("+ upstream_tls: {cert: a}", "wrong-value", "together"),
        ("+ credentials: []", "unused-credential", "web"),
        (
            "+ credentials: [{groups: [a], credential: db}, {groups: [a], credential: db}]",
            "wrong-value",
            "further down",
        ),
        ("+ masking: {}", "missing-key", "columns"),
        ("+ masking: {tier: content, columns: [{table: a.b, column: c}]}", "wrong-value", "tiers"),
        ("+ masking: {tier: wires}", "wrong-value", "tier"),
        ("+ masking: {tier: content, content: tell}", "wrong-value", "alarm"),
        (
            "+ masking: {content: alarm, columns: [{table: a.b, column: c}]}",
            "wrong-value",
            "the tier content",
        ),
        ("+ masking: {columns: [{table: users, column: c}]}", "wrong-value", "public.users"),
        ("+ masking: {columns: [{table: a.b.c, column: c}]}", "wrong-value", "public.users"),
        ("+ masking: {columns: [{table: 'a.\"b', column: c}]}", "wrong-value", "public.users"),
        ("+ masking: {columns: [{table: a.b, column: c.d}]}", "wrong-value", "a column"),
        ("+ masking: {columns: [{table: a.b, column: c, with: stars}]}", "wrong-value", "with"),
        ("+ masking: {columns: [{table: a.b, column: c, with: fixed}]}", "missing-key", "fixed"),
        ("+ masking: {columns: [{table: a.b, column: c, value: x}]}", "wrong-value", "fixed"),
        (
            "+ masking: {columns: [{table: a.b, column: c, restore: true}]}",
            "wrong-value",
            "surrogate",
        ),
        (
            "+ masking: {columns: [{table: a.b, column: c}, {table: A.B, column: C}]}",
            "wrong-value",
            "a.b.c stands twice",
        ),
    ],
)
def test_mistakes(tmp_path: Path, change: str, code: str, words: str) -> None:
    old, arrow, new = change.partition(" -> ")
    text = LISTENER.replace(old, new, 1) if arrow else f"{LISTENER}, {change.removeprefix('+ ')}"
    more = "  - {name: web, header: x-api-key, value: {env: WEB}}\n"
    if "credentials: []" not in change and "web" not in change:
        more = ""
    file = configuration(tmp_path, text, more=more)
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert (caught.value.code, words in str(caught.value)) == (code, True), caught.value
    assert caught.value.where.startswith(f"{file}:")


def test_no_issuer_to_be_told_of(tmp_path: Path) -> None:
    file = configuration(tmp_path, f"{LISTENER}, sign_in: oauthbearer")
    text = file.read_text().replace("    - {issuer: https://idp.internal, audience: proctor}\n", "")
    file.write_text(text)
    with pytest.raises(ConfigurationError, match="no issuer"):
        load(file)


@pytest.mark.parametrize(
    ("masking", "member", "other"),
    [
        ("tier: content", "mask", "mask"),
        ("tier: content, content: alarm, unmasked_groups: [dba]", None, "alarm"),
        ("columns: [{table: a.b, column: c}]", None, None),
    ],
)
def test_into_whose_texts_is_looked(
    tmp_path: Path, masking: str, member: str | None, other: str | None
) -> None:
    config = load(configuration(tmp_path, f"{LISTENER}, masking: {{{masking}}}"))
    (listener,) = config.postgres
    assert listener.looks_into(("dba", "dev")) == member
    assert listener.looks_into(("dev",)) == other


def test_content_without_redaction(tmp_path: Path) -> None:
    more = "redaction: {profile: none}\n"
    with pytest.raises(ConfigurationError, match="which is off for this listener"):
        load(configuration(tmp_path, f"{LISTENER}, masking: {{tier: content}}", more=more))


@pytest.mark.parametrize("user", ["a:b", "a b", "ä"])
def test_http_takes_no_such_user(tmp_path: Path, user: str) -> None:
    web = (
        "name: web, kind: reverse, listen: 127.0.0.1:0, upstream: https://a.internal, speaks: http"
    )
    file = configuration(tmp_path, f"{web}, credential: db")
    file.write_text(file.read_text().replace("orders_app", f"'{user}'"))
    with pytest.raises(ConfigurationError, match="HTTP's Basic"):
        load(file)


def test_a_role_that_the_server_would_cut(tmp_path: Path) -> None:
    file = configuration(tmp_path, LISTENER)
    file.write_text(file.read_text().replace("orders_app", "ä" * 32))
    with pytest.raises(ConfigurationError, match="at most 63 bytes"):
        load(file)
