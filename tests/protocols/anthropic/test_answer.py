"""What an answer offers to those who record it."""

from proctor.protocols.anthropic.answer import Answer, Block, ToolUse

CALL = ToolUse(kind="tool_use", id="t1", name="Bash", input={}, input_text="{}", complete=True)
SEARCH = ToolUse(kind="server_tool_use", id="t2", name="web_search")
FIND = ToolUse(kind="mcp_tool_use", id="t3", name="find", server="tickets")


def test_blocks_by_kind() -> None:
    answer = Answer(
        blocks=(
            Block(kind="thinking", text="hm"),
            Block(kind="text", text="one"),
            Block(kind="tool_use", tool=CALL),
            Block(kind="server_tool_use", tool=SEARCH),
            Block(kind="mcp_tool_use", tool=FIND),
            Block(kind="text", text="two"),
            Block(kind="compaction", text="all"),
        )
    )
    assert answer.text == "one\ntwo"
    assert answer.thinking == "hm"
    assert answer.tool_uses == (CALL,)
    assert answer.server_tool_uses == (SEARCH, FIND)


def test_nothing_said() -> None:
    answer = Answer()
    assert (answer.text, answer.thinking, answer.tool_uses) == ("", "", ())
    assert answer.coverage == "full"
