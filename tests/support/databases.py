"""A proctor.yaml with listeners for databases."""

from pathlib import Path

LISTENER = (
    "name: orders, kind: postgres, listen: 127.0.0.1:6432, upstream: 127.0.0.1:5432, credential: db"
)
"""The inside of one."""

_CONFIG = """\
schema_version: 1
listeners:
{listeners}
identity:
  issuers:
    - {{issuer: local, audience: proctor}}
    - {{issuer: https://idp.internal, audience: proctor}}
credentials:
  - {{name: db, user: orders_app, password: {{env: DB_PASSWORD}}}}
{more}"""


def configuration(folder: Path, *listeners: str, more: str = "") -> Path:
    """Write one; `more` goes on behind the credentials."""
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules/all.yaml").write_text(
        "rules:\n  - {id: all, on: sql.statement, then: allow}\n"
    )
    file = folder / "proctor.yaml"
    items = "\n".join(f"  - {{{each}}}" for each in listeners)
    file.write_text(_CONFIG.format(listeners=items, more=more))
    return file
