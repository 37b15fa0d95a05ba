"""Rules that reload by themselves: all or nothing, and the old ones stay in force meanwhile."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from proctor.errors import ConfigurationError
from proctor.policy.engine import Policy, load_policy, rule_files
from proctor.policy.features import Features

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two looks at the folder."""

type Report = Callable[[Policy | ConfigurationError], None]
type _Signature = tuple[tuple[str, int, int, int], ...] | str


class PolicyWatch:
    """Keeps the rules in force up to date with their folder.

    Attributes:
        current: The rules in force.
    """

    def __init__(
        self,
        path: Path,
        *,
        features: Features,
        report: Report,
        observe: bool = False,
        interval: float = INTERVAL,
    ) -> None:
        """Load the rules.

        Args:
            path: The folder of rules.
            features: What can be enforced.
            report: Called after each reload, with the new rules or with what is wrong with them.
            observe: Global observe.
            interval: Seconds between two looks at the folder.

        Raises:
            ConfigurationError: The rules are wrong.
        """
        self._path = path
        self._features = features
        self._observe = observe
        self._report = report
        self._interval = interval
        self._broken = False
        self._seen = _signature(path)
        self.current = self._load()

    async def run(self) -> None:
        """Look at the folder for ever; cancel to end."""
        while True:
            await asyncio.sleep(self._interval)
            await self.look()

    async def look(self) -> None:
        """Reload if something has changed since the last look."""
        seen = await asyncio.to_thread(_signature, self._path)
        if seen == self._seen:
            return
        try:
            found: Policy | ConfigurationError = await asyncio.to_thread(self._load)
        except ConfigurationError as error:
            found = error
        self._take(found, seen, always=False)

    def reload(self) -> bool:
        """Load the rules now, as on SIGHUP; returns whether they are in force."""
        seen = _signature(self._path)
        try:
            found: Policy | ConfigurationError = self._load()
        except ConfigurationError as error:
            found = error
        self._take(found, seen, always=True)
        return isinstance(found, Policy)

    def _load(self) -> Policy:
        return load_policy(self._path, features=self._features, observe=self._observe)

    def _take(self, found: Policy | ConfigurationError, seen: _Signature, *, always: bool) -> None:
        # The signature is from before the load: what changed during it is seen at the next look.
        self._seen = seen
        if isinstance(found, ConfigurationError):
            self._broken = True
            log.error(
                "rules are broken, the old ones stay in force: %s",
                found,
                extra={"event": "rules.broken", "version": self.current.version},
            )
        else:
            same = found.version == self.current.version and not self._broken
            self._broken = False
            self.current = found
            if same and not always:
                return
            log.info(
                "rules are in force", extra={"event": "rules.loaded", "version": found.version}
            )
        self._report(found)


def _signature(path: Path) -> _Signature:
    """What tells that a file has changed: name, time, size and inode of each."""
    try:
        stats = [(file.name, file.stat()) for file in rule_files(path)]
    except (ConfigurationError, OSError) as error:
        return str(error)
    return tuple((name, st.st_mtime_ns, st.st_size, st.st_ino) for name, st in stats)
