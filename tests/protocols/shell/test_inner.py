"""What is handed to the reading."""

from proctor.protocols.shell.inner import Hidden, Run, Script, script
from proctor.protocols.shell.model import LISTED, SURROUNDING, UNKNOWN


def test_a_script_with_an_unknown_part_is_hidden() -> None:
    assert script("ls") == Script(text="ls")
    assert script("ls", process=False, elsewhere=True) == Script(
        text="ls", process=False, elsewhere=True
    )
    assert isinstance(script(f"ls {UNKNOWN}"), Hidden)
    assert isinstance(script(f"ls {LISTED}"), Hidden)
    assert isinstance(script(f"ls {SURROUNDING}"), Script)


def test_nothing_of_a_line_in_a_repr() -> None:
    assert "geheim" not in repr((Script(text="geheim"), Run(words=("geheim",))))
