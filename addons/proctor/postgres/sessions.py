"""What makes the insides of connections, and ends them when somebody is stopped."""

from proctor.approval.holder import Why
from proctor.approval.model import Kill
from proctor.postgres.house import House
from proctor.postgres.knowledge import Shared
from proctor.postgres.session import Session
from proctor.postgres.wires import Arrival, Wires


class Sessions:
    """Makes sessions for one listener, and ends them when somebody is stopped.

    Args:
        house: What stands behind the listener.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._shared = Shared(house.clock)
        self._open: set[Session] = set()

    def open(self, arrival: Arrival, wires: Wires) -> Session:
        """One for who has just been admitted."""
        return Session(self._house, self._shared, arrival, wires, self._open)

    def kill(self, kill: Kill) -> None:
        """End what a kill reaches."""
        for session in list(self._open):
            session.kill(kill)

    def stop_waiting(self) -> None:
        """Nobody can wait for humans here any longer."""
        for session in list(self._open):
            session.stop_waiting(Why.STOPPING)
