"""What every way of telling somebody has in common."""

import asyncio

import pytest

from proctor.approval.notify.channel import text_of, url_of
from proctor.errors import ConfigurationError
from tests.approval.notify.standins import look_in, settings


def test_an_address_comes_from_outside_the_file() -> None:
    look = look_in({"teams_URL": "https://teams.example/x?sig=y"})
    assert str(asyncio.run(url_of(settings("teams"), look))) == "https://teams.example/x?sig=y"


def test_an_address_that_is_none_is_not_shown() -> None:
    look = look_in({"teams_URL": "http://teams.example/x?sig=y"})
    with pytest.raises(ConfigurationError, match="'teams'") as caught:
        asyncio.run(url_of(settings("teams"), look))
    assert "sig" not in str(caught.value)


def test_a_secret_that_is_not_there() -> None:
    with pytest.raises(ConfigurationError, match="'teams' has no `secret`"):
        asyncio.run(text_of(None, "teams", look_in({})))
