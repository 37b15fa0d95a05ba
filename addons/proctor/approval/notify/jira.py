"""Jira: a ticket for what waits, closed with a comment once it is decided.

REST API version 2, which Data Center and Cloud both have; version 3 differs in that texts are
documents. Cloud has taken the old search away (410 Gone) and has `search/jql` in its place, which
may be some seconds behind; so a ticket's key is kept, and searched for only where it is not known.
"""

import base64
import re
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import orjson

from proctor.approval.notify.channel import Channel, Look, text_of, url_of
from proctor.approval.notify.message import Message
from proctor.approval.notify.wire import DeliveryError, Wire
from proctor.approval.settings import NotifierSettings

SUMMARY = 255  # the field's limit

_OPENS = frozenset({"approval.pending", "approval.break_glass", "kill.killed", "canary.seen"})
_CLOSES = frozenset(
    {
        "approval.approved",
        "approval.denied",
        "approval.expired",
        "approval.cancelled",
        "approval.reviewed",
        "kill.lifted",
    }
)
_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,254}-[0-9]{1,18}")
_LABEL = re.compile(r"[a-z]{2}_[A-Za-z0-9]{1,64}")
_MOVED = frozenset({"status-404", "status-405", "status-410"})


def text(message: Message) -> str:
    """The description, or a comment. In `{noformat}` nothing is markup but its own end."""
    lines = [f"{name}: {value}" for name, value in message.facts]
    lines = [message.head, "", *([message.summary, ""] if message.summary else []), *lines]
    inside = re.sub(r"(?i)\{(?=noformat)", "{\u200b", "\n".join(lines))
    return f"{{noformat}}\n{inside}\n{{noformat}}\n{message.link}"


def issue(message: Message, project: str, issue_type: str) -> bytes:
    """What "Create issue" is given."""
    summary = f"{message.head}: {message.summary}" if message.summary else message.head
    return orjson.dumps(
        {
            "fields": {
                "project": {"key": project},
                "issuetype": {"name": issue_type},
                "summary": summary[:SUMMARY],
                "description": text(message),
                "labels": ["proctor", message.about],
            }
        }
    )


class Jira(Channel):
    """Keeps the tickets of one project."""

    def __init__(self, settings: NotifierSettings, look: Look, wire: Wire) -> None:
        """Nothing is read yet.

        Args:
            settings: The site, the project, and whose token it is.
            look: Reads secrets.
            wire: Sends.
        """
        self._settings = settings
        self._look = look
        self._wire = wire

    async def check(self) -> None:
        """See Channel."""
        await url_of(self._settings, self._look)
        await text_of(self._settings.secret, self._settings.name, self._look)

    async def deliver(self, message: Message, ticket: str) -> str:
        """See Channel; what is returned is the ticket's key."""
        kind = message.type
        if kind not in _OPENS | _CLOSES:
            return ""
        known = ticket or await self._search(message.about)
        if not known:
            return await self._create(message) if kind in _OPENS else ""
        if kind in _CLOSES:
            # First, since it is harmless again; so a comment is rarely made twice.
            await self._close(known)
        if kind != "approval.pending":
            note = orjson.dumps({"body": text(message)})
            await self._ask("POST", f"issue/{known}/comment", note)
        return known

    async def _search(self, label: str) -> str:
        """The ticket of an approval, "" if there is none ("Search for issues using JQL")."""
        if not _LABEL.fullmatch(label):
            raise DeliveryError("label-unusable", final=True)
        jql = f'project = "{self._settings.project}" AND labels = "{label}" ORDER BY created ASC'
        query = urlencode({"jql": jql, "maxResults": 1, "fields": "key"})
        try:
            found = await self._ask("GET", f"search?{query}")
        except DeliveryError as error:
            if error.code not in _MOVED:
                raise
            found = await self._ask("GET", f"search/jql?{query}")
        issues = _list(found, "issues")
        return _key(issues[0]) if issues else ""

    async def _create(self, message: Message) -> str:
        settings = self._settings
        content = issue(message, settings.project or "", settings.issue_type)
        return _key(await self._ask("POST", "issue", content))

    async def _close(self, key: str) -> None:
        """By the transition `done`; where its status has none it stays ("Transitions")."""
        ways = _list(await self._ask("GET", f"issue/{key}/transitions"), "transitions")
        wanted = self._settings.done.casefold()
        for way in ways:
            if isinstance(way, dict) and str(way.get("name", "")).casefold() == wanted:
                chosen = {"transition": {"id": str(way.get("id", ""))}}
                await self._ask("POST", f"issue/{key}/transitions", orjson.dumps(chosen))
                return

    async def _ask(self, method: str, path: str, content: bytes | None = None) -> Any:
        site = await url_of(self._settings, self._look)
        secret = await text_of(self._settings.secret, self._settings.name, self._look)
        where, _, query = path.partition("?")
        url = httpx.URL(
            site,
            path=f"{site.path.rstrip('/')}/rest/api/2/{quote(where)}",
            query=query.encode() or None,
        )
        if self._settings.user:
            pair = f"{self._settings.user}:{secret}".encode()
            credential = f"Basic {base64.b64encode(pair).decode('ascii')}"
        else:
            credential = f"Bearer {secret}"
        answer = await self._wire.send(
            method, url, body=content, headers={"Authorization": credential}, read=True
        )
        return answer.json() if answer.body else {}


def _list(found: Any, name: str) -> list[Any]:
    items = found.get(name) if isinstance(found, dict) else None
    if not isinstance(items, list):
        raise DeliveryError("answer-unreadable")
    return items


def _key(found: Any) -> str:
    key = found.get("key") if isinstance(found, dict) else None
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise DeliveryError("answer-unreadable")
    return key
