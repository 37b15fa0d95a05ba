"""Where servers said that objects of Git LFS are, so that requests there are known."""

from collections import OrderedDict
from typing import Final
from urllib.parse import unquote, urlsplit

from proctor.protocols.git.lfs import Link

MOST: Final = 200_000


class Links:
    """Addresses by who was told of them; the oldest go first."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str], tuple[Link, str]] = OrderedDict()

    def told(self, principal: str, repository: str, link: Link) -> None:
        """A server has told somebody of an object.

        Args:
            principal: `Principal.key`.
            repository: As `git.repository`.
            link: With the address at the server.
        """
        key = (principal, link.method, plain(link.href))
        self._known[key] = (link, repository)
        self._known.move_to_end(key)
        if len(self._known) > MOST:
            self._known.popitem(last=False)

    def of(self, principal: str, method: str, url: str) -> tuple[Link, str] | None:
        """What a request is for, and of which repository; None where nobody was sent there."""
        return self._known.get((principal, method, plain(url)))


def plain(url: str) -> str:
    """An address as it is compared: escapes in its path may be written in several ways."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.hostname}:{port}{unquote(parts.path)}?{parts.query}"
