"""Nobody gets a masked value out, by any channel: some thousand attempts through the gateway.

`cases.py` says how to read masking/*.txt. Direct, on the same server and as the same weak role,
nearly all of them get one: `test_direct` says so of each, and so that the search finds them.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.postgres import gateway
from tests.postgres.bypass import cases, planted
from tests.postgres.bypass.cases import Case, Connect, Sessions
from tests.postgres.bypass.wire import Client
from tests.postgres.gateway import Through
from tests.postgres.server import PASSWORDS, Server

pytestmark = pytest.mark.e2e

type Judge = Callable[[Sessions, Case], str]

CHANNELS = cases.channels("masking")
_DIRECT = "orders_cleartext"
_LEAST = 500
_LISTENER = """\
unknown_functions: deny
functions: [public.on_scratch]
masking:
  tier: wire
  columns:
    - {table: public.users, column: email, with: partial}
    - {table: public.users, column: ssn, with: "null"}
    - {table: public.users, column: phone, with: fixed, value: hidden}
    - {table: public.users, column: salary, with: "null"}
    - {table: public.users, column: born, with: "null"}
    - {table: public.users, column: token, with: hash}
    - {table: public.users, column: notes, with: "null"}
    - {table: public.users, column: tags, with: "null"}
    - {table: public.users, column: photo, with: "null"}
    - {table: public.users, column: balance, with: "null"}
    - {table: public.badges, column: pin, with: "null"}
    - {table: public.people, column: email, with: partial}
    - {table: public."Weird Table", column: '"Se""cret"', with: "null"}
"""


@pytest.fixture(scope="module")
def template(postgres15: Server) -> str:
    """A database with the secrets, to be copied."""
    postgres15.execute(f"GRANT orders_app TO {_DIRECT}")
    return postgres15.fresh(planted.schema())


@pytest.fixture(scope="module", params=["15", pytest.param("18", marks=pytest.mark.slow)])
def upstream(request: pytest.FixtureRequest) -> Server:
    """The oldest and the newest that are tested with."""
    found: Server = request.getfixturevalue(f"postgres{request.param}")
    return found


@pytest.fixture(scope="module")
def copied(upstream: Server) -> str:
    """A database with the secrets, to be copied."""
    return upstream.fresh(planted.schema())


@pytest.fixture(scope="module")
def through(upstream: Server) -> Iterator[Through]:
    with gateway.through(upstream, listener=_LISTENER) as running:
        yield running


def test_the_corpus_is_large() -> None:
    assert sum(len(cases.read("masking", channel)) for channel in CHANNELS) >= _LEAST


@pytest.mark.slow
@pytest.mark.parametrize("channel", CHANNELS)
def test_direct(postgres15: Server, template: str, channel: str) -> None:
    database = postgres15.copied(template)
    postgres15.execute(f"ALTER ROLE {_DIRECT} IN DATABASE {database} SET role = 'orders_app'")

    def connect() -> Client:
        return Client(postgres15.host, postgres15.port, _DIRECT, database, PASSWORDS[_DIRECT])

    wrong = _all(connect, channel, _unlike_direct)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("channel", CHANNELS)
def test_through(upstream: Server, copied: str, through: Through, channel: str) -> None:
    database = upstream.copied(copied)  # of its own: what is allowed changes it
    token = through.token()

    def connect() -> Client:
        return Client(through.host, through.port, through.user, database, token)

    wrong = _all(connect, channel, _leaking)
    assert not wrong, "\n".join(wrong)


def _all(connect: Connect, channel: str, judge: Judge) -> list[str]:
    """What is wrong with the answers to a channel's cases."""
    with Sessions(connect) as sessions:
        judged = ((judge(sessions, case), case) for case in cases.read("masking", channel))
        return [f"{bad}: {case}" for bad, case in judged if bad]


def _unlike_direct(sessions: Sessions, case: Case) -> str:
    received = sessions.run(case)
    if case.expected == "?":
        other = sessions.run(case, right=False)
        return "" if cases.told(received) != cases.told(other) else "tells nothing"
    if case.expected == "-":
        return "fails" if received.codes else ""
    if case.expected == "!":
        return ""  # what a role that may write comes to know without proctor, too
    leaked = bool(planted.found(received))
    return "" if leaked != (case.expected == "~") else f"leaked {leaked} {received.codes}"


def _leaking(sessions: Sessions, case: Case) -> str:
    received = sessions.run(case)
    if secret := planted.found(received):
        return f"leaked {secret!r}"
    if case.expected == "?":
        other = sessions.run(case, right=False)
        if cases.told(received) != cases.told(other):
            return "tells whether a guess is right"
    if case.expected == "-" and not received.codes:
        return "is answered"
    if case.expected == "=" and (received.codes or "D" not in received.kinds):
        return f"is refused {received.codes} {received.said}"
    return ""
