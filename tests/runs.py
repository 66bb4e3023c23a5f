"""Repositories in which an agent has been at work: real commits, real evaluations, rows in results.tsv; and the judge's command there."""

import shutil
import subprocess
import sys

from arenas import ROOT, checkout, command, prepared, strategy
from test_run import commit, git, values

import judge as commands
from arena import journal, ledger
from arena.ledger import Ledger


def made(folder, **options):
    """A repository with two strategies, evaluated and committed, and their rows in results.tsv."""
    checkout(folder)
    shutil.copy(ROOT / "judge.py", folder)
    shutil.copy(ROOT / ".gitignore", folder)
    arena = prepared(folder, **options)
    git(folder, "init", "-q")
    strategy(arena, "Alpha")
    strategy(arena, "Beta", callbacks="def custom_exit(self, pair, trade, **kwargs):\n    return None")
    git(folder, "add", ".")
    commit(folder)
    evaluate(folder)
    return folder


def evaluate(folder):
    done = subprocess.run([sys.executable, "run.py", "--causality", "quick"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder / "run.log").write_text(done.stdout)
    (folder / journal.FILE).write_text(journal.HEADER + "\n" + "\n".join(values(done.stdout, "row")) + "\n")


def judge(folder, *words, stdin=""):
    return command(commands.cli, folder, "judge.py", *words, stdin=stdin)


def noted(folder, kind):
    return Ledger(folder / ledger.LEDGER).noted(kind)
