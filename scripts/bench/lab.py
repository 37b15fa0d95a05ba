"""What every measurement needs: an origin, a load generator, and the programs that are compared.

All of it on free ports of loopback and in a temporary folder; only processes started here are
ended, each by its own handle.
"""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import wire
from clients import Target

from proctor.arriving.patterns import warm
from proctor.redaction.compiled import usable
from proctor.testing import gateway, tls
from proctor.testing.ports import free_ports

ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules"  # those that ship
_HERE = Path(__file__).parent
_PATIENCE = 30.0  # seconds for a program to come up or to end
_MITMDUMP = (sys.executable, "-c", "from mitmproxy.tools.main import mitmdump; mitmdump()")

_LAZY = ("--set", "connection_strategy=lazy")

WITHOUT = "redaction: {profile: none}\n"

ENV = {"BENCH_KEY": "sk-bench"}
REVERSE = """\
  - name: plain
    kind: reverse
    listen: 127.0.0.1:{plain}
    upstream: http://127.0.0.1:{origin_plain}
    speaks: anthropic
    credential: anthropic
  - name: tls
    kind: reverse
    listen: 127.0.0.1:{tls}
    tls: {{cert: {files.cert}, key: {files.key}}}
    upstream: https://127.0.0.1:{origin_tls}
    upstream_tls: {{ca: {files.ca}}}
    speaks: anthropic
    credential: anthropic
"""
FORWARD = """\
  - name: egress
    kind: forward
    listen: 127.0.0.1:0
    destinations:
      - host: localhost
        port: {origin_tls}
        credential: anthropic
        upstream_tls: {{ca: {files.ca}}}
      - {{host: localhost, port: {origin_plain}, plaintext: true}}
"""
ROUTES = """\
  - name: tools
    kind: reverse
    listen: 127.0.0.1:0
    speaks: mcp
    routes:
      - path: /tickets
        upstream: http://127.0.0.1:{mcp}/mcp
        credential: anthropic
"""
_CONFIG = """\
schema_version: 1
listeners:
{listeners}identity:
  issuers:
    - issuer: local
      audience: proctor
credentials:
  - name: anthropic
    header: x-api-key
    value: {{env: BENCH_KEY}}
rules: {rules}
audit: {{path: recordings/}}
console: {{listen: "127.0.0.1:0"}}
{more}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """One program between client and origin.

    Attributes:
        name: In tables.
        process: Whose CPU and memory are looked at.
        plain: Port for plain HTTP/1.1.
        tls: Port for TLS.
        forward: Port of its forward proxy.
        ca: Whom a forward proxy's clients trust.
        recordings: Where it keeps its record, or None.
        console: Its console's address, `host:port`, or "".
    """

    name: str
    process: psutil.Process
    plain: int = 0
    tls: int = 0
    forward: int = 0
    ca: Path | None = None
    recordings: Path | None = None
    console: str = ""

    def cpu(self) -> float:
        """Seconds of CPU, user and system, all threads, since it started."""
        times = self.process.cpu_times()
        return times.user + times.system

    def rss(self) -> float:
        """Resident memory, MB."""
        return self.process.memory_info().rss / 1e6

    def pss(self) -> float:
        """The same, of what is shared with other processes only its part; Linux tells it."""
        return getattr(self.process.memory_full_info(), "pss", 0) / 1e6


@dataclass(slots=True, kw_only=True)
class Lab:
    """The bench, set up.

    Attributes:
        folder: For everything that is written.
        files: Certificates of the day.
        origin: The two ports of the origin, `plain` and `tls`.
        load: The load generator.
        cache: Where compiled rules are kept.
    """

    folder: Path
    files: tls.Files
    origin: dict[str, int]
    load: subprocess.Popen[str]
    cache: Path
    token: str = ""

    def target(self, proxy: Proxy | None, kind: str = "plain", *, http2: bool = False) -> Target:
        """Where to send requests; without a proxy straight to the origin."""
        ports = {"plain": proxy.plain, "tls": proxy.tls} if proxy else self.origin
        return Target(
            name=proxy.name if proxy else "origin",
            port=ports[kind],
            token=self.token,
            ca=str(self.files.ca) if kind == "tls" else None,
            http2=http2,
        )

    def beyond(self, proxy: Proxy | None, kind: str = "tls", *, http2: bool = False) -> Target:
        """An API that is asked through a forward proxy; without one directly."""
        ca = (proxy.ca if proxy else self.files.ca) if kind == "tls" else None
        return Target(
            name=proxy.name if proxy else "origin",
            port=self.origin[kind],
            token=self.token,
            ca=str(ca) if ca else None,
            http2=http2,
            path=wire.SEARCH,
            proxy=proxy.forward if proxy else 0,
        )

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Give the load generator one job and wait for what it says.

        Raises:
            RuntimeError: It, or an answer it got, was wrong.
        """
        if self.load.stdin is None or self.load.stdout is None:
            raise RuntimeError("the load generator has no pipes")
        self.load.stdin.write(json.dumps(job, default=_plain) + "\n")
        self.load.stdin.flush()
        line = self.load.stdout.readline()
        said: dict[str, Any] = json.loads(line) if line else {"error": "the load generator ended"}
        if "error" in said:
            raise RuntimeError(said["error"])
        return said

    @contextlib.contextmanager
    def stock(self) -> Iterator[Proxy]:
        """Stock mitmdump, as it comes, without an addon."""
        plain, encrypted = free_ports(2)
        pem = self.folder / "stock.pem"
        pem.write_bytes(self.files.key.read_bytes() + self.files.cert.read_bytes())
        arguments = [
            *("--mode", f"reverse:http://127.0.0.1:{self.origin['plain']}@127.0.0.1:{plain}"),
            *("--mode", f"reverse:https://127.0.0.1:{self.origin['tls']}@127.0.0.1:{encrypted}"),
            *("--certs", f"*={pem}"),
            *("--set", f"ssl_verify_upstream_trusted_ca={self.files.ca}"),
            *_LAZY,
        ]
        with self._mitmdump(arguments, plain, encrypted) as process:
            yield Proxy(name="stock mitmdump", process=process, plain=plain, tls=encrypted)

    @contextlib.contextmanager
    def stock_forward(self) -> Iterator[Proxy]:
        """The same as a forward proxy, with an authority of its own."""
        (forward,) = free_ports(1)
        arguments = [
            *("--mode", f"regular@127.0.0.1:{forward}"),
            *("--set", f"ssl_verify_upstream_trusted_ca={self.files.ca}"),
        ]
        with self._mitmdump(arguments, forward) as process:
            yield Proxy(
                name="stock mitmdump",
                process=process,
                forward=forward,
                ca=self.folder / "mitmproxy" / "mitmproxy-ca-cert.pem",
            )

    @contextlib.contextmanager
    def suite(self) -> Iterator[Proxy]:
        """Stock mitmdump with proctor's suite."""
        plain, encrypted, own = free_ports(3)
        config = self.config("suite", REVERSE, plain=plain, tls=encrypted)
        # Else mitmproxy's own listener is at 8080, where somebody may be.
        arguments = ["-s", str(ROOT / "addons/suite.py"), "--listen-port", str(own), *_LAZY]
        arguments += ["--set", f"proctor_config={config}"]
        with self._mitmdump(arguments, plain, encrypted) as process:
            yield Proxy(
                name="mitmdump -s suite.py",
                process=process,
                plain=plain,
                tls=encrypted,
                recordings=config.parent / "recordings",
            )

    @contextlib.contextmanager
    def proctor(
        self, name: str, more: str = WITHOUT, *, rules: Path = RULES, dev: bool = False
    ) -> Iterator[Proxy]:
        """`proctor run` as anyone starts it, in a folder called `name`.

        Args:
            name: Of the folder; where there is a gateway in it, this one shares what it keeps.
            more: Further lines of its proctor.yaml. Redaction is measured by itself.
            rules: A folder.
            dev: Its own issuer's tokens may decide.
        """
        plain, encrypted = free_ports(2)
        config = self.config(name, REVERSE, more, rules=rules, plain=plain, tls=encrypted)
        with gateway.running(config, env=ENV, arguments=["--dev"] if dev else []) as running:
            yield Proxy(
                name="proctor",
                process=psutil.Process(running.process.pid),
                plain=plain,
                tls=encrypted,
                recordings=config.parent / "recordings",
                console=running.console,
            )

    @contextlib.contextmanager
    def proctor_forward(self, name: str, more: str = WITHOUT) -> Iterator[Proxy]:
        """`proctor run` with a forward listener, its clients trusting its own authority."""
        config = self.config(name, FORWARD, more)
        with gateway.running(config, env=ENV) as running:
            ca = config.parent / "ca.pem"
            done = gateway.command("ca", "export", "--out", str(ca), cwd=config.parent)
            if done.returncode:
                raise RuntimeError(f"proctor ca failed:\n{done.stderr}")
            yield Proxy(
                name="proctor",
                process=psutil.Process(running.process.pid),
                forward=int(running.listeners["egress"].rpartition(":")[2]),
                ca=ca,
                recordings=config.parent / "recordings",
            )

    def config(
        self, name: str, listeners: str, more: str = WITHOUT, *, rules: Path = RULES, **ports: int
    ) -> Path:
        """A proctor.yaml in a folder of this name, and a token for whoever asks there."""
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"proctor{len(list(folder.glob('proctor*.yaml'))) or ''}.yaml"
        known = {f"origin_{kind}": port for kind, port in self.origin.items()}
        made = listeners.format(files=self.files, **known, **ports)
        more = more.replace("redaction: {", f"redaction: {{cache: {self.compiled()}, ", 1)
        text = _CONFIG.format(listeners=made, rules=rules, more=more)
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        self._make_token(path)
        return path

    def compiled(self) -> Path:
        """What a gateway compiles at its first start, which is no work of any request's."""
        warm(usable(self.cache))
        return self.cache

    def _make_token(self, config: Path) -> None:
        done = gateway.command(
            *("token", "--local", "--subject", "bench", "--ttl", "12h", "--config", str(config)),
            cwd=config.parent,
        )
        if done.returncode:
            raise RuntimeError(f"proctor token failed:\n{done.stderr}")
        self.token = done.stdout.strip()

    @contextlib.contextmanager
    def _mitmdump(self, arguments: Sequence[str], *ports: int) -> Iterator[psutil.Process]:
        common = [
            *("--quiet", "--set", "flow_detail=0"),
            *("--set", f"confdir={self.folder / 'mitmproxy'}"),
        ]
        path = self.folder / "mitmdump.log"
        with (
            path.open("ab") as log,
            started(
                [*_MITMDUMP, *common, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=gateway.environment(**ENV),
            ) as process,
        ):
            for port in ports:
                _wait_for(port, process, path)
            yield psutil.Process(process.pid)


@contextlib.contextmanager
def lab(folder: Path, cache: Path | None = None) -> Iterator[Lab]:
    """Set up origin and load generator; both end with it."""
    cache = cache or folder / "compiled"
    files = tls.make(folder / "tls")
    with ExitStack() as stack:
        origin, load = (
            stack.enter_context(
                started(
                    [sys.executable, str(_HERE / script), *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for script, arguments in (
                ("origin.py", [str(files.cert), str(files.key)]),
                ("load.py", []),
            )
        )
        if origin.stdout is None:
            raise RuntimeError("the origin has no output")
        ports = json.loads(origin.stdout.readline())
        yield Lab(folder=folder, files=files, origin=ports, load=load, cache=cache)


@contextlib.contextmanager
def started(command: Sequence[str], **how: Any) -> Iterator[subprocess.Popen[str]]:
    """A process for as long as the block lasts."""
    process = subprocess.Popen(command, **how)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[str], log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            # waits a moment, and less if the process ends
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        else:
            return
    raise RuntimeError(f"mitmdump did not open port {port}:\n{log.read_text('utf-8')[-2000:]}")


def _plain(value: object) -> object:
    if isinstance(value, Target):
        return asdict(value)
    raise TypeError(type(value).__name__)
