"""The corpus: a line of masking or policy/*.txt is what a client sends, and what must come of it.

    [expectation] modes statement [<< parameters] [;; statement …]

| expectation | |
|---|---|
| none | no secret may come back; direct, one does |
| `=` | the same, and it must be answered without an error |
| `?` | a guess: the answers to `{guess}` (or `{number}`) right and wrong must not differ |
| `-` | an error must come back: what would tell is not in the bytes (order, length, time) |
| `~` | no secret may come back; a weak role gets none direct, either |
| `!` | no secret may come back, but what docs/postgres.md says of limits holds: a role that may |
|     | write learns whether a unique value is there, and sets off triggers |

Each letter of the modes is a case of its own: `q` simple query, `x` extended, `b` extended with
binary results, `e` Execute without Describe, twice, `n` named portal read row by row, `p` all
statements in one packet, `s` prepared by SQL and run by the protocol, or the other way round.
Parameters are divided by ` | `; of a simple COPY FROM STDIN they are the data.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.postgres.bypass import wire
from tests.postgres.bypass.planted import SALARY, SSN
from tests.postgres.bypass.wire import Client, Received

type Connect = Callable[[], Client]

EXPECTATIONS = "=?-~!"
_FOLDER = Path(__file__).parent
_BLANKS = {"{newline}": "\n", "{tab}": "\t", "{formfeed}": "\f"}
_GUESSES = {True: (SSN, str(SALARY)), False: ("wrong0000", str(SALARY - 1))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One attempt.

    Attributes:
        expected: One of EXPECTATIONS, or "".
        mode: How it is sent.
        steps: Statement and parameters, one after the other in one session.
    """

    expected: str
    mode: str
    steps: tuple[tuple[str, tuple[str, ...]], ...]

    def __str__(self) -> str:
        told = " ;; ".join(sql for sql, _ in self.steps)
        return f"{self.expected or ' '} {self.mode} {told}"


def channels(folder: str) -> list[str]:
    """The names of the files in a folder."""
    return sorted(path.stem for path in (_FOLDER / folder).glob("*.txt"))


def read(folder: str, channel: str) -> list[Case]:
    """The cases of a channel."""
    lines = (_FOLDER / folder / f"{channel}.txt").read_text().splitlines()
    return [case for line in lines if line and line[0] != "#" for case in _cases(line)]


def _cases(line: str) -> Iterator[Case]:
    expected = ""
    if line[0] in EXPECTATIONS:
        expected, line = line[0], line[1:].lstrip()
    modes, _, rest = line.partition(" ")
    for name, blank in _BLANKS.items():
        rest = rest.replace(name, blank)
    steps = tuple(_step(each) for each in rest.split(";; "))
    for mode in modes:
        yield Case(expected=expected, mode=mode, steps=steps)


def _step(text: str) -> tuple[str, tuple[str, ...]]:
    sql, given, values = text.strip(" ").partition(" << ")
    return sql, tuple(values.split(" | ")) if given else ()


class Sessions:
    """One session for many cases, made as new after each of them; another where one has ended."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._client: Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def run(self, case: Case, *, right: bool = True) -> Received:
        """Do what a case says; everything that came back, with what making it new brought."""
        client, self._client = self._client or self._connect(), None
        received = send(client, case, right=right)
        if received.kinds[-1:] != ["Z"]:
            client.close()
            return received
        again = client.renew()
        if again.tags[-1:] == ["DISCARD ALL"]:
            self._client = client
        else:
            client.close()
        # Its errors are none of the case's own.
        received.words += again.words
        return received


def send(client: Client, case: Case, *, right: bool = True) -> Received:
    """Do what a case says, guessing right or wrong where it guesses; all that came of it."""
    text, number = _GUESSES[right]
    steps = [
        (sql.replace("{guess}", text).replace("{number}", number), given)
        for sql, given in case.steps
    ]
    if case.mode == "p":
        client.send(b"".join(_extended(sql, given, "x") for sql, given in steps))
        return client.until_ready(len(steps))
    if case.mode == "s":
        return _crossed(client, steps[0][0])
    return Received.read(b"".join(_one(client, *step, case.mode).raw for step in steps))


def _one(client: Client, sql: str, given: tuple[str, ...], mode: str) -> Received:
    if mode == "q":
        client.send(wire.query(sql))
        return client.until_copied(
            "".join(given).replace("\\t", "\t").replace("\\n", "\n").encode()
        )
    client.send(_extended(sql, given, mode))
    return client.until_ready(2 if mode == "e" else 1)


def _extended(sql: str, given: tuple[str, ...], mode: str) -> bytes:
    if mode == "e":
        run = wire.bind(given, statement="again") + wire.execute() + wire.SYNC
        return wire.parse(sql, "again") + run + run + wire.close("S", "again")
    if mode == "n":
        rows = wire.execute("rows", 1) + wire.execute("rows", 1) + wire.execute("rows")
        return (
            wire.parse(sql, "named") + wire.bind(given, statement="named", portal="rows")
            + wire.describe("P", "rows") + rows + wire.SYNC
        )  # fmt: skip
    return (
        wire.parse(sql) + wire.describe("S") + wire.bind(given, result=int(mode == "b"))
        + wire.describe("P") + wire.execute() + wire.SYNC
    )  # fmt: skip


def _crossed(client: Client, sql: str) -> Received:
    if sql.startswith("PREPARE"):
        first = wire.query(sql)
        second = wire.bind((), statement="p") + wire.execute() + wire.SYNC
    else:
        first = wire.parse(sql, "p") + wire.SYNC
        second = wire.query("EXECUTE p")
    client.send(first + second)
    return client.until_ready(2)


def told(received: Received) -> tuple[object, ...]:
    """What a client learns of a guess: rows, how many, and how it ended; not the guess itself."""
    values = [_without_guess(value) for value in received.values]
    return values, received.codes, received.tags


def _without_guess(value: bytes) -> bytes:
    for guesses in _GUESSES.values():
        for guess in guesses:
            value = value.replace(guess.encode(), b"?")
    return value
