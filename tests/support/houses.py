"""A proctor.yaml with rules, for tests of commands."""

from pathlib import Path

CONFIG = """\
schema_version: 1
listeners:
  - {name: claude, kind: reverse, listen: 127.0.0.1:0, upstream: https://api.example,
     speaks: anthropic}
identity:
  issuers: [{issuer: local, audience: proctor}]
rules: rules/
"""


def house(folder: Path, rules: str, more: str = "") -> Path:
    """The path of a proctor.yaml beside a rules/ with one file."""
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "rules.yaml").write_text(rules)
    config = folder / "proctor.yaml"
    config.write_text(CONFIG + more)
    return config
