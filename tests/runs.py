"""
Repositories in which an agent has been at work: real commits, real evaluations, rows in results.tsv; and the judge's
command there.
"""

import json
import shutil

from arenas import ROOT, Done, checkout, command, made_once, prepared, script, strategy
from test_run import commit, git, values

import run
from arena.ledger import results_log, store
from arena.ledger.store import Ledger


def made(folder, **options):
    """A repository with two strategies, evaluated and committed, and their rows in results.tsv."""
    return copied(made_once(["two strategies", options], lambda template: _make(template, **options)), folder)


def opened(folder):
    """The same after `judge.py open 0.1.0`, and what it said."""

    def make(template):
        done = judge(made(template / "repo"), "open", "0.1.0", "--yes")
        (template / "done.json").write_text(json.dumps(done))

    template = made_once("two strategies, judged", make)
    return copied(template / "repo", folder), Done(*json.loads((template / "done.json").read_text()))


def copied(template, folder):
    shutil.copytree(template, folder, symlinks=True, dirs_exist_ok=True)
    return folder


def _make(folder, **options):
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


def evaluate(folder):
    done = command(run.cli, folder, "run.py", "--causality", "quick")
    assert done.returncode == 0, done.stderr
    (folder / "run.log").write_text(done.stdout)
    (folder / results_log.FILE).write_text(results_log.HEADER + "\n" + "\n".join(values(done.stdout, "row")) + "\n")


def judge(folder, *words, stdin=""):
    return command(script("judge").cli, folder, "judge.py", *words, stdin=stdin)


def noted(folder, kind):
    return Ledger(folder / store.LEDGER).noted(kind)
