"""A folder as `proctor init` would leave it: config, shipped rules, local issuer; for real runs."""

import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proctor.identity import local
from proctor.testing import gateway
from proctor.testing.gateway import Gateway
from proctor.testing.standin import KEY, StandIn

REPOSITORY = Path(__file__).parents[2]

CONFIG = """\
schema_version: 1
listeners:
  - name: claude
    kind: reverse
    listen: 127.0.0.1:0
    upstream: {upstream}
    speaks: anthropic
    credential: anthropic
identity:
  issuers:
    - {{issuer: {issuer}, audience: proctor, groups: groups}}
credentials:
  - {{name: anthropic, header: x-api-key, value: {{env: ANTHROPIC_API_KEY}}}}
rules: rules/
audit: {{path: recordings/}}
redaction: {{cache: {cache}}}
limits: {{drain: 5s}}
console: {{listen: 127.0.0.1:0}}
"""

CACHE = Path(tempfile.gettempdir()) / f"proctor-tests-{os.getuid()}" / "compiled"
"""Rules that one gateway compiled, for all that come after: it takes seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where one gateway of a test lives.

    Attributes:
        folder: With proctor.yaml, rules/, recordings/ and .proctor/.
        standin: Its upstream.
    """

    folder: Path
    standin: StandIn

    @classmethod
    def build(cls, folder: Path, standin: StandIn, issuer: str = "local") -> "Installation":
        """Write everything into a new folder."""
        folder.mkdir(parents=True)
        (folder / "rules").mkdir()
        for rule in (REPOSITORY / "rules").glob("*.yaml"):
            shutil.copy(rule, folder / "rules")
        for name in ("recordings", ".proctor"):
            (folder / name).mkdir(mode=0o700)
        config = folder / "proctor.yaml"
        config.touch(mode=0o600)
        config.write_text(CONFIG.format(upstream=standin.url, issuer=issuer, cache=CACHE))
        return cls(folder=folder, standin=standin)

    @property
    def config(self) -> Path:
        """Its proctor.yaml."""
        return self.folder / "proctor.yaml"

    @property
    def env(self) -> dict[str, str]:
        """What the gateway's environment needs: the service's key."""
        return {"ANTHROPIC_API_KEY": KEY}

    def start(self) -> Gateway:
        """Start a gateway; the caller ends it."""
        return Gateway.start(self.config, env=self.env)

    def token(
        self, subject: str = "alice", *, audience: str = "proctor", age: float = 0, ttl: float = 600
    ) -> str:
        """A token of the local issuer, made `age` seconds ago."""
        issuer = local.make(self.folder / ".proctor" / local.FILE)
        return issuer.issue(
            subject=subject, groups=["dev"], audience=audience, ttl=ttl, now=time.time() - age
        )

    def query(self, sql: str, session_id: str = "") -> list[dict[str, Any]]:
        """Rows from the record, by the command that people use; `$session` stands for the id."""
        done = gateway.command(
            "query", sql.replace("$session", f"'{session_id}'"), "--format", "json", cwd=self.folder
        )
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows
