"""Tool calls as the model writes them."""

import json


def as_tool_input(**values: str) -> str:
    """The input of a tool call."""
    return json.dumps(values)
