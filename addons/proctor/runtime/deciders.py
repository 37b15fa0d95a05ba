"""Can anybody decide what rules hold, and can it be kept? What `proctor doctor` looks at."""

from collections.abc import Iterator, Sequence

from proctor.approval.model import ApprovalError
from proctor.approval.sqlitefile import Database
from proctor.config import Config
from proctor.errors import ConfigurationError
from proctor.identity.local import LOCAL
from proctor.policy.engine import load_policy
from proctor.policy.rules import Rule
from proctor.runtime.checkup import Finding, State, failed
from proctor.runtime.features import features_of
from proctor.runtime.permissions import check_private

_CHECK = "approvals"
_NAMED = 5
_WAIT = 1.0


def approvals_findings(config: Config) -> Iterator[Finding]:
    """Is there somebody for everything that rules hold?"""
    try:
        policy = load_policy(config.rules, features=features_of(config), observe=config.observe)
    except ConfigurationError:
        return  # told by `checkup.rules`
    asking = [rule for rule in policy.rules if rule.terms is not None]
    if not asking:
        yield Finding(check=_CHECK, state=State.OK, what="No rule asks a human")
        return
    found = [*_sign_in(config, asking), *_roles(config, asking), *_store(config)]
    yield from found
    if not found:
        words = f"{_names(asking)}: there is somebody to decide"
        yield Finding(check=_CHECK, state=State.OK, what=words)


def _sign_in(config: Config, asking: Sequence[Rule]) -> Iterator[Finding]:
    issuer = config.console.issuer
    local = any(item.issuer == LOCAL for item in config.identity.issuers)
    if issuer is None and not local:
        yield Finding(
            check=_CHECK,
            state=State.FAIL,
            what=f"{_names(asking)}: nobody can decide, since nobody can sign in to the console",
            mend="Set `console.issuer` and `console.client_id`.",
        )
    elif issuer in {None, LOCAL}:
        yield Finding(
            check=_CHECK,
            state=State.WARN,
            what=f"{_names(asking)}: tokens made on this machine decide, and only under"
            " `proctor run --dev`",
            mend="In earnest, set `console.issuer` and `console.client_id` to those of your own"
            " identity provider.",
        )


def _roles(config: Config, asking: Sequence[Rule]) -> Iterator[Finding]:
    role = config.roles.reviewer
    if role is None:
        yield Finding(
            check=_CHECK,
            state=State.FAIL,
            what=f"{_names(asking)}: nobody can decide, since nobody has the role of a reviewer",
            mend="Name groups under `roles.reviewer`.",
        )
        return
    for rule in asking:
        groups = rule.terms.from_groups if rule.terms else ()
        if set(groups).isdisjoint(role.groups):
            yield Finding(
                check=_CHECK,
                state=State.WARN,
                what=f"{rule.id} asks {', '.join(groups)}, none of which is among the reviewers:"
                " only who is in a group of theirs, too, can decide",
                mend="Name one of them under `roles.reviewer`, or change the rule's `from`.",
            )


def _store(config: Config) -> Iterator[Finding]:
    path = config.approvals.store
    if not path.exists():
        return  # made at the first start
    try:
        check_private(path.parent, "the folder of approvals")
        check_private(path, "the approvals")
        Database(path, _WAIT).close()
    except (ApprovalError, ConfigurationError) as error:
        yield failed(_CHECK, error)


def _names(rules: Sequence[Rule]) -> str:
    named = ", ".join(rule.id for rule in rules[:_NAMED])
    more = len(rules) - _NAMED
    return f"{named} and {more} more" if more > 0 else named
