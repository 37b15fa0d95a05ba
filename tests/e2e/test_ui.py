"""The live views: what they show holds no secret, and nothing that they do leaves unjudged."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from proctor.testing.ports import free_ports
from proctor.testing.standin import KEY, StandIn, serving
from tests.support.installation import Installation
from tests.support.origin import Origin
from tests.support.stock import BODY, PATIENCE, Stock, start, stopped_at_end

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SEARCH = [{"type": "web_search_20250305", "name": "web_search"}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """A running mitmweb, what is before and behind it, and its API."""

    stock: Stock
    installed: Installation
    api: httpx.Client
    token: str

    @property
    def standin(self) -> StandIn:
        return self.installed.standin

    def flows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get("/flows").json()
        return found

    def until(self, found: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The first flow of which this holds, once there is one."""
        pause = threading.Event()
        for _ in range(int(PATIENCE / 0.02)):
            for flow in self.flows():
                if found(flow):
                    return flow
            pause.wait(0.02)
        raise AssertionError(f"no such flow among {self.flows()}")

    def command(self, name: str, *arguments: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.api.post(
            f"/commands/{name}", json={"arguments": list(arguments)}
        ).json()
        return answer


@pytest.fixture(scope="module", params=["proctor", "mitmweb"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp(request.param)
    (port,) = free_ports(1)
    with serving(StandIn()) as standin:
        installed = Installation.build(folder / "installed", standin)
        options = (
            ["--ui", "web", "--ui-port", str(port)]
            if request.param == "proctor"
            else ["--web-port", str(port), "--no-web-open-browser"]
        )
        stock = start(installed, *options, tool=request.param, home=folder / "home")
        with stopped_at_end(stock):
            stock.wait_for("proctor takes traffic")
            shown = re.search(r"(http://127\.0\.0\.1:\d+/)\?token=(\w+)", stock.said)
            assert shown, stock.said
            # mitmweb may end a connection that was left open just as the next request comes.
            with httpx.Client(
                base_url=shown[1],
                headers={"authorization": f"Bearer {shown[2]}"},
                limits=httpx.Limits(max_keepalive_connections=0),
                timeout=30,
            ) as api:
                # mitmweb takes a change only if the same number comes in a cookie and a header
                api.headers["x-xsrftoken"] = "00" * 16
                api.cookies.set("_mitmproxy_xsrf", "00" * 16)
                yield Web(stock=stock, installed=installed, api=api, token=installed.token())
        assert stock.process.returncode == 0


@pytest.fixture
def web(running: Web) -> Iterator[Web]:
    """The same, empty."""
    running.api.post("/clear")
    running.standin.requests.clear()
    yield running
    running.api.put("/options", json={"intercept": None, "map_remote": [], "modify_headers": []})


@pytest.fixture
def asking() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_nobody_gets_in_without_the_token(web: Web) -> None:
    for path in ("flows", "options", "events", "commands", "flows/dump", "?token=guessed"):
        assert httpx.get(f"{web.api.base_url}{path}", timeout=30).status_code == 403


def test_nothing_that_is_shown_holds_a_secret(web: Web) -> None:
    assert web.stock.ask(web.token).status_code == 200
    assert "message_stop" in web.stock.ask(web.token, stream=True).text
    assert web.stock.ask("wrong-token-of-a-client").status_code == 401
    shown = web.api.get("/flows").content + web.api.get("/events").content
    shown += web.api.get("/flows/dump").content + web.api.get("/options").content
    for flow in web.flows():
        for part in ("request", "response"):
            shown += web.api.get(f"/flows/{flow['id']}/{part}/content.data").content
            shown += web.api.get(f"/flows/{flow['id']}/{part}/content/auto").content
    shown += web.stock.said.encode()
    assert b"/v1/messages" in shown
    for secret in (web.token, web.token.rpartition(".")[2], KEY, "wrong-token-of-a-client"):
        assert secret.encode() not in shown


def test_what_leaves_is_what_was_judged_after_an_edit(web: Web, asking: ThreadPoolExecutor) -> None:
    assert web.api.put("/options", json={"intercept": "~q"}).is_success
    session_id = str(uuid.uuid4())
    metadata = {"user_id": f"user_x_account__session_{session_id}"}
    held = asking.submit(web.stock.ask, web.token, metadata=metadata)
    flow = web.until(lambda flow: flow["intercepted"])
    assert not web.standin.requests
    edited = BODY | {"messages": [{"role": "user", "content": "say: edited"}]}
    change = {
        "request": {"content": httpx.Request("POST", "http://x", json=edited).read().decode()}
    }
    assert web.api.put(f"/flows/{flow['id']}", json=change).is_success
    assert web.api.post(f"/flows/{flow['id']}/resume").is_success
    assert "edited" in held.result(PATIENCE).text
    (request,) = web.standin.requests
    assert request.json()["messages"] == edited["messages"]
    rows = web.installed.query("select prompt from turns order by ts desc")
    assert "edited" in str(rows[0])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"content": '{"model": "m"}'}, 400),
        ({"path": "/v1/files"}, 451),
        ({"path": "/v1/messages/../files"}, 400),
        ({"host": "localhost"}, 503),
        ({"port": 1}, 503),
        ({"scheme": "https"}, 503),
        ({"headers": [["x-api-key", "sk-another"]]}, None),
        ({"headers": [["transfer-encoding", "chunked"], ["content-length", "3"]]}, None),
        ({"headers": [["content-length", "3"]]}, None),
        ({"headers": [["x-a", "b\r\n\r\nDELETE /v1/x HTTP/1.1\r\n"]]}, 400),
        ({"headers": [["x-a\r\nx-api-key", "sk-another"]]}, 400),
        ({"headers": [["transfer-encoding", "gzip, chunked"]]}, 400),
        ({"path": "/v1/messages HTTP/1.1\r\n\r\nDELETE /v1/x"}, 400),
        ({"method": "POST /v1/files HTTP/1.1\r\n\r\nPOST"}, 400),
        ({"trailers": [["x-more", "y"]]}, 400),
    ],
)
def test_an_edit_that_may_not_pass_does_not(
    web: Web, asking: ThreadPoolExecutor, change: dict[str, Any], status: int | None
) -> None:
    assert web.api.put("/options", json={"intercept": "~q"}).is_success
    held = asking.submit(web.stock.ask, web.token)
    flow = web.until(lambda flow: flow["intercepted"])
    assert web.api.put(f"/flows/{flow['id']}", json={"request": change}).is_success
    assert web.api.post(f"/flows/{flow['id']}/resume").is_success
    answer = held.result(PATIENCE)
    if status is None:
        # It may pass or not, but as one well-formed request without a credential of its own.
        assert len(web.standin.requests) <= 1
        for request in web.standin.requests:
            assert [value for name, value in request.headers if name == "x-api-key"] == [KEY]
            names = [name for name, _ in request.headers]
            assert not {"content-length", "transfer-encoding"} <= set(names)
        assert not web.standin.broken
    else:
        assert answer.status_code == status, answer.text
        assert not web.standin.requests


def test_a_killed_one_does_not_leave(web: Web, asking: ThreadPoolExecutor) -> None:
    assert web.api.put("/options", json={"intercept": "~q"}).is_success
    held = asking.submit(web.stock.ask, web.token)
    flow = web.until(lambda flow: flow["intercepted"])
    assert web.api.post(f"/flows/{flow['id']}/kill").is_success
    answer = held.result(PATIENCE)
    assert answer.status_code == 503
    assert answer.json()["type"] == "error"
    assert not web.standin.requests


def test_nothing_is_sent_again(web: Web) -> None:
    assert web.stock.ask(web.token).status_code == 200
    (flow,) = web.flows()
    count = web.standin.connections
    assert len(web.standin.requests) == 1
    # Loading flows empties the list first.
    dump = web.api.get("/flows/dump").content
    assert web.api.post("/flows/dump", content=dump).is_success
    copy = web.api.post(f"/flows/{flow['id']}/duplicate").text
    assert web.api.post(f"/flows/{flow['id']}/resume").is_success
    web.command("view.flows.create", "get", f"{web.standin.url}/v1/models")
    for each in web.flows():
        web.api.post(f"/flows/{each['id']}/resume")
        web.api.post(f"/flows/{each['id']}/replay")
    web.command("replay.client", "@all")
    replayed = web.until(
        lambda each: each["id"] == copy and each["is_replay"] and each.get("error")
    )
    assert "proctor" in replayed["error"]["msg"]
    # The same way out is open for one that comes in as it should.
    assert web.stock.ask(web.token).status_code == 200
    assert len(web.standin.requests) == 2
    assert web.standin.connections <= count + 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("mode", ["regular@127.0.0.1:0"]),
        ("server", False),
        ("stream_large_bodies", "1"),
        ("store_streamed_bodies", True),
        ("validate_inbound_headers", False),
        ("rawtcp", True),
        ("websocket", True),
        ("connection_strategy", "eager"),
        ("body_size_limit", "1g"),
    ],
)
def test_options_are_held(web: Web, option: str, value: Any) -> None:
    before = web.api.get("/options").json()[option]["value"]
    answer = web.api.put("/options", json={option: value})
    assert answer.status_code == 400
    text = str(value[0] if isinstance(value, list) else value).lower()
    said = web.command("set", option, text)
    assert "change proctor.yaml" in str(said)
    assert web.api.get("/options").json()[option]["value"] == before
    assert answered(web).status_code == 200


def answered(web: Web) -> httpx.Response:
    """An answer; mitmproxy opens its listeners anew when it takes a change of `mode` back."""
    pause = threading.Event()
    for _ in range(100):
        try:
            return web.stock.ask(web.token)
        except httpx.ConnectError:
            pause.wait(0.05)
    return web.stock.ask(web.token)


@pytest.mark.parametrize(
    "option", ["map_remote", "modify_headers", "ignore_hosts", "stickyauth", "upstream_auth"]
)
def test_other_options_open_no_way(web: Web, option: str) -> None:
    with Origin() as elsewhere:
        value: Any = {
            "map_remote": [f"|.*|http://127.0.0.1:{elsewhere.port}/"],
            "modify_headers": [f"|~q|host|127.0.0.1:{elsewhere.port}"],
            "ignore_hosts": [".*"],
            "stickyauth": ".*",
            "upstream_auth": "a:b",
        }[option]
        assert web.api.put("/options", json={option: value}).is_success
        try:
            web.stock.ask(web.token)
            assert web.stock.ask("nobody").status_code == 401
        finally:
            empty: Any = [] if isinstance(value, list) else None
            assert web.api.put("/options", json={option: empty}).is_success
        assert not elsewhere.connections
    for request in web.standin.requests:
        assert request.header("x-api-key") == KEY
        assert request.header("authorization") is None
        assert request.header("proxy-authorization") is None
    assert not web.standin.leaks


@pytest.fixture
def terminal() -> Iterator["Terminal"]:
    if not shutil.which("tmux"):
        why = "tmux is not installed: apt-get install tmux"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    # Not in tmp_path: a socket's name has 107 bytes at most (unix(7)).
    with tempfile.TemporaryDirectory() as folder:
        found = Terminal(socket=Path(folder) / "tmux")
        try:
            yield found
        finally:
            found.tmux("kill-server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """A terminal of 120 by 30 characters in a tmux of its own."""

    socket: Path

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self.socket), "-f", "/dev/null", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def until(self, *texts: str) -> str:
        """The screen, once it shows all of these."""
        pause = threading.Event()
        for _ in range(int(PATIENCE / 0.05)):
            screen = self.screen()
            if all(text in screen for text in texts):
                return screen
            pause.wait(0.05)
        raise AssertionError(f"no {texts} on:\n{self.screen()}")


def test_the_console_shows_flows_and_no_log(tmp_path: Path, terminal: Terminal) -> None:
    with serving(StandIn()) as standin:
        installed = Installation.build(tmp_path / "installed", standin)
        program = (
            f"cd {installed.folder}; PYTHONPATH={':'.join(filter(None, sys.path))} "
            f"ANTHROPIC_API_KEY={KEY} LANG=C.UTF-8 {sys.executable} "
            "-c 'from proctor.cli import main; main()' run --ui console; echo ended $?; cat"
        )
        terminal.tmux("new-session", "-d", "-x", "120", "-y", "30", program)
        screen = terminal.until("Flows", "[proctor:claude@")
        address = re.findall(r"\[(127\.0\.0\.1:\d+)\]", screen)[-1]
        stock = Stock(process=None, port=int(address.rpartition(":")[2]), open_port=0)  # type: ignore[arg-type]  # tmux has it
        token = installed.token()
        assert stock.ask(token).status_code == 200
        terminal.until("POST", "/v1/messages", "200")
        # What is logged is in the event list and nowhere else on the screen.
        (installed.folder / "rules/broken.yaml").write_text("rules: 7\n")
        terminal.tmux("send-keys", "E")
        screen = terminal.until("Events", "broken.yaml")
        assert "ERROR" not in screen
        terminal.tmux("send-keys", "q")
        screen = terminal.until("POST", "/v1/messages")
        assert screen.startswith("Flows"), screen
        assert "rules are broken" not in screen.split("[proctor:claude@", maxsplit=1)[0]
        # The flow's details, every page.
        terminal.tmux("send-keys", "Enter")
        seen = terminal.until("Request", "Response")
        terminal.tmux("send-keys", "Tab")
        seen += terminal.until("Response")
        for secret in (token, KEY):
            assert secret[:40] not in seen
        terminal.tmux("send-keys", "q", "q", "y")
        terminal.until("ended 0")


def test_a_terminal_that_goes_away_ends_the_gateway(tmp_path: Path, terminal: Terminal) -> None:
    with serving(StandIn()) as standin:
        installed = Installation.build(tmp_path / "installed", standin)
        noted = tmp_path / "pid"
        program = (
            f"cd {installed.folder}; echo $$ > {noted}; ANTHROPIC_API_KEY={KEY} LANG=C.UTF-8 "
            f"exec {sys.executable} -c 'from proctor.cli import main; main()' run --ui console"
        )
        terminal.tmux("new-session", "-d", "-x", "120", "-y", "30", program)
        terminal.until("Flows")
        process = psutil.Process(int(noted.read_text()))
        terminal.tmux("kill-server")
        process.wait(PATIENCE)
    (stop,) = installed.query("select kind from events where kind = 'stop'")
    assert stop == {"kind": "stop"}
