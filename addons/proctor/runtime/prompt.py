"""HTTP/1.1 as uvicorn speaks it, for a port that anybody may reach.

Uvicorn has no limit on how long a client may take to say what it wants, so a few that say nothing
would keep everybody else out.
"""

import asyncio
from typing import ClassVar, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_SECONDS: Final = 10.0
"""For a request's head, from the connection's beginning or the end of the answer before."""


class PromptProtocol(H11Protocol):
    """One connection, closed if no request comes in time or its address has too many.

    Attributes:
        most: Connections of one address; None where a proxy may stand in front, so that all come
            from one.
    """

    most: ClassVar[int | None] = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol; uvicorn narrows it like this, too."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        same = [each for each in self.connections if _address(each) == address]
        if self.most is not None and len(same) > self.most:
            transport.close()
            return
        self._expect_head()

    def on_response_complete(self) -> None:
        """See uvicorn."""
        super().on_response_complete()
        self._expect_head()

    def _expect_head(self) -> None:
        self.loop.call_later(HEAD_SECONDS, self._late, self.cycle)

    def _late(self, before: RequestResponseCycle | None) -> None:
        answered = before is None or before.response_complete
        if self.cycle is before and answered:
            self.timeout_keep_alive_handler()


def _address(connection: object) -> str:
    client = getattr(connection, "client", None)
    return client[0] if client else ""
