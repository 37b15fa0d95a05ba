"""What lets the provider reach out has a name; what is not known has one too."""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from anthropic.types import beta
from anthropic.types.beta.message_create_params import MessageCreateParamsBase
from pydantic import BaseModel
from typing_extensions import is_typeddict

from proctor.protocols.anthropic.features import of_blocks, of_members, of_tool

URL = {"type": "url", "url": "https://x"}
FILE = {"type": "file", "file_id": "file_1"}
BASE64 = {"type": "base64", "media_type": "image/png", "data": "AA=="}


@pytest.mark.parametrize(
    ("tool", "name", "features"),
    [
        ({"name": "Bash", "input_schema": {"type": "url"}}, "Bash", set()),
        ({"name": "Bash", "type": None, "input_schema": {}}, "Bash", set()),
        ({"name": "Bash", "type": "custom", "input_schema": {}}, "Bash", set()),
        ({"name": "bash", "type": "bash_20250124"}, "bash", set()),
        ({"name": "memory", "type": "memory_20250818"}, "memory", set()),
        ({"type": "browser_toolset_20260801"}, "browser", set()),
        ({"name": "web_search", "type": "web_search_20250305"}, "web_search", {"web_search"}),
        ({"name": "mine", "type": "web_fetch_20990101"}, "mine", {"web_fetch"}),
        ({"name": "x", "type": "code_execution_20250825"}, "x", {"code_execution"}),
        ({"name": "x", "type": "advisor_20260301", "model": "m"}, "x", {"advisor"}),
        ({"name": "x", "type": "tool_search_tool_regex"}, "x", {"tool_search"}),
        ({"name": "x", "type": "tool_search_tool_bm25_20251119"}, "x", {"tool_search"}),
        ({"type": "mcp_toolset", "mcp_server_name": "s"}, "", {"mcp_connector"}),
        ({"name": "x", "type": "bash_20990101"}, "x", {"unknown_tool:bash_20990101"}),
        ({"name": "x", "type": "web_search"}, "x", {"unknown_tool:web_search"}),
        ({"name": "x", "type": "web_search_20250305x"}, "x", {"unknown_tool:web_search_20250305x"}),
        ({"name": "x", "type": "Odd type!"}, "x", {"unknown_tool:"}),
        ({"name": "x", "type": ["custom"]}, "x", {"unknown_tool:"}),
        ({"input_schema": {}}, "", {"unknown_tool:unnamed"}),
        ({"name": 5, "input_schema": {}}, "", {"unknown_tool:unnamed"}),
        ("web_search", "", {"unknown_tool:"}),
    ],
)
def test_tools(tool: object, name: str, features: set[str]) -> None:
    assert of_tool(tool) == (name, frozenset(features))


@pytest.mark.parametrize(
    ("block", "features"),
    [
        ("text", set()),
        (None, set()),
        ({"type": "text", "text": "see https://x"}, set()),
        ({"type": "image", "source": BASE64}, set()),
        ({"type": "image", "source": URL}, {"image_url"}),
        ({"type": "image", "source": FILE}, {"files"}),
        ({"type": "image"}, {"unknown_source:"}),
        ({"type": "image", "source": "https://x"}, {"unknown_source:"}),
        ({"type": "image", "source": {"type": "s3", "uri": "x"}}, {"unknown_source:s3"}),
        ({"type": "image", "source": {"url": "x"}}, {"unknown_source:"}),
        ({"type": "image", "source": {"type": ["url"]}}, {"unknown_source:"}),
        ({"type": "document", "source": URL}, {"document_url"}),
        ({"type": "document", "source": FILE}, {"files"}),
        ({"type": "document", "source": {"type": "text", "data": "x"}}, set()),
        ({"type": "container_upload", "file_id": "f"}, {"files"}),
        ({"type": "search_result", "source": "https://x", "content": []}, set()),
        ({"type": "mcp_tool_listing", "tools": []}, {"mcp_connector"}),
        ({"type": "tool_use", "id": "t", "name": "n", "input": {"source": URL}}, set()),
        ({"type": "hologram"}, {"unknown_block:hologram"}),
        ({"type": {"a": 1}}, {"unknown_block:"}),
        ({"source": URL}, {"unknown_block:", "document_url"}),
        (5, {"unknown_block:"}),
        ([[5]], {"unknown_block:"}),
        (
            {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "n"}},
            set(),
        ),
        (
            {"type": "tool_removal", "tool": {"type": "mcp_toolset_reference"}},
            {"mcp_connector"},
        ),
        ({"type": "tool_addition", "tool": {"type": "other"}}, {"unknown_tool:other"}),
        ({"type": "tool_addition", "tool": "n"}, {"unknown_tool:"}),
    ],
)
def test_blocks(block: object, features: set[str]) -> None:
    assert of_blocks(block)[1] == features
    assert of_blocks([block])[1] == features


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda inner: {"type": "tool_result", "tool_use_id": "t", "content": [inner]},
        lambda inner: {"type": "tool_result", "tool_use_id": "t", "content": inner},
        lambda inner: {"type": "search_result", "source": "s", "content": [inner]},
        lambda inner: {"type": "document", "source": {"type": "content", "content": [inner]}},
        lambda inner: {
            "type": "web_fetch_tool_result",
            "content": {"type": "web_fetch_result", "url": "u", "content": inner},
        },
        lambda inner: {"type": "hologram", "content": inner},
    ],
)
def test_features_are_found_however_deep(wrapped: Any) -> None:
    block: object = {"type": "image", "source": URL}
    for _ in range(2000):
        block = wrapped(block)
    assert "image_url" in of_blocks([block])[1]


def test_tools_defined_inside_the_conversation_count() -> None:
    definition = {"type": "web_search_20260318", "name": "web_search"}
    added = {
        "type": "tool_addition",
        "tool": {"type": "tool_definition", "definition": definition},
    }
    expected = (("web_search",), frozenset({"web_search"}))
    assert of_blocks([added]) == expected
    assert of_blocks({"type": "compaction", "content": "s", "tool_changes": [added]}) == expected
    empty = {"type": "tool_addition", "tool": {"type": "tool_definition"}}
    assert of_blocks(empty) == ((), frozenset({"unknown_tool:"}))


@pytest.mark.parametrize(
    ("values", "features"),
    [
        ({"model": "m", "new_member": {"source": URL}, "billing_policy": {}}, set()),
        ({"mcp_servers": [{"type": "url", "url": "u", "name": "n"}]}, {"mcp_connector"}),
        ({"mcp_servers": [], "container": None, "fallbacks": []}, set()),
        ({"container": "c1"}, {"container"}),
        ({"container": {"id": "c", "skills": [{"skill_id": "s"}]}}, {"container", "skills"}),
        ({"container": {"id": "c", "skills": []}}, {"container"}),
        ({"fallbacks": [{"model": "m"}]}, {"fallbacks"}),
        ({"fallbacks": "default"}, {"fallbacks"}),
        ({"thread": {"type": "create"}}, {"thread"}),
    ],
)
def test_members_of_the_body(values: dict[str, Any], features: set[str]) -> None:
    assert of_members(values) == features


# What the SDK knows must be known here: after an upgrade these tests name what is new.


def kinds(annotation: Any) -> Iterator[str]:
    """The `type` of every alternative of a union of the SDK's types."""
    if is_typeddict(annotation):
        yield from literals(get_type_hints(annotation)["type"])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from literals(annotation.model_fields["type"].annotation)
    else:
        for alternative in get_args(annotation):
            yield from kinds(alternative)


def literals(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for part in get_args(annotation):
            yield from literals(part)


def hints(of: Any, name: str) -> Any:
    return get_type_hints(of)[name]


BLOCKS = sorted(
    {
        *kinds(beta.BetaContentBlockParam),
        *kinds(hints(beta.BetaToolResultBlockParam, "content")),
        *kinds(hints(beta.BetaSystemMessageParam, "content")),
        *kinds(hints(beta.BetaWebFetchToolResultBlockParam, "content")),
        *kinds(hints(beta.BetaWebSearchToolResultBlockParam, "content")),
        *kinds(hints(beta.BetaCodeExecutionToolResultBlockParam, "content")),
        *kinds(hints(beta.BetaBashCodeExecutionToolResultBlockParam, "content")),
        *kinds(hints(beta.BetaTextEditorCodeExecutionToolResultBlockParam, "content")),
        *kinds(hints(beta.BetaToolSearchToolResultBlockParam, "content")),
        *kinds(hints(beta.BetaAdvisorToolResultBlockParam, "content")),
        *kinds(hints(beta.BetaCodeExecutionResultBlockParam, "content")),
        *kinds(hints(beta.BetaBashCodeExecutionResultBlockParam, "content")),
    }
)


def test_enough_of_the_sdk_was_found() -> None:
    assert {"text", "tool_result", "container_upload", "browser_state"} <= set(BLOCKS)
    assert len(BLOCKS) > 40


@pytest.mark.parametrize("kind", BLOCKS)
def test_every_block_of_the_sdk_is_known(kind: str) -> None:
    features = of_blocks([{"type": kind, "source": BASE64}])[1]
    assert not any(name.startswith("unknown_block") for name in features)


@pytest.mark.parametrize("kind", sorted(kinds(beta.BetaToolUnionParam)))
def test_every_tool_of_the_sdk_is_known(kind: str) -> None:
    features = of_tool({"type": kind, "name": "n"})[1]
    assert not any(name.startswith("unknown_tool") for name in features)


@pytest.mark.parametrize(
    "kind",
    sorted(
        {
            *kinds(hints(beta.BetaImageBlockParam, "source")),
            *kinds(hints(beta.BetaRequestDocumentBlockParam, "source")),
        }
    ),
)
def test_every_source_of_the_sdk_is_known(kind: str) -> None:
    features = of_blocks([{"type": "document", "source": {"type": kind}}])[1]
    assert not any(name.startswith("unknown_source") for name in features)


@pytest.mark.parametrize(
    "kind",
    sorted(
        {
            *kinds(hints(beta.BetaRequestToolAdditionBlockParam, "tool")),
            *kinds(hints(beta.BetaRequestToolRemovalBlockParam, "tool")),
        }
    ),
)
def test_every_tool_change_of_the_sdk_is_known(kind: str) -> None:
    definition = {"name": "n", "input_schema": {}}
    block = {"type": "tool_addition", "tool": {"type": kind, "definition": definition}}
    assert not any(name.startswith("unknown_tool") for name in of_blocks([block])[1])


def test_every_member_of_the_sdk_was_considered() -> None:
    """A new member may let the provider reach out; then it belongs into features."""
    assert set(get_type_hints(MessageCreateParamsBase)) == {
        *("container", "fallbacks", "mcp_servers", "messages", "system", "thread", "tools"),
        *("max_tokens", "metadata", "model", "stop_sequences", "service_tier", "speed"),
        *("cache_control", "context_management", "compaction", "diagnostics", "inference_geo"),
        *("output_config", "thinking", "tool_choice"),
        *("billing_policy", "fallback_credit_token"),
        *("betas", "user_profile_id", "workspace_id"),  # sent as headers
    }
