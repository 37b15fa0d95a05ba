"""A backup becomes a record again: one that opens, verifies, and can be written on."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from proctor.audit.segments import Workshop
from proctor.audit.store import Store, sync_folder
from proctor.errors import ClientError, ConfigurationError
from proctor.evidence import copied
from proctor.evidence.backup import NOTE, check, newest
from proctor.evidence.copying import WriterCopy, copy


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A record that was restored.

    Attributes:
        path: Its folder.
        source: The copy it was made of.
        records: In it.
    """

    path: Path
    source: Path
    records: int


def restore(folder: Path, target: Path, step: Callable[[str], None] = lambda _: None) -> Restored:
    """Makes a record of a backup. What is there already is never touched.

    Args:
        folder: Where `back_up` put its copies, or one of them.
        target: The new record's folder; not there yet, or empty.
        step: Told of each part of it.

    Raises:
        ConfigurationError: Codes `backup-missing`, `store-unreadable`, `store-too-new`.
        ClientError: Codes `output-exists`, `backup-wrong`, `backup-unsettled`.
        OSError: A disk does not give or take it.
    """
    source = newest(folder)
    if source is None:
        raise ConfigurationError(
            "backup-missing",
            "There is no backup here",
            expected="a folder that `proctor record backup` has written to",
            where=str(folder),
        )
    target = target.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ClientError(
            "output-exists",
            "There is something in that place already",
            got=str(target),
            hint="Name a folder that is not there yet; move the old record away first.",
        )
    Store.at(source).check_version()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.parent / f".{target.name}.restoring"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    try:
        store = Store.at(source)
        taken = []
        for path in sorted(store.writers.iterdir()):
            step(path.name)
            taken.append(WriterCopy(store, path.name, draft, None).take())
        for path in sorted(source.rglob("*")):
            made = draft / path.relative_to(source)
            if path.is_dir():
                made.mkdir(mode=0o700, exist_ok=True)
            elif not made.exists() and path not in {source / NOTE, source / copied.NAME}:
                copy(path, made)
        step("checking")
        check(draft, taken)
        for path in (*draft.rglob("*"), draft):
            if path.is_dir():
                sync_folder(path)
        draft.rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    if any(target.glob("writers/*/state.json")):
        _views(Store.at(target))
    return Restored(path=target, source=source, records=sum(each.records for each in taken))


def _views(store: Store) -> None:
    """The views name the place where the record lies, so they are made there."""
    tmp = store.path / ".restoring"
    tmp.mkdir(mode=0o700)
    try:
        workshop = Workshop(store, tmp)
        try:
            workshop.seed()
            workshop.publish_views()
        finally:
            workshop.close()
    finally:
        shutil.rmtree(tmp)
