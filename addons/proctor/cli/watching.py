"""What waits for a human, as it changes: a table in a terminal, JSON lines elsewhere."""

import json
import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any, Final

from rich.console import Console as Screen
from rich.live import Live
from rich.text import Text

from proctor.cli import cards
from proctor.cli.console import Console, items
from proctor.cli.screen import plain
from proctor.errors import UpstreamError

_AGAIN: Final = (1.0, 2.0, 5.0, 10.0)
_TICK: Final = 1.0
_LEFT_OUT: Final = 4  # lines beside the table
_UNREAD: Final = 1000


def watch_lines(api: Console, stream: IO[str]) -> None:
    """Write every change as a line of JSON, until it is interrupted or refused."""
    for change in changes(api, threading.Event()):
        if change is not None:
            stream.write(json.dumps(change, ensure_ascii=False) + "\n")
            stream.flush()


def watch_table(api: Console, terminal: Screen) -> None:
    """Keep a table of what waits up to date, until it is interrupted or refused."""
    found: queue.Queue[dict[str, Any] | BaseException | None] = queue.Queue(_UNREAD)
    ended = threading.Event()

    def follow() -> None:
        try:
            for change in changes(api, ended):
                found.put(change)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever watches
            found.put(error)

    waiting = _waiting(api)
    thread = threading.Thread(target=follow, daemon=True)
    with Live(_table(waiting, terminal), console=terminal, auto_refresh=False) as live:
        thread.start()
        try:
            while True:
                news = False
                for change in _arrived(found):
                    news = True
                    if change is not None:
                        live.console.print(plain(cards.change(change), "dim"))
                if news:
                    waiting = _waiting(api)
                live.update(_table(waiting, terminal), refresh=True)
        finally:
            ended.set()


def changes(api: Console, ended: threading.Event) -> Iterator[dict[str, Any] | None]:
    """Changes as they come; None each time the connection is new, as something may be missed.

    A gateway that starts anew is waited for; who is not signed in any more is told so.
    """
    fails = 0
    while not ended.is_set():
        yield None
        try:
            for change in api.events():
                fails = 0
                yield change
        except UpstreamError:
            if fails >= len(_AGAIN):
                raise
        ended.wait(_AGAIN[min(fails, len(_AGAIN) - 1)])
        fails += 1


def _arrived(
    found: queue.Queue[dict[str, Any] | BaseException | None],
) -> Iterator[dict[str, Any] | None]:
    """What has come since, or within the next second."""
    try:
        each = found.get(timeout=_TICK)
        while True:
            if isinstance(each, BaseException):
                raise each
            yield each
            each = found.get_nowait()
    except queue.Empty:
        return


def _waiting(api: Console) -> list[dict[str, Any]]:
    listed = items(api.get("approvals", state="pending", oldest=1), "approvals")
    return sorted(listed, key=lambda item: str(item.get("requested_at")))


def _table(waiting: list[dict[str, Any]], terminal: Screen) -> Any:
    if not waiting:
        return Text("Nothing waits for you.", style="dim")
    room = max(1, terminal.height - _LEFT_OUT)
    made = cards.table(waiting[:room], datetime.now(UTC), terminal.width)
    if len(waiting) > room:
        made.caption = f"{len(waiting) - room:,} more"
    return made
