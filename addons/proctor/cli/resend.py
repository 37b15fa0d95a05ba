"""`proctor replay --send`: ask for it, wait for whoever decides, and show what differs."""

import json
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import typer
from rich import box
from rich.console import Console as Screen
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from proctor.cli.common import OutputFormat, visible
from proctor.cli.console import Console
from proctor.cli.screen import plain, put, screen, span
from proctor.errors import UpstreamError

_OPEN: Final = frozenset({"waiting", "sending"})
_LOOK: Final = 1.0
_OLD, _NEW = "-", "+"


def send(
    api: Console,
    asked: Mapping[str, object],
    output: OutputFormat | None,
    pause: Callable[[float], object] | None = None,
) -> bool:
    """Ask, wait and show; true where all of it was sent.

    Args:
        api: The console.
        asked: What is to be sent, as its API takes it.
        output: None: a table in a terminal, else JSON.
        pause: Waits so many seconds between two looks; None: as time passes.
    """
    job = _job(api.post("replays", asked))
    name = str(job.get("id"))
    _say(f"{name} waits for a human: `proctor approvals approve {name}`, or the console")
    try:
        job = _followed(api, job, pause or threading.Event().wait)
    except KeyboardInterrupt:
        job = _job(api.delete(f"replays/{name}"))
    if output is OutputFormat.JSON or (output is None and not sys.stdout.isatty()):
        sys.stdout.write(json.dumps(job, indent=1) + "\n")
    else:
        _show(job, screen(sys.stdout))
    if job.get("problem") or job.get("stage") != "done":
        _say(f"{job.get('stage')}: {job.get('problem') or 'not all of it was sent'}")
    return job.get("stage") == "done"


def _followed(
    api: Console, job: dict[str, Any], pause: Callable[[float], object]
) -> dict[str, Any]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Screen(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("waiting", total=int(job.get("requests") or 0))
        while job.get("stage") in _OPEN:
            pause(_LOOK)
            job = _job(api.get(f"replays/{job.get('id')}"))
            stage, sent = str(job.get("stage")), len(_results(job))
            bar.update(task, description=visible(stage), completed=sent)
    return job


def _show(job: dict[str, Any], console: Screen) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("turn", "status", "stop", "tokens out", "took", "differs in"):
        table.add_column(name, overflow="fold")
    for each in _results(job):
        old, new = each.get("recorded") or {}, each.get("sent") or {}
        differs = ", ".join(map(str, each.get("differs") or ())) or "nothing"
        table.add_row(
            plain(str(each.get("turn"))),
            _both(old.get("status"), new.get("status")),
            _both(old.get("stop_reason"), new.get("stop_reason")),
            _both(old.get("output_tokens"), new.get("output_tokens")),
            _both(_span(old.get("seconds")), _span(new.get("seconds"))),
            plain(differs, "dim" if differs == "nothing" else "yellow"),
        )
    put(console, table)
    for each in _results(job):
        if each.get("diff") or (each.get("sent") or {}).get("error"):
            put(console, _difference(each))


def _difference(each: dict[str, Any]) -> Text:
    told = plain(f"turn {each.get('turn')}", "bold")
    if error := (each.get("sent") or {}).get("error"):
        told.append_text(plain(f"\n{error}", "red"))
    for line in each.get("diff") or ():
        text = str(line)
        style = {_OLD: "red", _NEW: "green"}.get(text[:1], "dim")
        told.append_text(plain(f"\n{text}", style))
    return told


def _both(recorded: object, sent: object) -> Text:
    if recorded == sent:
        return plain(str(sent))
    return plain(f"{recorded} → {sent}")


def _span(seconds: object) -> str:
    return span(float(seconds)) if isinstance(seconds, int | float) else ""


def _results(job: dict[str, Any]) -> list[dict[str, Any]]:
    found = job.get("results")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _job(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        raise UpstreamError("console-answer", "The console's answer is no replay")
    return found


def _say(text: str) -> None:
    typer.echo(f"proctor: {visible(text)}", err=True)
