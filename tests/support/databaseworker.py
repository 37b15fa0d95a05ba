"""A worker whose sessions hand everything on: `python -m tests.support.databaseworker`."""

from typing import Any

from proctor.approval.model import Kill
from proctor.postgres import worker
from proctor.postgres.house import House
from proctor.postgres.wires import Arrival, Session, Wires
from tests.postgres.relaying import Relay


class Sessions:
    """Counts each connection as a statement."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._open: list[tuple[Arrival, Wires]] = []

    def open(self, arrival: Arrival, wires: Wires) -> Session:
        """One that looks at nothing."""
        self._house.figures.statement("allow", 0.001)
        self._open.append((arrival, wires))
        return Relay(arrival, wires)

    def kill(self, _kill: Kill) -> None:
        """All go."""
        for _, wires in self._open:
            wires.finish()

    def stop_waiting(self) -> None:
        """Nothing waits."""


def main(make: Any = Sessions) -> None:
    """Work."""
    worker.main(make)


if __name__ == "__main__":
    main()
