"""Cases described by hand, for `proctor explain` and for tests of rules.

A description is a mapping with the names of the field table; what is left out is empty:

    principal: {subject: alice, groups: [research]}
    action: {kind: llm.request, listener: claude}
    llm: {model: claude-opus-4-6, features: [web_search]}
    now: 2026-03-02T10:00:00+01:00
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn

from proctor.errors import ConfigurationError
from proctor.model import (
    Action,
    ActionKind,
    Case,
    CredentialSource,
    Finding,
    GitFields,
    HttpFields,
    LlmFields,
    McpFields,
    Principal,
    Session,
    SqlFields,
    ToolFields,
    WsFields,
)
from proctor.policy.celtypes import NUMBERS, STRING, Type
from proctor.policy.fields import TABLE, fills, nearest
from proctor.protocols.shell.touched import touched
from proctor.yamlfile import Document, Key

_MORE = {"action": {"target": STRING}}
"""What an action has that no expression sees."""

_MODELS = ("http", "llm", "tool", "mcp", "sql", "git", "ws")
_PYTHON: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "bool": bool,
    "int": int,
    "double": (int, float),
    "list": list,
    "map": dict,
}


def case_of(document: Document, now: datetime) -> Case:
    """The case that a description describes.

    Args:
        document: The description.
        now: When it happens, where the description does not say.

    Raises:
        ConfigurationError: A field is unknown, of another type, or not there for this kind.
    """
    return _Reader(document).case(now)


def _tool(values: dict[str, Any]) -> ToolFields:
    """A shell's paths and hosts follow from its command, unless they are described."""
    tool = ToolFields(**values)
    if tool.name != "Bash":
        return tool
    paths, hosts = touched(tool.command)
    return replace(tool, paths=tool.paths or paths, hosts=tool.hosts or hosts)


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document
        if not isinstance(document.data, dict):
            self._fail((), "This describes no action", expected="principal, action, …")
        self._data: dict[str, Any] = document.data
        for name, value in self._data.items():
            if name not in TABLE:
                self._fail(
                    (name,),
                    f"There is no field {name!r}",
                    expected=f"one of {', '.join(TABLE)}",
                    hint=nearest(name, TABLE),
                )
            if TABLE[name].name == "room":
                self._room(name, value)

    def case(self, now: datetime) -> Case:
        action = dict(self._data.get("action") or {})
        kind = ActionKind(action.pop("kind", None) or self._fail(("action",), "No `kind` is given"))
        for name in self._data:
            if not fills(kind, name):
                self._fail((name,), f"{name} is always empty for {kind}")
            if kind is ActionKind.MCP_CALL and name == "tool":
                self._fail((name,), "The tool of an mcp.call follows from what stands in `mcp`")
        if "now" in self._data:
            now = self._time(self._data["now"], ("now",))
        values = {name: self._values(name) for name in _MODELS if name in self._data}
        if "credential" in (http := values.get("http", {})):
            http["credential"] = CredentialSource(http["credential"])
        base = Action(kind=kind, listener="", target="")
        return Case(
            principal=self._principal(now),
            session=self._session(now) if "session" in self._data else None,
            action=replace(
                base,
                **action,
                http=HttpFields(**http) if "http" in values else None,
                llm=LlmFields(**values["llm"]) if "llm" in values else None,
                tool=_tool(values["tool"]) if "tool" in values else None,
                mcp=McpFields(**values["mcp"]) if "mcp" in values else None,
                sql=SqlFields(**values["sql"]) if "sql" in values else None,
                git=GitFields(**values["git"]) if "git" in values else None,
                ws=WsFields(**values["ws"]) if "ws" in values else None,
                novelty=self._values("novelty"),
                budget=self._values("budget"),
            ),
            findings=self._findings(),
            now=now,
        )

    def _principal(self, now: datetime) -> Principal:
        fields = self._values("principal")
        age = float(fields.pop("token_age", 0.0))
        fields = {"issuer": "local", "subject": "someone", **fields}
        return Principal(**fields, issued_at=now.timestamp() - age)

    def _session(self, now: datetime) -> Session:
        fields = {"id": "", "client": "", "started": now, **self._values("session")}
        if "started" in self._data["session"]:
            fields["started"] = self._time(fields["started"], ("session", "started"))
        return Session(**fields)

    def _findings(self) -> tuple[Finding, ...]:
        found = self._data.get("findings", [])
        if not isinstance(found, list):
            self._fail(("findings",), "The value has another type", expected="a list")
        blank = {"type": "", "location": "", "direction": "", "score": 0.0}
        kind = TABLE["findings"].item
        fields = (kind.fields if kind else None) or {}
        for index, each in enumerate(found):
            if not isinstance(each, dict) or not each.keys() <= blank.keys():
                self._fail(("findings", index), "This is no finding", expected=", ".join(blank))
            for name, value in each.items():
                self._value(fields[name], value, ("findings", index, name))
        return tuple(Finding(**{**blank, **each}) for each in found)

    def _room(self, room: str, values: object) -> None:
        fields = {**(TABLE[room].fields or {}), **_MORE.get(room, {})}
        if not isinstance(values, dict):
            self._fail((room,), f"{room} has fields", expected=", ".join(fields))
        for name, value in values.items():
            if name not in fields:
                self._fail(
                    (room, name),
                    f"There is no field {room}.{name}",
                    expected=f"one of {', '.join(fields)}",
                    hint=nearest(name, fields),
                )
            self._value(fields[name], value, (room, name))

    def _value(self, kind: Type, value: object, at: tuple[Key, ...]) -> None:
        wanted = _PYTHON.get(kind.name, object)
        truth = isinstance(value, bool) and kind.name in NUMBERS
        if not isinstance(value, wanted) or truth:
            self._fail(at, "The value has another type", expected=f"a {kind}")
        words = kind.words
        if words and isinstance(value, str) and not words.form.fullmatch(value):
            self._fail(at, "The value can never be here", got=repr(value)[:60], expected=words.says)
        inner = value.values() if isinstance(value, dict) else value
        if kind.item and isinstance(inner, list | type({}.values())):
            for each in inner:
                self._value(kind.item, each, at)
        if kind.key and isinstance(value, dict):
            for each in value:
                self._value(kind.key, each, at)

    def _values(self, room: str) -> dict[str, Any]:
        return {
            name: tuple(value) if isinstance(value, list) and name != "json" else value
            for name, value in (self._data.get(room) or {}).items()
        }

    def _time(self, value: object, at: tuple[Key, ...]) -> datetime:
        try:
            time = datetime.fromisoformat(str(value))
        except ValueError:
            self._fail(at, "This is no time", expected="such as 2026-03-02T10:00:00+01:00")
        return time if time.tzinfo else time.replace(tzinfo=UTC)

    def _fail(
        self, keys: tuple[Key, ...], message: str, *, got: str = "", expected: str = "",
        hint: str = "",
    ) -> NoReturn:  # fmt: skip
        raise ConfigurationError(
            code="description-invalid",
            message=message,
            got=got,
            expected=expected,
            hint=hint,
            where=self._document.where(*keys),
        )
