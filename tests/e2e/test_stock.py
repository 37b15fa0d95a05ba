"""The suite under stock mitmdump, as a process: works, and stays shut whatever becomes of it."""

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from proctor.testing.ports import free_ports
from proctor.testing.service import Fault
from proctor.testing.standin import KEY, StandIn, serving
from tests.postgres.conftest import postgres15
from tests.postgres.server import ORDERS_APP, PASSWORDS, Server
from tests.support.installation import Installation
from tests.support.origin import Origin
from tests.support.stock import BODY, Stock, script, start, stopped_at_end

__all__ = ["postgres15"]

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SQL_RULES = """\
rules:
  - {id: sql, on: sql.statement, then: allow}
  - id: no-drops
    on: sql.statement
    when: '"DROP" in sql.verbs'
    then: deny
    reason: Nothing is dropped here.
"""
TAKES = "proctor takes traffic"


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installation]:
    with serving(StandIn()) as standin:
        yield Installation.build(tmp_path / "installed", standin)


def refused(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == "api_error"
    assert "starting or stopping" in answer.json()["error"]["message"]


def touch_later(path: Path, text: str, by: int) -> None:
    """Write, with a time that mitmproxy's watcher sees as later."""
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before + by * 10**9, before + by * 10**9))


def test_a_conversation_goes_through_and_no_dump_holds_a_secret(
    installed: Installation, tmp_path: Path
) -> None:
    flows, stream, har = (tmp_path / name for name in ("flows", "stream", "all.har"))
    options = ["-n", "-w", str(flows), "--set", f"hardump={har}", "--flow-detail", "4"]
    token = installed.token()
    with stopped_at_end(start(installed, *options, home=tmp_path / "home")) as stock:
        stock.wait_for(TAKES)
        assert stock.ask(token).status_code == 200
        streamed = stock.ask(token, stream=True)
        assert "message_stop" in streamed.text
        assert stock.ask("not-a-token").status_code == 401
        assert stock.ask(token, tools=[{"type": "web_search_20250305", "name": "w"}]).is_error
    assert stock.process.returncode == 0
    # mitmproxy 12 has one option for both: -w is --save-stream-file
    options = ["--save-stream-file", str(stream)]
    with stopped_at_end(start(installed, *options, home=tmp_path / "home")) as again:
        again.wait_for(TAKES)
        assert again.ask(token).status_code == 200
    for dump in (flows, stream, har):
        kept = dump.read_bytes()
        assert b"/v1/messages" in kept
        for secret in (token, token.rpartition(".")[2], KEY, "not-a-token"):
            assert secret.encode() not in kept, dump
    for secret in (token, KEY):
        assert secret not in stock.said + again.said
    assert installed.standin.request_count == 3
    assert not installed.standin.leaks


def test_a_script_that_breaks_shuts_and_mended_opens(
    installed: Installation, tmp_path: Path
) -> None:
    suite = script(tmp_path / "addons")
    good = suite.read_text()
    token = installed.token()
    with stopped_at_end(start(installed, suite=suite, home=tmp_path / "home")) as stock:
        at = stock.wait_for(TAKES)
        assert stock.ask(token).status_code == 200
        later = 10
        for broken in ("this is no Python", "raise RuntimeError('no')", "import nowhere_to_be"):
            touch_later(suite, broken, later)
            at = stock.wait_for("error in script", since=at)
            refused(stock.ask(token))
            assert installed.standin.request_count == 1
            later += 10
        touch_later(suite, good, later)
        at = stock.wait_for("the script is back", since=at)
        assert stock.ask(token).status_code == 200
        assert installed.standin.request_count == 2
        # A script that is fine but is no longer ours is as good as none.
        touch_later(suite, "addons = []", later + 10)
        at = stock.wait_for("Loading script", since=at)
        refused(stock.ask(token))
        suite.unlink()
        stock.wait_for("Un-loading script", since=at)
        refused(stock.ask(token))
        assert installed.standin.request_count == 2
    assert stock.process.returncode == 0


def test_a_removed_script_stays_shut(installed: Installation, tmp_path: Path) -> None:
    suite = script(tmp_path / "addons")
    with stopped_at_end(start(installed, suite=suite, home=tmp_path / "home")) as stock:
        stock.wait_for(TAKES)
        suite.unlink()
        stock.wait_for("Un-loading script")
        refused(stock.ask(installed.token()))
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{stock.open_port}/", timeout=30)
    assert not installed.standin.request_count


@pytest.mark.alone
@pytest.mark.parametrize(
    "wrong",
    [
        "script",
        "suite-less",
        "no-option",
        "no-file",
        "bad-file",
        "bad-rules",
        "no-secret",
        "late-secret",
    ],
)
def test_what_is_wrong_from_the_start_ends_and_never_proxies(
    installed: Installation, tmp_path: Path, wrong: str
) -> None:
    suite: Path | None = script(tmp_path / "addons")
    config: Path | None = None
    env = {}
    options = []
    match wrong:
        case "script":
            assert suite
            suite.write_text("this is no Python")
            options = ["-n"]  # nothing of ours is there to guard mitmproxy's own proxy
        case "suite-less":
            assert suite
            suite.unlink()
            options = ["-n"]
        case "no-option":
            config = Path()
        case "no-file":
            config = tmp_path / "nowhere.yaml"
        case "bad-file":
            installed.config.write_text("schema_version: 1\nlisteners: 7\n")
        case "bad-rules":
            (installed.folder / "rules/broken.yaml").write_text("rules: 7\n")
        case "no-secret":
            env = {"ANTHROPIC_API_KEY": ""}
        case _:  # found out only when mitmproxy is up
            text = installed.config.read_text()
            late = '{command: ["/bin/sh", "-c", "sleep 0.5; exit 1"]}'
            installed.config.write_text(text.replace("{env: ANTHROPIC_API_KEY}", late))
    with Origin() as origin:
        home = tmp_path / "home"
        stock = start(installed, *options, suite=suite, config=config, home=home, env=env)
        with stopped_at_end(stock):
            tried = hammer(stock, origin)
        assert stock.process.returncode != 0, stock.said
        assert tried
        assert not origin.connections
    assert not installed.standin.connections
    assert TAKES not in stock.said


def test_a_listener_that_cannot_be_opened_ends_it(installed: Installation, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = installed.config.read_text().replace(
            "listen: 127.0.0.1:0\n", f"listen: localhost:{taken.getsockname()[1]}\n"
        )
        installed.config.write_text(text)
        with stopped_at_end(start(installed, home=tmp_path / "home")) as stock:
            assert stock.process.wait(30) != 0, stock.said
    assert TAKES not in stock.said


def hammer(stock: Stock, origin: Origin) -> int:
    """Use mitmproxy's own default, an open forward proxy, until the process has ended."""
    target = f"127.0.0.1:{origin.port}"
    ways = (
        f"GET http://{target}/ HTTP/1.1\r\nhost: {target}\r\n\r\n",
        f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n",
    )
    tried = 0
    pause = threading.Event()
    while stock.process.poll() is None and tried < 20_000:
        for way in ways:
            try:
                with socket.create_connection(("127.0.0.1", stock.open_port), 30) as connection:
                    connection.sendall(way.encode())
                    answer = connection.recv(100)
                    assert b" 200 " not in answer, answer
            except OSError:
                pass
        tried += 1
        pause.wait(0.005)
    return tried


@pytest.mark.alone
def test_the_default_listener_never_proxies_while_it_starts(
    installed: Installation, tmp_path: Path
) -> None:
    with Origin() as origin:
        with stopped_at_end(start(installed, home=tmp_path / "home")) as stock:
            done = threading.Event()

            def stop_when_up() -> None:
                stock.wait_for(TAKES)
                done.set()
                stock.process.terminate()

            threading.Thread(target=stop_when_up, daemon=True).start()
            hammer(stock, origin)
            assert done.is_set()
        assert not origin.connections
    assert stock.process.returncode == 0


def test_sigterm_lets_an_open_stream_finish(installed: Installation, tmp_path: Path) -> None:
    installed.standin.faults.append(Fault.HELD_MIDWAY)
    token = installed.token()
    with stopped_at_end(start(installed, home=tmp_path / "home")) as stock:
        stock.wait_for(TAKES)
        headers = {"authorization": f"Bearer {token}", "anthropic-version": "2023-06-01"}
        body = BODY | {"stream": True, "messages": [{"role": "user", "content": "long: 30"}]}
        url = f"http://127.0.0.1:{stock.port}/v1/messages"
        with httpx.stream("POST", url, json=body, headers=headers, timeout=30) as answer:
            pieces = answer.iter_text()
            said = next(pieces)
            assert installed.standin.wait_held()
            stock.process.terminate()
            stock.wait_for("draining")
            refused(stock.ask(token))
            installed.standin.release()
            said += "".join(pieces)
    assert "message_stop" in said
    assert stock.process.returncode == 0
    assert installed.standin.request_count == 1


def test_sighup_reads_the_rules_again(installed: Installation, tmp_path: Path) -> None:
    with stopped_at_end(start(installed, home=tmp_path / "home")) as stock:
        at = stock.wait_for(TAKES)
        (installed.folder / "rules/broken.yaml").write_text("rules: 7\n")
        stock.process.send_signal(signal.SIGHUP)
        stock.wait_for("rules are broken", since=at)
        assert stock.ask(installed.token()).status_code == 200


LISTENER = """\
  - {name: shop, kind: postgres, listen: 127.0.0.1:%d, upstream: 127.0.0.1:%d,
     credential: weak, unknown_functions: allow}
identity:
"""
CREDENTIAL = """\
credentials:
  - {name: weak, user: orders_app, password: {env: SHOP_PASSWORD}}
"""


def test_a_database_is_guarded_too(
    installed: Installation, tmp_path: Path, postgres15: Server
) -> None:
    (door,) = free_ports(1)
    text = installed.config.read_text()
    text = text.replace("identity:\n", LISTENER % (door, postgres15.port), 1)
    text = re.sub(r"redaction: .*", "redaction: {profile: none}", text)
    installed.config.write_text(text.replace("credentials:\n", CREDENTIAL, 1))
    (installed.folder / "rules/sql.yaml").write_text(SQL_RULES)
    env = {"SHOP_PASSWORD": PASSWORDS[ORDERS_APP]}
    to = f"host=127.0.0.1 port={door} user=alice dbname=postgres"
    with stopped_at_end(start(installed, home=tmp_path / "home", env=env)) as stock:
        stock.wait_for(TAKES)
        with psycopg.connect(to, password=installed.token(), autocommit=True) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (ORDERS_APP,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="Nothing is dropped"):
                connection.execute("DROP TABLE nowhere")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(to, password="not-a-token")
        assert stock.ask(installed.token()).status_code == 200
    assert stock.process.returncode == 0, stock.said
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", door), timeout=30).close()
    assert PASSWORDS[ORDERS_APP] not in stock.said
