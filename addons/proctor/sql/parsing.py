"""PostgreSQL's own parser (libpg_query, PG 18's grammar), kept from harm by hostile text.

The tree comes as JSON: a third of the time that the protobuf form takes. libpg_query bounds
neither its stack ('1+1+1…' of 140 KB ends the process on 8 MiB) nor the time of long operators
('+-+-…' of 40 KB takes six seconds), so both are bounded here.
"""

import re
import threading
from collections.abc import Callable
from typing import Any, Final

import orjson
from postgast.native import lib

from proctor.sql.statement import SqlError

LIMIT: Final = 1024 * 1024
"""Longest text that is read, in bytes of UTF-8."""

# Of the tree as JSON; some 300,000 nodes. Python takes about a second for as many.
_TREE_LIMIT: Final = 16 * 1024 * 1024

# A level of nesting takes two bytes of text at least ('+1') and about 140 bytes of stack; threads
# and the main thread have 8 MiB as a rule.
_INLINE: Final = 32 * 1024
_STACK_PER_BYTE: Final = 256
_STACK_LEAST: Final = 8 * 1024 * 1024

# The lexer reads a run of operator characters again from each character of it, comments' openings
# within a run likewise: this many steps take some 60 ms.
_OPERATORS: Final = re.compile(rb"[-~!@#^&|`?+*/%<>=]{1024,}")
_STEPS: Final = 16_000_000

_stack_size: Final = threading.Lock()


def parse(text: str) -> tuple[dict[str, Any], bytes, str]:
    """The tree of `text`, its bytes (locations count in them) and libpg_query's fingerprint in hex.

    Raises:
        SqlError: It is too long, too deep, no text PostgreSQL takes, or no SQL.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise SqlError.at("invalid byte sequence for encoding UTF8") from None
    if b"\0" in data:
        raise SqlError.at("a statement cannot hold a zero byte")
    bounded(data)
    if len(data) <= _INLINE:
        tree, fingerprint = _both(data)
    else:
        tree, fingerprint = _on_a_deep_stack(lambda: _both(data), len(data))
    if len(tree) > _TREE_LIMIT:
        raise SqlError.at("the statement has too many parts")
    try:
        return orjson.loads(tree), data, fingerprint
    except orjson.JSONDecodeError:
        # orjson stops at 1,024 levels; everything else libpg_query writes it reads.
        raise SqlError.at("the statement is nested too deeply") from None


def bounded(data: bytes) -> None:
    """See that libpg_query's lexer takes no long time for a text.

    Raises:
        SqlError: It would.
    """
    if len(data) > LIMIT:
        raise SqlError.at(f"a statement of {len(data)} bytes is longer than the {LIMIT} read here")
    if sum(len(run.group()) ** 2 for run in _OPERATORS.finditer(data)) > _STEPS:
        raise SqlError.at("the statement holds too long an operator")


def _both(data: bytes) -> tuple[bytes, str]:
    parsed = lib.pg_query_parse(data)
    try:
        _check(parsed)
        tree: bytes = parsed.parse_tree
    finally:
        lib.pg_query_free_parse_result(parsed)
    printed = lib.pg_query_fingerprint(data)
    try:
        _check(printed)
        return tree, printed.fingerprint_str.decode()
    finally:
        lib.pg_query_free_fingerprint_result(printed)


def _check(result: Any) -> None:
    if result.error:
        error = result.error.contents
        raise SqlError.at((error.message or b"").decode(errors="replace"), error.cursorpos)


def _on_a_deep_stack[T](work: Callable[[], T], size: int) -> T:
    """Does `work` on a thread whose stack is deep enough for any text of `size` bytes."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001  # raised again below, in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=run, name="sql-parser")
    with _stack_size:
        before = threading.stack_size(_STACK_LEAST + size * _STACK_PER_BYTE)
        try:
            thread.start()
        finally:
            threading.stack_size(before)
    thread.join()
    if failed:
        raise failed[0]
    return done[0]
