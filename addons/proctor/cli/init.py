"""`proctor init`: a commented proctor.yaml, rules and folders to start from."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

import proctor
from proctor.config import Config, build
from proctor.errors import ConfigurationError
from proctor.runtime.permissions import make_folder, write_new
from proctor.yamlfile import parse

_LOCAL = "local"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9:/._-]*")

_CONFIG = """\
# What proctor stands before, whom it believes, and where it keeps the record.
# `proctor check` finds mistakes in here, `proctor doctor` those around it. A relative path is
# relative to this file; no secret stands in it.
schema_version: 1

listeners:
  - name: claude                # as rules, records and metrics call it
    kind: reverse
    listen: {listen}
    upstream: {upstream}
    speaks: anthropic
    credential: anthropic       # put in for the client, whose own is taken out
    # For clients on other machines, listen on an address of theirs and show a certificate:
    # tls: {{cert: cert.pem, key: key.pem}}     # and client_ca: ca.pem, to ask clients for theirs
    # The company's own CA and proxy on the way to the upstream:
    # upstream_tls: {{ca: corp-ca.pem}}
    # via: http://proxy.corp:3128

  # What agents reach through proctor as their proxy; nothing else. `proctor connect` prints the
  # settings for a client, `proctor ca export` the certificates that it has to trust. The rules in
  # rules/egress.yaml are about it.
  # - name: egress
  #   kind: forward
  #   listen: 127.0.0.1:8081
  #   destinations:
  #     - {{host: "*.example.org"}}
  #     - {{host: tickets.internal, path: /v1/**, credential: tickets}}
  #     - {{host: git.example.org, speaks: git, credential: forge}}   # see rules/git.yaml
  #     - {{host: wiki.example.org, addresses: [10.0.0.0/8]}}   # a public name of something inside
  #     - {{host: pinned.example.org, speaks: tunnel}}         # unread; a rule has to allow CONNECT

  # A database: clients sign in with their token as password, proctor with its own credential. Rules
  # `on: sql.statement` say what may run: rules/examples/databases.yaml is there to begin with.
  # - name: orders
  #   kind: postgres
  #   listen: 127.0.0.1:6432
  #   upstream: db.internal:5432         # over TLS; upstream_tls: {{ca: db-ca.pem}}
  #   credential: orders-db
  #   masking:
  #     columns: [{{table: public.users, column: email, with: partial}}]

  # MCP servers, each under a path of its own: http://127.0.0.1:8082/jira. The rules in
  # rules/mcp.yaml are about them.
  # - name: tools
  #   kind: reverse
  #   listen: 127.0.0.1:8082
  #   speaks: mcp
  #   routes:
  #     - {{path: /jira, upstream: https://mcp.internal/jira, credential: jira}}

identity:
  issuers:
{issuer}
credentials:
  - name: anthropic
    header: x-api-key           # or authorization, which carries it as `Bearer …`
    value: {{env: ANTHROPIC_API_KEY}}
    # or {{file: /run/secrets/anthropic}}, read again when it changes,
    # or {{command: [op, read, op://vault/anthropic/key]}}, run again before its value expires
  # Besides headers there are query, user, cert, aws and oauth:
  # - {{name: tickets, header: x-api-key, value: {{env: TICKETS_KEY}}}}
  # - {{name: jira, header: authorization, value: {{file: /run/secrets/jira}}}}
  # - {{name: forge, user: agent, password: {{env: FORGE_TOKEN}}}}   # as git servers take it
  # - {{name: orders-db, user: orders_app, password: {{file: /run/secrets/orders}}}}

rules: rules/                   # every *.yaml in it; what no rule allows is denied
# observe: true                 # rules only say what they would have done; admission still holds

redaction:                      # secrets are masked, personal data gets surrogates
  profile: default              # strict | default | secrets | none
  # entities: {{EMAIL_ADDRESS: {{request: surrogate, response: mask}}, IP_ADDRESS: off}}
  # fields: ["$..password"]       # JSON fields that are secrets whatever they hold
  # deny: {{PROJECT: [Falcon]}}     # words that must not pass
  # allow: [hello@corp.com]       # values that may
  # known_values: [secrets.txt]   # a value a line: never passes, however it is encoded

audit: {{path: recordings/}}      # the record; `proctor query` asks it in SQL
limits: {{body: 64MiB, drain: 30s}}

# Who may do what to proctor itself. Rules that hold name the groups that decide (`from`); whoever
# decides has the role reviewer, too.
roles:
  reviewer: {{groups: [reviewers]}}
  auditor: {{groups: [auditors]}}            # sees everything, decides nothing
  admin: {{groups: [admins]}}                # kills, lifts, revokes
  # break_glass: {{groups: [oncall]}}        # approves alone, with an alert and a review afterwards
  # reveal: {{groups: [reviewers]}}          # sees, on record, a value that was taken out
approvals: {{store: sqlite:///recordings/approvals.db}}
console:                        # the reviewer's page; /healthz, /readyz, /metrics
  listen: {console}
{signin}
# notifications:                # who is told: slack, teams, jira, or a signed webhook
#   - {{name: ops, kind: slack, url: {{env: SLACK_URL}}, secret: {{env: SLACK_SIGNING_SECRET}}}}
"""

_LOCAL_ISSUER = """\
    # Tokens made by `proctor token --local`, for trying out: they prove nothing about anyone.
    # In earnest, name your identity provider in its place:
    # - issuer: https://idp.internal/realms/corp
    #   audience: proctor             # what an agent's token is for
    #   groups: realm_access.roles    # path to the claim
    #   human: act.sub                # the person behind a bot's token
    - {issuer: local, audience: proctor}
"""

_LOCAL_SIGNIN = """\
  # Under `proctor run --dev` tokens of the local issuer may decide: make one with
  #   proctor token --local --subject bob --group reviewers --audience proctor-console
  # In earnest, people sign in with your identity provider:
  # issuer: https://idp.internal/realms/corp   # one of identity.issuers
  # client_id: proctor-console                 # redirect URI: …/login/callback
"""

_OWN_SIGNIN = """\
  # To let people decide, make a client for the console at your issuer (authorization code, PKCE;
  # redirect URI: this address and /login/callback), and name it here:
  # issuer: {issuer}
  # client_id: proctor-console
  # client_secret: {{file: /run/secrets/console}}   # where it has one
"""

_OWN_ISSUER = """\
    - issuer: {issuer}
      audience: {audience}        # what an agent's token is for
      algorithms: [RS256, ES256]
      # groups: realm_access.roles  # path to the claim that lists groups
      # human: act.sub              # path to the person behind a bot's token
    # - {{issuer: local, audience: {audience}}}   # `proctor token --local`, for trying out
"""


def init(  # noqa: PLR0913 - one for each question
    *,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where; made if it is not there.")
    ] = Path(),
    issuer: Annotated[
        str | None,
        typer.Option(help="Whose tokens are taken: a URL, or `local` to try out."),
    ] = None,
    audience: Annotated[str, typer.Option(help="What an agent's token is for.")] = "proctor",
    upstream: Annotated[str | None, typer.Option(help="The service behind proctor.")] = None,
    listen: Annotated[str | None, typer.Option(help="Where clients come in.")] = None,
    console: Annotated[
        str, typer.Option(help="Where reviewers, health and metrics are.")
    ] = "127.0.0.1:9090",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take defaults.")] = False,
) -> None:
    """Write proctor.yaml, rules and folders to start from.

    Nothing that is there already is changed.
    """
    ask = _silent if yes else _ask
    issuer = issuer or ask("Whose tokens are taken: your issuer's URL, or local to try out", _LOCAL)
    upstream = upstream or ask("The service behind proctor", "https://api.anthropic.com")
    listen = listen or ask("Where clients come in", "127.0.0.1:8080")
    text = _CONFIG.format(
        listen=_quoted(listen),
        upstream=_quoted(upstream),
        console=_quoted(console),
        issuer=_LOCAL_ISSUER
        if issuer == _LOCAL
        else _OWN_ISSUER.format(issuer=_quoted(issuer), audience=_quoted(audience)),
        signin=_LOCAL_SIGNIN if issuer == _LOCAL else _OWN_SIGNIN.format(issuer=_quoted(issuer)),
    )
    file = folder / "proctor.yaml"
    config = build(parse(text.encode(), name=str(file)), folder.absolute())
    made, kept = _write(folder, file, text)
    _tell(made, kept)
    if file not in kept:
        _tell_next(folder, file, config)


def shipped_rules() -> Path:
    """The rules that come with proctor: inside the package, or beside a checkout.

    Raises:
        ConfigurationError: They are in neither place.
    """
    package = Path(proctor.__file__).parent
    for place in (package / "rules", package.parents[1] / "rules"):
        if (place / "anthropic.yaml").is_file():
            return place
    raise ConfigurationError(
        code="rules-missing",
        message="The rules that ship with proctor are not there",
        hint="Install proctor again.",
    )


def _write(folder: Path, file: Path, text: str) -> tuple[list[Path], list[Path]]:
    made: list[Path] = []
    kept: list[Path] = []
    source = shipped_rules()
    # Should the folder be in a repository, keys and recordings stay out of it.
    files = {folder / name / ".gitignore": b"*\n" for name in ("recordings", ".proctor")}
    for rule in sorted(source.rglob("*.yaml")):
        files[folder / "rules" / rule.relative_to(source)] = rule.read_bytes()
    files[file] = text.encode()
    for path, data in files.items():
        make_folder(path.parent)
        try:
            write_new(path, data)
        except FileExistsError:
            kept.append(path)
        except OSError as error:
            raise ConfigurationError(
                code="file-unwritable",
                message="A file cannot be written",
                got=f"{path}: {error.strerror}",
            ) from None
        else:
            made.append(path)
    return made, kept


def _tell(made: list[Path], kept: list[Path]) -> None:
    for paths, word, colour in (
        (made, "wrote", typer.colors.GREEN),
        (kept, "left as it was", typer.colors.YELLOW),
    ):
        for path in paths:
            if path.name != ".gitignore":
                typer.secho(f"{word:<15}", fg=colour, nl=False)
                typer.echo(path)


def _tell_next(folder: Path, file: Path, config: Config) -> None:
    listener, issuer = config.listeners[0], config.identity.issuers[0]
    token = (
        "$(proctor token --local --subject me)"
        if issuer.issuer == _LOCAL
        else f"…   # a token of {issuer.issuer} for {issuer.audience}"
    )
    there = "" if folder == Path() else f"  cd {folder}\n"
    run = "proctor run --dev" if issuer.issuer == _LOCAL else "proctor run"
    typer.echo(f"""
Next:
{there}  export ANTHROPIC_API_KEY=…       # the service's real key, for proctor alone
  {run}

and where Claude Code runs, in another terminal:
{there}  export ANTHROPIC_BASE_URL=http://{listener.listen}
  export ANTHROPIC_AUTH_TOKEN={token}
  claude

{_review(config)}

What Claude calls, from git to MCP servers, goes through proctor, too, once you have filled in
`egress` and `tools` in {file}.

`proctor sessions` and `proctor show` then tell what was said; where nothing was, `proctor doctor`
says why.

The first start makes a key that signs the record. `proctor verify --print-key` shows its public
half: keep that away from this machine, to tell later whether the record was changed.""")


def _review(config: Config) -> str:
    """Where and how a human decides."""
    page = f"http://{config.console.listen}"
    if config.identity.issuers[0].issuer != _LOCAL:
        return f"""\
What the rules hold, such as `rm -r`, waits for a reviewer at {page}. So that people
can sign in there, name `issuer` and `client_id` under `console` in proctor.yaml."""
    return f"""\
What the rules hold, such as `rm -r`, waits for another person at {page}.
To be that person, paste this token there, or set it as PROCTOR_TOKEN for `proctor approvals`:
  proctor token --local --subject bob --group reviewers --audience proctor-console"""


def _ask(question: str, default: str) -> str:
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody is there to be asked; add --yes", param_hint="--yes")
    return str(typer.prompt(question, default=default))


def _silent(_: str, default: str) -> str:
    return default


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
