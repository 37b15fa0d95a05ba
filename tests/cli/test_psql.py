"""What libpq is told of a listener."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proctor.cli import make_app
from proctor.cli.clients import REFERENCE
from proctor.cli.psql import set_up_psql
from proctor.config import Config, load
from proctor.errors import ConfigurationError
from tests.support.databases import LISTENER, configuration


def config(folder: Path, *listeners: str) -> Config:
    return load(configuration(folder, *listeners))


def test_on_this_machine(tmp_path: Path) -> None:
    found = set_up_psql(config(tmp_path, f"{LISTENER}, database: shop"), None, None)
    assert found.env == {
        "PGHOST": "127.0.0.1",
        "PGPORT": "6432",
        "PGUSER": "agent",
        "PGDATABASE": "shop",
        "PGSSLMODE": "disable",
        "PGGSSENCMODE": "disable",
        "PGPASSWORD": REFERENCE,
    }
    assert not found.steps


def test_from_elsewhere(tmp_path: Path) -> None:
    tls = LISTENER.replace("127.0.0.1:6432", '"0.0.0.0:6432"') + ", tls: {cert: c.pem, key: k.pem}"
    found = set_up_psql(config(tmp_path, tls), "orders", "gate.internal")
    assert found.env["PGHOST"] == "gate.internal"
    assert found.env["PGSSLMODE"] == "verify-full"
    assert ["PGSSLROOTCERT" in each.why for each in found.steps] == [True, False]


def test_by_oauthbearer_there_is_no_password(tmp_path: Path) -> None:
    found = set_up_psql(config(tmp_path, f"{LISTENER}, sign_in: oauthbearer"), None, None)
    assert "PGPASSWORD" not in found.env
    assert "oauth_issuer=https://idp.internal" in found.steps[0].commands[0]


def test_one_of_several_is_named(tmp_path: Path) -> None:
    second = LISTENER.replace("orders", "stock").replace("6432", "6433")
    both = config(tmp_path, LISTENER, second)
    assert set_up_psql(both, "stock", None).env["PGPORT"] == "6433"
    with pytest.raises(ConfigurationError, match="orders, stock"):
        set_up_psql(both, None, None)


def test_the_command(tmp_path: Path) -> None:
    file = configuration(tmp_path, LISTENER)
    result = CliRunner().invoke(
        make_app(), ["connect", "psql", "--format", "json", "--config", str(file)]
    )
    assert json.loads(result.stdout)["env"]["PGPASSWORD"] == REFERENCE
