"""Where the command line keeps who signed in to which console: one file, its owner's alone.

`$XDG_STATE_HOME/proctor/login.json`, else `~/.local/state/proctor/login.json` (XDG Base Directory
Specification 0.8, 3), 0600 in a folder that is 0700. Where others can get at it, it is not used.
"""

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from proctor.errors import ConfigurationError
from proctor.runtime.permissions import check_private, make_folder, write_new

FILE: Final = "proctor/login.json"
_VERSION: Final = 1
_MAX_FILE: Final = 256 * 1024
_MAX_LOGINS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One sign-in.

    Attributes:
        token: For the console's API; in no repr, message or log.
        expires_at: Its end, RFC 3339.
        name: Whose it is, to be shown.
        subject: `sub`.
    """

    token: str = field(repr=False)
    expires_at: str
    name: str = ""
    subject: str = ""

    def over(self, now: datetime) -> bool:
        """Whether its time has run out."""
        return datetime.fromisoformat(self.expires_at) <= now


def login_file(environment: Mapping[str, str]) -> Path:
    """Where logins are kept for this user."""
    base = Path(environment.get("XDG_STATE_HOME", ""))
    # A relative one is to be passed over (the specification, 2).
    return (base if base.is_absolute() else Path.home() / ".local/state") / FILE


def read(path: Path) -> dict[str, Login]:
    """Logins by the console's address; those that are over are left out.

    Raises:
        ConfigurationError: Others can read it, or it is damaged.
    """
    if not path.exists():
        return {}
    check_private(path.parent, "the folder of your sign-ins")
    check_private(path, "your sign-ins")
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MAX_FILE))
        logins = _logins(found)
    except OSError as error:
        raise _broken(path, error.strerror or type(error).__name__) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # The cause would hold what stands in the file.
        raise _broken(path, "a file that cannot be read as sign-ins") from None
    now = datetime.now(UTC)
    return {url: login for url, login in logins.items() if not login.over(now)}


def write(path: Path, logins: Mapping[str, Login]) -> None:
    """Keep these and no others; the file is whole at any time.

    Raises:
        ConfigurationError: It cannot be written, or others can get at the folder.
    """
    make_folder(path.parent)
    check_private(path.parent, "the folder of your sign-ins")
    kept = dict(list(logins.items())[-_MAX_LOGINS:])
    data = {"version": _VERSION, "logins": {url: asdict(login) for url, login in kept.items()}}
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            write_new(beside, json.dumps(data, indent=1).encode())
            beside.replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
    except OSError as error:
        raise _broken(path, error.strerror or type(error).__name__) from None


def mine() -> Path:
    """Where this process's user has them."""
    return login_file(os.environ)


def _logins(found: dict[str, Any]) -> dict[str, Login]:
    if found["version"] != _VERSION:
        raise ValueError("a newer version's")
    return {str(url): _login(each) for url, each in found["logins"].items()}


def _login(found: dict[str, Any]) -> Login:
    login = Login(
        token=found["token"],
        expires_at=found["expires_at"],
        name=found["name"],
        subject=found["subject"],
    )
    if not all(isinstance(each, str) for each in (login.token, login.name, login.subject)):
        raise TypeError("text")
    if datetime.fromisoformat(login.expires_at).tzinfo is None:
        raise ValueError("a time zone")
    return login


def _broken(path: Path, got: str) -> ConfigurationError:
    return ConfigurationError(
        code="login-file",
        message="The file of your sign-ins cannot be used",
        got=got,
        expected="what `proctor login` writes there",
        hint="Delete it, and run `proctor login` again.",
        where=str(path),
    )
