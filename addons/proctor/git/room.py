"""What git needs in a process of its own: whoever reads packs, room on disk, and what was told."""

import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from proctor.canary.file import NAME as CANARIES
from proctor.config import Config
from proctor.egress.targets import targets_of
from proctor.errors import InternalError
from proctor.git.links import Links
from proctor.git.packreport import PackLimits
from proctor.git.packs import Packs
from proctor.model import Finding
from proctor.protocols.git.push import Command
from proctor.redaction.compiled import folder_of
from proctor.runtime.permissions import make_folder

FOLDER: Final = "git"
"""Of `state`: where packs lie while they are looked at."""

PLACES: Final = "secret-places.db"
"""There: what lies at secret paths."""

PIECE: Final = 256 * 1024
"""Bytes that are read from disk, and passed on, at once."""

REPOSITORIES: Final = 256
"""Of which it is remembered what their servers called their refs."""

OFFERS: Final = 64
"""Pushes that are under way of which it is remembered what their servers said before."""

REFS: Final = 50_000
"""Of one repository that are remembered."""


class Refs:
    """What servers said their refs point at, so that a fetch by id is known by its name."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str], dict[str, tuple[str, ...]]] = OrderedDict()

    def told(self, principal: str, repository: str, refs: Mapping[str, str]) -> None:
        """Remember.

        Args:
            principal: Who was told.
            repository: As `git.repository`.
            refs: Name → id, hex.
        """
        known = self._told.setdefault((principal, repository), {})
        self._told.move_to_end((principal, repository))
        if len(known) + len(refs) > REFS:
            known.clear()
        for name, item in list(refs.items())[:REFS]:
            if name not in (names := known.get(item, ())):
                known[item] = (*names, name)
        if len(self._told) > REPOSITORIES:
            self._told.popitem(last=False)

    def of(self, principal: str, repository: str, ids: Iterable[str]) -> tuple[str, ...]:
        """The names of some ids, as far as they were told."""
        known = self._told.get((principal, repository), {})
        return tuple(sorted({name for item in ids for name in known.get(item, ())}))


class Offers:
    """What servers said before pushes that their refs are."""

    def __init__(self) -> None:
        self._said: OrderedDict[tuple[str, str], Mapping[bytes, str]] = OrderedDict()

    def told(self, principal: str, repository: str, refs: Mapping[bytes, str]) -> None:
        """Remember; what was said before counts no more.

        Args:
            principal: Who was told.
            repository: As `git.repository`.
            refs: Name → id, hex.
        """
        self._said[principal, repository] = refs
        self._said.move_to_end((principal, repository))
        if len(self._said) > OFFERS:
            self._said.popitem(last=False)

    def differs(self, principal: str, repository: str, commands: Iterable[Command]) -> str:
        """The name of a ref of which a push says that it was something else; "" for none."""
        known = self._said.get((principal, repository))
        if known is None:
            return ""
        for each in commands:
            was = known.get(each.ref)
            if was is not None and was != each.old:
                return each.name
        return ""


class GitRoom:
    """What the stages are handed.

    Args:
        state: Where proctor keeps what is its own.
        packs: Reads packs.
        limits: How much of one is read.
        most: Bytes of one pack.
        allowed: Whether a finding was marked as harmless.

    Attributes:
        packs: As given.
        limits: As given.
        most: As given.
        folder: Where packs lie while they are looked at.
        places: File in which it is remembered what lies at secret paths.
        refs: What servers said of their refs.
        offers: The same, before pushes.
        links: Where servers said that objects of LFS are.
    """

    def __init__(
        self,
        state: Path,
        packs: Packs,
        *,
        limits: PackLimits,
        most: int,
        allowed: Callable[[Finding], bool] = lambda _found: False,
    ) -> None:
        self.packs = packs
        self.limits = limits
        self.most = most
        self.folder = state / FOLDER
        self.places = self.folder / PLACES
        self.refs = Refs()
        self.offers = Offers()
        self.links = Links()
        self._allowed = allowed
        make_folder(self.folder)
        for left in self.folder.glob("*.pack"):
            left.unlink(missing_ok=True)  # of a process that did not end by itself

    def spool(self, name: str = "fetch") -> tuple[int, Path]:
        """A new file for a pack, open for reading and writing.

        Raises:
            InternalError: `git-spool`: there is no room.
        """
        try:
            handle, path = tempfile.mkstemp(prefix=f"{name}-", suffix=".pack", dir=self.folder)
        except OSError as error:
            raise unkept(error) from None
        return handle, Path(path)

    def kept(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """Findings without those that were marked as harmless."""
        return tuple(each for each in findings if not self._allowed(each))

    async def close(self) -> None:
        """End what reads packs."""
        await self.packs.close()


def open_git(config: Config, key: bytes, allowed: Callable[[Finding], bool]) -> GitRoom | None:
    """The room of a gateway; None where no git server is behind a listener.

    Args:
        config: As loaded.
        key: For digests of what is found.
        allowed: Whether a finding was marked as harmless.

    Raises:
        ConfigurationError: Others may enter its folder.
    """
    if not any(target.speaks == "git" for each in config.listeners for target in targets_of(each)):
        return None
    settings = config.redaction
    packs = Packs(
        settings,
        cache=folder_of(settings, config.state),
        key=key,
        canaries=config.state / CANARIES,
    )
    return GitRoom(
        config.state, packs, limits=PackLimits(), most=config.limits.pack, allowed=allowed
    )


def pieces(path: Path, size: int) -> Iterator[bytes]:
    """A file of so many bytes, in order.

    Raises:
        InternalError: `git-spool`: it is not there as a whole.
    """
    left = size
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                left -= len(piece)
                yield piece
    except OSError as error:
        raise unkept(error) from None
    if left:
        raise InternalError("git-spool", "What was pushed is not on disk as it came")


def unkept(error: OSError) -> InternalError:
    """What is said where a pack cannot be written or read."""
    return InternalError(
        "git-spool",
        "A pack could not be kept on disk",
        got=os.strerror(error.errno) if error.errno else "an error",
        hint="proctor needs room for it beneath `state`.",
    )
