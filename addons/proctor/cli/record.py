"""`proctor record`: the record itself: copies, proofs, its key, erasure and holds."""

import typer

from proctor.cli.backups import backup, restore
from proctor.cli.erasing import erase, hold
from proctor.cli.proofs import consistency, key, prove, rotate

record = typer.Typer(
    help="The record itself: copies, proofs, its key, erasure and holds.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
record.command()(backup)
record.command()(restore)
record.command()(erase)
record.add_typer(hold, name="hold")
record.command()(prove)
record.command()(consistency)
record.command()(key)
record.command()(rotate)
