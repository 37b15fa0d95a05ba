"""Programs that run the rest of their words."""

import shlex

import pytest

from proctor.protocols.shell.inner import Hidden, Run, Script
from proctor.protocols.shell.wrappers import transparent, wrapped


@pytest.mark.parametrize(
    "line",
    [
        "sudo rm x",
        "sudo -u alice -- rm x",
        "doas rm x",
        "env rm x",
        "env -u A -i rm x",
        "timeout -k 1 5 rm x",
        "nice -n 5 rm x",
        "nohup rm x",
        "command -p rm x",
        "flock -w 1 lock rm x",
        "chroot /x rm x",
        "npx -y rm x",
        "uv run --with a rm x",
        "poetry run rm x",
        "bundle exec rm x",
        "direnv exec . rm x",
        "npm exec -- rm x",
    ],
)
def test_runs(line: str) -> None:
    assert wrapped(shlex.split(line)) == (Run(words=("rm", "x")),)


@pytest.mark.parametrize(
    "line",
    [
        "docker exec -it -e A=1 web rm x",
        "docker run --rm -v a:b image rm x",
        "docker --host h exec web rm x",
        "docker compose -f x.yml exec web rm x",
        "podman container run image rm x",
        "kubectl exec pod -n x -- rm x",
        "kubectl -n x exec pod -c y -- rm x",
        "kubectl exec pod rm x",
    ],
)
def test_runs_elsewhere(line: str) -> None:
    assert wrapped(shlex.split(line)) == (Run(words=("rm", "x"), elsewhere=True),)


@pytest.mark.parametrize(
    "line", ["sudo", "sudo -v", "env", "command -v rm", "docker ps", "docker", "uv sync", "npm run"]
)
def test_nothing(line: str) -> None:
    assert wrapped(shlex.split(line)) == ()


def test_others() -> None:
    assert wrapped(["ls"]) is None
    assert wrapped(["env", "A=1", "rm"]) == (Run(words=("rm",), settings=(("A", "1"),)),)
    assert wrapped(["env", "-S", "rm x"]) == (Script(text="rm x"),)
    assert wrapped(["env", "-Srm x", "y"]) == (Script(text="rm x y"),)
    assert wrapped(["flock", "lock", "-c", "rm"]) == (Script(text="rm"),)
    assert isinstance((wrapped(["sudo", "-i"]) or ())[0], Hidden)


def test_transparent() -> None:
    assert transparent(["timeout"])
    assert not transparent(["sudo"])
