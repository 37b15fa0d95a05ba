"""Writes docs/commands.md and docs/errors.md from the source: `python scripts/docs.py`.

tests/test_docs.py fails while they differ from what this makes.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import typer
from typer.core import TyperGroup

from proctor.cli import make_app

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "addons/proctor"
_BLAME = {
    "ConfigurationError": "operator",
    "problem": "operator",
    "ClientError": "caller",
    "ApprovalError": "caller",
    "AuthenticationError": "caller",
    "refuse": "caller",
    "RefusedError": "caller",
    "SqlError": "caller",
    "UpstreamError": "upstream",
    "InternalError": "proctor",
}


def pages() -> dict[Path, str]:
    """The generated pages and what should stand in them."""
    return {
        ROOT / "docs/commands.md": commands_page(),
        ROOT / "docs/errors.md": errors_page(codes()),
    }


@dataclass(frozen=True, kw_only=True, order=True)
class Code:
    """One place where an error is made."""

    code: str
    blame: str
    message: str
    hint: str


def codes() -> list[Code]:
    """Every error code of the package with its message, found in the source."""
    modules = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): _Module(
            ast.parse(path.read_text())
        )
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    for module in modules.values():
        module.borrow(modules)
    return sorted({code for module in modules.values() for code in module.made()})


@dataclass(frozen=True, kw_only=True)
class _Maker:
    """Something that makes an error when called.

    Attributes:
        blame: Who is at fault.
        parameters: In their order, with their defaults.
        parts: What code, message and hint are made of; a parameter's name for what is handed in.
    """

    blame: str
    parameters: Mapping[str, ast.expr | None]
    parts: Mapping[str, ast.expr]

    def part(self, name: str, call: ast.Call) -> ast.expr | None:
        """A part of the error that this call makes."""
        inner = self.parts.get(name)
        if not (isinstance(inner, ast.Name) and inner.id in self.parameters):
            return inner
        given = dict(zip(self.parameters, call.args, strict=False))
        given |= {word.arg: word.value for word in call.keywords if word.arg}
        return given.get(inner.id, self.parameters[inner.id])


# Codes that are put together as they are needed.
_FILLED = {"…-unknown": ("approval-unknown", "grant-unknown", "kill-unknown")}
# What happened, where the words are made anew in each case.
_CASES = {
    "approval-cancelled": "Nobody waited for it any more, or it was used or cancelled before",
    "approval-denied": "Somebody who may decide said no; their words stand there",
    "approval-expired": "Nobody decided in time",
    "approval-pending": "It waits for a human, longer than the client could",
    "approval-void": "The rules have changed since it was approved, and now ask for more",
    "approvals-off": "A rule asks a human, and this proctor has nobody to ask",
    "policy-denied": "A rule denies it, or none allows it",
}
# Where the kind of error does not say it.
_BLAMED = {"approvals-unavailable": "proctor"}
_PARTS = ("code", "message", "hint")
_BASE = {
    name: _Maker(
        blame=blame,
        parameters=dict.fromkeys(("code", "message", "got", "expected", "hint")),
        parts={part: ast.Name(part) for part in _PARTS},
    )
    for name, blame in _BLAME.items()
}


class _Module:
    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._makers = dict(_BASE)
        self._find()

    def borrow(self, modules: Mapping[str, "_Module"]) -> None:
        """Take over what is imported, and what makes errors by it."""
        for node in self._tree.body:
            if isinstance(node, ast.ImportFrom) and node.module and node.module in modules:
                theirs = modules[node.module].own
                names = {name.asname or name.name: theirs.get(name.name) for name in node.names}
                self._makers |= {name: maker for name, maker in names.items() if maker}
        self._find()

    @property
    def own(self) -> dict[str, _Maker]:
        """What the functions of this module make, by their names."""
        return {name: maker for name, maker in self._makers.items() if name not in _BASE}

    def _find(self) -> None:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.FunctionDef) and (maker := self._wrapper(node)):
                self._makers[node.name] = maker

    def made(self) -> Iterator[Code]:
        for call in ast.walk(self._tree):
            if not isinstance(call, ast.Call) or not (maker := self._makers.get(_name(call))):
                continue
            code, message, hint = (maker.part(part, call) for part in _PARTS)
            if isinstance(code, ast.Constant | ast.JoinedStr):
                for name in _FILLED.get(_words(code), (_words(code),)):
                    yield Code(
                        code=name,
                        blame=_BLAMED.get(name, maker.blame),
                        message=_words(message),
                        hint=_words(hint),
                    )

    def _wrapper(self, function: ast.FunctionDef) -> _Maker | None:
        """A function that hands its code or message on to one that makes an error."""
        arguments = function.args
        placed = (*arguments.posonlyargs, *arguments.args)
        names = [each.arg for each in placed if each.arg != "self"]
        defaults: list[ast.expr | None] = [None] * (len(names) - len(arguments.defaults))
        parameters = dict(zip(names, [*defaults, *arguments.defaults], strict=True))
        words = [each.arg for each in arguments.kwonlyargs]
        parameters |= dict(zip(words, arguments.kw_defaults, strict=True))
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and (inner := self._makers.get(_name(call))):
                found = {part: inner.part(part, call) for part in _PARTS}
                parts = {part: node for part, node in found.items() if node is not None}
                handed = {node.id for node in parts.values() if isinstance(node, ast.Name)}
                if handed & set(parameters):
                    return _Maker(blame=inner.blame, parameters=parameters, parts=parts)
        return None


def _name(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _words(node: ast.expr | None) -> str:
    """A message as far as it is known without running: what is filled in is shown as …."""
    match node:
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            return "".join(_words(part) for part in node.values)
        case ast.FormattedValue():
            return "…"
        case ast.IfExp():
            return ", or: ".join(filter(None, (_words(node.body), _words(node.orelse))))
        case _:
            return ""


def errors_page(found: list[Code]) -> str:
    """docs/errors.md."""
    lines = [
        "# Error codes",
        "",
        "Every error has a code that never changes: in the log, in the record and where a command",
        "fails. Where the text depends on the case, … stands for it.",
        "Made by `python scripts/docs.py`.",
        "",
        "| code | at fault | what happened | what to do |",
        "|---|---|---|---|",
    ]
    for code in sorted({each.code for each in found}):
        here = [each for each in found if each.code == code]
        blame = sorted({each.blame for each in here})
        messages = sorted({each.message for each in here if each.message.strip("… ()")})
        if not all(each.message.strip("… ()") for each in here):
            messages.append(_CASES.get(code, "depends on the case"))
        hints = sorted({each.hint for each in here if each.hint.strip("… ")})
        cells = (", ".join(blame), _cell(messages), _cell(hints))
        lines.append(f"| `{code}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(texts: list[str]) -> str:
    return "<br>".join(text.replace("|", "\\|").replace("\n", " ") for text in texts)


def application() -> TyperGroup:
    """The command line with all its commands."""
    command = typer.main.get_command(make_app())
    if not isinstance(command, TyperGroup):
        raise TypeError("proctor has one command only")
    return command


def all_commands(group: TyperGroup) -> Iterator[tuple[str, typer.core.TyperCommand]]:
    """Every command by its name, those of groups by both names."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            for inner, found in all_commands(command):
                yield f"{name} {inner}", found
        elif isinstance(command, typer.core.TyperCommand):
            yield name, command


def commands_page() -> str:
    """docs/commands.md."""
    group = application()
    context = typer.Context(group, info_name="proctor")
    lines = ["# Commands", "", group.help or "", "", "Made by `python scripts/docs.py`.", ""]
    for name, command in all_commands(group):
        own = typer.Context(command, info_name=name, parent=context)
        usage = " ".join(command.collect_usage_pieces(own))
        lines += [f"## proctor {name}", "", inspect.cleandoc(command.help or ""), ""]
        lines += ["```", f"proctor {name} {usage}", "```", "", "| option | meaning |", "|---|---|"]
        for parameter in command.get_params(own):
            if record := parameter.get_help_record(own):
                lines.append(f"| `{_cell([record[0]])}` | {_cell([record[1]])} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
