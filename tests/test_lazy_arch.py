"""arch's bootstraps without the rest of arch."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

DRAWS = """
import sys
import numpy as np
from arena.stats import lazy_arch
returns = np.random.default_rng(1).standard_normal(200)
def drawn(made):
    return [sample[0][0].sum() for sample in made.StationaryBootstrap(7, returns, seed=np.random.default_rng(2)).bootstrap(5)]
def length(made):
    return made.optimal_block_length(returns)["stationary"].item()
"""


def told(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", DRAWS + code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=600
    ).stdout


@pytest.mark.slow
def test_the_draws_are_those_of_the_whole_package():
    same = told(
        "lean = lazy_arch.bootstrap(); a = drawn(lean), length(lean)\nimport arch.bootstrap as whole; print(a == "
        "(drawn(whole), length(whole)))"
    )
    other = told("import arch.bootstrap as whole; print(drawn(whole), length(whole))")
    assert same == "True\n"
    assert other == told("lean = lazy_arch.bootstrap(); print(drawn(lean), length(lean))")


@pytest.mark.slow
def test_models_and_plots_are_not_loaded_and_a_later_import_has_them():
    code = (
        "lazy_arch.bootstrap(); print('matplotlib' in sys.modules, 'statsmodels' in sys.modules, 'arch' in "
        "sys.modules)\nimport arch; print(arch.arch_model.__name__)"
    )
    assert told(code).split() == ["False", "False", "False", "arch_model"]


@pytest.mark.slow
def test_a_package_that_is_there_already_is_taken():
    assert (
        told(
            "import arch; made = lazy_arch.bootstrap(); print(sys.modules['arch'] is arch, made is "
            "sys.modules['arch.bootstrap'])"
        )
        == "True True\n"
    )
