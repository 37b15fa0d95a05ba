"""What the stages are handed: the house's other rooms, as they see them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from OpenSSL import SSL

from proctor.credentials.echo import Values
from proctor.credentials.injection import Injection
from proctor.egress.addresses import Network
from proctor.egress.hosts import HostPattern
from proctor.mcp.model import Pin, Standing
from proctor.model import Finding
from proctor.redaction.screen import Screen


class Credentials(Protocol):
    """The real credentials."""

    def ready(self, name: str, principal_key: str, token: str | None) -> Injection | None:
        """What to put in, or None where it has to be fetched first."""
        ...

    async def fetch(
        self, name: str, principal_key: str, token: str | None, expires_at: float
    ) -> Injection:
        """What to put in."""
        ...

    def rejected(self, name: str, principal_key: str, token: str | None) -> None:
        """An upstream did not take what was put in."""
        ...

    def known(self, name: str | None, put: Injection | None) -> tuple[Values, ...]:
        """What no agent may read in an answer."""
        ...

    def certificate(self, name: str) -> tuple[Path, Path] | None:
        """The certificate and key that are shown in TLS, where the credential is one."""
        ...


class Authority(Protocol):
    """Our own certificates."""

    def context_for(self, host: str) -> SSL.Context:
        """What a client that wants to reach a host is shown."""
        ...


class Resolver(Protocol):
    """Names become addresses."""

    def known(
        self, host: str, pattern: HostPattern, networks: Sequence[Network]
    ) -> tuple[str, ...] | None:
        """The addresses that may be dialled, where nothing has to be waited for."""
        ...

    async def pinned(
        self, host: str, port: int, pattern: HostPattern, networks: Sequence[Network]
    ) -> tuple[str, ...]:
        """The addresses that may be dialled."""
        ...


class Pins(Protocol):
    """Definitions of MCP servers' tools, and which of them people have accepted."""

    def look(self, server: str, tool: Mapping[str, Any]) -> Standing:
        """How a definition stands that a server sends."""
        ...

    def standing(self, server: str, tool: str) -> Pin | None:
        """What is known of a tool."""
        ...

    async def accept(self, server: str, tool: str, digest: str, by: str) -> Pin:
        """From now on this definition is the one."""
        ...


class Screens(Protocol):
    """What is taken out, by listener."""

    def on(self, listener: str) -> Screen | None:
        """The screen of a listener, or None where its redaction is off."""
        ...


class Metrics(Protocol):
    """What the stages count."""

    def exchange(self, listener: str, verdict: str, seconds: float) -> None:
        """One exchange has ended."""
        ...

    def findings(self, listener: str, found: Sequence[Finding]) -> None:
        """What was found in one exchange."""
        ...

    def unseen(self, listener: str) -> None:
        """One exchange could not be looked at."""
        ...

    def waits(self, listener: str, change: int) -> None:
        """One action more, or less, waits for a human."""
        ...
