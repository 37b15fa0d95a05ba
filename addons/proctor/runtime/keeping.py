"""How far back does the record go, and what is held? What `proctor doctor` looks at."""

from collections.abc import Iterator

from proctor.audit.store import Store
from proctor.config import Config
from proctor.errors import InternalError
from proctor.evidence import erasure, holds
from proctor.evidence.retention import RetentionSettings
from proctor.evidence.sizes import days_of
from proctor.runtime.checkup import Finding, State

_CHECK = "retention"
_MIB = 2**20


def keeping_findings(config: Config) -> Iterator[Finding]:
    """What is kept, and whether anything keeps it from being dropped or erased.

    Args:
        config: As loaded.
    """
    store = Store.at(config.audit.path)
    if not (store.path / "store.json").exists():
        return  # told elsewhere
    try:
        sizes = days_of(store)
        held = sorted(holds.read(store.path))
        orders = erasure.orders(store)
    except InternalError as error:
        yield Finding(check=_CHECK, state=State.FAIL, what=str(error), mend=error.hint)
        return
    except (OSError, ValueError) as error:
        yield Finding(
            check=_CHECK,
            state=State.FAIL,
            what=f"A ledger of the record cannot be read: {type(error).__name__}",
            mend="`proctor verify` says more.",
        )
        return
    size = sum(sizes.values())
    days = sorted(filter(None, sizes))
    since = f", from {days[0]} on" if days else ""
    if config.audit.retention == RetentionSettings():
        rest = "kept for ever, as no `audit.retention` says otherwise"
    else:
        rest = "looked through at the start and every hour while the gateway runs"
    yield Finding(
        check=_CHECK, state=State.OK, what=f"{size / _MIB:,.1f} MiB of segments{since}; {rest}"
    )
    if held:
        named = ", ".join(held[:5]) + (f" and {len(held) - 5} more" if len(held) > 5 else "")  # noqa: PLR2004 - named above
        yield Finding(check="holds", state=State.OK, what=f"In force: {named}")
    if orders:
        yield Finding(
            check="erasures",
            state=State.WARN,
            what=f"{len(orders)} not carried out in full, the oldest of {orders[0].at[:10]}",
            mend="Let the gateway run; an approval that waits, or a hold, keeps one open.",
        )
