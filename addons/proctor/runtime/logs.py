"""The operational log: one JSON object a line, UTC, on standard error, without secrets.

A line has `ts`, `level`, `logger`, `event`, `message`, and whatever a caller gave as `extra`. All
text passes `scrub` on its way out, whoever wrote it: mitmproxy, a library or ourselves.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import IO, Any

from proctor.scrub import GONE, scrub

_MAX_TEXT = 8 * 1024
_MAX_ITEMS = 100
_MAX_DEPTH = 6
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "event", "taskName"}
_SECRET_KEY = re.compile(
    r"(?i)(?:proxy[-_])?authorization|(?:set-)?cookie|.*api[-_]?key|.*token|.*secret|.*passw(?:or)?d"
)
# C0, DEL and C1: in a terminal these could rewrite what was shown before.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_COLOURS = {"DEBUG": "2", "INFO": "36", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
# These tell each connection or request; they are heard when one asks for debugging.
_CHATTY = (
    "mitmproxy",
    "httpx",
    "httpcore",
    "uvicorn",
    "asyncio",
    "hpack",
    "h2",
    "tornado",
    "presidio-analyzer",
)


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    TEXT = "text"


class JsonFormatter(logging.Formatter):
    """One JSON object a line, ASCII only."""

    def format(self, record: logging.LogRecord) -> str:
        """The line without its end."""
        line: dict[str, Any] = {
            "ts": _timestamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": str(getattr(record, "event", "log")),
            "message": _clean(_message(record)),
        }
        for key, value in _extra(record).items():
            line.setdefault(key, value)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["traceback"] = _clean(self.formatException(record.exc_info))
        return json.dumps(line, separators=(",", ":"), allow_nan=False, default=str)


class TextFormatter(logging.Formatter):
    """For a person at a terminal: time, level, message, fields."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """The line without its end; a traceback follows in lines of its own."""
        fields = "".join(
            f" {key}={value if isinstance(value, str) else json.dumps(value, default=str)}"
            for key, value in _extra(record).items()
        )
        level = f"{record.levelname:<7}"
        if self._colour:
            level = f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m"
            fields = f"\x1b[2m{_visible(fields)}\x1b[0m" if fields else ""
        else:
            fields = _visible(fields)
        text = f"{_timestamp(record)[11:23]} {level} "
        text += _visible(_clean(_message(record))) + fields
        if record.exc_info and record.exc_info[0] is not None:
            lines = _clean(self.formatException(record.exc_info)).splitlines()
            text += "".join(f"\n    {_visible(line)}" for line in lines)
        return text


def configure_logs(
    log_format: LogFormat | None = None,
    *,
    level: int = logging.INFO,
    stream: IO[str] | None = None,
) -> None:
    """Send all logging of this process through our formatter.

    Args:
        log_format: None: text where `stream` is a terminal, else JSON.
        level: Lowest level written; at DEBUG libraries are heard, too.
        stream: Standard error if None.
    """
    out = sys.stderr if stream is None else stream
    terminal = out.isatty()
    if log_format is None:
        log_format = LogFormat.TEXT if terminal else LogFormat.JSON
    handler = logging.StreamHandler(out)
    handler.setLevel(level)  # mitmproxy opens the root logger for its own windows
    handler.setFormatter(
        JsonFormatter() if log_format is LogFormat.JSON else TextFormatter(colour=terminal)
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(
            logging.NOTSET if level <= logging.DEBUG else max(level, logging.WARNING)
        )
    logging.captureWarnings(capture=True)


def leave_terminal() -> None:
    """Write to no terminal from now on: it shows a live view, whose event list has the lines."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, logging.StreamHandler) and handler.stream.isatty():
            root.removeHandler(handler)


def _timestamp(record: logging.LogRecord) -> str:
    when = datetime.fromtimestamp(record.created, UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a bad format must not lose the line, nor raise where it stands
        return str(record.msg)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {
        scrub(key): _plain(value, key, 0)
        for key, value in record.__dict__.items()
        if key not in _OWN and not key.startswith("_")
    }


def _plain(value: object, key: str, depth: int) -> Any:  # noqa: PLR0911 - one for each type
    """A value as JSON can hold it, bounded, without secrets."""
    if value is None or isinstance(value, bool | int):
        return value
    if _SECRET_KEY.fullmatch(key):
        return GONE
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value)} bytes)"
    if depth >= _MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {
            scrub(str(name)): _plain(item, str(name), depth + 1)
            for name, item in list(value.items())[:_MAX_ITEMS]
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, "", depth + 1) for item in list(value)[:_MAX_ITEMS]]
    try:
        return _clean(str(value))
    except Exception:  # noqa: BLE001 - someone's __str__; the line matters more
        return f"({type(value).__name__})"


def _clean(text: str) -> str:
    """Scrubbed and bounded; a secret across the bound is still whole when it is looked for."""
    clean = scrub(text[: 2 * _MAX_TEXT])
    return clean if len(text) <= _MAX_TEXT else f"{clean[:_MAX_TEXT]}… ({len(text)} characters)"


def _visible(text: str) -> str:
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
