"""What must stay as it is in messages."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.protocols.anthropic.exempt import exempt
from proctor.redaction.structure.jsondoc import read_json

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(40)).decode()
TEXT = base64.b64encode(b"PASSWORD=hunter2 and more text").decode()


def of(element: Any) -> dict[str, str]:
    """Reasons by path, for easier reading."""
    return {".".join(map(str, path)): why for path, why in exempt(element).items()}


def test_thinking_is_signed() -> None:
    message = {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "jane", "signature": "EqQB+/=="},
            {"type": "redacted_thinking", "data": "EqQB"},
            {
                "type": "compaction",
                "content": "jane",
                "signature": "EqQB",
                "encrypted_content": "x",
            },
        ],
    }
    assert {path: why for path, why in of(message).items() if why != "protocol"} == {
        "content.0.thinking": "signed",
        "content.0.signature": "signed",
        "content.1.data": "signed",
        "content.2.content": "signed",
        "content.2.signature": "signed",
        "content.2.encrypted_content": "encrypted",
    }


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "jane"},
        {"type": "thinking", "thinking": "jane", "signature": ""},
        {"type": "thinking", "thinking": "jane", "signature": "no signature at all"},
        {"type": "thinking", "thinking": "jane", "signature": 1},
        {"type": "redacted_thinking", "data": "plain text"},
        {"type": "text", "thinking": "jane", "signature": "EqQB", "data": "EqQB"},
        {"type": "web_search_result", "encrypted_content": "plain text"},
    ],
)
def test_what_is_not_signed_is_looked_at(block: dict[str, Any]) -> None:
    assert of(block) == {"type": "protocol"}


@pytest.mark.parametrize(
    ("media", "data", "why"),
    [
        ("image/png", PNG, "image"),
        ("application/pdf", PDF, "document"),
        ("image/png", TEXT, None),
        ("image/jpeg", PNG, None),
        ("image/svg+xml", PNG, None),
        ("application/pdf", PNG, None),
        ("text/plain", TEXT, None),
        ("text/plain", PNG, None),
        ("image/png", PNG + " jane", None),
        ("image/png", PNG[:10] + "\n" + PNG[10:], None),
        ("image/png", "", None),
        ("image/png", "iVBO=", None),
        (["image/png"], PNG, None),
        ("image/png", [PNG], None),
    ],
)
def test_images_and_documents(media: Any, data: Any, why: str | None) -> None:
    block = {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}
    assert of(block).get("source.data") == why
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [block]}
    message = {"role": "user", "content": [result]}
    assert of(message).get("content.0.content.0.source.data") == why


def test_a_plain_text_source_is_looked_at() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "jane"}
    assert of({"type": "document", "source": source, "title": "jane"}) == {
        "type": "protocol", "source.type": "protocol"
    }  # fmt: skip


def test_the_protocols_own_words() -> None:
    body = {
        "model": "claude-opus-4-5@20251101",
        "system": [
            {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "5m"}}
        ],
        "tools": [{"name": "Bash", "description": "jane", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "Bash"},
        "messages": [
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "toolu_01Ab", "name": "Bash",
                 "input": {"type": "x", "id": "toolu_1"}},
                {"type": "text", "text": "y", "citations": [
                    {"type": "web_search_result_location", "encrypted_index": "Eo8B", "url": "z"}]},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
                    {"type": "web_search_result", "encrypted_content": "Eo8B", "title": "t"}]},
                {"type": "code_execution_tool_result", "tool_use_id": "srvtoolu_2", "content": {
                    "type": "encrypted_code_execution_result",
                    "encrypted_stdout": "Eo8B", "content": []}},
            ]},
            {"role": "user", "content": "jane"},
        ],
    }  # fmt: skip
    found = of(body)
    assert {path for path, why in found.items() if why == "encrypted"} == {
        "messages.0.content.1.citations.0.encrypted_index",
        "messages.0.content.2.content.0.encrypted_content",
        "messages.0.content.3.content.encrypted_stdout",
    }
    assert {path for path, why in found.items() if why == "protocol"} >= {
        "system.0.type", "system.0.cache_control.type", "system.0.cache_control.ttl",
        "tools.0.name", "tool_choice.name", "messages.0.role", "messages.0.content.0.id",
        "messages.0.content.0.name", "messages.0.content.2.tool_use_id", "messages.1.role",
    }  # fmt: skip
    looked = set(found)
    assert not {path for path in looked if ".input" in path or "schema" in path}
    assert not looked & {
        "model", "system.0.text", "tools.0.description", "messages.1.content",
        "messages.0.content.1.citations.0.url", "messages.0.content.2.content.0.title",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "jane@acme.io"),
        ("id", "gh" + "p_" + "a" * 36),
        ("tool_use_id", "toolu_" + "a" * 65),
        ("name", "jane roe"),
        ("type", "A" * 20),
        ("role", "jane"),
        ("model", "jane@acme.io"),
        ("cache_control", {"type": "078-05-1120"}),
    ],
)
def test_other_text_in_their_place_is_looked_at(name: str, value: Any) -> None:
    assert of({name: value}) == {}


def test_in_a_document() -> None:
    raw = json.dumps({"type": "thinking", "thinking": "jane", "signature": "EqQB"}).encode()
    layout = read_json(raw, exempt=exempt(json.loads(raw)))
    assert not any(leaf.text == "jane" for leaf in layout.leaves)
    assert sorted((s.reason, s.size) for s in layout.skipped) == [
        ("protocol", 8), ("signed", 4), ("signed", 4)
    ]  # fmt: skip


names = st.sampled_from(["type", "content", "source", "data", "media_type", "citations", "id"])
words = st.sampled_from(["thinking", "base64", "image/png", PNG, "toolu_1"])


@given(
    st.recursive(
        st.none() | st.integers() | words | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
        max_leaves=20,
    )
)
def test_any_value(value: Any) -> None:
    for path in exempt(value):
        inner = value
        for step in path:
            inner = inner[step]
        assert isinstance(inner, str)


def test_deep_blocks() -> None:
    block: dict[str, Any] = {"type": "text"}
    for _ in range(500):
        block = {"type": "tool_result", "content": [block]}
    assert 0 < len(exempt(block)) < 50
