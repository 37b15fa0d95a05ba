"""The local issuer's key, read again whenever its file changes."""

import logging
from pathlib import Path

from proctor.errors import ConfigurationError
from proctor.identity.jose import Jws
from proctor.identity.jwks import Found
from proctor.identity.keys import KeySet
from proctor.identity.local import LOCAL, load
from proctor.identity.refusals import unreachable

log = logging.getLogger(__name__)

type _Print = tuple[int, int, int, int]


class LocalKeys:
    """A KeySource that reads the local issuer's file again whenever it has changed."""

    def __init__(self, path: Path) -> None:
        """The file need not be there yet."""
        self._path = path
        self._print: _Print | None = None
        self._set: KeySet | None = None
        self._problem: ConfigurationError | None = None
        self._generation = 0

    def generation(self) -> int | None:
        """See KeySource. Costs one `stat`."""
        try:
            found = self._path.stat()
            seen = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
        except OSError:
            seen = None
        if seen is None:
            self._print = self._set = self._problem = None
        elif seen != self._print:
            self._print = seen
            self._read()
        return None if self._set is None else self._generation

    async def find(self, jws: Jws) -> Found:
        """See KeySource."""
        self.generation()
        if self._problem is not None:
            raise unreachable(LOCAL, got=self._problem.message.lower(), hint=self._problem.hint)
        keys = () if self._set is None else self._set.find(jws)
        return Found(keys=keys, generation=self._generation)

    async def warm(self) -> None:
        """Look at the file now.

        Raises:
            ConfigurationError: It is there and cannot be used.
        """
        self.generation()
        if self._problem is not None:
            raise self._problem

    async def close(self) -> None:
        """See KeySource."""

    def _read(self) -> None:
        self._generation += 1
        self._set = self._problem = None
        try:
            self._set = KeySet(keys=(load(self._path).public,))
        except ConfigurationError as error:
            self._problem = error
            log.error(  # noqa: TRY400 - the message says all; a traceback would say no more
                "The local issuer cannot be used: %s", error, extra={"event": "issuer.failed"}
            )
