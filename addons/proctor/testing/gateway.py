"""`proctor run` as a process of its own, for the demo, tests and benchmarks."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

_PATIENCE = 120.0  # seconds to wait for a line of the log, or for the end
COMMAND = (sys.executable, "-c", "from proctor.cli import main; main()")
"""`proctor`, whether or not it stands in the PATH."""


@dataclass(slots=True, kw_only=True)
class Gateway:
    """A running gateway.

    Attributes:
        process: Only this one is ever signalled.
        config: Its proctor.yaml.
        log: Lines of its operational log so far, parsed; what is no JSON stands under `text`.
        listeners: Address by name, as `host:port`, once it is ready.
        console: The console's address, likewise.
    """

    process: subprocess.Popen[str]
    config: Path
    log: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    listeners: dict[str, str] = field(default_factory=dict[str, str])
    console: str = ""
    _lines: "queue.Queue[dict[str, Any] | None]" = field(default_factory=queue.Queue)

    @classmethod
    def start(cls, config: Path, *, env: Mapping[str, str], arguments: Sequence[str] = ()) -> Self:
        """Start one and return once it takes traffic.

        Args:
            config: A proctor.yaml; port 0 in it takes a free port.
            env: Added to a small environment; credentials go here.
            arguments: More of them, for `proctor run`.

        Raises:
            RuntimeError: It ended, or did not become ready in two minutes.
        """
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*COMMAND, "run", "--config", str(config), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**env),
            cwd=config.parent,
        )
        gateway = cls(process=process, config=config)
        threading.Thread(target=gateway._read, name="gateway-log", daemon=True).start()
        try:
            ready = gateway.wait_for("ready")
        except RuntimeError:
            gateway.kill()
            raise
        gateway.listeners = ready["listeners"]
        gateway.console = ready.get("console", "")
        return gateway

    def url(self, name: str, scheme: str = "http") -> str:
        """What a client puts into ANTHROPIC_BASE_URL for a listener."""
        return f"{scheme}://{self.listeners[name]}"

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next line of the log with this `event`.

        Raises:
            RuntimeError: It ended first, or two minutes without a line have passed; the message
                holds the log.
        """
        try:
            while (line := self._lines.get(timeout=_PATIENCE)) is not None:
                if line.get("event") == event:
                    return line
        except queue.Empty:
            pass
        said = "\n".join(json.dumps(line) for line in self.log[-30:])
        raise RuntimeError(f"proctor run did not come to {event!r}; its log:\n{said}")

    def terminate(self) -> None:
        """SIGTERM: it drains, flushes and ends. Returns at once."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit status, at most two minutes from now."""
        return self.process.wait(_PATIENCE)

    def kill(self) -> None:
        """SIGKILL: as a crash."""
        self.process.kill()
        self.process.wait(_PATIENCE)

    def _read(self) -> None:
        if self.process.stderr is None:
            return
        with self.process.stderr as stream:
            for text in stream:
                try:
                    line = json.loads(text)
                except ValueError:
                    line = text
                entry = line if isinstance(line, dict) else {"text": text.rstrip()}
                self.log.append(entry)
                self._lines.put(entry)
        self._lines.put(None)


@contextlib.contextmanager
def running(
    config: Path, *, env: Mapping[str, str], arguments: Sequence[str] = ()
) -> Iterator[Gateway]:
    """A gateway for as long as the block lasts; then SIGTERM, and SIGKILL if that does not help."""
    gateway = Gateway.start(config, env=env, arguments=arguments)
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            gateway.terminate()
        try:
            gateway.wait()
        except subprocess.TimeoutExpired:
            gateway.kill()


def command(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one `proctor` command to its end, at most two minutes."""
    return subprocess.run(  # noqa: S603 - our own program
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
    )


def environment(**more: str) -> dict[str, str]:
    """A small environment: nothing of the caller's credentials and proxies gets in by itself."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "TERM", "COLUMNS")
    return {name: os.environ[name] for name in kept if name in os.environ} | more
