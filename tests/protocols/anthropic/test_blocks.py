"""What of an answer is not looked at."""

from proctor.protocols.anthropic.blocks import exempt_in, is_tool


def test_tool_calls_are_known_by_kind_and_by_input() -> None:
    assert is_tool({"type": "tool_use"})
    assert is_tool({"type": "some_future_use", "input": {}})
    assert not is_tool({"type": "text", "text": ""})


def test_names_and_signed_parts_are_exempt_wherever_events_have_them() -> None:
    event = {
        "type": "message_start",
        "message": {"id": "msg_1", "type": "message", "role": "assistant", "text": "x"},
    }
    assert set(exempt_in(event)) == {
        ("type",),
        ("message", "id"),
        ("message", "type"),
        ("message", "role"),
    }
    delta = {"type": "citations_delta", "citation": {"type": "page_location", "cited_text": "x"}}
    assert set(exempt_in(delta)) == {("type",), ("citation", "type")}
    assert exempt_in({"delta": "words", "type": "not a kind"}) == {}
