"""Who is at the other end, and in which run: asked anew for every message."""

import re
from typing import Final

from proctor.errors import AuthenticationError, RefusedError
from proctor.model import Principal, Session
from proctor.protocols.mcp.actions import tool_use_id
from proctor.protocols.mcp.messages import Message
from proctor.redaction.model import RedactionError
from proctor.stdio.exchange import House

_MAX_SESSION: Final = 200  # characters
_MAX_CLIENT: Final = 100
_CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"
_SPACE: Final = re.compile(r"\s+")


class Caller:
    """The one client of a process; whoever comes first stays."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._token = ""
        self._client = ""
        self._looked = ("", True)
        self.principal: Principal | None = None
        self.latest: Session | None = None

    async def admit(self) -> Principal:
        """Who asks; a token that has run out is read again.

        Raises:
            AuthenticationError: It is not proved.
            RefusedError: `stdio-principal`: it is somebody else than before.
            UpstreamError: The issuer's keys cannot be had.
        """
        principal = await self._proved()
        if self.principal is None:
            self.principal = principal
        elif principal.key != self.principal.key:
            # The server behind this door remembers what the first one did.
            raise RefusedError(
                "stdio-principal",
                "The token is somebody else's by now",
                expected="a token of whoever began here",
                hint="Start the MCP server anew.",
                rule_id="stdio-principal",
            )
        return principal

    async def _proved(self) -> Principal:
        gate = self._house.gate
        if self._token and (known := gate.recall(self._token)):
            return known
        token = await self._house.tokens.read()
        try:
            principal = await gate.admit(token)
        except AuthenticationError:
            self._token = ""
            raise
        self._token = token
        return principal

    def session(self, principal: Principal, message: Message | None) -> Session | None:
        """The run that a message is part of, as far as can be told."""
        self.latest = self._session(principal, message)
        return self.latest

    def _session(self, principal: Principal, message: Message | None) -> Session | None:
        """The run that a message is part of, as far as can be told."""
        house = self._house
        if message is not None:
            self._client = _product(message) or self._client
        name = house.session
        if len(name) > _MAX_SESSION or not name.isprintable():
            return None
        client = self._client
        if not self._recordable(f"{name} {client}"):
            return None
        if name:
            return house.gate.session(principal, name, client=client, correlated_by="environment")
        call = tool_use_id(message) if message else ""
        return house.gate.joined(principal, call, client=client)

    def _recordable(self, words: str) -> bool:
        """Whether there is nothing in words that stand in the record as they are."""
        screen = self._house.screen
        if screen is None:
            return True
        if self._looked[0] != words:
            try:
                found = screen.finds("session", words.encode())
            except RedactionError:
                found = True
            self._looked = words, not found
        return self._looked[1]


def _product(message: Message) -> str:
    """`claude-code/2.1.330`, as the client says of itself in `initialize` or in each request."""
    info = message.meta.get(_CLIENT_INFO) or message.params.get("clientInfo")
    if not isinstance(info, dict):
        return ""
    words = [info.get("name"), info.get("version")]
    text = "/".join(_SPACE.sub("-", word) for word in words if isinstance(word, str) and word)
    return text[:_MAX_CLIENT] if text.isprintable() else ""
