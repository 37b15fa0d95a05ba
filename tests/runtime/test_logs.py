"""The operational log: JSON lines without secrets."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.runtime.logs import (
    JsonFormatter,
    LogFormat,
    TextFormatter,
    configure_logs,
    leave_terminal,
)

SECRET = "Zx9secretzx9SECRET77"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
CREATED = 1795311515.1234


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    for name in ("mitmproxy", "httpx", "httpcore", "uvicorn", "asyncio", "hpack", "h2", "tornado"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def record(
    message: str, *arguments: object, level: int = logging.INFO, **extra: Any
) -> logging.LogRecord:
    made = logging.getLogger("proctor.x").makeRecord(
        "proctor.x", level, "file", 1, message, arguments, None, extra=extra
    )
    made.created = CREATED
    return made


def line(made: logging.LogRecord) -> dict[str, Any]:
    text = JsonFormatter().format(made)
    assert text.isascii()
    assert "\n" not in text
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def test_a_line() -> None:
    assert line(record("Read %d", 3, event="x.read", count=3, path="/a", items=(1, "b"))) == {
        "ts": "2026-11-22T01:38:35.123Z",
        "level": "info",
        "logger": "proctor.x",
        "event": "x.read",
        "message": "Read 3",
        "count": 3,
        "path": "/a",
        "items": [1, "b"],
    }


def test_what_is_always_there() -> None:
    assert line(record("x"))["event"] == "log"
    # A caller cannot take the place of what is always there.
    assert (
        line(record("x", level=logging.ERROR, ts="never", logger="other"))["logger"] == "proctor.x"
    )


@pytest.mark.parametrize(
    ("message", "arguments", "extra"),
    [
        (f"Authorization: Bearer {SECRET}", (), {}),
        ("got %s", (f"Bearer {SECRET}",), {}),
        ("got %r", ([(b"x-api-key", SECRET.encode())],), {}),
        ("key sk-ant-" + SECRET, (), {}),
        ("x", (), {"headers": {"x-api-key": SECRET, "a": "b"}}),
        ("x", (), {"token": SECRET}),
        ("x", (), {"client_secret": SECRET}),
        ("x", (), {"nested": [{"deep": {"Authorization": SECRET}}]}),
        ("x", (), {"note": f"sent x-api-key: {SECRET}"}),
        ("x", (), {"raw": SECRET.encode()}),
        ("x", (), {"error_object": ValueError(f"Bearer {SECRET}")}),
        ("token %s", (JWT,), {}),
        ("x", (), {f"Bearer {SECRET}": 1}),
    ],
)
def test_no_secret_gets_out(
    message: str, arguments: tuple[object, ...], extra: dict[str, Any]
) -> None:
    made = record(message, *arguments, **extra)
    for formatter in (JsonFormatter(), TextFormatter(colour=True), TextFormatter(colour=False)):
        text = formatter.format(made)
        assert SECRET not in text
        assert JWT[-10:] not in text


def test_no_secret_gets_out_of_a_traceback() -> None:
    made = record("Failed")
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int(f"Bearer {SECRET}")
    made.exc_info = (caught.type, caught.value, caught.tb)
    found = line(made)
    assert found["error"] == "ValueError"
    assert "test_logs.py" in found["traceback"]
    assert SECRET not in json.dumps(found)
    assert SECRET not in TextFormatter(colour=False).format(made)


class Rude:
    def __str__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (1.5, 1.5),
        (True, True),
        (None, None),
        (b"abc", "(3 bytes)"),
        (Rude(), "(Rude)"),
        ([[[[[[[[1]]]]]]]], [[[[[["…"]]]]]]),
        ({1: 2}, {"1": 2}),
        ("\x1b[2J\n", "\x1b[2J\n"),
    ],
)
def test_any_value_is_written(value: object, shown: object) -> None:
    assert line(record("x", field=value))["field"] == shown


def test_long_text_and_bad_formats() -> None:
    found = line(record("x" * 100_000, field="y" * 100_000, many=list(range(1000))))
    assert len(found["message"]) < 10_000
    assert len(found["field"]) < 10_000
    assert len(found["many"]) == 100
    assert line(record("%d and %d", 1))["message"] == "%d and %d"


def test_a_person_at_a_terminal() -> None:
    made = record("Hello\x1b[2J\nworld", level=logging.WARNING, event="x", count=3, note="a\nb")
    assert TextFormatter(colour=False).format(made) == (
        "01:38:35.123 WARNING Hello\\x1b[2J\\x0aworld count=3 note=a\\x0ab"
    )
    coloured = TextFormatter(colour=True).format(made)
    assert coloured.startswith("01:38:35.123 \x1b[33mWARNING\x1b[0m Hello\\x1b[2J")


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize(
    ("stream", "log_format", "json_lines"),
    [
        (io.StringIO, None, True),
        (Terminal, None, False),
        (Terminal, LogFormat.JSON, True),
        (io.StringIO, LogFormat.TEXT, False),
    ],
)
def test_json_unless_someone_looks(
    stream: type[io.StringIO],
    log_format: LogFormat | None,
    json_lines: bool,  # noqa: FBT001 - a table
) -> None:
    out = stream()
    configure_logs(log_format, stream=out)
    logging.getLogger("proctor.x").info("Hello")
    assert out.getvalue().startswith("{") is json_lines
    assert ("\x1b" in out.getvalue()) is (not json_lines and out.isatty())


@pytest.mark.usefixtures("restored")
def test_libraries_are_quiet_unless_one_debugs() -> None:
    def heard(level: int) -> list[str]:
        out = io.StringIO()
        configure_logs(level=level, stream=out)
        logging.getLogger().setLevel(logging.DEBUG)  # as mitmproxy does
        logging.getLogger("mitmproxy.proxy.server").info("client connect")
        logging.getLogger("mitmproxy.proxy.server").error("broken")
        logging.getLogger("httpx").info("HTTP Request")
        logging.getLogger("proctor").info("ours")
        logging.getLogger("proctor").debug("detail")
        return [json.loads(text)["message"] for text in out.getvalue().splitlines()]

    assert heard(logging.INFO) == ["broken", "ours"]
    assert heard(logging.ERROR) == ["broken"]
    assert heard(logging.DEBUG) == ["client connect", "broken", "HTTP Request", "ours", "detail"]


@pytest.mark.usefixtures("restored")
def test_warnings_are_lines_too() -> None:
    out = io.StringIO()
    configure_logs(stream=out)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert json.loads(out.getvalue())["logger"] == "py.warnings"


@given(
    st.text(),
    st.dictionaries(st.text(max_size=5), st.text() | st.binary() | st.floats() | st.integers()),
)
def test_any_record_is_one_line(message: str, field: dict[str, Any]) -> None:
    line(record(message, field=field))
    assert "\n" not in TextFormatter(colour=True).format(record(message, field=field))


@pytest.mark.usefixtures("restored")
def test_a_terminal_with_a_live_view_gets_no_lines() -> None:
    terminal, file = Terminal(), io.StringIO()
    for out in (terminal, file):
        configure_logs(LogFormat.JSON, stream=out)
        leave_terminal()
        logging.getLogger("proctor").warning("heard")
    assert not terminal.getvalue()
    assert "heard" in file.getvalue()
