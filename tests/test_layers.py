"""
The architecture, as a test: the layers of pyproject.toml hold, untrusted code stays in the worker, files and functions
stay short.
"""

import ast
import os
import subprocess
import sys

import pytest
from conftest import ROOT

from arena.startup.imports import OWN

PACKAGES = ("arena", "judge", "loop", "analysis")
TREES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text())
    for path in (*ROOT.glob("*.py"), *(path for name in PACKAGES for path in (ROOT / name).rglob("*.py")))
}
SCRIPTS = [name for name in TREES if "/" not in name]
WORKER = "arena/sandbox/worker/"
CONFINEMENT = "arena/sandbox/confinement/"
EXPORT = "arena/reports/freqtrade_export_process.py"
EXCHANGE = "arena/preparation/sources/exchange.py"
IMPURE = {"arena/stats/lazy_arch.py": {"sys", "threading"}, "arena/checks/fixed_duration.py": {"time"}}
MAX_LINES, MAX_FUNCTION_LINES = 450, 70


def imports(tree, *, on_import=False):
    """Full names of what a module imports: wherever in it, or when it is imported itself."""
    nodes = list(tree.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        if on_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if (
            on_import
            and isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        ):
            nodes += node.orelse
            continue
        nodes += ast.iter_child_nodes(node)


def packages_of(tree, **options):
    return {name.split(".")[0] for name in imports(tree, **options)}


def calls(tree):
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def test_the_layers_of_pyproject_hold():
    done = subprocess.run([sys.executable, "-c", "from importlinter.cli import lint_imports_command; "
                                                 "lint_imports_command()", "--no-cache"],
                          cwd=ROOT, capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


@pytest.mark.slow
def test_types_hold(tmp_path):
    """judge.py is checked under another name: beside the package judge there can be no module of its name."""
    script = tmp_path / "judge_script.py"
    script.write_bytes((ROOT / "judge.py").read_bytes())
    mypy = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache")]
    surroundings = os.environ | {"MYPYPATH": str(ROOT)}
    for named in ([], [str(script)]):  # without names, the files of pyproject.toml
        done = subprocess.run([*mypy, *named], cwd=ROOT, env=surroundings, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", [("check",), ("format", "--check")])
def test_code_is_as_ruff_has_it(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--no-cache", "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_says_what_it_is_and_the_untrusted_one_that_it_is_untrusted():
    for name, tree in TREES.items():
        assert ast.get_docstring(tree), name
        assert ("UNTRUSTED" in ast.get_docstring(tree)) == (
            name.startswith(WORKER) and ("__init__" in name or "event_log" in name)
        ), name


def test_modules_that_compute_touch_neither_disk_nor_clock_nor_network():
    world = {
        "os",
        "io",
        "sys",
        "time",
        "subprocess",
        "socket",
        "shutil",
        "tempfile",
        "sqlite3",
        "multiprocessing",
        "threading",
        "random",
        "requests",
    }
    computing = ("arena/accounting/", "arena/stats/", "arena/checks/", "arena/decisions.py", "arena/records.py")
    modules = [name for name in TREES if name.startswith(computing)]
    assert len(modules) > 25
    for name in modules:
        assert world & packages_of(TREES[name]) <= IMPURE.get(name, set()), name
        assert not calls(TREES[name]) & {"open", "print", "input", "exec", "eval"}, name


@pytest.mark.parametrize(
    "name", [name for name in TREES if name.startswith("loop/agents/llm/") and "__init__" not in name]
)
def test_what_speaks_to_language_models_runs_nothing(name):
    assert not calls(TREES[name]) & {"open", "print", "input", "exec", "eval", "compile"}
    assert ({"openai", "httpx2"} <= packages_of(TREES[name])) is name.endswith("/client.py")
    assert ("genai_prices" in packages_of(TREES[name])) is name.endswith("/providers.py")


def test_the_workers_code_is_loaded_inside_functions_alone():
    """The trusted process imports `entry`, and FreqTrade's import inside a worker is the fork server's."""
    assert not [name for name in imports(TREES["arena/sandbox/entry.py"], on_import=True) if "worker" in name]
    main = TREES[f"{WORKER}main.py"]
    assert not [name for name in imports(main, on_import=True) if name.startswith("arena.sandbox.worker")]
    assert {"arena.sandbox.worker.runner", "arena.sandbox.worker.staged_runs"} <= set(imports(main))
    assert not {"freqtrade", "ccxt"} & packages_of(TREES[EXCHANGE], on_import=True)
    assert "freqtrade" in packages_of(TREES[EXCHANGE])


def test_what_writes_freqtrades_results_is_imported_by_nobody_and_runs_no_strategy():
    module = EXPORT.removesuffix(".py").replace("/", ".")
    assert not [name for name, tree in TREES.items() if any(other.startswith(module) for other in imports(tree))]
    forbidden = (
        "arena.sandbox.worker",
        "arena.sandbox.client",
        "freqtrade.resolvers",
        "freqtrade.strategy",
        "freqtrade.optimize.backtesting",
    )
    assert not [other for other in imports(TREES[EXPORT]) if other.startswith(forbidden)]


def test_the_walls_need_nothing_but_the_standard_library():
    """They go up before anything of FreqTrade's or of the strategy's is there to help or to hinder."""
    modules = [name for name in TREES if name.startswith(CONFINEMENT)]
    assert len(modules) > 4
    for name in modules:
        others = set(imports(TREES[name]))
        assert {other.split(".")[0] for other in others} <= sys.stdlib_module_names | {"arena"}, name
        assert all(other.startswith("arena.sandbox.confinement") for other in others if other.startswith("arena")), name


def test_nothing_unpickles():
    """
    Unpickling what a worker sent would run its code here. What joblib carries comes from trusted processes: `_earn` is
    ours.
    """
    for name in [name for name in TREES if name.startswith(("arena/", "judge/"))]:
        trusted = {"joblib"} if name == "arena/evaluation/backends.py" else set()
        assert not {"pickle", "cloudpickle", "joblib", "dill", "marshal", "shelve"} & (
            packages_of(TREES[name]) - trusted
        ), name


def test_files_stay_short():
    lines = {name: (ROOT / name).read_text().count("\n") for name in TREES}
    assert not {name: count for name, count in lines.items() if count > MAX_LINES}


def test_functions_stay_short():
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                assert lines <= MAX_FUNCTION_LINES, f"{node.name} of {name} has {lines} lines"


@pytest.mark.slow
def test_the_trusted_process_never_loads_freqtrade():
    named = [
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in TREES
        if not name.startswith(WORKER)
    ]
    named = [name for name in named if name not in (EXPORT.removesuffix(".py").replace("/", "."), "judge")]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {', '.join(named)}\nprint(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(done.stdout.split())
    assert {
        "arena.evaluation.batch",
        "arena.checks.lookahead",
        "arena.sandbox.entry",
        "judge.forward",
        "run",
        "loop.driver",
    } <= modules
    assert not {name for name in modules if name.split(".")[0] in ("freqtrade", "ccxt", "talib")}
    assert not [name for name in modules if name.startswith("arena.sandbox.worker")]


def test_every_package_of_the_repository_is_found_by_an_isolated_command():
    """An isolated process imports our packages by name from `imports.OWN`, and others from installed ones alone."""
    assert set(PACKAGES) == set(OWN)
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} <= set(OWN)


def test_an_entry_script_does_nothing_on_import():
    for script in SCRIPTS:
        for node in TREES[script].body:
            allowed = (
                ast.Import,
                ast.ImportFrom,
                ast.FunctionDef,
                ast.ClassDef,
                ast.Assign,
                ast.AnnAssign,
                ast.Expr,
                ast.If,
            )
            assert isinstance(node, allowed)
            assert not isinstance(node, ast.Expr) or isinstance(node.value, ast.Constant)
            assert not isinstance(node, ast.If) or ast.unparse(node.test) in ("__name__ == '__main__'", "TYPE_CHECKING")
