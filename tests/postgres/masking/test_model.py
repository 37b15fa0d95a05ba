"""The words of masking."""

from proctor.postgres.masking.model import Context, Plan, Restores
from tests.postgres.masking.database import sensitive


def test_a_plan_masks_where_a_column_is_masked() -> None:
    email = sensitive("users", "email")
    assert email.name == "public.users.email"
    assert not Plan().masks
    assert not Plan(columns=(None,)).masks
    assert Plan(columns=(None, email)).masks


def test_restores_are_something_or_nothing() -> None:
    assert not Restores()
    assert Restores(parameters=frozenset({1}))
    assert Restores(literals=("x",))


def test_a_context_is_known_again() -> None:
    assert Context() == Context(relations={})
    assert hash(Context(types=(23,))) == hash(Context(types=(23,)))
    assert Context().named == ()
