"""What follows from what the rules say."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from proctor.errors import ConfigurationError
from proctor.model import (
    Action,
    ActionKind,
    Allow,
    Case,
    Deny,
    Hold,
    HttpFields,
    LlmFields,
    McpFields,
    Principal,
    RecordMode,
    ToolFields,
)
from proctor.policy.cost import MAX_ITEMS
from proctor.policy.engine import load_policy
from proctor.policy.features import Features
from proctor.policy.values import View
from tests.support.cases import ALL, case, policy

LINES = {
    "allow": "{id: yes, on: llm.request, then: allow}",
    "hold": "{id: ask, on: llm.request, then: hold, approval: {from: [dba]}, reason: Ask.}",
    "more": "{id: ask2, on: llm.request, then: hold, approval: {from: [sec], count: 2}}",
    "deny": "{id: no, on: llm.request, then: deny, reason: No.}",
    "other": "{id: other, on: http.request, then: deny}",
}


def written(*names: str) -> str:
    return "rules:\n" + "".join(f"  - {LINES.get(name, name)}\n" for name in names)


@pytest.mark.parametrize("order", list(permutations(["allow", "hold", "deny", "other"])))
def test_deny_beats_hold_beats_allow(tmp_path: Path, order: tuple[str, ...]) -> None:
    assert policy(tmp_path, written(*order)).decide(case()).verdict == Deny(
        rule_id="no", reason="No."
    )
    without = [name for name in order if name != "deny"]
    assert isinstance(policy(tmp_path, written(*without)).decide(case()).verdict, Hold)


def test_every_hold_must_be_met(tmp_path: Path) -> None:
    verdict = policy(tmp_path, written("hold", "allow", "more")).decide(case()).verdict
    assert isinstance(verdict, Hold)
    assert verdict.rule_id == "ask"
    assert [terms.from_groups for terms in verdict.terms] == [("dba",), ("sec",)]


def test_what_no_rule_allows_is_denied(tmp_path: Path) -> None:
    verdict = policy(tmp_path, written("other")).decide(case()).verdict
    assert verdict == Deny(
        rule_id="default",
        reason="No rule allows llm.request (POST https://api.example/v1/messages).",
    )


def test_deny_without_a_reason_still_gives_one(tmp_path: Path) -> None:
    rules = "rules: [{id: no, on: llm.request, then: deny}]"
    assert "The rule no" in policy(tmp_path, rules).decide(case()).verdict.reason


CONDITIONS: list[tuple[str, dict[str, Any], type]] = [
    ("when: llm.model == 'claude-opus'", {}, Allow),
    ("when: llm.model == 'x'", {}, Deny),
    ("unless: llm.model == 'x'", {}, Allow),
    ("unless: llm.model == 'claude-opus'", {}, Deny),
    ("when: session.id == '' && session.turns == 0 && principal.human == ''", {}, Allow),
    ("when: principal.token_age == 60.0", {}, Allow),
    ("when: now.hour == 12 && now.weekday == 3", {}, Allow),
    ("when: now.getHours() == 12 && now > timestamp('2026-01-01T00:00:00Z')", {}, Allow),
    ("when: http.method == 'POST' && http.credential == 'none'", {}, Allow),
    ("when: '\"a\" in principal.groups'", {"groups": ("a",)}, Allow),
    ("when: llm.tools[0] == 'a'", {"llm": LlmFields(tools=("a",))}, Allow),
]


@pytest.mark.parametrize(("condition", "action", "expected"), CONDITIONS)
def test_conditions(tmp_path: Path, condition: str, action: dict[str, Any], expected: type) -> None:
    rules = f"rules:\n  - id: a\n    on: llm.request\n    then: allow\n    {condition}\n"
    assert isinstance(policy(tmp_path, rules).decide(case(**action)).verdict, expected)


FAILURES: list[tuple[str, HttpFields, str]] = [
    ("http.headers['x'] == 'a'", HttpFields(), "not there"),
    ("http.json.a == 1", HttpFields(), "not there"),
    ("http.json.a > 1", HttpFields(json={"a": "x"}), "another type"),
    ("http.json.a", HttpFields(json={"a": 1}), "instead of true or false"),
    ("has(http.json.a)", HttpFields(json=[1]), "another type"),
    ("has(http.json.a)", HttpFields(content_type="application/json"), "could not be read"),
    ("has(http.json.a)", HttpFields(json=list(range(MAX_ITEMS + 1))), "larger than a rule"),
    ("has(http.json.a)", HttpFields(json={"a": "\ud800"}), "not text"),
    ("http.path == 'x'", HttpFields(path="x" * 300_000), "larger than a rule"),
    ("http.path == 'x'", HttpFields(path="\ud800"), "not text"),
    ("'x' in http.headers", HttpFields(headers={f"h{n}": "" for n in range(2000)}), "larger"),
]


@pytest.mark.parametrize(("condition", "http", "why"), FAILURES)
@pytest.mark.parametrize("then", ["allow", "deny"])
@pytest.mark.parametrize("key", ["when", "unless"])
def test_what_fails_denies(
    tmp_path: Path, condition: str, http: HttpFields, why: str, then: str, key: str
) -> None:
    rules = f"""
        rules:
          - {{id: all, on: http.request, then: allow}}
          - {{id: a, on: http.request, then: {then}, {key}: "{condition}"}}
    """
    verdict = (
        policy(tmp_path, rules).decide(case(ActionKind.HTTP_REQUEST, http=http, size=10)).verdict
    )
    assert isinstance(verdict, Deny)
    assert verdict.rule_id == "a"
    assert why in verdict.reason
    assert f"`{key}`" in verdict.reason


def test_what_is_not_needed_does_not_fail(tmp_path: Path) -> None:
    rules = """
        rules:
          - {id: a, on: http.request, then: allow, when: "http.method == 'GET' || has(http.json.a)"}
    """
    http = HttpFields(method="GET", json=list(range(MAX_ITEMS + 1)))
    decided = policy(tmp_path, rules).decide(case(ActionKind.HTTP_REQUEST, http=http))
    assert isinstance(decided.verdict, Allow)


def test_a_depth_bomb_is_no_crash(tmp_path: Path) -> None:
    bomb: list[Any] = []
    for _ in range(100_000):
        bomb = [bomb]
    rules = "rules: [{id: a, on: http.request, then: allow, when: 'has(http.json.a)'}]"
    decided = policy(tmp_path, rules).decide(
        case(ActionKind.HTTP_REQUEST, http=HttpFields(json=bomb))
    )
    assert isinstance(decided.verdict, Deny)
    while bomb:  # taken apart here, since freeing it whole would recurse
        bomb = bomb.pop()


def test_a_panic_denies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Panic(BaseException):
        pass

    def execute(_: object) -> bool:
        raise Panic

    rules = policy(tmp_path, "rules: [{id: a, on: llm.request, then: allow, when: llm.stream}]")
    (rule,) = rules.rules

    class Program:
        pass

    program = Program()
    program.execute = execute  # type: ignore[attr-defined] # the library's own cannot be changed
    object.__setattr__(rule.when, "_program", program)
    assert isinstance(rules.decide(case()).verdict, Deny)
    monkeypatch.setattr(View, "context", property(lambda _: 1 / 0))
    assert isinstance(rules.decide(case()).verdict, Deny)


@pytest.mark.parametrize(
    ("modes", "kept"),
    [
        (["metadata"], RecordMode.METADATA),
        (["metadata", ""], RecordMode.METADATA),
        (["metadata", "full"], RecordMode.FULL),
        ([""], RecordMode.FULL),
        (["metadata, mode: observe"], RecordMode.FULL),
        (["metadata", "full, mode: observe"], RecordMode.METADATA),
        (["metadata", "full, when: llm.stream"], RecordMode.METADATA),
    ],
)
def test_record(tmp_path: Path, modes: list[str], kept: RecordMode) -> None:
    rules = "rules:\n" + "".join(
        f"  - {{id: r{n}, on: llm.request, then: allow{f', record: {mode}' if mode else ''}}}\n"
        for n, mode in enumerate(modes)
    )
    assert policy(tmp_path, rules).decide(case()).record is kept


FINDINGS = """
    rules:
      - {id: all, on: llm.tool_use, then: allow, redact: {PASSWORD: mask, PERSON: detect}}
      - {id: mail, on: llm.tool_use, then: allow, match: mcp__mail__*,
         redact: {PERSON: surrogate, PASSWORD: hash, IBAN_CODE: mask}, restore: [PERSON]}
      - {id: mail-too, on: llm.tool_use, then: allow, match: mcp__mail__send,
         restore: [EMAIL_ADDRESS]}
      - {id: watch, on: llm.tool_use, then: allow, mode: observe,
         redact: {PASSWORD: block}, restore: [PASSWORD]}
      - {id: no-admins, on: llm.tool_use, then: deny, when: '"admins" in principal.groups'}
"""


@pytest.mark.parametrize(
    ("tool", "groups", "redact", "restore"),
    [
        ("Read", (), {"PASSWORD": "mask", "PERSON": "detect"}, set()),
        (
            "mcp__mail__list",
            (),
            {"PASSWORD": "mask", "PERSON": "surrogate", "IBAN_CODE": "mask"},
            {"PERSON"},
        ),
        (
            "mcp__mail__send",
            (),
            {"PASSWORD": "mask", "PERSON": "surrogate", "IBAN_CODE": "mask"},
            {"PERSON", "EMAIL_ADDRESS"},
        ),
        ("Read", ("admins",), {"PASSWORD": "mask", "PERSON": "detect"}, set()),
        (
            "mcp__mail__send",
            ("admins",),
            {"PASSWORD": "mask", "PERSON": "surrogate", "IBAN_CODE": "mask"},
            set(),
        ),
    ],
)
def test_what_is_done_with_findings(
    tmp_path: Path, tool: str, groups: tuple[str, ...], redact: dict[str, str], restore: set[str]
) -> None:
    asked = case(ActionKind.LLM_TOOL_USE, groups=groups, tool=ToolFields(name=tool))
    for observe in (False, True):
        decided = policy(tmp_path, FINDINGS, observe=observe).decide(asked)
        assert decided.redact == redact
        assert decided.restore == restore


def test_the_order_of_rules_does_not_matter_for_findings(tmp_path: Path) -> None:
    lines = [
        f"      - {{id: r{n}, on: llm.request, then: allow, redact: {{PERSON: {method}}}}}"
        for n, method in enumerate(("hash", "mask", "surrogate"))
    ]
    for order in permutations(lines):
        found = policy(tmp_path, "\n".join(("    rules:", *order))).decide(case())
        assert found.redact == {"PERSON": "mask"}


def test_observing_rules_only_note(tmp_path: Path) -> None:
    rules = """
        rules:
          - {id: yes, on: llm.request, then: allow}
          - {id: no, on: llm.request, then: deny, mode: observe, reason: No.}
          - {id: bad, on: llm.request, then: allow, mode: observe, when: "http.headers['x'] == ''"}
    """
    decided = policy(tmp_path, rules).decide(case())
    assert decided.verdict == Allow(rule_id="yes")
    assert decided.mode == "enforce"
    assert [(seen.rule_id, seen.verdict) for seen in decided.observed] == [
        ("no", "deny"),
        ("bad", "deny"),
    ]


def test_an_observing_rule_allows_nothing(tmp_path: Path) -> None:
    rules = "rules: [{id: yes, on: llm.request, then: allow, mode: observe}]"
    assert isinstance(policy(tmp_path, rules).decide(case()).verdict, Deny)


@pytest.mark.parametrize("names", [["deny", "allow"], ["hold"], ["other"]])
def test_global_observe(tmp_path: Path, names: list[str]) -> None:
    enforced = policy(tmp_path, written(*names)).decide(case()).verdict
    decided = policy(tmp_path, written(*names), observe=True).decide(case())
    assert decided.verdict == Allow(rule_id=enforced.rule_id, reason=enforced.reason)
    assert decided.mode == "observe"
    assert decided.observed[0].rule_id == enforced.rule_id
    assert decided.observed[0].verdict == type(enforced).__name__.lower()
    allowed = policy(tmp_path, written("allow"), observe=True).decide(case())
    assert (allowed.mode, allowed.observed) == ("enforce", ())


def test_a_tool_call_that_no_rule_allows_is_denied(tmp_path: Path) -> None:
    rules = """
        rules:
          - {id: keys, on: llm.tool_use, match: Read(secrets/**), then: deny, mode: observe}
          - {id: mail, on: llm.tool_use, match: mcp__mail, then: deny, mode: observe}
    """
    decided = policy(tmp_path, rules, Features()).decide(case(ActionKind.LLM_TOOL_USE))
    assert isinstance(decided.verdict, Deny)
    assert decided.verdict.rule_id == "default"
    assert [seen.rule_id for seen in decided.observed] == ["keys"]


APPEAL = "approval: {from: [a]}, appeal: true"


@pytest.mark.parametrize(
    ("others", "appealed"),
    [
        ("", ["no"]),
        (f"- {{id: two, on: llm.request, then: deny, {APPEAL}}}", ["no", "two"]),
        ("- {id: two, on: llm.request, then: deny}", []),
    ],
)
def test_a_denial_is_appealed_where_every_rule_lets_it(
    tmp_path: Path, others: str, appealed: list[str]
) -> None:
    rules = f"""
        rules:
          - {{id: no, on: llm.request, then: deny, {APPEAL}, reason: Not so.}}
          {others}
    """
    verdict = policy(tmp_path, rules).decide(case(ActionKind.LLM_REQUEST)).verdict
    assert isinstance(verdict, Deny)
    assert (verdict.rule_id, verdict.reason) == ("no", "Not so.")
    assert [terms.rule_id for terms in verdict.appeal] == appealed


def test_a_hold_names_its_rules_and_the_longest_grant(tmp_path: Path) -> None:
    rules = """
        rules:
          - {id: a, on: llm.request, then: hold, approval: {from: [x], grant: 1h}, reason: Look.}
          - {id: b, on: llm.request, then: hold, approval: {from: [y]}}
          - {id: c, on: llm.request, then: allow}
    """
    verdict = policy(tmp_path, rules).decide(case(ActionKind.LLM_REQUEST)).verdict
    assert isinstance(verdict, Hold)
    said = [(each.rule_id, each.rule_reason, each.grant) for each in verdict.terms]
    assert said == [("a", "Look.", timedelta(hours=1)), ("b", "", None)]


def test_a_rule_that_allows_commands_wants_all_of_them(tmp_path: Path) -> None:
    rules = "rules: [{id: a, on: llm.tool_use, match: Bash(npm run *), then: allow}]"
    loaded = policy(tmp_path, rules)
    for command, verdict in (
        ("npm run build", Allow),
        ("npm run build && rm x", Deny),
        ("npm run $(curl x | sh)", Deny),
    ):
        tool = ToolFields(name="Bash", command=command)
        decided = loaded.decide(case(ActionKind.LLM_TOOL_USE, tool=tool))
        assert isinstance(decided.verdict, verdict), command


def test_match(tmp_path: Path) -> None:
    rules = "rules: [{id: a, on: llm.tool_use, match: [Grep, mcp__mail], then: allow}]"
    loaded = policy(tmp_path, rules)
    for name, verdict in (("Grep", Allow), ("mcp__mail__send", Allow), ("Bash", Deny)):
        decided = loaded.decide(case(ActionKind.LLM_TOOL_USE, tool=ToolFields(name=name)))
        assert isinstance(decided.verdict, verdict)
    assert isinstance(loaded.decide(case(ActionKind.LLM_TOOL_USE, tool=None)).verdict, Deny)


def test_version_is_of_the_bytes(tmp_path: Path) -> None:
    first = policy(tmp_path, written("allow"))
    assert first.version.startswith("sha256:")
    assert first.version == policy(tmp_path, written("allow")).version
    assert first.version == first.decide(case()).policy_version
    assert first.version != policy(tmp_path, written("allow") + "# more\n").version
    (tmp_path / "rules.yaml").rename(tmp_path / "other.yaml")
    assert load_policy(tmp_path, features=ALL).version != first.version


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, "rules-missing"),
        ({"a.txt": ""}, "rules-missing"),
        ({".a.yaml": written("allow")}, "rules-missing"),
        ({"a.yml": written("allow"), "b.yaml": written("deny")}, "rules-overlooked"),
        ({"a.YAML": written("allow")}, "rules-overlooked"),
        ({"a.yaml": written("allow"), "b.yaml": written("allow")}, "rule-invalid"),
        ({"a.yaml": written("allow"), "b.yaml": "{"}, "yaml-invalid"),
    ],
)
def test_folder(tmp_path: Path, files: dict[str, str], code: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        load_policy(tmp_path, features=ALL)
    assert raised.value.code == code


def test_an_id_that_stands_twice_names_both_places(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(written("allow"))
    with pytest.raises(ConfigurationError) as raised:
        load_policy(tmp_path, features=ALL)
    assert raised.value.where.endswith("b.yaml:2")
    assert "a.yaml:2" in raised.value.got


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        load_policy(tmp_path / "none", features=ALL)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError):
        load_policy(tmp_path / "file", features=ALL)


def test_zones_of_several_files(tmp_path: Path) -> None:
    for name, zone, hour in (("a", "Europe/Berlin", 13), ("b", "Asia/Tokyo", 21), ("c", "UTC", 12)):
        (tmp_path / f"{name}.yaml").write_text(
            f"timezone: {zone}\nrules:\n"
            f"  - {{id: {name}, on: llm.request, then: deny, mode: observe,"
            f" when: now.hour == {hour}}}\n"
        )
    decided = load_policy(tmp_path, features=ALL).decide(case())
    assert [seen.rule_id for seen in decided.observed] == ["a", "b", "c"]


def test_answers_are_remembered_by_all_that_they_rest_on(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(
        """rules:
  - {id: small, on: llm.request, when: llm.max_tokens < 10, then: allow}
  - {id: dev, on: llm.request, when: '"dev" in principal.groups', then: allow}
"""
    )
    policy = load_policy(tmp_path, features=Features())

    def verdict(groups: tuple[str, ...], tokens: int) -> str:
        action = Action(
            kind=ActionKind.LLM_REQUEST,
            listener="l",
            target=f"POST /{tokens}",
            llm=LlmFields(max_tokens=tokens),
        )
        principal = Principal(issuer="i", subject="s", groups=groups)
        now = datetime.now(UTC)
        case = Case(principal=principal, session=None, action=action, now=now)
        return policy.decide(case).verdict.rule_id

    for _ in range(2):
        assert verdict((), 5) == "small"
        assert verdict((), 50) == "default"
        assert verdict(("dev",), 50) == "dev"
        assert verdict(("dev", "x"), 5) == "small"
    for number in range(3000):
        verdict((), 100 + number)
    assert len(policy._known) <= 1024


def test_calls_are_remembered_only_where_their_input_does_not_matter(tmp_path: Path) -> None:
    def asked(**arguments: str) -> Case:
        mcp = McpFields(server="jira", method="tools/call", tool="x", arguments=arguments)
        return case(ActionKind.MCP_CALL, mcp=mcp)

    allow = '{id: a, on: mcp.call, when: mcp.tool == "x", then: allow}'
    plain = policy(tmp_path, written(allow))
    assert isinstance(plain.decide(asked()).verdict, Allow)
    assert len(plain._known) == 1
    for rule in ("match: mcp__jira__x(n:2)", "when: has(mcp.arguments.n)"):
        narrow = policy(tmp_path, written(allow, f'{{id: b, on: mcp.call, "then": deny, {rule}}}'))
        for _ in range(2):
            assert isinstance(narrow.decide(asked()).verdict, Allow)
            assert isinstance(narrow.decide(asked(n="2")).verdict, Deny)
        assert not narrow._known


@pytest.mark.parametrize(
    "when", ["novelty.table", "novelty.volume > 3.0", '"public.t" in novelty.tables']
)
def test_what_is_new_is_asked_anew(tmp_path: Path, when: str) -> None:
    rule = f"rules: [{{id: new, on: sql.statement, when: '{when}', then: deny}}]"
    (tmp_path / "a.yaml").write_text(rule)
    features = Features(kinds=frozenset(ActionKind), unfilled=frozenset())
    found = load_policy(tmp_path, features=features)
    assert not found.steady(ActionKind.SQL_STATEMENT)
    assert found.steady(ActionKind.LLM_REQUEST)
    assert found.reads(ActionKind.SQL_STATEMENT, "novelty")
    new = {"table": True, "tables": ["public.t"], "volume": 4.0}
    said: list[str] = []
    for novelty in ({}, new):
        action = Action(
            kind=ActionKind.SQL_STATEMENT, listener="db", target="db/x", novelty=novelty
        )
        principal = Principal(issuer="i", subject="s")
        decision = found.decide(
            Case(
                principal=principal,
                session=None,
                action=action,
                now=datetime(2026, 3, 2, tzinfo=UTC),
            )
        )
        said.append(decision.verdict.rule_id)
    assert said == ["default", "new"]
