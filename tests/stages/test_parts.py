"""The rooms of the house are what the stages take them for: mypy holds the assignments."""

from proctor.credentials.store import Credentials
from proctor.egress.authority import Authority
from proctor.egress.resolver import Resolver
from proctor.redaction.assembly import Screens
from proctor.runtime.metrics import Metrics
from proctor.stages import parts

FILLED: tuple[
    type[parts.Credentials],
    type[parts.Authority],
    type[parts.Resolver],
    type[parts.Metrics],
    type[parts.Screens],
] = (Credentials, Authority, Resolver, Metrics, Screens)


def test_every_part_has_what_is_asked_of_it() -> None:
    asked = (parts.Credentials, parts.Authority, parts.Resolver, parts.Metrics, parts.Screens)
    for protocol, room in zip(asked, FILLED, strict=True):
        names = [name for name in vars(protocol) if not name.startswith("_")]
        assert names
        assert [name for name in names if not callable(getattr(room, name, None))] == []
