"""What stands behind a listener, and whose credential is used."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proctor.config import Config, load
from proctor.credentials.store import Credentials
from proctor.errors import ConfigurationError, InternalError, RefusedError
from proctor.model import Principal
from proctor.postgres.assembly import Rooms, served_of, signing, target_of
from proctor.postgres.settings import PostgresListener
from proctor.postgres.tls import Contexts
from proctor.postgres.wires import Arrival, Login
from proctor.runtime.permissions import prepare
from proctor.testing.tls import make
from tests.support.databases import LISTENER, configuration

ADMIN = "  - {name: admin, user: dba, password: {file: admin}}\n"
BY_GROUP = LISTENER.replace("credential: db", "credentials: [{groups: [dba], credential: admin}]")


def arrival(*groups: str) -> Arrival:
    return Arrival(
        principal=Principal(issuer="i", subject="alice", groups=groups),
        user="x",
        database="shop",
        application="",
        parameters={},
        address="",
        started_at=datetime.now(UTC),
        flow_id="f",
    )


def only(config: Config) -> PostgresListener:
    (found,) = config.postgres
    return found


def secret(folder: Path, text: str) -> None:
    (folder / "admin").write_text(text)
    (folder / "admin").chmod(0o600)


def test_the_credential_is_by_group(tmp_path: Path) -> None:
    secret(tmp_path, "hunter2")
    text = f"{LISTENER}, credentials: [{{groups: [dba], credential: admin}}]"
    config = load(configuration(tmp_path, text, more=ADMIN))
    credentials = Credentials(config.credentials, environment={"DB_PASSWORD": "weak"})
    sign = signing(only(config), credentials)
    assert asyncio.run(sign(arrival("dba"))) == Login(user="dba", password="hunter2")
    assert asyncio.run(sign(arrival())) == Login(user="orders_app", password="weak")


def test_nobody_without_a_credential(tmp_path: Path) -> None:
    secret(tmp_path, "hunter2")
    file = configuration(tmp_path, BY_GROUP, more=ADMIN)
    file.write_text(
        file.read_text().replace(
            "  - {name: db, user: orders_app, password: {env: DB_PASSWORD}}\n", ""
        )
    )
    config = load(file)
    sign = signing(only(config), Credentials(config.credentials))
    with pytest.raises(RefusedError) as caught:
        asyncio.run(sign(arrival("dev")))
    assert caught.value.code == "credential-none"


def test_a_password_that_ends_is_asked_for_again(tmp_path: Path) -> None:
    """By a command that says when, each time with another password."""
    program = tmp_path / "mint"
    program.write_text(
        "#!/bin/sh\n"
        f"cat {tmp_path}/turn 2>/dev/null | wc -c | tr -d ' \\n' > {tmp_path}/number\n"
        f"printf x >> {tmp_path}/turn\n"
        f"number=$(cat {tmp_path}/number)\n"
        'printf \'{"value": "p%s", "expires_at": 20%s0}\' "$number" "$number"\n'
    )
    program.chmod(0o700)
    file = configuration(tmp_path, LISTENER)
    file.write_text(file.read_text().replace("{env: DB_PASSWORD}", f"{{command: [{program}]}}"))
    config = load(file)
    now = [1000.0]
    sign = signing(only(config), Credentials(config.credentials, clock=lambda: now[0]))

    async def run() -> list[Login]:
        found = [await sign(arrival())]
        found.append(await sign(arrival()))
        now[0] = 2005.0  # past the first one's end at 2000, before the second's at 2010
        found.append(await sign(arrival()))
        return found

    first, again, fresh = asyncio.run(run())
    assert (first.password, first.expires_at) == ("p0", 2000.0)
    assert again == first
    assert (fresh.password, fresh.expires_at) == ("p1", 2010.0)


def test_no_password_is_no_fault_of_the_clients(tmp_path: Path) -> None:
    config = load(configuration(tmp_path, LISTENER))
    sign = signing(only(config), Credentials(config.credentials, environment={}))
    with pytest.raises(InternalError) as caught:
        asyncio.run(sign(arrival()))
    assert caught.value.code == "credential-unavailable"


def test_tls_of_both_sides(tmp_path: Path) -> None:
    make(tmp_path / "tls")
    names = {path.stem: path for path in (tmp_path / "tls").iterdir()}
    text = (
        f"{LISTENER}, tls: {{cert: {names['cert']}, key: {names['key']}}},"
        f" upstream_tls: {{ca: {names['ca']}, server_name: db.internal}}"
    )
    listener, contexts = only(load(configuration(tmp_path, text))), Contexts()
    target = target_of(listener, contexts)
    assert target.server_name == "db.internal"
    assert target.tls is not None
    assert target.tls() is target.tls()
    assert served_of(listener, contexts) is not None
    plain = only(load(configuration(tmp_path, LISTENER)))
    assert (target_of(plain, contexts).tls, served_of(plain, contexts)) == (None, None)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    text = f"{LISTENER}, tls: {{cert: c.pem, key: k.pem}}, upstream_tls: {{ca: ca.pem}}"
    listener = only(load(configuration(tmp_path, text)))
    for make_one in (target_of, served_of):
        with pytest.raises(ConfigurationError) as caught:
            make_one(listener, Contexts())
        assert caught.value.code == "tls-files"


def test_the_rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "weak")
    text = f"{LISTENER}, masking: {{columns: [{{table: public.users, column: email}}],"
    text += " unmasked_groups: [dba]}"
    file = configuration(tmp_path, text, more="redaction: {profile: none}\n")
    file.write_text(
        file.read_text().replace("    - {issuer: https://idp.internal, audience: proctor}\n", "")
    )
    config = load(file)
    prepare(config, file)

    async def run() -> None:
        rooms = Rooms(config, ["orders"], 3)
        try:
            served = (await rooms.open())["orders"]
            house = served.house
            assert (house.listener.name, house.screen) == ("orders", None)
            assert house.limit == config.limits.body
            assert abs(house.now().timestamp() - time.time()) < 60
            assert house.masks(arrival("dba").principal, "shop") is None
            masks = house.masks(arrival().principal, "shop")
            assert masks is house.masks(arrival("dev").principal, "shop") is not None
            assert house.evidence is not None
            rooms.reload()
        finally:
            await rooms.close()

    asyncio.run(run())
