"""A tool call of the model's, as rules see it."""

import json
import re
from collections.abc import Mapping
from posixpath import isabs, normpath
from typing import Any, Final

from proctor.model import Action, ActionKind, ToolFields
from proctor.protocols.jsonspan import loads
from proctor.protocols.shell.effects import host_of
from proctor.protocols.shell.touched import touched

# Members by which Claude Code's own tools name files and addresses (its tools' input schemas).
_PATHS: Final = ("file_path", "notebook_path", "path")
_URL: Final = "url"
_SHELL: Final = "Bash"

# Members that change nothing about what happens: the words that Claude Code shows to its user. The
# model words them anew at each try, and a retry has to have the same digest.
_WORDS: Final[dict[str, frozenset[str]]] = {
    "Bash": frozenset({"description"}),
    "PowerShell": frozenset({"description"}),
}

_FOLDER: Final = re.compile(
    r"^[ \t]*(?:- )?(?:Primary w|W)orking directory: (.+?)[ \t]*$", re.MULTILINE
)


def tool_action(listener: str, name: str, arguments: str) -> Action:
    """The Action of one tool call.

    Its content is the input as canonical JSON: sorted, compact, without `description` of a shell's
    command. What cannot be read stands for itself, byte for byte.

    Args:
        listener: The listener it came through.
        name: The tool's name.
        arguments: Its input as JSON; what cannot be read counts as empty.
    """
    raw = arguments.encode("utf-8", "surrogatepass")
    value = _object(arguments)
    return Action(
        kind=ActionKind.LLM_TOOL_USE,
        listener=listener,
        target=name,
        content=(raw if value is None else _canonical(name, value),),
        size=len(raw),
        tool=_fields(name, value),
    )


def tool_fields(name: str, arguments: str) -> ToolFields:
    """What rules see of the same call."""
    return _fields(name, _object(arguments))


def _fields(name: str, value: dict[str, Any] | None) -> ToolFields:
    command = _text(value, "command")
    paths, hosts = touched(command) if name == _SHELL else ((), ())
    named = (_normal(path) for key in _PATHS if (path := _text(value, key)))
    host = host_of(_text(value, _URL))
    return ToolFields(
        name=name,
        input=value or {},
        command=command,
        paths=tuple(dict.fromkeys((*named, *paths))),
        hosts=(host, *hosts) if host else hosts,
    )


def folder_of(system_text: str) -> str:
    """The folder that an agent works in, as Claude Code tells the model; "" if that is not certain.

    Args:
        system_text: What the client says in the system's name: the request's `system`, and messages
            of the role `system`, where Claude Code 2.1 has it. Nothing that a tool or a page said.
    """
    found = {each[1] for each in _FOLDER.finditer(system_text)}
    folder = normpath(found.pop()) if len(found) == 1 else ""
    # Were it the root, everything would lie within.
    return folder if isabs(folder) and folder.strip("/") else ""


def _object(arguments: str) -> dict[str, Any] | None:
    try:
        value = loads(arguments)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _canonical(name: str, value: Mapping[str, Any]) -> bytes:
    words = _WORDS.get(name, frozenset())
    kept = {key: each for key, each in value.items() if key not in words}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def _text(value: Mapping[str, Any] | None, key: str) -> str:
    found = value.get(key) if value else None
    return found if isinstance(found, str) else ""


def _normal(path: str) -> str:
    """POSIX lets two slashes at the beginning mean something of their own; nobody does."""
    return normpath("/" + path.lstrip("/") if path.startswith("/") else path)
