"""Microsoft Teams: a Workflows webhook ("When a Teams webhook request is received").

What it takes is a message with one Adaptive Card, at most 28 KB; see "Create and send messages" at
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using.
Teams has cards of schema 1.4 in all its clients.
"""

import re
from typing import Any

import orjson

from proctor.approval.notify.channel import Channel, Look, url_of
from proctor.approval.notify.message import Message
from proctor.approval.notify.wire import Wire
from proctor.approval.settings import NotifierSettings

MOST_BYTES = 28 * 1024
_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
_TYPE = "application/vnd.microsoft.card.adaptive"
# "Text features": Markdown's own marks, in what is no TextRun; and `{{DATE(…)}}`.
_MARKS = re.compile(r"([\\`*_{}\[\]~<>|&]|^[#+-])")


def escape(text: str) -> str:
    """For texts that are read as Markdown."""
    return _MARKS.sub(r"\\\1", text)


def body(message: Message) -> bytes:
    """What is posted."""
    items: list[dict[str, Any]] = [_run(message.head, weight="Bolder", size="Medium")]
    if message.summary:
        items.append(_run(message.summary, fontType="Monospace"))
    if message.facts:
        facts = [{"title": name, "value": escape(value)} for name, value in message.facts]
        items.append({"type": "FactSet", "facts": facts})
    card = {
        "$schema": _SCHEMA,
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": items,
        "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": message.link}],
        "msteams": {"width": "Full"},
    }
    attachment = {"contentType": _TYPE, "contentUrl": None, "content": card}
    return orjson.dumps({"type": "message", "attachments": [attachment]})


class Teams(Channel):
    """Posts to one channel or chat."""

    def __init__(self, settings: NotifierSettings, look: Look, wire: Wire) -> None:
        """Nothing is read yet.

        Args:
            settings: Where to.
            look: Reads secrets.
            wire: Sends.
        """
        self._settings = settings
        self._look = look
        self._wire = wire

    async def check(self) -> None:
        """See Channel."""
        await url_of(self._settings, self._look)

    async def deliver(self, message: Message, ticket: str) -> str:  # noqa: ARG002 - it has none
        """See Channel."""
        url = await url_of(self._settings, self._look)
        await self._wire.send("POST", url, body=body(message))
        return ""


def _run(text: str, **style: str) -> dict[str, Any]:
    """A text that is shown as it is: a TextRun has no Markdown."""
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}
