"""The two clients of the demo: the anthropic SDK, and the real Claude Code.

Each holds a short conversation through proctor and returns what it saw; neither knows of proctor
more than an address and a token.
"""

import json
import os
import random
import shutil
import string
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import anthropic
from anthropic.types import (
    MessageParam,
    ToolParam,
    ToolResultBlockParam,
    WebSearchTool20250305Param,
)

MODEL = "claude-sonnet-5-5"
CLAUDE = Path(__file__).parents[2] / ".npm/node_modules/.bin/claude"
TOOLS = "Bash,Read,WebSearch"
MAIL = "jane.roe@orchard-mail.com"
TOKEN = "ghp" + "_" + "".join(random.choices(string.ascii_letters + string.digits, k=36))  # noqa: S311 - made up
NOTE = f"milk, bread, two lemons\nask {MAIL} when they come\nGITHUB_TOKEN={TOKEN}\n"
"""What the person keeps in a file, and Claude is to read."""

_NOTES = ToolParam(
    name="read_note",
    description="Reads one of the user's notes.",
    input_schema={"type": "object", "properties": {"name": {"type": "string"}}},
)
_BASH = ToolParam(
    name="Bash",
    description="Runs a command.",
    input_schema={"type": "object", "properties": {"command": {"type": "string"}}},
)
_SEARCH = WebSearchTool20250305Param(type="web_search_20250305", name="web_search")

type Say = Callable[[str, str], None]
type Lines = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a client saw.

    Attributes:
        session_id: As it named its run.
        tools: Tools that were really run.
        refusal: What it was shown when proctor refused, empty if it was not.
        said: All that Claude said, as the person read it.
    """

    session_id: str
    tools: int
    refusal: str
    said: str


def sdk(url: str, token: str, folder: Path, say: Say) -> Outcome:
    """A conversation with streaming, a tool call, and a request that the rules refuse."""
    (folder / "groceries").write_text(NOTE)
    session_id = str(uuid.uuid4())
    client = _client(url, token, session_id)
    messages: list[MessageParam] = []
    said: list[str] = []

    def turn(content: str | list[ToolResultBlockParam]) -> anthropic.types.Message:
        messages.append({"role": "user", "content": content})
        if isinstance(content, str):
            say("you", content)
        with client.messages.stream(
            model=MODEL, max_tokens=500, messages=messages, tools=[_NOTES]
        ) as stream:
            answer = stream.get_final_message()
        messages.append({"role": "assistant", "content": answer.content})
        for block in answer.content:
            if block.type == "text":
                say("claude", block.text)
                said.append(block.text)
        return answer

    turn("say: Good morning. I can look things up in your notes.")
    answer = turn('Please look at my shopping list.\ncall: read_note {"name": "groceries"}')
    results: list[ToolResultBlockParam] = []
    for block in answer.content:
        if block.type == "tool_use":
            say("tool", f"{block.name} {json.dumps(block.input)}")
            text = (folder / "groceries").read_text()
            results.append({"type": "tool_result", "tool_use_id": block.id, "content": text})
    turn(results)
    say("you", "Search the web for lemon prices.   (asks for web_search, which the rules deny)")
    refusal = ""
    try:
        client.messages.create(
            model=MODEL,
            max_tokens=500,
            messages=[*messages, {"role": "user", "content": "Search the web for lemon prices."}],
            tools=[_SEARCH],
        )
    except anthropic.APIStatusError as error:
        refusal = f"{error.status_code}: {_message(error.body)}"
        say("refused", refusal)
    return Outcome(session_id=session_id, tools=len(results), refusal=refusal, said="\n".join(said))


def sdk_runs(url: str, token: str, folder: Path, session_id: str, prompt: str) -> Lines:
    """Ask for a command; run it as an agent would, if the call comes through."""
    answer = _client(url, token, session_id).messages.create(
        model=MODEL,
        max_tokens=500,
        tools=[_BASH],
        messages=[{"role": "user", "content": prompt}],
    )
    lines: Lines = []
    for block in answer.content:
        if block.type == "tool_use":
            subprocess.run(["sh", "-c", str(block.input["command"])], cwd=folder, check=True)
            lines.append(("tool", f"ran {block.input['command']}"))
        elif block.type == "text":
            lines.append(("claude", block.text))
    return lines


def claude_code_runs(url: str, token: str, folder: Path, session_id: str, prompt: str) -> Lines:
    """The same with the real Claude Code, which runs it by itself."""
    told = run_claude(url, token, folder, ["--resume", session_id, prompt])
    return [("claude", told)]


def claude_code(url: str, token: str, folder: Path, say: Say) -> Outcome:
    """Three prompts for the real Claude Code, with tools really run in a scratch folder."""
    (folder / "notes.txt").write_text(NOTE)
    session_id = str(uuid.uuid4())
    prompts = (
        ["--session-id", session_id, "run: echo made by a real shell | tee made.txt"],
        ["--resume", session_id, f"read: {folder / 'notes.txt'}"],
        ["--resume", session_id, 'call: WebSearch {"query": "price of lemons"}'],
    )
    said: list[str] = []
    for arguments in prompts:
        say("you", arguments[-1])
        said.append(run_claude(url, token, folder, arguments))
        say("claude", said[-1])
    made = folder / "made.txt"
    ran = made.exists() and "real shell" in made.read_text()
    return Outcome(
        session_id=session_id, tools=2 if ran else 0, refusal=said[-1], said="\n".join(said)
    )


def run_claude(url: str, token: str, folder: Path, arguments: list[str]) -> str:
    """One run of `claude -p`; nothing of the caller's own settings gets in."""
    if not CLAUDE.exists():
        raise SystemExit("Claude Code is not installed; `make npm` does that")
    home = folder / "home"
    home.mkdir(exist_ok=True)
    *options, prompt = arguments
    done = subprocess.run(
        [CLAUDE, "-p", *options, "--tools", TOOLS, "--allowedTools", TOOLS, "--", prompt],
        cwd=folder,
        env={
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_AUTH_TOKEN": token,
            "ANTHROPIC_MODEL": MODEL,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            # It will not run tools as root unless told that it may.
            "IS_SANDBOX": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return (done.stdout + done.stderr).strip()


def available(name: str) -> bool:
    """Whether a client is there to be used."""
    return name == "sdk" or (CLAUDE.exists() and shutil.which("bash") is not None)


def _client(url: str, token: str, session_id: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        base_url=url,
        auth_token=token,
        default_headers={"X-Claude-Code-Session-Id": session_id},
    )


def _message(body: object) -> str:
    if isinstance(body, dict):
        return str(body.get("error", {}).get("message", body))
    return str(body)
