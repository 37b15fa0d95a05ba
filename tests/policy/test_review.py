"""Rules that load and yet never matter are named."""

import pytest

from proctor.model import ActionKind
from proctor.policy.review import review
from proctor.policy.rules import Rule
from tests.support.cases import rules

KINDS = [ActionKind.LLM_REQUEST]
YES = "{id: yes, on: llm.request, then: allow}"


@pytest.mark.parametrize(
    ("lines", "messages"),
    [
        ([YES], []),
        ([], ["No rule allows any llm.request"]),
        (["{id: a, on: llm.request, then: allow, mode: observe}"],
         ["only observes", "No rule allows"]),
        (["{id: a, on: http.request, then: allow}"], ["No rule allows"]),
        ([YES, "{id: a, on: [llm.request, http.request], then: deny, when: llm.stream}"],
         ["a can never match any http.request"]),
        ([YES, "{id: a, on: llm.request, then: deny, when: 'true'}"],
         ["`when` of a is always true"]),
        ([YES, "{id: a, on: llm.request, then: deny, when: llm.stream, unless: 1 > 2}"],
         ["`unless` of a is always false"]),
        ([YES, "{id: a, on: llm.request, then: deny}"], ["yes never matters: a denies"]),
        ([YES, "{id: a, on: llm.request, then: deny, when: llm.stream}"], []),
    ],
)  # fmt: skip
def test_remarks(lines: list[str], messages: list[str]) -> None:
    text = "rules:\n" + "".join(f"  - {line}\n" for line in lines) if lines else "rules: []"
    read = [rule for rule in rules(text) if isinstance(rule, Rule)]
    assert len(read) == len(lines)
    found = review(read, KINDS)
    assert len(found) == len(messages)
    for remark, message in zip(found, messages, strict=True):
        assert message in remark.message


def test_global_observe_is_named() -> None:
    read = [rule for rule in rules(f"rules: [{YES}]") if isinstance(rule, Rule)]
    (remark,) = review(read, KINDS, observe=True)
    assert remark.severity == "warning"
