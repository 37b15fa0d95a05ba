"""Real clients, each as a check that says whether it did its work in a given environment.

How each is told of a proxy and of certificates is all in that environment: `trusting` is what
they need to reach an oracle themselves, `proctor connect` prints what they need to go through
proctor.

| client | proxy | certificates | these replace the system's |
|---|---|---|---|
| curl | https_proxy; http_proxy in lower case only | CURL_CA_BUNDLE | yes |
| git | http.proxy, then curl's | GIT_SSL_CAINFO | yes |
| pip | PIP_PROXY, then HTTPS_PROXY | PIP_CERT | yes |
| npm | npm_config_https_proxy, then HTTPS_PROXY | npm_config_cafile | yes |
| node | HTTPS_PROXY with NODE_USE_ENV_PROXY=1, from 22.21 | NODE_EXTRA_CA_CERTS | no |
| requests | HTTPS_PROXY | REQUESTS_CA_BUNDLE | yes |
| httpx, urllib | HTTPS_PROXY | SSL_CERT_FILE | yes |
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support import npmregistry, pyindex
from tests.support.gitserver import git

type Env = Mapping[str, str]

_PATIENCE = 60
_CERTIFICATES = (
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "npm_config_cafile",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)
PYTHON = {
    "requests": "import requests; print(requests.get({url!r}, timeout=30).text)",
    "httpx": "import httpx; print(httpx.get({url!r}, timeout=30).text)",
    "urllib": "from urllib.request import urlopen; print(urlopen({url!r}).read().decode())",
}
"""Libraries that `python_get` knows, and the program that gets a URL by each."""


def trusting(ca: Path) -> dict[str, str]:
    """An environment in which every client trusts `ca`, and goes by itself."""
    return dict.fromkeys(_CERTIFICATES, str(ca))


def needs(*programs: str) -> None:
    """Skip where one is not installed; in CI they are."""
    for name in programs:
        if shutil.which(name) is None:
            if os.environ.get("CI"):
                pytest.fail(f"{name} is not installed")
            pytest.skip(f"{name} is not installed")


def run(env: Env, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A program in a folder that is its home, too, and with nothing of the caller's environment."""
    return subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
    )


def done(env: Env, folder: Path, *command: str) -> str:
    """What a program printed, after it ended well."""
    ended = run(env, folder, *command)
    assert ended.returncode == 0, f"{command[0]}: {ended.stdout}\n{ended.stderr}"
    return ended.stdout


def git_clone(env: Env, url: str, folder: Path, *options: str) -> Path:
    """Clone; the work tree, whose last commit is there."""
    git(folder, "clone", "--quiet", *options, url, "clone", env={**env, "GIT_TERMINAL_PROMPT": "0"})
    assert (folder / "clone" / "number").read_text()
    return folder / "clone"


def git_fetch(env: Env, clone: Path) -> str:
    """Fetch; the name of `main`'s last commit there."""
    git(clone, "fetch", "--quiet", "origin", env=dict(env))
    return git(clone, "rev-parse", "origin/main")


def git_push(env: Env, clone: Path, size: int = 0) -> str:
    """Commit a file of `size` random bytes and push it; the commit's name."""
    (clone / "pushed").write_bytes(os.urandom(size))
    git(clone, "add", "pushed")
    git(clone, "commit", "--quiet", "--message", "Pushed")
    git(clone, "push", "--quiet", "origin", "HEAD:main", env=dict(env))
    return git(clone, "rev-parse", "HEAD")


def curl(env: Env, url: str, folder: Path, *options: str) -> str:
    """The body of a 2xx answer."""
    return done(env, folder, "curl", "--silent", "--show-error", "--fail", *options, url)


def pip_install(env: Env, url: str, folder: Path) -> None:
    """Install the index's package from scratch, and import it."""
    installed = folder / "installed"
    own = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    options = ("--no-cache-dir", "--retries=0", f"--index-url={url}/simple/")
    pip = (sys.executable, "-I", "-m", "pip", "install")
    done({**own, **env}, folder, *pip, *options, f"--target={installed}", pyindex.NAME)
    told = f"import {pyindex.MODULE} as it; print(it.SAYS)"
    said = done({"PYTHONPATH": str(installed)}, folder, sys.executable, "-c", told)
    assert said == f"{pyindex.SAYS}\n"


def npm_install(env: Env, url: str, folder: Path) -> None:
    """Install the registry's package, and run it."""
    options = ("--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=0")
    named = f"{npmregistry.NAME}@{npmregistry.VERSION}"
    done(env, folder, "npm", "install", *options, f"--registry={url}/", named)
    told = f"console.log(require('{npmregistry.NAME}'))"
    assert done({}, folder, "node", "-e", told) == f"{npmregistry.SAYS}\n"


def node_fetch(env: Env, url: str, folder: Path) -> Any:
    """What `fetch` gets, in JSON."""
    told = f"fetch({json.dumps(url)}).then(got => got.text()).then(console.log)"
    return json.loads(done(env, folder, "node", "-e", told))


def node_version() -> tuple[int, int]:
    """Of the node in PATH: its `fetch` knows proxies from (22, 21)."""
    found = run({}, Path.cwd(), "node", "--version").stdout
    major, minor, *_ = found.removeprefix("v").split(".")
    return int(major), int(minor)


def python_get(env: Env, url: str, folder: Path, library: str) -> Any:
    """What a library gets, in JSON."""
    return json.loads(done(env, folder, sys.executable, "-c", PYTHON[library].format(url=url)))
