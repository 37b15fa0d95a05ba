"""What /metrics shows."""

import timeit
from dataclasses import dataclass

from prometheus_client import generate_latest

from proctor.model import Finding
from proctor.runtime.disk import DiskReading, DiskState
from proctor.runtime.metrics import VERDICTS, Metrics


@dataclass(frozen=True)
class Recorder:
    pending: int = 10
    records: int = 20
    sync_seconds: float = 0.5
    writable: bool = True


def lines(metrics: Metrics) -> list[str]:
    return generate_latest(metrics.registry).decode().splitlines()


def test_all_is_there_from_the_start() -> None:
    shown = lines(Metrics(["claude", "other"]))
    for listener in ("claude", "other"):
        for verdict in VERDICTS:
            line = f'proctor_exchanges_total{{listener="{listener}",verdict="{verdict}"}} 0.0'
            assert line in shown
    assert 'proctor_policy_reloads_total{result="failed"} 0.0' in shown
    assert any(line.startswith("process_resident_memory_bytes") for line in shown)


def test_exchanges() -> None:
    metrics = Metrics(["claude"])
    metrics.exchange("claude", "allow", 0.3)
    metrics.exchange("claude", "deny", 0.0)
    shown = lines(metrics)
    assert 'proctor_exchanges_total{listener="claude",verdict="allow"} 1.0' in shown
    assert 'proctor_exchanges_total{listener="claude",verdict="deny"} 1.0' in shown
    assert 'proctor_exchange_seconds_bucket{le="0.1",listener="claude"} 1.0' in shown
    assert 'proctor_exchange_seconds_count{listener="claude"} 2.0' in shown


def test_rules() -> None:
    metrics = Metrics([])
    metrics.policy_loaded("sha256:1")
    metrics.policy_failed()
    assert "proctor_policy_broken 1.0" in lines(metrics)
    metrics.policy_loaded("sha256:2")
    shown = lines(metrics)
    assert "proctor_policy_broken 0.0" in shown
    assert 'proctor_policy_reloads_total{result="ok"} 2.0' in shown
    assert [line for line in shown if line.startswith("proctor_policy_info{")] == [
        'proctor_policy_info{version="sha256:2"} 1.0'
    ]


def test_record_and_disk() -> None:
    metrics = Metrics([])
    metrics.record(Recorder(), 3)
    metrics.disk(DiskReading(state=DiskState.WARNING, free=5, total=100))
    shown = lines(metrics)
    for line in (
        "proctor_open_exchanges 3.0",
        "proctor_journal_pending_bytes 10.0",
        "proctor_journal_records 20.0",
        "proctor_journal_sync_seconds 0.5",
        "proctor_journal_writable 1.0",
        "proctor_disk_state 1.0",
        "proctor_disk_free_bytes 5.0",
    ):
        assert line in shown


def test_findings() -> None:
    metrics = Metrics(["claude"])
    found = Finding(
        type="EMAIL_ADDRESS", location="body", direction="request", score=1.0, action="mask"
    )
    metrics.findings("claude", [found, found])
    metrics.unseen("claude")
    shown = lines(metrics)
    labels = 'action="mask",direction="request",listener="claude",type="EMAIL_ADDRESS"'
    assert any(
        line.startswith("proctor_findings_total{") and line.endswith(" 2.0") for line in shown
    )
    assert any(all(part in line for part in labels.split(",")) for line in shown)
    assert 'proctor_redaction_failures_total{listener="claude"} 1.0' in shown


def test_issuers() -> None:
    metrics = Metrics([])
    metrics.issuer("https://idp", None, 2)
    metrics.issuer("https://idp", 30.0, 0)
    assert 'proctor_issuer_keys_age_seconds{issuer="https://idp"} 30.0' in lines(metrics)
    metrics.issuer("https://idp", None, 1)
    shown = lines(metrics)
    assert not any(line.startswith("proctor_issuer_keys_age_seconds{") for line in shown)
    assert 'proctor_issuer_failures{issuer="https://idp"} 1.0' in shown


def test_anchors() -> None:
    metrics = Metrics([])
    metrics.anchor("https://w", None, None, failing=True, alarm=False)
    shown = lines(metrics)
    assert 'proctor_anchor_failing{anchor="https://w"} 1.0' in shown
    assert not any(line.startswith("proctor_anchor_size{") for line in shown)
    metrics.anchor("https://w", 7, 2.5, failing=False, alarm=True)
    shown = lines(metrics)
    for line in ("failing", "alarm", "size", "age_seconds"):
        value = {"failing": "0.0", "alarm": "1.0", "size": "7.0", "age_seconds": "2.5"}[line]
        assert f'proctor_anchor_{line}{{anchor="https://w"}} {value}' in shown


def test_an_exchange_is_cheap() -> None:
    metrics = Metrics(["claude"])
    seconds = min(timeit.repeat(lambda: metrics.exchange("claude", "allow", 0.2), number=2000))
    assert seconds / 2000 < 50e-6  # some 3 µs; the margin is for a busy machine


def test_checkpoints() -> None:
    metrics = Metrics([])
    assert "proctor_record_resting_writers 0.0" in lines(metrics)
    metrics.checkpoint("w0", 12, 3.5, 1)
    metrics.resting(2)
    shown = lines(metrics)
    for line in (
        'proctor_checkpoint_size{writer="w0"} 12.0',
        'proctor_checkpoint_age_seconds{writer="w0"} 3.5',
        "proctor_checkpoint_failures 1.0",
        "proctor_record_resting_writers 2.0",
    ):
        assert line in shown
