"""Where `Credentials` was; see `proctor.credentials.store`."""

from proctor.credentials.store import Credentials

__all__ = ["Credentials"]
