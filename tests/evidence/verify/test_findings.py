"""What is found is counted whole, and listed up to a point."""

import ast
from pathlib import Path

from proctor.evidence import verify
from proctor.evidence.verify.findings import MOST, Findings, Level


def test_more_than_is_listed() -> None:
    findings = Findings()
    for number in range(MOST + 20):
        findings.notice("n", "Something", seq=number)
        findings.problem("p", "Something", seq=number, found="x" * 1000)
    assert (findings.problems, findings.notices) == (MOST + 20, MOST + 20)
    assert len(findings.listed) == 2 * MOST
    assert (findings.codes(), findings.codes(Level.NOTICE)) == ({"p"}, {"n"})
    assert max(len(each.found) for each in findings.listed) < 1000


def test_every_code_is_documented() -> None:
    """What a finding means, and what to do, stands in docs/evidence.md."""
    root = Path(verify.__file__).parent
    text = Path(__file__).parents[3].joinpath("docs/evidence.md").read_text()
    found = {
        call.args[0].value
        for path in root.glob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.func, ast.Attribute | ast.Name)
        and (call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id)
        in {"problem", "notice", "say", "_problem"}
    }
    assert len(found) > 25
    assert {code for code in map(str, found) if f"`{code}`" not in text} == set()
