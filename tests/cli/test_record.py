"""`proctor record` names what can be done with the record."""

import pytest
from typer.testing import CliRunner

from proctor.cli import make_app


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_its_commands(command: str) -> None:
    shown = CliRunner().invoke(make_app(only="record"), ["record", "--help"]).output
    assert f"  {command} " in shown
