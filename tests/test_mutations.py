"""The list of mutations fits the code as it is: tests/mutations/run.py makes them."""

import pytest
from mutations.run import ROOT, CannotRun, Mutation, listed

LISTED = listed()


@pytest.mark.parametrize("mutation", LISTED, ids=lambda mutation: f"{mutation.file}: {mutation.why}")
def test_a_mutation_can_be_made_and_names_tests_that_exist(mutation: Mutation) -> None:
    made = mutation.made(ROOT)
    if mutation.file.endswith(".py"):
        compile(made, mutation.file, "exec")
    assert mutation.tests and all((ROOT / "tests" / name).is_file() for name in mutation.tests)


def test_there_are_sixty_and_each_is_another() -> None:
    assert (
        len({(mutation.file, mutation.old) for mutation in LISTED})
        == len({mutation.why for mutation in LISTED})
        == len(LISTED)
        >= 60
    )


@pytest.mark.parametrize("old", ["a text that stands nowhere", "import"])
def test_a_text_that_does_not_stand_there_once_is_an_error_that_names_it(old: str) -> None:
    with pytest.raises(CannotRun, match=f"run.py: '{old}' stands there"):
        Mutation("run.py", old, "", "nothing", []).made(ROOT)
