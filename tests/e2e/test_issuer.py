"""An issuer of one's own, there and gone."""

from pathlib import Path

import anthropic
import pytest

from proctor.testing.gateway import running
from proctor.testing.issuer import Failure, StandInIssuer
from proctor.testing.service import MODELS
from proctor.testing.standin import StandIn, serving
from tests.support.installation import Installation

pytestmark = pytest.mark.e2e


def test_tokens_of_ones_own_issuer(tmp_path: Path) -> None:
    with StandInIssuer(path="/realms/corp") as issuer, serving(StandIn()) as standin:
        here = Installation.build(tmp_path / "here", standin, issuer.url)
        with running(here.config, env=here.env) as gateway:
            for subject in ("alice", "bob"):
                token = issuer.token(subject, groups=["dba", "dev"])
                with anthropic.Anthropic(
                    base_url=gateway.url("claude"), auth_token=token
                ) as client:
                    client.messages.create(
                        model=MODELS[0],
                        max_tokens=9,
                        messages=[{"role": "user", "content": "say: hi"}],
                    )
        rows = here.query("select principal, subject, groups from flows order by seq")
        assert rows == [
            {"principal": f"{issuer.url}#{name}", "subject": name, "groups": ["dba", "dev"]}
            for name in ("alice", "bob")
        ]


def test_an_issuer_that_cannot_be_asked(tmp_path: Path) -> None:
    with StandInIssuer() as issuer, serving(StandIn()) as standin:
        here = Installation.build(tmp_path / "here", standin, issuer.url)
        issuer.failure = Failure.STATUS
        with running(here.config, env=here.env) as gateway:
            with (
                anthropic.Anthropic(
                    base_url=gateway.url("claude"), auth_token=issuer.token("alice")
                ) as client,
                pytest.raises(anthropic.InternalServerError) as raised,
            ):
                client.models.list()
            # One request, since the client is told not to try again.
            assert raised.value.status_code == 503
            assert raised.value.response.headers["x-should-retry"] == "false"
            assert "issuer" in str(raised.value)
            assert standin.request_count == 0
