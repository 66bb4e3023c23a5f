"""
A program as an agent: real processes in a real worktree; what it may not change is undone and told, and it never
outlives its time.
"""

import math
import shutil
import subprocess
import sys

import pytest
from builders import arena
from conftest import ROOT
from driven import check, drive, git, played, rows, source, untouched, worktree
from waiting import alive, until

from arena import settings
from arena.errors import ArenaError
from arena.ledger.strategy_files import FOLDER
from loop.agents import command
from loop.protocol import AgentError, State, Usage
from loop.worktree import Worktree

PYTHON = sys.executable


@pytest.fixture
def place(tmp_path):
    """A settled worktree of a small repository that is not prepared: Alpha is active in it."""
    repo = tmp_path / "repo"
    (repo / FOLDER).mkdir(parents=True)
    arena(repo)
    (repo / "data.lock.json").write_text("{}")
    (repo / FOLDER / "Alpha.py").write_text(source("Alpha"))
    shutil.copy(ROOT / ".gitignore", repo)
    git(repo, "init", "-q")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "begin")
    made = Worktree(repo.resolve(), "t")
    made.settle(git(repo, "rev-parse", "HEAD"))
    (made.folder / "results.tsv").write_text("commit\tevent\tstrategy_name\tsharpe\tmax_dd\tnote\n")
    return made


def state(place, **changes):
    values = {
        "blocks": "",
        "rows": "",
        "demands": ("touch at least one strategy",),
        "learnings": "known\n",
        "nudges": (),
        "brief": "",
        "plateau": False,
    }
    active = {"Alpha": source("Alpha")}
    return State(
        settings=settings.load(place.folder / "config.json"),
        round=3,
        **({"active": active, "history": ()} | values | changes),
    )


def program(tmp_path, text):
    """A command line that runs `text` as a Python program in the worktree."""
    file = tmp_path / "agent.py"
    file.write_text(
        f"import os, sys, subprocess, pathlib, time\nfolder = pathlib.Path('user_data/strategies')\n{text}\n"
    )
    return f"{PYTHON} {file}"


def proposed(place, tmp_path, text, seconds=60, **changes):
    return command.Command(program(tmp_path, text), place, seconds).propose(state(place, **changes))


WRITES = f"(folder / 'Beta.py').write_text({source('Beta')!r})"


def test_what_it_does_to_strategies_and_learnings_is_its_proposal(place, tmp_path):
    text = f"""
(folder / 'Alpha.py').unlink()
{WRITES}
(folder / 'Gamma.py').write_text({source("Gamma", 9)!r})
pathlib.Path('learnings.md').write_text('more\\n')
pathlib.Path('note.txt').write_text('- Beta: quiet weeks -> robust up\\nGamma: fork of Alpha: longer\\nAlpha: no edge\\n')
"""
    made = proposed(place, tmp_path, text)
    assert [(one.event, one.strategy, one.parent, one.note) for one in made.changes] == [
        ("kill", "Alpha", "", "no edge"),
        ("create", "Beta", "", "quiet weeks -> robust up"),
        ("fork", "Gamma", "Alpha", "longer"),
    ]
    assert (made.changes[1].source, made.learnings, made.record["undone"]) == (source("Beta"), "more\n", [])
    assert {file.name for file in (place.folder / FOLDER).iterdir()} == {"Alpha.py"}
    assert (place.folder / "learnings.md").read_text() == "known\n"  # until the round is over
    assert git(place.folder, "status", "--porcelain") == ""


def test_everything_else_is_undone_and_told(place, tmp_path):
    head, before = place.head(), untouched(place.root)
    text = f"""
{WRITES}
pathlib.Path('config.json').write_text('{{}}')
pathlib.Path('extra').mkdir(); pathlib.Path('extra/tool.py').write_text('x')
pathlib.Path('results.tsv').write_text('all is well')
os.remove('data.lock.json'); pathlib.Path('data.lock.json').write_text('mine')
git = ['git', '-c', 'user.name=a', '-c', 'user.email=a@b']
subprocess.run(['git', 'update-index', '--assume-unchanged', '.gitignore']); pathlib.Path('.gitignore').write_text('')
subprocess.run([*git, 'checkout', '-qb', 'elsewhere']); subprocess.run([*git, 'add', 'user_data']); subprocess.run([*git, 'commit', '-qm', 'mine'])
"""
    made = proposed(place, tmp_path, text)
    assert [(one.event, one.strategy) for one in made.changes] == [("create", "Beta")]
    assert made.record["undone"] == [
        ".gitignore",
        "config.json",
        "data.lock.json",
        "extra/tool.py",
        "results.tsv",
        "commits of its own",
    ]
    assert place.head() == head and git(place.folder, "symbolic-ref", "HEAD") == "refs/heads/autoresearch/t"
    assert git(place.folder, "status", "--porcelain") == "" and (place.folder / "data.lock.json").read_text() == "{}"
    assert (place.folder / "results.tsv").read_text().startswith("commit\tevent")
    assert untouched(place.root) == before


def test_a_program_that_removes_its_git_folder_does_not_reach_the_checkout(place, tmp_path):
    before = untouched(place.root)
    text = (
        f"{WRITES}\nos.remove('.git')\nsubprocess.run(['git', 'add', '-A']); subprocess.run(['git', 'reset', "
        f"'--hard', 'HEAD'])"
    )
    assert [one.strategy for one in proposed(place, tmp_path, text).changes] == ["Beta"]
    assert untouched(place.root) == before
    assert git(place.folder, "status", "--porcelain") == ""


@pytest.mark.parametrize("how", ["on standard input", "as an argument"])
def test_the_prompt_comes_as_the_command_line_asks(place, tmp_path, how):
    text = f"{WRITES}\nprint('got', (sys.argv[1] if len(sys.argv) > 1 else sys.stdin.read()).count('weekends'))"
    line = program(tmp_path, text) + (" {prompt}" if how == "as an argument" else "")
    made = command.Command(line, place, 60).propose(
        state(place, brief="weekends", nudges=("quiet weekends",), plateau=True)
    )
    assert made.record["response"] == "got 2\n"
    assert "Plateau" in made.record["prompt"] and "Round 3. Active: Alpha" in made.record["prompt"]


@pytest.mark.slow
def test_after_its_time_the_whole_group_is_killed_and_what_it_wrote_counts(place, tmp_path):
    text = (
        f"{WRITES}\nchild = subprocess.Popen([sys.executable, '-c', 'import time; "
        f"time.sleep(600)'])\nprint(child.pid, flush=True)\ntime.sleep(600)"
    )
    made = proposed(place, tmp_path, text, seconds=10)
    assert [one.strategy for one in made.changes] == ["Beta"]
    until(lambda: not alive(int(made.record["response"])))


@pytest.mark.slow
def test_it_ends_with_whoever_started_it(place, tmp_path):
    """A driver that is killed leaves no agent that goes on editing."""
    line = program(tmp_path, f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\ntime.sleep(600)")
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\nfrom test_command_agent import *\nfrom pathlib import Path\n"
        f"place = Worktree(Path({str(place.root)!r}), 't')\ncommand.Command({line!r}, place, 600).propose(state(place))"
    )
    driver = subprocess.Popen([PYTHON, "-c", code], stderr=subprocess.PIPE, text=True)
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), driver)
    driver.kill()
    driver.wait()
    until(lambda: not alive(int((tmp_path / "pid").read_text())))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("print('no idea'); sys.exit(3)", "ended with exit code 3 and changed no strategy: no idea"),
        ("time.sleep(600)", "did not end within 1 s"),
        ("(folder / 'Beta.py').symlink_to('/etc/passwd')", "Beta.py is not a regular file"),
        ("pathlib.Path('program.md').write_text('x')", "changed no strategy"),
    ],
)
def test_without_a_strategy_it_is_no_answer(place, tmp_path, text, words):
    with pytest.raises(AgentError, match=words) as raised:
        proposed(place, tmp_path, text, seconds=1 if "sleep" in text else 60)
    assert git(place.folder, "status", "--porcelain") == ""
    assert not (place.folder / "program.md").exists()
    assert raised.value.usage.requests == 1 or "regular" in words


def test_what_is_to_be_put_back_lies_there_when_it_begins(place, tmp_path):
    text = "print((folder / 'Alpha.py').read_text().count('timeperiod=9'), (folder / 'Old.py').exists())\n" + WRITES
    git(place.folder, "status")
    made = proposed(place, tmp_path, text, active={"Alpha": source("Alpha", 9)})
    assert made.record["response"] == "1 False\n"
    assert [one.strategy for one in made.changes] == ["Beta"]


@pytest.mark.parametrize(
    ("printed", "usage"),
    [
        (
            '{"type": "result", "total_cost_usd": 0.25, "usage": {"input_tokens": 10, "output_tokens": 5}}',
            Usage(1, 10, 5, 0.25),
        ),
        (
            'noise\n{"usage": {"input_tokens": 1}}\n{"usage": {"input_tokens": 7, "output_tokens": '
            '2}}\n{"total_cost_usd": 1}',
            Usage(1, 7, 2, 1.0),
        ),
    ],
)
def test_a_program_may_tell_what_it_cost(printed, usage):
    assert command.usage_of(printed) == usage


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "no JSON",
        '{"total_cost_usd": "free", "usage": [1]}',
        '{"total_cost_usd": -1}',
        "[1, 2]",
        '{"total_cost_usd": NaN}',
    ],
)
def test_what_it_does_not_tell_is_unknown_and_not_free(printed):
    usage = command.usage_of(printed)
    assert (usage.requests, usage.input_tokens, usage.output_tokens) == (1, 0, 0) and math.isnan(usage.usd)


@pytest.mark.parametrize("words", ["", "no-such-program-here x", "'unclosed"])
def test_a_command_line_that_cannot_run_is_said_at_once(place, words):
    with pytest.raises(ArenaError, match="--command"):
        command.Command(words, place, 60)


@pytest.mark.slow
def test_a_run_of_a_program_keeps_takes_back_and_tells_what_was_undone(repo, tmp_path):
    (repo / "nudges.md").write_text("longer averages on quiet days please\n")
    text = f"""
prompt = sys.stdin.read()
number = int(prompt.split('Round ')[1].split('.')[0])
(folder / 'Alpha.py').write_text({source("Alpha")!r}.replace('timeperiod=24', f'timeperiod={{24 + 20 * number}}'))
pathlib.Path('note.txt').write_text('Alpha: longer -> fewer trades')
if number == 1:
    pathlib.Path('run.py').write_text('print(1)')
print('undone' if 'undone: run.py is not yours to change' in prompt else 'clean')
"""
    done = drive(repo, "--command", program(tmp_path, text), "--rounds", 3, "--max-tokens", 1000, agent="command")
    assert done.returncode == 0, done.stderr
    assert "ended: the agent does not tell its tokens" in done.stdout
    done = drive(repo, "--command", program(tmp_path, text), "--rounds", 2, agent="command")
    assert done.returncode == 0, done.stderr
    log = check(repo)
    assert [one.proposal.record["response"] for one in log] == ["clean\n", "undone\n", "clean\n"]
    assert log[0].proposal.record["undone"] == ["run.py"]
    assert [row.note.count("nudge: longer averages on quiet") for row in rows(repo)] == [1, 0, 0]
    assert [one.state["nudges"] for one in played(repo)] == [["longer averages on quiet days please"], [], []]
    assert (worktree(repo) / "run.py").read_bytes() == (repo / "run.py").read_bytes()
