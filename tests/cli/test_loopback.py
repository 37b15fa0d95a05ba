"""The browser's way back: one answer, with the right state, on this machine only."""

import base64
import contextlib
import socket
from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.cli.loopback import Challenge, Loopback
from proctor.errors import ClientError

CHALLENGE = Challenge()


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback(CHALLENGE) as found:
        yield found


def ask(loopback: Loopback, path: str, **headers: str) -> httpx.Response:
    url = f"http://127.0.0.1:{loopback.port}{path}"
    return httpx.get(url, headers=headers, trust_env=False, verify=False, timeout=30)  # noqa: S501 - no TLS


def test_the_address_and_what_it_promises() -> None:
    parts = urlsplit(CHALLENGE.address("https://proctor.example", 4711))
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "proctor.example", "/login")
    query = {name: value[0] for name, value in parse_qs(parts.query).items()}
    digest = sha256(CHALLENGE.verifier.encode()).digest()
    assert query == {
        "cli": "4711",
        "state": CHALLENGE.state,
        "challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
    }
    # RFC 7636, 4.1
    assert 43 <= len(CHALLENGE.verifier) <= 128
    assert Challenge().verifier != CHALLENGE.verifier
    assert CHALLENGE.verifier not in repr(CHALLENGE)


def test_the_code_arrives(loopback: Loopback) -> None:
    answer = ask(loopback, f"/?code=abc&state={CHALLENGE.state}")
    assert answer.status_code == 200
    assert "go back to the terminal" in answer.text
    assert "abc" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert loopback.code(1) == "abc"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?code=abc",
        "/?code=abc&state=",
        "/?code=abc&state=another",
        "/?code=abc&state={state}&state={state}",
        "/x?code=abc&state={state}",
        "/favicon.ico",
        "/?state={state}" + "&a=b" * 11,
        "/?code=abc&state=%ff%fe",
    ],
)
def test_what_is_not_the_answer_changes_nothing(loopback: Loopback, path: str) -> None:
    assert ask(loopback, path.format(state=CHALLENGE.state)).status_code == 404
    with pytest.raises(ClientError) as caught:
        loopback.code(0.01)
    assert caught.value.code == "login-timeout"
    # and the real one still comes through
    assert ask(loopback, f"/?code=right&state={CHALLENGE.state}").status_code == 200
    assert loopback.code(1) == "right"


def test_another_name_for_this_machine_is_turned_away(loopback: Loopback) -> None:
    path = f"/?code=abc&state={CHALLENGE.state}"
    for host in ("evil.example", f"evil.example:{loopback.port}", "127.0.0.1"):
        assert ask(loopback, path, host=host).status_code == 404


@pytest.mark.parametrize("more", ["&error=access_denied", "&code=", "&code=" + "x" * 600, ""])
def test_a_refusal_ends_the_waiting(loopback: Loopback, more: str) -> None:
    assert ask(loopback, f"/?state={CHALLENGE.state}{more}").status_code == 200
    with pytest.raises(ClientError) as caught:
        loopback.code(1)
    assert caught.value.code == "login-refused"


def test_only_this_machine_is_listened_to(loopback: Loopback) -> None:
    assert loopback._server.server_address[0] == "127.0.0.1"


def test_somebody_who_says_nothing_keeps_nobody_waiting(loopback: Loopback) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection(("127.0.0.1", loopback.port), 30))
        assert ask(loopback, f"/?code=abc&state={CHALLENGE.state}").status_code == 200
        assert loopback.code(1) == "abc"


def test_nonsense_is_survived(loopback: Loopback, capfd: pytest.CaptureFixture[str]) -> None:
    for data in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b""):
        with socket.create_connection(("127.0.0.1", loopback.port), 30) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    assert ask(loopback, f"/?code=abc&state={CHALLENGE.state}").status_code == 200
    assert capfd.readouterr() == ("", "")


def test_a_port_in_use(loopback: Loopback) -> None:
    with pytest.raises(ClientError) as caught:
        Loopback(CHALLENGE, loopback.port)
    assert caught.value.code == "login-port"


@given(st.text(max_size=50), st.text(max_size=50))
@settings(max_examples=20, deadline=None)
def test_no_guess_of_a_state_counts(state: str, code: str) -> None:
    with Loopback(CHALLENGE) as found:
        query = httpx.QueryParams({"state": state, "code": code})
        assert ask(found, f"/?{query}").status_code == 404
