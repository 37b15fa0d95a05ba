"""The client of the console's API: where it is, who asks, and what may come back."""

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import RedirectResponse, Response

from proctor.cli import logins
from proctor.cli.console import (
    Console,
    Place,
    console_at,
    find_place,
    find_token,
    items,
    place_of,
    whole_id,
)
from proctor.cli.logins import Login
from proctor.config import load
from proctor.errors import ClientError, ConfigurationError, ProctorError, UpstreamError
from tests.support.console import TOKEN, ConsoleStandIn, console_stand_in
from tests.support.houses import house

IDS = ["ap_" + "a" * 16, "ap_" + "a" * 15 + "b", "ap_" + "c" * 16]


@pytest.fixture(scope="module")
def running() -> Iterator[ConsoleStandIn]:
    with console_stand_in() as found:
        yield found


@pytest.fixture
def stand(running: ConsoleStandIn) -> ConsoleStandIn:
    running.reset()
    return running


@pytest.fixture
def api(stand: ConsoleStandIn) -> Iterator[Console]:
    console = Console(place=Place(url=stand.url), token=TOKEN)
    yield console
    console.close()


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ("", "http://127.0.0.1:9090"),
        ("console: {listen: 127.0.0.1:1234}\n", "http://127.0.0.1:1234"),
        ("console: {listen: '[::1]:1234'}\n", "http://[::1]:1234"),
        ("console: {listen: 0.0.0.0:1234, plaintext: true}\n", "http://127.0.0.1:1234"),
        ("console: {url: https://proctor.example/}\n", "https://proctor.example"),
        ("console: {url: 'https://proctor.example:443'}\n", "https://proctor.example"),
    ],
)
def test_where_it_is(tmp_path: Path, more: str, url: str) -> None:
    config = house(tmp_path, "rules: []\n", more)
    assert find_place(None, config) == Place(url=url)
    assert find_place("https://other.example:99", config).url == "https://other.example:99"


def test_its_own_certificate_is_trusted(tmp_path: Path) -> None:
    more = "console: {listen: 127.0.0.1:1, tls: {cert: c.pem, key: k.pem}}\n"
    place = place_of(load(house(tmp_path, "rules: []\n", more)))
    assert place == Place(url="https://127.0.0.1:1", ca=tmp_path / "c.pem")


@pytest.mark.parametrize(
    ("given_url", "code"),
    [
        ("http://proctor.example", "console-plaintext"),
        ("http://127.0.0.1.evil.example", "console-plaintext"),
        ("127.0.0.1:9090", "wrong-value"),
        ("ftp://127.0.0.1", "wrong-value"),
        ("https://a@b.example", "wrong-value"),
        ("https://proctor.example/path", "wrong-value"),
        ("", "wrong-value"),
    ],
)
def test_where_it_cannot_be(tmp_path: Path, given_url: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_place(given_url, tmp_path / "none.yaml")
    assert caught.value.code == code


def test_nobody_says_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--console URL"):
        find_place(None, tmp_path / "none.yaml")


def test_whose_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("PROCTOR_TOKEN", raising=False)
    place = Place(url="http://127.0.0.1:9090")
    with pytest.raises(ClientError, match=f"proctor login --console {place.url}"):
        find_token(place)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    login = Login(token="pct_mine", expires_at=later)
    logins.write(logins.mine(), {place.url: login})
    assert find_token(place) == "pct_mine"
    with pytest.raises(ClientError, match="not signed in"):
        find_token(Place(url="http://127.0.0.1:9091"))
    logins.mine().chmod(stat.S_IRUSR | stat.S_IROTH)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        find_token(place)
    monkeypatch.setenv("PROCTOR_TOKEN", " given ")
    assert find_token(place) == "given"


def test_what_is_sent(stand: ConsoleStandIn, api: Console) -> None:
    stand.answers = {"GET approvals": {"approvals": []}, "POST kills": {"id": 1}}
    assert api.get("approvals", state="pending", session=None, limit=5) == {"approvals": []}
    assert api.post("kills", {"scope": "all", "target": None, "reason": ""}) == {"id": 1}
    first, second = stand.asked
    assert first.query == {"state": "pending", "limit": "5"}
    assert first.headers["authorization"] == f"Bearer {TOKEN}"
    assert first.headers["user-agent"].startswith("proctor-cli/")
    assert second.body == {"scope": "all"}
    assert second.headers["content-type"] == "application/json"


def test_the_token_goes_through_no_proxy(
    stand: ConsoleStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    stand.answers = {"GET me": {"name": "Alice"}}
    console = Console(place=Place(url=stand.url), token=TOKEN)
    assert console.get("me") == {"name": "Alice"}
    console.close()


def test_a_path_stays_in_the_api(stand: ConsoleStandIn, api: Console) -> None:
    with pytest.raises(ProctorError):
        api.get("approvals/x?state=../&y#z")
    assert stand.asked[0].path == "approvals/x%3Fstate=../&y%23z"
    assert stand.asked[0].query == {}


def test_what_it_says_is_wrong_is_told(stand: ConsoleStandIn, api: Console) -> None:
    stand.answers["GET me"] = ClientError("approval-role", "No role", "a", "b", "Do c.", 403)
    with pytest.raises(ClientError) as caught:
        api.get("me")
    error = caught.value
    assert (error.code, error.status) == ("approval-role", 403)
    assert str(error) == "No role; got a; expected b. Do c."


def test_not_signed_in_says_what_to_do(stand: ConsoleStandIn, api: Console) -> None:
    stand.answers["GET me"] = Response("no", 401)
    with pytest.raises(ClientError, match="Run `proctor login") as caught:
        api.get("me")
    assert caught.value.code == "not-signed-in"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Response("<html>", 200), "console-answer"),
        (Response("<html>", 502), "console-answer"),
        (Response("[" * 100_000, 200), "console-answer"),
        (Response(b"\xff", 500), "console-answer"),
        (Response('{"code": 7}', 500), "console-answer"),
        (Response("[]", 500), "console-answer"),
        (RedirectResponse("http://127.0.0.1:1/", 302), "console-answer"),
    ],
)
def test_what_is_no_console(
    stand: ConsoleStandIn, api: Console, answer: Response, code: str
) -> None:
    stand.answers["GET me"] = answer
    with pytest.raises(UpstreamError) as caught:
        api.get("me")
    assert caught.value.code == code
    assert TOKEN not in str(caught.value)
    assert len(stand.asked) == 1


def test_an_answer_has_a_size(
    stand: ConsoleStandIn, api: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctor.cli.console._MAX_ANSWER", 1000)
    stand.answers["GET me"] = {"name": "x" * 1000}
    with pytest.raises(UpstreamError, match="too large"):
        api.get("me")


def test_nobody_there() -> None:
    console = Console(place=Place(url="http://127.0.0.1:1"), token=TOKEN)
    with pytest.raises(UpstreamError) as caught:
        console.get("me")
    console.close()
    assert caught.value.code == "console-unreachable"
    assert "proctor run" in caught.value.hint
    assert caught.value.__suppress_context__


def test_no_token_is_shown_or_can_forge_a_header() -> None:
    assert TOKEN not in repr(Console(place=Place(url="http://127.0.0.1:1"), token=TOKEN))
    for token in ("a\r\nx: y", "a b", "ä", "\x00"):
        with pytest.raises(ClientError) as caught:
            Console(place=Place(url="http://127.0.0.1:1"), token=token)
        assert token not in str(caught.value)


def test_events(stand: ConsoleStandIn, api: Console) -> None:
    stand.events = [b": hi\n\n", b'data: {"seq": 1}\n', b"\n", b"data: 7\n\ndata: {\n\n"]
    assert list(api.events()) == [{"seq": 1}]
    assert stand.asked[0].headers["accept"] == "text/event-stream"


def test_events_that_are_refused(stand: ConsoleStandIn, api: Console) -> None:
    stand.answers["GET events"] = ClientError("signin-ended", "Over", status=401)
    with pytest.raises(ClientError, match="proctor login"):
        list(api.events())


@pytest.mark.parametrize("found", [None, [], {}, {"kills": 1}, {"kills": [1]}, {"x": []}])
def test_items_of_what_is_no_list(found: Any) -> None:
    with pytest.raises(UpstreamError):
        items(found, "kills")


@pytest.mark.parametrize(
    ("short", "expected"),
    [
        (IDS[2], IDS[2]),
        ("ap_c", IDS[2]),
        ("c", IDS[2]),
        ("ap_" + "z" * 16, "ap_" + "z" * 16),  # whole: the console says whether it is there
        ("a" * 15 + "b", IDS[1]),
    ],
)
def test_a_short_id(stand: ConsoleStandIn, api: Console, short: str, expected: str) -> None:
    stand.answers["GET approvals"] = {"approvals": [{"id": each} for each in IDS]}
    assert whole_id(api, "approvals", short) == expected


@pytest.mark.parametrize(
    ("short", "code"),
    [
        ("a", "id-ambiguous"),
        ("ap_a", "id-ambiguous"),
        ("z", "id-unknown"),
        ("ap_", "id-unknown"),
        ("", "id-unknown"),
        ("../grants", "id-unknown"),
        ("c/approve", "id-unknown"),
        ("a" * 17, "id-unknown"),
    ],
)
def test_a_short_id_that_is_none(
    stand: ConsoleStandIn, api: Console, short: str, code: str
) -> None:
    stand.answers["GET approvals"] = {"approvals": [{"id": each} for each in IDS]}
    with pytest.raises(ClientError) as caught:
        whole_id(api, "approvals", short)
    assert caught.value.code == code


def test_an_id_that_the_console_makes_up_leads_nowhere(stand: ConsoleStandIn, api: Console) -> None:
    stand.answers["GET grants"] = {"grants": [{"id": "gr_a/../../x"}]}
    with pytest.raises(ClientError):
        whole_id(api, "grants", "gr_a")


def test_console_at(stand: ConsoleStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCTOR_TOKEN", TOKEN)
    stand.answers["GET me"] = {}
    with console_at(stand.url, tmp_path / "none.yaml") as api:
        assert api.get("me") == {}
        client = api._client
    assert client.is_closed


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(
    st.integers(200, 599).filter(lambda status: status not in {204, 205, 304}),
    st.binary(max_size=50) | JSON.map(lambda each: json.dumps(each).encode()),
)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_it_answers_is_json_or_an_error(
    stand: ConsoleStandIn, api: Console, status: int, body: bytes
) -> None:
    stand.answers["GET me"] = Response(body, status)
    try:
        json.dumps(api.get("me"))
    except ProctorError:
        return
