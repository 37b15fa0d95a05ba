"""GRANT and REVOKE, and back."""

from proctor.postgres.hardening.acl import grant, revoke, taking
from proctor.postgres.hardening.model import PUBLIC, Right

ON = 'TABLE "public"."users"'
APP = Right(grantor="owner", grantee="app", privileges=("INSERT", "SELECT"))
BEFORE = Right(grantor="owner", grantee="before", privileges=("SELECT",))
AFTER = Right(grantor="owner", grantee="after", privileges=("DELETE", "SELECT"))


def test_one_statement() -> None:
    assert grant(("SELECT",), ON, 'a"b', columns=("x", 'y"')) == (
        'GRANT SELECT ("x", "y""") ON TABLE "public"."users" TO "a""b"'
    )
    assert revoke(("SELECT", "INSERT"), ON, PUBLIC) == (
        'REVOKE SELECT, INSERT ON TABLE "public"."users" FROM PUBLIC'
    )


def test_a_part_is_given_back_in_its_place() -> None:
    away, back = taking((BEFORE, APP, AFTER), [(APP, ("SELECT",))], ON, "owner")
    assert away == (f'REVOKE SELECT ON {ON} FROM "app"',)  # noqa: S608 - ours
    assert back == (f'GRANT SELECT ON {ON} TO "app"',)


def test_the_whole_is_given_back_before_what_stood_behind_it() -> None:
    _, back = taking((BEFORE, APP, AFTER), [(APP, ("INSERT", "SELECT"))], ON, "owner")
    assert back == (
        f'REVOKE DELETE, SELECT ON {ON} FROM "after"',  # noqa: S608 - ours
        f'GRANT INSERT, SELECT ON {ON} TO "app"',
        f'GRANT DELETE, SELECT ON {ON} TO "after"',
    )


def test_what_others_gave_on_is_left_alone() -> None:
    chained = Right(grantor="owner", grantee="after", privileges=("SELECT",), grantable=("SELECT",))
    _, back = taking((APP, chained), [(APP, ("INSERT", "SELECT"))], ON, "owner")
    assert back == (f'GRANT INSERT, SELECT ON {ON} TO "app"',)


def test_by_whom_it_was_given_and_whether_it_may_be_handed_on() -> None:
    right = Right(
        grantor="boss", grantee="app", privileges=("INSERT", "SELECT"), grantable=("SELECT",)
    )
    away, back = taking((right,), [(right, ("INSERT", "SELECT"))], ON, "owner")
    assert away == (
        'SET LOCAL ROLE "boss"',
        f'REVOKE INSERT, SELECT ON {ON} FROM "app"',  # noqa: S608 - ours
        "SET LOCAL ROLE NONE",
    )
    assert f'GRANT SELECT ON {ON} TO "app" WITH GRANT OPTION' in back
    assert f'GRANT INSERT ON {ON} TO "app"' in back


def test_of_a_column() -> None:
    right = Right(grantor="owner", grantee=PUBLIC, privileges=("SELECT",))
    away, back = taking((right,), [(right, ("SELECT",))], ON, "owner", column="email")
    assert away == (f'REVOKE SELECT ("email") ON {ON} FROM PUBLIC',)  # noqa: S608 - ours
    assert back == (f'GRANT SELECT ("email") ON {ON} TO PUBLIC',)


def test_nothing() -> None:
    assert taking((APP,), [], ON, "owner") == ((), ())
