"""Programs that run the rest of their words: `sudo -u x …`, `env A=1 …`, `docker exec web …`."""

import re
from collections.abc import Sequence
from typing import Final

from proctor.protocols.shell.inner import Hidden, Inner, Run, script
from proctor.protocols.shell.options import operand

# Wrappers that Claude Code looks through too: they are no command of their own.
_THROUGH: Final[dict[str, tuple[str, int]]] = {
    "time": ("-f -o", 0),
    "nohup": ("", 0),
    "timeout": ("-k -s --kill-after --signal", 1),
    "gtimeout": ("-k -s --kill-after --signal", 1),
    "nice": ("-n --adjustment", 0),
    "ionice": ("-c -n -p --class --classdata", 0),
    "stdbuf": ("-i -o -e --input --output --error", 0),
    "setsid": ("", 0),
    "command": ("", 0),
    "builtin": ("", 0),
    "coproc": ("", 0),
    "noglob": ("", 0),
    "nocorrect": ("", 0),
}

# Wrappers that are a command themselves, the options that take a word, and operands of their own.
_WRAPPERS: Final[dict[str, tuple[str, int]]] = {
    "sudo": ("-u -g -h -p -C -r -t -U -D -R -T --user --group --host --prompt --chdir", 0),
    "doas": ("-u -C", 0),
    "run0": ("-u -g -D --user --group --chdir", 0),
    "env": ("-u -C --unset --chdir", 0),
    "exec": ("-a", 0),
    "busybox": ("", 0),
    "toybox": ("", 0),
    "chroot": ("", 1),
    "flock": ("-w -E --timeout", 1),
    "strace": ("-o -e -p -u -s -S", 0),
    "ltrace": ("-o -e -p -u -s -S", 0),
    "unshare": ("", 0),
    "caffeinate": ("-t -w", 0),
    "npx": ("-p -c --package --call", 0),
    "bunx": ("", 0),
    "uvx": ("--from --with --python -p", 0),
    "xvfb-run": ("-s -n -e -f", 0),
    "dotenv": ("-f -e", 0),
    "rlwrap": ("", 0),
    "entr": ("", 0),
    "pkexec": ("--user", 0),
    "systemd-run": ("-p -u -M -H -E -G --property --unit --setenv --slice --uid --gid", 0),
    "taskset": ("", 1),
    "chrt": ("", 1),
    "fakeroot": ("-l -s -i", 0),
}

# The same behind a subcommand.
_SUBCOMMANDS: Final[dict[str, tuple[tuple[str, ...], str, int]]] = {
    "uv": (("run",), "--with --python -p --group --extra --project --directory --env-file", 0),
    "poetry": (("run",), "", 0),
    "pipenv": (("run",), "", 0),
    "pdm": (("run",), "", 0),
    "hatch": (("run",), "", 0),
    "rye": (("run",), "", 0),
    "bundle": (("exec",), "", 0),
    "pnpm": (("exec", "dlx"), "", 0),
    "yarn": (("exec", "dlx"), "", 0),
    "bun": (("x",), "", 0),
    "npm": (("exec", "x"), "-p -c -w --package --call --workspace", 0),
    "direnv": (("exec",), "", 1),
    "mise": (("exec", "x"), "", 0),
    "conda": (("run",), "-n -p --name --prefix", 0),
}

_CONTAINERS: Final = frozenset({"docker", "podman", "nerdctl", "kubectl", "oc", "docker-compose"})

_CONTAINER_VALUES: Final = frozenset(
    [
        "-e",
        "--env",
        "--env-file",
        "-v",
        "--volume",
        "-p",
        "--publish",
        "--name",
        "-w",
        "--workdir",
        "-u",
        "--user",
        "--network",
        "--net",
        "--platform",
        "--entrypoint",
        "--hostname",
        "-l",
        "--label",
        "-m",
        "--memory",
        "--cpus",
        "--mount",
        "--add-host",
        "--gpus",
        "--restart",
        "--pull",
        "-n",
        "--namespace",
        "-c",
        "--container",
        "--context",
        "--kubeconfig",
        "-f",
        "--file",
        "--host",
        "-H",
        "--project-name",
        "--profile",
        "--image",
        "--index",
    ]
)

_SETTING: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


def wrapped(words: Sequence[str]) -> tuple[Inner, ...] | None:
    """What a wrapper runs; None if the program is none.

    Args:
        words: Program, without its folder, and arguments.
    """
    program = words[0]
    if program in _CONTAINERS:
        return _container(words)
    if program in _SUBCOMMANDS:
        names, values, own = _SUBCOMMANDS[program]
        at = operand(words, ())
        return _after(words, values, own, at + 1) if set(words[at : at + 1]) & set(names) else ()
    if found := _THROUGH.get(program, _WRAPPERS.get(program)):
        return _after(words, *found, 1)
    return None


def transparent(words: Sequence[str]) -> bool:
    """Whether only what it runs counts, not the wrapper itself."""
    return words[0] in _THROUGH


def _after(words: Sequence[str], values: str, own: int, start: int) -> tuple[Inner, ...]:
    """The words behind a wrapper's options, settings and operands of its own."""
    if words[0] == "command" and any(word in {"-v", "-V"} for word in words[1:2]):
        return ()
    if words[0] == "env" and (text := _split_string(words)) is not None:
        return (script(text),)
    at = operand(words, values.split(), start)
    if words[0] in {"npx", "npm"} and (text := _call(words[start:at])) is not None:
        return (script(text),)
    settings: list[tuple[str, str]] = []
    while at < len(words) and (found := _SETTING.fullmatch(words[at])):
        settings.append((found[1], found[2]))
        at += 1
    at += own
    if words[0] == "flock" and words[at : at + 1] == ["-c"]:
        return tuple(script(text) for text in words[at + 1 : at + 2])
    if words[at : at + 1] == ["--"]:
        at += 1
    if at >= len(words):
        return _login_shell(words)
    return (Run(words=tuple(words[at:]), settings=tuple(settings)),)


def _login_shell(words: Sequence[str]) -> tuple[Inner, ...]:
    if words[0] in {"sudo", "doas"} and any(word in {"-i", "-s", "-su"} for word in words):
        return (Hidden(why="a shell reads what the line does not show"),)
    return ()


def _call(options: Sequence[str]) -> str | None:
    """The line that npm-exec(1) gives to a shell."""
    for at, word in enumerate(options):
        if word in {"-c", "--call"}:
            return " ".join(options[at + 1 : at + 2])
        if word.startswith("--call="):
            return word.removeprefix("--call=")
    return None


def _split_string(words: Sequence[str]) -> str | None:
    for at, word in enumerate(words[1:], 1):
        if word in {"-S", "--split-string"}:
            return " ".join(words[at + 1 :])
        if word.startswith(("-S", "--split-string=")):
            return " ".join(
                [word.removeprefix("--split-string=").removeprefix("-S"), *words[at + 1 :]]
            )
        if not word.startswith("-"):
            return None
    return None


def _container(words: Sequence[str]) -> tuple[Inner, ...]:
    at = operand(words, _CONTAINER_VALUES)
    if words[at : at + 1] == ["compose"]:
        at = operand(words, _CONTAINER_VALUES, at + 1)
    if words[at : at + 1] == ["container"]:
        at += 1
    if at >= len(words) or words[at] not in {"exec", "run", "debug"}:
        return ()
    if "--" in words[at:]:
        rest = words[words.index("--", at) + 1 :]
        # Docker's own `--` stands before the container.
        rest = rest if words[0] in {"kubectl", "oc"} else rest[1:]
    else:
        rest = words[operand(words, _CONTAINER_VALUES, at + 1) + 1 :]
    return (Run(words=tuple(rest), elsewhere=True),) if rest else ()
