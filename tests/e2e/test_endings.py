"""How a gateway ends and what is left: SIGTERM drains, SIGKILL loses nothing."""

import contextlib
import itertools
import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import anthropic
import httpx
import pytest

from proctor.testing.gateway import Gateway
from proctor.testing.service import MODELS, Fault
from proctor.testing.standin import StandIn, serving
from tests.support.installation import Installation

pytestmark = pytest.mark.e2e


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installation]:
    with serving(StandIn()) as standin:
        yield Installation.build(tmp_path / "installed", standin)


@contextlib.contextmanager
def started(installed: Installation) -> Iterator[Gateway]:
    gateway = installed.start()
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            gateway.kill()


def client(installed: Installation, gateway: Gateway, session_id: str = "") -> anthropic.Anthropic:
    return anthropic.Anthropic(
        base_url=gateway.url("claude"),
        auth_token=installed.token(),
        max_retries=0,
        default_headers={"X-Claude-Code-Session-Id": session_id or str(uuid.uuid4())},
    )


def ask(sdk: anthropic.Anthropic, prompt: str) -> anthropic.types.Message:
    return sdk.messages.create(
        model=MODELS[0], max_tokens=9, messages=[{"role": "user", "content": prompt}]
    )


def test_sigterm_lets_an_open_stream_finish(installed: Installation) -> None:
    installed.standin.faults.append(Fault.HELD_MIDWAY)
    session_id = str(uuid.uuid4())
    with started(installed) as gateway, client(installed, gateway, session_id) as sdk:
        with sdk.messages.stream(
            model=MODELS[0], max_tokens=9, messages=[{"role": "user", "content": "long: 30"}]
        ) as stream:
            events = iter(stream)
            assert next(events).type == "message_start"
            assert installed.standin.wait_held()
            gateway.terminate()
            gateway.wait_for("draining")
            with pytest.raises(anthropic.APIConnectionError):
                ask(client(installed, gateway), "say: too late")
            installed.standin.release()
            assert stream.get_final_message().stop_reason == "end_turn"
        assert gateway.wait() == 0
    (row,) = installed.query(
        "select stop_reason, output from turns where session_id = $session", session_id
    )
    assert row["stop_reason"] == "end_turn"
    assert row["output"].endswith("word29")


def test_a_stream_that_does_not_end_is_cut_after_the_limit(installed: Installation) -> None:
    config = installed.config.read_text().replace("drain: 5s", "drain: 1s")
    installed.config.write_text(config)
    installed.standin.faults.append(Fault.HELD_MIDWAY)
    session_id = str(uuid.uuid4())
    with started(installed) as gateway, client(installed, gateway, session_id) as sdk:
        with sdk.messages.with_streaming_response.create(
            model=MODELS[0],
            max_tokens=9,
            messages=[{"role": "user", "content": "long: 30"}],
            stream=True,
        ) as answer:
            pieces = answer.iter_bytes()
            next(pieces)
            gateway.terminate()
            assert gateway.wait() == 0
            with pytest.raises(Exception, match="closed"):
                b"".join(pieces)
    (row,) = installed.query("select error from flows where session_id = $session", session_id)
    assert row["error"]


def test_kill_9_in_the_middle_loses_nothing_that_was_acknowledged(installed: Installation) -> None:
    session_id = str(uuid.uuid4())
    installed.standin.faults.append(Fault.HELD_MIDWAY)
    acknowledged = itertools.count()
    enough = threading.Event()

    def keep_asking(sdk: anthropic.Anthropic) -> None:
        with contextlib.suppress(anthropic.APIConnectionError):
            while True:
                ask(sdk, "say: during")
                if next(acknowledged) == 30:
                    enough.set()

    with (
        started(installed) as gateway,
        client(installed, gateway, session_id) as sdk,
        sdk.messages.with_streaming_response.create(
            model=MODELS[0],
            max_tokens=9,
            messages=[{"role": "user", "content": "say: held"}],
            stream=True,
        ) as answer,
    ):
        pieces = answer.iter_bytes()  # held: a collected one would hang up
        next(pieces)
        threads = [threading.Thread(target=keep_asking, args=(sdk,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert enough.wait(30)
        gateway.kill()
        for thread in threads:
            thread.join(10)
    told = next(acknowledged)

    # Readable while nothing runs, and after a restart. An answer may have been on record that the
    # kill kept from its client, one for each thread.
    finished = (
        "select count(*) as n from turns where session_id = $session and stop_reason is not null"
    )
    (row,) = installed.query(finished, session_id)
    assert told <= row["n"] <= told + len(threads)
    with started(installed) as gateway, client(installed, gateway, session_id) as sdk:
        ask(sdk, "say: after")
        assert installed.query(finished, session_id) == [{"n": row["n"] + 1}]
        cut = installed.query(
            "select error from flows where session_id = $session and error is not null", session_id
        )
        assert 1 <= len(cut) <= 1 + len(threads)
        assert {flow["error"] for flow in cut} == {"interrupted: gateway stopped"}
    assert installed.query("select flow_id from flows group by flow_id having count(*) > 1") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where it likes")
def test_a_folder_that_cannot_be_written_refuses_to_start(installed: Installation) -> None:
    (installed.folder / "recordings").chmod(0o500)
    with pytest.raises(RuntimeError, match="recordings"):
        installed.start()


def test_a_journal_that_cannot_be_written_refuses_and_nothing_passes(
    installed: Installation,
) -> None:
    with started(installed) as gateway, client(installed, gateway) as sdk:
        ask(sdk, "say: all is well")
        passed = installed.standin.request_count
        # No write succeeds beyond the size that the journals have now.
        limit_file_size(gateway.process.pid, 1)
        with pytest.raises(anthropic.APIStatusError) as raised:
            ask(sdk, "say: not on record")
        assert raised.value.status_code == 503
        assert raised.value.response.headers["x-should-retry"] == "false"
        assert installed.standin.request_count == passed
        ready = httpx.get(f"http://{gateway.console}/readyz", timeout=30)
        assert ready.status_code == 503
        limit_file_size(gateway.process.pid, None)
        # It mends itself once there is room again.
        for _ in range(50):
            with contextlib.suppress(anthropic.APIStatusError):
                ask(sdk, "say: again")
                break
        else:
            pytest.fail("the gateway did not take up its work again")


def limit_file_size(pid: int, size: int | None) -> None:
    """As a full disk: writes beyond `size` bytes of a file fail, in that process alone."""
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux can limit another process")
    infinite = resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (infinite if size is None else size, infinite))
