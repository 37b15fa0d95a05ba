"""Slack: an incoming webhook of an app, with Block Kit; `console.slack` takes its buttons.

Limits are those of https://docs.slack.dev/reference/block-kit/blocks and …/block-elements; escaping
is as "Formatting message text" says.
"""

import hashlib
import hmac
from typing import Any

import orjson

from proctor.approval.notify.channel import Channel, Look, text_of, url_of
from proctor.approval.notify.message import Message
from proctor.approval.notify.wire import Wire
from proctor.approval.settings import NotifierSettings

APPROVE = "proctor_approve"
DENY = "proctor_deny"
OPEN = "proctor_open"

HEADER = 150
TEXT = 3000
FIELD = 2000
FIELDS = 10
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def escape(text: str) -> str:
    """For any text: `<!channel>` calls nobody, and `<url|words>` is no link."""
    return text.translate(_ENTITIES)


def code(text: str) -> str:
    """A code block that `text` cannot end: three backticks are kept apart by what has no width."""
    inside = _fit(text.replace("```", "``\u200b`"), TEXT - 8)
    return f"```\n{inside}\n```"


def token(key: bytes, name: str) -> str:
    """What a button hands back: the id, and proof that proctor made the button.

    Whoever learns the webhook's address can post a message of their own with buttons, and an agent
    knows the id of what it waits for. Without the signing secret they cannot make this.
    """
    mac = hmac.digest(key, b"proctor button " + name.encode(), hashlib.sha256)
    return f"{name}.{mac.hex()[:32]}"


def blocks(message: Message, key: bytes | None) -> list[dict[str, Any]]:
    """The message in Block Kit.

    Args:
        message: What to tell.
        key: What buttons are signed with; None for no buttons.
    """
    found: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(message.head, HEADER)},
        *_code(message.summary),
    ]
    lines = [_plain(f"{name}: {value}", FIELD) for name, value in message.facts]
    found += [
        {"type": "section", "fields": lines[at : at + FIELDS]}
        for at in range(0, len(lines), FIELDS)
    ]
    found.append({"type": "actions", "elements": _buttons(message, key)})
    return found


def body(message: Message, key: bytes | None) -> bytes:
    """What is posted to the incoming webhook; `text` is what a notification shows."""
    return orjson.dumps(
        {
            "text": _fit(message.head, TEXT),
            "blocks": blocks(message, key),
            "unfurl_links": False,
            "unfurl_media": False,
        }
    )


class Slack(Channel):
    """Posts to one channel."""

    def __init__(self, settings: NotifierSettings, look: Look, wire: Wire) -> None:
        """Nothing is read yet.

        Args:
            settings: Where to, and whose buttons count.
            look: Reads secrets.
            wire: Sends.
        """
        self._settings = settings
        self._look = look
        self._wire = wire

    async def check(self) -> None:
        """See Channel."""
        await url_of(self._settings, self._look)
        await self._key()

    async def deliver(self, message: Message, ticket: str) -> str:  # noqa: ARG002 - it has none
        """See Channel."""
        url = await url_of(self._settings, self._look)
        await self._wire.send("POST", url, body=body(message, await self._key()))
        return ""

    async def _key(self) -> bytes | None:
        if not self._settings.users:
            return None
        return (await text_of(self._settings.secret, self._settings.name, self._look)).encode()


def _code(summary: str) -> list[dict[str, Any]]:
    if not summary:
        return []
    text = {"type": "mrkdwn", "text": code(summary), "verbatim": True}
    return [{"type": "section", "text": text}]


def _buttons(message: Message, key: bytes | None) -> list[dict[str, Any]]:
    look = {
        "type": "button",
        "action_id": OPEN,
        "text": _plain("Open", 75),
        "url": message.link,
    }
    if message.type != "approval.pending" or key is None:
        return [look]
    value = token(key, message.about)
    found = []
    for action, label, style, direct in (
        # Who approves has seen everything; where the message does not show it, the card does.
        (APPROVE, "Approve", "primary", message.whole and not message.words),
        (DENY, "Deny", "danger", not message.words),
    ):
        button = {"type": "button", "text": _plain(label, 75), "style": style}
        if direct:
            found.append({**button, "action_id": action, "value": value})
        else:
            then = label.lower()
            url = f"{message.link}?then={then}"
            found.append({**button, "action_id": f"{OPEN}_{then}", "url": url})
    return [*found, look]


def _plain(text: str, longest: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _fit(text, longest), "emoji": False}


def _fit(text: str, longest: int) -> str:
    """Escaped, and cut between characters where that is too long."""
    found = escape(text)
    while len(found) > longest:
        text = f"{text[:-2]}…"
        found = escape(text)
    return found
