"""A day of one developer's agent behind proctor: what it sends, all of it harmless.

How much of what: counts of tool calls in 2,123 sessions of Claude Code that were published in 2026
(cc-toolbox, cc-multi) say Bash 37 %, Read 25, Edit 15, Grep 11, Write 5, Glob 3, the list of tasks
3, WebSearch 2, and 1.6 calls in a turn that has any. day_commands.txt is the Bash part, one line of
each sort that developers' agents run: so these shares are counted from its length. Nothing was
published about the requests of the programs that are run, so those are counted by what the programs
send: packages that a project's locked install asks for, two requests for a clone, and so on. Such
downloads are cut to a quarter of the day (a fresh container makes ten times as many), since
the share of what is stopped would look better with each of them.

Changes are part of a day: pushes, comments on tickets, a tool that writes. The rules that ship hold
most of them by intent, and here they count as stopped like everything else.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

FOLDER = "/home/dev/app"
COMMANDS = Path(__file__).with_name("day_commands.txt")
MODEL = "https://api.anthropic.com/v1/messages?beta=true"

_FORM = "application/x-www-form-urlencoded"
_PACK = "application/x-git-upload-pack-request"
_LFS = "application/vnd.git-lfs+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request.

    Attributes:
        kind: What it is for, in words.
        listener: `claude`, `egress` or `tools`.
        method: As sent.
        url: At the upstream; of a tool's server its path at the listener.
        headers: Beside host and length.
        body: As sent.
    """

    kind: str
    listener: str = "egress"
    method: str = "GET"
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A tool call of the model's."""

    kind: str
    name: str
    input: Mapping[str, Any]


type Item = Asked | Called


def day() -> list[Item]:
    """All of it."""
    calls = [*_commands(), *_files(), *_server_calls()]
    return [
        *calls,
        *_model(len(calls)),
        *_servers(),
        *_packages(),
        *_git(),
        *_pages(),
        *_reads(),
        *_changes(),
    ]


def _commands() -> Iterator[Called]:
    for line in COMMANDS.read_text(encoding="utf-8").splitlines():
        given = {"command": line.replace("\\n", "\n"), "description": "What it does"}
        yield Called(kind="tool call: Bash", name="Bash", input=given)


def _files() -> Iterator[Called]:
    """The other tools, in proportion to Bash's 37 %."""
    whole = len(COMMANDS.read_text(encoding="utf-8").splitlines()) / 0.37
    folders = (
        "src/orders",
        "src/search",
        "tests",
        "frontend/src/pages",
        "docs",
        ".github/workflows",
    )
    made: tuple[tuple[str, float, Mapping[str, Any]], ...] = (
        ("Read", 0.25, {"limit": 200}),
        ("Edit", 0.15, {"old_string": "round(total, 2)", "new_string": "quantize(total)"}),
        ("Grep", 0.11, {"pattern": "def total", "output_mode": "content"}),
        ("Write", 0.05, {"content": "def test_total():\n    assert total([]) == 0\n"}),
        ("Glob", 0.03, {"pattern": "**/*.py"}),
        ("TaskUpdate", 0.02, {"taskId": "3", "status": "completed"}),
        ("TaskCreate", 0.01, {"subject": "Write the tests", "description": "For totals"}),
        ("WebSearch", 0.02, {"query": "decimal quantize round half even"}),
        ("WebFetch", 0.02, {"url": "https://docs.python.org/3/library/decimal.html"}),
    )
    for name, share, given in made:
        for number in range(round(whole * share)):
            path = f"{FOLDER}/{folders[number % len(folders)]}/part_{number}.py"
            where = {"path": path} if name in {"Grep", "Glob"} else {"file_path": path}
            own = given if name.startswith(("Task", "Web")) else {**where, **given}
            yield Called(kind=f"tool call: {name}", name=name, input=own)


# Servers that developers connect most: a tracker, code, documentation, errors, a database.
_SERVERS = ("jira", "github", "context7", "sentry", "postgres")
_READS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("jira", "getJiraIssue", {"issueIdOrKey": "APP-398"}),
    ("jira", "searchJiraIssuesUsingJql", {"jql": "project = APP and status = Open"}),
    ("github", "get_file_contents", {"owner": "team", "repo": "app", "path": "README.md"}),
    ("github", "pull_request_read", {"owner": "team", "repo": "app", "pullNumber": 412}),
    ("github", "list_pull_requests", {"owner": "team", "repo": "app"}),
    ("github", "search_code", {"query": "quantize repo:team/app"}),
    ("github", "issue_read", {"owner": "team", "repo": "app", "issue_number": 398}),
    ("context7", "resolve-library-id", {"libraryName": "pydantic"}),
    ("context7", "query-docs", {"libraryId": "/pydantic/pydantic", "query": "validators"}),
    ("sentry", "search_issues", {"query": "is:unresolved total"}),
    ("sentry", "get_issue_details", {"issueId": "APP-1K2"}),
    ("postgres", "list_tables", {"schema": "public"}),
    ("postgres", "execute_sql", {"sql": "select count(*) from orders"}),
)
_WRITES: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("jira", "addCommentToJiraIssue", {"issueIdOrKey": "APP-398", "commentBody": "Fixed."}),
    ("github", "create_pull_request", {"title": "Round totals", "head": "fix", "base": "main"}),
)


def _tool_calls() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Of tool calls over MCP, one in twelve changes something."""
    yield from _READS * 2
    yield from _WRITES


def _server_calls() -> Iterator[Called]:
    for server, tool, given in _tool_calls():
        yield Called(kind="tool call: MCP", name=f"mcp__{server}__{tool}", input=given)


def _servers() -> Iterator[Asked]:
    """Six runs of the client, each of which gets to know each server, and the calls."""
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {"roots": {}},
        "clientInfo": {"name": "claude-code", "version": "2.1.330"},
    }
    for _ in range(6):
        for server in _SERVERS:
            kind = "MCP: conversation"
            yield _message(kind, server, "initialize", hello, number=0)
            yield _message(kind, server, "notifications/initialized")
            yield Asked(
                kind=kind,
                listener="tools",
                url=f"/{server}",
                headers={"accept": "text/event-stream"},
            )
            for number, method in enumerate(("tools/list", "prompts/list", "resources/list"), 1):
                yield _message(kind, server, method, {}, number=number)
    for number, (server, tool, given) in enumerate(_tool_calls(), 10):
        params = {
            "name": tool,
            "arguments": given,
            "_meta": {"claudecode/toolUseId": f"toolu_{number}", "progressToken": number},
        }
        writes = (server, tool, given) in _WRITES
        kind = "MCP: a change" if writes else "MCP: reading"
        yield _message(kind, server, "tools/call", params, number=number)
    for number in range(4):
        params = {"uri": f"file:///guides/{number}.md"}
        yield _message("MCP: reading", "jira", "resources/read", params, number=number)


def _message(
    kind: str,
    server: str,
    method: str,
    params: Mapping[str, Any] | None = None,
    *,
    number: int | None = None,
) -> Asked:
    body: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if number is not None:
        body |= {"id": number, "params": params}
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    if method != "initialize":
        headers["mcp-protocol-version"] = "2025-11-25"
    return Asked(
        kind=kind,
        listener="tools",
        method="POST",
        url=f"/{server}",
        headers=headers,
        body=json.dumps(body).encode(),
    )


def _model(calls: int) -> Iterator[Asked]:
    """A turn for each 1.6 tool calls, one in seven more without; counts; what is asked at start."""
    turns = round(calls / 1.6 * 7 / 6)
    tools = [{"name": "Bash", "description": "Runs a command", "input_schema": {"type": "object"}}]
    for number in range(turns):
        yield _turn("model: turn", f"Turn {number} of the day.", tools=tools)
    for number in range(turns // 15):
        yield _turn("model: title or summary", f"Summarize {number}.", model="claude-haiku-4-5")
    # Claude Code's own WebSearch is a request of its own, by which the provider searches.
    search = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}]
    for number in range(round(calls * 0.02)):
        yield _turn("model: WebSearch", f"Perform a web search for topic {number}", tools=search)
    for number in range(10):
        content = json.dumps({"model": "claude-sonnet-4-5", "messages": _said(f"Count {number}")})
        yield Asked(
            kind="model: count of tokens",
            listener="claude",
            method="POST",
            url=MODEL.replace("?", "/count_tokens?"),
            headers={"content-type": "application/json"},
            body=content.encode(),
        )
    # WebFetch asks first whether the host is known to be harmful.
    for host in ("docs.python.org", "developer.mozilla.org", "docs.rs", "react.dev", "nodejs.org"):
        yield Asked(
            kind="Claude Code asks about a host",
            url="https://api.anthropic.com/api/web/domain_info?" + urlencode({"domain": host}),
        )


def _turn(
    kind: str,
    text: str,
    *,
    model: str = "claude-sonnet-4-5",
    tools: list[dict[str, Any]] | None = None,
) -> Asked:
    body = {
        "model": model,
        "max_tokens": 32_000,
        "stream": True,
        "system": [{"type": "text", "text": f"You are Claude Code.\nWorking directory: {FOLDER}"}],
        "messages": _said(text),
        "tools": tools or [],
    }
    return Asked(
        kind=kind,
        listener="claude",
        method="POST",
        url=MODEL,
        headers={"content-type": "application/json", "anthropic-version": "2023-06-01"},
        body=json.dumps(body).encode(),
    )


def _said(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": text}]}]


_PYTHON = "httpx pydantic anyio certifi idna typing-extensions h11 sniffio ruff mypy pytest pluggy"
_NODE = (
    "react react-dom zod vite esbuild vitest typescript eslint prettier @types/node @types/react "
    "@vitejs/plugin-react postcss tailwindcss picocolors nanoid rollup semver chokidar magic-string"
)
_RUST = "serde serde_json tokio thiserror anyhow clap regex once_cell"
_GO = "golang.org/x/text golang.org/x/net github.com/stretchr/testify gopkg.in/yaml.v3"


def _packages() -> Iterator[Asked]:
    """What package managers ask for, and what downloads tools."""
    for times, manager in ((2, _pip), (3, _npm), (1, _cargo), (1, _go), (1, _systems)):
        for _ in range(times):
            yield from manager()


def _get(url: str, method: str = "GET", **headers: str) -> Asked:
    return Asked(kind="packages", method=method, url=url, headers=headers)


def _pip() -> Iterator[Asked]:
    index = {"accept": "application/vnd.pypi.simple.v1+json"}
    files = "https://files.example.org/packages/ab/cd"
    for name in _PYTHON.split():
        wheel = f"{files}/{name.replace('-', '_')}-1.0-py3-none-any.whl"
        yield _get(f"https://index.example.org/simple/{name}/", **index)
        yield _get(f"{wheel}.metadata")
        yield _get(wheel, **{"accept-encoding": "identity"})


def _npm() -> Iterator[Asked]:
    corgi = {"accept": "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"}
    registry = "https://npm.example.org"
    for name in _NODE.split():
        yield _get(f"{registry}/{name.replace('/', '%2f')}", **corgi)
        yield _get(f"{registry}/{name}/-/{name.rpartition('/')[2]}-1.0.0.tgz")
    known = {name: ["1.0.0"] for name in _NODE.split()}
    yield _json("packages", f"{registry}/-/npm/v1/security/advisories/bulk", known)


def _cargo() -> Iterator[Asked]:
    yield _get("https://crates.example.org/index/config.json")
    for name in _RUST.split():
        yield _get(f"https://crates.example.org/index/{name[:2]}/{name[2:4]}/{name}")
        yield _get(f"https://crates.example.org/crates/{name}/1.0.0/download")


def _go() -> Iterator[Asked]:
    for name in _GO.split():
        for what in ("list", "v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip"):
            yield _get(f"https://go.example.org/{name}/@v/{what}")
        yield _get(f"https://sum.example.org/lookup/{name}@v1.0.0")


def _systems() -> Iterator[Asked]:
    """Debian's packages, an image (a token without a name, the manifest, layers), a browser."""
    for what in ("InRelease", "main/binary-amd64/Packages.xz", "main/i18n/Translation-en.xz"):
        yield _get(f"https://deb.example.org/debian/dists/stable/{what}")
    yield _get("https://deb.example.org/debian/pool/main/j/jq/jq_1.7.1-3_amd64.deb")
    scope = {"service": "images.example.org", "scope": "repository:library/node:pull"}
    yield _get(f"https://images.example.org/token?{urlencode(scope)}")
    image = "https://images.example.org/v2/library/node"
    yield _get(f"{image}/manifests/22", method="HEAD")
    for what in ("manifests/22", "blobs/sha256:aa", "blobs/sha256:bb"):
        yield _get(f"{image}/{what}")
    yield _get("https://cdn.playwright.dev/builds/chromium/1187/chromium-linux.zip")
    yield _get("https://nodejs.org/dist/v22.12.0/node-v22.12.0-linux-x64.tar.xz")


def _git() -> Iterator[Asked]:
    """Clone and fetch: what there is, then one or two rounds; three pushes; one LFS download."""
    base = "https://code.internal/team/app.git"
    agent = {"user-agent": "git/2.47.0", "git-protocol": "version=2"}
    post = {**agent, "content-type": _PACK, "accept": "application/x-git-upload-pack-result"}
    for _ in range(15):
        url = f"{base}/info/refs?service=git-upload-pack"
        yield Asked(kind="git: fetch", url=url, headers=agent)
        for body in (b"0014command=ls-refs\n0000", b"0011command=fetch0000"):
            url = f"{base}/git-upload-pack"
            yield Asked(kind="git: fetch", method="POST", url=url, headers=post, body=body)
    yield Asked(
        kind="git: fetch",
        method="POST",
        url=f"{base}/info/lfs/objects/batch",
        headers={"content-type": _LFS, "accept": _LFS},
        body=b'{"operation":"download","transfers":["basic"],"objects":[{"oid":"ab","size":3}]}',
    )
    for _ in range(3):
        url = f"{base}/info/refs?service=git-receive-pack"
        yield Asked(kind="git: push", url=url, headers=agent)
        sent = {**agent, "content-type": "application/x-git-receive-pack-request"}
        url = f"{base}/git-receive-pack"
        yield Asked(kind="git: push", method="POST", url=url, headers=sent, body=b"0000PACK")


def _pages() -> Iterator[Asked]:
    """Documentation, and files of public repositories."""
    for url in (
        *(f"https://docs.python.org/3/library/{name}.html" for name in ("decimal", "json", "re")),
        *(f"https://docs.rs/{name}/latest/{name}/" for name in ("serde", "tokio", "clap")),
        "https://developer.mozilla.org/en-US/docs/Web/API/fetch",
        "https://react.dev/reference/react/useEffect",
        "https://docs.pydantic.dev/latest/concepts/validators/",
        "https://raw.githubusercontent.com/org/tool/main/README.md",
        "https://api.github.com/repos/org/tool/releases/latest",
        "https://api.github.com/search/issues?q=repo%3Aorg%2Ftool+quantize",
        "https://stackoverflow.com/questions/10825926/python-3-x-rounding-behavior",
        "https://en.wikipedia.org/wiki/Rounding",
    ):
        for _ in range(3):
            yield Asked(kind="pages", url=url, headers={"accept": "text/html, text/markdown"})


def _json(kind: str, url: str, body: object, *, method: str = "POST") -> Asked:
    sent = {"content-type": "application/json"}
    return Asked(kind=kind, method=method, url=url, headers=sent, body=json.dumps(body).encode())


def _reads() -> Iterator[Asked]:
    """Internal APIs: some with POST, though they only ask."""
    for number in range(6):
        for path in (
            f"/v1/tickets/{390 + number}",
            f"/v1/tickets/{390 + number}/comments?limit=50",
            f"/v1/tickets?state=open&page={number}",
            f"/v1/builds/{8000 + number}",
            f"/v1/builds/{8000 + number}/log?tail=200",
            f"/v1/services/api-{number}/config",
        ):
            yield Asked(kind="API: reading", url=f"https://api.internal{path}")
        search = {"query": {"match": {"message": f"total {number}"}}, "size": 50}
        yield _json("API: search", "https://logs.internal/app-*/_search", search)
        query = urlencode({"query": f"rate(errors[{number + 1}m])", "step": "60"})
        yield Asked(kind="API: reading", url=f"https://metrics.internal/api/v1/query_range?{query}")
        document = "query($n: Int!) { repository { pullRequest(number: $n) { title } } }"
        asked = {"query": document, "variables": {"n": 400 + number}}
        yield _json("API: GraphQL query", "https://code.internal/api/graphql", asked)
    # Prometheus and Jira let long questions be asked with POST, and many search boxes only so.
    yield Asked(
        kind="API: search",
        method="POST",
        url="https://metrics.internal/api/v1/query",
        headers={"content-type": _FORM},
        body=b"query=up",
    )
    jql = {"jql": "project = APP", "maxResults": 50}
    yield _json("API: search", "https://jira.internal/rest/api/3/search/jql", jql)
    found = {"requests": [{"indexName": "docs", "params": "query=decimal"}]}
    yield _json("API: search", "https://search.internal/1/indexes/*/queries", found)


def _changes() -> Iterator[Asked]:
    """What an agent changes in a day through APIs: comments, states, a build."""
    for number in range(3):
        url = f"https://api.internal/v1/tickets/{390 + number}/comments"
        yield _json("API: a change", url, {"text": "Fixed on the branch."})
    state = {"state": "in review"}
    yield _json("API: a change", "https://api.internal/v1/tickets/398", state, method="PATCH")
    yield _json("API: a change", "https://api.internal/v1/builds", {"branch": "fix/rounding"})
    mutation = {"query": 'mutation { addComment(subject: "412", body: "Done") { id } }'}
    yield _json("API: a change", "https://code.internal/api/graphql", mutation)
