"""The stock tools as processes, mitmdump or mitmweb with the suite as script, or `proctor run`."""

import contextlib
import re
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from proctor.testing.gateway import COMMAND, environment
from proctor.testing.ports import free_ports
from proctor.testing.service import MODELS
from tests.support.installation import REPOSITORY, Installation

PATIENCE = 120.0
CONTEXT = ssl.create_default_context()
"""Made once: httpx would make one a request."""

BODY: dict[str, Any] = {
    "model": MODELS[0],
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "say: hi"}],
}


def script(folder: Path) -> Path:
    """A copy of addons/suite.py that a test may break, with the package beside it."""
    folder.mkdir()
    (folder / "proctor").symlink_to(REPOSITORY / "addons/proctor")
    copy = folder / "suite.py"
    copy.write_text((REPOSITORY / "addons/suite.py").read_text())
    return copy


@dataclass(slots=True, kw_only=True)
class Stock:
    """A running tool.

    Attributes:
        port: Of proctor's one listener, once it is open.
        open_port: Where mitmproxy's own default, an open forward proxy, would be.
        lines: What it has said so far.
    """

    process: subprocess.Popen[str]
    port: int
    open_port: int
    lines: list[str] = field(default_factory=list[str])
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _ended: bool = False

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as stream:
            for line in stream:
                with self._changed:
                    self.lines.append(line.rstrip())
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def said(self) -> str:
        """All of it."""
        return "\n".join(self.lines)

    def wait_for(self, text: str, *, since: int = 0) -> int:
        """Until a line at or after `since` holds `text`; returns the number of the next one."""
        seen = since

        def found() -> bool:
            nonlocal seen
            while seen < len(self.lines):
                seen += 1
                if text in self.lines[seen - 1]:
                    return True
            return self._ended

        with self._changed:
            done = self._changed.wait_for(found, PATIENCE)
            assert done, f"no {text!r} in:\n{self.said}"
            assert seen
            assert text in self.lines[seen - 1], f"ended without {text!r}:\n{self.said}"
            return seen

    def ask(self, token: str, **more: Any) -> httpx.Response:
        """One request to the Messages API, on a connection of its own."""
        headers = {"authorization": f"Bearer {token}", "anthropic-version": "2023-06-01"}
        url = f"http://127.0.0.1:{self.port}/v1/messages"
        return httpx.post(url, json=BODY | more, headers=headers, timeout=30, verify=CONTEXT)


def start(
    installed: Installation,
    *options: str,
    tool: str = "mitmdump",
    suite: Path | None = REPOSITORY / "addons/suite.py",
    config: Path | None = None,
    home: Path,
    env: dict[str, str] | None = None,
) -> Stock:
    """Start a tool as a person types it, in an empty home; it may not be up yet.

    Args:
        installed: Its listener is given a port.
        options: More of them.
        tool: `mitmdump`, `mitmweb` or `proctor`.
        suite: The script; None for none.
        config: Instead of the installation's; `Path()` for none.
        home: HOME.
        env: Added to a small environment.
    """
    port, console, open_port = free_ports(3)
    text = installed.config.read_text()
    text = re.sub(r"listen: 127.0.0.1:\d+\n", f"listen: 127.0.0.1:{port}\n", text)
    text = re.sub(r"{listen: 127.0.0.1:\d+}", f"{{listen: 127.0.0.1:{console}}}", text)
    installed.config.write_text(text)
    home.mkdir(exist_ok=True)
    if tool == "proctor":
        command = [*COMMAND, "run", "--config", str(installed.config)]
    else:
        command = [str(Path(sys.executable).with_name(tool)), "--listen-port", str(open_port)]
        if suite:
            command += ["-s", str(suite)]
        if config != Path():
            command += ["--set", f"proctor_config={config or installed.config}"]
    process = subprocess.Popen(
        [*command, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=home,
        env=environment(**installed.env)
        | {"HOME": str(home), "PYTHONUNBUFFERED": "1"}
        | (env or {}),
    )
    stock = Stock(process=process, port=port, open_port=open_port)
    threading.Thread(target=stock._read, daemon=True).start()
    return stock


@contextlib.contextmanager
def stopped_at_end(stock: Stock) -> Iterator[Stock]:
    """End it with SIGTERM, and SIGKILL if that does not help."""
    try:
        yield stock
    finally:
        if stock.process.poll() is None:
            stock.process.terminate()
        try:
            stock.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            stock.process.kill()
            stock.process.wait()
