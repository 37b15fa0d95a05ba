"""Nothing is undocumented, and what is documented is so."""

import asyncio
import importlib.util
import inspect
import json
import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Any, cast, get_args

import duckdb
import pytest
from pydantic import BaseModel
from starlette.routing import Route

from proctor import yamlfile
from proctor.approval.model import ApprovalError
from proctor.audit.recorder import Recorder
from proctor.config import build
from proctor.console.api import Api
from proctor.console.toolapi import ToolApi
from proctor.policy import fields, rulefile
from proctor.policy.engine import load_policy
from proctor.policy.features import Features
from proctor.postgres.figures import Totals
from proctor.protocols.mcp import suspicion
from proctor.runtime.metrics import Metrics
from proctor.settings import Config
from tests.support.installation import REPOSITORY
from tests.support.shell import marked_blocks, run_block

README = REPOSITORY / "README.md"
REFERENCE = REPOSITORY / "docs/reference.md"
APPROVALS = REPOSITORY / "docs/approvals.md"
EGRESS = REPOSITORY / "docs/egress.md"
MCP = REPOSITORY / "docs/mcp.md"
PAGES = sorted([README, REPOSITORY / "CHANGELOG.md", *(REPOSITORY / "docs").glob("*.md")])


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs", REPOSITORY / "scripts/docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def section(title: str) -> str:
    """A part of the reference, from its heading to the next of the same or a higher level."""
    text = REFERENCE.read_text()
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found is not None, title
    rest = text[found.end() :]
    ends = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: ends.start()] if ends else rest


def words(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


@pytest.fixture(scope="module")
def generated() -> dict[Path, str]:
    pages: dict[Path, str] = generator().pages()
    return pages


@pytest.mark.parametrize("page", ["commands.md", "errors.md"])
def test_a_generated_page_is_up_to_date(generated: dict[Path, str], page: str) -> None:
    path = REPOSITORY / "docs" / page
    assert path.read_text() == generated[path], "run `python scripts/docs.py`"


def test_every_command_is_in_the_readme() -> None:
    text = README.read_text()
    for command in generator().application().commands:
        assert f"proctor {command}" in text


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for attribute, field in model.model_fields.items():
        name = field.alias or attribute
        if getattr(model, "not_built", {}).get(name, ()) is None:
            continue  # an error so far
        yield f"{prefix}{name}"
        for inner in models(field.annotation):
            yield from keys(inner, f"{prefix}{name}.")


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models somewhere inside a type; behind an alias, a plain value is written instead."""
    for part in get_args(annotation):
        yield from models(part)
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation


def test_every_key_of_the_configuration() -> None:
    documented = words(section("proctor.yaml"))
    # Where a secret comes from is said once, under credentials.
    secrets = {
        key
        for key in keys(Config)
        if key.endswith((".env", ".file", ".command")) and not key.startswith("credentials.value.")
    }
    # What is written as one text.
    texts = {"listeners.routes.upstream.origin", "listeners.routes.upstream.path"}
    found = set(keys(Config)) - secrets - texts
    parents = {key.rpartition(".")[0] for key in found}
    # Their keys are all in tables.
    lists = {"audit", "limits", "limits.disk", "console", "approvals", "notifications"}
    lists |= {"audit.checkpoints", "audit.anchors", "exports"}
    lists |= {key for key in parents if key.partition(".")[0] == "roles"}
    missing = found - documented - (parents & lists)
    assert not missing
    dotted = {word for word in documented if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", word)}
    assert dotted - found <= {"realm_access.roles", "act.sub", "proctor.yaml", "public.users"}


def test_every_error_of_an_approval() -> None:
    """Some are put together where they are made."""
    codes = set(re.findall(r"`((?:approval|grant|kill)[a-z-]+)`", ApprovalError.__doc__ or ""))
    assert len(codes) > 10
    assert not codes - words((REPOSITORY / "docs/errors.md").read_text())


def test_every_request_of_the_api() -> None:
    nothing = cast("Any", None)
    api = Api(house=nothing, admit=nothing, failures=nothing, wishes=nothing, streams=nothing)
    there = {
        f"{method} {route.path.removeprefix('/api/v1').replace('{name}', '{id}')}"
        for route in api.routes()
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    there |= {
        f"{method} {route.path.removeprefix('/api/v1').replace(':path', '')}"
        for route in ToolApi(house=nothing).routes()
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    text = APPROVALS.read_text() + MCP.read_text()
    told = re.findall(r"^\| `([A-Z]+ /[^`?]+)", text, re.MULTILINE)
    assert sorted(told) == sorted(there)


@pytest.mark.parametrize("page", [README, APPROVALS, EGRESS, MCP], ids=lambda page: page.name)
def test_commands_that_are_shown_exist(page: Path) -> None:
    commands = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in generator().all_commands(generator().application())
    }
    text = page.read_text().replace("\\\n", "")
    ends = {"|", "||", ">", "--"}
    shown = [
        list(takewhile(lambda word: word not in ends, shlex.split(line, comments=True)))
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in re.findall(r"^proctor .*", block, re.MULTILINE)
    ]
    assert len(shown) > 5
    for each in shown:
        name = " ".join(each[1:3]) if " ".join(each[1:3]) in commands else each[1]
        assert name in commands, each
        options = {word for word in each if word.startswith("--")}
        assert not options - commands[name], each


@pytest.mark.parametrize("page", [README, APPROVALS, EGRESS, MCP], ids=lambda page: page.name)
def test_what_is_shown_of_files_is_right(page: Path, tmp_path: Path) -> None:
    """Every block of YAML is a configuration or rules that load, or a part of one."""
    shown = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert shown
    for number, text in enumerate(shown):
        part = yamlfile.parse(text.encode(), name=f"block {number}").data
        if isinstance(part, list):
            part = {"rules": part}
        if "rules" in part:
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "rules.yaml").write_text(json.dumps(part))
            load_policy(folder, features=Features())
        else:
            made = json.dumps(whole(part)).encode()
            build(yamlfile.parse(made, name=f"block {number}"), tmp_path)


def whole(part: dict[str, Any]) -> dict[str, Any]:
    """A configuration around a part of one: what it names is there, and used."""
    known = {item["name"]: item for item in part.get("credentials", ())}
    destinations = part.pop("destinations", [])
    named = [*destinations, *part.get("listeners", ())]
    named += [each for item in part.get("listeners", ()) for key in ("routes", "destinations")
              for each in item.get(key, ())]  # fmt: skip
    used = {item["credential"] for item in named if "credential" in item}
    missing = [{"name": name, "header": "x-key", "value": {"env": "K"}} for name in used - {*known}]
    destinations += [
        {"host": f"{name}.example", "credential": name} for name in {*known} - used
    ] or [{"host": "a.example"}]
    listener = {"name": "shown", "kind": "forward", "listen": "127.0.0.1:0"}
    issuer = {"issuer": "https://idp.internal/realms/corp", "audience": "proctor"}
    return {
        "schema_version": 1,
        "identity": {"issuers": [issuer]},
        **part,
        "credentials": [*known.values(), *missing],
        "listeners": [*part.get("listeners", ()), {**listener, "destinations": destinations}],
    }


def test_every_sign_of_a_suspicious_definition() -> None:
    found = set(re.findall(r'^        "([a-z-]+)",$', inspect.getsource(suspicion), re.MULTILINE))
    found |= set(re.findall(r'(?:yield|name=)\s*\(?\s*"([a-z-]+)"', inspect.getsource(suspicion)))
    assert len(found) > 15
    assert not found - words(MCP.read_text().partition("\n## Suspicious definitions\n")[2])


def test_every_key_of_a_rule() -> None:
    wanted = {*rulefile.FILE_KEYS, *rulefile.RULE_KEYS, *rulefile.APPROVAL_KEYS}
    assert not wanted - words(section("Rules"))


def test_every_field_that_rules_see() -> None:
    documented = words(section("Fields"))
    assert not set(fields.TABLE) - documented
    for name, kind in fields.TABLE.items():
        assert not set(kind.fields or ()) - documented, name
    assert not set(fields.FEATURES) - documented


def test_every_column_of_every_view(tmp_path: Path) -> None:
    async def make() -> None:
        recorder = await Recorder.open(tmp_path / "recordings")
        await recorder.close()

    asyncio.run(make())
    text = section("The record")
    common = {"writer", "seq", "ts", "flow_id", "session_id", "principal", "subject", "groups"}
    with duckdb.connect(str(tmp_path / "recordings/audit.duckdb"), read_only=True) as database:
        rows = database.execute(
            "select table_name, column_name from information_schema.columns"
            " where table_name not like '\\_%' escape '\\'"
        ).fetchall()
    views: dict[str, set[str]] = {}
    for view, column in rows:
        views.setdefault(view, set()).add(column)
    tabled = {
        line.split("|")[1].strip().strip("`"): words(line.split("|")[3])
        for line in text.splitlines()
        if line.startswith("| `")
    }
    assert tabled == {view: columns - common for view, columns in views.items()}


def test_every_metric() -> None:
    registry = Metrics(["claude"]).registry
    registry.register(Totals(["orders"]))
    found = {metric.name for metric in registry.collect()}
    own = {name for name in found if name.startswith("proctor_")}
    assert {word for word in words(section("Metrics")) if word.startswith("proctor_")} == own


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_commands_of_the_readme(tmp_path: Path) -> None:
    blocks = marked_blocks(README, "ci")
    assert blocks
    for code in blocks:
        run_block(code, tmp_path)
