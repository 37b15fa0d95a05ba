"""Slack, Teams and Jira on loopback, which check what the real ones check."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from proctor.approval.settings import NotifierSettings
from proctor.fields import SecretSource
from proctor.testing.http1 import Received, read_request, response_head

WHSEC = "whsec_" + base64.b64encode(bytes(range(32))).decode()
SIGNING = "8f742231b10e8888abcd99yyyzzz85a5"
TOKEN = "jira-token-which-nobody-may-see"


@dataclass(frozen=True, slots=True)
class Said:
    """What a server answers; `body` of None: nothing, for ever."""

    status: int = 200
    body: bytes | None = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    repeat: int = 1


@asynccontextmanager
async def serve(answer: Callable[[Received], Said]) -> AsyncIterator[str]:
    """A server; gives its origin."""
    tasks = set[asyncio.Task[None]]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while (request := await read_request(reader, 1)) is not None:
                    said = answer(request)
                    if said.body is None:
                        await asyncio.Event().wait()
                        continue
                    length = str(len(said.body) * said.repeat)
                    head = {"content-length": length, **said.headers}
                    writer.write(response_head(said.status, head))
                    for _ in range(said.repeat):
                        writer.write(said.body)
                        await writer.drain()
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def settings(kind: str, name: str = "", **more: Any) -> NotifierSettings:
    """A notifier whose secrets `look` knows, in the variables `<NAME>_URL` and `<NAME>_SECRET`."""
    name = name or kind
    secret = {"secret": {"env": f"{name}_SECRET"}}
    kinds: dict[str, dict[str, Any]] = {
        "webhook": secret,
        "slack": {**secret, "users": {"U1": "bob"}},
        "teams": {},
        "jira": {**secret, "user": "bot", "project": "OPS"},
    }
    url = {"env": f"{name}_URL"}
    return NotifierSettings.model_validate(
        {"name": name, "kind": kind, "url": url, **kinds[kind], **more}
    )


def look_in(known: Mapping[str, str]) -> Callable[[SecretSource, str], Any]:
    """Reads secrets from here."""

    async def look(source: SecretSource, name: str) -> str:
        assert name
        return known[source.env or ""]

    return look


class SlackStandIn:
    """An incoming webhook, and its limits.

    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks ("Error handling") and
    https://docs.slack.dev/reference/block-kit/blocks.
    """

    path = "/services/T000/B000/secretpathofthewebhook"

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []

    def __call__(self, request: Received) -> Said:
        if request.method != "POST" or request.target != self.path:
            return Said(404, b"no_service")
        if request.header("content-type") != "application/json":
            return Said(400, b"invalid_payload")
        post = request.json()
        wrong = slack_wrong(post)
        if wrong:
            return Said(400, b"invalid_blocks: " + wrong.encode())
        self.posts.append(post)
        return Said()


def slack_wrong(post: dict[str, Any]) -> str:
    """What Slack would refuse; "" if nothing."""
    blocks = post["blocks"]
    buttons = [item for block in blocks for item in block.get("elements", [])]
    actions = [item["action_id"] for item in buttons]
    if len(blocks) > 50 or len(buttons) > 25 or len(set(actions)) != len(actions):
        return "too many blocks or buttons, or an action twice"
    texts = [(post["text"], 40_000)]
    for block in blocks:
        texts += _slack_texts(block)
    for button in buttons:
        texts += [(button["text"]["text"], 75), (button["action_id"], 255)]
        texts += [(button["value"], 2000)] if "value" in button else [(button["url"], 3000)]
    for text, longest in texts:
        if not 1 <= len(text) <= longest:
            return f"a text of {len(text)} characters where {longest} may be"
        # Stricter than Slack, which would obey it.
        if re.search(r"[<>]|&(?!amp;|lt;|gt;)", text):
            return "a control character of mrkdwn"
    return ""


def _slack_texts(block: dict[str, Any]) -> list[tuple[str, int]]:
    match block:
        case {"type": "header", "text": {"type": "plain_text", "text": str(text)}}:
            return [(text, 150)]
        case {"type": "section", "text": {"type": "mrkdwn", "text": str(text)}}:
            return [(text, 3000)]
        case {"type": "section", "fields": list(fields)} if 1 <= len(fields) <= 10:
            return [(item["text"], 2000) for item in fields]
        case {"type": "actions", "elements": [*_]}:
            return []
        case _:
            return [("", 0)]


class TeamsStandIn:
    """A Workflows webhook: 202 for a message with one Adaptive Card of at most 28 KB."""

    path = "/workflows/0123/triggers/manual/paths/invoke?api-version=1&sig=secretsignature"

    def __init__(self) -> None:
        self.cards: list[dict[str, Any]] = []

    def __call__(self, request: Received) -> Said:
        if request.method != "POST" or request.target != self.path:
            return Said(401, b"{}")
        post = request.json()
        if len(request.body) > 28 * 1024 or post["type"] != "message":
            return Said(413, b"{}")
        (attachment,) = post["attachments"]
        card = attachment["content"]
        if attachment["contentType"] != "application/vnd.microsoft.card.adaptive" or (
            card["type"],
            card["version"],
        ) != ("AdaptiveCard", "1.4"):
            return Said(400, b"{}")
        for item in card["body"]:
            if item["type"] not in {"RichTextBlock", "FactSet"}:
                return Said(400, b"{}")
        self.cards.append(card)
        return Said(202, b"")


class JiraStandIn:
    """A small Jira: Data Center with the old search, or Cloud without it.

    https://developer.atlassian.com/server/jira/platform/rest/ and …/cloud/jira/platform/rest/v2/:
    "Create issue", "Search for issues using JQL", "Add comment", "Transition issue".
    """

    def __init__(self, *, cloud: bool = False, blind: bool = False) -> None:
        self.cloud = cloud
        self.blind = blind  # the index lags behind
        self.issues: dict[str, dict[str, Any]] = {}
        self.comments: list[tuple[str, str]] = []
        self.closed: list[str] = []
        self.fail: dict[str, int] = {}  # how often the next requests for a path's end fail
        self.authorization = "Basic " + base64.b64encode(f"bot:{TOKEN}".encode()).decode()

    def __call__(  # noqa: C901, PLR0911 - one case for each request
        self, request: Received
    ) -> Said:
        if request.header("authorization") != self.authorization:
            return Said(401, b"{}")
        parts = urlsplit(request.target)
        for end, left in self.fail.items():
            if left and parts.path.endswith(end) and request.method == "POST":
                self.fail[end] -= 1
                return Said(500, b"{}")
        match request.method, parts.path.removeprefix("/jira/rest/api/2/").split("/"):
            case "POST", ["issue"]:
                return self._create(request.json()["fields"])
            case "GET", ["search"]:
                if self.cloud:
                    return Said(410, b"{}")
                return self._search(parts.query)
            case "GET", ["search", "jql"] if self.cloud:
                return self._search(parts.query)
            case "POST", ["issue", key, "comment"] if key in self.issues:
                self.comments.append((key, request.json()["body"]))
                return _json(201, {"id": "1"})
            case "GET", ["issue", key, "transitions"] if key in self.issues:
                ways = [] if key in self.closed else [{"id": "31", "name": "Done"}]
                return _json(200, {"transitions": ways})
            case "POST", ["issue", key, "transitions"] if key in self.issues:
                if request.json() != {"transition": {"id": "31"}}:
                    return Said(400, b"{}")
                self.closed.append(key)
                return Said(204, b"")
            case _:
                return Said(404, b"{}")

    def _create(self, fields: dict[str, Any]) -> Said:
        labels = fields["labels"]
        right = (
            fields["project"] == {"key": "OPS"}
            and 0 < len(fields["summary"]) <= 255
            and "\n" not in fields["summary"]
            and len(fields["description"]) <= 32_767
            and not any(" " in label or len(label) > 255 for label in labels)
        )
        if not right:
            return _json(400, {"errors": {}})
        key = f"OPS-{len(self.issues) + 1}"
        self.issues[key] = fields
        return _json(201, {"id": "10000", "key": key, "self": "https://jira.example/10000"})

    def _search(self, query: str) -> Said:
        wanted = parse_qs(query)
        found = re.fullmatch(
            r'project = "OPS" AND labels = "(\w+)" ORDER BY created ASC', wanted["jql"][0]
        )
        if not found or wanted["fields"] != ["key"]:
            return Said(400, b"{}")
        keys = [key for key, it in self.issues.items() if found[1] in it["labels"]]
        return _json(200, {"issues": [] if self.blind else [{"key": key} for key in keys]})


def _json(status: int, value: Any) -> Said:
    return Said(status, json.dumps(value).encode())
