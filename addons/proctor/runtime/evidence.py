"""Is the record signed as it should be? What `proctor doctor` looks at, and the figures show."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from proctor.audit.recorder import Recorder
from proctor.audit.store import Store, private
from proctor.config import Config
from proctor.errors import ClientError, ConfigurationError
from proctor.evidence.anchors import AnchorStatus
from proctor.evidence.keys import FOLDER, KEY_FILE, Step, read_key, read_trail
from proctor.evidence.sealer import newest
from proctor.evidence.standing import RETIRED, resting
from proctor.evidence.statement import Statement
from proctor.runtime.checkup import Finding, State, failed
from proctor.runtime.metrics import Metrics

_KEY = "record key"
_CHECKPOINTS = "checkpoints"
_NAMED = 5


def evidence_findings(config: Config, now: datetime) -> Iterator[Finding]:
    """Is the key there, the trail whole, and is there a new checkpoint of every writer?

    Args:
        config: As loaded.
        now: UTC.
    """
    store = Store.at(config.audit.path)
    if not (store.path / "store.json").exists():
        return  # there is no record yet, which is told elsewhere
    if not (store.path / FOLDER).exists():
        yield Finding(check=_KEY, state=State.OK, what="None yet; the next start makes it")
        return
    try:
        if steps := read_trail(store.path, store.id()):
            yield _key(config.state / KEY_FILE, steps[-1])
        yield from _checkpoints(store, now)
    except ConfigurationError as error:
        yield failed(_KEY, error)
    except ClientError as error:
        yield failed(_CHECKPOINTS if error.code != "key-trail-broken" else _KEY, error)
    except (OSError, ValueError) as error:
        yield Finding(
            check=_CHECKPOINTS,
            state=State.FAIL,
            what=f"The record's evidence cannot be read: {type(error).__name__}",
            mend="`proctor verify` says more.",
        )


def show_evidence(
    metrics: Metrics,
    recorder: Recorder,
    anchors: Sequence[AnchorStatus],
    folder: Path,
    now: datetime,
) -> None:
    """Have the figures say how the record is signed, and where that is kept.

    Args:
        metrics: The figures.
        recorder: Writes the record.
        anchors: How the places are that keep checkpoints.
        folder: Of the record.
        now: UTC.
    """
    sealer = recorder.sealer
    if sealer and sealer.last:
        age = (now - sealer.last.time).total_seconds()
        metrics.checkpoint(recorder.writer, sealer.last.size, age, sealer.failures)
    metrics.resting(len(resting(folder)))
    for each in anchors:
        since = (now - each.at).total_seconds() if each.at else None
        metrics.anchor(each.name, each.size, since, failing=bool(each.error), alarm=each.alarm)


def _key(path: Path, step: Step) -> Finding:
    number = step.number
    try:
        private(path.parent)
        public = read_key(path).public_key().public_bytes_raw()
    except FileNotFoundError:
        public = b""
    if public != step.public:
        return Finding(
            check=_KEY,
            state=State.FAIL,
            what=f"{path} is {'another key' if public else 'not there'}: the record's trail ends"
            f" with key number {number}",
            mend="Restore it from a copy, or begin a new record: another `audit.path`.",
        )
    what = f"{path} is key number {number} of the record's trail, and private"
    return Finding(check=_KEY, state=State.OK, what=what)


def _checkpoints(store: Store, now: datetime) -> Iterator[Finding]:
    told: list[str] = []
    late: list[str] = []
    for folder in sorted(store.writers.glob("w*")):
        last = None if (folder / RETIRED).exists() else newest(folder)
        if last is not None:
            told.append(f"{folder.name}: {last.size} records, {_age(last, now)} ago")
            if last.due is not None and last.due < now:
                late.append(folder.name)
    for writer, why in list(resting(store.path).items())[:_NAMED]:
        yield Finding(
            check=_CHECKPOINTS,
            state=State.WARN,
            what=f"The writer {writer} rests: {why}",
            mend="`proctor verify` says more. Unless you restored a backup, somebody changed the"
            " record: keep the folder as evidence.",
        )
    if late:
        yield Finding(
            check=_CHECKPOINTS,
            state=State.WARN,
            what=f"{_some(late)}: the next checkpoint is overdue",
            mend="A gateway was killed, or cannot sign: look for `checkpoint.failed` in its log.",
        )
    elif told:
        yield Finding(check=_CHECKPOINTS, state=State.OK, what=_some(told))


def _age(last: Statement, now: datetime) -> str:
    seconds = max(0, int((now - last.time.astimezone(UTC)).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _some(words: list[str]) -> str:
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return "; ".join(words[:_NAMED]) + more
