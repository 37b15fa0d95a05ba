"""The sidecar as operators meet it: signals, addresses, proxies, TLS, disks, keys, many at once."""

import json
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from proctor.testing import gateway as programs
from proctor.testing.gateway import Gateway, running
from proctor.testing.issuer import StandInIssuer
from proctor.testing.ports import free_ports
from proctor.testing.service import Fault
from proctor.testing.standin import KEY, StandIn, serving
from proctor.testing.tls import make
from tests.support.installation import Installation
from tests.support.live import read_answer
from tests.support.stock import BODY, CONTEXT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MIB = 1024 * 1024


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installation]:
    with serving(StandIn()) as standin:
        yield Installation.build(tmp_path / "installed", standin)


def change(installed: Installation, *pairs: tuple[str, str]) -> None:
    """Replace parts of proctor.yaml, each of which must be there."""
    text = installed.config.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    installed.config.write_text(text)


def headers(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "anthropic-version": "2023-06-01"}


def ask(gateway: Gateway, token: str, listener: str = "claude", **more: Any) -> httpx.Response:
    url = gateway.url(listener) + "/v1/messages"
    return httpx.post(url, json=BODY | more, headers=headers(token), timeout=30, verify=CONTEXT)


def until[T](found: Callable[[], T]) -> T:
    """The first true answer, within 20 seconds."""
    pause = threading.Event()
    for _ in range(1000):
        if answer := found():
            return answer
        pause.wait(0.02)
    raise AssertionError("it did not come to that")


def test_sighup_takes_good_rules_and_keeps_the_old_before_broken(installed: Installation) -> None:
    token = installed.token()
    with running(installed.config, env=installed.env) as gateway:
        assert ask(gateway, token).status_code == 200
        closed = installed.folder / "rules/closed.yaml"
        closed.write_text("rules:\n  - {id: closed, on: llm.request, then: deny, reason: Shut.}\n")
        gateway.process.send_signal(signal.SIGHUP)
        until(lambda: ask(gateway, token).status_code == 451)
        assert "closed" in ask(gateway, token).text
        closed.write_text("rules: 7\n")
        gateway.process.send_signal(signal.SIGHUP)
        until(lambda: "closed.yaml" in json.dumps(gateway.log))
        assert ask(gateway, token).status_code == 451
        closed.unlink()
        gateway.process.send_signal(signal.SIGHUP)
        until(lambda: ask(gateway, token).status_code == 200)
        kinds = installed.query("select kind from events")
        assert {"start", "rules.broken", "rules.reloaded"} <= {row["kind"] for row in kinds}


def test_a_rule_that_cannot_be_evaluated_denies(installed: Installation) -> None:
    rule = "rules:\n  - {id: fails, on: llm.request, then: deny, when: 'llm.tools[99] == \"x\"'}\n"
    (installed.folder / "rules/fails.yaml").write_text(rule)
    with running(installed.config, env=installed.env) as gateway:
        answer = ask(gateway, installed.token())
        assert answer.status_code == 451
        assert answer.json()["type"] == "error"
    assert not installed.standin.connections


def test_a_kept_alive_connection_is_refused_while_draining(installed: Installation) -> None:
    installed.standin.faults.append(Fault.HELD_MIDWAY)
    token = installed.token()
    with (
        running(installed.config, env=installed.env) as gateway,
        httpx.Client(base_url=gateway.url("claude"), headers=headers(token), timeout=30) as kept,
    ):
        assert kept.head("/").status_code == 200
        with httpx.stream(
            "POST",
            gateway.url("claude") + "/v1/messages",
            json=BODY | {"stream": True},
            headers=headers(token),
            timeout=30,
        ) as answer:
            pieces = answer.iter_text()
            said = next(pieces)
            assert installed.standin.wait_held()
            gateway.terminate()
            gateway.wait_for("draining")
            # An SDK's pool: the connection is there already.
            refused = kept.post("/v1/messages", json=BODY)
            assert refused.status_code == 503
            assert refused.json()["error"]["type"] == "api_error"
            assert "x-should-retry" not in refused.headers
            assert refused.headers["connection"] == "close"
            installed.standin.release()
            said += "".join(pieces)
        assert "message_stop" in said
        assert gateway.wait() == 0
    assert installed.standin.request_count == 1


def test_ipv6_and_proxies_of_the_host_that_lead_nowhere(installed: Installation) -> None:
    change(installed, ("listen: 127.0.0.1:0", "listen: '[::1]:0'"))
    (dead,) = free_ports(1)
    proxies = {
        name: f"http://127.0.0.1:{dead}"
        for stem in ("http_proxy", "https_proxy", "all_proxy")
        for name in (stem, stem.upper())
    }
    with running(installed.config, env={**installed.env, **proxies}) as gateway:
        assert gateway.listeners["claude"].startswith("[::1]:")
        assert ask(gateway, installed.token()).status_code == 200
        assert (
            httpx.get(f"http://{gateway.console}/readyz", trust_env=False, timeout=30).status_code
            == 200
        )


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_several_listeners_and_tls_with_curl(installed: Installation, tmp_path: Path) -> None:
    files = make(tmp_path / "tls")
    (port,) = free_ports(1)
    more = f"""\
  - name: second
    kind: reverse
    listen: 127.0.0.1:{port}
    tls: {{cert: {files.cert}, key: {files.key}}}
    upstream: {installed.standin.url}
    speaks: anthropic
    credential: anthropic
identity:
"""
    change(installed, ("identity:\n", more))
    token = installed.token()
    with running(installed.config, env=installed.env) as gateway:
        assert ask(gateway, token).status_code == 200
        for version in ("--http2", "--http1.1"):
            done = subprocess.run(
                [
                    *("curl", "-sS", version, "--cacert", str(files.ca), "--noproxy", "*"),
                    *("-w", "\n%{http_version} %{http_code}"),
                    *("-H", "anthropic-version: 2023-06-01"),
                    *("-H", f"authorization: Bearer {token}", "-d", json.dumps(BODY)),
                    gateway.url("second", "https") + "/v1/messages",
                ],
                capture_output=True,
                text=True,
                check=True,
            )
            assert done.stdout.splitlines()[-1] == f"{version.removeprefix('--http')} 200"
        rows = installed.query("select listener, protocol from flows order by ts")
        assert [(row["listener"], row["protocol"]) for row in rows] == [
            ("claude", "http/1.1"),
            ("second", "h2"),
            ("second", "http/1.1"),
        ]


def test_a_port_that_is_taken(installed: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        change(installed, ("listen: 127.0.0.1:0", f"listen: 127.0.0.1:{port}"))
        done = programs.command(
            "run", "--config", str(installed.config), cwd=installed.folder, **installed.env
        )
    assert done.returncode == 2
    assert "start-failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_gateways_write_one_record(installed: Installation) -> None:
    token = installed.token()
    with (
        running(installed.config, env=installed.env) as one,
        running(installed.config, env=installed.env) as two,
    ):
        for _ in range(5):
            assert ask(one, token).status_code == 200
            assert ask(two, token).status_code == 200
        rows = installed.query("select writer, count(*) as n from flows group by writer")
        assert [row["n"] for row in rows] == [5, 5]
    # Each takes up a writer's folder that is free.
    with running(installed.config, env=installed.env) as three:
        assert ask(three, token).status_code == 200
    rows = installed.query("select count(*) as n, count(distinct flow_id) as d from flows")
    assert rows == [{"n": 11, "d": 11}]


def test_a_disk_that_fills_raises_an_alarm_and_stops_nobody(installed: Installation) -> None:
    change(
        installed,
        ("limits: {drain: 5s}", "limits: {drain: 5s, disk: {warn: 4000TiB, critical: 1KiB}}"),
    )
    with running(installed.config, env=installed.env) as gateway:
        assert ask(gateway, installed.token()).status_code == 200
        until(lambda: any(line.get("event") == "disk.alarm" for line in gateway.log))

        def shown() -> bool:
            figures = httpx.get(f"http://{gateway.console}/metrics", timeout=30).text
            return any(
                line.startswith("proctor_disk") and line.endswith(" 1.0")
                for line in figures.splitlines()
            )

        until(shown)
        until(lambda: installed.query("select kind from events where kind = 'disk'"))
        assert httpx.get(f"http://{gateway.console}/readyz", timeout=30).status_code == 200


def test_health(installed: Installation) -> None:
    with running(installed.config, env=installed.env) as gateway:
        base = f"http://{gateway.console}"
        assert httpx.get(f"{base}/healthz", timeout=30).json()["status"] == "ok"
        assert httpx.get(f"{base}/readyz", timeout=30).json() == {"ready": True, "missing": []}
        assert httpx.get(f"{base}/other", timeout=30).status_code == 401  # who asks comes first
        assert httpx.post(f"{base}/healthz", timeout=30).status_code == 401
        ask(gateway, installed.token())
        ask(gateway, "nobody")
        figures = httpx.get(f"{base}/metrics", timeout=30).text
        assert 'verdict="allow"' in figures
        assert 'verdict="deny"' in figures
        assert KEY not in figures


def test_an_issuer_that_cannot_be_reached(tmp_path: Path) -> None:
    with serving(StandIn()) as standin:
        with StandInIssuer() as issuer:
            token = issuer.token("alice", groups=["dev"])
            installed = Installation.build(tmp_path / "installed", standin, issuer.url)
        # It has gone before its keys were ever fetched.
        with running(installed.config, env=installed.env) as gateway:
            answer = ask(gateway, token)
            assert answer.status_code == 503, answer.text
            assert answer.json()["type"] == "error"
        assert not standin.connections


def test_a_credential_file_that_changes_is_used(installed: Installation) -> None:
    secret = installed.folder / "key"
    secret.touch(mode=0o600)
    secret.write_text("sk-ant-the-old-one\n")
    change(installed, ("{env: ANTHROPIC_API_KEY}", "{file: key}"))
    token = installed.token()
    with running(installed.config, env={}) as gateway:
        assert ask(gateway, token).status_code == 401  # the upstream's answer
        secret.write_text(f"{KEY}\n")
        until(lambda: ask(gateway, token).status_code == 200)
        secret.unlink()
        until(lambda: any(line.get("event") == "credential.stale" for line in gateway.log))
        assert ask(gateway, token).status_code == 200
        assert "sk-ant-the-old-one" not in str(gateway.log)


def test_300_at_once_and_a_log_without_secrets(installed: Installation) -> None:
    token = installed.token()
    with running(installed.config, env=installed.env) as gateway:
        with ThreadPoolExecutor(50) as pool:
            streams = [i % 2 == 0 for i in range(300)]
            got = list(pool.map(lambda stream: ask(gateway, token, stream=stream), streams))
        assert {answer.status_code for answer in got} == {200}
        for wrong in ("nobody", token[:-4] + "AAAA"):
            assert ask(gateway, wrong).status_code == 401
        process = psutil.Process(gateway.process.pid)
        arguments = " ".join(process.cmdline())
        for child in process.children(recursive=True):
            arguments += " ".join(child.cmdline())
        (row,) = installed.query("select count(*) as n, count(distinct flow_id) as d from flows")
        assert row["d"] == row["n"]
        assert row["n"] >= 300
    assert gateway.process.returncode == 0
    log = json.dumps(gateway.log)
    for secret in (token, token.rpartition(".")[2], KEY):
        assert secret not in log
        assert secret not in arguments
    for line in gateway.log:
        assert "text" not in line, line
        assert datetime.fromisoformat(line["ts"]).utcoffset() == timedelta(0)
        assert {"level", "logger", "event", "message"} <= line.keys()
    kept = [path for path in installed.folder.rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        data = path.read_bytes()
        assert token.encode() not in data, path
        assert KEY.encode() not in data, path


@pytest.mark.alone
def test_memory_stays_flat(installed: Installation) -> None:
    """3,000 requests; the benchmark has the long run.

    The first segment brings DuckDB in, so what counts is what comes after that.
    """
    token = installed.token()
    body = json.dumps(BODY).encode()
    lines = [
        "POST /v1/messages HTTP/1.1",
        "host: x",
        *(f"{name}: {value}" for name, value in headers(token).items()),
        f"content-length: {len(body)}",
    ]
    request = "\r\n".join([*lines, "", ""]).encode() + body
    with running(installed.config, env=installed.env) as gateway:
        process = psutil.Process(gateway.process.pid)
        host, _, port = gateway.listeners["claude"].rpartition(":")

        def some(count: int) -> None:
            with socket.create_connection((host, int(port)), 20) as connection:
                for _ in range(count):
                    connection.sendall(request)
                    assert read_answer(connection).startswith(b"HTTP/1.1 200 ")

        def many(count: int) -> int:
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(some, [count // 4] * 4))
            return process.memory_info().rss

        warm = many(2000)
        after = many(1000)
    assert after - warm < 16 * MIB, f"{warm / MIB:.0f} MiB, then {after / MIB:.0f} MiB"
