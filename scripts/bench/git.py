"""A push of 100 MB through a forward listener, side by side with stock mitmdump.

git's own client pushes to git's own server; stock passes the push on unread, while ours reads it,
looks for secrets in what is text, asks the server what it builds upon, and keeps the record.
"""

import http.server
import os
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import psutil
from figures import Figure, median, spread
from lab import Lab, Proxy

from proctor.testing import gateway

MIB = 2**20
SIZE = 100 * MIB
TEXT = 10 * MIB
"""Of these, what is text: the rest is as images and archives are."""

REDACTION = "redaction: {profile: secrets}\n"
ROUNDS = 3
LISTENER = """\
  - name: egress
    kind: forward
    listen: 127.0.0.1:0
    destinations:
      - host: localhost
        port: {served}
        plaintext: true
        speaks: git
        credential: anthropic
"""
_WHO = {
    f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
_PIECE = 256 * 1024


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """Wall and CPU of the same push, by turns."""
    root = lab.folder / "git"
    size = max(MIB, int(SIZE * min(1.0, scale * 5)))
    with ExitStack() as stack:
        port = stack.enter_context(_served(root))
        work = _made(root, size)
        stock = stack.enter_context(lab.stock_forward())
        config = lab.config("git-home", LISTENER, REDACTION, served=port)
        running = stack.enter_context(gateway.running(config, env={"BENCH_KEY": "k"}))
        ours = Proxy(
            name="proctor",
            process=psutil.Process(running.process.pid),
            forward=int(running.listeners["egress"].rpartition(":")[2]),
        )
        runs: dict[str, list[tuple[float, float]]] = {"stock": [], "ours": []}
        _push(work, port, ours, lab.token, "warm")  # what reads packs takes seconds to load
        for number in range(max(1, min(ROUNDS, rounds))):
            for name, proxy in (("stock", stock), ("ours", ours)):
                runs[name].append(_push(work, port, proxy, lab.token, f"{name}{number}"))
    for index, what in enumerate(("wall", "CPU of the proxy")):
        each = {name: [run[index] for run in found] for name, found in runs.items()}
        ratios = [mine / theirs for mine, theirs in zip(each["ours"], each["stock"], strict=True)]
        yield Figure(
            what=f"git push of {size // MIB} MB, {what}",
            value=median(ratios),
            unit="x stock",
            goal=1.5 if index == 0 else None,
            note=f"{spread(ratios)}; {median(each['ours']):.1f} / {median(each['stock']):.1f} s",
            details={"runs": runs, "size": size},
        )


def _push(work: Path, port: int, proxy: Proxy, token: str, branch: str) -> tuple[float, float]:
    """Seconds of a push to a branch of a repository that has none of it, and of CPU."""
    bare = work.parent / "served.git"
    before, started = _cpu(proxy), time.monotonic()
    done = subprocess.run(
        [
            *("git", "-c", f"http.proxy=http://bench:{token}@127.0.0.1:{proxy.forward}"),
            *("push", "-q", f"http://localhost:{port}/served.git", f"HEAD:refs/heads/{branch}"),
        ],
        cwd=work,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, cpu = time.monotonic() - started, _cpu(proxy) - before
    if done.returncode:
        raise RuntimeError(f"git push failed:\n{done.stderr[-500:]}")
    # As if it had never been there, so that the next one is the same.
    _git(bare, "update-ref", "-d", f"refs/heads/{branch}")
    for name in ("pack", *(f"{number:02x}" for number in range(256))):
        shutil.rmtree(bare / "objects" / name, ignore_errors=True)
    return seconds, cpu


def _cpu(proxy: Proxy) -> float:
    """Of a proxy and of the processes that it keeps."""
    return sum(
        times.user + times.system
        for each in (proxy.process, *proxy.process.children(recursive=True))
        for times in (each.cpu_times(),)
    )


def _made(root: Path, size: int) -> Path:
    """A repository with one commit of about so many bytes."""
    work = root / "work"
    _git(root, "init", "-q", "--initial-branch=main", str(work))
    _git(root, "init", "-q", "--bare", str(root / "served.git"))
    _git(root / "served.git", "config", "http.receivepack", "true")
    chance = random.Random(1)  # noqa: S311 - the same each time
    for number in range(10):
        (work / f"image{number}.bin").write_bytes(chance.randbytes((size - TEXT) // 10))
    words = [f"{chance.randrange(10**6):x}" for _ in range(5000)]
    for number in range(200):
        lines = (" ".join(chance.choices(words, k=12)) for _ in range(max(1, size // 300_000)))
        (work / f"text{number}.txt").write_text("\n".join(lines) + "\n")
    _git(work, "add", "--all")
    _git(work, "commit", "-q", "-m", "All of it")
    _git(work, "repack", "-q", "-a", "-d")
    return work


def _environment() -> dict[str, str]:
    path = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return path | _WHO | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", *arguments], cwd=folder, env=_environment(), capture_output=True, check=True
    )


@contextmanager
def _served(root: Path) -> Iterator[int]:
    """git-http-backend(1) behind a small server; its port."""
    root.mkdir(exist_ok=True)

    class Served(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            _cgi(self, root)

        do_POST = do_GET  # noqa: N815 - as the library calls it

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Served) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def _cgi(asked: http.server.BaseHTTPRequestHandler, root: Path) -> None:
    """Run it for one request (RFC 3875); what comes goes in as it comes."""
    path, _, query = asked.path.partition("?")
    env = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REQUEST_METHOD": asked.command,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": asked.headers.get("content-type", ""),
        "HTTP_CONTENT_ENCODING": asked.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": asked.headers.get("git-protocol", ""),
    }
    said = b""
    with subprocess.Popen(
        ["git", "http-backend"], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        if process.stdin and process.stdout:
            _body(asked, process.stdin)
            said = process.stdout.read()
    head, _, body = said.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")]
    fields = {name.lower(): value for name, _, value in lines}
    asked.send_response(int(fields.pop("status", "200").split(" ")[0]))
    for name, value in fields.items():
        asked.send_header(name, value)
    asked.send_header("content-length", str(len(body)))
    asked.end_headers()
    asked.wfile.write(body)


def _body(asked: http.server.BaseHTTPRequestHandler, into: IO[bytes]) -> None:
    with into:
        if asked.headers.get("transfer-encoding") == "chunked":
            while size := int(asked.rfile.readline(), 16):
                into.write(asked.rfile.read(size))
                asked.rfile.readline()
            asked.rfile.readline()
            return
        left = int(asked.headers.get("content-length", "0"))
        while left:
            piece = asked.rfile.read(min(left, _PIECE))
            into.write(piece)
            left -= len(piece)
