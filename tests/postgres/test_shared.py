"""What bounds a connection."""

from proctor.postgres.shared import Bounds
from proctor.settings import Limits


def test_bounds_are_the_limits_of_the_configuration() -> None:
    limits, bounds = Limits(), Bounds()
    assert (bounds.head, bounds.idle, bounds.drain) == (limits.head, limits.idle, limits.drain)
