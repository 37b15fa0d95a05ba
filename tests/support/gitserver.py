"""git's own server, `git http-backend`, behind HTTP; it takes fetches and pushes."""

import os
import subprocess
from pathlib import Path

from proctor.testing.http1 import Received
from proctor.testing.service import Answer

_WHO = {
    "GIT_AUTHOR_NAME": "alice",
    "GIT_AUTHOR_EMAIL": "alice@example.com",
    "GIT_COMMITTER_NAME": "alice",
    "GIT_COMMITTER_EMAIL": "alice@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    """Run git in a folder, as alice; what it printed, without the last line's end."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)} | _WHO | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


class GitServer:
    """Serves every repository beneath a folder; give it to `Web`.

    Attributes:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def make(self, name: str, commits: int = 3) -> Path:
        """A bare repository `name`.git with a history on `main` and a file `number`."""
        bare, work = self.root / f"{name}.git", self.root / f"{name}.work"
        git(self.root, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
        git(bare, "config", "http.receivepack", "true")  # pushes without a user of the server's
        git(self.root, "init", "--quiet", "--initial-branch=main", str(work))
        for number in range(commits):
            (work / "number").write_text(f"{number}\n")
            git(work, "add", "number")
            git(work, "commit", "--quiet", "--message", f"Number {number}")
        git(work, "push", "--quiet", str(bare), "main")
        return bare

    def __call__(self, request: Received) -> Answer:
        """Answer as git-http-backend(1) says, a CGI program (RFC 3875)."""
        path, _, query = request.target.partition("?")
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": request.header("content-type") or "",
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_CONTENT_ENCODING": request.header("content-encoding") or "",
            "GIT_PROTOCOL": request.header("git-protocol") or "",
        }
        done = subprocess.run(
            ["git", "http-backend"], env=env, input=request.body, capture_output=True, check=True
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")]
        headers = {name.lower(): value for name, _, value in lines}
        status = int(headers.pop("status", "200").split(" ")[0])
        return Answer(status=status, headers=headers, body=body)
