"""A tool call of the model's, as rules see it."""

from typing import Any, Final
from urllib.parse import urlsplit

from proctor.model import Action, ActionKind, ToolFields
from proctor.protocols.jsonspan import loads

# Members by which Claude Code's own tools name files and addresses (its tools' input schemas).
_PATHS: Final = ("file_path", "notebook_path", "path")
_URL: Final = "url"


def tool_action(listener: str, name: str, arguments: str) -> Action:
    """The Action of one tool call.

    Args:
        listener: The listener it came through.
        name: The tool's name.
        arguments: Its input as JSON; what cannot be read counts as empty.
    """
    value = _object(arguments)
    command = value.get("command")
    url = value.get(_URL)
    content = arguments.encode("utf-8", "surrogatepass")
    return Action(
        kind=ActionKind.LLM_TOOL_USE,
        listener=listener,
        target=name,
        content=(content,),
        size=len(content),
        tool=ToolFields(
            name=name,
            input=value,
            command=command if isinstance(command, str) else "",
            paths=tuple(v for key in _PATHS if isinstance(v := value.get(key), str)),
            hosts=_hosts(url) if isinstance(url, str) else (),
        ),
    )


def _object(arguments: str) -> dict[str, Any]:
    try:
        value = loads(arguments)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _hosts(url: str) -> tuple[str, ...]:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return ()
    return (host,) if host else ()
