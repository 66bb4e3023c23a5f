"""The architecture, as a test: imports go down, FreqTrade stays in the worker, files and functions stay short."""

import ast
import subprocess
import sys

import pytest
from conftest import ROOT

FLOORS = [
    {"errors", "progress", "claims", "literals", "lean_arch", "comparison", "isolation", "imports", "git", "plain", "sources"},  # sources: the Protocol alone; each source is a module of its own
    {"records", "compiled"},
    {"settings", "console", "answers"},
    {"metrics", "booking", "gates", "candles"},
    {"significance", "baseline", "report", "fills", "decimals", "ladder", "equity"},
    {"trials", "replay_exit", "judgement", "hints"},
    {"replay_loop", "replay_limits"},
    {"replay"},
    {"replay_twin"},  # the last floor of pure functions alone
    {"kernel", "usage"},
    {"calls", "clock", "keeper", "ownroot"},
    {"seal", "lock", "journal", "strategies", "markets", "grid", "walls", "sources.files", "sources.exchange", "sources.sample"},
    {"anchor", "database"},
    {"ledger"},
    {"feed", "worlds", "instants", "decided", "retrospective"},  # pure functions of grid's tables
    {"twins"},
    {"course", "relabelling"},
    {"stress", "trades"},
    {"refusals", "archived", "tried"},
    {"store", "lean_ccxt", "quicken", "idle", "notes", "decisions", "signals", "stakes"},
    {"witness", "integrity", "exporter"},
    {"backtest"},
    {"probe"},
    {"worker"},
    {"sandbox"},
    {"causality"},
    {"elsewhere"},
    {"scrutiny", "secrecy"},
    {"opening"},
    {"engines"},
    {"figures"},
    {"compute", "accounts"},
    {"evaluation", "export", "workbench"},
    {"rounds", "holdout"},
    {"archive"},
    {"forward", "reproduction"},
    {"hearing", "verification"},
]
LEVEL = {module: level for level, floor in enumerate(FLOORS) for module in floor}
PURE = (
    {module for floor in FLOORS[:9] for module in floor} - {"settings", "console", "lean_arch", "compiled", "isolation", "imports", "git"}
    | {"feed", "worlds", "instants", "decided", "twins", "relabelling", "retrospective", "course", "stress", "trades", "refusals"}
)  # fmt: skip
"""They read no file, no clock and no network."""
IN_THE_WORKER = {"backtest", "quicken", "idle", "stakes", "lean_ccxt", "witness", "decisions", "signals", "integrity", "probe"}
"""They load FreqTrade when they are imported, and nothing else does."""
IN_ITS_OWN_PROCESS = {"exporter"}
"""It loads FreqTrade too, is started as a program, and no strategy runs in there."""
WITH_FREQTRADE = IN_THE_WORKER | IN_ITS_OWN_PROCESS | {"sources.exchange"}
MAX_LINES, MAX_FUNCTION_LINES = 400, 60


def name_of(path):
    return ".".join(path.relative_to(ROOT / "arena").with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in sorted((ROOT / "arena").rglob("*.py")) if path != ROOT / "arena" / "__init__.py"}
SCRIPTS = {path.name: path for path in sorted(ROOT.glob("*.py"))}
PICTURES = {f"analysis/{path.name}": ast.parse(path.read_text()) for path in sorted((ROOT / "analysis").glob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in (MODULES | SCRIPTS).items()}


def imports(tree):
    """Full names of what a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages_of(tree):
    """The packages that a module imports from, wherever in it."""
    return {name.split(".")[0] for name in imports(tree)}


def of_arena(tree):
    """Modules of arena/ that a module imports."""
    for name in imports(tree):
        parts = name.split(".")
        if parts[0] == "arena":
            yield next(m for m in (".".join(parts[1:4]), ".".join(parts[1:3]), parts[1]) if m in LEVEL or m in MODULES)


def top_level(tree):
    """The statements that run on import: not those inside functions, nor those for type checkers alone."""
    nodes = list(tree.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            nodes += node.orelse
            continue
        yield node
        nodes += ast.iter_child_nodes(node)


def imports_on_import(tree):
    return [name for node in top_level(tree) if isinstance(node, ast.Import | ast.ImportFrom) for name in imports(node)]


def test_every_module_has_a_floor():
    assert set(MODULES) == set(LEVEL)
    assert len(LEVEL) == sum(map(len, FLOORS))


def test_imports_go_down():
    above = {module: {other for other in of_arena(TREES[module]) if LEVEL[other] >= LEVEL[module]} for module in MODULES}
    assert not {module: others for module, others in above.items() if others}


def test_pictures_are_drawn_from_what_was_recorded():
    """And from pure statistics of it; buy-and-hold alone, which the ledger has no curve of, comes from the arena's candles."""
    recorded = {"console", "errors", "gates", "journal", "ledger", "lock", "records", "report", "settings", "strategies", "trials", "tried"}
    for name, tree in PICTURES.items():
        assert set(of_arena(tree)) <= recorded | ({"baseline", "grid"} if name == "analysis/curves.py" else set()), name


def test_a_picture_draws_on_the_story_and_on_no_other_picture():
    below = {"analysis/canvas.py": set(), "analysis/story.py": set(), "analysis/race.py": {"analysis.canvas"}}
    for name, tree in PICTURES.items():
        used = {".".join(other.split(".")[:2]) for other in imports(tree) if other.split(".")[0] == "analysis"}
        assert used <= below.get(name, {"analysis.canvas", "analysis.story"}), name


LANGUAGE = {"providers", "stream", "events", "code", "answer_json", "answer", "changes", "prompt", "llm"}
"""Of loop/: what speaks to language models and reads what they say."""


@pytest.mark.parametrize("name", sorted(LANGUAGE))
def test_what_speaks_to_language_models_judges_texts_and_evaluates_nothing(name):
    tree = ast.parse((ROOT / "loop" / f"{name}.py").read_text())
    assert set(of_arena(tree)) <= {"errors", "journal", "report", "settings", "strategies"}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"open", "print", "input", "exec", "eval", "compile"}
    packages = {other.split(".")[0] for other in imports(tree)}
    assert ({"openai", "httpx2"} <= packages) is (name == "stream")
    assert ("genai_prices" in packages) is (name == "providers")


WISHES = {"conformity", "honour", "indicators", "population"}
"""Of loop/: what measures texts and figures by a person's wishes."""


@pytest.mark.parametrize("name", sorted(WISHES))
def test_what_measures_by_a_brief_reads_no_file_and_asks_nobody(name):
    tree = ast.parse((ROOT / "loop" / f"{name}.py").read_text())
    assert set(of_arena(tree)) <= {"gates", "report", "settings"}
    assert not {"os", "io", "sys", "time", "pathlib", "subprocess", "socket", "random"} & {other.split(".")[0] for other in imports(tree)}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"open", "print", "input", "exec", "eval", "compile"}


LOOP = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in sorted((ROOT / "loop").rglob("*.py"))}
USED_BY_THE_LOOP = {
    "console", "errors", "evaluation", "gates", "git", "journal", "ledger", "lock", "opening", "progress", "records", "report", "rounds", "settings", "store", "strategies", "trials", "tried"
}  # fmt: skip
"""The loop evaluates as run.py does, and reads what run.py wrote; runs are compared by the statistics of trials."""


def test_the_loop_goes_through_the_arenas_front_door():
    for name, tree in LOOP.items():
        assert set(of_arena(tree)) <= USED_BY_THE_LOOP, name
        assert not {"freqtrade", "ccxt", "talib"} & packages_of(tree), name


def test_genomes_know_of_the_arena_its_settings_alone():
    for name in [name for name in LOOP if name.startswith("loop/genome/")]:
        assert set(of_arena(LOOP[name])) <= {"settings"}, name


def test_the_contract_knows_nothing_of_the_loop():
    for name in {*MODULES, *SCRIPTS} - {"drive.py"}:
        assert not [other for other in imports(TREES[name]) if other.split(".")[0] == "loop"]


def test_no_module_imports_itself_in_a_circle():
    graph = {module: set(of_arena(TREES[module])) for module in MODULES}
    while leaves := {module for module, below in graph.items() if not below}:
        graph = {module: below - leaves for module, below in graph.items() if module not in leaves}
    assert not graph


def test_freqtrade_is_imported_by_the_workers_modules_and_the_exchange_alone():
    assert not [name for name in TREES.keys() - WITH_FREQTRADE if {"freqtrade", "ccxt"} & packages_of(TREES[name])]


def test_the_exchange_imports_freqtrade_inside_its_helper_alone():
    assert any(other.startswith("freqtrade") for other in imports(TREES["sources.exchange"]))
    assert not [other for other in imports_on_import(TREES["sources.exchange"]) if other.split(".")[0] in ("freqtrade", "ccxt")]


def test_no_module_is_on_the_list_that_does_not_load_freqtrade():
    """lean_ccxt names ccxt in texts alone."""
    for name in IN_THE_WORKER - {"lean_ccxt"}:
        assert [other for other in imports_on_import(TREES[name]) if other.split(".")[0] == "freqtrade"], name


def test_what_loads_freqtrade_is_imported_by_the_worker_alone():
    others = TREES.keys() - IN_THE_WORKER - IN_ITS_OWN_PROCESS - {"worker"}
    assert not [name for name in others if IN_THE_WORKER & set(of_arena(TREES[name]))]


def test_what_writes_freqtrades_results_is_imported_by_nobody_and_runs_no_strategy():
    assert not [name for name, tree in TREES.items() if IN_ITS_OWN_PROCESS & set(of_arena(tree))]
    assert set(of_arena(TREES["exporter"])) & (IN_THE_WORKER | {"worker", "sandbox", "strategies"}) == {"lean_ccxt"}
    resolvers = ("freqtrade.resolvers", "freqtrade.strategy", "freqtrade.optimize.backtesting")
    assert not [other for other in imports(TREES["exporter"]) if other.startswith(resolvers)]


def test_the_backtest_is_imported_by_the_worker_and_its_probe_alone():
    assert not [name for name in TREES.keys() - {"worker", "probe"} if {"backtest", "probe"} & set(of_arena(TREES[name]))]


def test_the_worker_imports_backtest_and_probe_inside_a_function():
    assert IN_THE_WORKER & set(of_arena(TREES["worker"])) == {"backtest", "probe"}
    assert not [other for other in imports_on_import(TREES["worker"]) if {"backtest", "probe"} & set(other.split("."))]


def test_the_walls_need_nothing_but_the_standard_library():
    """They go up before anything of FreqTrade's or of the strategy's is there to help or to hinder."""
    parts = {"walls", "calls", "keeper", "ownroot", "kernel"}
    for name in parts:
        assert set(of_arena(TREES[name])) <= parts
        assert {other.split(".")[0] for other in imports(TREES[name])} <= sys.stdlib_module_names | {"arena"}


def test_pure_modules_touch_neither_disk_nor_clock_nor_network():
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
    for module in PURE:
        assert not world & packages_of(TREES[module]), module
        called = {node.func.id for node in ast.walk(TREES[module]) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        assert not called & {"open", "print", "input", "exec", "eval"}, module


def test_nothing_unpickles():
    """Unpickling what a worker sent would run its code here. What joblib carries comes from trusted processes: `_earn` is ours."""
    for module in MODULES:
        trusted = {"joblib"} if module == "compute" else set()
        assert not {"pickle", "cloudpickle", "joblib", "dill", "marshal", "shelve"} & (packages_of(TREES[module]) - trusted), module


CODE = TREES | PICTURES | LOOP


def test_files_stay_short():
    lines = {name: (MODULES | SCRIPTS).get(name, ROOT / name).read_text().count("\n") for name in CODE}
    assert not {name: count for name, count in lines.items() if count > MAX_LINES}


def test_functions_stay_short():
    for name, tree in CODE.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                assert lines <= MAX_FUNCTION_LINES, f"{node.name} of {name} has {lines} lines"


def loaded(statement):
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return set(done.stdout.split())


@pytest.mark.slow
def test_the_trusted_process_never_loads_freqtrade():
    modules = loaded(
        "import arena.evaluation, arena.export, arena.rounds, arena.store, arena.workbench, arena.forward, arena.sources.files, "
        "arena.sources.sample, run, prepare, judge, drive, loop.play, loop.command, loop.sweep, loop.leaderboard, analysis.race"
    )
    assert {"arena.evaluation", "arena.causality", "arena.rounds", "arena.store", "arena.worker", "run", "prepare"} <= modules
    assert not {name for name in modules if name.split(".")[0] in ("freqtrade", "ccxt", "talib")}
    assert not {f"arena.{name}" for name in IN_THE_WORKER | IN_ITS_OWN_PROCESS} & modules


def test_an_entry_script_does_nothing_on_import():
    for script in SCRIPTS.values():
        body = ast.parse(script.read_text()).body
        for node in body:
            allowed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.Expr, ast.If)
            assert isinstance(node, allowed)
            assert not isinstance(node, ast.Expr) or isinstance(node.value, ast.Constant)
            assert not isinstance(node, ast.If) or ast.unparse(node.test) == "__name__ == '__main__'"
