"""The rooms of the house are what the stages take them for; mypy reads this file, too."""

from proctor.credentials.store import CredentialStore
from proctor.egress.authority import Authority
from proctor.egress.resolver import Resolver
from proctor.runtime.metrics import Metrics
from proctor.stages import parts
