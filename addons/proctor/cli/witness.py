"""`proctor witness`: another machine that remembers checkpoints, and signs that it saw them."""

import asyncio
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from ruamel.yaml import YAML

from proctor.audit.store import replace
from proctor.cli.common import FormatOption, render
from proctor.errors import ConfigurationError
from proctor.evidence.keys import read_key
from proctor.runtime.logs import LogFormat, configure_logs
from proctor.runtime.permissions import make_folder, write_new
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.cosignature import Cosigner
from proctor.tlog.note import VerifierKey
from proctor.witness.kept import Kept, read_heads
from proctor.witness.settings import FILE, WitnessSettings, build, item_for, load
from proctor.witness.watch import LogsWatch
from proctor.witness.witness import Witness
from proctor.yamlfile import parse, read_bytes

COLUMNS = ("origin", "size", "time")

KEY_FILE = "witness-key.pem"
_MAX_BYTES = 2**20

witness = typer.Typer(
    help="Another machine that remembers checkpoints, and signs that it saw them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
log = typer.Typer(help="Whose checkpoints it takes.", no_args_is_help=True, rich_markup_mode=None)
witness.add_typer(log, name="log", help="Whose checkpoints it takes.")

FileOption = Annotated[Path, typer.Option("--config", help="The witness's own configuration.")]
"""`config: FileOption = Path(FILE)`."""

_TEXT = """\
# A witness for proctor's record; keep it on a machine that the gateway's people do not run.
schema_version: 1
name: {name}
listen: {listen}                 # off loopback: tls: {{cert: …, key: …}}
key: {key}
state: witness/                         # what it has signed; never put back an older copy
logs: []                                # `proctor witness log add` fills it
"""


@witness.command()
def init(
    name: Annotated[
        str, typer.Argument(help="Under which it cosigns; a name of yours, such as a host's.")
    ],
    *,
    folder: Annotated[Path, typer.Option(help="Where to write.")] = Path(),
    listen: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1:7380",
) -> None:
    """Write witness.yaml and a new key, and print the verifier key that gateways are given.

    \b
    proctor witness init witness.corp.example/proctor --folder /etc/proctor-witness
    """  # noqa: D301 - \b keeps typer from joining the lines
    file, key_file = folder / FILE, folder / KEY_FILE
    text = _TEXT.format(name=_quoted(name), listen=_quoted(listen), key=KEY_FILE).encode()
    build(parse(text, name=str(file)), folder.absolute())
    make_folder(folder)
    key = Ed25519PrivateKey.generate()
    try:
        write_new(key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        write_new(file, text)
    except OSError as error:
        raise ConfigurationError(
            "witness-files",
            "The witness's files cannot be written",
            got=error.strerror or type(error).__name__,
            expected=f"a folder without {FILE} and {KEY_FILE}",
            where=str(folder),
        ) from None
    typer.echo(str(Cosigner(name, key).public))


@witness.command()
def run(
    *,
    config: FileOption = Path(FILE),
    log_format: Annotated[
        LogFormat | None,
        typer.Option(help="Left out: text for a person in a terminal, else JSON lines."),
    ] = None,
) -> None:
    """Answer gateways until SIGTERM or Ctrl-C. What it signs stays in its folder for auditors.

    \b
    proctor witness run --config /etc/proctor-witness/witness.yaml
    """  # noqa: D301 - \b keeps typer from joining the lines
    from proctor.witness.app import serve  # noqa: PLC0415 - the other commands need no server

    configure_logs(log_format)
    watch = LogsWatch(config)
    settings = watch.current
    cosigner = _cosigner(settings)
    with Kept(settings.state, cosigner.public) as kept:
        answers = Witness(kept, cosigner, keys_for=watch.keys_for, clock=lambda: datetime.now(UTC))
        asyncio.run(serve(watch, answers, lambda url: typer.echo(f"Listening on {url}")))


@witness.command()
def show(*, config: FileOption = Path(FILE), output: FormatOption = None) -> None:
    """Print the witness's verifier key, and list where each log is.

    \b
    proctor witness show --format json
    """  # noqa: D301 - \b keeps typer from joining the lines
    settings = load(config)
    key = _cosigner(settings).public
    typer.echo(str(key), err=True)
    found = read_heads(settings.state, key).values()
    rows = [_row(head.checkpoint) for head in found]
    render(rows, COLUMNS, output)


@log.command("add")
def add(
    vkey: Annotated[str, typer.Argument(help="The log's verifier key: NAME+ID+KEY.")],
    *,
    prefix: Annotated[
        str | None,
        typer.Option(
            help="Take all logs whose origin begins so: proctor/4f…/ for all writers.",
            show_default=False,
        ),
    ] = None,
    config: FileOption = Path(FILE),
) -> None:
    """Take the checkpoints of one more log, or of all writers of a record.

    \b
    proctor witness log add proctor/4f…/keys+1f2e3d4c+AU…     # all writers of a record
    proctor witness log add log.example/2026+1f2e3d4c+AU…     # any one log
    """  # noqa: D301 - \b keeps typer from joining the lines
    item = item_for(VerifierKey.parse(vkey), prefix)
    yaml = YAML()  # keeps comments
    load(config)
    document: Any = yaml.load(read_bytes(config, _MAX_BYTES).decode())
    logs = document.setdefault("logs", [])
    if item in logs or item.get("vkey") in logs:
        typer.echo("It was there already.")
        return
    if not logs and hasattr(logs, "fa"):
        logs.fa.set_block_style()  # one a line, though it began as []
    logs.append(item)
    text = io.StringIO()
    yaml.dump(document, text)
    raw = text.getvalue().encode()
    settings: WitnessSettings = build(parse(raw, name=str(config)), config.absolute().parent)
    replace(config, raw, config.absolute().parent)
    typer.echo(f"{len(settings.logs)} in {config}. A witness that runs takes it within a second.")


def _cosigner(settings: WitnessSettings) -> Cosigner:
    try:
        return Cosigner(settings.name, read_key(settings.key))
    except OSError as error:
        raise ConfigurationError(
            "witness-files",
            "The witness's key cannot be read",
            got=error.strerror or type(error).__name__,
            expected="the file that `proctor witness init` wrote",
            where=str(settings.key),
        ) from None


def _row(checkpoint: Checkpoint) -> dict[str, object]:
    times = [line for line in checkpoint.extensions if line.startswith("time ")]
    time = times[0].removeprefix("time ") if times else None
    return {"origin": checkpoint.origin, "size": checkpoint.size, "time": time}


def _quoted(text: str) -> str:
    """As it can stand in YAML."""
    out = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = True
    yaml.dump([text], out)
    return out.getvalue().strip()[1:-1]
