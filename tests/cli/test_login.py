"""`proctor login`: in by the browser, kept in a file of one's own, out again."""

import webbrowser
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from typer.testing import CliRunner, Result

from proctor.cli import login as command
from proctor.cli import logins, make_app
from proctor.errors import ClientError, ProctorError, UpstreamError
from tests.support.console import TOKEN, ConsoleStandIn, console_stand_in

APP = make_app(only="login")
LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
GIVEN = {"token": TOKEN, "expires_at": LATER, "name": "Ali\x1bce", "subject": "alice"}


@pytest.fixture(scope="module")
def running() -> Iterator[ConsoleStandIn]:
    with console_stand_in() as found:
        yield found


@pytest.fixture
def stand(
    running: ConsoleStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ConsoleStandIn:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("PROCTOR_TOKEN", raising=False)
    running.reset()
    running.answers["POST token"] = GIVEN
    return running


class Browser:
    """Opens what it is given, as a person who says yes, or no."""

    def __init__(self, answer: str = "code=the-code") -> None:
        self.answer = answer
        self.opened: list[str] = []

    def open(self, address: str) -> bool:
        self.opened.append(address)
        query = {name: each[0] for name, each in parse_qs(urlsplit(address).query).items()}
        back = f"http://127.0.0.1:{query['cli']}/?{self.answer}&state={query['state']}"
        Thread(target=httpx.get, args=(back,), kwargs={"trust_env": False}, daemon=True).start()
        return True


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    found = Browser()
    monkeypatch.setattr(webbrowser, "open", found.open)
    return found


def run(stand: ConsoleStandIn, *args: str) -> Result:
    return CliRunner().invoke(APP, ["login", "--console", stand.url, *args])


def test_in_and_out(stand: ConsoleStandIn, browser: Browser) -> None:
    done = run(stand)
    assert done.exit_code == 0, done.output
    until = f"{datetime.fromisoformat(LATER):%Y-%m-%d %H:%M}"
    assert done.stdout == f"Signed in to {stand.url} as Ali\\x1bce until {until} UTC.\n"
    assert TOKEN not in done.output
    (opened,) = browser.opened
    assert opened.startswith(f"{stand.url}/login?cli=")
    assert opened in done.stderr
    (asked,) = stand.asked
    assert asked.body["code"] == "the-code"
    assert "authorization" not in asked.headers
    digest = sha256(asked.body["verifier"].encode()).digest()
    challenge = urlsafe_b64encode(digest).decode().rstrip("=")
    assert f"challenge={challenge}&" in opened
    assert asked.body["verifier"] not in opened
    assert logins.read(logins.mine())[stand.url].token == TOKEN

    stand.answers["GET me"] = {"name": "Alice", "roles": ["reviewer", "reveal"]}
    done = run(stand, "--status")
    assert done.stdout == f"Signed in to {stand.url} as Alice; roles: reviewer, reveal.\n"

    stand.answers["DELETE token"] = {}
    done = run(stand, "--out")
    assert done.stdout == f"Signed out of {stand.url}.\n"
    assert stand.asked[-1].method == "DELETE"
    assert stand.asked[-1].headers["authorization"] == f"Bearer {TOKEN}"
    assert logins.read(logins.mine()) == {}
    assert "not signed in" in run(stand, "--out").stderr


@pytest.mark.usefixtures("browser")
def test_another_sign_in_stays(stand: ConsoleStandIn) -> None:
    other = logins.Login(token="pct_other", expires_at=LATER)
    logins.write(logins.mine(), {"https://other.example": other})
    assert run(stand).exit_code == 0
    assert set(logins.read(logins.mine())) == {"https://other.example", stand.url}
    assert run(stand, "--out").exit_code == 0
    assert set(logins.read(logins.mine())) == {"https://other.example"}


@pytest.mark.usefixtures("browser")
def test_out_though_the_console_is_gone(stand: ConsoleStandIn) -> None:
    assert run(stand).exit_code == 0
    stand.answers["DELETE token"] = UpstreamError("x", "Down")
    done = run(stand, "--out")
    assert done.exit_code == 0
    assert "could not be told" in done.stderr
    assert logins.read(logins.mine()) == {}


def test_no_browser(
    stand: ConsoleStandIn, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PATIENCE", 0.01)
    done = run(stand, "--no-browser")
    assert browser.opened == []
    assert "Sign in here: " in done.stderr
    assert isinstance(done.exception, ClientError)
    assert done.exception.code == "login-timeout"
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    assert "open that address yourself" in run(stand).stderr


def test_the_person_says_no(stand: ConsoleStandIn, browser: Browser) -> None:
    browser.answer = "error=access_denied"
    done = run(stand)
    assert isinstance(done.exception, ClientError)
    assert done.exception.code == "login-refused"
    assert stand.asked == []
    assert not logins.mine().exists()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        GIVEN | {"expires_at": "soon"},
        GIVEN | {"expires_at": "2026-01-01T00:00:00Z"},
        GIVEN | {"expires_at": LATER[:-6]},
        {"token": TOKEN, "expires_at": LATER},
        ClientError("login-code", "No such code", status=400),
    ],
)
@pytest.mark.usefixtures("browser")
def test_what_is_no_token_is_not_kept(stand: ConsoleStandIn, answer: object) -> None:
    stand.answers["POST token"] = answer
    done = run(stand)
    assert isinstance(done.exception, ProctorError)
    assert TOKEN not in str(done.exception)
    assert not logins.mine().exists()


def test_status_of_nobody(stand: ConsoleStandIn) -> None:
    done = run(stand, "--status")
    assert isinstance(done.exception, ClientError)
    assert done.exception.code == "not-signed-in"


def test_in_or_out(stand: ConsoleStandIn) -> None:
    assert run(stand, "--out", "--status").exit_code == 2
