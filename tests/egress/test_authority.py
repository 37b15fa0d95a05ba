"""Contexts for hosts: what clients take, how long they last, and what a rotation does to them."""

import asyncio
import contextlib
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proctor.egress import authority as module
from proctor.egress import bundle, cafile
from proctor.egress.authority import INTERVAL, Authority, Change
from proctor.egress.certificates import CA_LIFE
from proctor.egress.constraints import Constraints
from proctor.errors import ClientError, ConfigurationError, ProctorError, RefusedError
from tests.support.handshake import shake


class House:
    """A state folder with an authority, and the hands of its clocks."""

    def __init__(self, state: Path, *permitted: str) -> None:
        self.now = datetime.now(UTC)
        self.ticks = 0.0
        self.reports: list[Change | ConfigurationError] = []
        self.path = cafile.path_in(state)
        self.authority = Authority(
            state,
            permitted=permitted,
            report=self.reports.append,
            clock=lambda: self.now,
            ticks=lambda: self.ticks,
        )

    def later(self) -> Authority:
        self.ticks += INTERVAL
        return self.authority

    def trusted(self) -> bytes:
        return bundle.own(self.authority.current.trusted(self.now))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.parametrize("host", ["api.example", "localhost", "127.0.0.1", "::1"])
def test_a_client_takes_it(house: House, host: str) -> None:
    client = shake(house.authority.context_for(host), host, house.trusted(), ("h2", "http/1.1"))
    assert client.version() == "TLSv1.3"
    assert client.selected_alpn_protocol() == "h2"


def test_the_whole_chain_is_sent(house: House) -> None:
    client = shake(house.authority.context_for("api.example"), "api.example", house.trusted())
    if not hasattr(client, "get_unverified_chain"):
        pytest.skip("Python shows the chain from 3.13 on")
    chain = client.get_unverified_chain()
    assert ssl.DER_cert_to_PEM_cert(chain[1]).encode() == house.authority.current.signs.pem
    assert len(chain) == 2


def test_for_another_host_a_client_does_not(house: House) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake(house.authority.context_for("api.example"), "other.example", house.trusted())


def test_without_trust_a_client_does_not(house: House, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = House(tmp_path / "other")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(house.authority.context_for("api.example"), "api.example", other.trusted())


def test_no_protocol_in_common_is_none(house: House) -> None:
    context = house.authority.context_for("api.example")
    assert shake(context, "api.example", house.trusted()).selected_alpn_protocol() is None


def test_a_context_is_kept_and_renewed_before_its_leaf_ends(house: House) -> None:
    first = house.authority.context_for("api.example")
    house.now += timedelta(days=5)
    assert house.authority.context_for("api.example") is first
    house.now += timedelta(days=1)
    second = house.authority.context_for("api.example")
    assert second is not first
    assert house.authority.context_for("api.example") is second


def test_a_clock_that_was_wrong(house: House) -> None:
    house.now += timedelta(days=100)
    ahead = house.authority.context_for("api.example")
    house.now -= timedelta(days=100)
    again = house.authority.context_for("api.example")
    assert again is not ahead
    shake(again, "api.example", house.trusted())


def test_the_least_used_contexts_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HOSTS", 2)
    one, two = (house.authority.context_for(host) for host in ("1.example", "2.example"))
    assert house.authority.context_for("1.example") is one
    house.authority.context_for("3.example")
    assert house.authority.context_for("1.example") is one
    assert house.authority.context_for("2.example") is not two


def test_the_leaf_s_key_never_stands_on_disk(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.authority.context_for("api.example")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["authorities.json", "authorities.lock"]
    assert house.path.read_text().count("PRIVATE KEY-----") == 2


@pytest.mark.parametrize("host", ["", "*.example", "API.example", "a\0b", "[::1]"])
def test_an_odd_host(house: House, host: str) -> None:
    with pytest.raises(ClientError) as caught:
        house.authority.context_for(host)
    assert caught.value.code == "ca-host"


def test_constraints(tmp_path: Path) -> None:
    house = House(tmp_path, "corp.example", "127.0.0.0/8")
    for host in ("api.corp.example", "127.0.0.1"):
        assert house.authority.permits(host)
        shake(house.authority.context_for(host), host, house.trusted())
    for host in ("api.example", "10.0.0.1", "::1"):
        assert not house.authority.permits(host)
        with pytest.raises(RefusedError) as caught:
            house.authority.context_for(host)
        assert caught.value.code == "ca-not-permitted"
        assert "ca.permitted" in caught.value.hint


def test_openssl_keeps_to_the_constraints_where_we_would_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path, "corp.example")
    monkeypatch.setattr(Constraints, "permits", lambda *_: True)
    for host in ("api.example", "10.0.0.1", "::1"):
        with pytest.raises(ssl.SSLCertVerificationError, match=r"permitted|excluded"):
            shake(house.authority.context_for(host), host, house.trusted())


def test_constraints_that_changed_since(tmp_path: Path) -> None:
    House(tmp_path, "corp.example")
    narrower = House(tmp_path, "api.corp.example").authority
    assert narrower.permits("api.corp.example")
    assert not narrower.permits("corp.example")
    wider = House(tmp_path).authority
    assert not wider.permits("api.example")
    with pytest.raises(RefusedError, match="older than"):
        wider.context_for("api.example")


def test_a_rotation_by_another_process(house: House) -> None:
    """Nobody loses trust who takes up what is exported after each step."""
    host = "api.example"
    begin = house.trusted()
    first = house.authority.context_for(host)
    cafile.prepare(house.path, Constraints(), now=house.now, by="alice")
    assert house.later().context_for(host) is first
    both = house.trusted()
    assert both.startswith(begin)
    assert both != begin
    for trust in (begin, both):
        shake(house.authority.context_for(host), host, trust)
    cafile.switch(house.path, by="alice")
    assert house.later().context_for(host) is not first
    shake(house.authority.context_for(host), host, both)
    shake(house.authority.context_for(host), host, house.trusted())
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(house.authority.context_for(host), host, begin)
    cafile.drop(house.path, None, by="alice")
    house.later().refresh()
    assert len(house.trusted()) < len(both)
    for trust in (both, house.trusted()):
        shake(house.authority.context_for(host), host, trust)
    steps = [
        (change.new.step, change.new.by) for change in house.reports if isinstance(change, Change)
    ]
    assert steps == [("prepare", "alice"), ("switch", "alice"), ("drop", "alice")]


def test_what_a_change_says(house: House) -> None:
    cafile.prepare(house.path, Constraints(), now=house.now, by="alice")
    house.later().refresh()
    (change,) = house.reports
    assert isinstance(change, Change)
    detail = change.detail()
    assert (detail["step"], detail["by"]) == ("prepare", "alice")
    assert [row["role"] for row in detail["authorities"]] == ["signs", "next"]
    assert "PRIVATE" not in str(detail) + repr(change)
    assert [ca.role.value for ca in change.old.cas] == ["signs"]


def test_the_file_is_looked_at_once_a_second(house: House) -> None:
    cafile.prepare(house.path, Constraints(), now=house.now, by="alice")
    house.authority.refresh()
    assert not house.reports
    house.ticks += INTERVAL * 0.99
    house.authority.context_for("api.example")
    assert not house.reports
    house.ticks += INTERVAL * 0.02
    house.authority.context_for("api.example")
    assert len(house.reports) == 1


def test_a_file_that_is_only_touched_changes_nothing(house: House) -> None:
    context = house.authority.context_for("api.example")
    os.utime(house.path)
    assert house.later().context_for("api.example") is context
    assert not house.reports


def test_a_broken_file_stops_everything_until_it_is_mended(house: House) -> None:
    context = house.authority.context_for("api.example")
    whole = house.path.read_bytes()
    house.path.write_bytes(b"{}")
    for _ in range(2):
        with pytest.raises(ConfigurationError) as caught:
            house.later().context_for("api.example")
        assert caught.value.code == "ca-unusable"
    (report,) = house.reports
    assert isinstance(report, ConfigurationError)
    house.path.write_bytes(whole)
    assert house.later().context_for("api.example") is context


def test_a_key_opened_to_others_stops_everything(house: House) -> None:
    house.path.chmod(0o644)
    with pytest.raises(ConfigurationError) as caught:
        house.later().context_for("api.example")
    assert caught.value.code == "open-to-others"


def test_a_file_that_is_gone_stops_everything(house: House) -> None:
    house.path.unlink()
    with pytest.raises(ConfigurationError) as caught:
        house.later().context_for("api.example")
    assert caught.value.code == "ca-missing"
    assert not house.path.exists()


def test_an_authority_that_has_ended(house: House) -> None:
    house.authority.context_for("api.example")
    house.now += CA_LIFE
    with pytest.raises(ProctorError) as caught:
        house.authority.context_for("api.example")
    assert caught.value.code == "ca-expired"


def test_it_looks_by_itself(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.001)
    cafile.prepare(house.path, Constraints(), now=house.now, by="alice")
    house.ticks += INTERVAL

    async def look() -> None:
        changed = asyncio.Event()
        house.authority._report = lambda _: changed.set()
        task = asyncio.ensure_future(house.authority.run())
        await asyncio.wait_for(changed.wait(), 30)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(look())
