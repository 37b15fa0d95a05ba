"""The main job, end to end on loopback: `make demo`, or `make demo CLIENT=claude-code`.

A stand-in Messages API, proctor before it, a real client before that; then the record, in words and
in SQL. Everything happens in a temporary folder and on free ports, and nothing leaves the machine.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import clients
import database
import outside
from rich.console import Console
from rich.markup import escape

import evidence
from proctor.testing import gateway, tls
from proctor.testing.ports import free_ports
from proctor.testing.standin import KEY, StandIn, serving
from tests.postgres.server import Server

CLIENTS: dict[str, Callable[..., clients.Outcome]] = {
    "sdk": clients.sdk,
    "claude-code": clients.claude_code,
}
RUNNERS: dict[str, Callable[..., clients.Lines]] = {
    "sdk": clients.sdk_runs,
    "claude-code": clients.claude_code_runs,
}
ASKED = "Clean up, please.\nrun: rm -rf letters"
AGAIN = "They are sent now. Clean up.\nrun: rm -rf letters"
NO = "Those letters are not sent yet."
STOLEN = "sk-of-somebody-else"
EGRESS = """\
  - name: egress
    kind: forward
    listen: 127.0.0.1:{port}
    destinations:
      - {{host: localhost, port: {to}, path: /v1/**, credential: tickets, {trust}}}
      - {{host: localhost, port: {to}, path: /mcp, speaks: mcp, name: tickets, {trust}}}
      - {{host: localhost, port: {to}, path: /help/**, {trust}}}
"""
TRUST = "upstream_tls: {{ca: {ca}}}"
KEY_OF_IT = "  - {name: tickets, header: x-api-key, value: {env: TICKETS_KEY}}\n"
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "get_ticket", "arguments": {"id": "T-2"}},
}
COLOURS = {"you": "cyan", "claude": "green", "tool": "magenta", "refused": "bold red"}
QUERIES = (
    "select model, stop_reason, input_tokens, output_tokens, prompt from turns order by seq",
    "select name, input, result from tool_calls order by seq",
    "select entity_type, action, detector, location from findings order by seq",
    'select state, "by", reason, rule_id from approvals order by seq',
    "select path, status, verdict, rule_id from flows where listener = 'egress' order by seq",
    "select path, status, verdict, rule_id, reason from flows where verdict = 'deny'",
)

_PATIENCE = 60.0
_TRIES = 60

console = Console(highlight=False)


def main() -> int:
    """Run it; the exit status is 0 only if everything was as it should be."""
    parser = argparse.ArgumentParser(description="proctor's main job, end to end on loopback")
    parser.add_argument("--client", choices=CLIENTS, default="sdk", help="who talks to Claude")
    parser.add_argument(
        "--keep", type=Path, help="put everything into this new folder, and keep it"
    )
    parser.add_argument(
        "--cache", type=Path, help="keep compiled rules in this folder, for the next run"
    )
    given = parser.parse_args()
    if shutil.which("curl") is None:
        parser.error("curl is not installed")
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(given.keep))
        standin = stack.enter_context(serving(StandIn()))
        files = tls.make(folder / "tls")
        behind = stack.enter_context(outside.serving(files))
        shop = stack.enter_context(database.serving())
        checks = _play(given.client, folder, standin, behind, files.ca, shop, given.cache)
    console.rule("[bold]What was checked")
    for what, right in checks.items():
        console.print(f"  {'[green]yes[/]' if right else '[bold red]NO [/]'}  {what}")
    if given.keep:
        console.print(f"\nEverything is in {given.keep}; try `proctor query` there.")
    return 0 if all(checks.values()) else 1


def _play(  # noqa: PLR0913, PLR0915, PLR0917 - the whole play
    client: str,
    folder: Path,
    standin: StandIn,
    behind: outside.Outside,
    ca: Path,
    shop: Server | None,
    cache: Path | None,
) -> dict[str, bool]:
    house = folder / "house"
    step("A stand-in for the Messages API", f"It streams and calls tools, at {standin.url}.")
    step("proctor init", "Writes proctor.yaml, the rules and the folders.")
    proctor("init", str(house), "--yes", "--upstream", standin.url, "--listen", "127.0.0.1:0",
            "--console", "127.0.0.1:0", cwd=folder)  # fmt: skip
    if cache:
        config = house / "proctor.yaml"
        text = config.read_text()
        config.write_text(text.replace("\n  profile:", f"\n  cache: {cache}\n  profile:", 1))
    lead_out(house / "proctor.yaml", behind, ca)
    door = database.lead_in(house, shop) if shop else 0
    step(
        "proctor token --local",
        "Short-lived tokens: for alice's agent, and for bob at the console.",
    )
    token, said = make_token(house, "alice", "dev", "proctor")
    bob, _ = make_token(house, "bob", "reviewers", "proctor-console")
    console.print(f"[dim]{escape(said)}[/]", soft_wrap=True)

    step(
        "proctor run --dev",
        "The key of the service is known to proctor alone. With --dev, tokens made on\n"
        "this machine decide; in earnest, people sign in at their identity provider.",
    )
    keys = {"ANTHROPIC_API_KEY": KEY, "TICKETS_KEY": outside.KEY, **database.environment()}
    with gateway.running(house / "proctor.yaml", env=keys, arguments=["--dev"]) as running:
        url = running.url("claude")
        console.print(f"  clients now use  [bold]ANTHROPIC_BASE_URL={url}[/]")
        step(
            f"A conversation ({client})",
            "The stand-in does what a prompt's words before a colon say.",
        )
        scratch = folder / "scratch"
        scratch.mkdir()
        outcome = CLIENTS[client](url, token, scratch, say)

        step(
            "A human decides",
            "alice has Claude delete a folder. The shipped rules hold that, and bob decides:\n"
            f"here in a terminal; the same in a browser is at http://{running.console}",
        )
        letters = scratch / "letters"
        letters.mkdir()
        bobs = {"PROCTOR_TOKEN": bob, "PROCTOR_CONSOLE": f"http://{running.console}"}
        run = partial(RUNNERS[client], url, token, scratch, outcome.session_id)
        refusal = decided(run, ASKED, house, bobs, "deny", "--reason", NO)
        kept_by_no = letters.exists()
        decided(run, AGAIN, house, bobs, "approve")

        step(
            "What Claude saw",
            "The note holds a mail address and a token. This is what reached the stand-in; in\n"
            "its answer above, proctor has put the address back for the person to read.",
        )
        say("tool", note_sent(standin))

        step(
            "What an agent calls",
            "Its proxy is proctor, and it has no other way out. It never holds the API's key;\n"
            "somebody else's key, on the same host, is the classic way out of a company.",
        )
        went = goes_out(house, token, behind)

        guarded = at_the_database(shop, door, token, house, bobs)

        step("The record", "Asked while the gateway runs.")
        proctor("sessions", "--format", "table", cwd=house)
        proctor("show", outcome.session_id, cwd=house)
        for sql in QUERIES:
            proctor("query", sql, "--format", "table", cwd=house)
        no = "select count(*) as n from flows where verdict = 'deny' and listener = "
        denied = answers(f"{no} 'claude'", house)
        stopped = answers(f"{no} 'egress' and session_id = '{outcome.session_id}'", house)
        called = answers("select count(*) as n from tool_calls where source = 'mcp'", house)
        passed = answers("select count(*) as n from turns where stop_reason is not null", house)
        ran = answers("select count(*) as n from tool_calls where result is not null", house)
        running.terminate()
        status = running.wait()
    kept = [path.read_bytes() for path in house.rglob("*") if path.is_file()]
    step("Stopped by SIGTERM", f"Exit status {status}.")
    step(
        "An outsider checks the record",
        "With its files and a public key alone. Then a copy in which one letter is another:\n"
        "where a request was denied, it no longer says so.",
    )
    proved = evidence.outsider(house, folder, proctor)
    step("In hindsight", "What would a rule have done that forbids the shell?")
    proved |= evidence.in_hindsight(house, proctor)
    proctor("search", "lemons", "--format", "table", cwd=house)
    return {
        "the client ran its tools": outcome.tools > 0,
        "the client was told why proctor refused": "proctor" in outcome.refusal,
        "the refused request is on record": denied == 1,
        "the upstream got exactly the requests that the record says passed": (
            passed == sum(r.target.startswith("/v1/messages") for r in standin.requests)
        ),
        "a second person's no kept the folder, and Claude was told why": (
            kept_by_no and NO in refusal and "deletes-folders" in refusal
        ),
        "a second person's yes let the command run": not letters.exists(),
        "each tool call is on record with its result": ran >= outcome.tools,
        "Claude never saw the mail address and the token of the note": not holds(
            (request.body for request in standin.requests), clients.MAIL, clients.TOKEN
        ),
        "the person saw the mail address, and a mark in place of the token": (
            clients.MAIL in outcome.said and "<API_KEY>" in outcome.said
        ),
        "neither is in the record, in the keys' folder or in the vault": not holds(
            kept, clients.MAIL, clients.TOKEN
        ),
        "curl got tickets with a key that it never had, which is not in the record either": (
            behind.keys == [outside.KEY]
            and "lemons" in went[0]
            and not holds((*kept, *(text.encode() for text in went)), outside.KEY)
        ),
        "a stolen key went nowhere, curl was told why, and the session's record has it": (
            behind.others == [] and "client-credential" in went[1] and stopped == 1
        ),
        "a tool of the MCP server was called, on record": (
            behind.calls == ["get_ticket"] and "Water the tree" in went[2] and called == 1
        ),
        "no credential of the client reached the upstream": standin.leaks == [],
        "the gateway ended cleanly": status == 0,
        **guarded,
        **proved,
    }


def lead_out(config: Path, behind: outside.Outside, ca: Path) -> None:
    """Write a forward listener into proctor.yaml, and the key of what is behind it."""
    step("A way out", "What agents may reach, added to proctor.yaml; nothing else.")
    (port,) = free_ports(1)
    egress = EGRESS.format(port=port, to=behind.port, trust=TRUST.format(ca=ca))
    console.print(f"[dim]{escape(egress + KEY_OF_IT)}[/]", soft_wrap=True)
    text = config.read_text()
    text = text.replace("\nidentity:", f"\n{egress}\nidentity:", 1)
    config.write_text(text.replace("\nrules: rules/", f"{KEY_OF_IT}\nrules: rules/", 1))


def at_the_database(
    shop: Server | None, port: int, token: str, house: Path, bobs: Mapping[str, str]
) -> dict[str, bool]:
    """With psql, if there is a database: what was checked."""
    if shop is None:
        step("At the database", "Skipped: PostgreSQL is not installed (scripts/setup-postgres).")
        return {}
    step(
        "At the database",
        "psql, with alice's token for a password. Addresses of customers are masked on the wire,\n"
        "and a table is dropped once bob has seen what that would do.",
    )

    def approved(run: Callable[[str], clients.Lines], sql: str) -> str:
        return decided(run, sql, house, bobs, "approve")

    checked = database.visits(shop, (port, token), house, say, approved)
    proctor("query", database.ON_RECORD, "--format", "table", cwd=house)
    return checked


def goes_out(house: Path, token: str, behind: outside.Outside) -> list[str]:
    """Three requests by curl: what it wrote of each."""
    proctor("ca", "export", "--out", "proctor-ca.pem", cwd=house)
    asked = ("connect", "curl", "--listener", "egress")
    done = gateway.command(*asked, cwd=house)
    done.check_returncode()
    console.print(f'\n[bold]$ eval "$(proctor {" ".join(asked)})"[/]', soft_wrap=True)
    headers = ("Content-Type: application/json", "Accept: application/json, text/event-stream")
    mcp = ("-H", headers[0], "-H", headers[1], "-d", json.dumps(CALL))
    requests = (
        (f"{behind.url}/v1/tickets",),
        ("-H", f"Authorization: Bearer {STOLEN}", f"{behind.url}/help/me"),
        (*mcp, f"{behind.url}/mcp"),
    )
    return [_curl(done.stdout, house, token, *request) for request in requests]


def _curl(settings: str, house: Path, token: str, *arguments: str) -> str:
    """What curl wrote, in a shell that evaluated the settings."""
    console.print(
        f"\n[bold]$ curl -sS {escape(' '.join(map(_quoted, arguments)))}[/]", soft_wrap=True
    )
    done = subprocess.run(
        ["sh", "-ec", 'eval "$1"; shift; exec curl -sS "$@"', "sh", settings, *arguments],
        cwd=house,
        env={"PATH": os.environ["PATH"], "PROCTOR_AGENT_TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = (done.stdout + done.stderr).strip()
    say("tool", said)
    return said


def make_token(house: Path, subject: str, group: str, audience: str) -> tuple[str, str]:
    """A token of the local issuer, and what is said about it."""
    who = ("--subject", subject, "--group", group, "--audience", audience)
    made = gateway.command("token", "--local", *who, cwd=house)
    if made.returncode:
        raise SystemExit(made.stderr)
    return made.stdout.strip(), made.stderr.strip()


def decided(
    run: Callable[[str], clients.Lines],
    prompt: str,
    house: Path,
    bobs: Mapping[str, str],
    verb: str,
    *options: str,
) -> str:
    """Ask for something that is held, and have bob answer; what alice's side saw of it."""
    say("you", prompt)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run, prompt)
        name = held(waiting, house, bobs)
        proctor("approvals", "list", "--format", "table", cwd=house, env=bobs)
        proctor("approvals", verb, name, *options, cwd=house, env=bobs)
        lines = waiting.result(_PATIENCE)
    console.print()
    for who, text in lines:
        say(who, text)
    return "\n".join(text for _, text in lines)


def held(waiting: Future[clients.Lines], house: Path, bobs: Mapping[str, str]) -> str:
    """The id of what is held, once something is."""
    for _ in range(_TRIES):
        done = gateway.command("approvals", "list", "--format", "json", cwd=house, **bobs)
        done.check_returncode()
        if rows := json.loads(done.stdout):
            return str(rows[0]["id"])
        if waiting.done():
            break
    raise SystemExit("nothing was held")


def step(title: str, text: str) -> None:
    """Say what comes next."""
    console.print()
    console.rule(f"[bold]{escape(title)}", align="left")
    if text:
        console.print(text)


def say(who: str, text: str) -> None:
    """One line of the conversation."""
    colour = COLOURS[who]
    for number, line in enumerate(text.splitlines() or [""]):
        console.print(f"[{colour}]{'' if number else who:>8}[/]  {escape(line)}", soft_wrap=True)


def proctor(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, status: int = 0
) -> None:
    """Run a command and let the person see it; it has to end with this status."""
    console.print(
        f"\n[bold]$ proctor {escape(' '.join(map(_quoted, arguments)))}[/]", soft_wrap=True
    )
    done = subprocess.run(
        [*gateway.COMMAND, *arguments],
        cwd=cwd,
        env=gateway.environment(COLUMNS=str(console.width), **(env or {})),
        check=False,
        timeout=60,
    )
    if done.returncode != status:
        raise SystemExit(f"proctor {arguments[0]} ended with status {done.returncode}")


def note_sent(standin: StandIn) -> str:
    """The note as it reached the upstream."""
    for request in standin.requests:
        for message in request.json().get("messages", ()) if request.body else ():
            for block in message["content"]:
                if isinstance(block, dict) and block.get("type") == "tool_result":
                    text = str(block["content"])
                    if "lemons" in text:
                        return text.strip()
    return ""


def holds(places: Iterable[bytes], *values: str) -> bool:
    """Whether one of the values stands in one of the places."""
    return any(value.encode() in place for place in places for value in values)


def answers(sql: str, house: Path) -> int:
    """A number from the record."""
    done = gateway.command("query", sql, "--format", "json", cwd=house)
    done.check_returncode()
    rows = json.loads(done.stdout)
    return int(rows[0]["n"])


def _quoted(argument: str) -> str:
    """As one types it in a shell, in the quotes that read best."""
    return f'"{argument}"' if "'" in argument else shlex.quote(argument)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        keep.mkdir(parents=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="proctor-demo-") as name:
        yield Path(name)


if __name__ == "__main__":
    sys.exit(main())
