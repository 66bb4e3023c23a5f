"""What the repository says of itself is true: keys, commands, permissions, addresses."""

import ast
import json
import re
import subprocess
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from arena import records, settings
from arena.checks import checkpoints, schedule
from arena.ledger import data_lock, results_log
from arena.market import scenarios
from arena.reports import block
from arena.sandbox.confinement import walls
from arena.stats import gates
from loop.agents import registry
from loop.brief import reading

ROOT = Path(__file__).parent.parent
PROGRAM = (ROOT / "program.md").read_text()
README = (ROOT / "README.md").read_text()
CHECKS = (ROOT / "docs/checks.md").read_text()
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
TEMPLATE = ROOT / "user_data/strategies/_template.py.example"
PERMISSIONS = json.loads((ROOT / ".claude/settings.json").read_text())["permissions"]
MODULES = [path.relative_to(ROOT).as_posix() for folder in ("arena", "judge") for path in (ROOT / folder).rglob("*.py")]
CONTRACT = ["config.json", "prepare.py", "run.py", "judge.py", *MODULES]
AGENTS_OWN = ["user_data/strategies/MeanRev.py", "results.tsv", "learnings.md", "run.log"]
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/")


def tracked():
    """Every file that is committed or would be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def matches(rules, tool, path):
    """Whether a rule such as `Edit(/arena/**)` names `path`; all our rules are anchored at the repository."""
    patterns = [rule[len(tool) + 2 : -1] for rule in rules if rule.startswith(f"{tool}(/")]
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def explained(key, page=PROGRAM):
    return re.search(rf"`{re.escape(key)}`", page)


def keys_of(page):
    """Keys in the first column of a page's tables."""
    return [key for line in re.findall(r"^\| (`[^|]*) \|", page, re.M) for key in re.findall(r"`([^`]+)`", line)]


def test_program_is_short_enough_for_a_small_context():
    assert len(PROGRAM.splitlines()) <= 120
    assert len(PROGRAM.encode()) <= 10 * 1024


def test_the_page_of_the_block_explains_every_key_and_no_other():
    page = (ROOT / "docs/block.md").read_text()
    assert sorted(keys_of(page)) == sorted([*block.KEYS, *block.ROUND_KEYS])


def test_program_explains_the_keys_that_an_agent_needs_and_sends_to_the_page_for_the_others():
    table = PROGRAM[PROGRAM.index("## 7.") : PROGRAM.index("## 8.")]
    assert set(keys_of(table)) <= {*block.KEYS} and len(keys_of(table)) <= 15
    assert "docs/block.md" in table
    assert not [key for key in block.ROUND_KEYS[:4] if not explained(key)]


def test_program_explains_every_event_and_column():
    assert not [event for event in results_log.EVENTS if not explained(event)]
    assert " ".join(results_log.COLUMNS) in PROGRAM and r"\t".join(results_log.COLUMNS) in PROGRAM


@pytest.mark.parametrize("name", list(settings.Gates.model_fields))
def test_the_docs_give_every_gates_default(name):
    assert f"`{name}` {settings.Gates.model_fields[name].default:g} " in CHECKS.replace("0.0 |", "0 |")


def test_the_docs_explain_every_gate():
    figures = records.Metrics(*[1.0] * len(records.Metrics.__dataclass_fields__))
    judged = gates.judge(figures, (), records.Checks(), settings.Gates(), n_pairs=5)
    judged += gates.evidence(records.Evidence(), records.Look(), settings.Gates())
    assert len(judged) > 10 and not [gate.gate for gate in judged if f"`{gate.gate}`" not in CHECKS]


def test_the_docs_explain_every_wall():
    assert not [wall for wall in walls.WALLS if f"`{wall}`" not in CHECKS]


def test_the_docs_give_the_numbers_of_the_checks():
    numbers = [
        f"looks at {checkpoints.ALWAYS['quick']} instants", f"up to {checkpoints.LOOKS} instants; all candles",
        f"looks at the {checkpoints.ALWAYS['full']} most urgent instants", f"the {checkpoints.URGENT} most urgent ones",
        f"{checkpoints.EVEN} at even distances, less those that are asked anyway, {checkpoints.EVEN // 3} at least",
        "for {} to {} candles".format(*scenarios.DETOURS), f"a walk with {checkpoints.WALKS} instants",
        f"a walk with {checkpoints.URGENT} instants", f"{checkpoints.FULL_LOOKS[0]} to {checkpoints.FULL_LOOKS[1]} in all",
        f"every {checkpoints.COMB} candles", f"{checkpoints.BEST} most profitable",
        f"| {checkpoints.TURNED['quick']} | {checkpoints.TURNED['full']} |", f"last {schedule.TAIL} candles",
        f"{schedule.FULL_SECONDS} s of looks of usual speed",
        *(f"{least} candles or {times:g} times" for least, times in schedule.MEMORY[:2]),
        "{} or {} times".format(*schedule.MEMORY[2]),
    ]  # fmt: skip
    assert not [text for text in numbers if text not in " ".join(CHECKS.split())]


def test_the_docs_explain_every_key_of_a_brief_and_no_other():
    table = re.search(r"^## Keys$(.*?)^## ", (ROOT / "docs/briefs.md").read_text(), re.M | re.S)[1]
    told = [key for line in re.findall(r"^\| (`.*?) \|", table, re.M) for key in re.findall(r"`([\w.]+)`", line)]
    tables = {"sizing": reading.Sizing, "risk": reading.Risk}
    keys = [*(key for key in reading.Brief.model_fields if key not in tables), *reading.Row.model_fields]
    keys += [f"{table}.{key}" for table, model in tables.items() for key in model.model_fields]
    assert sorted(told) == sorted(keys)


def test_the_brief_of_the_docs_is_valid_in_the_shipped_arena():
    example = re.search(r"^```toml\n(.*?)^```$", (ROOT / "docs/briefs.md").read_text(), re.M | re.S)[1]
    made = reading.parse(example, settings.load(ROOT / "config.json"))
    assert (len(made.entry), len(made.exit), made.risk.stop) == (1, 1, (0.03, 0.1))


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files(name):
    page = ROOT / name
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


def test_the_note_that_program_praises_is_a_row():
    note = re.search(r"^`(exit at mean.*)`$", PROGRAM, re.M)[1]
    assert not results_log.parse(
        f"{results_log.HEADER}\n{results_log.row('abc1234', 'create', 'A', 0.3, 0.1, note)}\n".encode()
    ).problems


def test_every_contract_file_is_denied_to_the_agents_editor():
    assert not [
        path
        for path in [*CONTRACT, "data.lock.json", "program.md", "analysis.ipynb"]
        if not matches(PERMISSIONS["deny"], "Edit", path)
    ]


def test_the_editor_may_write_the_agents_own_files_and_no_others():
    assert not [path for path in AGENTS_OWN if not matches(PERMISSIONS["allow"], "Edit", path)]
    assert not [path for path in AGENTS_OWN if matches(PERMISSIONS["deny"], "Edit", path)]
    assert not [path for path in CONTRACT if matches(PERMISSIONS["allow"], "Edit", path)]


def test_file_rules_are_the_ones_that_are_consulted():
    """Claude Code ignores path rules of Write, MultiEdit, Glob and NotebookEdit: Edit and Read cover them."""
    tools = {rule.partition("(")[0] for rules in PERMISSIONS.values() for rule in rules}
    assert tools <= {"Bash", "Edit", "Read", "WebFetch", "WebSearch"}


def test_candles_cannot_be_read_by_the_agents_tools():
    assert matches(PERMISSIONS["deny"], "Read", "user_data/data/BTC_USDT-1h.feather")


@pytest.mark.parametrize(
    "command",
    [
        "uv run run.py --strategy A --trades",
        "uv run run.py --export",
        "uv run run.py --strategy /x/A.py",
        "uv run run.py --strategy=../A.py",
    ],
)
def test_what_is_the_persons_is_denied_to_the_agents_shell(command):
    denied = [rule[5:-1] for rule in PERMISSIONS["deny"] if rule.startswith("Bash(")]
    assert any(fnmatchcase(command, pattern) for pattern in denied)
    assert not any(fnmatchcase("uv run run.py --strategy A > run.log 2>&1", pattern) for pattern in denied)


def test_every_command_that_program_gives_is_allowed():
    allowed = [re.sub(r":\*$", "*", rule[5:-1]) for rule in PERMISSIONS["allow"] if rule.startswith("Bash(")]
    code = [re.sub(r"\s*\d?>+\s*\S+", "", line) for line in re.findall(r"`([^`\n]+)`", PROGRAM)]
    commands = [part.strip() for line in code if "results.tsv max_dd" not in line for part in re.split(r"&&|; ", line)]
    commands = [c for c in commands if re.match(r"(git|uv|grep|sed|tail|printf) ", c) and c != "uv run prepare.py"]
    assert len(commands) >= 12
    assert not [command for command in commands if not any(fnmatchcase(command, pattern) for pattern in allowed)]


@pytest.mark.parametrize("name", ["AGENTS.md", "CLAUDE.md"])
def test_agents_are_sent_to_the_program(name):
    assert "program.md" in (ROOT / name).read_text()


def test_claude_imports_what_the_other_agents_read():
    assert "@AGENTS.md" in (ROOT / "CLAUDE.md").read_text().splitlines()


def test_the_template_is_one_strategy_with_its_metadata():
    tree = ast.parse(TEMPLATE.read_text())
    compile(tree, TEMPLATE.name, "exec")
    (strategy,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert [base.id for base in strategy.bases] == ["IStrategy"]
    fields = re.findall(r"^(\w+):", ast.get_docstring(tree), re.M)
    assert fields == ["Paradigm", "Hypothesis", "Parent", "Created"]


def test_the_template_has_the_arenas_timeframe():
    assert f'timeframe = "{settings.load(ROOT / "config.json").timeframe}"' in TEMPLATE.read_text()


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_of_the_pages_exist(name):
    scripts = re.findall(r"uv run (?:python )?([\w/]+\.py)", (ROOT / name).read_text())
    assert scripts or name != "README.md"
    assert not [script for script in scripts if not (ROOT / script).is_file()]


def test_the_modules_that_the_pages_name_exist():
    """Paths in backticks that begin with a folder of code."""
    named = {
        (page, path)
        for page in PAGES
        if page != "CHANGELOG.md"
        for path in re.findall(
            r"`((?:arena|judge|loop|analysis|bench|tests|examples|docs)/[\w./]*)`", (ROOT / page).read_text()
        )
    }
    assert len(named) > 60 and not [(page, path) for page, path in named if not (ROOT / path).exists()]


def test_the_readme_is_short_and_leads_to_every_page():
    assert len(README.encode()) <= 8_000
    links = re.findall(r"\]\(([^)#]+)", README)
    assert not [page for page in PAGES if page.startswith("docs/") and page not in links]
    assert "```sh\nuv run pytest\n```" in README  # CI runs the README's test command


def test_the_tree_of_the_readme_has_every_package():
    tree = README[README.index("## The tree") : README.index("## Tests")]
    folders = [path for path in (ROOT / "arena").iterdir() if (path / "__init__.py").is_file()]
    assert len(folders) > 9 and not [folder.name for folder in folders if f"arena/{folder.name}/ " not in tree]
    assert re.search(r"^arena/sandbox/worker/ +UNTRUSTED", tree, re.M)


def test_the_architecture_has_every_layer():
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    told = [set() for _ in layers]
    page = (ROOT / "docs/architecture.md").read_text()
    for number, names in re.findall(r"^\| (\d+) \| ([^|]+) \|", page, re.M):
        told[int(number) - 1] |= set(re.findall(r"`([\w.]+)`", names))
    assert [names - {"arena.sandbox.worker"} for names in told] == [set(layer.split(" : ")) for layer in layers]


def test_the_docs_say_which_code_is_no_part_of_the_contract():
    what = CHECKS[CHECKS.index("**What is locked.**") : CHECKS.index("**The trusted process imports only what a hash")]
    assert not [name for name in (*data_lock.PRESENTATION, *data_lock.CODE) if f"`{name}`" not in what]


def test_the_usage_explains_every_agent():
    usage = (ROOT / "docs/usage.md").read_text()
    assert not [name for name in registry.AGENTS if f"\n| `{name}` |" not in usage]


def test_no_file_names_a_path_of_one_machine():
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{n}" for n, line in enumerate(text.splitlines(), 1) if MACHINE_PATH.search(line)
        ]
    assert not found
