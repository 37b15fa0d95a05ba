"""`audit.checkpoints` and `audit.anchors` in proctor.yaml: when they are signed, where they go."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from proctor.errors import ClientError
from proctor.evidence.sealer import Every
from proctor.fields import FilePath, Seconds, SecureUrl, Settings, problem
from proctor.tlog.cosignature import CosignerKey


class CheckpointSettings(Settings):
    """When a checkpoint of the record is signed.

    Attributes:
        records: After so many.
        seconds: After the first record that none covers yet.
        idle: Seconds after the last checkpoint, whether there are records or not; so a gap shows.
    """

    records: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    seconds: Annotated[Seconds, Field(ge=0.1, le=3600)] = 10.0
    idle: Annotated[Seconds, Field(ge=1, le=86400)] = 60.0

    @property
    def every(self) -> Every:
        """The same, for whoever signs."""
        return Every(records=self.records, seconds=self.seconds, idle=self.idle)


class AnchorSettings(Settings):
    """One place where checkpoints are kept, out of reach of whoever could rewrite the record.

    Attributes:
        witness: The address of a witness.
        key: Its verifier key, as `proctor witness show` prints it.
        ca: The only certificate authority trusted for it; None for the usual ones.
        folder: Instead of a witness: a folder that is written once, such as a WORM mount.
    """

    witness: SecureUrl | None = None
    key: str | None = None
    ca: FilePath | None = None
    folder: FilePath | None = None

    @property
    def name(self) -> str:
        """What logs and metrics call it."""
        return self.witness or str(self.folder)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.witness is None) == (self.folder is None):
            raise problem(
                "wrong-value",
                "An anchor is a witness or a folder",
                expected="{witness: URL, key: VKEY}, or {folder: PATH}",
            )
        if self.folder is not None and (self.key or self.ca):
            raise problem("wrong-value", "`key` and `ca` are a witness's", key="folder")
        if self.witness is None:
            return self
        if self.key is None:
            raise problem(
                "missing-key",
                "`key` is missing: anybody could answer for the witness",
                hint="`proctor witness show` prints it.",
            )
        try:
            CosignerKey.parse(self.key)
        except ClientError as error:
            raise problem(error.code, error.message, key="key", expected=error.expected) from None
        return self
