"""Rule files: every mistake is named with file and line, what was found and what was expected."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.errors import ConfigurationError
from proctor.model import ActionKind, RecordMode
from proctor.policy.features import Features
from proctor.policy.rulefile import read_rules
from proctor.policy.rules import Rule
from proctor.redaction.model import Method
from proctor.yamlfile import Document, parse
from tests.support.cases import ALL, rules

DESIGN = """
    rules:
      - id: schema-changes
        on: sql.statement
        when: sql.verbs.exists(v, v in ["CREATE", "ALTER", "DROP", "TRUNCATE"])   # CEL
        unless: '"migrations" in principal.groups'
        then: hold
        approval: {from: [dba], count: 1, wait: 4m, ttl: 30m, reason: required}
        reason: Schema changes need a second pair of eyes.
      - id: quiet-workflow
        on: llm.request
        when: '"ci" in principal.groups'
        then: allow
        record: metadata
      - id: watched
        on: [llm.tool_use, mcp.call]
        match: [mcp__mail__*, WebFetch(domain:x.org)]
        then: deny
        mode: observe
"""


def test_reads_what_the_design_shows() -> None:
    schema, quiet, watched = rules(DESIGN)
    assert isinstance(schema, Rule)
    assert schema.then == "hold"
    assert schema.where == "test.yaml:3"
    assert schema.terms is not None
    assert schema.terms.from_groups == ("dba",)
    assert schema.terms.wait == timedelta(minutes=4)
    assert schema.terms.ttl == timedelta(minutes=30)
    assert schema.terms.reason_required
    assert schema.reads() == {"sql.verbs", "principal.groups"}
    assert isinstance(quiet, Rule)
    assert quiet.record is RecordMode.METADATA
    assert quiet.conditional
    assert isinstance(watched, Rule)
    assert watched.observe
    assert watched.on == {ActionKind.LLM_TOOL_USE, ActionKind.MCP_CALL}
    assert [pattern.source for pattern in watched.match] == [
        "mcp__mail__*",
        "WebFetch(domain:x.org)",
    ]


RULE = "    rules:\n      - {id: a, on: llm.request, then: allow}\n"


def one(more: str = "", **keys: str) -> str:
    """A file with one rule; its keys are replaced or added."""
    fields = {"id": "a", "on": "llm.request", "then": "deny", **keys}
    lines = "".join(f"    {key}: {value}\n" for key, value in fields.items() if value)
    return f"{more}rules:\n  -\n{lines}"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "holds no rules"),
        ("[]", 1, "holds no rules"),
        ("rules: {}", 1, "holds no rules"),
        ("mode: loud\nrules: []", 1, "word is not known"),
        ("rules: []\nrule: []", 2, "no key 'rule'"),
        ("rules: []\ntimezone: Europe/Nowhere", 2, "no such time zone"),
        ("rules: []\ntimezone: 3", 2, "no such time zone"),
        ("rules: []\ntimezone: ../../etc/passwd", 2, "no such time zone"),
        ("rules:\n  - x", 2, "A rule is a mapping"),
        (one(id=""), 3, "has no 'id'"),
        (one(on=""), 3, "has no 'on'"),
        (one(then=""), 3, "has no 'then'"),
        (one(id="a b"), 3, "cannot name a rule"),
        (one(id="3"), 3, "cannot name a rule"),
        (one(id="x" * 81), 3, "cannot name a rule"),
        (one(id="default"), 3, "proctor's own name"),
        (one(on="llm.requests"), 4, "word is not known"),
        (one(on="[]"), 4, "speaks about nothing"),
        (one(on="[llm.request, 3]"), 4, "word is not known"),
        (one(then="denied"), 5, "word is not known"),
        (one(then="true"), 5, "word is not known"),
        (one(whem="x"), 6, "no key 'whem'"),
        (one(when="3"), 6, "is a CEL expression"),
        (one(when="[a]"), 6, "is a CEL expression"),
        (one(when="llm.modle == 'x'"), 6, "no field 'modle'"),
        (one(unless="llm.model"), 6, "is a string"),
        (one(when="\"'x' ==\""), 6, "cannot stand here"),
        (one(when="sql.has_where"), 6, "always empty for llm.request"),
        (one(when="http.json.a == 1"), 6, "always empty for llm.request"),
        (one(when="false"), 6, "can never match"),
        (one(when="llm.stream && 1 > 2"), 6, "can never match"),
        (one(unless="true"), 6, "can never match"),
        (one(when="action.kind == 'git.push'"), 6, "can never match"),
        (one(match="Bash"), 6, "about tool calls"),
        (one(on="[llm.tool_use, sql.statement]", match="Bash"), 6, "about tool calls"),
        (one(on="llm.tool_use", match="bash"), 6, "no tool 'bash'"),
        (one(on="llm.tool_use", match="[Read, 'Bash(']"), 6, "neither a tool"),
        (one(on="llm.tool_use", match="[]"), 6, "`match` is empty"),
        (one(on="llm.tool_use", match="3"), 6, "is a pattern"),
        (one(reason="[x]"), 6, "no reason"),
        (one(reason="x" * 501), 6, "no reason"),
        (one(mode="observing"), 6, "word is not known"),
        (one(record="none"), 6, "word is not known"),
        (one(then="allow", restore="[EMAIL_ADDRESS]"), 6, "about tool calls that"),
        (one(on="llm.tool_use", restore="[EMAIL_ADDRESS]"), 6, "that are allowed"),
        (one(on="[mcp.call, http.request]", then="allow", restore="[X]"), 6, "about tool calls"),
        (one(on="llm.tool_use", then="allow", restore="[]"), 6, "lists types"),
        (one(on="llm.tool_use", then="allow", restore="EMAIL"), 6, "lists types"),
        (one(on="llm.tool_use", then="allow", restore="[email]"), 6, "cannot name a type"),
        (one(redact="{EMAIL_ADDRESS: mask}"), 6, "nothing pass"),
        (one(then="allow", redact="[EMAIL_ADDRESS]"), 6, "what is done with each type"),
        (one(then="allow", redact="{email: mask}"), 6, "cannot name a type"),
        (one(then="allow", redact="{EMAIL_ADDRESS: hide}"), 6, "word is not known"),
        (one(then="allow", redact="{EMAIL_ADDRESS: [mask]}"), 6, "word is not known"),
        (one(when="findings.exists(f, f.direction == 'up')"), 6, "can never be"),
        (one(when="findings.exists(f, f.type == 'email')"), 6, "can never be"),
        (one(approval="{from: [a]}"), 6, "Only a rule that holds"),
        (one(then="hold"), 3, "who may approve"),
        (one(then="hold", approval="[a]"), 6, "who may approve"),
        (one(then="hold", approval="{}"), 6, "Nobody may approve"),
        (one(then="hold", approval="{from: []}"), 6, "Nobody may approve"),
        (one(then="hold", approval="{from: dba}"), 6, "Nobody may approve"),
        (one(then="hold", approval="{from: [a], by: x}"), 6, "no key 'by'"),
        (one(then="hold", approval="{from: [a], count: 0}"), 6, "So many cannot"),
        (one(then="hold", approval="{from: [a], count: true}"), 6, "So many cannot"),
        (one(then="hold", approval="{from: [a], wait: 10m}"), 6, "no duration"),
        (one(then="hold", approval="{from: [a], wait: 4}"), 6, "no duration"),
        (one(then="hold", approval="{from: [a], ttl: 2d}"), 6, "no duration"),
        (one(then="hold", approval="{from: [a], ttl: 0s}"), 6, "no duration"),
        (one(then="hold", approval="{from: [a], reason: maybe}"), 6, "word is not known"),
        (one(then="hold", approval="{from: [a], grant: 8d}"), 6, "no duration"),
        (one(then="hold", approval="{from: [a], grant: yes}"), 6, "no duration"),
        (one(then="deny", appeal="true"), 3, "who may approve"),
        (one(then="deny", appeal="maybe"), 6, "may be appealed"),
        (one(then="allow", appeal="true"), 6, "may be appealed"),
        (one(then="deny", approval="{from: [a]}"), 6, "Only a rule that holds"),
        (one(on="llm.tool_use", then="allow", match="Bash(<unreadable>)"), 6, "never match"),
        (one(when="http.operation == 'x'"), 6, "http.operation is always empty for llm.request"),
        (one(on="mcp.call", match="Bash(rm *)"), 6, "no tool of an MCP server"),
        (one(on="mcp.call", match="[mcp__jira, Read]"), 6, "no tool of an MCP server"),
        (one(on="[mcp.call, llm.request]", match="mcp__jira"), 6, "about tool calls"),
        (one(on="mcp.call", when="tool.command == ''"), 6, "tool.command is always empty"),
        (one(on="[llm.tool_use, mcp.call]", when="tool.hosts == []"), 6, "empty for mcp.call"),
        (one(on="mcp.call", when="llm.model == 'x'"), 6, "llm.model is always empty"),
        (
            one(on="mcp.call", match="mcp__jira", when="mcp.method == 'resources/read'"),
            7,
            "never match",
        ),
        (one(on="mcp.call", match="mcp__jira", unless="mcp.uri == ''"), 7, "never match"),
    ],
)
def test_refused(text: str, line: int, message: str) -> None:
    (error,) = [each for each in rules(text) if isinstance(each, ConfigurationError)]
    assert message in error.message
    assert error.where == f"test.yaml:{line}"


NOW = Features(listeners=frozenset({"claude"}), servers=frozenset({"jira"}))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (one(on="sql.statement", mode="observe"), 4, "can never match"),
        (one(on="mcp.call", match="mcp__jria"), 6, "no MCP server 'jria'"),
        (one(on="mcp.call", when="mcp.server == 'jria'"), 6, "no MCP server 'jria'"),
        (one(on="[llm.request, ws.message]"), 4, "ws.message can never match: nothing lets Web"),
        (one(unless="has(budget.x)"), 6, "budget is always empty"),
        (one(when="action.listener == 'cloude'"), 6, "no listener 'cloude'"),
    ],
)
def test_nothing_looks_guarded_that_is_not(text: str, line: int, message: str) -> None:
    (error,) = rules(text, NOW)
    assert isinstance(error, ConfigurationError)
    assert message in error.message
    assert error.where == f"test.yaml:{line}"
    assert isinstance(rules(text, ALL)[0], Rule)


@pytest.mark.parametrize(
    "text",
    [
        one(then="hold", approval="{from: [a]}", mode="observe"),
        one(then="hold", approval="{from: [a], grant: 1h}"),
        one(then="deny", appeal="true", approval="{from: [a]}"),
        one(on="llm.tool_use"),
        one(on="[llm.request, llm.tool_use]"),
        one(on="llm.tool_use", match="Bash(<unreadable>)"),
        one(on="llm.tool_use", then="allow", match="Bash(npm run *)"),
        one(on="llm.tool_use", mode="observe", match="Read"),
        one("mode: observe\n", on="llm.tool_use", match="mcp__mail"),
        one(on="llm.tool_use", then="allow"),
        one(on="mcp.call", match="mcp__jira__create_issue(project:SEC*)"),
        one(on="mcp.call", match="mcp__jira", when="mcp.method == 'tools/call'"),
        one(on="[llm.tool_use, mcp.call]", match="[Bash(rm *), mcp__jira]"),
        one(on="[llm.tool_use, mcp.call]", when="tool.name == 'mcp__jira__x'"),
        one(on="mcp.call", when="mcp.server == 'jira' && mcp.arguments.project == 'X'"),
        one(on="http.request", when="http.operation == 'x' || http.violations != []"),
        one(on="llm.tool_use", then="allow", match="mcp__mail__send", restore="[EMAIL_ADDRESS]"),
        one(on="llm.tool_use", then="allow", when="tool.name != 'x'", redact="{PASSWORD: block}"),
        one(on="[llm.request, http.request]", then="allow", redact="{IBAN_CODE: surrogate}"),
        one(when="findings.exists(f, f.type == 'PRIVATE_KEY' && f.direction == 'request')"),
        one(when="action.listener == 'claude'"),
        one(on="[llm.request, http.request]", when="http.json == {} || llm.stream"),
    ],
)
def test_what_this_version_takes(text: str) -> None:
    assert isinstance(rules(text, NOW)[0], Rule)


def test_redact_and_restore() -> None:
    (rule,) = rules(
        one(
            on="llm.tool_use",
            then="allow",
            redact="{EMAIL_ADDRESS: surrogate, PASSWORD: block}",
            restore="[EMAIL_ADDRESS, PERSON]",
        )
    )
    assert isinstance(rule, Rule)
    assert rule.redact == {"EMAIL_ADDRESS": Method.SURROGATE, "PASSWORD": Method.BLOCK}
    assert rule.restore == {"EMAIL_ADDRESS", "PERSON"}


def test_every_mistake_is_found() -> None:
    text = """
        rules:
          - {id: a, on: llm.request, then: maybe}
          - {id: b, on: llm.request, then: allow}
          - {id: c, on: llm.request, then: allow, when: llm.x}
    """
    first, good, third = rules(text)
    assert isinstance(first, ConfigurationError)
    assert isinstance(good, Rule)
    assert isinstance(third, ConfigurationError)


def test_a_rule_may_enforce_in_a_file_that_observes() -> None:
    text = """
        mode: observe
        rules:
          - {id: a, on: llm.request, then: deny}
          - {id: b, on: llm.request, then: deny, mode: enforce}
    """
    assert [rule.observe for rule in rules(text) if isinstance(rule, Rule)] == [True, False]


def test_dead_for_one_kind_only() -> None:
    (rule,) = rules(one(on="[llm.request, http.request]", when="llm.stream"))
    assert isinstance(rule, Rule)
    assert rule.possible(ActionKind.LLM_REQUEST)
    assert not rule.possible(ActionKind.HTTP_REQUEST)
    assert not rule.possible(ActionKind.SQL_STATEMENT)


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "on", "when", "match", "then", "redact", "restore", "X"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=10,
    )
)
def test_any_data_is_a_rule_or_an_error(data: object) -> None:
    document = Document(name="x", raw=b"", data={"rules": [data]}, lines={})
    for found in read_rules(document, ALL):
        assert isinstance(found, Rule | ConfigurationError)


def test_cut_anywhere() -> None:
    text = DESIGN.encode()
    for end in range(0, len(text), 7):
        try:
            list(read_rules(parse(text[:end], name="x"), ALL))
        except ConfigurationError:
            continue
