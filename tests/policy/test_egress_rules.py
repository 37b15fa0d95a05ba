"""rules/egress.yaml: what may be asked of other systems, and a day of an agent's requests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proctor.model import ActionKind, CredentialSource, HttpFields, Verdict, verdict_name
from proctor.policy.engine import load_policy
from proctor.policy.features import Features
from proctor.policy.review import review
from tests.support.cases import case

SHIPPED = Path(__file__).parents[2] / "rules"
POLICY = load_policy(SHIPPED, features=Features(listeners=frozenset({"claude", "egress"})))
AUDIT = "/-/npm/v1/security/advisories/bulk"
LFS = "/team/app.git/info/lfs/objects/batch"
PACK = "application/x-git-upload-pack-request"
FORM = "application/x-www-form-urlencoded"


def asked(
    method: str, path: str, host: str = "code.internal", *, listener: str = "egress", **fields: Any
) -> Verdict:
    http = HttpFields(method=method, scheme="https", host=host, port=443, path=path, **fields)
    found = case(ActionKind.HTTP_REQUEST, http=http, target=f"{method} https://{host}{path}")
    object.__setattr__(found.action, "listener", listener)
    return POLICY.decide(found).verdict


DAY: list[tuple[str, str, Mapping[str, Any]]] = [
    # pip, uv: an index, its metadata, its files
    ("GET", "/simple/requests/", {}),
    ("GET", "/packages/ab/cd/requests-2.32.0-py3-none-any.whl.metadata", {}),
    ("HEAD", "/packages/ab/cd/requests-2.32.0-py3-none-any.whl", {}),
    # npm, pnpm, yarn: packages, and what is known of vulnerable versions
    ("GET", "/@types%2fnode", {}),
    ("GET", "/left-pad/-/left-pad-1.3.0.tgz", {}),
    ("POST", AUDIT, {"json": {"left-pad": ["1.3.0"]}, "content_type": "application/json"}),
    ("POST", f"/artifactory/api/npm/npm{AUDIT}", {}),
    ("POST", "/-/npm/v1/security/audits/quick", {}),
    # cargo, go, maven, apt, containers
    ("GET", "/se/rd/serde", {}),
    ("GET", "/golang.org/x/text/@v/v0.3.0.zip", {}),
    ("GET", "/maven2/org/slf4j/slf4j-api/2.0.0/slf4j-api-2.0.0.jar", {}),
    ("GET", "/debian/dists/stable/InRelease", {}),
    ("HEAD", "/v2/library/alpine/manifests/3.20", {}),
    # git: what there is, clone, fetch, large files
    ("GET", "/team/app.git/info/refs", {"query": {"service": "git-upload-pack"}}),
    ("POST", "/team/app.git/git-upload-pack", {"content_type": PACK}),
    ("GET", "/team/app.git/info/refs", {"query": {"service": "git-receive-pack"}}),
    ("POST", LFS, {"json": {"operation": "download", "objects": []}}),
    # internal APIs
    ("GET", "/v1/tickets/17", {"credential": CredentialSource.INJECTED}),
    ("GET", "/v1/tickets/17", {"credential": CredentialSource.CLIENT}),
    ("OPTIONS", "/v1/tickets", {}),
    ("POST", "/graphql", {"operation": "query repository,viewer"}),
    ("POST", "/logs-*/_search", {"json": {"query": {"match_all": {}}}}),
    ("POST", "/api/v1/query", {"content_type": FORM}),
    ("POST", "/prometheus/api/v1/query_range", {"content_type": FORM}),
    ("POST", "/rest/api/3/search/jql", {"json": {"jql": "project = TEAM"}}),
    ("POST", "/jira/rest/api/2/search", {"json": {"jql": "project = TEAM"}}),
    ("POST", "/1/indexes/docs/query", {"json": {"query": "decimal"}}),
    ("POST", "/1/indexes/*/queries", {"json": {"requests": []}}),
]


@pytest.mark.parametrize(("method", "path", "fields"), DAY)
def test_a_day_of_reading_flows(method: str, path: str, fields: Mapping[str, Any]) -> None:
    assert verdict_name(asked(method, path, **fields)) == "allow"


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        *((method, "/v1/tickets", {}) for method in ("POST", "PUT", "PATCH", "DELETE")),
        ("PROPFIND", "/", {}),
        ("POST", LFS, {"json": {"operation": "upload"}}),
        ("POST", LFS, {"json": {}}),
        ("POST", "/team/app.git/git-upload-pack", {"content_type": "application/json"}),
        ("POST", "/graphql", {"operation": "mutation deleteIssue"}),
        ("GET", "/graphql", {"operation": "mutation deleteIssue"}),
        ("POST", "/graphql", {"operation": ""}),
        ("DELETE", "/orders/_search", {}),
        ("POST", "/api/v1/query", {"content_type": "application/json"}),
        ("POST", "/api/v1/query/delete", {"content_type": FORM}),
        ("POST", "/api/v1/query_exemplars/x", {"content_type": FORM}),
        ("POST", "/api/v1/admin/tsdb/delete_series", {"content_type": FORM}),
        ("PUT", "/api/v1/query", {"content_type": FORM}),
        ("POST", "/rest/api/3/search", {"json": {"name": "x"}}),
        ("POST", "/rest/api/3/search/jql", {"json": None}),
        ("POST", "/rest/api/3/search/jql/x", {"json": {"jql": ""}}),
        ("POST", "/rest/api/3/issue", {"json": {"jql": "", "fields": {}}}),
        ("POST", "/1/indexes/docs/batch", {"json": {"query": "", "requests": []}}),
        ("POST", "/1/indexes/docs/x/query", {"json": {"query": ""}}),
        ("POST", "/v2/1/indexes/docs/query", {"json": {"query": ""}}),
        ("POST", "/1/indexes/docs/query", {"json": {}}),
        ("POST", "/1/indexes/*/queries", {"json": {"query": ""}}),
        ("PUT", AUDIT, {}),
    ],
)
def test_changes_wait(method: str, path: str, fields: Mapping[str, Any]) -> None:
    verdict = asked(method, path, **fields)
    assert (verdict_name(verdict), verdict.rule_id) == ("hold", "egress-writes")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "QUERY"])
def test_pushes_wait(method: str) -> None:
    verdict = asked(method, "/team/app.git/git-receive-pack")
    assert (verdict_name(verdict), verdict.rule_id) == ("hold", "egress-pushes")


@pytest.mark.parametrize(
    ("rule", "method", "path", "host", "fields"),
    [
        (
            "egress-no-other-method",
            *("GET", "/v1/tickets/17", "tickets.internal"),
            {"headers": {"x-http-method-override": "DELETE"}},
        ),
        ("egress-no-cloud-metadata", "GET", "/latest/meta-data/", "169.254.169.254", {}),
        ("egress-no-cloud-metadata", "GET", "/computeMetadata/v1/", "metadata.google.internal", {}),
        ("default", "CONNECT", "", "pinned.example.org", {}),
        ("default", "GET", "/v1/files", "api.anthropic.com", {}),
        ("default", "POST", "/v1/files", "api.anthropic.com", {}),
        ("default", "POST", "/api/web/domain_info", "api.anthropic.com", {}),
    ],
)
def test_denied(rule: str, method: str, path: str, host: str, fields: Mapping[str, Any]) -> None:
    verdict = asked(method, path, host, **fields)
    assert (verdict_name(verdict), verdict.rule_id) == ("deny", rule)
    assert len(verdict.reason) > 20


def test_claude_code_may_ask_about_a_host() -> None:
    found = asked("GET", "/api/web/domain_info", "api.anthropic.com", query={"domain": "x.example"})
    assert verdict_name(found) == "allow"


def test_a_body_that_is_too_large_to_read_is_no_download() -> None:
    verdict = asked("POST", LFS, content_type="application/vnd.git-lfs+json", json=None)
    assert verdict_name(verdict) == "hold"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_listeners_are_not_meant(method: str) -> None:
    assert asked(method, "/v1/files", listener="claude").rule_id == "default"


def test_they_matter() -> None:
    assert review(POLICY.rules, [ActionKind.HTTP_REQUEST]) == []
