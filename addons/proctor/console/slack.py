"""Slack's buttons: POST /hooks/slack, signed by Slack, decided as whoever pressed them.

Slack says only which of its users pressed a button. That counts where proctor.yaml names their
`sub` at `console.issuer` and they have signed in to the console lately; what they may decide is the
desk's to say, by the same rules as everywhere.

"Verifying requests from Slack": https://docs.slack.dev/authentication/verifying-requests-from-slack;
"Handling user interaction": https://docs.slack.dev/interactivity/handling-user-interaction.
"""

import asyncio
import hashlib
import hmac
import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs

import httpx
import orjson
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import Approval, Change, Reviewer, State, Via
from proctor.approval.notify.channel import Look, text_of, url_of
from proctor.approval.notify.message import make, plain
from proctor.approval.notify.slack import APPROVE, DENY, blocks, escape, token
from proctor.approval.notify.wire import DeliveryError, Wire, checked_url, make_client
from proctor.approval.settings import NotifierSettings
from proctor.console.house import House
from proctor.console.problems import problem_json, refused
from proctor.errors import ClientError, ConfigurationError, ProctorError

log = logging.getLogger(__name__)

PATH = "/hooks/slack"
WINDOW = 300.0
"""Seconds that a request may be old, or ahead of our clock."""

MOST_BYTES = 64 * 1024

_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_SECONDS = re.compile(r"[0-9]{1,12}")
_REMEMBERED = 10_000
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """A button of ours, pressed.

    Attributes:
        approve: Or deny.
        approval: Its id.
        user: Slack's name for whoever pressed it.
        respond: Where an answer is to be sent; who knows it may write to the channel.
    """

    approve: bool
    approval: str
    user: str
    respond: str = field(repr=False)


def verify(headers: httpx.Headers, body: bytes, secret: str, now: float) -> bool:
    """Whether Slack sent this just now.

    Args:
        headers: Of the request.
        body: As it came.
        secret: The app's signing secret.
        now: Seconds since the epoch.
    """
    at = headers.get("x-slack-request-timestamp", "")
    if not _SECONDS.fullmatch(at) or abs(now - int(at)) > WINDOW:
        return False
    mac = hmac.digest(secret.encode(), b"v0:%s:%s" % (at.encode(), body), hashlib.sha256)
    given = headers.get("x-slack-signature", "").encode("latin-1", "replace")
    return hmac.compare_digest(f"v0={mac.hex()}".encode(), given)


def read(body: bytes) -> dict[str, Any]:
    """The payload of an interaction.

    Raises:
        ClientError: `slack-payload`.
    """
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=10, strict_parsing=True)
        (text,) = fields["payload"]
        found = orjson.loads(text)
    except (ValueError, KeyError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("trigger_id"), str):
        raise _unreadable()
    return found


def press(payload: dict[str, Any], key: bytes) -> Press | None:
    """The button that was pressed; None if it was one that only opens a page.

    Args:
        payload: As `read` gave it.
        key: The signing secret, with which our buttons are signed.

    Raises:
        ClientError: `slack-payload`, or `slack-button`: proctor did not make it.
    """
    match payload:
        case {
            "type": "block_actions",
            "user": {"id": str(user)},
            "actions": [{"action_id": str(action), "value": str(value)}],
            "response_url": str(respond),
        } if action in {APPROVE, DENY}:
            name = value.partition(".")[0]
            if not hmac.compare_digest(token(key, name).encode(), value.encode("utf-8", "replace")):
                raise refused(
                    403,
                    "slack-button",
                    "proctor did not make this button",
                    expected="a button of a message that proctor sent",
                    hint="Somebody else may know the webhook's address: make a new one.",
                )
            return Press(approve=action == APPROVE, approval=name, user=user, respond=respond)
        case {"type": "block_actions", "actions": [{"action_id": str(action)}, *_]} if (
            action not in {APPROVE, DENY}
        ):
            return None
        case _:
            raise _unreadable()


class Hooks:
    """What Slack sends to one gateway."""

    def __init__(
        self,
        house: House,
        notifiers: Sequence[NotifierSettings],
        *,
        secrets: Look,
        reviewer_of: Callable[[str], Reviewer | None],
        client: Callable[[], httpx.AsyncClient] = make_client,
    ) -> None:
        """Nothing is read yet.

        Args:
            house: The desk and the rest.
            notifiers: `notifications` in proctor.yaml.
            secrets: Reads secrets.
            reviewer_of: Who has signed in lately with this `sub` at `console.issuer`; blocks.
            client: Makes the HTTP client for answers.
        """
        self._house = house
        self._notifiers = [item for item in notifiers if item.kind == "slack" and item.users]
        self._look = secrets
        self._reviewer_of = reviewer_of
        self._client = client
        self._seen: OrderedDict[str, float] = OrderedDict()

    async def __call__(self, request: Request) -> Response:
        """Take one interaction. The answer is empty; words go to Slack's `response_url`."""
        try:
            body = await _body(request)
            settings, key = await self._sender(httpx.Headers(request.headers.raw), body)
            payload = read(body)
            self._once(payload["trigger_id"])
            pressed = press(payload, key)
        except ClientError as error:
            return problem_json(error)
        if pressed is None:
            return Response(status_code=200)
        said = await self._decide(pressed, settings, key)
        # Slack waits three seconds for this answer, and takes words only at the other address.
        task = BackgroundTask(self._respond, settings, pressed.respond, said)
        return Response(status_code=200, background=task)

    async def _sender(self, headers: httpx.Headers, body: bytes) -> tuple[NotifierSettings, bytes]:
        now = self._house.clock().timestamp()
        for item in self._notifiers:
            try:
                secret = await text_of(item.secret, item.name, self._look)
            except ConfigurationError:  # logged where secrets are kept; another may fit
                continue
            if verify(headers, body, secret, now):
                return item, secret.encode()
        raise refused(
            401,
            "slack-signature",
            "Slack did not send this, or not just now",
            expected="X-Slack-Signature of the app whose signing secret proctor has, at most five"
            " minutes old",
            hint="See the signing secret, and this machine's clock.",
        )

    def _once(self, trigger: str) -> None:
        """Refuse what came before; what is older than the window is refused by its signature."""
        now = self._house.clock().timestamp()
        while self._seen and (
            len(self._seen) >= _REMEMBERED or next(iter(self._seen.values())) < now - 2 * WINDOW
        ):
            self._seen.popitem(last=False)
        name = hashlib.sha256(trigger.encode("utf-8", "replace")).hexdigest()
        if name in self._seen:
            raise refused(409, "slack-replay", "This came before", expected="a new press")
        self._seen[name] = now

    async def _decide(
        self, pressed: Press, settings: NotifierSettings, key: bytes
    ) -> dict[str, Any]:
        """Decide, and what Slack is told of it."""
        card = f"{self._house.address.rstrip('/')}/approvals/{pressed.approval}"
        subject = settings.users.get(pressed.user)
        if subject is None:
            return _whisper(f"Nobody has told proctor who you are. You can decide here: {card}")
        reviewer = await asyncio.to_thread(self._reviewer_of, subject)
        if reviewer is None:
            return _whisper(f"Sign in first, then press again, or decide here: {card}")
        reviewer = replace(reviewer, via=Via.SLACK)
        try:
            approval = await self._house.desk.decide(
                pressed.approval, reviewer, approve=pressed.approve
            )
        except ProctorError as error:
            if error.code != "approval-state":
                return _whisper(f"{error} See {card}")
            try:
                # Decided elsewhere: the message says so from now on, and loses its buttons.
                approval = await self._house.desk.approval(pressed.approval, reviewer)
            except ProctorError:
                return _whisper(f"{error} See {card}")
        return self._update(approval, key)

    def _update(self, approval: Approval, key: bytes) -> dict[str, Any]:
        """The message as it is to stand from now on."""
        state = State.APPROVED if approval.state is State.USED else approval.state
        now = self._house.clock()
        change = Change(
            seq=0,
            subject="approval",
            id=approval.id,
            state=state.value,
            by=approval.by,
            reason=approval.reason,
            at=now,
            detail={"break_glass": True} if approval.break_glass else {},
        )
        message = make(change, approval, self._house.address)
        if state is State.PENDING:
            names = ", ".join(vote.name or vote.reviewer for vote in approval.votes)
            message = replace(message, facts=(*message.facts, ("So far", plain(names))))
        return {
            "replace_original": True,
            "text": escape(message.head),
            "blocks": blocks(message, key),
        }

    async def _respond(
        self, settings: NotifierSettings, address: str, said: dict[str, Any]
    ) -> None:
        client = self._client()
        wire = Wire(client, clock=self._house.clock)
        try:
            url = await self._answerable(settings, address)
            await wire.send("POST", url, body=orjson.dumps(said))
        except (DeliveryError, ConfigurationError) as error:
            # What was decided stays decided; only the channel does not show it.
            log.warning(
                "Slack did not take an answer: %s",
                error.code,
                extra={"event": "slack.answer-failed", "code": error.code},
            )
        finally:
            await wire.close()

    async def _answerable(self, settings: NotifierSettings, address: str) -> httpx.URL:
        """`response_url`, if it is Slack's: no request goes anywhere else on its word."""
        url = checked_url(address, settings.name)
        own = await url_of(settings, self._look)
        slack = url.scheme == "https" and url.host in _HOSTS and url.port in {None, 443}
        if not slack and (url.scheme, url.host, url.port) != (own.scheme, own.host, own.port):
            raise DeliveryError("foreign-address", final=True)
        return url


def routes(
    house: House,
    notifiers: Sequence[NotifierSettings],
    *,
    secrets: Look,
    reviewer_of: Callable[[str], Reviewer | None],
    client: Callable[[], httpx.AsyncClient] = make_client,
) -> list[BaseRoute]:
    """The route that Slack's app is to be given as "Request URL"; none where nobody is named.

    Args:
        house: As for `Hooks`, like the rest.
        notifiers: `notifications` in proctor.yaml.
        secrets: Reads secrets.
        reviewer_of: Such as `Sessions.reviewer_of_subject`.
        client: Makes the HTTP client for answers.
    """
    if not any(item.kind == "slack" and item.users for item in notifiers):
        return []
    hooks = Hooks(house, notifiers, secrets=secrets, reviewer_of=reviewer_of, client=client)

    async def slack(request: Request) -> Response:
        return await hooks(request)

    return [Route(PATH, slack, methods=["POST"])]


async def _body(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise refused(415, "slack-payload", "This is no form", expected=_FORM)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise refused(
                413, "body-too-large", "The request's body is too large", expected="at most 64 KiB"
            )
    return bytes(body)


def _whisper(text: str) -> dict[str, Any]:
    """For whoever pressed the button only."""
    return {"response_type": "ephemeral", "replace_original": False, "text": escape(text)}


def _unreadable() -> ClientError:
    return refused(
        400,
        "slack-payload",
        "This is no interaction with a message of proctor's",
        expected="block_actions with one button",
    )
