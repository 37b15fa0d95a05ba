"""What each client needs."""

import json
import shlex
import subprocess
from typing import Any

import pytest

from proctor.cli import console
from proctor.cli.clients import REFERENCE, TOKEN, Client, Setup, set_up
from proctor.cli.places import Places, Server
from proctor.units import Origin

CA = "/srv/proctor-ca.pem"
EXPORT = "proctor ca export"
PROXY = Origin(scheme="http", host="127.0.0.1", port=8081)
FORWARD = Places(proxy=PROXY)
JIRA = Server(name="jira", url="http://127.0.0.1:8082/jira", direct=True)
WIKI = Server(name="wiki", url="https://wiki.internal/mcp", direct=False)
TOOLS = [each for each in Client if each not in {Client.CLAUDE, Client.PSQL}]


def made(client: Client, places: Places, helper: str | None = None) -> Setup:
    found = set_up(client, places, ca=CA, export=EXPORT, helper=helper)
    assert found is not None
    return found


def commands(found: Setup) -> list[str]:
    return [command for step in found.steps for command in step.commands]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_goes_by_the_proxy_and_trusts_the_file(tool: Client) -> None:
    found = made(tool, FORWARD)
    addresses = {value for value in found.env.values() if "8081" in value}
    assert addresses == {f"http://{tool}:{REFERENCE}@127.0.0.1:8081"}
    assert CA in found.env.values()
    assert commands(found) == [EXPORT]
    assert found.unset == ()


@pytest.mark.parametrize("tool", TOOLS)
def test_claude_hands_its_tools_all_they_need(tool: Client) -> None:
    own = made(tool, FORWARD).env
    inherited = made(Client.CLAUDE, FORWARD).env
    assert {name: value.replace(f"{tool}:", "claude:") for name, value in own.items()} == {
        name: inherited[name] for name in own
    }


def test_nothing_is_exempt_from_the_proxy_but_the_listeners() -> None:
    assert made(Client.CURL, FORWARD).env["NO_PROXY"] == ""
    both = Places(proxy=PROXY, model="http://127.0.0.1:8080", direct=("127.0.0.1:8080", "[::1]:82"))
    env = made(Client.CLAUDE, both).env
    assert env["NO_PROXY"] == env["no_proxy"] == "127.0.0.1:8080,[::1]:82"
    assert made(Client.CURL, both).env["NO_PROXY"] == ""


def test_a_proxy_with_a_certificate_and_an_address_in_brackets() -> None:
    secure = Places(proxy=Origin(scheme="https", host="::1", port=443))
    assert made(Client.PIP, secure).env["PIP_PROXY"] == f"https://pip:{REFERENCE}@[::1]"


def test_an_old_node_is_warned_of() -> None:
    assert any("22.21" in step.why for step in made(Client.NODE, FORWARD).steps)
    assert not any("22.21" in step.why for step in made(Client.GIT, FORWARD).steps)


def test_claude_before_a_listener_for_the_model() -> None:
    found = made(Client.CLAUDE, Places(model="http://127.0.0.1:8080"))
    assert found == Setup(
        env={"ANTHROPIC_BASE_URL": "http://127.0.0.1:8080", "ANTHROPIC_AUTH_TOKEN": REFERENCE},
        unset=("ANTHROPIC_API_KEY",),
    )


def test_claude_and_a_model_behind_the_proxy() -> None:
    usual = made(Client.CLAUDE, Places(proxy=PROXY, proxied_model="https://api.anthropic.com"))
    assert usual.env["ANTHROPIC_AUTH_TOKEN"] == "put-in-by-proctor"
    assert "ANTHROPIC_BASE_URL" not in usual.env
    assert usual.unset == ("ANTHROPIC_API_KEY",)
    other = made(Client.CLAUDE, Places(proxy=PROXY, proxied_model="https://m.internal"))
    assert other.env["ANTHROPIC_BASE_URL"] == "https://m.internal"


def test_claude_keeps_its_own_sign_in_where_that_may_pass() -> None:
    found = made(Client.CLAUDE, FORWARD)
    assert not [name for name in (*found.env, *found.unset) if name.startswith("ANTHROPIC")]


def test_a_listener_for_the_model_goes_before_one_behind_the_proxy() -> None:
    both = Places(proxy=PROXY, model="http://127.0.0.1:8080", proxied_model="https://m.internal")
    env = made(Client.CLAUDE, both).env
    assert env["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:8080"
    assert env["ANTHROPIC_AUTH_TOKEN"] == REFERENCE


def test_servers_are_added_by_name_with_the_token_by_reference() -> None:
    found = made(Client.CLAUDE, Places(servers=(JIRA, WIKI)))
    first, second = map(shlex.split, commands(found))
    plain = ["claude", "mcp", "add", "--transport", "http"]
    assert first == [*plain, "jira", JIRA.url, "--header", f"Authorization: Bearer {REFERENCE}"]
    assert second == [*plain, "wiki", WIKI.url]


def printed_by(command: str, **env: str) -> str:
    """What a helper says, started as Claude Code starts it."""
    done = subprocess.run(
        ["sh", "-c", command],
        env={"PATH": "/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


HELPER = """printf %s 'a b' | tr ' ' "-" """


def settings(found: Setup) -> dict[str, Any]:
    (line,) = [each for each in commands(found) if each.startswith("claude --settings")]
    told: dict[str, Any] = json.loads(shlex.split(line)[2])
    return told


def test_a_helper_gives_fresh_tokens_to_each_part_of_claude() -> None:
    both = Places(proxy=PROXY, model="http://127.0.0.1:8080", servers=(JIRA,))
    found = made(Client.CLAUDE, both, HELPER)
    told = settings(found)
    assert printed_by(told["apiKeyHelper"]) == "a-b"
    assert printed_by(told["proxyAuthHelper"]) == "Bearer a-b\n"
    assert found.env["CLAUDE_CODE_ENABLE_PROXY_AUTH_HELPER"] == "1"
    # A token in the environment would go before the helper.
    assert "ANTHROPIC_AUTH_TOKEN" not in found.env
    assert "ANTHROPIC_AUTH_TOKEN" in found.unset
    (line,) = [each for each in commands(found) if "add-json" in each]
    *_, name, text = shlex.split(line)
    server = json.loads(text)
    assert (name, server["type"], server["url"]) == ("jira", "http", JIRA.url)
    assert json.loads(printed_by(server["headersHelper"])) == {"Authorization": "Bearer a-b"}


def test_a_helper_without_a_proxy() -> None:
    told = settings(made(Client.CLAUDE, Places(model="http://127.0.0.1:8080"), HELPER))
    assert list(told) == ["apiKeyHelper"]


def test_curl_asks_other_listeners_with_a_header() -> None:
    found = made(Client.CURL, Places(apis=("http://127.0.0.1:8083/tickets",)))
    assert found.env == {}
    (line,) = commands(found)
    assert printed_by(line.replace("curl", "printf '%s|'"), **{TOKEN: "t"}) == (
        "-H|Authorization: Bearer t|http://127.0.0.1:8083/tickets/|"
    )


@pytest.mark.parametrize("client", [each for each in Client if each is not Client.PSQL])
def test_no_listener_is_of_use(client: Client) -> None:
    assert set_up(client, Places(direct=("127.0.0.1:8080",)), ca=CA, export=EXPORT) is None
    if client not in {Client.CURL, Client.CLAUDE}:
        others = Places(model="http://a", apis=("http://b",), servers=(JIRA,))
        assert set_up(client, others, ca=CA, export=EXPORT) is None


def test_the_command_line_s_own_token_is_never_meant() -> None:
    assert console.TOKEN != TOKEN
