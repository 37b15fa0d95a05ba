"""What proctor.yaml says of whether an action's answers are trusted."""

from dataclasses import replace
from pathlib import Path

import pytest

from proctor.config import load
from proctor.model import Action, ActionKind, HttpFields, McpFields
from proctor.policy.vouched import vouched
from proctor.settings import Config
from tests.support.houses import house

MORE = """\
stdio: [{name: files}, {name: notes, trusted: true}]
credentials: [{name: orders, user: app, password: {env: X}}]
"""
LISTENERS = """\
listeners:
  - name: api
    kind: reverse
    listen: 127.0.0.1:0
    speaks: http
    routes:
      - {path: /wiki, upstream: "https://wiki.internal", trusted: false}
      - {path: /shop, upstream: "https://shop.internal"}
      - {path: /own, upstream: "https://both.internal/own"}
      - {path: /others, upstream: "https://both.internal/own/others", trusted: false}
      - {path: /a, upstream: "https://same.internal"}
      - {path: /b, upstream: "https://same.internal", trusted: false}
  - name: out
    kind: forward
    listen: 127.0.0.1:1
    destinations:
      - {host: tickets.internal, trusted: true}
      - {host: web.internal}
  - {name: db, kind: postgres, listen: "127.0.0.1:2", upstream: "127.0.0.1:5432",
     credential: orders, trusted: false}
"""
ASKED = Action(kind=ActionKind.HTTP_REQUEST, listener="api", target="")
CALL = Action(kind=ActionKind.MCP_CALL, listener="stdio", target="")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    file = house(tmp_path_factory.mktemp("vouched"), "rules: []\n", MORE)
    text = file.read_text()
    begin, end = text.index("listeners:"), text.index("identity:")
    Path(file).write_text(text[:begin] + LISTENERS + text[end:])
    return load(file)


def http(listener: str, host: str, path: str = "/x", port: int = 443) -> Action:
    fields = HttpFields(scheme="https", host=host, port=port, path=path)
    return replace(ASKED, listener=listener, http=fields)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (http("api", "wiki.internal", "/page"), False),
        (http("api", "shop.internal", "/"), True),
        (http("api", "shop.internal", port=80), None),
        (http("api", "both.internal", "/own/x"), True),
        (http("api", "both.internal", "/own/others/x"), False),
        (http("api", "both.internal", "/ownership"), None),
        (http("api", "same.internal"), None),
        (http("out", "tickets.internal"), True),
        (http("out", "web.internal"), False),
        (http("out", "elsewhere.internal"), None),
        (http("gone", "web.internal"), None),
        (replace(ASKED, listener="out"), None),
        (replace(ASKED, kind=ActionKind.LLM_TOOL_USE), None),
        (replace(ASKED, kind=ActionKind.SQL_STATEMENT, listener="db"), False),
        (replace(CALL, mcp=McpFields(server="files")), False),
        (replace(CALL, mcp=McpFields(server="notes")), True),
        (replace(CALL, mcp=McpFields(server="others")), None),
    ],
)
def test_what_is_said_of_where_it_goes(
    config: Config, action: Action, *, said: bool | None
) -> None:
    assert vouched(config, action) is said
