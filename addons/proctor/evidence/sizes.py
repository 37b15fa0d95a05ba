"""How much of the record is of which day, as the writers' ledgers say."""

from proctor.audit.store import Store
from proctor.evidence.ledger import GONE, MADE, NAME, lines


def writers_of(store: Store) -> list[str]:
    """Names of those who write this record, or did."""
    folder = store.writers
    return (
        sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    )


def days_of(store: Store, writer: str | None = None) -> dict[str, int]:
    """Bytes of Parquet files by UTC day; the empty day is of files of several or unknown days.

    Args:
        store: The record.
        writer: Only this one's; None: everybody's.

    Raises:
        OSError: A ledger cannot be read.
        ValueError: A line of one is none.
    """
    found: dict[str, int] = {}
    for name in writers_of(store) if writer is None else [writer]:
        days: dict[str, str] = {}
        for _, said in lines(store.writers / name / NAME):
            if said["op"] == MADE and said["rows"]:
                days[said["file"]] = said["day"]
            elif said["op"] in {MADE, GONE}:
                days.pop(said["file"], None)
        for file, day in days.items():
            try:
                size = (store.path / file).stat().st_size
            except FileNotFoundError:
                continue
            found[day] = found.get(day, 0) + size
    return found
