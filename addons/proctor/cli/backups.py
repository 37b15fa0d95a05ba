"""`proctor record backup` and `proctor record restore`."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from proctor.cli.common import CONFIG, ConfigOption, user, visible
from proctor.cli.onrecord import put_on_record
from proctor.config import load
from proctor.errors import ClientError
from proctor.evidence.backup import back_up
from proctor.evidence.copied import key_at_hand
from proctor.evidence.restore import restore as restore_from
from proctor.units import format_size, plural


def backup(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where copies lie; made if it is not there.")
    ],
    *,
    keep: Annotated[
        int, typer.Option(min=1, max=1000, help="So many copies stay, the new one included.")
    ] = 1,
    config: ConfigOption = CONFIG,
) -> None:
    """Copy the record while it is written, and check the copy.

    A copy is there whole or not at all; the one before stays until then. What has not changed since
    is shared with the copy before, so that the second one takes little time and room.

    Neither the key that signs the record is in it, nor approvals: copy the folder `state` apart
    from it. That a copy was made is itself on record.

    \b
    proctor record backup /mnt/backup/proctor
    proctor record backup /mnt/backup/proctor --keep 7
    """  # noqa: D301 - \b keeps typer from joining the lines
    settings = load(config)
    told = {"by": user(), "to": str(folder.absolute()), "keep": keep}
    with _told("copying") as step:
        put_on_record(settings, "backup", told)  # first: every copy says of itself that it was made
        made = back_up(
            settings.audit.path,
            folder,
            time.time(),
            keep=keep,
            key=key_at_hand(settings.state),
            step=step,
        )
    typer.echo(
        f"{plural(made.records, 'record')} of {plural(made.writers, 'writer')} in"
        f" {visible(str(made.path))}; {format_size(made.copied)} read anew."
    )


def restore(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where the copies lie, or one of them.")
    ],
    target: Annotated[
        Path, typer.Argument(metavar="TO", help="The new record; not there yet, or empty.")
    ],
) -> None:
    """Make a record of a backup: one that opens, verifies, and can be written on.

    It needs the key that signed it, in the folder `state`. Where that folder remembers a newer
    checkpoint than the copy has, its writers rest and new ones begin: what was written after the
    copy is missing, and that is to stay visible.

    \b
    proctor record restore /mnt/backup/proctor recordings/
    """  # noqa: D301 - \b keeps typer from joining the lines
    with _told("restoring") as step:
        made = restore_from(folder, target, step)
    typer.echo(
        f"{plural(made.records, 'record')} in {visible(str(made.path))},"
        f" from {visible(str(made.source))}."
    )
    typer.echo(
        "What was recorded after that copy is missing, and stays visible as missing: `proctor"
        " verify` and `proctor doctor` say so from now on. Keep a note of this restore.",
        err=True,
    )


@contextmanager
def _told(verb: str) -> Iterator[Callable[[str], None]]:
    """Shows what is under way where somebody looks; the disk's errors become ours."""
    from rich.console import Console  # noqa: PLC0415 - a hundred ms that a pipe does without

    console = Console(stderr=True)
    try:
        if not console.is_terminal:
            yield lambda _: None
            return
        with console.status(f"{verb} …") as status:
            yield lambda name: status.update(f"{verb} {visible(name)} …")
    except OSError as error:
        raise ClientError(
            "backup-failed",
            "A disk did not give or take what it should",
            got=os.strerror(error.errno) if error.errno else type(error).__name__,
            hint="The copy before, if there is one, is as it was.",
        ) from None
