"""The ways out, looked at as `proctor doctor` does."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.config import Config
from proctor.egress import cafile
from proctor.egress.constraints import Constraints
from proctor.egress.resolver import Resolver
from proctor.runtime.checkup import Finding, State
from proctor.runtime.health import listen
from proctor.runtime.ways import authority, ways_out
from proctor.testing import tls
from proctor.units import Address

NOWHERE = Address(host="127.0.0.1", port=0)
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def config(*listeners: dict[str, Any], **more: Any) -> Config:
    common = {"kind": "reverse", "listen": NOWHERE}
    return Config.model_validate(
        {
            "schema_version": 1,
            "listeners": tuple({**common, **each} for each in listeners),
            "identity": {"issuers": ({"issuer": "local", "audience": "proctor"},)},
            "console": {"listen": NOWHERE},
            **more,
        }
    )


def reverse(upstream: str, **more: Any) -> dict[str, Any]:
    return {"name": "claude", "upstream": upstream, "speaks": "http", **more}


def forward(*destinations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "egress", "kind": "forward", "destinations": destinations, **more}


def look(
    made: Callable[[int], Config],
    files: tls.Files | None = None,
    lookup: Callable[[str, int], Sequence[str]] = lambda _host, _port: ("127.0.0.1",),
) -> list[Finding]:
    """What is found where a server listens on the port that is handed over."""

    async def main() -> list[Finding]:
        context = files.server_context() if files else None
        server = await asyncio.start_server(
            lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context
        )
        resolver = Resolver(lookup=lookup)
        async with server:
            port = server.sockets[0].getsockname()[1]
            found = await asyncio.gather(*ways_out(made(port), resolver))
        resolver.close()
        return list(found)

    return asyncio.run(main())


def test_upstreams(tmp_path: Path) -> None:
    files = tls.make(tmp_path)
    (finding,) = look(lambda port: config(reverse(f"http://127.0.0.1:{port}")))
    assert (finding.check, finding.state) == ("upstream claude", State.OK)
    (finding,) = look(
        lambda port: config(reverse(f"https://127.0.0.1:{port}", upstream_tls={"ca": files.ca})),
        files,
    )
    assert finding.state is State.OK
    (finding,) = look(lambda port: config(reverse(f"https://127.0.0.1:{port}")), files)
    assert finding.state is State.FAIL
    assert "not trusted" in finding.what
    assert "upstream_tls" in finding.mend


def test_what_is_behind_a_proxy_is_not_tried() -> None:
    (finding,) = look(
        lambda port: config(
            forward({"host": "a.internal"}, {"host": "b.internal"}, via=f"http://127.0.0.1:{port}")
        ),
        lookup=lambda _host, _port: (),
    )
    assert (finding.check, finding.state) == ("upstream egress", State.OK)
    assert "was not tried" in finding.what


def test_an_upstream_that_is_not_there(tmp_path: Path) -> None:
    with listen(NOWHERE) as holder:
        gone = holder.getsockname()[1]
    (finding,) = look(lambda _: config(reverse(f"http://127.0.0.1:{gone}")))
    assert finding.state is State.FAIL
    assert f"127.0.0.1:{gone} cannot be reached" in finding.what
    missing = {"ca": tmp_path / "none.pem"}
    (finding,) = look(lambda _: config(reverse("https://127.0.0.1:9", upstream_tls=missing)))
    assert "cannot be used" in finding.what


def test_the_next_address_is_tried() -> None:
    (finding,) = look(
        lambda port: config(reverse(f"http://a.internal:{port}", upstream_plaintext=True)),
        lookup=lambda _host, _port: ("127.255.255.254", "127.0.0.1"),
    )
    assert finding.state is State.OK


def test_each_place_is_looked_at_once() -> None:
    found = look(
        lambda port: config(
            {"name": "tools", "speaks": "http", "routes": (
                {"path": "/a", "upstream": f"http://127.0.0.1:{port}/x"},
                {"path": "/b", "upstream": f"http://127.0.0.1:{port}/y"},
                {"path": "/c", "upstream": f"http://localhost:{port}"},
            )},
            forward({"host": "localhost", "port": port, "plaintext": True, "path": "/v1/**"},
                    {"host": "localhost", "port": port, "plaintext": True, "path": "/v2/**"},
                    {"host": "*.example.org"},
                    {"host": "tunnelled.internal", "port": port, "speaks": "tunnel",
                     "addresses": ("127.0.0.0/8",)}),
        )
    )  # fmt: skip
    assert {finding.state for finding in found} == {State.OK}
    assert sorted(" ".join(finding.check.split(":")[:1]) for finding in found) == [
        "upstream egress localhost", "upstream egress tunnelled.internal",
        "upstream tools 127.0.0.1", "upstream tools localhost",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("addresses", "words"),
    [((), "cannot be resolved"), (("127.0.0.1",), "does not name"),
     (("93.184.215.14", "169.254.169.254"), "does not name")],
)  # fmt: skip
def test_a_destination_that_nobody_could_reach(addresses: tuple[str, ...], words: str) -> None:
    (finding,) = look(
        lambda port: config(forward({"host": "api.example.org", "port": port})),
        lookup=lambda _host, _port: addresses,
    )
    assert finding.state is State.FAIL
    assert words in finding.what


def test_the_authority(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    out = forward({"host": "api.corp.example"}, {"host": "*.elsewhere.example"},
                  {"host": "pinned.example", "speaks": "tunnel"},
                  {"host": "plain.example", "plaintext": True})  # fmt: skip
    given = config(out, state=tmp_path)
    assert authority(config(reverse("https://a.internal"), state=tmp_path), NOW) == []
    (finding,) = authority(given, NOW)
    assert (finding.state, "proctor ca export" in finding.mend) == (State.WARN, True)
    path = cafile.path_in(tmp_path)
    made = cafile.create(path, Constraints.parse(("corp.example",)), now=NOW, by="alice")
    (finding,) = authority(given, NOW)
    assert (finding.state, made.signs.id in finding.what) == (State.OK, True)
    for left, state, words in (
        (timedelta(days=91), State.OK, "for 91 days"),
        (timedelta(days=89, hours=1), State.WARN, "ends in 89 days"),
        (timedelta(days=-1), State.FAIL, "has ended"),
    ):
        (finding,) = authority(given, made.signs.ends - left)
        assert (finding.state, words in finding.what) == (state, True)
    other = config(forward({"host": "api.other.example"}), state=tmp_path)
    (finding,) = authority(other, NOW)
    assert (finding.state, "api.other.example" in finding.what) == (State.FAIL, True)
    path.chmod(0o644)
    (finding,) = authority(given, NOW)
    assert finding.state is State.FAIL
