"""`proctor mcp` between the protocol's own SDK, or the real Claude Code, and a server on pipes."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from proctor.testing.gateway import COMMAND, environment
from proctor.testing.standin import StandIn, serving
from tests.e2e.conftest import ClaudeCode
from tests.support.installation import REPOSITORY, Installation

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

pytest.importorskip("mcp", reason="the MCP SDK is not installed")

from mcp import Client  # noqa: E402 - imports the SDK
from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: E402 - the same

from tests.support import mcpclient  # noqa: E402 - the same
from tests.support.mcpclient import LEGACY, MODERN  # noqa: E402 - the same
from tests.support.mcpserver import DESCRIBED  # noqa: E402 - the same

PATHS = f"{REPOSITORY / 'addons'}:{REPOSITORY}"
SERVER = (sys.executable, "-c", "from tests.support.mcpserver import make; make().run('stdio')")
ECHO = (
    "import json, os, sys\n"
    "for line in sys.stdin:\n"
    "    asked = json.loads(line)\n"
    "    if asked.get('method') == 'die': os._exit(7)\n"
    "    said = {'jsonrpc': '2.0', 'id': asked.get('id'), 'result': {'env': dict(os.environ)}}\n"
    "    if asked.get('method') == 'wait':\n"
    "        said = {'jsonrpc': '2.0', 'method': 'notifications/message', 'params': {}}\n"
    "    print(json.dumps(said), flush=True)\n"
)
RULES = """\
rules:
  - {id: talk, on: mcp.call, when: 'true', then: allow}
  - {id: no-fail, on: mcp.call, match: mcp__oracle__fail, then: deny, reason: Nobody fails here.}
  - id: small
    on: mcp.call
    when: mcp.tool == "add" && has(mcp.arguments.a) && mcp.arguments.a == 13
    then: deny
    reason: Nobody adds thirteen.
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with serving(StandIn()) as standin:
        made = Installation.build(tmp_path_factory.mktemp("stdio") / "home", standin)
        (made.folder / "rules/mcp.yaml").unlink()
        (made.folder / "rules/stdio.yaml").write_text(RULES)
        with made.config.open("a") as config:
            config.write("stdio: [{name: oracle, credentials: [anthropic]}]\n")
        yield made


def arguments(
    home: Installation, *server: str, name: str = "oracle", options: Any = ()
) -> list[str]:
    config = ["--config", str(home.config)]
    return [*COMMAND[1:], "mcp", "--name", name, *config, *options, "--", *server]


def env(home: Installation, session: str, **more: str) -> dict[str, str]:
    token = more.pop("token", "") or home.token()
    own = {"PROCTOR_AGENT_TOKEN": token, "CLAUDE_CODE_SESSION_ID": session}
    return environment(**own, **more) | {"PYTHONPATH": PATHS}


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
def test_the_sdk_does_everything_and_all_is_on_record(house: Installation, mode: str) -> None:
    session = str(uuid.uuid4())
    server = StdioServerParameters(
        command=sys.executable, args=arguments(house, *SERVER), env=env(house, session)
    )

    async def main() -> None:
        client = Client(
            stdio_client(server),
            mode=mode,
            sampling_callback=mcpclient._sampled,
            elicitation_callback=mcpclient._elicited,
            cache=None,
        )
        async with client:
            got = await mcpclient.use(client)
        wanted = mcpclient.expected({k: v for k, v in DESCRIBED.items() if k != "fail"})
        assert "Nobody fails here." in got["said"].pop("fail")
        wanted["said"].pop("fail")
        assert got == wanted

    asyncio.run(main())
    calls = house.query(
        "select name, source, verdict, result from tool_calls where session_id = $session"
        " order by seq",
        session,
    )
    assert {each["source"] for each in calls} == {"mcp"}
    verdicts = {each["name"]: each["verdict"] for each in calls}
    assert verdicts["mcp__oracle__fail"] == "deny"
    assert verdicts["mcp__oracle__add"] == "allow"
    (added,) = (each["result"] for each in calls if each["name"] == "mcp__oracle__add")
    assert json.loads(added)["structuredContent"] == {"total": 3}
    errors = house.query("select error from flows where session_id = $session", session)
    assert [each["error"] for each in errors if each["error"]] == ["Nobody fails here."]


class Spoken:
    """The command, spoken to line by line."""

    def __init__(self, home: Installation, *, options: Any = (), **more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments(home, sys.executable, "-S", "-c", ECHO, options=options)],
            env=env(home, "run-1", **more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def send(self, method: str, number: int = 1) -> None:
        assert self.process.stdin
        said = {"jsonrpc": "2.0", "id": number, "method": method}
        self.process.stdin.write(json.dumps(said).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def end(self) -> tuple[int, bytes]:
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


def test_what_the_server_gets_and_how_it_ends(house: Installation) -> None:
    spoken = Spoken(
        house,
        options=["--credential", "anthropic=SECRET"],
        ANTHROPIC_API_KEY="sk-real-123456789",
        PROCTOR_TOKEN="console",
        OTHER="kept",
    )
    spoken.send("ping")
    got = spoken.hear()["result"]["env"]
    # What was put in for the server is taken out of what the client sees.
    assert "sk-real-123456789" not in json.dumps(got)
    assert "SECRET" in got
    assert got["OTHER"] == "kept"
    assert not {"PROCTOR_AGENT_TOKEN", "PROCTOR_TOKEN", "ANTHROPIC_API_KEY"} & set(got)
    status, errors = spoken.end()
    assert status == 0, errors
    assert b"sk-real" not in errors


def test_a_server_that_dies_and_one_that_is_stopped(house: Installation) -> None:
    dying, stopped = Spoken(house), Spoken(house)
    dying.send("wait", 1)
    dying.send("die", 2)
    assert dying.hear()["method"] == "notifications/message"
    assert {dying.hear()["id"], dying.hear()["id"]} == {1, 2}
    assert dying.end()[0] == 7
    stopped.send("wait")
    stopped.hear()
    stopped.process.send_signal(signal.SIGTERM)
    assert stopped.hear()["error"]["code"] == 502
    status, errors = stopped.end()
    assert status == 0, errors  # it ended with its input


@pytest.mark.parametrize("token", ["stranger", "expired"])
def test_without_a_good_token_nothing_reaches_the_server(house: Installation, token: str) -> None:
    made = house.token(age=3600, ttl=600) if token == "expired" else token
    spoken = Spoken(house, token=made)
    spoken.send("die")
    assert spoken.hear()["error"]["code"] == 401
    assert spoken.end()[0] == 0


def test_claude_code_calls_a_tool(claude_code: ClaudeCode, home: Installation) -> None:
    shutil.copy(home.folder / "rules/mcp.yaml", home.folder / "mcp.yaml.kept")
    (home.folder / "rules/mcp.yaml").unlink()
    (home.folder / "rules/stdio.yaml").write_text(RULES)
    session, token = str(uuid.uuid4()), home.token()
    server = {
        "command": sys.executable,
        "args": arguments(home, *SERVER),
        "env": {"PROCTOR_AGENT_TOKEN": token, "PYTHONPATH": PATHS},
    }
    config = json.dumps({"mcpServers": {"oracle": server}})
    tools = "mcp__oracle__add"

    def ask(prompt: str) -> subprocess.CompletedProcess[str]:
        named = ["--session-id", session] if '"a": 1,' in prompt else ["--resume", session]
        options = [*named, "--strict-mcp-config", "--mcp-config", config]
        return claude_code.run(*options, prompt, token=token, tools=tools)

    added = ask('call: mcp__oracle__add {"a": 1, "b": 2}')
    assert added.returncode == 0, added.stderr
    assert '"total": 3' in added.stdout or "total" in added.stdout
    denied = ask('call: mcp__oracle__add {"a": 13, "b": 2}')
    rows = home.query(
        "select name, source, verdict, tool_use_id from tool_calls where session_id = $session"
        " order by seq",
        session,
    )
    over = [row for row in rows if row["source"] == "mcp"]
    asked = {row["tool_use_id"] for row in rows if row["source"] == "llm"}
    assert [row["verdict"] for row in over] == ["allow", "deny"], denied.stdout
    assert {row["tool_use_id"] for row in over} == asked
    assert "Nobody adds thirteen." in denied.stdout
