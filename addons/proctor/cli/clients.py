"""What a client needs so that it reaches proctor: variables to set, and steps by hand.

Nothing here holds a token: it stands for the variable that does. The variable is not the command
line's PROCTOR_TOKEN, which may be a reviewer's: an agent must never be handed that one.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from proctor.cli.places import Places, Server
from proctor.units import Origin

TOKEN: Final = "PROCTOR_AGENT_TOKEN"  # noqa: S105 - the variable's name
REFERENCE: Final = f"${{{TOKEN}}}"
"""Stands for the token, to shells and in Claude Code's settings of MCP servers."""

_PUT_IN: Final = "put-in-by-proctor"
_ANTHROPIC: Final = "https://api.anthropic.com"


class Client(StrEnum):
    """Whom `proctor connect` knows."""

    CLAUDE = "claude"
    GIT = "git"
    CURL = "curl"
    PIP = "pip"
    NPM = "npm"
    NODE = "node"
    PYTHON = "python"
    PSQL = "psql"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that a person does once.

    Attributes:
        why: What it is good for, in one sentence.
        commands: Lines for a shell; empty for advice alone.
    """

    why: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What makes a client use proctor.

    Attributes:
        env: Variables and values; `REFERENCE` in a value stands for the token.
        unset: Variables that would go past proctor, or hand the agent what it need not hold.
        steps: What is left to do by hand.
    """

    env: Mapping[str, str] = field(default_factory=dict[str, str])
    unset: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


_EVERYONE: Final = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")
"""Most clients prefer one spelling, and not the same one."""

_PROXY: Final = {
    Client.GIT: ("GIT_CONFIG_VALUE_0",),  # goes before a proxy in ~/.gitconfig, and is git's alone
    Client.CURL: _EVERYONE,
    Client.PIP: ("PIP_PROXY",),
    Client.NPM: ("npm_config_proxy", "npm_config_https_proxy"),
    Client.NODE: _EVERYONE,
    Client.PYTHON: _EVERYONE,
}
_CA: Final = {
    Client.GIT: ("GIT_SSL_CAINFO",),
    Client.CURL: ("CURL_CA_BUNDLE",),
    Client.PIP: ("PIP_CERT",),
    Client.NPM: ("npm_config_cafile",),
    Client.NODE: ("NODE_EXTRA_CA_CERTS",),
    Client.PYTHON: ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
}
_MORE: Final[Mapping[Client, Mapping[str, str]]] = {
    Client.GIT: {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.proxy",
        "GIT_HTTP_PROXY_AUTHMETHOD": "basic",  # otherwise git asks once without it, for each URL
    },
    Client.NODE: {"NODE_USE_ENV_PROXY": "1"},
}
_OLD_NODE: Final = Step(
    why="Before 22.21, Node.js goes past proxies, unless a program itself uses one:"
    " EnvHttpProxyAgent of the package undici.",
)


def set_up(
    client: Client, places: Places, *, ca: str, export: str, helper: str | None = None
) -> Setup | None:
    """What `client` needs.

    Args:
        client: Anyone but psql.
        places: Where it can go.
        ca: Path of the file with the certificates to trust, on the client's machine.
        export: The command that writes this file.
        helper: A command that prints a fresh token; None where the variable alone holds one.

    Returns:
        None if no listener is of use to it.
    """
    if client is Client.CLAUDE:
        return _claude(places, ca, export, helper)
    if places.proxy is not None:
        advice = (_OLD_NODE,) if client is Client.NODE else ()
        return Setup(
            env=_proxied(client, client, places.proxy, ca, ()),
            steps=(certificates(export), *advice),
        )
    if client is Client.CURL and places.apis:
        header = f'"Authorization: Bearer {REFERENCE}"'
        asked = tuple(f"curl -H {header} {shlex.quote(url + '/')}" for url in places.apis)
        return Setup(
            steps=(Step(why="No forward listener: the others are asked so.", commands=asked),)
        )
    return None


def _claude(places: Places, ca: str, export: str, helper: str | None) -> Setup | None:
    """Claude Code, and the tools that it starts: they inherit its variables."""
    env: dict[str, str] = {}
    unset: list[str] = []
    steps: list[Step] = []
    settings: dict[str, str] = {}
    if places.model is not None:
        env["ANTHROPIC_BASE_URL"] = places.model
        unset.append("ANTHROPIC_API_KEY")
        if helper is None:
            env["ANTHROPIC_AUTH_TOKEN"] = REFERENCE
        else:
            unset.append("ANTHROPIC_AUTH_TOKEN")  # it would go before the helper
            settings["apiKeyHelper"] = helper
    elif places.proxied_model is not None:
        env["ANTHROPIC_AUTH_TOKEN"] = _PUT_IN  # Claude Code does not start without any
        unset.append("ANTHROPIC_API_KEY")
        if places.proxied_model != _ANTHROPIC:
            env["ANTHROPIC_BASE_URL"] = places.proxied_model
    if places.proxy is not None:
        for tool in _PROXY:
            env |= _proxied(tool, Client.CLAUDE, places.proxy, ca, places.direct)
        steps += [certificates(export), _OLD_NODE]
        if helper is not None:
            env["CLAUDE_CODE_ENABLE_PROXY_AUTH_HELPER"] = "1"
            settings["proxyAuthHelper"] = f'echo "Bearer $({helper})"'
    if settings:
        text = shlex.quote(json.dumps(settings))
        why = "Claude Code then asks for a fresh token by itself; the tools it starts do not."
        steps.append(Step(why=why, commands=(f"claude --settings {text}",)))
    if places.servers:
        added = tuple(_added(server, helper) for server in places.servers)
        steps.append(Step(why="Tell Claude Code of the MCP servers, once.", commands=added))
    return Setup(env=env, unset=tuple(unset), steps=tuple(steps)) if env or steps else None


def _proxied(
    tool: Client, user: Client, proxy: Origin, ca: str, direct: tuple[str, ...]
) -> dict[str, str]:
    authority = str(proxy).removeprefix(f"{proxy.scheme}://")
    # RFC 7617, 2: the user counts for nothing, the token is the password.
    address = f"{proxy.scheme}://{user}:{REFERENCE}@{authority}"
    env = dict.fromkeys(_PROXY[tool], address)
    if _PROXY[tool] is _EVERYONE:
        env |= dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(direct))
    return {**env, **dict.fromkeys(_CA[tool], ca), **_MORE.get(tool, {})}


def certificates(export: str) -> Step:
    """How the file of certificates comes to be."""
    why = "Write the file of certificates to trust, and again after each `proctor ca rotate`."
    return Step(why=why, commands=(export,))


def _added(server: Server, helper: str | None) -> str:
    name, url = shlex.quote(server.name), shlex.quote(server.url)
    plain = f"claude mcp add --transport http {name} {url}"
    if not server.direct:
        return plain
    if helper is None:
        # In single quotes: Claude Code keeps the variable's name, and fills it in at each start.
        return f"{plain} --header 'Authorization: Bearer {REFERENCE}'"
    asked = f"""printf '{{"Authorization":"Bearer %s"}}' "$({helper})\""""
    found = json.dumps({"type": "http", "url": server.url, "headersHelper": asked})
    return f"claude mcp add-json {name} {shlex.quote(found)}"
