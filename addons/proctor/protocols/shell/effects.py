"""What a command writes or deletes, and which hosts it names, by its arguments.

Only what well-known programs say on the command line: what a script or a compiler writes is not
seen here.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from proctor.protocols.shell.launchers import find_roots
from proctor.protocols.shell.options import operands, value

_ALL: Final[dict[str, str]] = {
    "rm": "", "rmdir": "", "unlink": "", "mkdir": "-m --mode", "touch": "-d -r -t --date",
    "truncate": "-s -r --size --reference", "shred": "-n -s --iterations --size", "mkfifo": "-m",
    "tee": "", "trash": "", "srm": "", "wipe": "",
}  # fmt: skip
_BUT_FIRST: Final = frozenset({"chmod", "chown", "chgrp", "chattr", "setfacl"})
_LAST: Final[dict[str, str]] = {
    "cp": "-S --suffix", "ln": "-S --suffix", "link": "", "scp": "-P -i -F -o -l -c -J -S",
    "install": "-g -m -o -S --group --mode --owner", "ditto": "",
    "rsync": "-e -f --rsh --exclude --include --filter --rsync-path --chmod",
}  # fmt: skip
_REMOTE: Final = re.compile(r"(?:[\w.-]+@)?([\w.-]+|\[[0-9a-fA-F:]+\]):(?!//).*", re.DOTALL)
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]{1,15}://", re.IGNORECASE)
_BY_ADDRESS: Final = frozenset(
    [
        "curl",
        "wget",
        "git",
        "http",
        "https",
        "xh",
        "aria2c",
        "svn",
        "pip",
        "pip3",
        "npm",
        "docker",
        "nc",
        "ncat",
        "telnet",
        "ftp",
        "psql",
        "ping",
    ]
)
_BY_NAME: Final = frozenset({"ssh", "telnet", "nc", "ncat", "ftp", "sftp", "mosh", "ping"})
_NAME_VALUES: Final = frozenset(
    [
        "-b",
        "-c",
        "-D",
        "-E",
        "-e",
        "-F",
        "-I",
        "-i",
        "-J",
        "-L",
        "-l",
        "-m",
        "-O",
        "-o",
        "-p",
        "-P",
        "-w",
        "-W",
        "-q",
        "-s",
    ]
)
_COPIES: Final = frozenset({"scp", "rsync", "sftp"})


def writes(words: Sequence[str]) -> list[str]:
    """Paths, as they stand, that this command writes, creates, changes or deletes."""
    program = words[0]
    if program in _ALL:
        return operands(words, _ALL[program].split())
    if program in _BUT_FIRST:
        found = operands(words)
        return found if any(word.startswith("--reference") for word in words) else found[1:]
    if program in _LAST:
        return _target(words, _LAST[program].split())
    if special := _SPECIAL.get(program):
        return special(words)
    return []


def _target(words: Sequence[str], values: Sequence[str]) -> list[str]:
    folder = value(words, "-t", "--target-directory")
    if folder is not None:
        return [folder]
    found = operands(words, values)
    if words[0] == "install" and any(word in {"-d", "--directory"} for word in words):
        return found
    return [each for each in found[-1:] if len(found) > 1 and not _REMOTE.fullmatch(each)]


def _moved(words: Sequence[str]) -> list[str]:
    """The sources go away, so they are written, too."""
    folder = value(words, "-t", "--target-directory")
    found = operands(words, ("-S", "--suffix", "-t", "--target-directory"))
    return [*found, folder] if folder is not None else found


def _dd(words: Sequence[str]) -> list[str]:
    return [word[3:] for word in words if word.startswith("of=")]


def _in_place(words: Sequence[str]) -> list[str]:
    """`sed -i` and `perl -i`: the first operand is the script, unless an option brings it."""
    inner = [word for word in words[1:] if re.match(r"--in-place|-[A-Za-z]*i", word)]
    if not inner:
        return []
    script = any(re.match(r"-[A-Za-z]*[ef]|--expression|--file", word) for word in words[1:])
    found = operands(words, ("-e", "-f", "--expression", "--file"))
    # BSD's sed takes the suffix as a word of its own, `sed -i '' s/a/b/ file`.
    found = [word for word in found if word]
    if words[0] == "perl":
        return found[1:] if not script else _after_script(words)
    return found if script else found[1:]


def _after_script(words: Sequence[str]) -> list[str]:
    at = next((n for n, word in enumerate(words) if re.match(r"-[A-Za-z]*e", word)), 0)
    return [word for word in words[at + 2 :] if not word.startswith("-")]


def _tar(words: Sequence[str]) -> list[str]:
    letters = words[1].lstrip("-") if len(words) > 1 else ""
    folder = value(words, "-C", "--directory")
    if "x" in letters or "--extract" in words:
        return [folder or "."]
    if re.fullmatch(r"-?[a-zA-Z]*c[a-zA-Z]*f", words[1] if len(words) > 1 else ""):
        return list(words[2:3])
    return []


def _out(*names: str) -> Callable[[Sequence[str]], list[str]]:
    """Programs that write to the value of an option."""

    def of(words: Sequence[str]) -> list[str]:
        found = value(words, *names)
        return [found] if found not in {None, "-", ""} else []

    return of


def _find(words: Sequence[str]) -> list[str]:
    files = [
        words[at + 1]
        for at, word in enumerate(words[:-1])
        if word in {"-fprint", "-fprint0", "-fprintf", "-fls"}
    ]
    return files + (find_roots(words) if "-delete" in words else [])


def _git(words: Sequence[str]) -> list[str]:
    rest = operands(words, ("-C", "-c", "--git-dir", "--work-tree", "-b", "--branch", "--depth"))
    if rest[:1] == ["clone"] and len(rest) > 2:  # noqa: PLR2004 - clone, from, to
        return rest[2:3]
    return rest[2:3] if rest[:2] == ["worktree", "add"] else []


_SPECIAL: Final[dict[str, Callable[[Sequence[str]], list[str]]]] = {
    "mv": _moved,
    "dd": _dd,
    "sed": _in_place,
    "gsed": _in_place,
    "perl": _in_place,
    "tar": _tar,
    "bsdtar": _tar,
    "unzip": _out("-d"),
    "sort": _out("-o", "--output"),
    "curl": _out("-o", "--output", "--output-dir"),
    "wget": _out("-O", "--output-document", "-P", "--directory-prefix"),
    "find": _find,
    "git": _git,
}


def hosts(words: Sequence[str]) -> list[str]:
    """Hosts that a well-known program is told to talk to, in lower case."""
    program = words[0]
    found: list[str] = []
    if program in _BY_ADDRESS:
        found += (host for word in words[1:] if (host := host_of(word)))
        if program in {"curl", "wget"}:
            found += _bare(words)
    if program in _BY_NAME:
        found += (name.rpartition("@")[2] for name in operands(words, _NAME_VALUES)[:1])
    if program in _COPIES or program == "git":
        found += (each[1] for word in words[1:] if (each := _REMOTE.fullmatch(word)))
    return list(dict.fromkeys(host.lower() for host in found))


def host_of(address: str) -> str:
    """The host of a URL, in lower case; "" if it has none."""
    if not _ADDRESS.match(address):
        return ""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _bare(words: Sequence[str]) -> list[str]:
    """`curl example.org/x`: both take an address without its scheme."""
    found = operands(words, _CURL_VALUES)
    return [host for word in found if "://" not in word and (host := host_of(f"http://{word}"))]


_CURL_VALUES: Final = frozenset(
    [
        "-X",
        "--request",
        "-H",
        "--header",
        "-d",
        "--data",
        "--data-raw",
        "--data-binary",
        "--data-urlencode",
        "-o",
        "--output",
        "-u",
        "--user",
        "-A",
        "--user-agent",
        "-b",
        "--cookie",
        "-c",
        "--cookie-jar",
        "-e",
        "--referer",
        "-F",
        "--form",
        "-T",
        "--upload-file",
        "-w",
        "--write-out",
        "-m",
        "--max-time",
        "--connect-timeout",
        "--retry",
        "--cacert",
        "--cert",
        "--key",
        "-x",
        "--proxy",
        "-O",
        "-P",
        "--json",
        "--url",
        "--resolve",
        "-K",
        "--config",
        "--timeout",
        "--tries",
        "-t",
        "-T",
        "-U",
        "--output-document",
    ]
) - {"-O"}  # curl's -O takes none, and wget's name of a file is no host
